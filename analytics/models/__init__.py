"""Tables of derived numbers: runs, results, reports."""

from analytics.models.inputs import RunInput
from analytics.models.replays import Replay
from analytics.models.reports import Report, ReportItem
from analytics.models.runs import Result, Run, Unit

__all__ = ["Replay", "Report", "ReportItem", "Result", "Run", "RunInput", "Unit"]
