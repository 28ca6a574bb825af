"""Making one report: claim, compute all portfolios in one batch, lay out, store once."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Q

from analytics.models import Report, ReportItem
from analytics.reporting.page import page_of
from analytics.reporting.record import (
    PortfolioFigures,
    canonical_json,
    content_hash,
    report_record,
)
from analytics.reporting.render import html_of, pdf_of
from portfolios import leases
from portfolios.models import Client, Portfolio, Position
from portfolios.services.audit import audit_record
from portfolios.services.events import event_record
from portfolios.tenancy import client_scope, operator_scope
from portfolios.webhooks.catalogue import EventType

_BACK_OFF = timedelta(seconds=20)

Measured = Mapping[uuid.UUID, Mapping[str, Mapping[str, Any]]]


#: All portfolios of a client in one batch: portfolio id to measure to `{status, result}`.
Compute = Callable[[Client, Sequence[Portfolio], date, datetime], Measured]


def report_produce(report_id: uuid.UUID, compute: Compute) -> bool:
    """Make the report if it can be claimed; False says that someone else has it or it is done.

    Killed at any point it leaves a lease that expires; a producer that lost its lease stores
    nothing.
    """
    with operator_scope():
        token = leases.claim(Report, report_id)
        if token is None:
            return False
        report = Report.objects.select_related("client").get(pk=report_id)
    try:
        with leases.heartbeat(Report, report_id, token):
            record, items = _record(report, compute)
            page = page_of(record)
            html, pdf = html_of(page), pdf_of(page)
    except Exception:
        # Expected refusals are inside the items; what arrives here may pass, so it is tried again
        # later, as often as the lease rules allow.
        with operator_scope():
            leases.release(Report, report_id, token, delay=_BACK_OFF * report.attempt)
        raise
    with client_scope(report.client_id):
        if leases.finish(Report, report_id, token):
            _store(report, record, items, html, pdf)
    return True


def _record(report: Report, compute: Compute) -> tuple[dict[str, Any], Measured]:
    with client_scope(report.client_id):
        portfolios = list(
            Portfolio.objects.filter(client=report.client, is_active=True)
            .select_related("benchmark", "policy__benchmark")
            .order_by("name", "id")
        )
        previous = _previous(report)
        synthetic = report.client.is_synthetic or _holds_synthetic(report, portfolios)
    measured = compute(report.client, portfolios, report.business_date, report.known_at)
    record = report_record(
        client={
            "id": report.client.public_id,
            "name": report.client.name,
            "synthetic": synthetic,
        },
        business_date=report.business_date,
        revision=report.revision,
        known_at=report.known_at,
        portfolios=[
            PortfolioFigures(
                id=portfolio.public_id,
                name=portfolio.name,
                external_id=portfolio.external_id or "",
                base_currency=portfolio.base_currency,
                benchmark=portfolio.benchmark.symbol if portfolio.benchmark else "",
                measures=measured[portfolio.pk],
            )
            for portfolio in portfolios
        ],
        previous=previous,
    )
    return record, measured


def _previous(report: Report) -> dict[str, Any] | None:
    """The last report before this one: an earlier revision of the night, else an earlier night."""
    earlier = Q(business_date__lt=report.business_date) | Q(
        business_date=report.business_date, revision__lt=report.revision
    )
    found = (
        Report.objects.filter(earlier, client=report.client, state=Report.State.DONE)
        .order_by("-business_date", "-revision")
        .only("id", "record")
        .first()
    )
    return None if found is None else {"id": found.public_id, "record": found.record}


def _holds_synthetic(report: Report, portfolios: Sequence[Portfolio]) -> bool:
    return Position.objects.filter(
        client=report.client,
        position_set__portfolio__in=portfolios,
        position_set__as_of__lte=report.business_date,
        position_set__superseded_at=None,
        instrument__is_synthetic=True,
    ).exists()


def _store(
    report: Report, record: Mapping[str, Any], items: Measured, html: str, pdf: bytes
) -> None:
    """All of it in the caller's transaction, which also ended the lease."""
    digest = content_hash(record)
    Report.objects.filter(pk=report.pk).update(
        record=record, content_hash=digest, html=html, pdf=pdf
    )
    ReportItem.objects.bulk_create(
        ReportItem(
            client=report.client,
            report=report,
            portfolio_id=portfolio_id,
            measure=measure,
            status=item["status"],
            body=canonical_json(item),
        )
        for portfolio_id, measures in items.items()
        for measure, item in sorted(measures.items())
    )
    audit_record(
        client=report.client,
        actor="nightly",
        action="report.finish",
        object_id=report.public_id,
        detail={
            "business_date": report.business_date.isoformat(),
            "revision": report.revision,
            "content_hash": digest,
        },
    )
    event_record(report.client_id, EventType.REPORT_READY, report.public_id, "done")
