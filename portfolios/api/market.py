"""Prices, exchange rates, corporate actions and the calendar."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Context, Decimal
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portfolios.api import examples
from portfolios.api.base import ApiView
from portfolios.api.limits import STATEMENT_TIMEOUT
from portfolios.api.listing import (
    POINT_IN_TIME,
    About,
    Filter,
    Listing,
    PointInTime,
    calendar_date,
    list_response,
    one_of,
    page_of,
    point_in_time,
    read_one,
    read_parameters,
    refuse_unknown,
    text,
)
from portfolios.api.serializers import (
    AppendedSerializer,
    CalendarSerializer,
    CorporateActionSerializer,
    CorporateActionsPostRequestSerializer,
    FxPostRequestSerializer,
    FxRateSerializer,
    InstrumentRefSerializer,
    PriceSerializer,
    PricesPostRequestSerializer,
    ResolvedFromSerializer,
)
from portfolios.errors import InvalidRequest, NotFound
from portfolios.identifiers import parse_public_id, public_id
from portfolios.models import Client, CorporateAction, FxRate, Instrument, Price
from portfolios.selectors.calendars import CALENDARS, sessions_between
from portfolios.selectors.clock import market_today
from portfolios.selectors.instruments import (
    instrument_identity,
    instrument_named,
    instrument_resolve,
    unknown_instruments,
)
from portfolios.selectors.json_rows import (
    JsonRow,
    exact,
    is_given,
    moment,
    plain,
    real,
    reference,
)
from portfolios.selectors.market import (
    corporate_action_list_for_client,
    fx_rate_list_for_client,
    last_total_return,
    price_list_for_client,
    scaled,
    split_factor,
    splits_of,
)
from portfolios.services.facts import Appended
from portfolios.services.prices import corporate_actions_add, fx_rates_add, prices_add
from portfolios.tenancy import client_scope

_FIFTEEN_DIGITS = Context(prec=15)
_LONGEST_CALENDAR = timedelta(days=366 * 40)
_RANGE = {
    "from": Filter("session", calendar_date, lookup="gte"),
    "to": Filter("session", calendar_date, lookup="lte"),
}
_BAR = ("open", "high", "low", "close")
_PRICE = JsonRow(
    session=plain("session"),
    open=exact("open"),
    high=exact("high"),
    low=exact("low"),
    close=exact("close"),
    volume=exact("volume"),
    total_return_index=real("total_return_index"),
    source=plain("source"),
    recorded_at=moment("recorded_at"),
    own=is_given("client_id"),
)
_FX_RATE = JsonRow(
    base=plain("base"),
    quote=plain("quote"),
    session=plain("session"),
    rate=exact("rate"),
    source=plain("source"),
    recorded_at=moment("recorded_at"),
    own=is_given("client_id"),
)
_CORPORATE_ACTION = JsonRow(
    instrument=reference("instrument"),
    ex_date=plain("ex_date"),
    kind=plain("kind"),
    new_shares=plain("new_shares"),
    old_shares=plain("old_shares"),
    amount=exact("amount"),
    source=plain("source"),
    recorded_at=moment("recorded_at"),
    own=is_given("client_id"),
)
Shown = Callable[[dict[str, Any]], dict[str, Any]]


def _prices(
    client: Client, *, instrument: str | uuid.UUID, known_at: datetime | None, as_of: date | None
) -> QuerySet[Price]:
    named = instrument_named(client, instrument).values("pk")
    rows = price_list_for_client(client, named, known_at=known_at)
    return rows if as_of is None else rows.filter(session__lte=as_of)


def _fx_rates(client: Client, *, known_at: datetime | None, as_of: date | None) -> QuerySet[FxRate]:
    rows = fx_rate_list_for_client(client, known_at=known_at)
    return rows if as_of is None else rows.filter(session__lte=as_of)


def _corporate_actions(
    client: Client, *, instrument: int | None, known_at: datetime | None, as_of: date | None
) -> QuerySet[CorporateAction]:
    rows = corporate_action_list_for_client(client, known_at=known_at)
    if instrument is not None:
        rows = rows.filter(instrument=instrument)
    return rows if as_of is None else rows.filter(ex_date__lte=as_of)


class PriceListView(ApiView):
    required_scopes = {"GET": "prices:read", "POST": "prices:write"}
    max_json_nodes = 20_000
    one_trip = True
    listing = Listing(
        _prices,
        _PRICE,
        filters=_RANGE,
        sorts={"session": "session"},
        default_sort="session",
        key="session",
        row=PriceSerializer,
        extra={
            "instrument": text,
            "adjusted": one_of("none", "split", "total_return"),
            **POINT_IN_TIME,
        },
    )

    @extend_schema(
        operation_id="prices_list",
        responses=page_of(
            PriceSerializer,
            instrument=InstrumentRefSerializer(),
            currency=serializers.CharField(help_text="Of the prices."),
            synthetic=serializers.BooleanField(help_text="Made by a model, not by a market."),
            adjusted=serializers.CharField(),
            resolved_from=ResolvedFromSerializer(),
        ),
    )
    def get(self, request: Request) -> Response:
        """One instrument's sessions: as traded, in the shares of `as_of` (today's without), or as
        total return scaled to its close. The client's own price stands in for the shared one."""
        refuse_unknown(request, self.listing.parameters())
        asked = point_in_time(request)
        adjusted = read_one(request, "adjusted", self.listing.extra["adjusted"]) or "none"
        name = read_one(request, "instrument", text)
        if name is None:
            raise InvalidRequest(
                "Say which: ?instrument=SYMBOL.",
                code="bad-parameter",
                errors=[{"pointer": "?instrument"}],
            )
        if adjusted == "none":
            return self._listed(request, asked, name)
        with client_scope(self.client.pk, statement_timeout=STATEMENT_TIMEOUT) as self.now:
            return self._listed(request, asked, name, adjusted)

    def _listed(
        self, request: Request, asked: PointInTime, name: str, adjusted: str = "none"
    ) -> Response:
        def told(rows: list[tuple[Any, ...]]) -> dict[str, Any]:
            if not rows:
                with client_scope(self.client.pk):
                    raise unknown_instruments(self.client, [name], pointers={name: ["?instrument"]})
            [(uid, symbol, currency, synthetic)] = rows
            return {
                "instrument": {"id": public_id(Instrument.ID_PREFIX, uid), "symbol": symbol},
                "currency": currency,
                "synthetic": synthetic,
                "adjusted": adjusted,
            }

        named = parse_public_id(Instrument.ID_PREFIX, name) or name
        shown = None
        if adjusted != "none":
            found = _instrument(self.client, name)
            shown = _adjusted(self.client, found, adjusted, asked)
        return list_response(
            request,
            self.listing,
            asked=asked,
            given={"instrument": named},
            shown=shown,
            about=About(instrument_identity(self.client, named), told),
        )

    @extend_schema(
        operation_id="prices_add",
        examples=examples.PRICES_ADD,
        request=PricesPostRequestSerializer,
        responses=AppendedSerializer,
    )
    def post(self, request: Request) -> Response:
        """Add own prices as traded; all rows or none."""
        return _added(self, request, PricesPostRequestSerializer, "prices", prices_add)


