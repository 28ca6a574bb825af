"""Pressure of resets on a market, indicator by indicator; there is no composite score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analytics.engine.checks import (
    at_least,
    enough,
    finite_array,
    finite_vector,
    positive,
    same_shape,
)
from analytics.engine.errors import DegenerateInputError, EngineError, InvalidInputError
from analytics.engine.leverage.variance_ratio import variance_ratio
from analytics.engine.types import Failure, FloatArray


@dataclass(frozen=True, slots=True)
class RankedIndicator:
    """An indicator's latest value among its own past.

    Attributes
    ----------
    value : float
    percentile : float
        Mid-rank share of the history below the value, 0 to 1; ties count by half.
    standard_error : float
        Of the percentile, ``sqrt(p (1 - p)/n)``; too small where the history moves slowly.
    n_obs : int
        Length of the history, the latest value included.
    """

    value: float
    percentile: float
    standard_error: float
    n_obs: int


def ranked_indicator(history: FloatArray, *, min_obs: int = 60) -> RankedIndicator:
    """Rank the last value of a history within the whole of it.

    Parameters
    ----------
    history : float64 array of shape (n_obs,)
        Oldest first; the last value is the one asked about.
    min_obs : int

    Returns
    -------
    RankedIndicator

    Examples
    --------
    >>> ranked_indicator(np.arange(100.0)).percentile
    0.995
    """
    values = finite_vector(history, "history", min_length=max(min_obs, 2))
    last, n_obs = values[-1], values.shape[0]
    percentile = float(((values < last).sum() + (values == last).sum() / 2.0) / n_obs)
    return RankedIndicator(
        value=float(last),
        percentile=percentile,
        standard_error=float(np.sqrt(percentile * (1.0 - percentile) / n_obs)),
        n_obs=n_obs,
    )


def squeeze_indicators(
    histories: Mapping[str, FloatArray], *, min_obs: int = 60
) -> dict[str, RankedIndicator | Failure]:
    """Rank every indicator within its own history.

    Parameters
    ----------
    histories : mapping of str to float64 array of shape (n_obs,)
        Indicator histories by name; their lengths may differ.
    min_obs : int

    Returns
    -------
    dict of str to RankedIndicator or Failure
        Each with its own percentile; they are not added up, as no composite can be verified.
    """
    ranked: dict[str, RankedIndicator | Failure] = {}
    for name, history in histories.items():
        try:
            ranked[name] = ranked_indicator(history, min_obs=min_obs)
        except EngineError as error:
            ranked[name] = error.failure
    return ranked


def flow_pressure_history(
    multiples: FloatArray,
    assets: FloatArray,
    daily_volumes: FloatArray,
    index_return: float,
    *,
    close_share: float = 0.1,
) -> FloatArray:
    """Share of the close's volume that resets would take after a given move, day by day.

    Parameters
    ----------
    multiples : float64 array of shape (n_funds,)
    assets : float64 array of shape (n_funds, n_obs)
        At each close, currency; 0 before a fund's inception.
    daily_volumes : float64 array of shape (n_obs,)
        Average daily volume of the basket as known on each day, currency.
    index_return : float
        The move, such as 0.03.
    close_share : float

    Returns
    -------
    float64 array of shape (n_obs,)
        Signed like the move.
    """
    m = finite_vector(multiples, "multiples")
    held = np.atleast_2d(finite_array(assets, "assets"))
    volumes = finite_vector(daily_volumes, "daily_volumes")
    if held.shape != (m.shape[0], volumes.shape[0]) or (held < 0).any():
        raise InvalidInputError(
            f"assets must be {m.shape[0]} funds by {volumes.shape[0]} days and not negative",
            argument="assets",
        )
    if (volumes <= 0).any():
        raise InvalidInputError("daily_volumes must be positive", argument="daily_volumes")
    pressure: FloatArray = (m * (m - 1.0)) @ held * index_return
    return pressure / (volumes * positive(close_share, "close_share"))


def flow_alignment_history(
    net_creations: FloatArray, index_returns: FloatArray, *, window: int = 5
) -> FloatArray:
    """Do creations follow or fade the index: -1 to 1 over a rolling window.

    Parameters
    ----------
    net_creations : float64 array of shape (n_obs,)
        Exposure created, m times net creations summed over the funds, currency.
    index_returns : float64 array of shape (n_obs,)
    window : int
        Days.

    Returns
    -------
    float64 array of shape (n_obs - window + 1,)
        Mean of sign(flow) sign(return): 1 when flows chase the move and add to the resets, -1 when
        they offset them.
    """
    flows = finite_vector(net_creations, "net_creations")
    moves = finite_vector(index_returns, "index_returns")
    same_shape(flows, moves, "net_creations", "index_returns")
    enough(flows.shape[0], at_least(window, 1, "window"), "net_creations")
    signs = np.sign(flows) * np.sign(moves)
    aligned: FloatArray = np.lib.stride_tricks.sliding_window_view(signs, window).mean(axis=1)
    return aligned


def variance_ratio_history(
    index_returns: FloatArray, *, window: int = 63, holding_days: int = 5
) -> FloatArray:
    """Variance ratio over rolling windows, above 1 where the index trends.

    Parameters
    ----------
    index_returns : float64 array of shape (n_obs,)
    window, holding_days : int

    Returns
    -------
    float64 array of shape (n_obs - window + 1,)
    """
    returns = finite_vector(index_returns, "index_returns")
    enough(returns.shape[0], at_least(window, 2 * holding_days, "window"), "index_returns")
    windows = np.lib.stride_tricks.sliding_window_view(returns, window)
    return np.array([variance_ratio(row, holding_days).ratio for row in windows])


def weighting_gap_history(
    member_returns: FloatArray, weights: FloatArray, *, window: int = 5
) -> FloatArray:
    """Equal-weighted less cap-weighted index return over a rolling window.

    Parameters
    ----------
    member_returns : float64 array of shape (n_members, n_obs)
        Decimals; 0 weight where a name was not a member on the day.
    weights : float64 array of shape (n_members, n_obs)
        Index weights at the start of each day; any scale.
    window : int

    Returns
    -------
    float64 array of shape (n_obs - window + 1,)
        Sum of daily differences, decimal; negative when few large members lead.

    Raises
    ------
    DegenerateInputError
        If a day has no members.
    """
    returns = np.atleast_2d(finite_array(member_returns, "member_returns"))
    shares = np.atleast_2d(finite_array(weights, "weights"))
    same_shape(returns, shares, "member_returns", "weights")
    if (shares < 0).any():
        raise InvalidInputError("weights must not be negative", argument="weights")
    enough(returns.shape[1], at_least(window, 1, "window"), "member_returns")
    member = shares > 0
    count, total = member.sum(axis=0), shares.sum(axis=0)
    if (count == 0).any():
        day = int(np.argmax(count == 0))
        raise DegenerateInputError(f"no member has a weight on day {day}", row=day)
    equal = np.where(member, returns, 0.0).sum(axis=0) / count
    gap = equal - (shares * returns).sum(axis=0) / total
    summed: FloatArray = np.lib.stride_tricks.sliding_window_view(gap, window).sum(axis=1)
    return summed


def implied_volatility_slope(
    one_week_volatility: FloatArray, one_month_volatility: FloatArray
) -> FloatArray:
    """One-week over one-month implied volatility, less 1.

    Parameters
    ----------
    one_week_volatility, one_month_volatility : float64 array of shape (n_obs,)
        Annualized decimals, positive.

    Returns
    -------
    float64 array of shape (n_obs,)
        Above 0 where the near end is bid.
    """
    near = finite_vector(one_week_volatility, "one_week_volatility")
    far = finite_vector(one_month_volatility, "one_month_volatility")
    same_shape(near, far, "one_week_volatility", "one_month_volatility")
    if (near <= 0).any() or (far <= 0).any():
        raise InvalidInputError(
            "implied volatilities must be positive; drop quotes without one",
            argument="one_week_volatility",
        )
    return near / far - 1.0
