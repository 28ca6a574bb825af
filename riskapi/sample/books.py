"""The sample client's portfolios, as shares of their value, and the analyses shown first.

Two clients share the shapes below: `sample` holds the synthetic market, `demo` real prices of a
market folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from riskapi.sample import market, options

CASH = "CASH.USD"
SEMIS, HEDGE, LEVERAGED = "semis", "hedge", "leveraged"
_PUT_STRIKE, _PUT_DAYS = 0.95, 75
_CONTRACT_SHARES = 100


@dataclass(frozen=True)
class Book:
    """A portfolio: signed shares of its value by symbol, the rest in cash.

    `put` is the part of the value whose fall below 95 % it insures, with puts on `put_underlying`.
    """

    external_id: str
    name: str
    value: int
    longs: Mapping[str, float]
    others: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    put_underlying: str = ""
    put: float = 0.0


@dataclass(frozen=True)
class Cast:
    """A client with its books, and the roles that their instruments play."""

    slug: str
    client_name: str
    is_synthetic: bool
    benchmark: str
    market_benchmark: str
    bull: str | None
    bear: str | None
    books: tuple[Book, ...]

    @property
    def symbols(self) -> set[str]:
        """What the books hold, options and cash apart."""
        return {symbol for book in self.books for symbol in (*book.longs, *book.others)}


SYNTHETIC = Cast(
    slug="sample",
    client_name="Sample client (synthetic prices)",
    is_synthetic=True,
    benchmark=market.INDEX,
    market_benchmark=market.MARKET,
    bull=market.BULL,
    bear=market.BEAR,
    books=(
        Book(
            "semis",
            "Semiconductor book",
            10_000_000,
            longs={"CHIPA": 0.16, "CHIPB": 0.10, "CHIPC": 0.12, "CHIPD": 0.10, "CHIPG": 0.08,
                   "CHIPJ": 0.06, market.FUND: 0.12},
            others={
                "CHIPK": (-0.05, SEMIS),
                market.BULL: (0.05, LEVERAGED),
                market.BEAR: (0.06, HEDGE),
            },
            put_underlying=market.FUND,
            put=0.15,
        ),
        Book(
            "hedged",
            "Hedged chip makers",
            25_000_000,
            longs={f"CHIP{letter}": 0.08 for letter in "ABCDEFGHIJ"},
            others={market.BEAR: (0.15, HEDGE)},
        ),
        Book(
            "pair",
            "Short both leveraged funds",
            2_000_000,
            longs={},
            others={market.BULL: (-0.30, LEVERAGED), market.BEAR: (-0.30, LEVERAGED)},
        ),
    ),
)  # fmt: skip

REAL = Cast(
    slug="demo",
    client_name="Demo client (prices of a market folder)",
    is_synthetic=False,
    benchmark="SOXX",
    market_benchmark="SPY",
    bull="SOXL",
    bear="SOXS",
    books=(
        Book(
            "semis",
            "Semiconductor book",
            10_000_000,
            longs={"NVDA": 0.25, "AMD": 0.15, "SMH": 0.25},
            others={"SOXL": (0.05, LEVERAGED), "SOXS": (0.10, HEDGE)},
            put_underlying="SMH",
            put=0.15,
        ),
    ),
)


def recast(
    cast: Cast,
    *,
    benchmark: str,
    bull: str | None,
    bear: str | None,
    longs: Sequence[str],
    put_underlying: str,
) -> Cast:
    """The cast's first book with the funds and shares of another market in the same roles."""
    book = cast.books[0]
    roles = {bull: (0.05, LEVERAGED), bear: (0.10, HEDGE)}
    others = {symbol: role for symbol, role in roles.items() if symbol is not None}
    share = sum(book.longs.values()) / max(len(longs), 1)
    return replace(
        cast,
        benchmark=benchmark,
        bull=bull,
        bear=bear,
        books=(
            replace(
                book,
                longs=dict.fromkeys(longs, share),
                others=others,
                put_underlying=put_underlying,
            ),
        ),
    )


@dataclass(frozen=True)
class Put:
    """The contract that a book holds on a date."""

    underlying: str
    expiry: date
    strike: Decimal

    @property
    def symbol(self) -> str:
        return options.contract(self.underlying, self.expiry, "put", float(self.strike))


def put_of(underlying: str, spot: float, session: date) -> Put:
    """The listed put nearest to 95 % of the price that runs for eleven weeks or more."""
    strike = min(options.strikes(spot), key=lambda listed: abs(listed - _PUT_STRIKE * spot))
    expiry = min(
        day for day in options.expiries(session) if day - session >= timedelta(days=_PUT_DAYS)
    )
    return Put(underlying, expiry, Decimal(f"{strike:f}"))


def positions(book: Book, closes: Mapping[str, float], session: date) -> list[dict[str, Any]]:
    """Whole shares and contracts at the closes of a session; lines without a close are left out."""
    wanted = {symbol: (share, SEMIS) for symbol, share in book.longs.items()} | dict(book.others)
    lines: list[dict[str, Any]] = []
    cash = float(book.value)
    for symbol, (share, tag) in wanted.items():
        if symbol in closes:
            quantity = round(share * book.value / closes[symbol])
            cash -= quantity * closes[symbol]
            lines.append({"instrument": symbol, "quantity": str(quantity), "tags": [tag]})
    if book.put_underlying in closes:
        spot = closes[book.put_underlying]
        contracts = round(book.put * book.value / (spot * _CONTRACT_SHARES))
        put = put_of(book.put_underlying, spot, session)
        lines.append({"instrument": put.symbol, "quantity": str(contracts), "tags": [HEDGE]})
    lines.append({"instrument": CASH, "quantity": f"{cash:.2f}", "tags": []})
    return lines


def first_analyses(
    cast: Cast, portfolio_id: str, *, as_of: date, since: date
) -> dict[str, dict[str, Any]]:
    """A request body for each analysis that the market has the funds for."""
    common = {"portfolio": portfolio_id, "as_of": as_of.isoformat()}
    period = {"from": since.isoformat(), "to": as_of.isoformat()}
    funds = {
        role: {"instrument": symbol, **period}
        for role, symbol in (("bull", cast.bull), ("bear", cast.bear))
        if symbol is not None
    }
    analyses = {"semiconductor-beta": {**common, "units": {"main": {}}}}
    if cast.bear is not None:
        hedge = {"hedged_item": {"tag": SEMIS}, "hedging": [{"instrument": cast.bear}]}
        analyses["hedge-effectiveness"] = {**common, "units": {"bear": hedge}}
    if funds:
        analyses["leveraged-drag"] = {**common, "units": funds}
    return analyses
