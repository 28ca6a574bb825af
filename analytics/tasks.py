"""The kinds of leased jobs that workers do, in order of urgency."""

from __future__ import annotations

from analytics.calculations.runner import unit_perform
from analytics.models import Unit
from portfolios.jobs import JobKind

KINDS = (JobKind(Unit, unit_perform),)
