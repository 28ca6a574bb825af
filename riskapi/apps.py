"""Django application of the composition root."""

from __future__ import annotations

import datetime as dt

from django.apps import AppConfig
from django.conf import settings
from psycopg.abc import Buffer
from psycopg.adapt import Loader


class RiskApiConfig(AppConfig):
    """Makes our Celery application the one that every process of ours sends to, and has the
    system checks look at every part."""

    name = "riskapi"

    def ready(self) -> None:
        from django.db.backends.postgresql.psycopg_any import get_adapters_template

        from riskapi import checks  # noqa: F401  # registers them
        from riskapi.celery import app

        app.set_default()
        template = get_adapters_template(settings.USE_TZ, dt.UTC)
        template.register_loader("timestamptz", InstantLoader)


class InstantLoader(Loader):
    """Reads instants as PostgreSQL writes them in a session whose zone is UTC, as all of ours are.

    Django's own takes them apart by a regular expression, which costs more than the rest of a row.
    """

    #: Django asks a loader for its zone, and replaces one with another.
    timezone = dt.UTC

    def load(self, data: Buffer) -> dt.datetime:
        return dt.datetime.fromisoformat(bytes(data).decode())
