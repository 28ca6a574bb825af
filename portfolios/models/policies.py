"""What a portfolio's analyses take where a request says nothing: proposed by one, approved by
another."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from portfolios.identifiers import uuid7
from portfolios.models.clients import Client
from portfolios.models.instruments import Instrument
from portfolios.models.positions import Portfolio


class Policy(models.Model):
    """One version of a portfolio's policy. It is written once; a decision is added to it once."""

    class State(models.TextChoices):
        PENDING = "pending_approval"
        APPROVED = "approved"
        REJECTED = "rejected"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+")
    portfolio = models.ForeignKey(Portfolio, on_delete=models.CASCADE, related_name="policies")
    version = models.PositiveIntegerField()
    benchmark = models.ForeignKey(
        Instrument, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    settings = models.JSONField(default=dict, help_text="Members that are set, beside benchmark.")
    state = models.CharField(max_length=16, choices=State, default=State.PENDING)
    created_by = models.CharField(max_length=100)
    created_by_holder = models.CharField(
        max_length=300, help_text="Who held the key then: see `ApiKey.holder`."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    decided_by = models.CharField(max_length=100, null=True, blank=True)  # noqa: DJ001  # null: open
    decided_by_holder = models.CharField(max_length=300, null=True, blank=True)  # noqa: DJ001  # likewise
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("portfolio", "-version")
        verbose_name_plural = "policies"
        constraints = (
            models.UniqueConstraint(fields=["portfolio", "version"], name="policy_version"),
            models.UniqueConstraint(
                fields=["portfolio"],
                condition=models.Q(state="pending_approval"),
                name="policy_one_pending",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    state="pending_approval",
                    decided_by__isnull=True,
                    decided_by_holder__isnull=True,
                    decided_at__isnull=True,
                )
                | models.Q(
                    ~models.Q(state="pending_approval"),
                    decided_by__isnull=False,
                    decided_by_holder__isnull=False,
                    decided_at__isnull=False,
                ),
                name="policy_decided_by_someone",
            ),
            models.CheckConstraint(
                condition=~models.Q(
                    state="approved", decided_by_holder=models.F("created_by_holder")
                ),
                name="policy_two_people",
            ),
        )

    def __str__(self) -> str:
        return f"{self.portfolio_id} policy {self.version}"
