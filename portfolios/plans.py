"""Prepared statements, for what is asked over and over.

To plan a statement often costs PostgreSQL as much as to answer it, and a plan lives as long as its
connection. So the first time that a statement goes over a connection it is sent as `PREPARE` and
`EXECUTE` together, in one message; after that `EXECUTE` alone is sent.

`_names` remembers which statements a connection has prepared, and under which names. It is
forgotten after an error, since nobody knows then which parts of the message were carried out, and
when a connection has `MAX_PLANS`, since too many plans take its memory. Either way the next message
begins with `DEALLOCATE ALL`, and the connection starts over.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection

Statement = tuple[str, Sequence[Any]]
"""SQL with a `%s` for each of the parameters beside it."""

MAX_PLANS = 50
#: By connection of psycopg: the name of each statement that it has prepared, by its text.
_names: weakref.WeakKeyDictionary[Any, dict[str, str]] = weakref.WeakKeyDictionary()


@contextmanager
def planned(statements: Sequence[Statement]) -> Iterator[list[Statement]]:
    """What to send in place of these statements, on the connection of this thread.

    Send it inside of the block, so that an error there makes the connection start over.
    """
    connection.ensure_connection()
    kept = connection.connection
    try:
        yield [_by_name(kept, *statement) for statement in statements]
    except BaseException:
        _names.pop(kept, None)
        raise


def rows_planned(
    sql: str, parameters: Sequence[Any] = (), *, before: Statement = ("", ())
) -> list[tuple[Any, ...]]:
    """The rows of a statement, none where it has none; `before` is sent ahead of it, as it is."""
    with planned([(sql, parameters)]) as [(statement, given)], connection.cursor() as cursor:
        cursor.execute(before[0] + statement, [*before[1], *given])
        # All of it is here by now; Django's cursor looks for errors of the database at each step.
        received = cursor.cursor
        while received.nextset():
            pass
        # Of what answers with columns; `description` makes an object of each.
        return received.fetchall() if received.pgresult.nfields else []


def _by_name(kept: Any, sql: str, parameters: Sequence[Any]) -> Statement:
    names = _names.get(kept)
    before = ""
    if names is None or (sql not in names and len(names) >= MAX_PLANS):
        names = _names[kept] = {}
        before = "DEALLOCATE ALL;"
    if sql not in names:
        names[sql] = f"plan_{len(names)}"
        numbered = sql % tuple(f"${at}" for at in range(1, len(parameters) + 1))
        before += f"PREPARE {names[sql]} AS {numbered.replace('%', '%%')};"
    places = f"({', '.join(['%s'] * len(parameters))})" if parameters else ""
    return f"{before}EXECUTE {names[sql]}{places}", parameters
