"""What a book is worth at the prices on file: exact sums, or no sum and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Context, Decimal
from typing import Any

from django.db.models import Q

from portfolios.models import Client, FxRate, Instrument, Portfolio, Position, PositionSet, Price
from portfolios.selectors.market import PRICE_KEY, overlaid, split_factor, splits_of

#: A price older than this is no price.
OLDEST = timedelta(days=30)
_NAMED = 20
_DIGITS = Context(prec=34)


@dataclass(frozen=True, slots=True)
class Valued:
    """One position in the portfolio's currency; `reason` says why there is no value."""

    symbol: str
    kind: str
    quantity: Decimal
    value: Decimal | None = None
    session: date | None = None
    reason: str = ""


def positions_valued(
    portfolio: Portfolio,
    position_set: PositionSet,
    *,
    client: Client,
    as_of: date,
    known_at: datetime | None = None,
) -> list[Valued]:
    """The positions of a set at the closes and exchange rates of `as_of` or shortly before."""
    rows = list(
        Position.objects.filter(client=client, position_set=position_set)
        .select_related("instrument", "instrument__option_terms")
        .order_by("id")
    )
    instruments = {row.instrument_id: row.instrument for row in rows}
    closes = _closes(client, instruments, as_of, known_at)
    splits = splits_of(client, instruments.values(), known_at=known_at)
    currencies = {row.instrument.currency for row in rows} - {portfolio.base_currency}
    rates = _rates(client, currencies, portfolio.base_currency, as_of, known_at)
    rates[portfolio.base_currency] = Decimal(1)
    valued = []
    for row in rows:
        instrument, quantity = row.instrument, row.quantity
        known = {"symbol": instrument.symbol, "kind": instrument.kind, "quantity": quantity}
        rate = rates.get(instrument.currency)
        close = closes.get(instrument.pk)
        if rate is None:
            valued.append(Valued(**known, reason="missing-fx"))
        elif instrument.kind == Instrument.Kind.CASH:
            valued.append(Valued(**known, value=_DIGITS.multiply(quantity, rate)))
        elif close is None:
            valued.append(Valued(**known, reason="missing-price"))
        else:
            session, price = close
            # Shares are those of the set's date, the price is of its own session.
            since = [
                s for s in splits.get(instrument.pk, ()) if position_set.as_of < s[0] <= session
            ]
            fewer = split_factor(since, position_set.as_of)
            shares = _DIGITS.divide(
                _DIGITS.multiply(quantity, Decimal(fewer.denominator)), Decimal(fewer.numerator)
            )
            option = getattr(instrument, "option_terms", None)
            multiplier = option.multiplier if option is not None else Decimal(1)
            local = _DIGITS.multiply(_DIGITS.multiply(shares, multiplier), price)
            valued.append(Valued(**known, value=_DIGITS.multiply(local, rate), session=session))
    return valued


def exposure_summary(valued: Iterable[Valued], currency: str) -> dict[str, Any]:
    """Sums over all positions; where one has no value none is made up."""
    valued = list(valued)
    missing = [row for row in valued if row.value is None]
    held = [row for row in valued if row.kind != Instrument.Kind.CASH]
    sessions = [row.session for row in held if row.session is not None]
    reason = None
    if missing:
        names = ", ".join(row.symbol for row in missing[:_NAMED])
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        reason = f"{len(missing)} of {len(valued)} positions have no value: {names}{more}."
    values = [row.value or Decimal(0) for row in held]
    sums = {
        "gross_exposure": _sum(abs(value) for value in values),
        "net_exposure": _sum(values),
        "net_asset_value": _sum(row.value or Decimal(0) for row in valued),
    }
    return {
        **{
            name: {"value": None if missing else value, "unit": currency, "reason": reason}
            for name, value in sums.items()
        },
        "coverage": {
            "positions": len(valued),
            "valued": len(valued) - len(missing),
            "missing": [{"symbol": row.symbol, "reason": row.reason} for row in missing[:_NAMED]],
            "oldest_session": min(sessions, default=None),
            "latest_session": max(sessions, default=None),
        },
    }


def _sum(values: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for value in values:
        total = _DIGITS.add(total, value)
    return total


def _closes(
    client: Client, instruments: Iterable[int], as_of: date, known_at: datetime | None
) -> dict[int, tuple[date, Decimal]]:
    rows = (
        overlaid(Price, client, PRICE_KEY, known_at)
        .filter(
            instrument__in=list(instruments),
            session__range=(as_of - OLDEST, as_of),
            close__isnull=False,
        )
        .order_by("instrument_id", "-session")
        .distinct("instrument_id")
        .values_list("instrument_id", "session", "close")
    )
    return {pk: (session, close) for pk, session, close in rows}


def _rates(
    client: Client, currencies: Iterable[str], into: str, as_of: date, known_at: datetime | None
) -> dict[str, Decimal]:
    """Units of `into` for one of each currency, from either direction."""
    wanted = list(currencies)
    rows = (
        overlaid(FxRate, client, ("base", "quote", "session"), known_at)
        .filter(Q(base__in=wanted, quote=into) | Q(base=into, quote__in=wanted))
        .filter(session__range=(as_of - OLDEST, as_of))
        .order_by("session")
        .values_list("base", "rate", "quote")
    )
    rates: dict[str, Decimal] = {}
    for base, rate, quote in rows:
        if quote == into:
            rates[base] = rate
        else:
            rates[quote] = _DIGITS.divide(Decimal(1), rate)
    return rates
