"""The kinds of leased jobs that workers do, in order of urgency."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from celery import shared_task

from analytics.calculations.nightly import portfolios_risk
from analytics.calculations.replay import replay_perform
from analytics.calculations.runner import run_settle, unit_perform, units_rehearse
from analytics.models import Replay, Report, Run, Unit
from analytics.reporting.production import report_produce
from analytics.reporting.schedule import ensure_due
from portfolios.jobs import JobKind
from portfolios.tasks import IMPORT


def settle_quarantined_units(unit_ids: Sequence[uuid.UUID]) -> None:
    """Bring the runs of units that were given up to their end."""
    runs = Run.objects.filter(units__in=unit_ids).order_by("pk").select_for_update(of=("self",))
    # All locked before the first is settled: the events of a client wait for one another.
    for run_id in sorted(set(runs.values_list("pk", flat=True))):
        run_settle(run_id)


def make_report(report_id: uuid.UUID) -> bool:
    """Make a night report, if nobody else does."""
    return report_produce(report_id, portfolios_risk)


@shared_task
def ensure_due_reports() -> None:
    """Insert the reports that have fallen due; the scheduler calls it every minute."""
    ensure_due()


UNIT = JobKind(Unit, unit_perform, quarantined=settle_quarantined_units, warm_up=units_rehearse)
REPLAY = JobKind(Replay, replay_perform)
REPORT = JobKind(Report, make_report)
KINDS = (UNIT, IMPORT, REPLAY, REPORT)
