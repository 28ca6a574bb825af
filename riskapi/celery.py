"""The Celery application: `celery -A riskapi.celery worker`.

The jobs are rows: every child runs a loop that takes them from the tables, told by the database
when there are new ones. What the broker brings is the scheduler's tick. The parent imports
everything heavy before it forks, so children share those pages, but opens no database connection
and does no linear algebra there: neither survives a fork.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from celery import Celery, signals

from riskapi import env

if TYPE_CHECKING:
    from portfolios.jobs import WorkLoop

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "riskapi.settings")

if "worker" in sys.argv:
    # One thread of arithmetic per child. Here and in no signal: Celery loads Django, and with it
    # numpy, before it sends the first one; the library's own threads then burn a core for nothing.
    env.pin_numeric_threads()

app = Celery("riskapi")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

_loop: WorkLoop | None = None


@signals.worker_process_init.connect
def start_loop(**_: Any) -> None:
    """Start the child's loop; the tasks module was imported by the parent."""
    global _loop  # noqa: PLW0603 - one loop per process, and Celery's signals carry no state
    # Models cannot be imported before Celery has set Django up.
    from analytics.tasks import KINDS
    from portfolios.jobs import WorkLoop

    _loop = WorkLoop(KINDS)
    _loop.start()


@signals.worker_process_shutdown.connect
def stop_loop(**_: Any) -> None:
    """Let the job at hand end before the child does."""
    if _loop is not None:
        _loop.stop(patience=5.0)
