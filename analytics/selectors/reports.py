"""Reports of a client."""

from __future__ import annotations

from datetime import date

from django.db.models import QuerySet

from analytics.models import Report
from portfolios.errors import NotFound
from portfolios.identifiers import parse_public_id
from portfolios.models import Client

#: Columns that weigh: read only where they are shown.
_HEAVY = ("record", "html", "pdf")


def report_list_for_client(
    client: Client, *, business_date: date | None = None
) -> QuerySet[Report]:
    """Newest business date first, its latest revision first."""
    reports = Report.objects.filter(client=client).defer(*_HEAVY)
    return reports if business_date is None else reports.filter(business_date=business_date)


def report_get_for_client(client: Client, report_id: str, *heavy: str) -> Report:
    """By public id, with the heavy columns named; NotFound for somebody else's as for none."""
    uid = parse_public_id(Report.ID_PREFIX, report_id)
    kept = [name for name in _HEAVY if name not in heavy]
    report = Report.objects.filter(client=client, pk=uid).defer(*kept).first() if uid else None
    if report is None:
        raise NotFound("There is no such report.")
    return report
