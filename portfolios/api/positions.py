"""Positions: the book of a portfolio on a date."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from portfolios.api import examples
from portfolios.api.base import ApiView, etagged
from portfolios.api.exports import chosen_format, file_response
from portfolios.api.listing import (
    POINT_IN_TIME,
    Filter,
    Listing,
    calendar_date,
    instant,
    list_response,
    one_of,
    page_of,
    point_in_time,
    read_parameters,
    refuse_unknown,
)
from portfolios.api.preconditions import not_modified
from portfolios.api.serializers import (
    PositionsBatchRequestSerializer,
    PositionsBatchSerializer,
    PositionSerializer,
    PositionSetSerializer,
    PositionSetSummarySerializer,
    PositionsPutRequestSerializer,
    PositionsPutSerializer,
    PositionsSerializer,
    ResolvedFromSerializer,
)
from portfolios.errors import InvalidRequest, NotFound
from portfolios.models import Client, Portfolio, PositionSet
from portfolios.selectors.calendars import require_session
from portfolios.selectors.json_rows import JsonRow, moment, plain, public_id, reference
from portfolios.selectors.portfolios import portfolio_get_for_client
from portfolios.selectors.positions import (
    position_rows,
    position_set_effective,
    position_set_get,
    position_set_list,
)
from portfolios.services.position_batches import position_batch_put
from portfolios.services.positions import position_set_put

CALENDAR = "XNYS"
_SUMMARY = JsonRow(
    id=public_id("id", PositionSet.ID_PREFIX),
    portfolio=public_id("portfolio_id", Portfolio.ID_PREFIX),
    as_of=plain("as_of"),
    source=plain("source"),
    checksum=plain("checksum"),
    recorded_at=moment("recorded_at"),
    superseded_at=moment("superseded_at"),
)
_INSTRUMENT = reference("instrument")


class PositionsView(ApiView):
    file_row = PositionSerializer
    required_scopes = {"GET": "portfolios:read", "PUT": "portfolios:write"}
    sends = {"GET": ("ETag",), "PUT": ("ETag", "Location")}
    max_json_nodes = 100_000
    parameters: ClassVar[Mapping[str, Mapping[str, Callable[[str], Any]]]] = {
        "GET": POINT_IN_TIME,
        "PUT": {"as_of": calendar_date, "roll": one_of("previous")},
    }
    required_parameters = {"PUT": ("as_of",)}

    @extend_schema(operation_id="positions_retrieve", responses=PositionsSerializer)
    def get(self, request: Request, portfolio_id: str) -> Response:
        """The latest set dated `as_of` or before, as it was known at `known_at`."""
        refuse_unknown(request, [*self.parameters["GET"], "format"])
        asked = point_in_time(request)
        portfolio = portfolio_get_for_client(self.client, portfolio_id)
        found = position_set_effective(portfolio, as_of=asked.as_of, known_at=asked.known_at)
        if found is None:
            raise NotFound("The portfolio has no positions on file for this date.")
        if chosen_format(request) is not None:
            return _as_file(request, found)
        if (unchanged := not_modified(request, _tag(found))) is not None:
            return unchanged
        # Not `asked.echo()`, which says the present time: the ETag would belong to two texts.
        resolved_from = {"as_of": asked.as_of, "known_at": asked.known_at}
        return etagged({**_set_body(found), "resolved_from": resolved_from}, _tag(found))

    @extend_schema(
        operation_id="positions_put",
        examples=examples.POSITIONS_PUT,
        request=PositionsPutRequestSerializer,
        responses={200: PositionsPutSerializer, 201: PositionsPutSerializer},
    )
    def put(self, request: Request, portfolio_id: str) -> Response:
        """Replace the whole set of a date. The same content again changes nothing."""
        asked = read_parameters(request, self.parameters["PUT"])
        portfolio = portfolio_get_for_client(self.client, portfolio_id)
        as_of: date | None = asked.get("as_of")
        if as_of is None:
            raise InvalidRequest(
                "Say the date: ?as_of=YYYY-MM-DD.",
                code="bad-parameter",
                errors=[{"pointer": "?as_of"}],
            )
        as_of = require_session(CALENDAR, as_of, roll="roll" in asked, pointer="?as_of")
        sent = PositionsPutRequestSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        found, created = position_set_put(
            client=self.client,
            portfolio=portfolio,
            as_of=as_of,
            positions=sent.validated_data["positions"],
            source=sent.validated_data["source"],
            actor=self.actor,
            request_id=self.request_id,
        )
        return etagged(
            {**_set_body(found), "unchanged": not created},
            _tag(found),
            status=201 if created else 200,
            Location=_location(portfolio, found),
        )


class PositionsBatchView(ApiView):
    required_scopes = {"POST": "portfolios:write"}
    idempotency_required = True
    max_json_nodes = 30_000
    parameters = {"POST": {"roll": one_of("previous")}}

    @extend_schema(
        operation_id="positions_batch",
        examples=examples.POSITIONS_BATCH,
        request=PositionsBatchRequestSerializer,
        responses=PositionsBatchSerializer,
    )
    def post(self, request: Request) -> Response:
        """Replace whole sets of several portfolios and dates, all or none. The rows of a portfolio
        and date are all that it holds there; `errors` names each row that cannot be taken."""
        asked = read_parameters(request, self.parameters["POST"])
        sent = PositionsBatchRequestSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        made = position_batch_put(
            client=self.client,
            rows=sent.validated_data["positions"],
            roll="roll" in asked,
            source=sent.validated_data["source"],
            actor=self.actor,
            request_id=self.request_id,
        )
        sets = [
            {**_SUMMARY.of(found), "rows": rows, "unchanged": not is_new}
            for found, is_new, rows in made
        ]
        return Response({"sets": sets})


def _sets(
    client: Client, *, portfolio: uuid.UUID, known_at: datetime | None
) -> QuerySet[PositionSet]:
    sets = position_set_list(Portfolio(pk=portfolio, client=client))
    return sets if known_at is None else sets.filter(recorded_at__lte=known_at)


class PositionSetListView(ApiView):
    required_scopes = {"GET": "portfolios:read"}
    listing = Listing(
        _sets,
        _SUMMARY,
        filters={"as_of": Filter("as_of", calendar_date, ranges=True)},
        sorts={"as_of": "as_of", "recorded_at": "recorded_at"},
        default_sort="-as_of",
        extra={"known_at": instant},
        row=PositionSetSummarySerializer,
    )

    @extend_schema(
        operation_id="position_sets_list",
        responses=page_of(PositionSetSummarySerializer, resolved_from=ResolvedFromSerializer()),
    )
    def get(self, request: Request, portfolio_id: str) -> Response:
        """Every set of a portfolio, superseded ones too; with `known_at` those on file then."""
        refuse_unknown(request, self.listing.parameters())
        portfolio = portfolio_get_for_client(self.client, portfolio_id)
        asked = replace(point_in_time(request), as_of=None)  # here it selects the sets of a date
        given = {"portfolio": portfolio.pk}
        return list_response(request, self.listing, asked=asked, given=given)


class PositionSetDetailView(ApiView):
    file_row = PositionSerializer
    required_scopes = {"GET": "portfolios:read"}
    sends = {"GET": ("ETag",)}

    @extend_schema(operation_id="position_sets_retrieve", responses=PositionSetSerializer)
    def get(self, request: Request, portfolio_id: str, position_set_id: str) -> Response:
        """One set, whenever it was current."""
        refuse_unknown(request, ("format",))
        portfolio = portfolio_get_for_client(self.client, portfolio_id)
        found = position_set_get(portfolio, position_set_id)
        if chosen_format(request) is not None:
            return _as_file(request, found)
        return not_modified(request, _tag(found)) or etagged(_set_body(found), _tag(found))


def _as_file(request: Request, found: PositionSet) -> Response:
    """The positions as a file, each row with the set it belongs to."""
    body = _set_body(found)
    head = {name: body[name] for name in ("portfolio", "as_of", "source", "recorded_at")}
    facts = {"position_set": body["id"], **head}
    return file_response(request, PositionSerializer, lambda: body["positions"], facts=facts)  # type: ignore[return-value]  # DRF sends any


def _set_body(found: PositionSet) -> dict[str, Any]:
    return {
        **_SUMMARY.of(found),
        "positions": [
            {
                "instrument": _INSTRUMENT.of(row),
                "kind": row["instrument__kind"],
                "currency": row["instrument__currency"],
                "quantity": row["quantity"],
                "cost": row["cost"],
                "tags": row["tags"],
            }
            for row in position_rows(found)
        ],
    }


def _location(portfolio: Portfolio, found: PositionSet) -> str:
    return f"/v1/portfolios/{portfolio.public_id}/position-sets/{found.public_id}"


def _tag(found: PositionSet) -> str:
    # A set never changes, but for the moment it is superseded.
    return found.id.hex if found.superseded_at is None else f"{found.id.hex}-superseded"
