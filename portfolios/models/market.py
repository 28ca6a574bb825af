"""Prices and rates: append-only, each row with the time it was learned.

A row is current while `superseded_at` is empty. A correction closes the old row and adds a new
one, so "what did we know then" is `recorded_at <= t and (superseded_at is null or > t)`.
"""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from portfolios.models.clients import Client
from portfolios.models.fields import FactMoment, NumericField
from portfolios.models.instruments import Instrument


class Price(models.Model):
    """One session of one instrument, as traded: split factors live in `CorporateAction`.

    `total_return_index` is a level with an arbitrary start whose changes are total returns; later
    files are chained to it on their overlap.
    """

    id = models.BigAutoField(primary_key=True)
    client = models.ForeignKey(
        Client, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    instrument = models.ForeignKey(
        Instrument, on_delete=models.CASCADE, related_name="prices", db_index=False
    )
    session = models.DateField()
    open = NumericField(null=True)
    high = NumericField(null=True)
    low = NumericField(null=True)
    close = NumericField(null=True)
    volume = NumericField(null=True)
    total_return_index = models.FloatField(null=True)
    source = models.CharField(max_length=200, blank=True)
    recorded_at = models.DateTimeField(db_default=FactMoment(), editable=False)
    superseded_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["instrument", "session", "client"],
                condition=models.Q(superseded_at=None),
                name="price_current",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=models.Q(close__gt=0) | models.Q(close__isnull=True),
                name="price_close_positive",
            ),
            models.CheckConstraint(
                condition=models.Q(close__isnull=False)
                | models.Q(total_return_index__isnull=False),
                name="price_has_a_value",
            ),
        )
        indexes = (
            models.Index(fields=["session"], name="price_session"),
            models.Index(
                fields=["instrument", "session"],
                name="price_history",
                condition=models.Q(superseded_at__isnull=False),
            ),
        )


class FxRate(models.Model):
    """Units of `quote` for one unit of `base` at the close of a session."""

    id = models.BigAutoField(primary_key=True)
    client = models.ForeignKey(
        Client, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    base = models.CharField(max_length=3)
    quote = models.CharField(max_length=3)
    session = models.DateField()
    rate = NumericField()
    source = models.CharField(max_length=200, blank=True)
    recorded_at = models.DateTimeField(db_default=FactMoment(), editable=False)
    superseded_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["base", "quote", "session", "client"],
                condition=models.Q(superseded_at=None),
                name="fx_rate_current",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=models.Q(rate__gt=0), name="fx_rate_positive"),
        )


class RateObservation(models.Model):
    """A named series: short rates as fractions per year, volatility indexes as points."""

    id = models.BigAutoField(primary_key=True)
    client = models.ForeignKey(
        Client, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    series = models.CharField(max_length=40)
    session = models.DateField()
    value = NumericField()
    source = models.CharField(max_length=200, blank=True)
    recorded_at = models.DateTimeField(db_default=FactMoment(), editable=False)
    superseded_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["series", "session", "client"],
                condition=models.Q(superseded_at=None),
                name="rate_observation_current",
                nulls_distinct=False,
            ),
        )


class OptionQuote(models.Model):
    """A quote of an option, with the underlying price stated beside it (often out of step)."""

    id = models.BigAutoField(primary_key=True)
    client = models.ForeignKey(
        Client, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    instrument = models.ForeignKey(
        Instrument, on_delete=models.CASCADE, related_name="option_quotes", db_index=False
    )
    quoted_at = models.DateTimeField()
    bid = NumericField(null=True)
    ask = NumericField(null=True)
    last = NumericField(null=True)
    volume = NumericField(null=True)
    open_interest = NumericField(null=True)
    implied_volatility = models.FloatField(null=True)
    delta = models.FloatField(null=True)
    gamma = models.FloatField(null=True)
    theta = models.FloatField(null=True)
    vega = models.FloatField(null=True)
    underlying_price = NumericField(null=True)
    source = models.CharField(max_length=200, blank=True)
    recorded_at = models.DateTimeField(db_default=FactMoment(), editable=False)
    superseded_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["instrument", "quoted_at", "client"],
                condition=models.Q(superseded_at=None),
                name="option_quote_current",
                nulls_distinct=False,
            ),
        )


class DataVersion(models.Model):
    """Counts the changes of market facts: one row shared, one per client with facts of its own.

    Cached panels and run fingerprints carry the number, so equal numbers mean equal inputs.
    """

    id = models.AutoField(primary_key=True)
    client = models.ForeignKey(
        Client, null=True, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    version = models.BigIntegerField(default=0)
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["client"], name="data_version_client", nulls_distinct=False
            ),
        )
