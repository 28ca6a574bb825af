"""Counting changes of market facts."""

from __future__ import annotations

from django.db import connection

from portfolios.models import Client, DataVersion


def data_version_bump(client: Client | None) -> None:
    """Say that shared facts (no client) or a client's own have changed.

    Call it in the transaction of the change: whoever sees the new number sees the change.
    """
    table = connection.ops.quote_name(DataVersion._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} AS v (client_id, version, changed_at)"
            " VALUES (%s, 1, fact_moment()) ON CONFLICT (client_id)"
            # Anew: the first one is of before the wait for another's bump.
            " DO UPDATE SET version = v.version + 1, changed_at = fact_moment()",
            [client.id if client else None],
        )
