"""Plans that connections keep: making one costs PostgreSQL as much as finding what is asked for.

A statement is prepared under a name the first time that a connection sends it, in the same trip.
What a connection has is noted beside it. After an error nobody knows what was carried out, and of
too many plans none is worth its memory: either way the connection begins anew.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection

Statement = tuple[str, Sequence[Any]]

MAX_PLANS = 50
_names: weakref.WeakKeyDictionary[Any, dict[str, str]] = weakref.WeakKeyDictionary()


@contextmanager
def planned(statements: Sequence[Statement]) -> Iterator[list[Statement]]:
    """What to send in place of the statements, on the connection of this thread."""
    connection.ensure_connection()
    kept = connection.connection
    try:
        yield [_by_name(kept, *statement) for statement in statements]
    except BaseException:
        _names.pop(kept, None)
        raise


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
