"""Imports: a file on its way into the facts, with its verdict."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from portfolios.identifiers import public_id, uuid7
from portfolios.models.clients import Client
from portfolios.models.leased import LeasedJob


class Import(LeasedJob):
    """One file. Rows in = accepted + rejected, always; the same bytes again are the same import."""

    ID_PREFIX = "imp"

    class Status(models.TextChoices):
        RECEIVED = "received"
        VALIDATING = "validating"
        READY = "ready"
        APPLYING = "applying"
        DONE = "done"
        REFUSED = "refused"
        FAILED = "failed"

    class Mode(models.TextChoices):
        ATOMIC = "atomic"
        PARTIAL = "partial"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    client = models.ForeignKey(Client, null=True, blank=True, on_delete=models.CASCADE)
    kind = models.CharField(max_length=30, blank=True)
    instrument_symbol = models.CharField(max_length=40, blank=True)
    portfolio_id = models.UUIDField(null=True, blank=True)
    as_of = models.DateField(null=True, blank=True, help_text="Of positions without a date.")
    filename = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    fingerprint = models.CharField(
        max_length=64,
        blank=True,
        default="",
        editable=False,
        help_text="SHA-256 of the bytes and the options of an upload.",
    )
    content = models.BinaryField(null=True, help_text="Kept until the import is done.")
    mode = models.CharField(max_length=8, choices=Mode, default=Mode.ATOMIC)
    dry_run = models.BooleanField(default=False)
    status = models.CharField(max_length=12, choices=Status, default=Status.RECEIVED)
    rows_in = models.PositiveIntegerField(default=0)
    rows_accepted = models.PositiveIntegerField(default=0)
    rows_rejected = models.PositiveIntegerField(default=0)
    rows_changed = models.PositiveIntegerField(
        default=0, help_text="Accepted rows that differed from what was on file."
    )
    notes = models.JSONField(default=list)
    request_id = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("-created_at", "-id")
        indexes = (
            models.Index(fields=["client", "fingerprint"], name="import_client_fingerprint"),
        )

    def __str__(self) -> str:
        return self.filename

    @property
    def public_id(self) -> str:
        return public_id(self.ID_PREFIX, self.id)


class ImportProblem(models.Model):
    """One reason why a row, a cell or the whole file was not taken. Row 0 is the file."""

    id = models.BigAutoField(primary_key=True)
    client = models.ForeignKey(Client, null=True, blank=True, on_delete=models.CASCADE)
    imported = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="problems")
    row = models.PositiveIntegerField()
    column = models.CharField(max_length=100, blank=True)
    code = models.CharField(max_length=60)
    value = models.CharField(max_length=200, blank=True)
    message = models.TextField()
    suggestion = models.TextField(blank=True)

    class Meta:
        ordering = ("row", "id")
