"""Portfolios of a client."""

from __future__ import annotations

from django.db.models import QuerySet

from portfolios.errors import NotFound
from portfolios.identifiers import parse_public_id
from portfolios.models import Client, Portfolio


def portfolio_list_for_client(client: Client) -> QuerySet[Portfolio]:
    return Portfolio.objects.filter(client=client)


def portfolio_get_for_client(
    client: Client, portfolio_id: str, *, for_update: bool = False
) -> Portfolio:
    """By public id; raises NotFound for one of somebody else as for none."""
    uid = parse_public_id(Portfolio.ID_PREFIX, portfolio_id)
    rows = portfolio_list_for_client(client)
    if for_update:
        rows = rows.select_for_update(of=("self",))
    portfolio = (
        rows.select_related("benchmark", "market_benchmark").filter(pk=uid).first() if uid else None
    )
    if portfolio is None:
        raise NotFound("There is no such portfolio.")
    return portfolio
