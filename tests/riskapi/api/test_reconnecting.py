"""Connections that died between two requests."""

from __future__ import annotations

import pytest
from django.db import connection

from tests.callers import caller_create


@pytest.mark.django_db(transaction=True)
def test_connection_kept_over_a_restart_costs_no_request() -> None:
    caller = caller_create("alpha")
    assert caller.get("/v1/me").status == 200
    connection.ensure_connection()
    kept = connection.connection
    kept.close()  # as the server does when it restarts
    assert caller.get("/v1/me").status == 200
    assert connection.connection is not kept
