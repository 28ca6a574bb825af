"""Tables of derived numbers: runs, results, reports, the outbox."""

from analytics.models.outbox import OutboxMessage
from analytics.models.reports import Report, ReportItem
from analytics.models.runs import Result, Run, Unit

__all__ = ["OutboxMessage", "Report", "ReportItem", "Result", "Run", "Unit"]
