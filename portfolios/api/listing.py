"""Lists: declared filters and orders, and pages by signed cursor.

A view declares `listing = Listing(rows, body, ...)` and answers `list_response(request, listing)`;
with `row=` the list can be had as a file too (`portfolios.api.exports`).
Parameters that no filter names are refused with the nearest names; nothing is ignored. A cursor
carries the key of the last row, so rows that come and go meanwhile are neither skipped nor
repeated; it is signed, and holds for the same list, filters and order.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import orjson
from django.db import connection
from django.http.response import HttpResponseBase
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portfolios.api.cursors import fingerprint_of, opened, sealed
from portfolios.api.exports import (
    RowSerializer,
    chosen_format,
    file_response,
    too_many_rows,
)
from portfolios.api.fields import plain_date, rfc3339
from portfolios.api.limits import STATEMENT_TIMEOUT
from portfolios.api.statements import Order, Rows, Statements
from portfolios.errors import InvalidRequest
from portfolios.models import Client
from portfolios.plans import Statement, planned
from portfolios.selectors.json_rows import JsonRow
from portfolios.tenancy import client_queries, queries

MAX_LIMIT = 1_000
DEFAULT_LIMIT = 100
MAX_VALUES = 100
_FETCHED = 2_000
_PAGING = ("limit", "cursor", "count", "sort")
#: How far the clocks of two servers may differ.
_CLOCKS_APART = timedelta(minutes=1)
_SUFFIXES = ("gte", "lte", "gt", "lt")


def text(value: str) -> str:
    if len(value) > 200:
        raise ValueError("at most 200 characters")
    return value


def boolean(value: str) -> bool:
    if value not in ("true", "false"):
        raise ValueError("true or false")
    return value == "true"


def calendar_date(value: str) -> date:
    parsed = plain_date(value)
    if parsed is None:
        raise ValueError("a date, YYYY-MM-DD")
    return parsed


def instant(value: str) -> datetime:
    """An RFC 3339 instant with its offset; a plus sign left unescaped arrives as a space."""
    parsed = rfc3339(value.replace(" ", "+"))
    if parsed is None:
        raise ValueError("an RFC 3339 instant with offset, for example 2026-11-20T21:00:00Z")
    return parsed


def one_of(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError("one of " + ", ".join(choices))
        return value

    parse.choices = choices  # type: ignore[attr-defined]  # for the schema
    return parse


#: Parameters of a list of facts with a history.
POINT_IN_TIME: Mapping[str, Callable[[str], Any]] = {"as_of": calendar_date, "known_at": instant}


@dataclass(frozen=True, slots=True)
class Filter:
    """A parameter: the column it compares, how it is read, whether ranges are allowed too."""

    column: str
    parse: Callable[[str], Any] = text
    ranges: bool = False
    #: How it compares, where not by equality; such a parameter has no further forms.
    lookup: str = "exact"


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list can be asked for. `sorts` are columns without nulls; `key` makes them unique."""

    #: The rows of a client, by what the view gives; all that a request differs in is an argument.
    rows: Rows
    #: How PostgreSQL writes a row.
    body: JsonRow
    filters: Mapping[str, Filter] = field(default_factory=dict)
    sorts: Mapping[str, str] = field(default_factory=dict)
    default_sort: str = ""
    key: str = "id"
    #: Further parameters that the view reads itself: name to parser.
    extra: Mapping[str, Callable[[str], Any]] = field(default_factory=dict)
    #: What a row is; with it the list can be had as a file too.
    row: RowSerializer | None = None

    def parameters(self) -> list[str]:
        names = []
        for name, declared in self.filters.items():
            names.append(name)
            if declared.lookup != "exact":
                continue
            if declared.parse is not boolean:
                names.append(f"{name}__in")
            if declared.ranges:
                names.extend(f"{name}__{suffix}" for suffix in _SUFFIXES)
        paging = _PAGING if self.sorts else _PAGING[:-1]
        return [*names, *self.extra, *paging, *(("format",) if self.row else ())]

    def narrowing(self) -> list[str]:
        """Parameters by which a list that is too long can be cut to size."""
        return [
            name
            for name in self.parameters()
            if name not in (*_PAGING, "format", "known_at") and not name.endswith("__in")
        ]


def page_of(
    row: type[serializers.Serializer[Any]], **echo: serializers.Field[Any, Any, Any, Any]
) -> Any:
    """The schema of a page: rows, where the next page is, and what the answer echoes."""
    return inline_serializer(
        name=row.__name__.removesuffix("Serializer").removesuffix("Shape") + "Page",
        fields={
            "data": row(many=True),
            "has_more": serializers.BooleanField(),
            "next_cursor": serializers.CharField(allow_null=True),
            "next_url": serializers.CharField(allow_null=True),
            "count": serializers.IntegerField(required=False, help_text="With count=true."),
            **echo,
        },
    )


