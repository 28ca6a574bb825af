"""Appending dated market facts: new rows, corrections, and nothing where nothing changed.

Rows go by COPY into a temporary table and from there, in three statements, into the table: what is
the same is left alone, what differs closes the current row and adds a new one. Loading the same
rows twice therefore changes nothing, and a reader of an earlier `known_at` still sees what was
known then.

So that a reader who looks twice sees the same: a fact is recorded at the moment of its writing
(`fact_moment` in SQL), and whoever has asked for a moment holds a shared advisory lock until it
commits. `facts_settled` waits for those who hold one; what is committed later was recorded later.
Nobody waits for a reader.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, models, transaction

from portfolios.plans import rows_planned

#: Relative difference below which two floating-point levels are the same fact.
_FLOAT_TOLERANCE = 1e-9
_LOOK_EVERY_SECONDS = 0.02
#: A transaction that is longer under way is taken for one that somebody forgot.
_PATIENCE_SECONDS = 300.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Appended:
    """Rows offered = new + corrected + unchanged."""

    new: int
    corrected: int
    unchanged: int

    @property
    def changed(self) -> int:
        return self.new + self.corrected


def facts_append(
    model: type[models.Model],
    *,
    client_id: uuid.UUID | None,
    keys: Sequence[str],
    values: Sequence[str],
    rows: Iterable[Sequence[Any]],
    source: str,
) -> Appended:
    """Offer rows of (*keys, *values) to a table of current and superseded facts.

    `keys` and `values` are column names. A value that is None says "not known" and never erases
    one that is on file. The caller opens the tenant scope; keys must be unique among the rows.
    """
    quote = connection.ops.quote_name
    table = quote(model._meta.db_table)
    columns = [*keys, *values]
    stage = quote(f"stage_{model._meta.model_name}")
    delta = quote(f"delta_{model._meta.model_name}")
    types = {field.column: field.db_type(connection) for field in model._meta.concrete_fields}
    definitions = ", ".join(f"{quote(name)} {types[name]}" for name in columns)
    same_key = " AND ".join(f"s.{quote(name)} = t.{quote(name)}" for name in keys)
    differs = " OR ".join(_differs(quote(name), types[name] or "") for name in values)
    merged = ", ".join(
        [f"s.{quote(name)}" for name in keys]
        + [f"coalesce(s.{quote(name)}, t.{quote(name)}) AS {quote(name)}" for name in values]
    )
    names = ", ".join(quote(name) for name in columns)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS pg_temp.{stage}")
        cursor.execute(f"CREATE TEMPORARY TABLE {stage} ({definitions}) ON COMMIT DROP")
        offered = 0
        with cursor.copy(f"COPY {stage} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
                offered += 1
        # The planner knows nothing of the new rows and little of a table that has just grown:
        # guessing it empty, it would read the whole of it once per row. Look keys up instead.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            f"CREATE TEMPORARY TABLE {delta} ON COMMIT DROP AS"
            f" SELECT t.id AS replaced_id, {merged} FROM {stage} s LEFT JOIN {table} t"
            f" ON {same_key} AND t.superseded_at IS NULL AND t.client_id IS NOT DISTINCT FROM %s"
            f" WHERE t.id IS NULL OR {differs}",
            [client_id],
        )
        moment = fact_moment()
        cursor.execute(
            f"UPDATE {table} t SET superseded_at = %s FROM {delta} d WHERE t.id = d.replaced_id",
            [moment],
        )
        corrected = cursor.rowcount
        cursor.execute("SET LOCAL enable_seqscan TO DEFAULT")
        cursor.execute(
            f"INSERT INTO {table} ({names}, client_id, source, recorded_at)"
            f" SELECT {names}, %s, %s, %s FROM {delta}",
            [client_id, source[:200], moment],
        )
        inserted = cursor.rowcount
        cursor.execute(f"DROP TABLE {delta}, {stage}")
    return Appended(new=inserted - corrected, corrected=corrected, unchanged=offered - inserted)


def fact_moment() -> datetime:
    """When facts written from now on are recorded, in the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT fact_moment()")
        moment: datetime = cursor.fetchone()[0]
    return moment


def facts_settled(client_id: uuid.UUID) -> None:
    """Wait until the facts recorded so far, the client's and the shared ones, are committed.

    Call it before the transaction that reads them as known at a moment that has been.
    """
    waiting = _writers(client_id)
    until = time.monotonic() + _PATIENCE_SECONDS
    while waiting:
        if time.monotonic() > until:
            logger.warning(
                "facts are being written for more than %s s: not waited for", _PATIENCE_SECONDS
            )
            return
        time.sleep(_LOOK_EVERY_SECONDS)
        waiting &= _writers(client_id)


def _writers(client_id: uuid.UUID) -> set[str]:
    """Other transactions that have asked for a moment and are under way."""
    return {row[0] for row in rows_planned("SELECT * FROM fact_writers(%s)", [client_id])}


def _differs(column: str, db_type: str) -> str:
    if db_type == "double precision":
        test = (
            f"t.{column} IS NULL OR abs(s.{column} - t.{column})"
            f" > {_FLOAT_TOLERANCE} * abs(t.{column})"
        )
    else:
        test = f"s.{column} IS DISTINCT FROM t.{column}"
    return f"(s.{column} IS NOT NULL AND ({test}))"
