"""A run computed again from the facts as they were known, and held against what was stored."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from analytics.models.runs import Run
from portfolios.identifiers import public_id, uuid7
from portfolios.models import Client, LeasedJob


class Replay(LeasedJob):
    """One replay of a run; nothing of it changes the run."""

    ID_PREFIX = "rpl"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="replays")
    request_id = models.CharField(max_length=60, blank=True)
    outcome = models.JSONField(null=True, editable=False, help_text="Unit by unit.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=["run"],
                condition=models.Q(state__in=["queued", "running"]),
                name="replay_one_open",
            ),
        )

    def __str__(self) -> str:
        return f"replay of {self.run_id}"

    @property
    def public_id(self) -> str:
        return public_id(self.ID_PREFIX, self.id)
