"""A run is an accepted request; its units are the jobs; a result is what one unit made."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from portfolios.identifiers import public_id, uuid7
from portfolios.models import Client, LeasedJob, Portfolio


class Run(models.Model):
    """One accepted request for one kind of analysis."""

    ID_PREFIX = "run"

    class Kind(models.TextChoices):
        SEMICONDUCTOR_BETA = "semiconductor-beta"
        HEDGE_EFFECTIVENESS = "hedge-effectiveness"
        LEVERAGED_DRAG = "leveraged-drag"
        TAIL_RISK = "tail-risk"
        HEDGE_COMPARISON = "hedge-comparison"

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        PARTIAL = "partial"
        FAILED = "failed"
        CANCELED = "canceled"

    OPEN = (Status.QUEUED, Status.RUNNING)
    TERMINAL = (Status.SUCCEEDED, Status.PARTIAL, Status.FAILED, Status.CANCELED)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    client = models.ForeignKey(
        Client, on_delete=models.CASCADE, related_name="runs", db_index=False
    )
    kind = models.CharField(max_length=30, choices=Kind)
    portfolio = models.ForeignKey(
        Portfolio, null=True, blank=True, on_delete=models.CASCADE, related_name="runs"
    )
    as_of = models.DateField()
    known_at = models.DateTimeField(help_text="Only facts recorded until then are used.")
    params_hash = models.CharField(max_length=64)
    inputs_hash = models.CharField(max_length=64)
    method_version = models.CharField(max_length=40)
    attempt_number = models.PositiveIntegerField(
        default=1, help_text="Above 1: the caller forced the same request again."
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    version = models.PositiveIntegerField(default=1, help_text="Counts changes, for long polls.")
    request_id = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=[
                    "client",
                    "kind",
                    "portfolio",
                    "as_of",
                    "params_hash",
                    "inputs_hash",
                    "method_version",
                    "attempt_number",
                ],
                name="run_natural_key",
                nulls_distinct=False,
            ),
        )
        indexes = (
            # A page of runs, either way; every night adds some.
            models.Index(fields=["client", "created_at", "id"], name="run_in_time"),
            models.Index(
                fields=["client"],
                name="run_open",
                condition=models.Q(status__in=["queued", "running"]),
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.as_of}"

    @property
    def public_id(self) -> str:
        return public_id(self.ID_PREFIX, self.id)


class Unit(LeasedJob):
    """One named part of a run: the job a worker claims."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="units")
    name = models.CharField(max_length=60)
    ordinal = models.PositiveSmallIntegerField()
    params = models.JSONField()

    class Meta:
        ordering = ("run", "ordinal")
        constraints = (models.UniqueConstraint(fields=["run", "name"], name="unit_run_name"),)
        indexes = (
            models.Index(
                fields=["lease_until"],
                name="unit_open",
                condition=models.Q(state__in=["queued", "running"]),
            ),
        )

    def __str__(self) -> str:
        return self.name


class Result(models.Model):
    """What a unit made, once: the unique key is what makes it exactly once."""

    class Status(models.TextChoices):
        OK = "ok"
        INSUFFICIENT_DATA = "insufficient_data"
        DEGENERATE = "degenerate"
        STALE = "stale"
        ERROR = "error"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+")
    unit = models.OneToOneField(Unit, on_delete=models.CASCADE, related_name="result")
    status = models.CharField(max_length=20, choices=Status)
    body = models.TextField(help_text="Canonical JSON: {result} or {result: null, problem}.")
    content_hash = models.CharField(max_length=64)
    inputs = models.JSONField(default=dict, help_text="What was read: ids, sessions, hashes.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"{self.unit_id} {self.status}"
