"""From price levels and exposures to return series."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analytics.engine.checks import enough, finite_result, masked_rows, masked_vector, open_unit
from analytics.engine.errors import InvalidInputError
from analytics.engine.types import BoolArray, FloatArray


class AlignedReturns(NamedTuple):
    """Returns of two instruments over the same intervals.

    Attributes
    ----------
    returns_y, returns_x : float64 array of shape (n_common - 1,)
        Simple returns as decimals, oldest first.
    common : bool array of shape (n_sessions,)
        Sessions on which both have a price.
    """

    returns_y: FloatArray
    returns_x: FloatArray
    common: BoolArray


class PortfolioReturns(NamedTuple):
    """Return series of a batch of portfolios.

    Attributes
    ----------
    series : float64 array of shape (n_portfolios, n_obs)
        Simple returns as decimals of net asset value; NaN marks a session that is excluded because
        too little of the portfolio has a return on it.
    coverage : float64 array of shape (n_portfolios, n_obs)
        Share of gross exposure with a return on the session, 0 to 1.
    """

    series: FloatArray
    coverage: FloatArray


def simple_returns(levels: FloatArray) -> FloatArray:
    """Session-to-session simple returns of price or index levels.

    Parameters
    ----------
    levels : float64 array of shape (n_sessions,) or (n_sessions, n_instruments)
        Positive; NaN where there is no price.

    Returns
    -------
    float64 array, one row fewer
        NaN unless both sessions have a price: a return over a gap is not a one-session return.

    Raises
    ------
    InvalidInputError
        If a level is not positive.
    """
    array = np.asarray(levels, dtype=np.float64)
    if np.isinf(array).any() or (array <= 0).any():
        raise InvalidInputError(
            "levels must be positive and finite, with NaN for a missing price; zero is not a price",
            argument="levels",
        )
    growth: FloatArray = array[1:] / array[:-1]
    return growth - 1.0


def aligned_returns(level_y: FloatArray, level_x: FloatArray) -> AlignedReturns:
    """Returns of a pair, on the dates for which both have a price.

    Parameters
    ----------
    level_y, level_x : float64 array of shape (n_sessions,)
        Total-return levels on one calendar, oldest first; NaN where there is no price.

    Returns
    -------
    AlignedReturns

    Raises
    ------
    InsufficientDataError
        If fewer than two sessions are common.

    Notes
    -----
    Price dates are intersected first and returns taken across the gap afterwards, so both returns
    always span the same interval. Returns computed on separate calendars and then joined pair a
    two-day return with a one-day one and bias the slope toward zero.

    Examples
    --------
    >>> pair = aligned_returns(np.array([100.0, np.nan, 99.0]), np.array([50.0, 51.0, 49.0]))
    >>> pair.returns_y.round(4).tolist(), pair.returns_x.round(4).tolist()
    ([-0.01], [-0.02])
    """
    y = masked_vector(level_y, "level_y")
    x = masked_vector(level_x, "level_x", length=y.shape[0])
    common = ~(np.isnan(y) | np.isnan(x))
    enough(int(common.sum()), 2, "the intersection of price dates")
    return AlignedReturns(simple_returns(y[common]), simple_returns(x[common]), common)


# A halving in a day without a split is unheard of for an index of shares and rare for one share.
_LARGEST_LOG_MOVE = 0.5


def refuse_jumps(
    levels: FloatArray,
    name: str,
    *,
    daily_multiple: float = 1.0,
    largest_log_move: float = _LARGEST_LOG_MOVE,
) -> None:
    """Refuse adjusted levels with a jump that looks like a missing or doubled corporate action.

    Parameters
    ----------
    levels : float64 array of shape (n_sessions,)
        Total-return levels, adjusted for splits and distributions; NaN where there is no price.
    name : str
        Of the argument, for the message.
    daily_multiple : float
        Of a leveraged or inverse fund: its moves may be this many times as large.
    largest_log_move : float
        Of ``|ln(level/previous)|`` over one session at a multiple of 1. Over a gap of g sessions
        sqrt(g) times as much passes.

    Raises
    ------
    InvalidInputError
        Naming the session, the ratio and the whole-number split it is nearest to.

    Notes
    -----
    A forgotten 2-for-1 split moves the logarithm by 0.69, a 1-for-15 by 2.7. One such day decides a
    beta: an outlier of k standard deviations weighs k^2.

    Examples
    --------
    >>> refuse_jumps(np.array([10.0, 10.5, 9.9]), "level_y")
    """
    array = masked_vector(levels, name)
    rows = np.flatnonzero(~np.isnan(array))
    steps = simple_returns(array[rows])
    moves = np.log1p(steps)
    largest = max(abs(daily_multiple), 1.0) * largest_log_move * np.sqrt(np.diff(rows))
    beyond = np.flatnonzero(np.abs(moves) > largest)
    if beyond.size:
        first = int(beyond[0])
        growth = float(1.0 + steps[first])
        nearest = max(round(growth if growth > 1.0 else 1.0 / growth), 2)
        ratio = f"1-for-{nearest}" if growth > 1.0 else f"{nearest}-for-1"
        raise InvalidInputError(
            f"{name} goes to {growth:.4g} times its level at session {int(rows[first + 1])}, near "
            f"a {ratio} split; record the corporate action, correct the price, or mark it missing",
            argument=name,
            session=int(rows[first + 1]),
            growth=growth,
        )


def portfolio_returns(
    panel_returns: FloatArray, exposures: FloatArray, *, min_coverage: float = 0.5
) -> PortfolioReturns:
    """Return series of portfolios held at fixed exposures.

    Parameters
    ----------
    panel_returns : float64 array of shape (n_obs, n_instruments)
        Simple returns as decimals, oldest first; NaN where the instrument has none.
    exposures : float64 array of shape (n_portfolios, n_instruments)
        Signed exposure over net asset value. For look-through, effective exposure in the index:
        market value times multiple, or delta-equivalent value of an option.
    min_coverage : float
        Smallest share of gross exposure that must have a return for a session to count.

    Returns
    -------
    PortfolioReturns

    Raises
    ------
    InvalidInputError
        If the shapes disagree or an exposure is not finite.

    Notes
    -----
    On a session with missing instruments the sum of exposure times return is multiplied by total
    over available gross exposure. Counting a missing return as 0 instead would shrink every beta.
    A portfolio without exposure (all cash) has returns of 0 and full coverage.
    """
    panel = masked_rows(panel_returns, "panel_returns")
    weights = masked_rows(exposures, "exposures", length=panel.shape[1])
    if np.isnan(weights).any():
        raise InvalidInputError(
            "exposures must be finite; drop a position or give it an exposure",
            argument="exposures",
        )
    if min_coverage != 1.0:
        open_unit(min_coverage, "min_coverage")
    missing = np.isnan(panel)
    if not missing.any():
        return PortfolioReturns(weights @ panel.T, np.ones((weights.shape[0], panel.shape[0])))
    series = weights @ np.where(missing, 0.0, panel).T
    gross_weights = np.abs(weights)
    gross = gross_weights.sum(axis=1, keepdims=True)
    unavailable = gross_weights @ missing.T.astype(np.float64)
    coverage = np.ones_like(series)
    np.divide(gross - unavailable, gross, out=coverage, where=gross > 0)
    # Sums in another order may leave full coverage at 1 - 1e-16.
    coverage[np.abs(coverage - 1.0) < 1e-12] = 1.0
    excluded = coverage < min_coverage - 1e-12
    np.divide(series, coverage, out=series, where=~excluded)
    series[excluded] = np.nan
    return PortfolioReturns(series, coverage)


def compound(returns: FloatArray) -> FloatArray:
    """Compounded simple return along the last axis."""
    with np.errstate(over="ignore"):
        growth: FloatArray = np.prod(1.0 + returns, axis=-1)
    return finite_result(growth - 1.0, "the compounded return")


def block_returns(returns: FloatArray, n_days: int) -> FloatArray:
    """Compounded returns of non-overlapping blocks that end at the last observation.

    Parameters
    ----------
    returns : float64 array of shape (..., n_obs)
        Simple daily returns as decimals, oldest first.
    n_days : int
        Length of a block; the oldest ``n_obs mod n_days`` observations are left out.

    Returns
    -------
    float64 array of shape (..., n_obs // n_days)
    """
    n_blocks = returns.shape[-1] // n_days
    recent = returns[..., returns.shape[-1] - n_blocks * n_days :]
    return compound(recent.reshape((*returns.shape[:-1], n_blocks, n_days)))
