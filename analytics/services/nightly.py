"""Reports by hand, in this process: of a date, and again after late data as a new revision."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.utils import timezone

from analytics.models import Report
from analytics.reporting.schedule import CALENDAR, latest_due_session, queue_reports
from analytics.selectors.reports import report_list_for_client
from analytics.services.reports import OVER, report_rerun
from analytics.tasks import make_report
from portfolios import leases
from portfolios.errors import Conflict, InvalidRequest, NotFound
from portfolios.models import Client
from portfolios.selectors.calendars import require_session
from portfolios.tenancy import operator_scope


@dataclass(frozen=True)
class Night:
    """One client's report after `nightly_run`; `made` is False where it was there already."""

    report: Report
    made: bool


def nightly_date(day: date | None, *, now: datetime | None = None) -> date:
    """The session to report: the latest due one, or the one named if it is over."""
    latest = latest_due_session(now or timezone.now())
    if day is None:
        return latest
    require_session(CALENDAR, day, pointer="/date")
    if day > latest:
        raise InvalidRequest(
            f"The session of {day} is not over yet; the latest that is due is {latest}.",
            code="session-not-over",
        )
    return day


def nightly_clients(slug: str | None = None) -> list[Client]:
    """The active clients, or the one named; no sandbox, whose night was its first."""
    with operator_scope():
        clients = Client.objects.filter(is_active=True, sandbox_of=None)
        chosen = list(clients if slug is None else clients.filter(slug=slug))
    if slug is not None and not chosen:
        raise NotFound(f"There is no active client {slug!r}.")
    return chosen


def nightly_run(
    business_date: date,
    clients: Sequence[Client],
    *,
    revise: bool = False,
    patience: float = 600.0,
) -> Iterator[Night]:
    """Make the reports of a date in this process, client by client.

    Works on the same rows as the workers: what one of them holds is waited for, what is done is
    left alone unless `revise` asks for a new revision.
    """
    inserted = set(queue_reports(business_date, [client.pk for client in clients]))
    for client in clients:
        with operator_scope():
            reports = report_list_for_client(client, business_date=business_date)
            report = reports.order_by("-revision")[0]
            if revise and report.pk not in inserted:
                report, _ = report_rerun(
                    client=client, business_date=business_date, actor="operator"
                )
        waiting = report.state not in OVER
        yield Night(_finished(report.pk, patience), made=waiting)


def _finished(report_id: uuid.UUID, patience: float) -> Report:
    """The report once it is over, made here or by whoever has it."""
    deadline = time.monotonic() + patience
    while True:
        make_report(report_id)
        with operator_scope():
            leases.quarantine_exhausted(Report)
            report = Report.objects.select_related("client").defer("html", "pdf").get(pk=report_id)
        if report.state in OVER:
            return report
        if time.monotonic() > deadline:
            raise Conflict(
                f"A worker holds the report of {report.client} since more than {patience:.0f} s.",
                code="report-busy",
            )
        time.sleep(0.2)
