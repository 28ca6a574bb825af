"""Reports by hand: of a date, and again after late data as a new revision."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.utils import timezone

from analytics.models import Report
from analytics.reporting.schedule import CALENDAR, latest_due_session, queue_reports
from analytics.tasks import make_report
from portfolios import leases
from portfolios.errors import Conflict, InvalidRequest, NotFound
from portfolios.hints import wake_workers
from portfolios.models import Client
from portfolios.selectors.calendars import require_session
from portfolios.services.audit import audit_record
from portfolios.tenancy import operator_scope

_OVER = (Report.State.DONE, Report.State.QUARANTINED, Report.State.CANCELED)


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


def nightly_run(
    business_date: date, *, slug: str | None = None, revise: bool = False, patience: float = 600.0
) -> Iterator[Night]:
    """Make the reports of a date in this process, client by client.

    Works on the same rows as the workers: what one of them holds is waited for, what is done is
    left alone unless `revise` asks for a new revision.
    """
    with operator_scope():
        clients = Client.objects.filter(is_active=True)
        chosen = list(clients if slug is None else clients.filter(slug=slug))
    if slug is not None and not chosen:
        raise NotFound(f"There is no active client {slug!r}.")
    inserted = set(queue_reports(business_date, slug=slug))
    for client in chosen:
        with operator_scope():
            report = _latest(client, business_date)
            if revise and report.pk not in inserted:
                report = report_rerun(client=client, report=report, actor="operator")
        waiting = report.state not in _OVER
        yield Night(_finished(report.pk, patience), made=waiting)


def report_rerun(*, client: Client, report: Report, actor: str, request_id: str = "") -> Report:
    """Queue the next revision of a report's date, in the caller's transaction.

    A revision that waits or runs already is that next one: it is returned as it is.
    """
    # One asks after another for the same client, so that both do not take the same number.
    Client.objects.select_for_update(of=("self",)).get(pk=client.pk)
    latest = _latest(client, report.business_date)
    if latest.state not in _OVER:
        return latest
    revised = Report.objects.create(
        client=client, business_date=report.business_date, revision=latest.revision + 1
    )
    revised.refresh_from_db()
    audit_record(
        client=client,
        actor=actor,
        action="report.rerun",
        object_id=revised.public_id,
        request_id=request_id,
        detail={"business_date": str(report.business_date), "revision": revised.revision},
    )
    transaction.on_commit(wake_workers)
    return revised


def _latest(client: Client, business_date: date) -> Report:
    return (
        Report.objects.filter(client=client, business_date=business_date)
        .order_by("-revision")
        .defer("record", "html", "pdf")[0]
    )


def _finished(report_id: uuid.UUID, patience: float) -> Report:
    """The report once it is over, made here or by whoever has it."""
    deadline = time.monotonic() + patience
    while True:
        make_report(report_id)
        with operator_scope():
            leases.quarantine_exhausted(Report)
            report = Report.objects.select_related("client").defer("html", "pdf").get(pk=report_id)
        if report.state in _OVER:
            return report
        if time.monotonic() > deadline:
            raise Conflict(
                f"A worker holds the report of {report.client} since more than {patience:.0f} s.",
                code="report-busy",
            )
        time.sleep(0.2)
