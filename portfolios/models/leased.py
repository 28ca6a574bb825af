"""Work that survives its worker: the row is the job, a notification only says "look now"."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class LeasedJob(models.Model):
    """Columns of a job claimed by lease and fencing token (see `portfolios.leases`)."""

    #: Claims without an outcome after which the job is given up: it kills workers or never ends.
    max_attempts: ClassVar[int] = 3

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        QUARANTINED = "quarantined"
        CANCELED = "canceled"

    state = models.CharField(max_length=12, choices=State, default=State.QUEUED, editable=False)
    attempt = models.PositiveSmallIntegerField(default=0, editable=False)
    token = models.PositiveIntegerField(default=0, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    not_before = models.DateTimeField(null=True, blank=True, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        abstract = True
