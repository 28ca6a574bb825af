"""Waking the workers: a broker message that says there is work, and nothing else.

The rows in the database are the jobs. A hint that is lost costs the time until a worker next looks
at the table by itself; a broker that is down must not cost the caller more than that.
"""

from __future__ import annotations

import logging
import threading
import time

from celery import current_app
from kombu.exceptions import OperationalError

WAKE_TASK = "riskapi.wake"

#: After a failure nobody tries again for this long, so a dead broker costs one connect attempt.
_COOL_DOWN_SECONDS = 5.0

logger = logging.getLogger(__name__)


class _Breaker:
    """Remembers, for the whole process, that the broker did not answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed_until = 0.0

    def allows(self) -> bool:
        """Whether to try; while the broker is known to be down one caller per cool-down does."""
        with self._lock:
            now = time.monotonic()
            if now < self._closed_until:
                return False
            if self._closed_until:
                self._closed_until = now + _COOL_DOWN_SECONDS
            return True

    def failed(self) -> None:
        with self._lock:
            self._closed_until = time.monotonic() + _COOL_DOWN_SECONDS

    def succeeded(self) -> None:
        with self._lock:
            self._closed_until = 0.0


_breaker = _Breaker()


def wake_workers(count: int = 1) -> bool:
    """Send up to `count` hints, one worker child each; False where the broker did not take them."""
    if not _breaker.allows():
        return False
    try:
        for _ in range(count):
            current_app.send_task(WAKE_TASK, ignore_result=True, expires=60)
    except (OperationalError, OSError) as error:
        _breaker.failed()
        logger.warning("broker not reachable, workers will find the work themselves: %s", error)
        return False
    _breaker.succeeded()
    return True
