"""Django application of the derived numbers."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate


class AnalyticsConfig(AppConfig):
    """Runs, results and reports."""

    name = "analytics"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        post_migrate.connect(create_nightly_tick, sender=self)


def create_nightly_tick(*, using: str, **_: Any) -> None:
    """The scheduler's only entry: a tick every minute, in UTC, that asks what is due."""
    from django_celery_beat.models import IntervalSchedule, PeriodicTask

    if PeriodicTask._meta.db_table not in connections[using].introspection.table_names():
        return  # only some apps were migrated; the scheduler's comes later
    minutely, _ = IntervalSchedule.objects.using(using).get_or_create(
        every=1, period=IntervalSchedule.MINUTES
    )
    PeriodicTask.objects.using(using).get_or_create(
        name="ensure due reports",
        defaults={
            "task": "analytics.tasks.ensure_due_reports",
            "interval": minutely,
            # A tick that nobody took for a minute is worth nothing: the next one is there.
            "expire_seconds": 60,
            "description": "Queues the night's reports once the exchange has closed.",
        },
    )