class FxRateListView(ApiView):
    required_scopes = {"GET": "prices:read", "POST": "prices:write"}
    one_trip = True
    listing = Listing(
        _fx_rates,
        _FX_RATE,
        filters={"base": Filter("base"), "quote": Filter("quote"), **_RANGE},
        sorts={"session": "session"},
        default_sort="session",
        extra=POINT_IN_TIME,
        row=FxRateSerializer,
    )

    @extend_schema(
        operation_id="fx_rates_list",
        responses=page_of(FxRateSerializer, resolved_from=ResolvedFromSerializer()),
    )
    def get(self, request: Request) -> Response:
        """Units of `quote` for one unit of `base` at the close."""
        asked = point_in_time(request)
        return list_response(request, self.listing, asked=asked)

    @extend_schema(
        operation_id="fx_rates_add",
        examples=examples.FX_RATES_ADD,
        request=FxPostRequestSerializer,
        responses=AppendedSerializer,
    )
    def post(self, request: Request) -> Response:
        """Add own exchange rates; all rows or none."""
        return _added(self, request, FxPostRequestSerializer, "rates", fx_rates_add)


class CorporateActionListView(ApiView):
    required_scopes = {"GET": "prices:read", "POST": "prices:write"}
    listing = Listing(
        _corporate_actions,
        _CORPORATE_ACTION,
        filters={
            "kind": Filter("kind", one_of("split", "distribution")),
            "from": Filter("ex_date", calendar_date, lookup="gte"),
            "to": Filter("ex_date", calendar_date, lookup="lte"),
        },
        sorts={"ex_date": "ex_date"},
        default_sort="ex_date",
        extra={"instrument": text, **POINT_IN_TIME},
        row=CorporateActionSerializer,
    )

    @extend_schema(
        operation_id="corporate_actions_list",
        responses=page_of(CorporateActionSerializer, resolved_from=ResolvedFromSerializer()),
    )
    def get(self, request: Request) -> Response:
        """Splits with their exact ratios, and distributions per share as traded."""
        refuse_unknown(request, self.listing.parameters())
        asked = point_in_time(request)
        name = read_one(request, "instrument", text)
        given = {"instrument": None if name is None else _instrument(self.client, name).pk}
        return list_response(request, self.listing, asked=asked, given=given)

    @extend_schema(
        operation_id="corporate_actions_add",
        examples=examples.CORPORATE_ACTIONS_ADD,
        request=CorporateActionsPostRequestSerializer,
        responses=AppendedSerializer,
    )
    def post(self, request: Request) -> Response:
        """Add own splits and distributions; all rows or none."""
        return _added(
            self, request, CorporateActionsPostRequestSerializer, "actions", corporate_actions_add
        )


