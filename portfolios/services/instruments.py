"""Instruments: a client's own, and cash."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from portfolios.errors import Conflict, InvalidRequest, Refused
from portfolios.models import Client, Instrument, LeverageTerms, OptionTerms
from portfolios.selectors.instruments import instrument_find, unknown_instruments
from portfolios.services.audit import audit_record
from portfolios.services.data_version import data_version_bump
from portfolios.tenancy import operator_scope

#: Cash is named CASH.<currency> and never by the currency alone: USD is also a leveraged
#: semiconductor fund.
_CASH = re.compile(r"CASH\.([A-Z]{3})")
_CURRENCY_CODES = (
    "AED ARS AUD BGN BRL CAD CHF CLP CNH CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS INR ISK JPY"
    " KRW KWD MXN MYR NOK NZD PEN PHP PLN QAR RON SAR SEK SGD THB TRY TWD UAH USD UYU VND ZAR"
)
#: What neither an option nor a leveraged fund can be on.
_NO_UNDERLYING = (Instrument.Kind.CASH, Instrument.Kind.OPTION)
CURRENCIES = frozenset(_CURRENCY_CODES.split(" "))


def instruments_named(
    client: Client,
    names: Iterable[str],
    *,
    pointers: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Instrument]:
    """Every instrument by the name it was given; cash of a currency comes to be when first named.

    Raises InvalidRequest (unknown-instrument) with suggestions.
    """
    names = list(dict.fromkeys(names))
    found = instruments_known(client, names)
    unknown = [name for name in names if name not in found]
    if unknown:
        raise unknown_instruments(client, unknown, known=len(found), pointers=pointers)
    return found


def instruments_known(client: Client, names: Iterable[str]) -> dict[str, Instrument]:
    """The instruments of those names that are known, cash of a currency among them."""
    names = list(dict.fromkeys(names))
    found = instrument_find(client, names)
    for name in names:
        match = _CASH.fullmatch(name)
        if name not in found and match and match[1] in CURRENCIES:
            found[name] = cash_instrument(client, match[1])
    return found


def cash_instrument(client: Client, currency: str) -> Instrument:
    """The shared instrument of a currency, whose quantity is units of it; a sandbox's own."""
    with operator_scope():
        instrument, _ = Instrument.objects.get_or_create(
            client=client if client.is_sandbox else None,
            symbol=f"CASH.{currency}",
            defaults={
                "name": f"Cash, {currency}",
                "kind": Instrument.Kind.CASH,
                "currency": currency,
            },
        )
    return instrument


def instrument_create(
    *,
    client: Client,
    symbol: str,
    kind: str,
    name: str = "",
    currency: str = "USD",
    calendar: str = "XNYS",
    isin: str = "",
    figi: str = "",
    option_terms: Mapping[str, Any] | None = None,
    leverage_terms: Sequence[Mapping[str, Any]] = (),
    actor: str,
    request_id: str = "",
) -> Instrument:
    """An instrument seen by this client alone; it hides a shared one of the same symbol from it."""
    if (kind == Instrument.Kind.OPTION) != (option_terms is not None):
        raise InvalidRequest(
            "An option has option_terms, and nothing else has them.",
            errors=[
                {
                    "pointer": "/option_terms",
                    "code": "required" if option_terms is None else "unexpected",
                    "message": "An option has option_terms, and nothing else has them.",
                    "value": None,
                    "suggestion": None,
                }
            ],
        )
    if kind == Instrument.Kind.CASH or _CASH.fullmatch(symbol):
        raise InvalidRequest(
            "Cash needs no instrument: name CASH.<currency> in a position.", code="invalid-request"
        )
    if Instrument.objects.filter(client=client, symbol=symbol).exists():
        raise Conflict(f"You have an instrument {symbol} already.", code="duplicate-symbol")
    instrument = Instrument.objects.create(
        client=client,
        symbol=symbol,
        kind=kind,
        name=name,
        currency=currency,
        calendar=calendar,
        isin=isin,
        figi=figi,
    )
    if option_terms is not None:
        underlying = instruments_named(
            client,
            [option_terms["underlying"]],
            pointers={option_terms["underlying"]: ["/option_terms/underlying"]},
        )[option_terms["underlying"]]
        if underlying.kind in _NO_UNDERLYING:
            raise _senseless(
                "/option_terms/underlying",
                f"{underlying.symbol} is {underlying.kind}"
                ": an option is on an equity, a fund or an index.",
                underlying,
            )
        OptionTerms.objects.create(
            instrument=instrument,
            client=client,
            **{**option_terms, "underlying": underlying},
        )
    for index, terms in enumerate(leverage_terms):
        _leverage_terms_create(client, instrument, terms, pointer=f"/leverage_terms/{index}")
    data_version_bump(client)
    audit_record(
        client=client,
        actor=actor,
        action="instrument.create",
        object_id=instrument.public_id,
        request_id=request_id,
        detail={"symbol": symbol, "kind": kind},
    )
    return instrument


