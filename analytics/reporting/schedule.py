"""When a report is due: after the close of an exchange session, by the exchange's own calendar.

The scheduler only ticks; it may tick twice, late, or in two processes at once. What a tick inserts
is unique by client, business date and revision.
"""

from __future__ import annotations

import bisect
import uuid
from collections.abc import Collection
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils import timezone

from analytics.models import Report
from portfolios.models import Client
from portfolios.selectors.clock import SANDBOX_NOW
from portfolios.tenancy import operator_scope
from portfolios.waking import wake_workers

CALENDAR = "XNYS"
_FIRST_DAY = "1990-01-01"


class _Closes(NamedTuple):
    sessions: list[date]
    closes: list[datetime]


def latest_due_session(now: datetime, *, calendar: str = CALENDAR) -> date:
    """The last session that closed at least the grace period before `now`.

    Half days and daylight saving are the calendar's: each session has its own closing instant.
    """
    known = _closes(calendar, now.year + 1)
    grace = timedelta(minutes=settings.NIGHTLY_GRACE_MINUTES)
    place = bisect.bisect_right(known.closes, now - grace)
    return known.sessions[place - 1]


def ensure_due(now: datetime | None = None) -> list[uuid.UUID]:
    """Queue the latest due session's report of every active client that has none; the new ones.

    Sessions missed while nobody ticked are not made up for: a report of last week is made by hand,
    the one of last night by itself.
    """
    live = queue_reports(latest_due_session(now or timezone.now()))
    return live + queue_reports(latest_due_session(SANDBOX_NOW), sandboxes=True)


def queue_reports(
    business_date: date,
    clients: Collection[uuid.UUID] | None = None,
    *,
    sandboxes: bool = False,
) -> list[uuid.UUID]:
    """Insert the first revision where an active client (of those named) has no report.

    Sandboxes have dates of their own, by a clock that stands still.
    """
    with operator_scope():
        has_one = Report.objects.filter(client=OuterRef("pk"), business_date=business_date)
        missing = Client.objects.filter(
            ~Exists(has_one), is_active=True, sandbox_of__isnull=not sandboxes
        )
        if clients is not None:
            missing = missing.filter(pk__in=clients)
        wanted = [Report(client=client, business_date=business_date) for client in missing]
        if not wanted:
            return []
        Report.objects.bulk_create(wanted, ignore_conflicts=True)
        # Of two schedulers inserting at once, each gets back only the rows that were its own.
        ids = [report.pk for report in wanted]
        inserted = list(Report.objects.filter(pk__in=ids).values_list("pk", flat=True))
        wake_workers()
    return inserted


@lru_cache(maxsize=4)
def _closes(calendar: str, until_year: int) -> _Closes:
    # Imported on first use: it brings pandas along, which the web process never needs.
    import exchange_calendars

    exchange = exchange_calendars.get_calendar(
        calendar, start=_FIRST_DAY, end=f"{until_year}-12-31"
    )
    closes = exchange.closes
    return _Closes(
        [stamp.date() for stamp in closes.index], [stamp.to_pydatetime() for stamp in closes]
    )
