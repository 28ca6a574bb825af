"""Black-Scholes-Merton price, delta and implied volatility, for options inside a portfolio."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from analytics.engine.checks import finite, not_negative, positive
from analytics.engine.errors import DegenerateInputError, InvalidInputError


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


def option_price(terms: OptionTerms, volatility: float) -> float:
    """Black-Scholes-Merton value per share of the underlying.

    Parameters
    ----------
    terms : OptionTerms
    volatility : float
        Annual, decimal; 0 gives the discounted intrinsic value.

    Returns
    -------
    float

    References
    ----------
    Black, F. and Scholes, M. (1973), JPE 81, eq. 13; Merton, R. (1973), Bell Journal 4.

    Examples
    --------
    >>> terms = OptionTerms(spot=42, strike=40, years=0.5, rate=0.1, is_call=True)
    >>> round(option_price(terms, 0.2), 2)
    4.76
    """
    if not_negative(volatility, "volatility") == 0.0:
        return terms.lower_bound
    d1, d2 = _d1_d2(terms, volatility)
    sign = terms.sign
    return sign * (
        terms.discounted_spot * float(ndtr(sign * d1))
        - terms.discounted_strike * float(ndtr(sign * d2))
    )


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
    d1, _ = _d1_d2(terms, positive(volatility, "volatility"))
    sign = terms.sign
    return sign * float(np.exp(-terms.dividend_yield * terms.years)) * float(ndtr(sign * d1))


def _d1_d2(terms: OptionTerms, volatility: float) -> tuple[float, float]:
    deviation = volatility * float(np.sqrt(terms.years))
    moneyness = float(np.log(terms.discounted_spot / terms.discounted_strike))
    d1 = moneyness / deviation + deviation / 2.0
    return d1, d1 - deviation


_LARGEST_VOLATILITY = 20.0


def implied_volatility(terms: OptionTerms, price: float) -> float:
    """Volatility at which the model gives the quoted price.

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

    Notes
    -----
    Bisection on the price, which increases with volatility, down to neighboring floats.
    """
    quoted = finite(price, "price")
    low, high = terms.lower_bound, terms.upper_bound
    if quoted < low or quoted >= high:
        raise InvalidInputError(
            f"price {quoted} lies outside the bounds {low:.6g} to {high:.6g}; "
            "check that spot and quote are from the same moment",
            argument="price",
        )
    if quoted - low <= 1e-12 * terms.spot:
        raise DegenerateInputError(
            "the price has no time value, so no volatility can be read from it", price=quoted
        )
    if option_price(terms, _LARGEST_VOLATILITY) < quoted:
        raise InvalidInputError(
            f"price {quoted} implies a volatility above {_LARGEST_VOLATILITY:.0%}", argument="price"
        )
    below, above = 0.0, _LARGEST_VOLATILITY
    # The midpoint equals an end when the bracket is down to neighboring floats.
    while below < (middle := (below + above) / 2.0) < above:
        if option_price(terms, middle) < quoted:
            below = middle
        else:
            above = middle
    return above
