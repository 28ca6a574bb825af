"""Position sets: the current one of a date, or the one known at a time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from django.db.models import Count, Max, Min, Q, QuerySet

from portfolios.errors import NotFound
from portfolios.identifiers import parse_public_id
from portfolios.models import Portfolio, Position, PositionSet
from portfolios.plans import rows_planned
from portfolios.selectors.rows import columns, instance


def known_then(known_at: datetime | None) -> Q:
    """Rows that were current at a time; None: now."""
    if known_at is None:
        return Q(superseded_at=None)
    return Q(recorded_at__lte=known_at) & (Q(superseded_at=None) | Q(superseded_at__gt=known_at))


def position_set_list(portfolio: Portfolio) -> QuerySet[PositionSet]:
    return PositionSet.objects.filter(client=portfolio.client_id, portfolio=portfolio)


def position_set_get(portfolio: Portfolio, position_set_id: str) -> PositionSet:
    uid = parse_public_id(PositionSet.ID_PREFIX, position_set_id)
    found = position_set_list(portfolio).filter(pk=uid).first() if uid else None
    if found is None:
        raise NotFound("There is no such position set.")
    return found


def position_set_effective(
    portfolio: Portfolio, *, as_of: date | None = None, known_at: datetime | None = None
) -> PositionSet | None:
    """The latest set dated `as_of` or before, as known then; None where there is none yet."""
    condition, moments = "superseded_at IS NULL", [] if known_at is None else [known_at] * 2
    if known_at is not None:
        condition = "recorded_at <= %s AND (superseded_at IS NULL OR superseded_at > %s)"
    rows = rows_planned(
        f"SELECT {columns(PositionSet, 's')} FROM portfolios_positionset s"
        " WHERE client_id = %s AND portfolio_id = %s"
        f" AND as_of <= coalesce(%s, 'infinity'::date) AND {condition}"
        " ORDER BY as_of DESC, recorded_at DESC, id DESC LIMIT 1",
        [portfolio.client_id, portfolio.pk, as_of, *moments],
    )
    return instance(PositionSet, rows[0]) if rows else None


def position_set_span(
    portfolio: Portfolio, *, as_of: date, known_at: datetime | None = None
) -> tuple[int, date | None, date | None]:
    """How many dates until `as_of` have a set, the first of them and the last."""
    found = (
        position_set_list(portfolio)
        .filter(known_then(known_at), as_of__lte=as_of)
        .aggregate(count=Count("id"), first=Min("as_of"), last=Max("as_of"))
    )
    return found["count"], found["first"], found["last"]


def position_rows(position_set: PositionSet) -> list[dict[str, Any]]:
    """The positions of a set, in the order they were sent."""
    rows: Iterable[Any] = (
        Position.objects.filter(client=position_set.client_id, position_set=position_set)
        .order_by("id")
        .values(
            "quantity",
            "cost",
            "tags",
            "instrument__uid",
            "instrument__symbol",
            "instrument__kind",
            "instrument__currency",
        )
    )
    return list(rows)
