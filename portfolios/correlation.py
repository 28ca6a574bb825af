"""What a request is called, by us and by its caller: for the audit and for every line of the log.

Set once at the edge, so that neither services nor log lines have to be handed it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Correlation:
    request_id: str = ""
    client_request_id: str = ""
    traceparent: str = ""


_NONE = Correlation()
_current: ContextVar[Correlation] = ContextVar("correlation", default=_NONE)


def correlation() -> Correlation:
    """Of the request at hand; empty names outside of one."""
    return _current.get()


@contextmanager
def correlated(names: Correlation) -> Iterator[None]:
    token = _current.set(names)
    try:
        yield
    finally:
        _current.reset(token)
