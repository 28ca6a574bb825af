"""`manage.py relay`: gives up jobs that break their workers, and purges what has expired."""

from __future__ import annotations

import logging
import signal
import threading
from argparse import ArgumentParser
from collections.abc import Callable
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection

from analytics.tasks import KINDS
from portfolios.jobs import sweep
from portfolios.services.access_tokens import access_token_purge
from portfolios.services.authentication import auth_failure_purge
from portfolios.services.client_assertions import assertion_purge
from portfolios.services.deliveries import DELIVERY
from portfolios.services.events import PURGED_AT_ONCE, events_purge
from portfolios.services.idempotency import idempotency_purge
from portfolios.services.webhooks import webhook_secrets_renew
from portfolios.tenancy import operator_scope

#: Chosen once at random; whoever holds this session lock is the relay.
_LOCK = 7_420_311_905
_LONGEST_BACK_OFF = 10.0
_PURGE_EVERY = 3600.0
_PURGES: tuple[Callable[[], int], ...] = (
    idempotency_purge,
    access_token_purge,
    assertion_purge,
    auth_failure_purge,
    events_purge,
    webhook_secrets_renew,
)

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """Sweeps the tables of jobs every few seconds and purges every hour.

    Two of them are harmless: the second waits for the first one's lock, which the database takes
    back when its holder's connection ends.
    """

    help = "Give up jobs that keep failing, purge what has expired."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="One pass, then end.")
        parser.add_argument("--sweep-every", type=float, default=5.0, help="Seconds.")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  # Django's signature
        if options["once"]:
            sweep_jobs()
            purge()
            return
        stopping = threading.Event()

        def stop(_signal: int, _frame: FrameType | None) -> None:
            stopping.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        run_relay(stopping, sweep_every=options["sweep_every"])


def run_relay(stopping: threading.Event, *, sweep_every: float) -> None:
    """Pass after pass until told to stop; a database that is away is waited for."""
    until_purge, back_off, holds_lock = 0.0, 0.0, False
    while not stopping.wait(back_off):
        try:
            holds_lock = holds_lock or _try_lock()
            if holds_lock:
                sweep_jobs()
                until_purge -= sweep_every
                if until_purge <= 0:
                    purge()
                    until_purge = _PURGE_EVERY
            back_off = sweep_every
        except DatabaseError as error:
            logger.warning("database not reachable: %s", error)
            # The lock went with the connection.
            connection.close()
            holds_lock = False
            back_off = min(max(back_off, 1.0) * 2, _LONGEST_BACK_OFF)
    connection.close()


def sweep_jobs() -> None:
    """Give up jobs that failed their last attempt."""
    sweep((*KINDS, DELIVERY))


def purge() -> None:
    """Delete kept answers, events and former secrets past their time; renew what is sealed with a
    former key.

    Each in a transaction of its own: what one has locked holds up neither requests nor the rest.
    """
    for step in _PURGES:
        gone = PURGED_AT_ONCE
        while gone >= PURGED_AT_ONCE:
            with operator_scope():
                gone = step()


def _try_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        return bool(cursor.fetchone()[0])
