"""Instruments: the shared ones and the client's own."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime
from typing import Any

import orjson
from django.db.models import Q
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
    PointInTime,
    instant,
    list_response,
    one_of,
    page_of,
    point_in_time,
    refuse_unknown,
)
from portfolios.api.preconditions import not_modified, require_match
from portfolios.api.serializers import (
    InstrumentCreateRequestSerializer,
    InstrumentDetailSerializer,
    InstrumentKnownSerializer,
    InstrumentSerializer,
    InstrumentUpdateRequestSerializer,
    LeverageTermsListSerializer,
    LeverageTermsRequestSerializer,
    LeverageTermsSerializer,
    ResolvedFromSerializer,
    ResolveRequestSerializer,
    ResolveSerializer,
)
from portfolios.api.shaping import EXPANSIONS, Expansion
from portfolios.errors import NotFound
from portfolios.identifiers import parse_public_id
from portfolios.models import Client, Instrument, LeverageTerms, OptionTerms
from portfolios.selectors.instruments import (
    instrument_get_for_client,
    instrument_list_for_client,
    instrument_rows_known,
    instrument_suggestions,
)
from portfolios.selectors.json_rows import (
    JsonRow,
    is_missing,
    plain,
    public_id,
    reference,
    unless_empty,
)
from portfolios.selectors.market import leverage_terms_of
from portfolios.services.instruments import instrument_create, instrument_update, leverage_terms_add

INSTRUMENT = JsonRow(
    id=public_id("uid", Instrument.ID_PREFIX),
    symbol=plain("symbol"),
    name=plain("name"),
    kind=plain("kind"),
    currency=plain("currency"),
    calendar=plain("calendar"),
    isin=unless_empty("isin"),
    figi=unless_empty("figi"),
    shared=is_missing("client_id"),
    synthetic=plain("is_synthetic"),
)
_PROXY = reference("proxy")


class InstrumentListView(ApiView):
    required_scopes = {"GET": "portfolios:read", "POST": "portfolios:write"}
    sends = {"POST": ("Location",)}
    one_trip = True
    listing = Listing(
        instrument_rows_known,
        INSTRUMENT,
        filters={
            "symbol": Filter("symbol"),
            "kind": Filter("kind", one_of(*Instrument.Kind.values)),
            "currency": Filter("currency"),
            "isin": Filter("isin"),
            "figi": Filter("figi"),
        },
        sorts={"symbol": "symbol"},
        default_sort="symbol",
        extra={"known_at": instant},
        row=InstrumentSerializer,
    )

    @extend_schema(
        operation_id="instruments_list",
        responses=page_of(InstrumentSerializer, resolved_from=ResolvedFromSerializer()),
    )
    def get(self, request: Request) -> Response:
        """Shared instruments and the client's own."""
        refuse_unknown(request, self.listing.parameters())
        asked = point_in_time(request)
        return list_response(request, self.listing, asked=asked)

    @extend_schema(
        operation_id="instruments_create",
        examples=examples.INSTRUMENT_CREATE,
        request=InstrumentCreateRequestSerializer,
        responses={201: InstrumentDetailSerializer},
    )
    def post(self, request: Request) -> Response:
        """Add an instrument that this client alone sees."""
        refuse_unknown(request, ())
        sent = InstrumentCreateRequestSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        instrument = instrument_create(
            client=self.client,
            actor=self.actor,
            request_id=self.request_id,
            **sent.validated_data,
        )
        return Response(
            _detail(self, instrument),
            status=201,
            headers={"Location": f"/v1/instruments/{instrument.public_id}"},
        )


class InstrumentDetailView(ApiView):
    required_scopes = {"GET": "portfolios:read", "PATCH": "portfolios:write"}
    sends = {"GET": ("ETag",), "PATCH": ("ETag",)}
    parameters = {"GET": POINT_IN_TIME}

    @extend_schema(operation_id="instruments_retrieve", responses=InstrumentKnownSerializer)
    def get(self, request: Request, instrument: str) -> Response:
        """One instrument by symbol or id, with its option and leverage terms; with `as_of` the
        terms begun by then, with `known_at` what was on file then."""
        refuse_unknown(request, self.parameters["GET"])
        asked = point_in_time(request)
        found = instrument_get_for_client(self.client, instrument)
        if asked.known_at is not None or asked.as_of is not None:
            return Response(_as_known(self, found, asked))
        body = _detail(self, found)
        return not_modified(request, _tag(body)) or etagged(body, _tag(body))

    @extend_schema(
        operation_id="instruments_update",
        examples=examples.INSTRUMENT_UPDATE,
        request=InstrumentUpdateRequestSerializer,
        responses=InstrumentDetailSerializer,
    )
    def patch(self, request: Request, instrument: str) -> Response:
        """Change what is said of an instrument of the client's own."""
        refuse_unknown(request, ())
        found = instrument_get_for_client(self.client, instrument, for_update=True)
        require_match(request, _tag(_detail(self, found)))
        sent = InstrumentUpdateRequestSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        found = instrument_update(
            client=self.client,
            instrument=found,
            changes=sent.validated_data,
            actor=self.actor,
            request_id=self.request_id,
        )
        body = _detail(self, found)
        return etagged(body, _tag(body))


