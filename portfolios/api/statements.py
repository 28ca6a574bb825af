"""The statements of a list, composed once for each way to ask.

Composing a query with the ORM takes longer than all else that a page needs in Python, and the same
questions are asked over and over. So the ORM composes them with stand-ins for all that differs
from request to request, and what is kept says where each value goes. Which conditions there are
belongs to the question, and so does every value of a type that cannot be left open.
"""

from __future__ import annotations

import functools
import itertools
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import QuerySet

from portfolios.identifiers import is_sandbox, sandbox_id, uuid7
from portfolios.models import Client
from portfolios.plans import Statement
from portfolios.selectors.json_rows import JsonRow

Rows = Callable[..., QuerySet[Any, Any]]

#: By type of what is left open: values that are like no other, told apart by their identity.
_STAND_INS: Mapping[type, Callable[[int], Any]] = {
    uuid.UUID: lambda _: uuid7(),
    str: lambda _: str(uuid7()),
    datetime: lambda at: datetime(1990, 1, 1, tzinfo=UTC) + timedelta(seconds=at),
    date: lambda at: date(1990, 1, 1) + timedelta(days=at),
    int: lambda at: 2**62 + at,
}


@dataclass(frozen=True, slots=True)
class _Open:
    """A place for a value of this type."""

    kind: type


@dataclass(frozen=True, slots=True)
class _Value:
    """Where among the values of a request a parameter comes from."""

    place: int


@dataclass(frozen=True, slots=True)
class Order:
    column: str
    key: str
    descending: bool

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,) if self.column == self.key else (self.column, self.key)


class _Question(NamedTuple):
    """All that a statement depends on."""

    rows: Rows
    row: JsonRow
    order: Order
    in_sandbox: bool
    given: tuple[tuple[str, Any], ...]
    conditions: tuple[tuple[str, Any], ...]


class Statements:
    """What may be asked of the rows that one request means."""

    def __init__(
        self,
        rows: Rows,
        row: JsonRow,
        order: Order,
        *,
        client: Client,
        given: Mapping[str, Any],
        conditions: Sequence[tuple[str, Any]],
    ) -> None:
        self._values: list[Any] = [client.pk]
        self._question = _Question(
            rows,
            row,
            order,
            is_sandbox(client.pk),
            tuple((name, self._left_open(value)) for name, value in given.items()),
            tuple((lookup, self._left_open(value)) for lookup, value in conditions),
        )

    def _left_open(self, value: Any) -> Any:
        if isinstance(value, list):
            return tuple(self._left_open(one) for one in value)
        if type(value) not in _STAND_INS:
            return value
        self._values.append(value)
        return _Open(type(value))

    def _filled(self, part: str) -> Statement:
        sql, parameters = _composed(part, self._question)
        values = self._values
        return sql, [values[p.place] if type(p) is _Value else p for p in parameters]

    def page(self, limit: int, after: tuple[str, str] | None) -> Statement:
        """Rows from the first, or after one by its order, as one row: their text, how many there
        are with the one beyond the limit, and what orders the last of the page."""
        sql, parameters = self._filled("first page" if after is None else "next page")
        seen = () if after is None else after[: len(self._question.order.columns)]
        return sql, [limit, limit, limit, *parameters, *seen, limit + 1]

    def all(self) -> Statement:
        """The texts of all rows."""
        return self._filled("all")

    def count(self, most: int | None = None) -> Statement:
        """How many there are; counted no further than `most`."""
        sql, parameters = self._filled("count")
        return sql, [*parameters, most]


@functools.lru_cache(maxsize=1_000)
def _composed(part: str, asked: _Question) -> tuple[str, tuple[Any, ...]]:
    """A statement, and its parameters: values, and places of values."""
    stand_ins: list[Any] = [sandbox_id() if asked.in_sandbox else uuid7()]
    numbers = itertools.count()

    def filled(value: Any) -> Any:
        if isinstance(value, tuple):
            return [filled(one) for one in value]
        if not isinstance(value, _Open):
            return value
        stand_ins.append(_STAND_INS[value.kind](next(numbers)))
        return stand_ins[-1]

    given = {name: filled(value) for name, value in asked.given}
    queryset = asked.rows(Client(pk=stand_ins[0]), **given)
    for lookup, value in asked.conditions:
        queryset = queryset.filter(**{lookup: filled(value)})
    columns = dict.fromkeys((*asked.row.columns, *asked.order.columns))
    chosen = _in_order(queryset, asked.order).values(*columns)
    sql, parameters = chosen.query.sql_with_params()
    places = {id(value): _Value(place) for place, value in enumerate(stand_ins)}
    kept = tuple(places.get(id(parameter), parameter) for parameter in parameters)
    _require_all(kept, len(stand_ins))
    return _PARTS[part](sql, asked.row, asked.order), kept


def _in_order(rows: QuerySet[Any, Any], order: Order) -> QuerySet[Any, Any]:
    """Unordered, as pages are ordered; but where one row stands in for others it is the order that
    chooses it. That begins with what tells the rows apart, and goes the way of the page, so that
    one index serves both."""
    apart = rows.query.distinct_fields
    if not apart:
        return rows.order_by()
    if not order.descending:
        return rows
    return rows.order_by(*(f"-{name}" for name in apart), *rows.query.order_by[len(apart) :])


def _require_all(parameters: Sequence[Any], values: int) -> None:
    """Refuse to keep what one request's values were written into, or left out of."""
    used = {p.place for p in parameters if isinstance(p, _Value)}
    missing = set(range(1, values)) - used
    foreign = [p for p in parameters if isinstance(p, (uuid.UUID, date))]
    if missing or foreign:
        raise AssertionError(f"not to be kept: values {missing} are not found, {foreign} are set")


def _page(sql: str, row: JsonRow, order: Order, *, after: bool) -> str:
    columns = [f'r."{name}"' for name in order.columns]
    beyond = ""
    if after:
        sign = "<" if order.descending else ">"
        beyond = f" WHERE ({', '.join(columns)}) {sign} ({', '.join(['%s'] * len(columns))})"
    page = f"SELECT * FROM ({sql}) r{beyond} ORDER BY {_by(order)} LIMIT %s"
    numbered = f"SELECT *, row_number() OVER (ORDER BY {_by(order)}) AS nth FROM ({page}) r"
    # One row: what comes in many has the client wake for each part of it. The rows are joined in
    # the order that they are numbered in.
    first, last = columns[0], columns[-1]
    return (
        f"SELECT string_agg({row.sql}, ',') FILTER (WHERE nth <= %s), count(*),"
        f" max({first}::text) FILTER (WHERE nth = %s), max({last}::text) FILTER (WHERE nth = %s)"
        f" FROM ({numbered}) r"
    )


def _all(sql: str, row: JsonRow, order: Order) -> str:
    return f"SELECT {row.sql} FROM ({sql}) r ORDER BY {_by(order)}"


def _by(order: Order) -> str:
    way = "DESC" if order.descending else "ASC"
    return ", ".join(f'r."{name}" {way}' for name in order.columns)


def _count(sql: str, row: JsonRow, order: Order) -> str:  # noqa: ARG001  # as the others
    return f"SELECT count(*) FROM (SELECT FROM ({sql}) r LIMIT %s) r"


_PARTS: Mapping[str, Callable[[str, JsonRow, Order], str]] = {
    "first page": functools.partial(_page, after=False),
    "next page": functools.partial(_page, after=True),
    "all": _all,
    "count": _count,
}


def forget() -> None:
    """Compose everything anew: for tests that change how."""
    _composed.cache_clear()