def read_parameters(
    request: Request, parsers: Mapping[str, Callable[[str], Any]]
) -> dict[str, Any]:
    """The declared query parameters that were given, each read by its parser."""
    refuse_unknown(request, list(parsers))
    return {
        name: _read(name, request.query_params[name], parsers[name])
        for name in request.query_params
        if name in parsers
    }


def read_one(request: Request, name: str, parse: Callable[[str], Any]) -> Any:
    """One query parameter by its parser, None where it was not given."""
    given = request.query_params.get(name)
    return None if given is None else _read(name, given, parse)


def refuse_unknown(request: Request, known: Iterable[str]) -> None:
    """Refuse parameters nobody reads, and those given twice."""
    view = (request.parser_context or {}).get("view")
    known = [*known, *getattr(view, "common_parameters", ())]
    for name, values in request.query_params.lists():
        if name not in known:
            near = difflib.get_close_matches(name[:60], known, n=3, cutoff=0.5)
            raise bad_parameter(
                name,
                name[:100],
                "There is no such parameter.",
                code="unknown-parameter",
                suggestion=near or sorted(known),
            )
        if len(values) > 1:
            raise bad_parameter(
                name, values[-1], "Give the parameter once; several values go to __in."
            )


@dataclass(frozen=True, slots=True)
class PointInTime:
    """Which state of the facts was asked for, and the moment that "now" stands for."""

    as_of: date | None
    known_at: datetime | None
    now: datetime

    def echo(self) -> dict[str, Any]:
        """Sent back as parameters it means the same state."""
        return {"as_of": self.as_of, "known_at": self.known_at or self.now}


def point_in_time(request: Request) -> PointInTime:
    """`as_of` and `known_at`; a page after the first sees what the first one knew."""
    now = _now(request)
    known_at = read_one(request, "known_at", instant)
    if known_at is not None and known_at > now + _CLOCKS_APART:
        raise InvalidRequest(
            "known_at lies in the future.", code="bad-known-at", errors=[{"pointer": "?known_at"}]
        )
    if known_at is None and (cursor := request.query_params.get("cursor")):
        known_at = opened(cursor, fingerprint_of(request))[2]
    return PointInTime(read_one(request, "as_of", calendar_date), known_at, now)


@dataclass(frozen=True, slots=True)
class About:
    """What the answer says beside its rows, found by a statement that goes with theirs."""

    statement: Statement
    told: Callable[[list[tuple[Any, ...]]], Mapping[str, Any]]
    """Raises where there is nothing to list."""


def list_response(
    request: Request,
    listing: Listing,
    *,
    asked: PointInTime | None = None,
    given: Mapping[str, Any] | None = None,
    shown: Callable[[dict[str, Any]], Mapping[str, Any]] | None = None,
    about: About | None = None,
    **echo: Any,
) -> Response:
    """A file of all rows where one was asked for, else one page of them.

    The listing's `rows` are called with the client, with what is `given` and, of facts with a
    history, with the state `asked` for. A row is what PostgreSQL writes by the listing's `body`,
    or what `shown` makes of that.
    """
    refuse_unknown(request, listing.parameters())
    parameters = request.query_params
    given = dict(given or {})
    if asked is not None:
        given |= {n: getattr(asked, n) for n in ("known_at", "as_of") if n in listing.extra}
    conditions = _conditions(parameters, listing)
    order = _order(parameters.get("sort"), listing)
    view = (request.parser_context or {})["view"]
    client: Client = view.client
    statements = Statements(
        listing.rows, listing.body, order, client=client, given=given, conditions=conditions
    )
    if shown is None and listing.body.has_documents:
        shown = _as_read
    if chosen_format(request) is not None:
        if about is not None:
            [found] = queries([about.statement])
            echo |= about.told(found)
        if asked is not None:
            echo["resolved_from"] = asked.echo()
        return _as_file(request, listing, statements, shown or _as_read, echo)  # type: ignore[return-value]  # DRF sends any
    limit = _limit(parameters.get("limit"))
    counts = read_one(request, "count", boolean)
    fingerprint = fingerprint_of(request)
    cursor = parameters.get("cursor")
    after = opened(cursor, fingerprint)[:2] if cursor else None
    looks = [statements.page(limit, after)]
    if counts:
        looks.append(statements.count())
    if about is not None:
        looks.append(about.statement)
    now, [[(page, found, *last)], *more] = _looked(view, client, looks)
    if about is not None:
        echo |= about.told(more[-1])
    if asked is not None:
        asked = replace(asked, now=now)
        echo["resolved_from"] = asked.echo()
    has_more = found > limit
    next_cursor = next_url = None
    headers = {}
    if has_more:
        known_at = asked.echo()["known_at"].isoformat() if asked else ""
        next_cursor = sealed(fingerprint, last, known_at)
        query = [(k, v) for k, v in parameters.items() if k != "cursor"]
        next_url = f"{request.path}?{urlencode([*query, ('cursor', next_cursor)])}"
        headers["Link"] = f'<{next_url}>; rel="next"'
    rows = f"[{page or ''}]"
    return Response(
        {
            "data": orjson.Fragment(rows)
            if shown is None
            else list(map(shown, orjson.loads(rows))),
            "has_more": has_more,
            "next_cursor": next_cursor,
            "next_url": next_url,
            **({"count": more[0][0][0]} if counts else {}),
            **echo,
        },
        headers=headers,
    )


