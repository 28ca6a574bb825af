"""Instruments and their dated terms. Rows without a client are shared market facts."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from portfolios.identifiers import public_id, uuid7
from portfolios.models.clients import Client
from portfolios.models.fields import FactMoment, NumericField


class Instrument(models.Model):
    """Something a portfolio can hold or be measured against."""

    ID_PREFIX = "in"

    class Kind(models.TextChoices):
        EQUITY = "equity"
        ETF = "etf"
        OPTION = "option"
        INDEX = "index"
        CASH = "cash"
        FUTURE = "future"

    id = models.AutoField(primary_key=True)
    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    client = models.ForeignKey(
        Client,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="instruments",
        help_text="Empty: shared by all clients.",
    )
    symbol = models.CharField(max_length=40)
    name = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=10, choices=Kind)
    currency = models.CharField(max_length=3, default="USD")
    calendar = models.CharField(max_length=8, default="XNYS", help_text="Exchange calendar (MIC).")
    isin = models.CharField(max_length=12, blank=True)
    figi = models.CharField(max_length=12, blank=True)
    proxy = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="proxied",
        help_text="Whose returns stand in where this has no prices of its own; results say so.",
    )
    is_synthetic = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("symbol", "id")
        constraints = (
            # By symbol first: so they are looked up and listed, own and shared ones at once.
            models.UniqueConstraint(
                fields=["symbol", "client"], name="instrument_client_symbol", nulls_distinct=False
            ),
        )

    def __str__(self) -> str:
        return self.symbol

    @property
    def public_id(self) -> str:
        return public_id(self.ID_PREFIX, self.uid)


class LeverageTerms(models.Model):
    """What a daily-reset fund promises, from a date on (until the next row's date)."""

    id = models.AutoField(primary_key=True)
    client = models.ForeignKey(Client, null=True, blank=True, on_delete=models.CASCADE)
    instrument = models.ForeignKey(
        Instrument, on_delete=models.CASCADE, related_name="leverage_terms"
    )
    valid_from = models.DateField()
    multiple = models.DecimalField(max_digits=6, decimal_places=3)
    reference_index = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    expense_ratio = models.DecimalField(
        max_digits=9, decimal_places=6, help_text="Per year, 0.01 = 1 %."
    )
    swap_spread = models.DecimalField(
        max_digits=9, decimal_places=6, default=0, help_text="Over the short rate, per year."
    )
    source = models.CharField(max_length=200, blank=True)
    recorded_at = models.DateTimeField(db_default=FactMoment(), editable=False)

    class Meta:
        ordering = ("instrument", "valid_from")
        verbose_name_plural = "leverage terms"
        constraints = (
            models.UniqueConstraint(
                fields=["client", "instrument", "valid_from"],
                name="leverage_terms_from",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=~models.Q(multiple=0), name="leverage_terms_multiple_not_zero"
            ),
        )

    def __str__(self) -> str:
        return f"{self.multiple:+.4g}x {self.reference_index_id} from {self.valid_from}"


class OptionTerms(models.Model):
    """The contract of an option."""

    class Right(models.TextChoices):
        CALL = "call"
        PUT = "put"

    class Style(models.TextChoices):
        AMERICAN = "american"
        EUROPEAN = "european"

    instrument = models.OneToOneField(
        Instrument, primary_key=True, on_delete=models.CASCADE, related_name="option_terms"
    )
    client = models.ForeignKey(Client, null=True, blank=True, on_delete=models.CASCADE)
    underlying = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="options")
    right = models.CharField(max_length=4, choices=Right)
    style = models.CharField(max_length=8, choices=Style, default=Style.AMERICAN)
    strike = NumericField()
    expiry = models.DateField()
    multiplier = NumericField(default=100, help_text="Shares per contract.")

    class Meta:
        verbose_name_plural = "option terms"
        constraints = (
            models.CheckConstraint(condition=models.Q(strike__gt=0), name="option_strike_positive"),
            models.CheckConstraint(
                condition=models.Q(multiplier__gt=0), name="option_multiplier_positive"
            ),
        )


class CorporateAction(models.Model):
    """A split (exact ratio of new to old shares) or a cash distribution, on its ex-date."""

    class Kind(models.TextChoices):
        SPLIT = "split"
        DISTRIBUTION = "distribution"

    id = models.BigAutoField(primary_key=True)
    client = models.ForeignKey(Client, null=True, blank=True, on_delete=models.CASCADE)
    instrument = models.ForeignKey(
        Instrument, on_delete=models.CASCADE, related_name="corporate_actions"
    )
    ex_date = models.DateField()
    kind = models.CharField(max_length=12, choices=Kind)
    new_shares = models.BigIntegerField(null=True, blank=True)
    old_shares = models.BigIntegerField(null=True, blank=True)
    amount = NumericField(
        null=True, blank=True, help_text="Cash per share as traded on the ex-date."
    )
    source = models.CharField(max_length=200, blank=True)
    recorded_at = models.DateTimeField(db_default=FactMoment(), editable=False)
    superseded_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("instrument", "ex_date", "id")
        constraints = (
            models.UniqueConstraint(
                fields=["client", "instrument", "ex_date", "kind"],
                condition=models.Q(superseded_at=None),
                name="corporate_action_current",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=models.Q(
                    kind="split", new_shares__gt=0, old_shares__gt=0, amount__isnull=True
                )
                | models.Q(
                    kind="distribution",
                    new_shares__isnull=True,
                    old_shares__isnull=True,
                    amount__isnull=False,
                ),
                name="corporate_action_terms",
            ),
        )


class FundFact(models.Model):
    """What an issuer publishes of a fund on a day."""

    id = models.AutoField(primary_key=True)
    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="fund_facts")
    as_of = models.DateField()
    total_assets_usd = NumericField(null=True)
    expense_ratio = NumericField(null=True, help_text="Per year, 0.01 = 1 %.")
    nav = NumericField(null=True)
    distribution_yield = NumericField(null=True)
    inception = models.DateField(null=True)
    source = models.CharField(max_length=200, blank=True)
    recorded_at = models.DateTimeField(db_default=FactMoment(), editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["instrument", "as_of"], name="fund_fact_day"),
        )


class FundHolding(models.Model):
    """The weight of one holding in a fund on a day; the holding may be unknown to us."""

    id = models.BigAutoField(primary_key=True)
    fund = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="holdings")
    as_of = models.DateField()
    holding = models.CharField(max_length=40)
    weight = NumericField(help_text="Fraction of the fund's net assets.")
    source = models.CharField(max_length=200, blank=True)
    recorded_at = models.DateTimeField(db_default=FactMoment(), editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["fund", "as_of", "holding"], name="fund_holding_day"),
        )
