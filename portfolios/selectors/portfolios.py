"""Portfolios of a client."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import F, Q, QuerySet

from portfolios.errors import NotFound
from portfolios.identifiers import parse_public_id
from portfolios.models import Client, Instrument, Portfolio, PortfolioRevision
from portfolios.plans import rows_planned
from portfolios.selectors.positions import known_then
from portfolios.selectors.rows import columns, instance


def portfolio_list_for_client(client: Client) -> QuerySet[Portfolio]:
    return Portfolio.objects.filter(client=client)


def portfolios_named(client: Client, names: Iterable[str]) -> dict[str, Portfolio]:
    """The client's portfolios by what rows of positions call them: id, or else external id."""
    names = set(names)
    ids = {uid: name for name in names if (uid := parse_public_id(Portfolio.ID_PREFIX, name))}
    found = list(portfolio_list_for_client(client).filter(Q(pk__in=ids) | Q(external_id__in=names)))
    by_external_id = {row.external_id: row for row in found if row.external_id in names}
    return by_external_id | {ids[row.pk]: row for row in found if row.pk in ids}


def portfolio_rows_known(client: Client, known_at: datetime | None) -> QuerySet[Any]:
    """Portfolios as they were known then; the columns have the names they have now."""
    if known_at is None:
        return portfolio_list_for_client(client)
    return PortfolioRevision.objects.filter(known_then(known_at), client=client).annotate(
        id=F("portfolio_id"), updated_at=F("recorded_at")
    )


def portfolio_get_for_client(
    client: Client, portfolio_id: str, *, for_update: bool = False
) -> Portfolio:
    """By public id; raises NotFound for one of somebody else as for none."""
    uid = parse_public_id(Portfolio.ID_PREFIX, portfolio_id)
    row = None
    if uid is not None:
        locked = " FOR UPDATE OF p" if for_update else ""
        row = next(iter(rows_planned(_PORTFOLIO + locked, [uid, client.pk])), None)
    if row is None:
        raise NotFound("There is no such portfolio.")
    own, each = len(Portfolio._meta.concrete_fields), len(Instrument._meta.concrete_fields)
    portfolio = instance(Portfolio, row[:own])
    benchmarks = row[own : own + each], row[own + each :]
    for name, values in zip(("benchmark", "market_benchmark"), benchmarks, strict=True):
        setattr(portfolio, name, None if values[0] is None else instance(Instrument, values))
    return portfolio


_PORTFOLIO = (
    f"SELECT {columns(Portfolio, 'p')}, {columns(Instrument, 'b')}, {columns(Instrument, 'm')}"
    " FROM portfolios_portfolio p"
    " LEFT JOIN portfolios_instrument b ON b.id = p.benchmark_id"
    " LEFT JOIN portfolios_instrument m ON m.id = p.market_benchmark_id"
    " WHERE p.id = %s AND p.client_id = %s"
)
