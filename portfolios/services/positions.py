"""Position sets: a whole book on a date, replaced and never edited."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from portfolios.errors import InvalidRequest
from portfolios.models import Client, Instrument, Portfolio, Position, PositionSet
from portfolios.services.audit import audit_record
from portfolios.services.instruments import instruments_named


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
    _refuse_future(as_of)
    pointers: dict[str, list[str]] = {}
    for index, position in enumerate(positions):
        pointers.setdefault(position["instrument"], []).append(f"/positions/{index}/instrument")
    instruments = instruments_named(client, pointers, pointers=pointers)
    _refuse_duplicates(positions, instruments)
    checksum = _checksum(positions, instruments)

    # The lock makes two puts of one date follow each other; the clock is read under it, so that
    # of two revisions the later one is also recorded later.
    Portfolio.objects.select_for_update(of=("self",)).get(pk=portfolio.pk)
    current = PositionSet.objects.filter(
        client=client, portfolio=portfolio, as_of=as_of, superseded_at=None
    ).first()
    if current is not None and current.checksum == checksum:
        return current, False
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now = cursor.fetchone()[0]
    if current is not None:
        PositionSet.objects.filter(pk=current.pk).update(superseded_at=now)
    created = PositionSet.objects.create(
        client=client,
        portfolio=portfolio,
        as_of=as_of,
        source=source,
        checksum=checksum,
        recorded_at=now,
    )
    Position.objects.bulk_create(
        Position(
            client=client,
            position_set=created,
            instrument=instruments[position["instrument"]],
            quantity=position["quantity"],
            cost=position.get("cost"),
            tags=position.get("tags", []),
        )
        for position in positions
    )
    audit_record(
        client=client,
        actor=actor,
        action="positions.put",
        object_id=portfolio.public_id,
        request_id=request_id,
        detail={
            "as_of": as_of.isoformat(),
            "position_set": created.public_id,
            "supersedes": current.public_id if current else None,
            "positions": len(positions),
            "checksum": checksum,
        },
    )
    return created, True


def _refuse_future(as_of: date) -> None:
    if as_of > datetime.now(UTC).date():
        raise InvalidRequest(
            f"{as_of} is in the future.",
            code="future-date",
            errors=[
                {
                    "pointer": "/as_of",
                    "code": "future-date",
                    "message": "Positions are recorded once they are held.",
                    "value": as_of.isoformat(),
                    "suggestion": None,
                }
            ],
        )


def _refuse_duplicates(
    positions: Sequence[Mapping[str, Any]], instruments: Mapping[str, Instrument]
) -> None:
    first: dict[int, int] = {}
    errors = []
    for index, position in enumerate(positions):
        instrument = instruments[position["instrument"]]
        if instrument.pk in first:
            errors.append(
                {
                    "pointer": f"/positions/{index}/instrument",
                    "code": "duplicate-instrument",
                    "message": f"The same instrument as /positions/{first[instrument.pk]}.",
                    "value": position["instrument"],
                    "suggestion": None,
                }
            )
        first.setdefault(instrument.pk, index)
    if errors:
        raise InvalidRequest(
            "An instrument appears more than once: sum its quantities.",
            code="duplicate-instrument",
            errors=errors,
        )


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
