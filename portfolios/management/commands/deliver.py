"""`manage.py deliver`: sends events to the webhooks of clients."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portfolios.jobs import WorkLoop
from portfolios.services.deliveries import DELIVERY
from portfolios.waking import DELIVERIES
from portfolios.webhooks.sending import TOTAL_SECONDS

_THREADS = 8


class Command(BaseCommand):
    """A process of its own, of loops like the workers': a receiver that takes fifteen seconds to
    answer holds up one of these threads, and no analysis. Several such processes are harmless."""

    help = "Send events to webhook endpoints, and again where they did not arrive."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--threads", type=int, default=_THREADS, help="Deliveries at the same time."
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  # Django's signature
        if not settings.WEBHOOK_KEY:
            raise CommandError(
                "RISK_WEBHOOK_KEY is not set: the secrets of webhooks cannot be kept without it."
                " Set it to a long random text, the same for the web server, for example from:"
                ' python3 -c "import secrets; print(secrets.token_urlsafe(48))"'
            )
        stopping = threading.Event()

        def stop(_signal: int, _frame: FrameType | None) -> None:
            stopping.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        loops = [WorkLoop((DELIVERY,), channel=DELIVERIES) for _ in range(options["threads"])]
        for loop in loops:
            loop.start()
        stopping.wait()
        for loop in loops:
            loop.stop(0)
        # What is under way has its fifteen seconds; what is not over then is left to its lease.
        for loop in loops:
            loop.join(TOTAL_SECONDS / len(loops))
