"""WSGI entry point."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime

import django

from riskapi.api.handler import Handler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "riskapi.settings")

django.setup(set_prefix=False)
application = Handler()


def warm_up() -> None:
    """Load what the first request would otherwise wait for."""
    from django.db import DatabaseError, connection
    from django.urls import get_resolver

    from portfolios.selectors.calendars import CALENDARS, sessions_between

    get_resolver().url_patterns  # noqa: B018  # the views with all that they import
    today = datetime.now(UTC).date()
    for calendar in CALENDARS:
        sessions_between(calendar, today, today)
    with contextlib.suppress(DatabaseError):  # a server starts without its database, and says so
        connection.ensure_connection()
    connection.close()


warm_up()
