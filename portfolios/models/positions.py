"""Portfolios and their dated position sets."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from portfolios.identifiers import public_id, uuid7
from portfolios.models.clients import Client
from portfolios.models.fields import FactMoment, NumericField
from portfolios.models.instruments import Instrument


class Portfolio(models.Model):
    """A book of one client. `version` counts changes; it is the entity tag."""

    ID_PREFIX = "pf"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    client = models.ForeignKey(
        Client, on_delete=models.CASCADE, related_name="portfolios", db_index=False
    )
    external_id = models.CharField(max_length=100, null=True, blank=True)  # noqa: DJ001  # unique where given
    name = models.CharField(max_length=200)
    base_currency = models.CharField(max_length=3, default="USD")
    benchmark = models.ForeignKey(
        Instrument,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Semiconductor index or fund that beta is measured against.",
    )
    market_benchmark = models.ForeignKey(
        Instrument,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Broad market of the two-factor beta.",
    )
    policy = models.ForeignKey(
        "Policy",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="The approved one, kept here so that no analysis has to look for it.",
    )
    is_active = models.BooleanField(default=True)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(
        db_default=Now(), editable=False, help_text="Of its present revision; a trigger sees to it."
    )

    class Meta:
        ordering = ("name", "id")
        constraints = (
            models.UniqueConstraint(
                fields=["client", "external_id"], name="portfolio_client_external_id"
            ),
        )
        # A page of portfolios, with the benchmarks of those on it alone.
        indexes = (models.Index(fields=["client", "name", "id"], name="portfolio_by_name"),)

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return public_id(self.ID_PREFIX, self.id)


class PositionSet(models.Model):
    """All positions of a portfolio on a date. A correction supersedes the set, never edits it."""

    ID_PREFIX = "ps"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+")
    portfolio = models.ForeignKey(Portfolio, on_delete=models.CASCADE, related_name="position_sets")
    as_of = models.DateField()
    source = models.CharField(max_length=100, blank=True)
    checksum = models.CharField(max_length=64, editable=False)
    recorded_at = models.DateTimeField(db_default=FactMoment(), editable=False)
    superseded_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("-as_of", "-recorded_at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=["portfolio", "as_of"],
                condition=models.Q(superseded_at=None),
                name="position_set_current",
            ),
        )

    def __str__(self) -> str:
        return f"{self.portfolio_id} {self.as_of}"

    @property
    def public_id(self) -> str:
        return public_id(self.ID_PREFIX, self.id)


class Position(models.Model):
    """A signed quantity: shares, contracts, or currency units of a cash instrument."""

    id = models.BigAutoField(primary_key=True)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+")
    position_set = models.ForeignKey(
        PositionSet, on_delete=models.CASCADE, related_name="positions"
    )
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    quantity = NumericField(help_text="Short positions are negative.")
    cost = NumericField(null=True, blank=True, help_text="Per unit, in the instrument's currency.")
    tags = ArrayField(models.CharField(max_length=40), default=list, blank=True)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(
                fields=["position_set", "instrument"], name="position_set_instrument"
            ),
        )
