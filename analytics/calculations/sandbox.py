"""The two outcomes that no data can bring about: a run that takes long, and one that breaks.

Everything else a sandbox shows comes from its data by the ordinary way. This is the only place
where the service acts, and it does so for clients whose id says that they are sandboxes: a
portfolio of the same name of any other client, and anything a request can hold, change nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from analytics.models import Run
from portfolios.identifiers import is_sandbox
from portfolios.models import Portfolio

SLOW, BROKEN = "pf_test_slow30s", "pf_test_fail500"
DELAY = timedelta(seconds=30)


class BrokenOnPurpose(RuntimeError):
    """What a unit of the broken portfolio comes to, at each of its attempts."""


def begins_at(portfolio: Portfolio | None, now: datetime) -> datetime | None:
    """Before when no worker takes the units of a run; it occupies none meanwhile."""
    if portfolio is None or not is_sandbox(portfolio.client_id) or portfolio.external_id != SLOW:
        return None
    return now + DELAY


def break_on_purpose(run: Run) -> None:
    """Raise for the broken portfolio. Needs the client's scope."""
    if is_sandbox(run.client_id) and run.portfolio and run.portfolio.external_id == BROKEN:
        raise BrokenOnPurpose(f"the sandbox portfolio {BROKEN} breaks whatever is asked of it")
