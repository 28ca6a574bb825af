"""What clients are told: events, the endpoints they are sent to, and each sending."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from portfolios.identifiers import public_id, uuid7
from portfolios.models.clients import Client
from portfolios.models.leased import LeasedJob


class Event(models.Model):
    """Something that happened, written in the transaction of its cause; a trigger refuses changes.

    `id` grows in the order in which the events of a client become visible, so whoever has read up
    to one of them misses none (see `portfolios.services.events`).
    """

    ID_PREFIX = "evt"

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+")
    type = models.CharField(max_length=40)
    object_id = models.CharField(max_length=60)
    link = models.CharField(max_length=200)
    status = models.CharField(max_length=20)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["client", "id"], name="event_client_id"),
            models.Index(fields=["created_at"], name="event_created_at"),
        )

    def __str__(self) -> str:
        return f"{self.type} {self.object_id}"

    @property
    def public_id(self) -> str:
        return public_id(self.ID_PREFIX, self.uid)


class WebhookEndpoint(models.Model):
    """An address of a client's that is told of its events."""

    ID_PREFIX = "wh"

    class DisabledReason(models.TextChoices):
        CLIENT = "client"
        GONE = "gone"
        FAILING = "failing"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="webhook_endpoints")
    url = models.CharField(max_length=2000)
    description = models.CharField(max_length=200, blank=True)
    event_types = ArrayField(
        models.CharField(max_length=40), default=list, blank=True, help_text="Empty: all."
    )
    is_enabled = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=10, choices=DisabledReason, blank=True)
    secret = models.TextField(editable=False, help_text="Sealed, see portfolios.webhooks.signing.")
    former_secrets = models.JSONField(
        default=list,
        editable=False,
        help_text="Sealed, each with the time until which it signs too; the newest first.",
    )
    previous_secret_until = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Until the newest of them ends."
    )
    failures = models.PositiveIntegerField(
        default=0, editable=False, help_text="Events given up since the last one that arrived."
    )
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("client", "id")

    def __str__(self) -> str:
        return self.url

    @property
    def public_id(self) -> str:
        return public_id(self.ID_PREFIX, self.id)

    def former_secrets_at(self, moment: datetime) -> list[dict[str, str]]:
        """Those that sign beside the present one then."""
        return [one for one in self.former_secrets if datetime.fromisoformat(one["until"]) > moment]


class Delivery(LeasedJob):
    """One event on its way to one endpoint, with a log of every attempt.

    `attempt` counts claims since the last outcome: a process that dies while sending says nothing
    against the event. `tries` counts what was sent and heard of, by which the retries go.
    """

    ID_PREFIX = "dlv"
    max_attempts: ClassVar[int] = 100

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+")
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="deliveries")
    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries"
    )
    tries = models.PositiveSmallIntegerField(default=0, editable=False)
    log = models.JSONField(
        default=list, editable=False, help_text="At, status, error, duration, first bytes."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "deliveries"
        indexes = (
            models.Index(
                fields=["id"],
                name="delivery_waiting",
                condition=models.Q(state__in=["queued", "running"]),
            ),
            models.Index(
                fields=["endpoint"],
                name="delivery_under_way",
                condition=models.Q(state="running"),
            ),
        )

    def __str__(self) -> str:
        return f"{self.event_id} to {self.endpoint_id}"

    @property
    def public_id(self) -> str:
        return public_id(self.ID_PREFIX, self.id)
