"""Whose rows a transaction may touch: the settings that row-level security reads.

Every table of a client carries `client_id` and a policy comparing it with `app.client_id`. The
setting is local to a transaction, so a kept connection carries nothing into the next request, and
a transaction that names nobody sees no client's rows at all.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def client_scope(client_id: uuid.UUID) -> Iterator[None]:
    """Open a transaction (or a savepoint) that sees one client's rows and the shared ones."""
    with _scope(client_id=str(client_id), operator="", api_key=""):
        yield


@contextmanager
def operator_scope() -> Iterator[None]:
    """Open a transaction that sees all clients: the admin, the sweeper, the scheduler, imports."""
    with _scope(client_id="", operator="on", api_key=""):
        yield


@contextmanager
def api_key_scope(key_id: str) -> Iterator[None]:
    """Open a transaction that sees the one API key named, before its client is known."""
    with _scope(client_id="", operator="", api_key=key_id):
        yield


@contextmanager
def _scope(*, client_id: str, operator: str, api_key: str) -> Iterator[None]:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT coalesce(current_setting('app.client_id', true), ''),"
                " coalesce(current_setting('app.operator', true), ''),"
                " coalesce(current_setting('app.api_key', true), ''),"
                " set_config('app.client_id', %s, true),"
                " set_config('app.operator', %s, true),"
                " set_config('app.api_key', %s, true)",
                [client_id, operator, api_key],
            )
            before = cursor.fetchone()[:3]
        yield
        # On an exception the savepoint's rollback restores them; here a nested scope must.
        if connection.in_atomic_block and not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('app.client_id', %s, true),"
                    " set_config('app.operator', %s, true), set_config('app.api_key', %s, true)",
                    before,
                )
