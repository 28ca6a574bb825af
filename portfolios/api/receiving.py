"""Bodies on their way in: how many may arrive at the same time.

While a body arrives it holds a thread of the web server, however slowly it comes, and threads are
few. So only so many bodies may arrive at a time, fewer than there are threads; the rest wait for a
place, and are refused with 503 if none gets free in time. Callers who have not shown a credential
yet (log-ins, requests for tokens) have places of their own, so that strangers can never take those
of clients.

Nothing here bounds how long one body may take. Reading from the web server cannot be interrupted,
and a thread that is given the reading holds up all others; so the proxy in front has to do it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, TypeVar

from rest_framework.exceptions import APIException

#: How long a body waits for a place.
PATIENCE_SECONDS: Final = 1.0
#: Of a log-in or a request for a token.
MAX_FORM_BYTES: Final = 100_000

T = TypeVar("T")


class Overloaded(APIException):
    """Nothing was done; the same request may succeed in a moment."""

    status_code = 503
    default_code = "service-degraded"


class Places:
    """Lets so many bodies arrive at the same time."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.patience_seconds = PATIENCE_SECONDS
        self.free = threading.BoundedSemaphore(count)

    def receive(self, read: Callable[[], T]) -> T:
        """What `read` makes of a body, once there is a place for it."""
        if not self.free.acquire(timeout=self.patience_seconds):
            raise Overloaded("Too many requests are being received; repeat in a moment.")
        try:
            return read()
        finally:
            self.free.release()


#: The web server has 40 threads. Sixteen may receive bodies of clients, sixteen may wait for runs
#: (`MAX_WAITING` in `analytics.services.runs`); the others are left to answer everybody else.
CLIENTS = Places(16)
STRANGERS = Places(4)
