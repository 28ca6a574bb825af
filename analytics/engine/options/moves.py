"""What prices say about coming moves, and what passing time costs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analytics.engine.checks import not_negative, positive
from analytics.engine.errors import InvalidInputError
from analytics.engine.options.greeks import option_greeks
from analytics.engine.options.pricing import (
    CALENDAR_DAYS_PER_YEAR,
    OptionTerms,
    option_price,
)


@dataclass(frozen=True, slots=True)
class ThetaBleed:
    """Value lost by waiting, spot and volatility unchanged; a loss is positive.

    Attributes
    ----------
    days : float
        Calendar days.
    by_repricing : float
        Value now less value then, per share.
    by_theta : float
        Today's theta times the days: what a straight line would say.
    remaining_value : float
        Value then.
    """

    days: float
    by_repricing: float
    by_theta: float
    remaining_value: float


def theta_bleed(terms: OptionTerms, volatility: float, days: float) -> ThetaBleed:
    """Value an option loses over calendar days, by repricing it.

    Parameters
    ----------
    terms : OptionTerms
    volatility : float
        Annual, decimal, positive.
    days : float
        Calendar days; past the expiry the intrinsic value is what remains.

    Returns
    -------
    ThetaBleed

    Examples
    --------
    >>> put = OptionTerms(spot=250, strike=240, years=14 / 365, rate=0.043, dividend_yield=0.004,
    ...                   is_call=False)
    >>> bleed = theta_bleed(put, 0.48, 7)
    >>> round(bleed.by_repricing, 3), round(bleed.by_theta, 3)
    (2.279, 2.009)
    """
    not_negative(days, "days")
    greeks = option_greeks(terms, volatility)
    left = terms.years - days / CALENDAR_DAYS_PER_YEAR
    if left > 0.0:
        remaining = option_price(replace(terms, years=left), volatility)
    else:
        remaining = max(terms.sign * (terms.spot - terms.strike), 0.0)
    return ThetaBleed(
        days=float(days),
        by_repricing=greeks.price - remaining,
        by_theta=-greeks.theta_per_day * days,
        remaining_value=remaining,
    )


@dataclass(frozen=True, slots=True)
class ImpliedMove:
    """Move to expiry that a straddle prices in.

    Attributes
    ----------
    expected_absolute : float
        Straddle over spot, decimal: the expected size of the move, not one standard deviation.
    standard_deviation : float
        The same under a normal law, ``expected_absolute * sqrt(pi/2)``.
    """

    expected_absolute: float
    standard_deviation: float


def implied_move(call_price: float, put_price: float, spot: float) -> ImpliedMove:
    """Move that an at-the-money straddle prices in.

    Parameters
    ----------
    call_price, put_price : float
        Of one strike near the spot, per share.
    spot : float

    Returns
    -------
    ImpliedMove

    References
    ----------
    Brenner, M. and Subrahmanyam, M. (1988), A simple formula to compute the implied standard
    deviation, Financial Analysts Journal 44.
    """
    straddle = not_negative(call_price, "call_price") + not_negative(put_price, "put_price")
    size = straddle / positive(spot, "spot")
    return ImpliedMove(expected_absolute=size, standard_deviation=size * float(np.sqrt(np.pi / 2)))


def expected_absolute_move(volatility: float, years: float) -> float:
    """Expected size of the move of a normal law, sqrt(2/pi) sigma sqrt(T), decimal.

    Parameters
    ----------
    volatility : float
        Annual, decimal.
    years : float

    References
    ----------
    Brenner, M. and Subrahmanyam, M. (1988), Financial Analysts Journal 44.
    """
    deviation = not_negative(volatility, "volatility") * np.sqrt(positive(years, "years"))
    return float(np.sqrt(2.0 / np.pi) * deviation)


@dataclass(frozen=True, slots=True)
class EventVolatility:
    """Volatility that the front expiry prices in for an event.

    Attributes
    ----------
    event_move : float
        Standard deviation of the move over the event, decimal.
    base_volatility : float
        Annual volatility of the days without the event.
    event_day_volatility : float
        Annualized volatility of an event day.
    event_variance, front_variance : float
        Of the event alone, and of the front expiry in all; not annualized.
    """

    event_move: float
    base_volatility: float
    event_day_volatility: float
    event_variance: float
    front_variance: float


def event_volatility(
    front_volatility: float,
    front_years: float,
    back_volatility: float,
    back_years: float,
    *,
    event_days: float = 1.0,
) -> EventVolatility:
    """Separate an event before the front expiry from the volatility of ordinary days.

    Parameters
    ----------
    front_volatility, back_volatility : float
        Implied, annual, decimal; at the money.
    front_years, back_years : float
        To the two expiries, actual days over 365; the event is before the front one and none is
        between them.
    event_days : float
        Calendar days that the event takes.

    Returns
    -------
    EventVolatility

    Raises
    ------
    InvalidInputError
        If the expiries are not in order, or the quotes leave the days between them or the event a
        negative variance.

    Notes
    -----
    Variances add: ``base = (s2^2 T2 - s1^2 T1)/(T2 - T1)`` and
    ``event = s1^2 T1 - base (T1 - event_days/365)``.

    Examples
    --------
    >>> round(event_volatility(0.55, 7 / 365, 0.47, 35 / 365).event_move, 4)
    0.0501
    """
    first, second = positive(front_years, "front_years"), positive(back_years, "back_years")
    duration = positive(event_days, "event_days") / CALENDAR_DAYS_PER_YEAR
    if second <= first:
        raise InvalidInputError(
            "back_years must lie after front_years; order the expiries", argument="back_years"
        )
    if duration > first:
        raise InvalidInputError(
            "event_days reach beyond the front expiry; take a later front expiry",
            argument="event_days",
        )
    front = positive(front_volatility, "front_volatility") ** 2 * first
    back = positive(back_volatility, "back_volatility") ** 2 * second
    base = (back - front) / (second - first)
    if base < 0.0:
        raise InvalidInputError(
            "the back expiry has less variance in all than the front one; check both quotes",
            argument="back_volatility",
        )
    event = front - base * (first - duration)
    if event < 0.0:
        raise InvalidInputError(
            "the front expiry has less variance than its ordinary days alone, so the quotes show "
            "no event before it",
            argument="front_volatility",
        )
    return EventVolatility(
        event_move=float(np.sqrt(event)),
        base_volatility=float(np.sqrt(base)),
        event_day_volatility=float(np.sqrt(event / duration)),
        event_variance=event,
        front_variance=front,
    )
