"""Implied volatility of quoted prices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analytics.engine.checks import finite, masked_rows
from analytics.engine.errors import (
    DegenerateInputError,
    InsufficientDataError,
    InvalidInputError,
    error_from,
)
from analytics.engine.options.pricing import OptionBatch, OptionTerms, batch_of, time_value
from analytics.engine.types import BoolArray, Failure, FloatArray

LARGEST_VOLATILITY = 20.0
# Time value below this share of the spot is rounding of the price.
_SMALLEST_TIME_VALUE = 1e-12
_MOST_STEPS = 200


@dataclass(frozen=True, slots=True, eq=False)
class ImpliedVolatilityBatch:
    """Implied volatilities, one an option.

    Attributes
    ----------
    volatility : float64 array of shape (n_options,)
        Annual, decimal; the placeholder 0 where `failures` has a record.
    failures : tuple of Failure or None
    """

    volatility: FloatArray
    failures: tuple[Failure | None, ...]

    @property
    def ok(self) -> BoolArray:
        """Return which options have an answer."""
        return np.array([failure is None for failure in self.failures], dtype=np.bool_)

    def at(self, index: int) -> float:
        """Return one option's volatility, or raise its failure."""
        failure = self.failures[index]
        if failure is not None:
            raise error_from(failure)
        return float(self.volatility[index])


def implied_volatilities(options: OptionBatch, price: ArrayLike) -> ImpliedVolatilityBatch:
    """Volatilities at which the model gives the quoted prices.

    Parameters
    ----------
    options : OptionBatch
        Of shape (n_options,).
    price : array_like of float
        Per share of the underlying; NaN marks a missing quote.

    Returns
    -------
    ImpliedVolatilityBatch

    Notes
    -----
    Newton's method on the logarithm of the time value, which is increasing and concave in the
    volatility, kept inside a bracket that halves when a step leaves it. A price outside the
    no-arbitrage bounds fails with ``invalid_input`` (often spot and quote are not from the same
    moment: see `parity_implied_spot`), one without time value with ``degenerate``.
    """
    quoted = np.broadcast_to(masked_rows(price, "price")[0], options.spot.shape)
    low, high = options.lower_bound, options.upper_bound
    value = quoted - low
    largest = time_value(options, LARGEST_VOLATILITY * np.sqrt(options.years))
    failures: list[Failure | None] = [None] * quoted.size
    # The last to be written is what is served: a missing quote comes before everything.
    for row in np.flatnonzero(value > largest):
        failures[row] = InvalidInputError(
            f"price {quoted[row]} implies a volatility above {LARGEST_VOLATILITY:.0%}",
            argument="price",
        ).failure
    for row in np.flatnonzero(value <= _SMALLEST_TIME_VALUE * options.spot):
        failures[row] = DegenerateInputError(
            "the price has no time value, so no volatility can be read from it",
            price=float(quoted[row]),
        ).failure
    for row in np.flatnonzero((quoted < low) | (quoted >= high)):
        failures[row] = InvalidInputError(
            f"price {quoted[row]} lies outside the bounds {low[row]:.6g} to {high[row]:.6g}; "
            "check that spot and quote are from the same moment",
            argument="price",
        ).failure
    for row in np.flatnonzero(np.isnan(quoted)):
        failures[row] = InsufficientDataError("there is no quote for this option").failure
    wanted = np.array([failure is None for failure in failures], dtype=np.bool_)
    volatility = np.zeros(quoted.size)
    if wanted.any():
        chosen = OptionBatch(
            spot=options.spot[wanted],
            strike=options.strike[wanted],
            years=options.years[wanted],
            rate=options.rate[wanted],
            dividend_yield=options.dividend_yield[wanted],
            is_call=options.is_call[wanted],
        )
        volatility[wanted] = _deviation(chosen, value[wanted]) / np.sqrt(chosen.years)
    return ImpliedVolatilityBatch(volatility=volatility, failures=tuple(failures))


def _deviation(options: OptionBatch, target: FloatArray) -> FloatArray:
    """Return volatility times sqrt(years) at which the time value is `target`."""
    moneyness = np.abs(options.log_moneyness)
    smaller = np.minimum(options.discounted_spot, options.discounted_strike)
    below = np.zeros_like(target)
    above = LARGEST_VOLATILITY * np.sqrt(options.years)
    # The inflection of the value: as near to the middle of the range as is known beforehand.
    found = np.clip(np.sqrt(2.0 * moneyness), 1e-4 * above, above)
    log_target = np.log(target)
    for _ in range(_MOST_STEPS):
        value = time_value(options, found)
        too_low = value < target
        below = np.where(too_low, found, below)
        above = np.where(too_low, above, found)
        near = -moneyness / found + found / 2.0
        with np.errstate(under="ignore", divide="ignore", over="ignore", invalid="ignore"):
            slope = smaller * np.exp(-0.5 * near**2) / np.sqrt(2.0 * np.pi) / value
            stepped = found + (log_target - np.log(value)) / slope
        inside = np.isfinite(stepped) & (stepped > below) & (stepped < above)
        following = np.where(inside, stepped, (below + above) / 2.0)
        settled = np.abs(following - found) <= 4.0 * np.spacing(found)
        found = following
        if settled.all():
            break
    return found


def implied_volatility(terms: OptionTerms, price: float) -> float:
    """Volatility at which the model gives the quoted price; see `implied_volatilities`.

    Parameters
    ----------
    terms : OptionTerms
    price : float
        Per share of the underlying.

    Returns
    -------
    float
        Annual, decimal.

    Raises
    ------
    InvalidInputError
        If the price lies outside the no-arbitrage bounds, for example because spot and quote are
        not from the same moment.
    DegenerateInputError
        If the price carries no information on volatility (it equals the lower bound).
    """
    return implied_volatilities(batch_of(terms), np.array([finite(price, "price")])).at(0)
