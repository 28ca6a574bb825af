"""Portfolios."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from portfolios.api import examples
from portfolios.api.base import ApiView, etagged
from portfolios.api.listing import (
    Filter,
    Listing,
    boolean,
    instant,
    list_response,
    page_of,
    refuse_unknown,
)
from portfolios.api.preconditions import not_modified, require_match
from portfolios.api.serializers import (
    PortfolioCreateRequestSerializer,
    PortfolioSerializer,
    PortfolioUpdateRequestSerializer,
)
from portfolios.api.shaping import EXPANSIONS, Expansion
from portfolios.identifiers import parse_public_id, public_id
from portfolios.models import Client, Instrument, Portfolio
from portfolios.selectors.portfolios import portfolio_get_for_client, portfolio_list_for_client
from portfolios.services.portfolios import portfolio_create, portfolio_update

_COLUMNS = (
    "id",
    "external_id",
    "name",
    "base_currency",
    "is_active",
    "version",
    "created_at",
    "updated_at",
    "benchmark__uid",
    "benchmark__symbol",
    "market_benchmark__uid",
    "market_benchmark__symbol",
)


class PortfolioListView(ApiView):
    required_scopes = {"GET": "portfolios:read", "POST": "portfolios:write"}
    listing = Listing(
        filters={
            "external_id": Filter("external_id"),
            "name": Filter("name"),
            "is_active": Filter("is_active", boolean),
            "created_at": Filter("created_at", instant, ranges=True),
        },
        sorts={"name": "name", "created_at": "created_at"},
        default_sort="name",
        row=PortfolioSerializer,
    )

    @extend_schema(operation_id="portfolios_list", responses=page_of(PortfolioSerializer))
    def get(self, request: Request) -> Response:
        """The client's portfolios."""
        rows = portfolio_list_for_client(self.client).values(*_COLUMNS)
        return list_response(request, self.listing, rows, _row_body)

    @extend_schema(
        operation_id="portfolios_create",
        examples=examples.PORTFOLIO_CREATE,
        request=PortfolioCreateRequestSerializer,
        responses={201: PortfolioSerializer},
    )
    def post(self, request: Request) -> Response:
        """Add a portfolio."""
        refuse_unknown(request, ())
        sent = PortfolioCreateRequestSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        portfolio = portfolio_create(
            client=self.client,
            actor=self.actor,
            request_id=self.request_id,
            **sent.validated_data,
        )
        return etagged(
            portfolio_body(portfolio),
            _tag(portfolio),
            status=201,
            Location=f"/v1/portfolios/{portfolio.public_id}",
        )


class PortfolioDetailView(ApiView):
    required_scopes = {
        "GET": "portfolios:read",
        "PATCH": "portfolios:write",
        "DELETE": "portfolios:write",
    }
    refusals = {"DELETE": (412, 428)}

    @extend_schema(operation_id="portfolios_retrieve", responses=PortfolioSerializer)
    def get(self, request: Request, portfolio_id: str) -> Response:
        """One portfolio."""
        refuse_unknown(request, ())
        portfolio = portfolio_get_for_client(self.client, portfolio_id)
        return not_modified(request, _tag(portfolio)) or etagged(
            portfolio_body(portfolio), _tag(portfolio)
        )

    @extend_schema(
        operation_id="portfolios_update",
        examples=examples.PORTFOLIO_UPDATE,
        request=PortfolioUpdateRequestSerializer,
        responses=PortfolioSerializer,
    )
    def patch(self, request: Request, portfolio_id: str) -> Response:
        """Change the fields sent; `If-Match` says which version the change is based on."""
        refuse_unknown(request, ())
        portfolio = portfolio_get_for_client(self.client, portfolio_id, for_update=True)
        require_match(request, _tag(portfolio))
        sent = PortfolioUpdateRequestSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        portfolio = portfolio_update(
            client=self.client,
            portfolio=portfolio,
            changes=sent.validated_data,
            actor=self.actor,
            request_id=self.request_id,
        )
        return etagged(portfolio_body(portfolio), _tag(portfolio))

    @extend_schema(operation_id="portfolios_archive", responses={200: PortfolioSerializer})
    def delete(self, request: Request, portfolio_id: str) -> Response:
        """Archive a portfolio: it leaves the nightly reports, and everything of it stays readable.
        A change of `is_active` brings it back."""
        refuse_unknown(request, ())
        portfolio = portfolio_get_for_client(self.client, portfolio_id, for_update=True)
        require_match(request, _tag(portfolio))
        portfolio = portfolio_update(
            client=self.client,
            portfolio=portfolio,
            changes={"is_active": False},
            actor=self.actor,
            request_id=self.request_id,
        )
        return etagged(portfolio_body(portfolio), _tag(portfolio))


def portfolio_body(portfolio: Portfolio) -> dict[str, Any]:
    return {
        "id": portfolio.public_id,
        "external_id": portfolio.external_id,
        "name": portfolio.name,
        "base_currency": portfolio.base_currency,
        "benchmark": _instrument(portfolio.benchmark),
        "market_benchmark": _instrument(portfolio.market_benchmark),
        "is_active": portfolio.is_active,
        "version": portfolio.version,
        "created_at": portfolio.created_at,
        "updated_at": portfolio.updated_at,
    }


def _row_body(row: dict[str, Any]) -> dict[str, Any]:
    body = {name: row[name] for name in _COLUMNS[1:8]}
    return {
        "id": public_id(Portfolio.ID_PREFIX, row["id"]),
        **body,
        "benchmark": instrument_ref(row, "benchmark__"),
        "market_benchmark": instrument_ref(row, "market_benchmark__"),
    }


def _expansion(client: Client, ids: Collection[str]) -> dict[str, Any]:
    uids = [uid for one in ids if (uid := parse_public_id(Portfolio.ID_PREFIX, one))]
    rows = portfolio_list_for_client(client).filter(pk__in=uids).values(*_COLUMNS)
    return {body["id"]: body for body in map(_row_body, rows)}


EXPANSIONS["portfolio"] = Expansion(PortfolioSerializer, "portfolios:read", _expansion)


def instrument_ref(row: dict[str, Any], prefix: str = "instrument__") -> dict[str, str] | None:
    """The id and symbol of an instrument from the columns of a joined row."""
    uid = row[f"{prefix}uid"]
    if uid is None:
        return None
    return {"id": public_id(Instrument.ID_PREFIX, uid), "symbol": row[f"{prefix}symbol"]}


def _instrument(instrument: Instrument | None) -> dict[str, str] | None:
    if instrument is None:
        return None
    return {"id": instrument.public_id, "symbol": instrument.symbol}


def _tag(portfolio: Portfolio) -> str:
    return f"{portfolio.id.hex}-{portfolio.version}"