class LeverageTermsView(ApiView):
    file_row = LeverageTermsSerializer
    required_scopes = {"GET": "portfolios:read", "POST": "portfolios:write"}
    parameters = {"GET": POINT_IN_TIME}

    @extend_schema(operation_id="leverage_terms_list", responses=LeverageTermsListSerializer)
    def get(self, request: Request, instrument: str) -> Response:
        """What the fund promised, from when on."""
        refuse_unknown(request, (*self.parameters["GET"], "format"))
        asked = point_in_time(request)
        found = instrument_get_for_client(self.client, instrument)
        terms = leverage_terms_of(self.client, found, as_of=asked.as_of, known_at=asked.known_at)
        rows = [_terms(t) for t in terms]
        if chosen_format(request) is not None:
            facts = {"instrument": found.symbol, "resolved_from": asked.echo()}
            return file_response(request, LeverageTermsSerializer, lambda: rows, facts=facts)  # type: ignore[return-value]  # DRF sends any
        return Response({"data": rows, "resolved_from": asked.echo()})

    @extend_schema(
        operation_id="leverage_terms_create",
        examples=examples.LEVERAGE_TERMS_CREATE,
        request=LeverageTermsRequestSerializer,
        responses={201: LeverageTermsSerializer},
    )
    def post(self, request: Request, instrument: str) -> Response:
        """Add terms to an instrument of the client's own."""
        refuse_unknown(request, ())
        found = instrument_get_for_client(self.client, instrument)
        sent = LeverageTermsRequestSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        terms = leverage_terms_add(
            client=self.client,
            instrument=found,
            terms=sent.validated_data,
            actor=self.actor,
            request_id=self.request_id,
        )
        terms.refresh_from_db(fields=["recorded_at"])
        return Response(_terms(terms), status=201)


class InstrumentResolveView(ApiView):
    required_scopes = {"POST": "portfolios:read"}

    @extend_schema(
        operation_id="instruments_resolve",
        examples=examples.RESOLVE,
        request=ResolveRequestSerializer,
        responses=ResolveSerializer,
    )
    def post(self, request: Request) -> Response:
        """Which instruments these identifiers mean: found, ambiguous, or unknown with the
        nearest symbols."""
        refuse_unknown(request, ())
        sent = ResolveRequestSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        wanted = dict.fromkeys(sent.validated_data["identifiers"])
        uids = [u for name in wanted if (u := parse_public_id(Instrument.ID_PREFIX, name))]
        rows = list(
            instrument_list_for_client(self.client)
            .filter(
                Q(symbol__in=wanted) | Q(uid__in=uids) | Q(isin__in=wanted) | Q(figi__in=wanted)
            )
            .values(*INSTRUMENT.columns)
        )
        own = {row["symbol"] for row in rows if row["client_id"] is not None}
        matches: dict[str, list[dict[str, Any]]] = {name: [] for name in wanted}
        for row in rows:
            hidden = row["client_id"] is None and row["symbol"] in own
            body = INSTRUMENT.of_values(row)
            for name in {body["id"], row["symbol"], row["isin"], row["figi"]} & matches.keys():
                if not hidden or name == body["id"]:
                    matches[name].append(body)
        unknown = [name for name, found in matches.items() if not found]
        return Response(
            {
                "found": {name: found[0] for name, found in matches.items() if len(found) == 1},
                "ambiguous": {name: found for name, found in matches.items() if len(found) > 1},
                "unknown": instrument_suggestions(self.client, unknown) if unknown else {},
            }
        )


def _expansion(client: Client, ids: Collection[str], known_at: datetime | None) -> dict[str, Any]:
    uids = [uid for one in ids if (uid := parse_public_id(Instrument.ID_PREFIX, one))]
    rows = instrument_rows_known(client, known_at).filter(uid__in=uids)
    found = map(INSTRUMENT.of_values, rows.values(*INSTRUMENT.columns))
    return {body["id"]: body for body in found}


EXPANSIONS["instrument"] = Expansion(InstrumentSerializer, "portfolios:read", _expansion)


def _detail(view: ApiView, instrument: Instrument) -> dict[str, Any]:
    option = (
        OptionTerms.objects.filter(instrument=instrument).select_related("underlying").first()
        if instrument.kind == Instrument.Kind.OPTION
        else None
    )
    return {
        **INSTRUMENT.of(instrument),
        "proxy": _ref(instrument.proxy),
        "option_terms": None
        if option is None
        else {
            "underlying": _ref(option.underlying),
            **{
                name: getattr(option, name)
                for name in ("right", "style", "strike", "expiry", "multiplier")
            },
        },
        "leverage_terms": [_terms(t) for t in leverage_terms_of(view.client, instrument)],
    }


def _as_known(view: ApiView, instrument: Instrument, asked: PointInTime) -> dict[str, Any]:
    body = _detail(view, instrument)
    if asked.known_at is not None:
        rows = instrument_rows_known(view.client, asked.known_at).filter(instrument=instrument)
        row = rows.values(*INSTRUMENT.columns, *_PROXY.columns).first()
        if row is None:
            raise NotFound("There is no such instrument.")
        body |= {**INSTRUMENT.of_values(row), "proxy": _PROXY.of(row)}
    terms = leverage_terms_of(view.client, instrument, as_of=asked.as_of, known_at=asked.known_at)
    return {
        **body,
        "leverage_terms": [_terms(t) for t in terms],
        "resolved_from": asked.echo(),
    }


def _tag(body: dict[str, Any]) -> str:
    """Of the content: terms are added without the instrument's row being touched."""
    content = orjson.dumps(body, default=str, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(content).hexdigest()[:32]


def _terms(terms: LeverageTerms) -> dict[str, Any]:
    return {
        "valid_from": terms.valid_from,
        "multiple": terms.multiple,
        "reference_index": _ref(terms.reference_index),
        "expense_ratio": terms.expense_ratio,
        "swap_spread": terms.swap_spread,
        "source": terms.source,
        "recorded_at": terms.recorded_at,
    }


def _ref(instrument: Instrument | None) -> dict[str, str] | None:
    if instrument is None:
        return None
    return {"id": instrument.public_id, "symbol": instrument.symbol}
