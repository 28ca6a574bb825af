"""How the beta of a daily-reset fund moves within a day and over several."""

from __future__ import annotations

import numpy as np

from analytics.engine.beta.ols import BetaBatch, semiconductor_beta
from analytics.engine.checks import (
    at_least,
    enough,
    finite,
    finite_result,
    masked_rows,
    masked_vector,
    not_negative,
    returns_above_ruin,
)
from analytics.engine.errors import (
    DegenerateInputError,
    InvalidInputError,
    NonFiniteResultError,
)
from analytics.engine.regression import automatic_lags
from analytics.engine.types import (
    TRADING_DAYS_PER_YEAR,
    FloatArray,
)


def horizon_beta(
    multiple: float,
    annual_volatility: float,
    n_days: int,
    *,
    periods_per_year: int = TRADING_DAYS_PER_YEAR,
) -> float:
    """n-day beta of a daily-reset fund on its own index.

    Parameters
    ----------
    multiple : float
        Daily multiple, -3 for an inverse triple fund.
    annual_volatility : float
        Of the index, decimal.
    n_days : int
        Holding period in trading days.
    periods_per_year : int

    Returns
    -------
    float
        The multiple itself for one day or zero volatility.

    Notes
    -----
    ``((1 + m v)^n - 1)/((1 + v)^n - 1)`` with v = sigma^2/252; exact for any independent,
    identically distributed daily return of mean zero. Derived in methodology/semiconductor_beta.md.

    Examples
    --------
    >>> round(horizon_beta(-3, 0.6, 252), 4)
    -1.5271
    """
    finite(multiple, "multiple")
    not_negative(annual_volatility, "annual_volatility")
    at_least(n_days, 1, "n_days")
    daily_variance = annual_volatility**2 / periods_per_year
    if 1.0 + multiple * daily_variance <= 0.0:
        raise InvalidInputError(
            f"annual_volatility {annual_volatility} is beyond the formula for a multiple of "
            f"{multiple}; volatility is a decimal (0.6 is 60 %)",
            argument="annual_volatility",
        )
    if daily_variance == 0.0:
        return float(multiple)
    growth = np.expm1(n_days * np.log1p(np.array([multiple, 1.0]) * daily_variance))
    finite_result(growth, "horizon beta")
    return float(growth[0] / growth[1])


def intraday_multiple(multiple: float, index_return: float) -> float:
    """Multiple of a daily-reset fund part way through the session.

    Parameters
    ----------
    multiple : float
        At the last reset.
    index_return : float
        Of the index since the last reset, decimal.

    Returns
    -------
    float
        ``m (1 + r)/(1 + m r)``.

    Raises
    ------
    DegenerateInputError
        If the move has wiped the fund out.
    """
    finite(multiple, "multiple")
    finite(index_return, "index_return")
    remaining = 1.0 + multiple * index_return
    if index_return <= -1.0 or remaining <= 0.0:
        raise DegenerateInputError(
            f"an index return of {index_return} wipes out a fund of multiple {multiple}",
            index_return=index_return,
            multiple=multiple,
        )
    return multiple * (1.0 + index_return) / remaining


def n_day_beta(
    fund_returns: FloatArray,
    index_returns: FloatArray,
    n_days: int,
    *,
    min_blocks: int = 6,
    confidence_level: float = 0.95,
) -> BetaBatch:
    """Realized beta of compounded n-day returns, such as those of daily-reset funds.

    Parameters
    ----------
    fund_returns : float64 array of shape (n_funds, n_obs) or (n_obs,)
        Simple daily returns as decimals, oldest first; NaN marks a missing session, which takes
        every n-day return over it.
    index_returns : float64 array of shape (n_obs,)
        Likewise, on the same sessions.
    n_days : int
        1 is the daily beta.
    min_blocks : int
        Non-overlapping n-day returns that the sample must hold.
    confidence_level : float

    Returns
    -------
    BetaBatch
        On all overlapping n-day returns; their count is `n_obs`. The HAC errors reach over
        n_days - 1 lags at least: overlapping returns share days, and errors that ignore it are too
        small by about sqrt(n_days). The effective degrees of freedom say how few independent
        returns there are.

    Raises
    ------
    InvalidInputError
        If shapes disagree, a return is infinite or -100 % or less, or a parameter is out of range.
    InsufficientDataError
        If there are fewer than min_blocks times n_days sessions.
    NonFiniteResultError
        If compounding overflows.

    References
    ----------
    Hansen, L. and Hodrick, R. (1980), Forward exchange rates as optimal predictors of future spot
    rates, Journal of Political Economy 88 (overlapping observations).
    """
    rows = masked_rows(fund_returns, "fund_returns")
    index = masked_vector(index_returns, "index_returns", length=rows.shape[1])
    at_least(n_days, 1, "n_days")
    at_least(min_blocks, 3, "min_blocks")
    returns_above_ruin(rows, "fund_returns")
    returns_above_ruin(index, "index_returns")
    enough(rows.shape[1], min_blocks * n_days, "index_returns")
    overlapping = _overlapping(rows, n_days)
    n_obs = overlapping.shape[1]
    return semiconductor_beta(
        overlapping,
        _overlapping(index[np.newaxis, :], n_days)[0],
        hac_lags=max(automatic_lags(n_obs), n_days - 1),
        min_obs=max((min_blocks - 1) * n_days + 1, 3),
        confidence_level=confidence_level,
    )


def _overlapping(returns: FloatArray, n_days: int) -> FloatArray:
    growth = np.lib.stride_tricks.sliding_window_view(1.0 + returns, n_days, axis=1)
    with np.errstate(over="ignore"):
        compounded: FloatArray = np.prod(growth, axis=2) - 1.0
    if np.isinf(compounded).any():
        raise NonFiniteResultError(
            "compounded returns are not representable; returns are decimals (0.01 is 1 %)",
            result="the compounded return",
        )
    return compounded
