"""Exchange sessions as arrays of days."""

from functools import cache
from zoneinfo import ZoneInfo

import exchange_calendars
import numpy as np
from numpy.typing import NDArray

FIRST, LAST = "1990-01-01", "2040-12-31"

Days = NDArray[np.datetime64]


@cache
def _sessions(calendar: str) -> tuple[Days, ZoneInfo]:
    exchange = exchange_calendars.get_calendar(calendar, start=FIRST, end=LAST)
    return exchange.sessions.values.astype("datetime64[D]"), ZoneInfo(str(exchange.tz))


def zone_of(calendar: str) -> ZoneInfo:
    return _sessions(calendar)[1]


def is_session(days: Days, calendar: str) -> NDArray[np.bool_]:
    """Outside the calendar's reach every weekday counts as a session."""
    sessions, _ = _sessions(calendar)
    known = (days >= sessions[0]) & (days <= sessions[-1])
    place = np.minimum(np.searchsorted(sessions, days), len(sessions) - 1)
    return np.where(
        known, sessions[place] == days, np.is_busday(np.where(np.isnat(days), sessions[0], days))
    )


def session_number(days: Days, calendar: str) -> NDArray[np.int64]:
    """Position among the sessions; neighbors differ by 1."""
    sessions, _ = _sessions(calendar)
    early = days < sessions[0]
    before = np.busday_count(sessions[0], np.where(early, days, sessions[0]))
    return np.where(early, before, np.searchsorted(sessions, days)).astype(np.int64)


def sessions_between(first: np.datetime64, last: np.datetime64, calendar: str) -> Days:
    sessions, _ = _sessions(calendar)
    return sessions[(sessions >= first) & (sessions <= last)]
