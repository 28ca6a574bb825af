"""Doing whatever waits: the loop that every worker runs over the tables of leased jobs."""

from __future__ import annotations

import functools
import logging
import select
import socket
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, connection

from portfolios import leases
from portfolios.models.leased import LeasedJob
from portfolios.tenancy import operator_query, operator_scope
from portfolios.waking import CHANNEL

#: How long a worker waits to be told of work before it looks at the tables by itself.
POLL_SECONDS = 2.0
_BATCH = 16

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobKind:
    """A table of leased jobs and the function that claims one by id, does it and finishes it.

    The function answers whether it got the job: False says that someone else has it.
    `quarantined` is told, in the transaction that does it, which jobs were given up. `condition`
    is SQL over the table, `job`, that holds for those which may be begun now. `warm_up` loads what
    the first job would otherwise wait for.
    """

    model: type[LeasedJob]
    perform: Callable[[uuid.UUID], bool]
    quarantined: Callable[[Sequence[uuid.UUID]], None] | None = None
    condition: str = "TRUE"
    warm_up: Callable[[], None] | None = None


def waiting(kinds: Sequence[JobKind]) -> tuple[JobKind | None, list[uuid.UUID]]:
    """The first kind with jobs that could be claimed now, and its oldest ones."""
    rows = operator_query(_oldest(tuple(kinds)))
    first = min((at for at, _ in rows), default=None)
    if first is None:
        return None, []
    return kinds[first], [pk for at, pk in rows if at == first]


@functools.cache
def _oldest(kinds: tuple[JobKind, ...]) -> str:
    return " UNION ALL ".join(
        f"(SELECT {at}, id FROM {connection.ops.quote_name(kind.model._meta.db_table)} AS job"
        f" WHERE {leases.claimable_sql(kind.model)} AND {kind.condition}"
        f" ORDER BY id LIMIT {_BATCH})"
        for at, kind in enumerate(kinds)
    )


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


def sweep(kinds: Sequence[JobKind]) -> None:
    """Give up what failed its last attempt: it kills workers or never ends."""
    for kind in kinds:
        with operator_scope():
            given_up = leases.quarantine_exhausted(kind.model)
            if given_up and kind.quarantined is not None:
                kind.quarantined(given_up)
        if given_up:
            logger.error("quarantined %s %s", kind.model.__name__, [str(pk) for pk in given_up])


class WorkLoop(threading.Thread):
    """The one place of a worker process that does jobs: when told to, and every few seconds anyhow.

    The database tells it, on the connection that the loop works with, which belongs to this thread
    alone, whatever Celery does around its tasks. A notification only wakes it: what it was told of
    while it was connecting or at work it finds in the tables, and a job whose worker died, or whose
    time has come, is told by nobody.
    """

    def __init__(
        self,
        kinds: Sequence[JobKind],
        *,
        poll_seconds: float = POLL_SECONDS,
        channel: str = CHANNEL,
    ) -> None:
        super().__init__(name="work-loop", daemon=True)
        self._kinds = tuple(kinds)
        self._channel = channel
        self._poll_seconds = poll_seconds
        self._stop_now = threading.Event()
        self._end, self._ended = socket.socketpair()
        self._listening: Any = None

    def stop(self, patience: float) -> None:
        """End after the job at hand; what is unfinished after `patience` is left to its lease."""
        self._stop_now.set()
        self._end.close()
        self.join(patience)

    def run(self) -> None:
        connection.settings_dict = {**connection.settings_dict, "CONN_MAX_AGE": None}
        self._warm_up()
        while not self._stop_now.is_set():
            try:
                self._listen()
                drain(self._kinds, until=self._stop_now)
                self._wait()
            except DatabaseError:
                # A restart of the database: the next round opens a new connection.
                logger.warning("database not reachable, trying again", exc_info=True)
                connection.close()
                self._stop_now.wait(self._poll_seconds)
            except Exception:  # the loop must outlive any job; the job's lease brings it back
                logger.exception("a job failed outside of its own error handling")
                self._stop_now.wait(self._poll_seconds)
        connection.close()
        self._ended.close()

    def _warm_up(self) -> None:
        for kind in self._kinds:
            try:
                if kind.warm_up is not None:
                    kind.warm_up()
            except Exception:  # the jobs themselves will say what is wrong, where it matters
                logger.warning("no warm-up for %s", kind.model.__name__, exc_info=True)
                connection.close()

    def _listen(self) -> None:
        """Hear of work from here on, before the tables are looked at, so that none is missed."""
        connection.ensure_connection()
        if self._listening is not connection.connection:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {self._channel}")
            self._listening = connection.connection

    def _wait(self) -> None:
        """Until there is work, the loop is to end, or the tables should be looked at anyhow."""
        if self._listening is not connection.connection or self._was_told():
            return
        sockets = connection.connection.fileno(), self._ended.fileno()
        select.select(sockets, [], [], self._poll_seconds)
        self._was_told()  # read, or told again; a connection that was cut says so here

    def _was_told(self) -> bool:
        """Take the notifications that have come; raises DatabaseError for a dead connection."""
        with connection.wrap_database_errors:
            return bool(list(connection.connection.notifies(timeout=0)))
