"""Claiming work by lease and fencing token.

Every clock here is the database's: a worker whose own clock is wrong, or who slept through its
lease, finds its token outdated and changes nothing.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.db import connection
from django.db.models import Q
from django.db.models.functions import Now

from portfolios.models.leased import LeasedJob

LEASE = timedelta(seconds=60)
MAX_ATTEMPTS = 3


def claim(model: type[LeasedJob], pk: uuid.UUID) -> int | None:
    """Take the job; the token to finish it with, or None where someone else has it or it is over.

    The update waits for a competing claim's row lock and then sees its effect, so of two callers
    exactly one gets the job.
    """
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET state = 'running', attempt = attempt + 1, token = token + 1,"
            " lease_until = clock_timestamp() + %s"
            " WHERE id = %s AND attempt < %s"
            " AND (not_before IS NULL OR not_before <= clock_timestamp())"
            " AND (state = 'queued' OR (state = 'running' AND lease_until < clock_timestamp()))"
            " RETURNING token",
            [LEASE, pk, MAX_ATTEMPTS],
        )
        row = cursor.fetchone()
    return row[0] if row else None


def extend(model: type[LeasedJob], pk: uuid.UUID, token: int) -> bool:
    """Heartbeat; False once the lease was lost."""
    return bool(
        _held(model, pk, token).update(lease_until=Now() + LEASE)  # type: ignore[operator]  # an expression
    )


def finish(model: type[LeasedJob], pk: uuid.UUID, token: int) -> bool:
    """Mark done inside the caller's transaction; False means: lease lost, discard the work."""
    return bool(
        _held(model, pk, token).update(
            state=LeasedJob.State.DONE, lease_until=None, finished_at=Now()
        )
    )


def release(model: type[LeasedJob], pk: uuid.UUID, token: int) -> bool:
    """Give the job back at once, after a failure that may pass (the attempt stays counted)."""
    return bool(
        _held(model, pk, token).update(state=LeasedJob.State.QUEUED, lease_until=None)
    )


def quarantine_exhausted(model: type[LeasedJob]) -> list[uuid.UUID]:
    """Take out of circulation what failed its last attempt: it kills workers or never ends."""
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET state = 'quarantined', lease_until = NULL,"
            " finished_at = clock_timestamp()"
            " WHERE attempt >= %s"
            " AND (state = 'queued' OR (state = 'running' AND lease_until < clock_timestamp()))"
            " RETURNING id",
            [MAX_ATTEMPTS],
        )
        return [row[0] for row in cursor.fetchall()]


def claimable() -> Q:
    """Filter: jobs a worker could claim now."""
    due = Q(not_before__isnull=True) | Q(not_before__lte=Now())
    expired = Q(state=LeasedJob.State.RUNNING, lease_until__lt=Now())
    return due & Q(attempt__lt=MAX_ATTEMPTS) & (Q(state=LeasedJob.State.QUEUED) | expired)


def _held(model: type[LeasedJob], pk: uuid.UUID, token: int):  # type: ignore[no-untyped-def]  # QuerySet of the model given
    return model._default_manager.filter(
        pk=pk, token=token, state=LeasedJob.State.RUNNING
    )
