"""Positions of several portfolios in one request: all of them, or none and every reason why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from portfolios.errors import InvalidRequest
from portfolios.models import Client, Instrument, Portfolio, PositionSet
from portfolios.selectors.calendars import require_session
from portfolios.selectors.clock import market_today
from portfolios.selectors.portfolios import portfolios_named
from portfolios.services.instruments import instruments_named
from portfolios.services.positions import Book, duplicates, position_sets_put
from portfolios.services.row_problems import Problem, refuse_rows, row_problem

Row = Mapping[str, Any]


def position_batch_put(
    *,
    client: Client,
    rows: Sequence[Row],
    roll: bool = False,
    source: str = "",
    actor: str,
    request_id: str = "",
) -> list[tuple[PositionSet, bool, int]]:
    """The rows of one portfolio and date become its whole book there, as with a PUT.

    Each row has `portfolio` (public or external id), `as_of`, `instrument`, `quantity` and perhaps
    `cost` and `tags`. Answers with the sets in the order of their first rows: whether each is new,
    and of how many rows.
    """
    problems: list[Problem] = []
    portfolios = _portfolios(client, rows, problems)
    sessions = _sessions(client, rows, roll, problems)
    instruments = _instruments(client, rows, problems)
    # By portfolio, not by name: rows may call one portfolio by both of its ids.
    groups: dict[tuple[Portfolio | None, date], list[tuple[int, Row]]] = {}
    for index, row in enumerate(rows):
        day: date = row["as_of"]
        key = (portfolios.get(row["portfolio"]), sessions.get(day, day))
        groups.setdefault(key, []).append((index, row))
    for (portfolio, _), group in groups.items():
        if portfolio is None:
            continue
        known = [(index, row) for index, row in group if row["instrument"] in instruments]
        problems += duplicates(known, instruments)
    refuse_rows(sorted(problems, key=_index))
    books = [
        Book(portfolio, day, [row for _, row in group])
        for (portfolio, day), group in groups.items()
        if portfolio is not None  # none is left: unknown names are refused
    ]
    outcomes = position_sets_put(
        client=client,
        books=books,
        instruments=instruments,
        source=source,
        actor=actor,
        request_id=request_id,
    )
    return [
        (found, is_new, len(book.positions))
        for (found, is_new), book in zip(outcomes, books, strict=True)
    ]


def _portfolios(client: Client, rows: Sequence[Row], into: list[Problem]) -> dict[str, Portfolio]:
    found = portfolios_named(client, (row["portfolio"] for row in rows))
    message = "You have no portfolio of this id or external id."
    into += _of_rows(rows, "portfolio", set(found), "unknown-portfolio", message)
    return found


def _of_rows(
    rows: Sequence[Row], name: str, known: set[str], code: str, message: str
) -> Iterator[Problem]:
    for index, row in enumerate(rows):
        if row[name] not in known:
            yield row_problem(f"/positions/{index}/{name}", code, message, row[name])


def _sessions(
    client: Client,
    rows: Sequence[Row],
    roll: bool,  # noqa: FBT001  # of the request
    into: list[Problem],
) -> dict[date, date]:
    """The session meant by each date."""
    today = market_today(client)
    sessions: dict[date, date] = {}
    refusals: dict[date, Problem] = {}
    for day in {row["as_of"] for row in rows}:
        if day > today:
            message = "Positions are recorded once they are held."
            refusals[day] = row_problem("", "future-date", message, day)
            continue
        try:
            sessions[day] = require_session("XNYS", day, roll=roll)
        except InvalidRequest as refusal:
            before = refusal.context["previous_session"]
            refusals[day] = row_problem(
                "", refusal.code, refusal.message, day, [before] if before else None
            )
    into += [
        {**refusals[row["as_of"]], "pointer": f"/positions/{index}/as_of"}
        for index, row in enumerate(rows)
        if row["as_of"] in refusals
    ]
    return sessions


def _instruments(client: Client, rows: Sequence[Row], into: list[Problem]) -> dict[str, Instrument]:
    pointers: dict[str, list[str]] = {}
    for index, row in enumerate(rows):
        pointers.setdefault(row["instrument"], []).append(f"/positions/{index}/instrument")
    try:
        return instruments_named(client, pointers, pointers=pointers)
    except InvalidRequest as refusal:
        into += refusal.errors
        unknown = {error["value"] for error in refusal.errors}
        return instruments_named(client, pointers.keys() - unknown)


def _index(problem: Mapping[str, Any]) -> tuple[int, str]:
    _, _, index, name = problem["pointer"].split("/")
    return int(index), name
