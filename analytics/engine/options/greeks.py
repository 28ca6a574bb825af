"""Sensitivities of Black-Scholes-Merton values, each with its unit."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from analytics.engine.checks import finite_array, finite_result, positive
from analytics.engine.errors import InvalidInputError
from analytics.engine.options.pricing import (
    CALENDAR_DAYS_PER_YEAR,
    OptionBatch,
    OptionTerms,
    batch_of,
    option_prices,
)
from analytics.engine.types import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class GreeksBatch:
    """Value and sensitivities per share of the underlying; a field of `Greeks` is an array here."""

    price: FloatArray
    delta: FloatArray
    gamma: FloatArray
    vega: FloatArray
    theta: FloatArray
    rho: FloatArray
    dividend_rho: FloatArray
    vanna: FloatArray
    volga: FloatArray
    charm: FloatArray
    veta: FloatArray
    speed: FloatArray
    zomma: FloatArray
    color: FloatArray
    strike_delta: FloatArray
    exercise_probability: FloatArray

    def at(self, index: int) -> Greeks:
        """Return one option's sensitivities."""
        return Greeks(**{f.name: float(getattr(self, f.name).flat[index]) for f in fields(self)})


@dataclass(frozen=True, slots=True)
class Greeks:
    """Value and sensitivities of one option, per share of the underlying.

    Attributes
    ----------
    price : float
    delta : float
        Per 1 of spot; negative for a put.
    gamma : float
        Change of delta per 1 of spot.
    vega : float
        Per 1.00 of volatility; see `vega_per_point`.
    theta : float
        Per year that passes; see `theta_per_day`.
    rho, dividend_rho : float
        Per 1.00 of the rate, of the dividend yield; see `rho_per_point`.
    vanna : float
        Change of delta per 1.00 of volatility.
    volga : float
        Change of vega per 1.00 of volatility.
    charm, veta, color : float
        Change of delta, vega, gamma per year that passes.
    speed, zomma : float
        Change of gamma per 1 of spot, per 1.00 of volatility.
    strike_delta : float
        Per 1 of strike.
    exercise_probability : float
        Risk-neutral probability of finishing in the money.
    """

    price: float
    delta: float
    gamma: float
    vega: float
    theta: float
    rho: float
    dividend_rho: float
    vanna: float
    volga: float
    charm: float
    veta: float
    speed: float
    zomma: float
    color: float
    strike_delta: float
    exercise_probability: float

    @property
    def theta_per_day(self) -> float:
        """Theta of one calendar day, a year of 365."""
        return self.theta / CALENDAR_DAYS_PER_YEAR

    @property
    def vega_per_point(self) -> float:
        """Vega of 0.01 of volatility."""
        return self.vega / 100.0

    @property
    def rho_per_point(self) -> float:
        """Rho of 0.01 of the rate."""
        return self.rho / 100.0


def greeks_batch(options: OptionBatch, volatility: ArrayLike) -> GreeksBatch:
    """Value and sensitivities of a batch of options.

    Parameters
    ----------
    options : OptionBatch
        None at its expiry.
    volatility : array_like of float
        Annual, decimal, positive, one or one an option.

    Returns
    -------
    GreeksBatch
        Units as in `Greeks`.

    Raises
    ------
    InvalidInputError
        If a volatility or a time to expiry is not positive: a kink has no derivative.

    References
    ----------
    Haug, E. (2007), The Complete Guide to Option Pricing Formulas, chapter 2.
    """
    sigma = finite_array(volatility, "volatility")
    if not (sigma > 0.0).all() or not (options.years > 0.0).all():
        raise InvalidInputError(
            "volatility and years must be positive; at expiry there are no sensitivities",
            argument="volatility",
        )
    t, r, q = options.years, options.rate, options.dividend_yield
    s, sign = options.spot, options.sign
    deviation = sigma * np.sqrt(t)
    d1 = options.log_moneyness / deviation + deviation / 2.0
    d2 = d1 - deviation
    spot_discount = np.exp(-q * t)
    spot, strike = options.discounted_spot, options.discounted_strike
    with np.errstate(under="ignore"):
        density = np.exp(-0.5 * d1**2) / np.sqrt(2.0 * np.pi)
        n1, n2 = ndtr(sign * d1), ndtr(sign * d2)
        gamma = spot_discount * density / (s * deviation)
        vega = spot * density * np.sqrt(t)
        theta = -spot * density * sigma / (2.0 * np.sqrt(t)) + sign * (
            q * spot * n1 - r * strike * n2
        )
        # d(d1)/dt when time passes: -(d d1/dT).
        drift = ((r - q) * t - d2 * deviation / 2.0) / (t * deviation)
        charm = spot_discount * (sign * q * n1 - density * drift)
        result = GreeksBatch(
            price=option_prices(options, sigma),
            delta=sign * spot_discount * n1,
            gamma=gamma,
            vega=vega,
            theta=theta,
            rho=sign * t * strike * n2,
            dividend_rho=-sign * t * spot * n1,
            vanna=-spot_discount * density * d2 / sigma,
            volga=vega * d1 * d2 / sigma,
            charm=charm,
            veta=vega * (q + d1 * drift - 0.5 / t),
            speed=-gamma / s * (d1 / deviation + 1.0),
            zomma=gamma * (d1 * d2 - 1.0) / sigma,
            color=gamma * (q + d1 * drift + 0.5 / t),
            strike_delta=-sign * np.exp(-r * t) * n2,
            exercise_probability=n2,
        )
    for f in fields(result):
        finite_result(getattr(result, f.name), f.name)
    return result


def option_greeks(terms: OptionTerms, volatility: float) -> Greeks:
    """Value and sensitivities of one option.

    Parameters
    ----------
    terms : OptionTerms
    volatility : float
        Annual, decimal, positive.

    Returns
    -------
    Greeks

    Examples
    --------
    >>> terms = OptionTerms(spot=49, strike=50, years=0.3846, rate=0.05, is_call=True)
    >>> greeks = option_greeks(terms, 0.2)
    >>> round(greeks.delta, 3), round(greeks.vega, 1), round(greeks.theta, 2)
    (0.522, 12.1, -4.31)
    >>> round(greeks.theta_per_day, 4)
    -0.0118
    """
    return greeks_batch(batch_of(terms), positive(volatility, "volatility")).at(0)


def option_delta(terms: OptionTerms, volatility: float) -> float:
    """Change of value per unit of spot, negative for a put.

    Parameters
    ----------
    terms : OptionTerms
    volatility : float
        Annual, decimal, positive.

    Returns
    -------
    float
    """
    return option_greeks(terms, volatility).delta
