"""Portfolios: made and changed, each change with its audit row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portfolios.errors import Conflict
from portfolios.models import Client, Portfolio
from portfolios.services.audit import audit_record
from portfolios.services.instruments import instruments_named

BENCHMARKS = ("benchmark", "market_benchmark")


def portfolio_create(
    *,
    client: Client,
    name: str,
    external_id: str | None = None,
    base_currency: str = "USD",
    benchmark: str | None = None,
    market_benchmark: str | None = None,
    actor: str = "system",
    request_id: str = "",
) -> Portfolio:
    _require_free(client, external_id)
    portfolio = Portfolio(
        client=client, name=name, external_id=external_id, base_currency=base_currency
    )
    _set_benchmarks(
        client, portfolio, {"benchmark": benchmark, "market_benchmark": market_benchmark}
    )
    portfolio.save(force_insert=True)
    portfolio.refresh_from_db(fields=["created_at", "updated_at"])
    audit_record(
        client=client,
        actor=actor,
        action="portfolio.create",
        object_id=portfolio.public_id,
        request_id=request_id,
        detail={"name": name, "external_id": external_id},
    )
    return portfolio


def portfolio_update(
    *,
    client: Client,
    portfolio: Portfolio,
    changes: Mapping[str, Any],
    actor: str,
    request_id: str = "",
) -> Portfolio:
    """Apply named changes to a portfolio whose row the caller has locked."""
    before = _described(portfolio)
    if "external_id" in changes and changes["external_id"] != portfolio.external_id:
        _require_free(client, changes["external_id"])
    for field in ("name", "external_id", "base_currency", "is_active"):
        if field in changes:
            setattr(portfolio, field, changes[field])
    _set_benchmarks(client, portfolio, {k: v for k, v in changes.items() if k in BENCHMARKS})
    after = _described(portfolio)
    changed = {k: [before[k], after[k]] for k in after if before[k] != after[k]}
    if not changed:
        return portfolio
    portfolio.version += 1
    portfolio.save()
    portfolio.refresh_from_db(fields=["updated_at"])
    audit_record(
        client=client,
        actor=actor,
        action="portfolio.update",
        object_id=portfolio.public_id,
        request_id=request_id,
        detail=changed,
    )
    return portfolio


def _require_free(client: Client, external_id: str | None) -> None:
    if external_id is None:
        return
    if Portfolio.objects.filter(client=client, external_id=external_id).exists():
        raise Conflict(
            f"A portfolio with the external_id {external_id!r} exists.",
            code="duplicate-external-id",
        )


def _set_benchmarks(client: Client, portfolio: Portfolio, names: Mapping[str, str | None]) -> None:
    given = {field: name for field, name in names.items() if name is not None}
    pointers: dict[str, list[str]] = {}
    for field, name in given.items():
        pointers.setdefault(name, []).append(f"/{field}")
    found = instruments_named(client, given.values(), pointers=pointers) if given else {}
    for field in names:
        setattr(portfolio, field, found[given[field]] if field in given else None)


def _described(portfolio: Portfolio) -> dict[str, Any]:
    return {
        "name": portfolio.name,
        "external_id": portfolio.external_id,
        "base_currency": portfolio.base_currency,
        "is_active": portfolio.is_active,
        **{field: getattr(getattr(portfolio, field), "symbol", None) for field in BENCHMARKS},
    }
