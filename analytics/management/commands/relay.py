"""`manage.py relay`: settles the outbox, and gives up jobs that break their workers."""

from __future__ import annotations

import logging
import signal
import threading
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection
from django.db.models.functions import Now

from analytics.models import OutboxMessage
from analytics.tasks import KINDS
from portfolios.jobs import sweep
from portfolios.services.idempotency import idempotency_purge
from portfolios.tenancy import operator_scope

#: Chosen once at random; whoever holds this session lock is the relay.
_LOCK = 7_420_311_905
_OUTBOX_BATCH = 1000
_LONGEST_BACK_OFF = 10.0
_PURGE_EVERY = 3600.0

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """Empties the outbox every second, sweeps the tables of jobs every five, purges every hour.

    Two of them are harmless: the second waits for the first one's lock, which the database takes
    back when its holder's connection ends.
    """

    help = "Empty the outbox, quarantine jobs that keep failing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="One pass, then end.")
        parser.add_argument("--tick", type=float, default=1.0, help="Seconds between passes.")
        parser.add_argument("--sweep-every", type=float, default=5.0, help="Seconds.")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  # Django's signature
        if options["once"]:
            drain_outbox()
            sweep_jobs()
            purge()
            return
        stopping = threading.Event()

        def stop(_signal: int, _frame: FrameType | None) -> None:
            stopping.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        run_relay(stopping, tick=options["tick"], sweep_every=options["sweep_every"])


def run_relay(stopping: threading.Event, *, tick: float, sweep_every: float) -> None:
    """Pass after pass until told to stop; a database that is away is waited for."""
    until_sweep, until_purge, back_off, holds_lock = 0.0, 0.0, tick, False
    while not stopping.wait(back_off):
        try:
            holds_lock = holds_lock or _try_lock()
            if holds_lock:
                drain_outbox()
                until_sweep -= tick
                if until_sweep <= 0:
                    sweep_jobs()
                    until_sweep = sweep_every
                until_purge -= tick
                if until_purge <= 0:
                    purge()
                    until_purge = _PURGE_EVERY
            back_off = tick
        except DatabaseError as error:
            logger.warning("database not reachable: %s", error)
            # The lock went with the connection.
            connection.close()
            holds_lock = False
            back_off = min(back_off * 2, _LONGEST_BACK_OFF)
    connection.close()


def drain_outbox() -> int:
    """Settle what transactions left to be told; how many messages. Nobody asks for them yet."""
    with operator_scope():
        unsent = OutboxMessage.objects.filter(sent_at=None).order_by("pk")[:_OUTBOX_BATCH]
        return OutboxMessage.objects.filter(pk__in=unsent.values("pk")).update(sent_at=Now())


def sweep_jobs() -> None:
    """Give up jobs that failed their last attempt."""
    sweep(KINDS)


def purge() -> None:
    """Delete kept answers whose time for repetition is over."""
    with operator_scope():
        idempotency_purge()


def _try_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        return bool(cursor.fetchone()[0])
