"""Bodies on their way in: how many arrive at the same time, and how long they may take.

A body that trickles in holds a thread of the server, and those are few. So there are places for
bodies, fewer than threads. Strangers, who have not shown a credential yet, have places of their
own and keep no client from being heard; nobody keeps one for longer than an honest sender needs.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from typing import Final, TypeVar

from rest_framework.exceptions import APIException

from portfolios.api.limits import MAX_UPLOAD_BYTES

PATIENCE: Final = 1.0
#: What a body gets besides the time for its length.
SECONDS: Final = 15.0
SLOWEST_BYTES_PER_SECOND: Final = 50_000
#: Of a log-in or a request for a token.
MAX_FORM_BYTES: Final = 100_000

T = TypeVar("T")


class Overloaded(APIException):
    """Nothing was done; the same request may succeed in a moment."""

    status_code = 503
    default_code = "service-degraded"


class TooSlow(APIException):
    """The body did not arrive in time; the server hangs up on the rest."""

    status_code = 408
    default_code = "request-timeout"
    default_detail = "The body did not arrive in time; send it again, faster."


class Places:
    """So many bodies at the same time, for so long."""

    def __init__(self, count: int, seconds: float = SECONDS) -> None:
        self.count = count
        self.seconds = seconds
        self.patience = PATIENCE
        self.free = threading.BoundedSemaphore(count)

    def receive(self, read: Callable[[], T], length: str) -> T:
        """What `read` makes of a body whose Content-Length is `length`.

        The server's own read cannot be ended, so a thread does it. One that is given up ends with
        its connection, which the server closes once the refusal is sent; its place is kept till
        then.
        """
        if not length.isdigit() or not int(length):
            return read()
        if not self.free.acquire(timeout=self.patience):
            raise Overloaded("Too many requests are being received; repeat in a moment.")
        arrived: Future[T] = Future()
        context = contextvars.copy_context()

        def wait() -> None:
            try:
                arrived.set_result(context.run(read))
            except BaseException as error:  # noqa: BLE001  # raised where it is waited for
                arrived.set_exception(error)
            finally:
                self.free.release()

        threading.Thread(target=wait, name="body", daemon=True).start()
        try:
            expected = min(int(length), MAX_UPLOAD_BYTES) / SLOWEST_BYTES_PER_SECOND
            return arrived.result(self.seconds + expected)
        except NotInTime:
            if arrived.done():
                raise
            raise TooSlow from None


#: Sixteen threads for bodies and sixteen for those who wait leave some to answer with.
CLIENTS = Places(16)
STRANGERS = Places(4)
