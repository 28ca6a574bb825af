"""The spot that a quoted chain was made with, by put-call parity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analytics.engine.checks import (
    bounded,
    finite,
    finite_vector,
    masked_vector,
    open_unit,
    positive,
)
from analytics.engine.errors import InsufficientDataError, InvalidInputError
from analytics.engine.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class ParitySpot:
    """Spot implied by put-call parity, over all expiries used and for each.

    Attributes
    ----------
    spot : float
        Median over the expiries.
    low, high : float
        Highest buying and lowest selling price of the spot that the quotes themselves allow, the
        tightest pair of strikes at each expiry and the median over expiries. Above `low` and below
        `high` nobody earns anything at the quoted prices.
    expiry_years : float64 array of shape (n_expiries,)
        Ascending.
    expiry_spot, expiry_low, expiry_high : float64 array of shape (n_expiries,)
    n_strikes : int64 array of shape (n_expiries,)
        Strikes with both sides quoted near the money.
    stated_spot : float or None
    gap : float or None
        Stated over implied spot less 1, decimal.
    in_step : bool or None
        Whether the stated spot lies within `low` and `high`.
    """

    spot: float
    low: float
    high: float
    expiry_years: FloatArray
    expiry_spot: FloatArray
    expiry_low: FloatArray
    expiry_high: FloatArray
    n_strikes: IntArray
    stated_spot: float | None
    gap: float | None
    in_step: bool | None


def parity_implied_spot(
    years: ArrayLike,
    strike: ArrayLike,
    is_call: ArrayLike,
    bid: ArrayLike,
    ask: ArrayLike,
    *,
    rate: float,
    dividend_yield: float = 0.0,
    stated_spot: float | None = None,
    max_years: float = 45 / 365,
    moneyness: float = 0.05,
    min_strikes: int = 3,
) -> ParitySpot:
    """Spot at which puts and calls of a chain agree.

    Parameters
    ----------
    years : array_like of shape (n_quotes,)
        To each quote's expiry, actual days over 365; 0 on the day itself.
    strike : array_like of shape (n_quotes,)
    is_call : array_like of bool, shape (n_quotes,)
    bid, ask : array_like of shape (n_quotes,)
        Per share; NaN or a bid of 0 is no quote.
    rate, dividend_yield : float
        Continuously compounded, decimal a year.
    stated_spot : float, optional
        The underlying price that came with the chain.
    max_years : float
        Later expiries are left out: there early exercise and unknown dividends blur parity.
    moneyness : float
        Strikes within this share of the spot count.
    min_strikes : int
        Fewest strikes for an expiry to count.

    Returns
    -------
    ParitySpot

    Raises
    ------
    InvalidInputError
        If shapes disagree, a quote is crossed or negative, or a contract is quoted twice.
    InsufficientDataError
        If no expiry has enough strikes with both sides quoted.

    Notes
    -----
    ``S = exp(q T) (C - P + K exp(-r T))`` at the middle of the quotes; the median over strikes near
    the money, where early exercise is worth least. The strike whose call and put are closest
    starts the search.

    References
    ----------
    Stoll, H. (1969), The relationship between put and call option prices, Journal of Finance 24.
    """
    quotes = _quotes(years, strike, is_call, bid, ask)
    finite(rate, "rate")
    finite(dividend_yield, "dividend_yield")
    open_unit(moneyness, "moneyness")
    found = []
    for expiry in np.unique(quotes.years[quotes.years <= max_years]):
        pairs = _pairs(quotes, float(expiry))
        if pairs.strike.size < min_strikes:
            continue
        growth = np.exp(dividend_yield * expiry)
        discounted = pairs.strike * np.exp(-rate * expiry)
        middle = growth * (pairs.call_middle - pairs.put_middle + discounted)
        start = middle[np.argmin(np.abs(pairs.call_middle - pairs.put_middle))]
        near = np.abs(pairs.strike / start - 1.0) <= moneyness
        if np.count_nonzero(near) < min_strikes:
            continue
        buying = growth * (pairs.call_bid - pairs.put_ask + discounted)[near]
        selling = growth * (pairs.call_ask - pairs.put_bid + discounted)[near]
        found.append(
            (expiry, np.median(middle[near]), buying.max(), selling.min(), np.count_nonzero(near))
        )
    if not found:
        raise InsufficientDataError(
            f"no expiry within {max_years:.3g} years has {min_strikes} strikes near the money with "
            "puts and calls quoted on both sides; supply a fuller chain or relax the limits",
            required=min_strikes,
            available=0,
        )
    columns = [np.array(column, dtype=np.float64) for column in zip(*found, strict=True)]
    spot, low, high = (float(np.median(column)) for column in columns[1:4])
    stated = None if stated_spot is None else positive(stated_spot, "stated_spot")
    return ParitySpot(
        spot=spot,
        low=min(low, high),
        high=max(low, high),
        expiry_years=columns[0],
        expiry_spot=columns[1],
        expiry_low=columns[2],
        expiry_high=columns[3],
        n_strikes=columns[4].astype(np.int64),
        stated_spot=stated,
        gap=None if stated is None else stated / spot - 1.0,
        in_step=None if stated is None else min(low, high) <= stated <= max(low, high),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Quotes:
    years: FloatArray
    strike: FloatArray
    is_call: BoolArray
    bid: FloatArray
    ask: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Calls and puts of one expiry, strike by strike."""

    strike: FloatArray
    call_bid: FloatArray
    call_ask: FloatArray
    put_bid: FloatArray
    put_ask: FloatArray

    @property
    def call_middle(self) -> FloatArray:
        return (self.call_bid + self.call_ask) / 2.0

    @property
    def put_middle(self) -> FloatArray:
        return (self.put_bid + self.put_ask) / 2.0