class CalendarView(ApiView):
    required_scopes = {"GET": None}
    parameters = {"GET": {"from": calendar_date, "to": calendar_date}}

    @extend_schema(operation_id="calendars_retrieve", responses=CalendarSerializer)
    def get(self, request: Request, calendar: str) -> Response:
        """The sessions of an exchange; this year's where no range is asked for."""
        asked = read_parameters(request, self.parameters["GET"])
        if calendar not in CALENDARS:
            raise NotFound("There is no such calendar.")
        today = market_today(self.client)
        first = asked.get("from") or date(today.year, 1, 1)
        last = asked.get("to") or date(max(today.year, first.year), 12, 31)
        if not first <= last <= min(first + _LONGEST_CALENDAR, date(today.year + 1, 12, 31)):
            raise InvalidRequest(
                "A range of at most 40 years, until the end of next year.",
                code="bad-parameter",
                errors=[{"pointer": "?from"}, {"pointer": "?to"}],
            )
        return Response({"calendar": calendar, "sessions": sessions_between(calendar, first, last)})


def _instrument(client: Client, name: str) -> Instrument:
    return instrument_resolve(client, [name], pointers={name: ["?instrument"]})[name]


def _added(
    view: ApiView,
    request: Request,
    serializer: type[serializers.Serializer[Any]],
    batch: str,
    add: Callable[..., Appended],
) -> Response:
    refuse_unknown(request, ())
    sent = serializer(data=request.data)
    sent.is_valid(raise_exception=True)
    outcome = add(
        client=view.client,
        rows=sent.validated_data[batch],
        source=sent.validated_data["source"],
        actor=view.actor,
        request_id=view.request_id,
    )
    return Response(
        {"new": outcome.new, "corrected": outcome.corrected, "unchanged": outcome.unchanged}
    )


def _adjusted(client: Client, instrument: Instrument, adjusted: str, asked: PointInTime) -> Shown:
    """What a row becomes."""
    if adjusted == "split":
        found = splits_of(client, [instrument], known_at=asked.known_at)
        splits = [
            (ex_date, ratio)
            for ex_date, ratio in found.get(instrument.pk, [])
            if asked.as_of is None or ex_date <= asked.as_of
        ]

        def in_todays_shares(row: dict[str, Any]) -> dict[str, Any]:
            factor = split_factor(splits, date.fromisoformat(row["session"]))
            bar = {name: scaled(_decimal(row[name]), factor) for name in _BAR}
            return {**row, **bar, "volume": scaled(_decimal(row["volume"]), 1 / factor)}

        return in_todays_shares
    last = last_total_return(client, instrument, as_of=asked.as_of, known_at=asked.known_at)

    def as_total_return(row: dict[str, Any]) -> dict[str, Any]:
        level = row["total_return_index"]
        close = None
        if last is not None and level is not None:
            scale = _FIFTEEN_DIGITS.create_decimal_from_float(level / last[1])
            close = _FIFTEEN_DIGITS.multiply(last[0], Decimal(scale))
        return {**row, **dict.fromkeys(_BAR), "close": close}

    return as_total_return


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
