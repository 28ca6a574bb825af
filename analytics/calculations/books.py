"""A portfolio on a day: its positions, and the series that their exposures are laid on."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from analytics.calculations.facts import Option
from analytics.calculations.market import Market
from analytics.calculations.outputs import Json, Unanswerable, warning
from analytics.models import Result
from portfolios.identifiers import public_id
from portfolios.models import Instrument

#: What a portfolio says of itself, which may be another tomorrow.
_SETTINGS = ("currency", "benchmark_id", "market_benchmark_id")


@dataclass
class Holding:
    """One position on the date: what it is worth and what it moves with."""

    instrument: Instrument
    quantity: float
    """In shares of the market's date once valued: splits since the positions are in it."""
    tags: list[str]
    value: float = 0.0
    """Market value in the portfolio's currency, signed."""
    exposure: float = 0.0
    """Value of what it moves with: fund times multiple, option times delta."""
    headline: float = 0.0
    """Exposure as a plain list of market values shows it; none for an option."""
    series: int | None = None
    """Instrument whose returns the exposure has; None for cash."""
    multiple: float | None = None
    delta: float | None = None
    spot: float | None = None
    """Price of the underlying that an option is valued at."""
    volatility: float | None = None
    """Of an option that has time left."""
    dividend_yield: float | None = None
    """Of its underlying, continuous, a year."""
    option: Option | None = None
    """An option's contract, splits of the underlying since it was written down in it."""
    exposure_looked_at: float = 0.0
    """Exposure in the instrument's own series, funds not looked through."""
    own_series: int | None = None

    @property
    def public_id(self) -> str:
        return self.instrument.public_id


@dataclass
class Book:
    """A portfolio on a date."""

    portfolio_id: uuid.UUID
    currency: str
    position_set_id: uuid.UUID
    position_set_checksum: str
    position_date: date
    benchmark_id: int | None
    market_benchmark_id: int | None
    holdings: list[Holding] = field(default_factory=list)
    warnings: list[Json] = field(default_factory=list)
    stale: list[Json] = field(default_factory=list)
    """Instruments whose last close is older than the date."""
    refusal: Unanswerable | None = None
    """Why there is no net asset value, where there is none."""

    @property
    def nav(self) -> float:
        return float(sum(holding.value for holding in self.holdings))

    @property
    def public_position_set(self) -> str:
        return public_id("ps", self.position_set_id)

    def check(self, *, max_price_age: int, on_stale: str) -> None:
        """Raise Unanswerable where the book cannot be valued as the request demands."""
        if self.refusal is not None:
            raise self.refusal
        old = [row for row in self.stale if row["age_sessions"] > max_price_age]
        if old and on_stale == "fail":
            raise Unanswerable(
                Result.Status.STALE,
                "stale-price",
                f"{len(old)} of {len(self.holdings)} positions have no recent price; load the "
                "missing sessions, raise max_price_age_sessions, or take on_stale: warn.",
                instruments=[{**row, "limit": max_price_age} for row in old],
            )

    def stale_warnings(self, max_price_age: int) -> list[Json]:
        return [
            warning(
                "stale-price",
                f"{row['symbol']} was last priced on {row['last_session']}",
                **row,
            )
            for row in self.stale
            if row["age_sessions"] > max_price_age
        ]


def portfolio_input_facts(book: Book, market: Market) -> dict[str, Any]:
    """What a result of the book rests on, for the record."""
    return {
        "position_set": book.public_position_set,
        "position_set_checksum": book.position_set_checksum,
        "positions_as_of": book.position_date.isoformat(),
        "data_version": market.block.version,
        "book": {name: getattr(book, name) for name in _SETTINGS},
    }


def no_positions(market: Market) -> Unanswerable:
    return Unanswerable(
        Result.Status.ERROR,
        "no-positions",
        f"the portfolio has no positions on or before {market.as_of}",
    )


def note_age(book: Book, instrument: Instrument, session: date, age: int) -> None:
    if age <= 0:
        return
    row = {
        "id": instrument.public_id,
        "symbol": instrument.symbol,
        "last_session": session.isoformat(),
        "age_sessions": age,
    }
    if row not in book.stale:
        book.stale.append(row)


def expose(
    market: Market, book: Book, holding: Holding, instrument_id: int, notional: float
) -> None:
    """Lay a notional on the series it moves with: a fund's index, else the instrument itself."""
    holding.own_series = market.series(instrument_id)
    holding.exposure_looked_at = notional
    if instrument_id in market.terms:
        terms = market.terms_on(instrument_id, market.as_of)
        symbol = market.instrument(instrument_id).symbol
        if terms is None:
            book.refusal = book.refusal or Unanswerable(
                Result.Status.ERROR,
                "leverage-terms-gap",
                f"no multiple and index are on file for {symbol} on {market.as_of}.",
                instruments=[{"id": market.instrument(instrument_id).public_id, "symbol": symbol}],
                dates=[market.as_of.isoformat()],
            )
            return
        holding.multiple = terms.multiple
        holding.exposure = terms.multiple * notional
        holding.series = _series_or_refuse(market, book, terms.index_id)
        return
    holding.exposure = notional
    holding.series = _series_or_refuse(market, book, instrument_id)


def _series_or_refuse(market: Market, book: Book, instrument_id: int) -> int | None:
    series = market.series(instrument_id)
    if series is None:
        symbol = market.instrument(instrument_id).symbol
        book.refusal = book.refusal or Unanswerable(
            Result.Status.ERROR,
            "missing-price",
            f"{symbol} has no prices of its own and no proxy that has; load its prices.",
            instruments=[{"id": market.instrument(instrument_id).public_id, "symbol": symbol}],
        )
    elif series != instrument_id:
        note = proxy_warning(market, instrument_id, series)
        if note not in book.warnings:
            book.warnings.append(note)
    return series


def proxy_warning(market: Market, instrument_id: int, series: int) -> Json:
    wanted, used = market.instrument(instrument_id), market.instrument(series)
    return warning(
        "proxy-series",
        f"{wanted.symbol} has no prices on file; the returns of {used.symbol} stand in",
        instrument=wanted.public_id,
        proxy=used.public_id,
    )
