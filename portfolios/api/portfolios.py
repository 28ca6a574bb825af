"""Portfolios."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from portfolios.api import examples
from portfolios.api.base import ApiView, etagged
from portfolios.api.listing import (
    Filter,
    Listing,
    PointInTime,
    boolean,
    instant,
    list_response,
    page_of,
    point_in_time,
    refuse_unknown,
)
from portfolios.api.preconditions import not_modified, require_match
from portfolios.api.serializers import (
    PortfolioCreateRequestSerializer,
    PortfolioKnownSerializer,
    PortfolioSerializer,
    PortfolioUpdateRequestSerializer,
    ResolvedFromSerializer,
)
from portfolios.api.shaping import EXPANSIONS, Expansion
from portfolios.errors import NotFound
from portfolios.identifiers import parse_public_id
from portfolios.models import Client, Portfolio
from portfolios.selectors.json_rows import JsonRow, moment, plain, public_id, reference
from portfolios.selectors.portfolios import (
    portfolio_get_for_client,
    portfolio_rows_known,
)
from portfolios.services.portfolios import portfolio_create, portfolio_update

PORTFOLIO = JsonRow(
    id=public_id("id", Portfolio.ID_PREFIX),
    external_id=plain("external_id"),
    name=plain("name"),
    base_currency=plain("base_currency"),
    is_active=plain("is_active"),
    version=plain("version"),
    created_at=moment("created_at"),
    updated_at=moment("updated_at"),
    benchmark=reference("benchmark"),
    market_benchmark=reference("market_benchmark"),
)


class PortfolioListView(ApiView):
    required_scopes = {"GET": "portfolios:read", "POST": "portfolios:write"}
    sends = {"POST": ("ETag", "Location")}
    one_trip = True
    listing = Listing(
        portfolio_rows_known,
        PORTFOLIO,
        filters={
            "external_id": Filter("external_id"),
            "name": Filter("name"),
            "is_active": Filter("is_active", boolean),
            "created_at": Filter("created_at", instant, ranges=True),
        },
        sorts={"name": "name", "created_at": "created_at"},
        default_sort="name",
        extra={"known_at": instant},
        row=PortfolioSerializer,
    )

    @extend_schema(
        operation_id="portfolios_list",
        responses=page_of(PortfolioSerializer, resolved_from=ResolvedFromSerializer()),
    )
    def get(self, request: Request) -> Response:
        """The client's portfolios."""
        refuse_unknown(request, self.listing.parameters())
        asked = point_in_time(request)
        return list_response(request, self.listing, asked=asked)

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
            PORTFOLIO.of(portfolio),
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
    sends = {"GET": ("ETag",), "PATCH": ("ETag",), "DELETE": ("ETag",)}
    refusals = {"DELETE": (412, 428)}
    parameters = {"GET": {"known_at": instant}}

    def _as_known(self, portfolio_id: str, asked: PointInTime) -> dict[str, Any]:
        uid = parse_public_id(Portfolio.ID_PREFIX, portfolio_id)
        rows = portfolio_rows_known(self.client, asked.known_at).filter(portfolio=uid)
        row = rows.values(*PORTFOLIO.columns).first() if uid else None
        if row is None:
            raise NotFound("There is no such portfolio.")
        return {**PORTFOLIO.of_values(row), "resolved_from": asked.echo()}

    @extend_schema(operation_id="portfolios_retrieve", responses=PortfolioKnownSerializer)
    def get(self, request: Request, portfolio_id: str) -> Response:
        """One portfolio; with `known_at` as it was on file then."""
        refuse_unknown(request, self.parameters["GET"])
        asked = point_in_time(request)
        if asked.known_at is not None:
            return Response(self._as_known(portfolio_id, asked))
        portfolio = portfolio_get_for_client(self.client, portfolio_id)
        return not_modified(request, _tag(portfolio)) or etagged(
            PORTFOLIO.of(portfolio), _tag(portfolio)
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
        return etagged(PORTFOLIO.of(portfolio), _tag(portfolio))

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
        return etagged(PORTFOLIO.of(portfolio), _tag(portfolio))


def _expansion(client: Client, ids: Collection[str], known_at: datetime | None) -> dict[str, Any]:
    uids = [uid for one in ids if (uid := parse_public_id(Portfolio.ID_PREFIX, one))]
    rows = portfolio_rows_known(client, known_at).filter(id__in=uids)
    found = map(PORTFOLIO.of_values, rows.values(*PORTFOLIO.columns))
    return {body["id"]: body for body in found}


EXPANSIONS["portfolio"] = Expansion(PortfolioSerializer, "portfolios:read", _expansion)


def _tag(portfolio: Portfolio) -> str:
    return f"{portfolio.id.hex}-{portfolio.version}"
