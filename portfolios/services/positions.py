"""Position sets: a whole book on a date, replaced and never edited."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from portfolios.errors import InvalidRequest
from portfolios.models import Client, Instrument, Portfolio, Position, PositionSet
from portfolios.selectors.clock import market_today
from portfolios.services.audit import audit_record
from portfolios.services.facts import fact_moment
from portfolios.services.instruments import instruments_named
from portfolios.services.row_problems import refuse_rows, row_problem


def position_set_put(
    *,
    client: Client,
    portfolio: Portfolio,
    as_of: date,
    positions: Sequence[Mapping[str, Any]],
    source: str = "",
    actor: str = "system",
    request_id: str = "",
) -> tuple[PositionSet, bool]:
    """Make `positions` the book of this date; the set, and whether it is a new one.

    Each position has `instrument` (symbol or public id), `quantity` and perhaps `cost` and `tags`.
    The same content again changes nothing, whatever its order. Other content supersedes the
    current set of the date, which stays readable by `known_at`.
    """
    _refuse_future(client, as_of)
    pointers: dict[str, list[str]] = {}
    for index, position in enumerate(positions):
        pointers.setdefault(position["instrument"], []).append(f"/positions/{index}/instrument")
    instruments = instruments_named(client, pointers, pointers=pointers)
    refuse_rows(duplicates(list(enumerate(positions)), instruments))
    book = Book(portfolio, as_of, positions)
    [outcome] = position_sets_put(
        client=client,
        books=[book],
        instruments=instruments,
        source=source,
        actor=actor,
        request_id=request_id,
    )
    return outcome


@dataclass(frozen=True, slots=True)
class Book:
    """The whole of what one portfolio holds on one date."""

    portfolio: Portfolio
    as_of: date
    positions: Sequence[Mapping[str, Any]]


def position_sets_put(
    *,
    client: Client,
    books: Sequence[Book],
    instruments: Mapping[str, Instrument],
    source: str,
    actor: str,
    request_id: str,
) -> list[tuple[PositionSet, bool]]:
    """Record judged books, each its own portfolio and date, in the caller's transaction.

    `instruments` are those of the positions by the names they were given.
    """
    # The locks make two puts of one date follow each other, in one order for all so that nobody
    # waits in a circle; the clock is read under them, so that of two revisions the later one is
    # also recorded later.
    portfolios = {book.portfolio.pk for book in books}
    list(Portfolio.objects.select_for_update(of=("self",)).filter(pk__in=portfolios).order_by("pk"))
    dates = {book.as_of for book in books}
    current = {
        (found.portfolio_id, found.as_of): found
        for found in PositionSet.objects.filter(
            client=client, portfolio__in=portfolios, as_of__in=dates, superseded_at=None
        )
    }
    now = fact_moment()
    outcomes: list[tuple[PositionSet, bool]] = []
    positions: list[Position] = []
    superseded = []
    for book in books:
        before = current.get((book.portfolio.pk, book.as_of))
        checksum = _checksum(book.positions, instruments)
        if before is not None and before.checksum == checksum:
            outcomes.append((before, False))
            continue
        if before is not None:
            superseded.append(before.pk)
        made = PositionSet(
            client=client,
            portfolio=book.portfolio,
            as_of=book.as_of,
            source=source,
            checksum=checksum,
            recorded_at=now,
        )
        outcomes.append((made, True))
        positions += [
            Position(
                client=client,
                position_set=made,
                instrument=instruments[position["instrument"]],
                quantity=position["quantity"],
                cost=position.get("cost"),
                tags=position.get("tags", []),
            )
            for position in book.positions
        ]
        audit_record(
            client=client,
            actor=actor,
            action="positions.put",
            object_id=book.portfolio.public_id,
            request_id=request_id,
            detail={
                "as_of": book.as_of.isoformat(),
                "position_set": made.public_id,
                "supersedes": before.public_id if before else None,
                "positions": len(book.positions),
                "checksum": checksum,
            },
        )
    if superseded:
        PositionSet.objects.filter(client=client, pk__in=superseded).update(superseded_at=now)
    PositionSet.objects.bulk_create(made for made, is_new in outcomes if is_new)
    Position.objects.bulk_create(positions, batch_size=5_000)
    return outcomes


def _refuse_future(client: Client, as_of: date) -> None:
    if as_of > market_today(client):
        raise InvalidRequest(
            f"{as_of} is in the future.",
            code="future-date",
            errors=[
                row_problem(
                    "?as_of", "future-date", "Positions are recorded once they are held.", as_of
                )
            ],
        )


def duplicates(
    rows: Iterable[tuple[int, Mapping[str, Any]]], instruments: Mapping[str, Instrument]
) -> list[dict[str, Any]]:
    """Problems of the rows of one book that name an instrument again; each with its index."""
    first: dict[int, int] = {}
    return [
        row_problem(
            f"/positions/{index}/instrument",
            "duplicate-instrument",
            f"The same instrument as /positions/{earlier}: sum their quantities.",
            row["instrument"],
        )
        for index, row in rows
        if (earlier := first.setdefault(instruments[row["instrument"]].pk, index)) != index
    ]


def _checksum(positions: Sequence[Mapping[str, Any]], instruments: Mapping[str, Instrument]) -> str:
    """SHA-256 of the content, the same for every order and spelling of it."""
    rows = sorted(
        [
            instruments[position["instrument"]].uid.hex,
            _plain(position["quantity"]),
            None if position.get("cost") is None else _plain(position["cost"]),
            sorted(position.get("tags", [])),
        ]
        for position in positions
    )
    return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).hexdigest()


def _plain(value: Any) -> str:
    text = format(Decimal(value), "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
