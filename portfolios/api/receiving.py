"""Bodies on their way in: how many may arrive at the same time.

A body that trickles in holds a thread of the server, and those are few. So there are places for
bodies, fewer than threads; and strangers, who have not shown a credential yet, have places of their
own, so that they keep no client from being heard. How long a body may take is for the proxy in
front to say: the server's own read cannot be ended, and given to a thread it holds up all others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, TypeVar

from rest_framework.exceptions import APIException

PATIENCE: Final = 1.0
#: Of a log-in or a request for a token.
MAX_FORM_BYTES: Final = 100_000

T = TypeVar("T")


class Overloaded(APIException):
    """Nothing was done; the same request may succeed in a moment."""

    status_code = 503
    default_code = "service-degraded"


class Places:
    """So many bodies at the same time."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.patience = PATIENCE
        self.free = threading.BoundedSemaphore(count)

    def receive(self, read: Callable[[], T]) -> T:
        """What `read` makes of a body, once there is a place for it."""
        if not self.free.acquire(timeout=self.patience):
            raise Overloaded("Too many requests are being received; repeat in a moment.")
        try:
            return read()
        finally:
            self.free.release()


#: Sixteen threads for bodies and sixteen for those who wait leave some to answer with.
CLIENTS = Places(16)
STRANGERS = Places(4)
