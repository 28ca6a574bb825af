"""Whose rows a transaction may touch: the settings that row-level security reads.

Every table of a client carries `client_id` and a policy comparing it with `app.client_id`. The
setting is local to a transaction, so a kept connection carries nothing into the next request, and
a transaction that names nobody sees no client's rows at all.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from portfolios.plans import rows_planned


@dataclass(frozen=True, slots=True)
class Look:
    """One statement that reads, sent in the same message as the look-up of the credential.

    When it is sent nobody knows yet whose the credential is. So in place of the client's id it has
    `OWNER`: the client whose key PostgreSQL itself has just found and let in, or NULL.
    """

    statement: str
    parameters: Sequence[Any]


#: SQL for the client whose scope the transaction is in; NULL where it is in none.
OWNER = "nullif(current_setting('app.client_id', true), '')::uuid"


@contextmanager
def client_scope(
    client_id: uuid.UUID, *, statement_timeout: str | None = None, snapshot: bool = False
) -> Iterator[datetime]:
    """Open a transaction (or a savepoint) that sees one client's rows and the shared ones.

    Yields the time at which it began, by the database's clock: the one that the `recorded_at` of
    every fact is taken from. With `snapshot` all its statements see one and the same state of the
    database (REPEATABLE READ); use that for reading alone.
    """
    with _scope(
        client_id=str(client_id), statement_timeout=statement_timeout, snapshot=snapshot
    ) as now:
        yield now


@contextmanager
def operator_scope() -> Iterator[None]:
    """Open a transaction that sees all clients: the admin, the sweeper, the scheduler, imports."""
    with _scope(operator="on"):
        yield


def client_query(
    client_id: uuid.UUID, statement: str, parameters: Sequence[Any], *, before: str = ""
) -> list[tuple[Any, ...]]:
    """Run one statement in a transaction of its own that sees one client's rows, in one round trip.

    PostgreSQL takes all statements of one message for one transaction, so the setting that opens
    the scope and the statement are sent together. Inside of a transaction that is open already,
    this is a scope like any other, in several trips. The connection keeps the statement's plan;
    what goes `before` it returns nothing and has none.
    """
    return _query(str(client_id), "", statement, parameters, before)


def client_queries(
    client_id: uuid.UUID, statements: Sequence[tuple[str, Sequence[Any]]], *, statement_timeout: str
) -> tuple[datetime, list[list[tuple[Any, ...]]]]:
    """Like `client_query` for several statements: the time by the database's clock, and the rows of
    each.

    What is committed between two of them the later one sees, as in any transaction.
    """
    if connection.in_atomic_block:
        with client_scope(client_id, statement_timeout=statement_timeout) as now:
            return now, queries(statements)
    begin = (
        "SELECT set_config('app.client_id', %s, true), set_config('app.operator', '', true),"
        " set_config('statement_timeout', %s, true), statement_timestamp()"
    )
    [[begun], *found] = queries([(begin, [str(client_id), statement_timeout]), *statements])
    return begun[-1], found


def queries(statements: Sequence[tuple[str, Sequence[Any]]]) -> list[list[tuple[Any, ...]]]:
    """Send several statements in one round trip; the rows of each that answers with rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            ";".join(statement for statement, _ in statements),
            [parameter for _, parameters in statements for parameter in parameters],
        )
        # All of it is here by now; Django's cursor looks for errors of the database at each step.
        received = cursor.cursor
        found = []
        while True:
            if received.rowcount >= 0:  # of what answers with rows; `description` makes objects
                found.append(received.fetchall())
            if not received.nextset():
                return found


def operator_query(
    statement: str, parameters: Sequence[Any] = (), *, durable: bool = True
) -> list[tuple[Any, ...]]:
    """Run one statement in a transaction of its own that sees all clients.

    One that is not durable may be undone by a crash of the database shortly after.
    """
    before = "" if durable else "SET LOCAL synchronous_commit TO off"
    return _query("", "on", statement, parameters, before)


def _query(
    client_id: str, operator: str, statement: str, parameters: Sequence[Any], before: str = ""
) -> list[tuple[Any, ...]]:
    ahead = f"{before};" if before else ""
    if connection.in_atomic_block:
        with _scope(client_id=client_id, operator=operator):
            return rows_planned(statement, parameters, before=(ahead, ()))
    ahead += "SELECT set_config('app.client_id', %s, true), set_config('app.operator', %s, true);"
    return rows_planned(statement, parameters, before=(ahead, (client_id, operator)))


@contextmanager
def _scope(
    *,
    client_id: str = "",
    operator: str = "",
    statement_timeout: str | None = None,
    snapshot: bool = False,
) -> Iterator[datetime]:
    nested = connection.in_atomic_block
    with transaction.atomic():
        with connection.cursor() as cursor:
            begin = ""
            if snapshot and not nested:
                begin = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;"
            cursor.execute(
                f"{begin}SELECT coalesce(current_setting('app.client_id', true), ''),"
                " coalesce(current_setting('app.operator', true), ''),"
                " set_config('app.client_id', %s, true), set_config('app.operator', %s, true),"
                " set_config('statement_timeout',"
                "            coalesce(%s, current_setting('statement_timeout')), true),"
                " statement_timestamp()",
                [client_id, operator, statement_timeout],
            )
            if begin:
                cursor.nextset()
            found = cursor.fetchone()
            before, now = found[:2], found[-1]
        yield now
        # The end of a transaction, and the rollback of a savepoint, restore them by themselves.
        if nested and not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('app.client_id', %s, true),"
                    " set_config('app.operator', %s, true)",
                    before,
                )
