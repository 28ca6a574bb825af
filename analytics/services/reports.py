"""Reports asked for again. Light: the web process imports this."""

from __future__ import annotations

from datetime import date

from analytics.models import Report
from analytics.selectors.reports import report_list_for_client
from portfolios.models import Client
from portfolios.services.audit import audit_record
from portfolios.waking import wake_workers

OVER = (Report.State.DONE, Report.State.QUARANTINED, Report.State.CANCELED)


def report_rerun(
    *, client: Client, business_date: date, actor: str, request_id: str = ""
) -> tuple[Report, bool]:
    """Queue the next revision of a date's report, in the caller's transaction; is it a new one?

    A revision that waits or runs already is that next one: it is returned as it is.
    """
    # One caller after another for the same client, so that no two take the same number.
    Client.objects.select_for_update(of=("self",)).get(pk=client.pk)
    latest = report_list_for_client(client, business_date=business_date).order_by("-revision")[0]
    if latest.state not in OVER:
        return latest, False
    revised = Report.objects.create(
        client=client, business_date=business_date, revision=latest.revision + 1
    )
    revised.refresh_from_db()
    audit_record(
        client=client,
        actor=actor,
        action="report.rerun",
        object_id=revised.public_id,
        request_id=request_id,
        detail={"business_date": business_date.isoformat(), "revision": revised.revision},
    )
    wake_workers()
    return revised, True
