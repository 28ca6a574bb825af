"""Instants are read as they were written, whatever their fraction."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from riskapi.apps import InstantLoader


@pytest.mark.django_db
@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 11, 20, 21, 0, tzinfo=UTC),
        datetime(2026, 11, 20, 21, 0, 0, 120_000, tzinfo=UTC),
        datetime(2026, 11, 20, 21, 0, 0, 1, tzinfo=UTC),
        datetime(1, 1, 2, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ],
)
def test_instant_comes_back(moment: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::timestamptz", [moment])
        found = cursor.fetchone()[0]
    assert found == moment
    assert found.utcoffset() == timedelta(0)
    assert InstantLoader(0).load(str(moment).encode()) == moment


@pytest.mark.django_db
def test_connections_use_the_loader() -> None:
    connection.ensure_connection()
    loader = connection.connection.adapters.get_loader(
        connection.connection.adapters.types["timestamptz"].oid, 0
    )
    assert loader is InstantLoader
