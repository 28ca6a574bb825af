"""Waking the workers: a notification that says there is work, and nothing else.

The rows in the database are the jobs, and PostgreSQL tells every worker that listens when the
transaction that left them has committed: at once, and never of work that was rolled back. Whoever
did not hear it looks at the tables by itself a moment later.
"""

from __future__ import annotations

from django.db import connection

#: What every worker's loop listens to.
CHANNEL = "jobs"
#: What the loops listen to that send events to webhooks.
DELIVERIES = "deliveries"


def wake_workers(channel: str = CHANNEL) -> None:
    """Have the workers look at the tables when the caller's transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute(wake_sql(channel))


def wake_sql(channel: str = CHANNEL) -> str:
    """The statement that does, for others to be sent along with."""
    return f"NOTIFY {channel}"