def instrument_update(
    *,
    client: Client,
    instrument: Instrument,
    changes: Mapping[str, Any],
    actor: str,
    request_id: str = "",
) -> Instrument:
    """Change what a client says of an instrument of its own, whose row the caller has locked."""
    if instrument.client_id != client.id:
        raise Refused(
            f"{instrument.symbol} is shared and kept by the operator.", code="shared-instrument"
        )
    before = _described(instrument)
    for name in ("name", "isin", "figi"):
        if name in changes:
            setattr(instrument, name, changes[name])
    if "proxy" in changes:
        instrument.proxy = _proxy(client, instrument, changes["proxy"])
    after = _described(instrument)
    changed = {name: [before[name], after[name]] for name in after if before[name] != after[name]}
    if not changed:
        return instrument
    instrument.save(update_fields=["name", "isin", "figi", "proxy"])
    if "proxy" in changed:
        data_version_bump(client)
    audit_record(
        client=client,
        actor=actor,
        action="instrument.update",
        object_id=instrument.public_id,
        request_id=request_id,
        detail=changed,
    )
    return instrument


def _proxy(client: Client, instrument: Instrument, name: str | None) -> Instrument | None:
    if name is None:
        return None
    found = instruments_named(client, [name], pointers={name: ["/proxy"]})[name]
    if (
        found.pk == instrument.pk
        or found.proxy_id is not None
        or found.kind == Instrument.Kind.CASH
    ):
        raise _senseless(
            "/proxy", "A proxy is another instrument that has prices and no proxy itself.", found
        )
    return found


def _described(instrument: Instrument) -> dict[str, str | None]:
    return {
        "name": instrument.name,
        "isin": instrument.isin,
        "figi": instrument.figi,
        "proxy": instrument.proxy.symbol if instrument.proxy else None,
    }


def leverage_terms_add(
    *,
    client: Client,
    instrument: Instrument,
    terms: Mapping[str, Any],
    actor: str,
    request_id: str = "",
) -> LeverageTerms:
    """Terms of a fund of the client's own, from a date on."""
    if instrument.client_id != client.id:
        raise Refused(
            f"The terms of {instrument.symbol} are shared and kept by the operator.",
            code="shared-instrument",
        )
    created = _leverage_terms_create(client, instrument, terms, pointer="")
    data_version_bump(client)
    audit_record(
        client=client,
        actor=actor,
        action="instrument.leverage_terms",
        object_id=instrument.public_id,
        request_id=request_id,
        detail={"valid_from": created.valid_from.isoformat(), "multiple": str(created.multiple)},
    )
    return created


def _leverage_terms_create(
    client: Client, instrument: Instrument, terms: Mapping[str, Any], *, pointer: str
) -> LeverageTerms:
    name = terms["reference_index"]
    index = instruments_named(client, [name], pointers={name: [f"{pointer}/reference_index"]})[name]
    if index.pk == instrument.pk or index.kind in _NO_UNDERLYING:
        raise _senseless(
            f"{pointer}/reference_index",
            f"{instrument.symbol} cannot follow {index.symbol}: name an index or a fund.",
            index,
        )
    valid_from: date = terms["valid_from"]
    if LeverageTerms.objects.filter(instrument=instrument, valid_from=valid_from).exists():
        raise Conflict(f"{instrument.symbol} has terms from {valid_from} already.")
    return LeverageTerms.objects.create(
        client=client,
        instrument=instrument,
        valid_from=valid_from,
        multiple=terms["multiple"],
        reference_index=index,
        expense_ratio=terms["expense_ratio"],
        swap_spread=terms.get("swap_spread", Decimal(0)),
        source=terms.get("source", ""),
    )


def _senseless(pointer: str, message: str, named: Instrument) -> InvalidRequest:
    return InvalidRequest(
        message, errors=[{"pointer": pointer, "message": message, "value": named.symbol}]
    )
