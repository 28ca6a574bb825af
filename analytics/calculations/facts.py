"""What is known of the market, as values: terms, options, quotes, rates.

The one place where decimals become floats is here and in `market`.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import date

from analytics.engine.options import CALENDAR_DAYS_PER_YEAR, ParitySpot, parity_implied_spot
from analytics.engine.types import BoolArray, FloatArray
from portfolios.models import OptionTerms


@dataclass(frozen=True)
class Requirements:
    """What must be at hand before a unit is computed."""

    instruments: frozenset[uuid.UUID] = frozenset()
    short_rates_since: date | None = None
    """From when on short rates are needed; a day in the future: the last one alone."""
    chains: frozenset[uuid.UUID] = frozenset()
    """Underlyings whose quoted chains are needed."""


@dataclass(frozen=True)
class Terms:
    """What a daily-reset fund promises from a day on."""

    valid_from: date
    multiple: float
    index_id: int
    expense_ratio: float
    swap_spread: float

    def carry(self, short_rate: float) -> float:
        """Financing less expenses, per year: an inverse fund earns on what it is short."""
        borrowed = -self.multiple if self.multiple < 0 else self.multiple - 1.0
        financing = (1.0 - self.multiple) * short_rate - self.swap_spread * borrowed
        return financing - self.expense_ratio


@dataclass(frozen=True)
class Option:
    """An option's contract; `known_on` is when its terms were written down."""

    underlying_id: int
    is_call: bool
    strike: float
    expiry: date
    multiplier: float
    known_on: date

    def after_split(self, factor: float) -> Option:
        """The contract after so many new shares for an old one."""
        return replace(self, strike=self.strike / factor, multiplier=self.multiplier * factor)


@dataclass(frozen=True)
class Quote:
    """The last quote of an option up to a day."""

    day: date
    price: float | None
    implied_volatility: float | None
    underlying_price: float | None

    def after_split(self, factor: float) -> Quote:
        """Prices after so many new shares for an old one."""
        return replace(
            self,
            price=None if self.price is None else self.price / factor,
            underlying_price=None
            if self.underlying_price is None
            else self.underlying_price / factor,
        )


@dataclass(frozen=True)
class ChainQuotes:
    """The last quotes of an underlying's options up to a day, all of one moment, both sides."""

    day: date
    stated_spot: float | None
    expiry: list[date]
    strike: FloatArray
    is_call: BoolArray
    bid: FloatArray
    ask: FloatArray

    def after_split(self, factor: float) -> ChainQuotes:
        """The same contracts after so many new shares for an old one."""
        return replace(
            self,
            stated_spot=None if self.stated_spot is None else self.stated_spot / factor,
            strike=self.strike / factor, bid=self.bid / factor, ask=self.ask / factor,
        )  # fmt: skip

    def parity(self, rate: float, dividend_yield: float) -> ParitySpot:
        """The spot at which its puts and calls agree; raises an EngineError where none does."""
        return parity_implied_spot(
            [(day - self.day).days / CALENDAR_DAYS_PER_YEAR for day in self.expiry],
            self.strike, self.is_call, self.bid, self.ask,
            rate=rate, dividend_yield=dividend_yield, stated_spot=self.stated_spot,
        )  # fmt: skip


def option_of(terms: OptionTerms, known_on: date) -> Option:
    return Option(
        known_on=known_on,
        underlying_id=terms.underlying_id,
        is_call=terms.right == OptionTerms.Right.CALL,
        strike=float(terms.strike),
        expiry=terms.expiry,
        multiplier=float(terms.multiplier),
    )


@dataclass(frozen=True)
class FxSeries:
    """A currency's rate on the block's sessions, NaN where not on file.

    `contradictions` are the sessions on which the pair and its inverse, both on file, say
    different things, with the share by which they differ.
    """

    rates: FloatArray
    contradictions: dict[date, float]


PositionRow = tuple[uuid.UUID, int, float, list[str]]
