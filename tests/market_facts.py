"""A small market with a known law, written straight into the tables."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal

import numpy as np

from portfolios.models import (
    Client,
    Instrument,
    LeverageTerms,
    Portfolio,
    Position,
    PositionSet,
    Price,
)
from portfolios.selectors.calendars import sessions_between
from portfolios.services.data_version import data_version_bump
from portfolios.tenancy import client_scope, operator_scope

FIRST, LAST = date(2024, 1, 2), date(2025, 6, 30)
#: Facts and positions of a test are recorded in its own transaction: known from then on.
SESSIONS = sessions_between("XNYS", FIRST, LAST)


def closes_of(returns: np.ndarray, start: float = 100.0) -> np.ndarray:
    return start * np.concatenate([[1.0], np.cumprod(1.0 + returns)])


def simulated_returns(seed: int = 7) -> dict[str, np.ndarray]:
    """Index SOX, a chip maker of beta 1.4, the market, and -3x and 3x funds on the index."""
    rng = np.random.default_rng(seed)
    n = len(SESSIONS) - 1
    market = rng.normal(0.0004, 0.010, n)
    index = 1.5 * market + rng.normal(0.0, 0.012, n)
    return {
        "SOX": index,
        "SPY": market,
        "NVDA": 1.4 * index + rng.normal(0.0, 0.015, n),
        "AMD": 1.2 * index + rng.normal(0.0, 0.018, n),
        "SOXL": 3.0 * index + rng.normal(-0.0001, 0.0004, n),
        "SOXS": -3.0 * index + rng.normal(-0.0001, 0.0004, n),
    }


KINDS = {"SOX": "index", "NVDA": "equity", "AMD": "equity"}


def add_instrument(symbol: str, closes: Mapping[date, float], **fields: object) -> Instrument:
    instrument = Instrument.objects.create(
        symbol=symbol, **{"kind": KINDS.get(symbol, "etf"), **fields}
    )
    Price.objects.bulk_create(
        Price(instrument=instrument, session=day, close=Decimal(repr(float(close))))
        for day, close in closes.items()
    )
    return instrument


def make_market(returns: Mapping[str, np.ndarray] | None = None) -> dict[str, Instrument]:
    """Shared instruments with a close on every session, cash, and the funds' terms."""
    instruments = {}
    with operator_scope():
        for symbol, series in (returns or simulated_returns()).items():
            closes = dict(zip(SESSIONS, closes_of(series), strict=True))
            instruments[symbol] = add_instrument(symbol, closes)
        instruments["CASH.USD"] = Instrument.objects.create(symbol="CASH.USD", kind="cash")
        for symbol, multiple in (("SOXL", 3), ("SOXS", -3)):
            if symbol in instruments:
                LeverageTerms.objects.create(
                    instrument=instruments[symbol], valid_from=FIRST, multiple=multiple,
                    reference_index=instruments["SOX"], expense_ratio="0.0095",
                    swap_spread="0.004",
                )  # fmt: skip
        data_version_bump(None)
    return instruments


def make_client(slug: str = "alpha") -> Client:
    with operator_scope():
        return Client.objects.create(name=slug.title(), slug=slug)


def make_portfolio(
    client: Client,
    instruments: Mapping[str, Instrument],
    quantities: Mapping[str, str],
    *,
    as_of: date = LAST,
    benchmark: str | None = "SOX",
    market: str | None = "SPY",
    tags: Mapping[str, list[str]] | None = None,
    name: str = "Book",
) -> Portfolio:
    with client_scope(client.pk):
        portfolio = Portfolio.objects.create(
            client=client,
            name=name,
            benchmark=instruments[benchmark] if benchmark else None,
            market_benchmark=instruments[market] if market else None,
        )
        position_set = PositionSet.objects.create(
            client=client, portfolio=portfolio, as_of=as_of, checksum="0" * 64
        )
        Position.objects.bulk_create(
            Position(
                client=client,
                position_set=position_set,
                instrument=instruments[symbol],
                quantity=Decimal(quantity),
                tags=(tags or {}).get(symbol, []),
            )
            for symbol, quantity in quantities.items()
        )
    return portfolio


def midnight_after(day: date) -> datetime:
    return datetime.combine(day, time(23, 59), tzinfo=UTC)