def _looked(
    view: Any, client: Client, statements: Sequence[Statement]
) -> tuple[datetime, list[list[tuple[Any, ...]]]]:
    """When, and what was found: in the scope of the view, or in one of its own."""
    with planned(statements) as by_plan:
        if (now := getattr(view, "now", None)) is not None:
            return now, queries(by_plan)
        return client_queries(client.pk, by_plan, statement_timeout=STATEMENT_TIMEOUT)


def _as_read(row: dict[str, Any]) -> dict[str, Any]:
    return row


def _as_file(
    request: Request,
    listing: Listing,
    statements: Statements,
    shown: Callable[[dict[str, Any]], Mapping[str, Any]],
    echo: Mapping[str, Any],
) -> HttpResponseBase:
    """All rows at once, in the list's order; as many as a file may have."""
    form = chosen_format(request)
    assert form is not None  # noqa: S101  # the caller has looked
    assert listing.row is not None  # noqa: S101  # else no file could have been chosen
    for name in ("limit", "cursor", "count"):
        if (given := request.query_params.get(name)) is not None:
            raise bad_parameter(
                name, given[:100], "A file holds the whole list; narrow it by its filters."
            )
    [[(count,)]] = queries([statements.count(form.max_rows + 1)])
    if count > form.max_rows:
        raise too_many_rows(form, listing.narrowing())

    def rows() -> Iterator[Mapping[str, Any]]:
        with connection.chunked_cursor() as cursor:
            cursor.execute(*statements.all())
            while texts := cursor.fetchmany(_FETCHED):
                for (text,) in texts:
                    yield shown(orjson.loads(text))

    return file_response(request, listing.row, rows, narrow_by=listing.narrowing(), facts=echo)


def _conditions(parameters: Mapping[str, str], listing: Listing) -> list[tuple[str, Any]]:
    """Look-ups of the ORM with their values."""
    conditions: list[tuple[str, Any]] = []
    for given, value in parameters.items():
        name, _, suffix = given.partition("__")
        declared = listing.filters.get(name)
        if declared is None:
            continue
        if suffix == "in":
            values = value.split(",")
            if len(values) > MAX_VALUES:
                raise bad_parameter(given, value[:100], f"At most {MAX_VALUES} values.")
            several = [_read(given, one, declared.parse) for one in values]
            conditions.append((f"{declared.column}__in", several))
        else:
            lookup = suffix or declared.lookup
            conditions.append((f"{declared.column}__{lookup}", _read(given, value, declared.parse)))
    return conditions


def _order(given: str | None, listing: Listing) -> Order:
    sort = given if given is not None else listing.default_sort
    name = sort.removeprefix("-")
    if given is not None and name not in listing.sorts:
        raise bad_parameter("sort", given[:100], "No such order.", suggestion=sorted(listing.sorts))
    return Order(listing.sorts.get(name, listing.key), listing.key, sort.startswith("-"))


def _limit(given: str | None) -> int:
    if given is None:
        return DEFAULT_LIMIT
    if not (
        given.isascii() and given.isdigit() and len(given) < 6 and 1 <= int(given) <= MAX_LIMIT
    ):
        raise bad_parameter("limit", given[:100], f"A whole number from 1 to {MAX_LIMIT}.")
    return int(given)


def _now(request: Request) -> datetime:
    view = (request.parser_context or {}).get("view")
    return getattr(view, "now", None) or datetime.now(UTC)


def _read(name: str, value: str, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(value)
    except ValueError as error:
        raise bad_parameter(name, value[:100], f"Expected {error}.") from None


def bad_parameter(
    name: str, value: str, message: str, *, code: str = "bad-parameter", suggestion: Any = None
) -> InvalidRequest:
    return InvalidRequest(
        f"Query parameter {name[:100]!r}: {message}",
        code=code,
        errors=[
            {
                "pointer": f"?{name[:100]}",
                "code": code,
                "message": message,
                "value": value,
                "suggestion": suggestion,
            }
        ],
    )
