"""Trading sessions of an exchange."""

from __future__ import annotations

import bisect
import functools
from datetime import UTC, date, datetime

from portfolios.errors import InvalidRequest

FIRST_YEAR = "1990-01-01"
CALENDARS = ("XNYS",)
#: Where an instrument may be listed: its sessions are known, and its closing hour.
VENUES = (
    "XNYS", "XNAS", "ARCX", "BATS", "XASE", "XTSE", "XMEX", "BVMF", "XLON", "XDUB", "XLIS", "XPAR",
    "XAMS", "XBRU", "XETR", "XFRA", "XMIL", "XMAD", "XWBO", "XSWX", "XSTO", "XHEL", "XCSE", "XOSL",
    "XWAR", "XTAE", "XJSE", "XBOM", "XSES", "XKLS", "XBKK", "XIDX", "XHKG", "XSHG", "XTKS", "XKRX",
    "XTAI", "XASX", "XNZE",
)  # fmt: skip


@functools.lru_cache(maxsize=8)
def _sessions(calendar: str, until_year: int) -> list[date]:
    # Imported on first use: it brings pandas along, a second that no other request should pay.
    import exchange_calendars

    known = exchange_calendars.get_calendar(calendar, start=FIRST_YEAR, end=f"{until_year}-12-31")
    return [stamp.date() for stamp in known.sessions]


def sessions_between(calendar: str, first: date, last: date) -> list[date]:
    """All sessions from `first` to `last`, both included, oldest first."""
    known = _sessions(calendar, datetime.now(UTC).year + 1)
    return known[bisect.bisect_left(known, first) : bisect.bisect_right(known, last)]


def previous_session(calendar: str, day: date, *, pointer: str = "/as_of") -> date:
    """The day itself where it is a session, else the one before it.

    `pointer` says where in the request the day stands, for the refusal.
    """
    known = _sessions(calendar, datetime.now(UTC).year + 1)
    if not known[0] <= day <= known[-1]:
        raise InvalidRequest(
            f"The calendar {calendar} reaches from {known[0]} to {known[-1]}.",
            code="not-a-session",
            context={"calendar": calendar, "previous_session": None},
            errors=[{"pointer": pointer, "value": day.isoformat()}],
        )
    return known[bisect.bisect_right(known, day) - 1]


def require_session(
    calendar: str, day: date, *, roll: bool = False, pointer: str = "/as_of"
) -> date:
    """The session meant by `day`; with `roll` the one before it, else a refusal that names it."""
    previous = previous_session(calendar, day, pointer=pointer)
    if previous == day or roll:
        return previous
    raise InvalidRequest(
        f"{day} is not a session of {calendar}.",
        code="not-a-session",
        context={"calendar": calendar, "previous_session": previous.isoformat()},
        errors=[
            {
                "pointer": pointer,
                "code": "not-a-session",
                "message": "The exchange was closed.",
                "value": day.isoformat(),
                "suggestion": [previous.isoformat()],
            }
        ],
    )