def _quotes(
    years: ArrayLike, strike: ArrayLike, is_call: ArrayLike, bid: ArrayLike, ask: ArrayLike
) -> _Quotes:
    """Return the quotes that have both sides."""
    time = finite_vector(years, "years")
    strikes = finite_vector(strike, "strike")
    calls = np.asarray(is_call)
    if calls.dtype != np.bool_:
        raise InvalidInputError("is_call must hold booleans", argument="is_call")
    if strikes.shape != time.shape or calls.shape != time.shape:
        raise InvalidInputError(
            "years, strike, is_call, bid and ask must have one entry a quote", argument="strike"
        )
    bids = bounded(masked_vector(bid, "bid", length=time.size), "bid")
    asks = bounded(masked_vector(ask, "ask", length=time.size), "ask")
    if (time < 0.0).any() or not (strikes > 0.0).all():
        raise InvalidInputError(
            "years must not be negative and strikes must be positive", argument="years"
        )
    quoted = ~np.isnan(bids) & ~np.isnan(asks) & (bids != 0.0)
    if (bids[quoted] < 0.0).any() or (bids[quoted] > asks[quoted]).any():
        raise InvalidInputError(
            "a quote is crossed or negative; drop it or correct it", argument="bid"
        )
    return _Quotes(time[quoted], strikes[quoted], calls[quoted], bids[quoted], asks[quoted])


def _pairs(quotes: _Quotes, expiry: float) -> _Pairs:
    sides = []
    for wanted in (True, False):
        rows = np.flatnonzero((quotes.years == expiry) & (quotes.is_call == wanted))
        rows = rows[np.argsort(quotes.strike[rows], kind="stable")]
        if (np.diff(quotes.strike[rows]) == 0.0).any():
            raise InvalidInputError(
                "a contract is quoted twice; keep one quote of each", argument="strike"
            )
        sides.append(rows)
    strikes, calls, puts = np.intersect1d(
        quotes.strike[sides[0]], quotes.strike[sides[1]], assume_unique=True, return_indices=True
    )
    call, put = sides[0][calls], sides[1][puts]
    return _Pairs(strikes, quotes.bid[call], quotes.ask[call], quotes.bid[put], quotes.ask[put])
