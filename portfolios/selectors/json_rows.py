"""Rows of a list as PostgreSQL writes them, and the same of an object: one declaration for both.

    PORTFOLIO = JsonRow(id=public_id("id", "pf"), name=plain("name"))

`sql` makes the text of a row of `rows.values(*PORTFOLIO.columns)`, named `r` in the statement; it
is the answer's, so that Python need not make a value of each column and a text of each value. `of`
makes the same members of an object.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from django.db.models import Model

from portfolios import identifiers
from portfolios.models import Instrument


class Member(NamedTuple):
    """What a row says under one name: an expression on columns, and the same in Python."""

    #: Makes the text of the JSON; NULL for null.
    sql: str
    columns: tuple[str, ...]
    of: Callable[[Mapping[str, Any]], Any]
    #: PostgreSQL writes documents with spaces in them: the row is read and written again.
    is_document: bool = False


class JsonRow:
    """The members of a row in their order."""

    def __init__(self, **members: Member) -> None:
        self.members = members
        self.columns = tuple(
            dict.fromkeys(name for member in members.values() for name in member.columns)
        )
        # Joined by hand: PostgreSQL's own functions look up how to write each value of each row.
        starts = itertools.chain("{", itertools.repeat(","))
        parts = (
            f"""('{start}"{name}":' || coalesce({member.sql}, 'null'))"""
            for start, (name, member) in zip(starts, members.items(), strict=False)
        )
        self.sql = " || ".join((*parts, "'}'"))
        self.has_documents = any(member.is_document for member in members.values())

    def of(self, found: Model) -> dict[str, Any]:
        """The row of an object."""
        return self.of_values({name: _value(found, name) for name in self.columns})

    def of_values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The row of its columns."""
        return {name: member.of(values) for name, member in self.members.items()}


def plain(column: str) -> Member:
    """Text, a whole number, a truth value, a date or a list of texts."""
    return Member(_json(f'r."{column}"'), (column,), lambda row: row[column])


def document(column: str) -> Member:
    """A JSON document."""
    return plain(column)._replace(is_document=True)


def public_id(column: str, prefix: str, *, within: str = "{}") -> Member:
    """An id, or the address that it is in."""
    before, after = within.split("{}")

    def of(row: Mapping[str, Any]) -> str | None:
        uid = row[column]
        return None if uid is None else f"{before}{identifiers.public_id(prefix, uid)}{after}"

    return Member(f"""'"{before}{prefix}_' || {_hex(column)} || '{after}"'""", (column,), of)


def reference(name: str) -> Member:
    """The id and symbol of an instrument that the rows lead to under this name."""
    uid, symbol = f"{name}__uid", f"{name}__symbol"

    def of(row: Mapping[str, Any]) -> dict[str, str] | None:
        if row[uid] is None:
            return None
        return {"id": identifiers.public_id(Instrument.ID_PREFIX, row[uid]), "symbol": row[symbol]}

    start = f"""'{{"id":"{Instrument.ID_PREFIX}_' || {_hex(uid)} || '","symbol":'"""
    text = _json(f'r."{symbol}"')
    return Member(f"{start} || {text} || '}}'", (uid, symbol), of)


def nested(**members: Member) -> Member:
    """An object of these members."""
    row = JsonRow(**members)
    return Member(row.sql, row.columns, row.of_values, row.has_documents)


def moment(column: str) -> Member:
    """UTC to the microsecond, without a fraction where there is none."""
    pattern = r"""'\"YYYY-MM-DD"T"HH24:MI:SS.US"Z"\"'"""
    written = f"""to_char(r."{column}" AT TIME ZONE 'UTC', {pattern})"""
    return Member(f"replace({written}, '.000000', '')", (column,), lambda row: row[column])


def exact(column: str) -> Member:
    """A decimal as text, with the digits it came with. One that is not finite is an error."""
    value = f'r."{column}"'  # without a scale: NULL, or not finite
    error = f"('not finite: ' || {value})::numeric::text"
    sql = f"""CASE WHEN scale({value}) IS NULL THEN {error} ELSE '"' || {value}::text || '"' END"""
    return Member(sql, (column,), lambda row: row[column])


def real(column: str) -> Member:
    """A float in the shortest form that reads as the same. One that is not finite is an error.

    PostgreSQL takes to exponents sooner than the rest of the API does, pads them, and writes a
    whole number without a point. (Beyond 2**53 it may write a digit more than it takes.)
    """
    value, written = f'r."{column}"', f'r."{column}"::text'
    usual = f"abs({value}) >= 1e-4 AND abs({value}) < 1e15 AND {value} <> trunc({value})"
    sql = (
        f"CASE WHEN {usual} THEN {written} ELSE"
        f" (CASE WHEN strpos({written}, 'e') = 0 THEN {_pointed(written)}"
        f" WHEN abs({value}) >= 1e-5 AND abs({value}) < 1e16"
        f" THEN {_pointed(f'{written}::numeric::text')}"
        rf" ELSE regexp_replace({written}, 'e([-+])0', 'e\1') END)::json::text END"
    )
    return Member(sql, (column,), lambda row: row[column])


def is_given(column: str) -> Member:
    return Member(
        f'(r."{column}" IS NOT NULL)::text', (column,), lambda row: row[column] is not None
    )


def is_missing(column: str) -> Member:
    return Member(f'(r."{column}" IS NULL)::text', (column,), lambda row: row[column] is None)


def unless_empty(column: str) -> Member:
    """A text, null where it is empty."""
    sql = _json(f"""nullif(r."{column}", '')""")
    return Member(sql, (column,), lambda row: row[column] or None)


def named(column: str, names: Mapping[Any, str]) -> Member:
    """A text under another name."""
    cases = " ".join(f"""WHEN '{one}' THEN '"{other}"'""" for one, other in names.items())
    return Member(f'CASE r."{column}" {cases} END', (column,), lambda row: names[row[column]])


def only_where(column: str, value: str, member: Member) -> Member:
    """A member that is null but where a column has this value."""
    return Member(
        f"""CASE WHEN r."{column}" = '{value}' THEN {member.sql} END""",
        (column, *member.columns),
        lambda row: member.of(row) if row[column] == value else None,
        member.is_document,
    )


def beginning(text: str, column: str) -> Member:
    """A text with something before it; null where there is none."""

    def of(row: Mapping[str, Any]) -> str | None:
        return f"{text}{row[column]}" if row[column] else None

    return Member(_json(f"""'{text}' || nullif(r."{column}", '')"""), (column,), of)


def _json(value: str) -> str:
    return f"to_json({value})::text"


def _hex(column: str) -> str:
    return f"""encode(uuid_send(r."{column}"), 'hex')"""


def _pointed(written: str) -> str:
    return f"CASE WHEN strpos({written}, '.') > 0 THEN {written} ELSE {written} || '.0' END"


def _value(found: Any, name: str) -> Any:
    for step in name.split("__"):
        found = getattr(found, step, None)
    return found
