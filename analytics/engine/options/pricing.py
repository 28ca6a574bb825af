"""Black-Scholes-Merton prices with a dividend yield, one option or a batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from analytics.engine.checks import finite, finite_array, not_negative, positive
from analytics.engine.errors import InvalidInputError
from analytics.engine.types import BoolArray, FloatArray

CALENDAR_DAYS_PER_YEAR = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionTerms:
    """A European option and the market it is in.

    Attributes
    ----------
    spot, strike : float
        Same currency, positive.
    years : float
        To expiry, actual days over 365, positive.
    rate, dividend_yield : float
        Continuously compounded, decimal a year.
    is_call : bool
    """

    spot: float
    strike: float
    years: float
    rate: float
    dividend_yield: float = 0.0
    is_call: bool

    def __post_init__(self) -> None:
        positive(self.spot, "spot")
        positive(self.strike, "strike")
        positive(self.years, "years")
        finite(self.rate, "rate")
        finite(self.dividend_yield, "dividend_yield")

    @property
    def sign(self) -> float:
        """1 for a call, -1 for a put."""
        return 1.0 if self.is_call else -1.0

    @property
    def discounted_spot(self) -> float:
        """Spot less the value of dividends to expiry."""
        return self.spot * float(np.exp(-self.dividend_yield * self.years))

    @property
    def discounted_strike(self) -> float:
        """Present value of the strike."""
        return self.strike * float(np.exp(-self.rate * self.years))

    @property
    def lower_bound(self) -> float:
        """Value at zero volatility."""
        return max(self.sign * (self.discounted_spot - self.discounted_strike), 0.0)

    @property
    def upper_bound(self) -> float:
        """Value at infinite volatility."""
        return self.discounted_spot if self.is_call else self.discounted_strike


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OptionBatch:
    """European options, one an element; every array has the same shape.

    Attributes
    ----------
    spot, strike : float64 array
        Same currency, positive.
    years : float64 array
        To expiry, actual days over 365; 0 is an option at its expiry.
    rate, dividend_yield : float64 array
        Continuously compounded, decimal a year.
    is_call : bool array
    """

    spot: FloatArray
    strike: FloatArray
    years: FloatArray
    rate: FloatArray
    dividend_yield: FloatArray
    is_call: BoolArray

    @property
    def sign(self) -> FloatArray:
        """1 for a call, -1 for a put."""
        return np.where(self.is_call, 1.0, -1.0)

    @property
    def discounted_spot(self) -> FloatArray:
        """Spot less the value of dividends to expiry."""
        return self.spot * np.exp(-self.dividend_yield * self.years)

    @property
    def discounted_strike(self) -> FloatArray:
        """Present value of the strike."""
        return self.strike * np.exp(-self.rate * self.years)

    @property
    def lower_bound(self) -> FloatArray:
        """Value at zero volatility."""
        return np.maximum(self.sign * (self.discounted_spot - self.discounted_strike), 0.0)

    @property
    def upper_bound(self) -> FloatArray:
        """Value at infinite volatility."""
        return np.where(self.is_call, self.discounted_spot, self.discounted_strike)

    @property
    def log_moneyness(self) -> FloatArray:
        """Logarithm of forward over strike."""
        return np.log(self.spot / self.strike) + (self.rate - self.dividend_yield) * self.years


def option_batch(
    *,
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike = 0.0,
    is_call: ArrayLike,
) -> OptionBatch:
    """Return options of which every argument may be one value or an array.

    Parameters
    ----------
    spot, strike : array_like of float
        Same currency, positive.
    years : array_like of float
        To expiry, actual days over 365, zero or positive.
    rate, dividend_yield : array_like of float
        Continuously compounded, decimal a year.
    is_call : array_like of bool

    Returns
    -------
    OptionBatch

    Raises
    ------
    InvalidInputError
        If a value is out of range or the shapes cannot be brought together.
    """
    named = {
        "spot": spot, "strike": strike, "years": years, "rate": rate,
        "dividend_yield": dividend_yield,
    }  # fmt: skip
    arrays = [finite_array(value, name) for name, value in named.items()]
    for name, array in zip(("spot", "strike"), arrays[:2], strict=True):
        if not (array > 0.0).all():
            raise InvalidInputError(f"{name} must be positive everywhere", argument=name)
    if not (arrays[2] >= 0.0).all():
        raise InvalidInputError(
            "years must not be negative; leave out options that have expired", argument="years"
        )
    calls = np.asarray(is_call)
    if calls.dtype != np.bool_:
        raise InvalidInputError("is_call must hold booleans", argument="is_call")
    try:
        *numbers, flags = np.broadcast_arrays(*arrays, calls)
    except ValueError as error:
        raise InvalidInputError(f"the arguments have no common shape: {error}") from error
    return OptionBatch(**dict(zip(named, numbers, strict=True)), is_call=flags)


def batch_of(terms: OptionTerms) -> OptionBatch:
    """Return a batch of the one option."""
    return OptionBatch(
        spot=np.array([terms.spot], dtype=np.float64),
        strike=np.array([terms.strike], dtype=np.float64),
        years=np.array([terms.years], dtype=np.float64),
        rate=np.array([terms.rate], dtype=np.float64),
        dividend_yield=np.array([terms.dividend_yield], dtype=np.float64),
        is_call=np.array([terms.is_call]),
    )


def option_prices(options: OptionBatch, volatility: ArrayLike) -> FloatArray:
    """Black-Scholes-Merton values per share of the underlying.

    Parameters
    ----------
    options : OptionBatch
    volatility : array_like of float
        Annual, decimal, one or one an option; 0 gives the discounted intrinsic value.

    Returns
    -------
    float64 array

    Notes
    -----
    The value is the discounted intrinsic value plus the value of the out-of-the-money option of
    the same strike, so time value keeps its digits deep in the money.

    References
    ----------
    Black, F. and Scholes, M. (1973), JPE 81, eq. 13; Merton, R. (1973), Bell Journal 4.
    """
    sigma = finite_array(volatility, "volatility")
    if (sigma < 0.0).any():
        raise InvalidInputError("volatility must not be negative", argument="volatility")
    return options.lower_bound + time_value(options, sigma * np.sqrt(options.years))


def time_value(options: OptionBatch, deviation: FloatArray) -> FloatArray:
    """Value above the discounted intrinsic value, `deviation` being volatility times sqrt(years).

    Call and put of one strike have the same: the value of whichever is out of the money.
    """
    spot, strike = options.discounted_spot, options.discounted_strike
    moneyness = options.log_moneyness
    safe = np.where(deviation > 0.0, deviation, 1.0)
    # By symmetry the out-of-the-money side is the call at minus the size of the moneyness.
    near = -np.abs(moneyness) / safe
    with np.errstate(under="ignore"):
        larger = np.maximum(spot, strike) * ndtr(near - safe / 2.0)
        smaller = np.minimum(spot, strike) * ndtr(near + safe / 2.0)
    return np.where(deviation > 0.0, np.maximum(smaller - larger, 0.0), 0.0)


def option_price(terms: OptionTerms, volatility: float) -> float:
    """Black-Scholes-Merton value of one option; see `option_prices`.

    Parameters
    ----------
    terms : OptionTerms
    volatility : float
        Annual, decimal; 0 gives the discounted intrinsic value.

    Returns
    -------
    float

    Examples
    --------
    >>> terms = OptionTerms(spot=42, strike=40, years=0.5, rate=0.1, is_call=True)
    >>> round(option_price(terms, 0.2), 2)
    4.76
    """
    return float(option_prices(batch_of(terms), not_negative(volatility, "volatility"))[0])


def early_exercise_bound(terms: OptionTerms) -> float:
    """Upper bound of what the right to exercise early adds to the European value.

    Parameters
    ----------
    terms : OptionTerms

    Returns
    -------
    float
        Interest on the strike for a put, dividends on the spot for a call, to expiry; per share.

    Notes
    -----
    Listed options on shares and funds are American. An American put is worth no more than the
    European put whose strike grows at the rate: the difference is at most ``K (1 - exp(-r T))``
    when dividends are not negative, and for a call ``S (1 - exp(-q T))`` when the rate is not.

    References
    ----------
    Merton, R. (1973), Theory of rational option pricing, Bell Journal of Economics 4, section 4.
    """
    carry = terms.dividend_yield if terms.is_call else terms.rate
    base = terms.spot if terms.is_call else terms.strike
    return base * max(-float(np.expm1(-carry * terms.years)), 0.0)
