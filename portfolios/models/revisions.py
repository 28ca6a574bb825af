"""What portfolios and instruments were said to be: one row per change, written by triggers.

The columns have the names of the tables they are kept for, so that a list reads either: the table
for now, its revisions for what was known at a time.
"""

from __future__ import annotations

from django.db import models

from portfolios.models.clients import Client
from portfolios.models.instruments import Instrument
from portfolios.models.positions import Portfolio


class PortfolioRevision(models.Model):
    """A portfolio from one change to the next."""

    revision = models.BigAutoField(primary_key=True)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+")
    portfolio = models.ForeignKey(Portfolio, on_delete=models.CASCADE, related_name="revisions")
    external_id = models.CharField(max_length=100, null=True)  # noqa: DJ001  # as of the portfolio
    name = models.CharField(max_length=200)
    base_currency = models.CharField(max_length=3)
    benchmark = models.ForeignKey(Instrument, null=True, on_delete=models.PROTECT, related_name="+")
    market_benchmark = models.ForeignKey(
        Instrument, null=True, on_delete=models.PROTECT, related_name="+"
    )
    is_active = models.BooleanField()
    version = models.PositiveIntegerField()
    created_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    superseded_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["portfolio"],
                condition=models.Q(superseded_at=None),
                name="portfolio_revision_current",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.version})"


class InstrumentRevision(models.Model):
    """What was said of an instrument from one change to the next."""

    revision = models.BigAutoField(primary_key=True)
    client = models.ForeignKey(Client, null=True, on_delete=models.CASCADE, related_name="+")
    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="revisions")
    uid = models.UUIDField()
    symbol = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10)
    currency = models.CharField(max_length=3)
    calendar = models.CharField(max_length=8)
    isin = models.CharField(max_length=12)
    figi = models.CharField(max_length=12)
    is_synthetic = models.BooleanField()
    proxy = models.ForeignKey(Instrument, null=True, on_delete=models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField()
    superseded_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["instrument"],
                condition=models.Q(superseded_at=None),
                name="instrument_revision_current",
            ),
        )

    def __str__(self) -> str:
        return self.symbol
