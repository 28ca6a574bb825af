"""The nightly report of a client."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from analytics.models.runs import Run
from portfolios.identifiers import public_id, uuid7
from portfolios.models import Client, LeasedJob, Portfolio


class Report(LeasedJob):
    """All portfolios of a client on a business date. Late data makes a revision, never an edit."""

    ID_PREFIX = "rep"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="reports")
    business_date = models.DateField()
    revision = models.PositiveSmallIntegerField(default=1)
    known_at = models.DateTimeField(db_default=Now())
    record = models.JSONField(null=True, editable=False, help_text="Every number of the report.")
    content_hash = models.CharField(max_length=64, blank=True, editable=False)
    html = models.TextField(blank=True, editable=False)
    pdf = models.BinaryField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("-business_date", "-revision", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=["client", "business_date", "revision"], name="report_client_date_revision"
            ),
        )

    def __str__(self) -> str:
        return f"{self.business_date} r{self.revision}"

    @property
    def public_id(self) -> str:
        return public_id(self.ID_PREFIX, self.id)


class ReportItem(models.Model):
    """The status and headline numbers of one portfolio in a report."""

    id = models.BigAutoField(primary_key=True)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+")
    report = models.ForeignKey(Report, on_delete=models.CASCADE, related_name="items")
    portfolio = models.ForeignKey(Portfolio, on_delete=models.CASCADE, related_name="+")
    run = models.ForeignKey(Run, null=True, on_delete=models.SET_NULL, related_name="+")
    measure = models.CharField(max_length=30)
    status = models.CharField(max_length=20)
    body = models.TextField(help_text="Canonical JSON, as in a unit's result.")

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["report", "portfolio", "measure"], name="report_item_measure"
            ),
        )
