"""The rows that a run's units used, read again from the facts: a view, nothing is stored."""

from __future__ import annotations

from django.db import models

from analytics.models.runs import Run
from portfolios.models import Instrument
from portfolios.models.fields import NumericField


class RunInput(models.Model):
    """One row of the facts, as known when the run was accepted.

    `key` orders a run's rows: by unit, kind, instrument and date.
    """

    class Kind(models.TextChoices):
        POSITION = "position"
        PRICE = "price"
        FX_RATE = "fx_rate"
        SHORT_RATE = "short_rate"
        LEVERAGE_TERMS = "leverage_terms"
        CORPORATE_ACTION = "corporate_action"
        OPTION_QUOTE = "option_quote"

    key = models.TextField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.DO_NOTHING, related_name="+")
    unit = models.TextField()
    kind = models.TextField(choices=Kind)
    date = models.DateField()
    instrument = models.ForeignKey(
        Instrument, null=True, on_delete=models.DO_NOTHING, related_name="+"
    )
    series = models.TextField()
    own = models.BooleanField()
    source = models.TextField()
    recorded_at = models.DateTimeField()
    quantity = NumericField(null=True)
    close = NumericField(null=True)
    total_return_index = models.FloatField(null=True)
    rate = NumericField(null=True)
    multiple = NumericField(null=True)
    reference_index = models.ForeignKey(
        Instrument, null=True, on_delete=models.DO_NOTHING, related_name="+"
    )
    expense_ratio = NumericField(null=True)
    swap_spread = NumericField(null=True)
    new_shares = models.BigIntegerField(null=True)
    old_shares = models.BigIntegerField(null=True)
    amount = NumericField(null=True)
    bid = NumericField(null=True)
    ask = NumericField(null=True)
    last = NumericField(null=True)
    implied_volatility = models.FloatField(null=True)
    underlying_price = NumericField(null=True)

    class Meta:
        managed = False
        db_table = "analytics_runinput"
