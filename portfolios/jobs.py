"""Doing whatever waits: the loop that every worker runs over the tables of leased jobs."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import DatabaseError, connection
from django.db.models import Q
from django.db.models.functions import Now

from portfolios import leases
from portfolios.models.leased import LeasedJob
from portfolios.tenancy import operator_scope

#: How long a worker waits for a hint before it looks at the tables by itself.
POLL_SECONDS = 2.0
_BATCH = 16

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobKind:
    """A table of leased jobs and the function that claims one by id, does it and finishes it.

    The function answers whether it got the job: False says that someone else has it.
    `quarantined` is told, in the transaction that does it, which jobs were given up.
    """

    model: type[LeasedJob]
    perform: Callable[[uuid.UUID], bool]
    quarantined: Callable[[Sequence[uuid.UUID]], None] | None = None


def waiting(kinds: Sequence[JobKind]) -> tuple[JobKind | None, list[uuid.UUID]]:
    """The first kind with jobs that could be claimed now, and its oldest ones."""
    oldest = " UNION ALL ".join(
        f"(SELECT {at}, id FROM {connection.ops.quote_name(kind.model._meta.db_table)}"
        f" WHERE {leases.CLAIMABLE} ORDER BY id LIMIT {_BATCH})"
        for at, kind in enumerate(kinds)
    )
    with operator_scope(), connection.cursor() as cursor:
        cursor.execute(oldest)
        rows: list[tuple[int, uuid.UUID]] = cursor.fetchall()
    first = min((at for at, _ in rows), default=None)
    if first is None:
        return None, []
    return kinds[first], [pk for at, pk in rows if at == first]


def drain(kinds: Sequence[JobKind], *, until: threading.Event | None = None) -> int:
    """Do the jobs that wait, those of an earlier kind first, until none is left; how many.

    After a pass the tables are read again from the first kind on, so that what a client waits for
    does not stand behind a batch of nightly work. A pass in which others took every job is
    repeated once: there may be more behind them.
    """
    total = misses = 0
    while misses < 2:
        kind, ids = waiting(kinds)
        if kind is None:
            break
        done = 0
        for pk in ids:
            if until is not None and until.is_set():
                return total
            done += kind.perform(pk)
        total += done
        misses = 0 if done else misses + 1
    return total


def sweep(kinds: Sequence[JobKind], *, rehint_after: timedelta) -> bool:
    """Give up what failed its last attempt, and say whether workers should be woken.

    Woken for work that was never hinted, or so long ago that the hint must have been lost; each
    such job is marked as hinted, so one that waits behind others costs a hint now and then.
    """
    wanted = False
    for kind in kinds:
        with operator_scope():
            given_up = leases.quarantine_exhausted(kind.model)
            if given_up and kind.quarantined is not None:
                kind.quarantined(given_up)
        if given_up:
            logger.error("quarantined %s %s", kind.model.__name__, [str(pk) for pk in given_up])
        with operator_scope():
            silent = kind.model._default_manager.filter(
                leases.claimable(), Q(hinted_at=None) | Q(hinted_at__lt=Now() - rehint_after)
            )
            wanted |= bool(silent.update(hinted_at=Now()))
    return wanted


class WorkLoop(threading.Thread):
    """The one place of a worker process that does jobs: on a hint, and every few seconds anyhow.

    Hints only wake it. A worker whose broker connection is deaf or whose broker is dead therefore
    goes on working, only later by up to the polling interval; and a database connection belongs to
    this thread alone, whatever Celery does around its tasks.
    """

    def __init__(self, kinds: Sequence[JobKind], *, poll_seconds: float = POLL_SECONDS) -> None:
        super().__init__(name="work-loop", daemon=True)
        self._kinds = tuple(kinds)
        self._poll_seconds = poll_seconds
        self._wake = threading.Event()
        self._stop_now = threading.Event()
        self._idle = threading.Condition()
        self._rounds_begun = 0
        self._rounds_ended = 0

    def wake(self, patience: float) -> None:
        """Have the tables looked at, and return when a round begun after this call has ended."""
        with self._idle:
            wanted = self._rounds_begun + 1
            self._wake.set()
            self._idle.wait_for(lambda: self._rounds_ended >= wanted, patience)

    def stop(self, patience: float) -> None:
        """End after the job at hand; what is unfinished after `patience` is left to its lease."""
        self._stop_now.set()
        self._wake.set()
        self.join(patience)

    def run(self) -> None:
        connection.settings_dict = {
            **connection.settings_dict,
            "CONN_MAX_AGE": None,
            "CONN_HEALTH_CHECKS": True,
        }
        while not self._stop_now.is_set():
            self._wake.wait(self._poll_seconds)
            self._wake.clear()
            with self._idle:
                self._rounds_begun += 1
            self._round()
            with self._idle:
                self._rounds_ended = self._rounds_begun
                self._idle.notify_all()
        connection.close()

    def _round(self) -> None:
        try:
            connection.close_if_unusable_or_obsolete()
            drain(self._kinds, until=self._stop_now)
        except DatabaseError:
            # A restart of the database: the next round opens a new connection.
            logger.warning("database not reachable, trying again", exc_info=True)
            connection.close()
        except Exception:  # the loop must outlive any job; the job's lease brings it back
            logger.exception("a job failed outside of its own error handling")
