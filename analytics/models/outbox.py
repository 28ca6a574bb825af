"""Messages written in the transaction of their cause and sent after it."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from portfolios.models import Client


class OutboxMessage(models.Model):
    """Something to tell: a hint for the workers, an event for a client."""

    id = models.BigAutoField(primary_key=True)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+")
    topic = models.CharField(max_length=40)
    object_id = models.UUIDField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (
            models.Index(
                fields=["id"], name="outbox_unsent", condition=models.Q(sent_at__isnull=True)
            ),
        )
