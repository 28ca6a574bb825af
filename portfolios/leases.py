"""Claiming work by lease and fencing token.

Every clock here is the database's: a worker whose own clock is wrong, or who slept through its
lease, finds its token outdated and changes nothing.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import QuerySet
from django.db.models.functions import Now

from portfolios.models.leased import LeasedJob
from portfolios.tenancy import operator_scope

LEASE = timedelta(seconds=settings.LEASE_SECONDS)
#: A job at work this long hangs: its lease is let go, so that another worker may try.
LONGEST_JOB = timedelta(minutes=10)

logger = logging.getLogger(__name__)


def claimable_sql(model: type[LeasedJob]) -> str:
    """What `claim` may take, for queries that look for it."""
    return (
        f"attempt < {model.max_attempts}"
        " AND (not_before IS NULL OR not_before <= clock_timestamp())"
        " AND (state = 'queued' OR (state = 'running' AND lease_until < clock_timestamp()))"
    )


def claim(model: type[LeasedJob], pk: uuid.UUID) -> int | None:
    """Take the job; the token to finish it with, or None where someone else has it or it is over.

    The update waits for a competing claim's row lock and then sees its effect, so of two callers
    exactly one gets the job.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"{claim_sql(model)} RETURNING token", claim_parameters(pk))
        row = cursor.fetchone()
    return row[0] if row else None


def claim_sql(model: type[LeasedJob]) -> str:
    """The statement that takes a job, for `RETURNING` to be put behind."""
    table = connection.ops.quote_name(model._meta.db_table)
    return (
        f"UPDATE {table} SET state = 'running', attempt = attempt + 1, token = token + 1,"
        " lease_until = clock_timestamp() + make_interval(secs => %s)"
        f" WHERE id = %s AND {claimable_sql(model)}"
    )


def claim_parameters(pk: uuid.UUID) -> list[Any]:
    return [LEASE.total_seconds(), pk]


def extend(model: type[LeasedJob], pk: uuid.UUID, token: int) -> bool:
    """Heartbeat; False once the lease was lost."""
    return bool(_held(model, pk, token).update(lease_until=Now() + LEASE))


def finish(model: type[LeasedJob], pk: uuid.UUID, token: int) -> bool:
    """Mark done inside the caller's transaction; False means: lease lost, discard the work."""
    with connection.cursor() as cursor:
        cursor.execute(finish_sql(model), [pk, token])
        return bool(cursor.rowcount == 1)


def finish_sql(model: type[LeasedJob]) -> str:
    """The statement that marks a job done, by its id and token; no row: the lease was lost."""
    table = connection.ops.quote_name(model._meta.db_table)
    return (
        f"UPDATE {table} SET state = 'done', lease_until = NULL,"
        " finished_at = statement_timestamp()"
        " WHERE id = %s AND token = %s AND state = 'running'"
    )


def release(
    model: type[LeasedJob], pk: uuid.UUID, token: int, *, delay: timedelta = timedelta(0)
) -> bool:
    """Give the job back, after a failure that may pass (the attempt stays counted)."""
    return bool(
        _held(model, pk, token).update(
            state=LeasedJob.State.QUEUED,
            lease_until=None,
            not_before=Now() + delay,
        )
    )


def defer(model: type[LeasedJob], pk: uuid.UUID, token: int, *, delay: timedelta) -> bool:
    """Put the job off until its next step; this one had its outcome, so attempts begin anew."""
    return bool(
        _held(model, pk, token).update(
            state=LeasedJob.State.QUEUED, attempt=0, lease_until=None, not_before=Now() + delay
        )
    )


def end(model: type[LeasedJob], pk: uuid.UUID, token: int, state: LeasedJob.State) -> bool:
    """End a job otherwise than done; False means: lease lost."""
    return bool(_held(model, pk, token).update(state=state, lease_until=None, finished_at=Now()))


def held(model: type[LeasedJob]) -> QuerySet[Any]:
    """The jobs that somebody is at now."""
    return model._default_manager.filter(state=LeasedJob.State.RUNNING, lease_until__gte=Now())


@contextmanager
def heartbeat(model: type[LeasedJob], pk: uuid.UUID, token: int) -> Iterator[None]:
    """Extend the lease from a thread for as long as the body runs.

    A job shorter than a third of the lease costs a sleeping thread and no query.
    """
    over = threading.Event()

    started = time.monotonic()

    def beat() -> None:
        if over.wait(LEASE.total_seconds() / 3):
            return  # most jobs; a thread that has asked nothing has no connection to close
        try:
            while True:
                if time.monotonic() - started > LONGEST_JOB.total_seconds():
                    logger.error("%s %s hangs; its lease is let go", model.__name__, pk)
                    return
                try:
                    with operator_scope():
                        if not extend(model, pk, token):
                            return
                except DatabaseError:
                    logger.warning("heartbeat of %s %s failed", model.__name__, pk, exc_info=True)
                    connection.close()
                if over.wait(LEASE.total_seconds() / 3):
                    return
        finally:
            connection.close()

    thread = threading.Thread(target=beat, name=f"heartbeat-{pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()


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
            [model.max_attempts],
        )
        return [row[0] for row in cursor.fetchall()]


def _held(model: type[LeasedJob], pk: uuid.UUID, token: int) -> QuerySet[LeasedJob]:
    return model._default_manager.filter(pk=pk, token=token, state=LeasedJob.State.RUNNING)
