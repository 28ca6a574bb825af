"""Beta on a moving window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.engine.checks import (
    SMALLEST_DEVIATION,
    at_least,
    bounded,
    finite_result,
    masked_rows,
    masked_vector,
)
from analytics.engine.errors import (
    InvalidInputError,
)
from analytics.engine.types import (
    BoolArray,
    FloatArray,
    IntArray,
)


@dataclass(frozen=True, slots=True, eq=False)
class RollingBeta:
    """Betas on a moving window.

    Attributes
    ----------
    beta, standard_error : float64 array of shape (n_portfolios, n_obs)
        OLS; the placeholder 0, which is not a value, where `valid` is False.
    n_obs : int64 array of shape (n_portfolios, n_obs)
        Common observations inside the window.
    valid : bool array of shape (n_portfolios, n_obs)
        False for the first window - 1 sessions, for windows with too few observations and for
        windows in which the benchmark does not move.
    """

    beta: FloatArray
    standard_error: FloatArray
    n_obs: IntArray
    valid: BoolArray


# Prefix sums carry rounding of this order relative to the whole sample's sum of squares.
_WINDOW_CONSTANT = 1e-12


def rolling_beta(
    portfolio_returns: FloatArray,
    benchmark_returns: FloatArray,
    window: int,
    *,
    min_obs: int | None = None,
) -> RollingBeta:
    """Beta on the last `window` sessions, at every session.

    Parameters
    ----------
    portfolio_returns : float64 array of shape (n_portfolios, n_obs) or (n_obs,)
        Simple daily returns as decimals, oldest first; NaN marks a missing session.
    benchmark_returns : float64 array of shape (n_obs,)
    window : int
        Sessions, at least 3.
    min_obs : int, optional
        Fewest common observations in a window; all of them by default.

    Returns
    -------
    RollingBeta

    Raises
    ------
    InvalidInputError
        If shapes disagree, a return is infinite or a parameter is out of range.

    Notes
    -----
    Differences of prefix sums after the means are removed, which keeps their digits. On a gap both
    series drop the session: covariance and variance use the same pairs. The standard error is
    sqrt(RSS/(n - 2)/SSX) of the window.
    """
    rows = bounded(masked_rows(portfolio_returns, "portfolio_returns"), "portfolio_returns")
    x_all = masked_vector(benchmark_returns, "benchmark_returns", length=rows.shape[1])
    at_least(window, 3, "window")
    fewest = window if min_obs is None else min_obs
    at_least(fewest, 3, "min_obs")
    if fewest > window:
        raise InvalidInputError(
            f"min_obs is {fewest} in a window of {window}; it cannot be more", argument="min_obs"
        )
    n_rows, n_sessions = rows.shape
    if window > n_sessions:
        empty = np.zeros((n_rows, n_sessions))
        return RollingBeta(empty, empty, empty.astype(np.int64), empty.astype(np.bool_))
    observed = ~np.isnan(rows) & ~np.isnan(x_all)
    complete = bool(observed.all())
    count = np.maximum(observed.sum(axis=1, keepdims=True), 1)
    y = np.where(observed, rows, 0.0)
    y -= y.sum(axis=1, keepdims=True) / count
    # With no gaps the benchmark's sums are the same for every portfolio: keep one row of them.
    x = np.where(observed[:1] if complete else observed, x_all, 0.0)
    x = x - x.sum(axis=1, keepdims=True) / (count[:1] if complete else count)
    if not complete:
        y[~observed] = 0.0
        x[~observed] = 0.0
    n = _window_sums((observed[:1] if complete else observed).astype(np.float64), window)
    sum_x, sum_y = _window_sums(x, window), _window_sums(y, window)
    divisor = np.maximum(n, 1.0)
    ssx = _window_sums(x * x, window) - sum_x * sum_x / divisor
    sxy = _window_sums(x * y, window) - sum_x * sum_y / divisor
    ssy = _window_sums(y * y, window) - sum_y * sum_y / divisor
    total = np.einsum("pt,pt->p", x, x)[:, np.newaxis]
    floor = np.maximum(_WINDOW_CONSTANT * total, SMALLEST_DEVIATION**2)
    answered = np.broadcast_to((n >= fewest) & (ssx > floor), sxy.shape)
    beta = np.zeros((n_rows, n_sessions))
    standard_error = np.zeros((n_rows, n_sessions))
    n_obs = np.zeros((n_rows, n_sessions), dtype=np.int64)
    valid = np.zeros((n_rows, n_sessions), dtype=np.bool_)
    slope = np.divide(sxy, ssx, out=np.zeros_like(sxy), where=answered)
    residual = np.maximum(ssy - slope * sxy, 0.0)
    variance = np.divide(
        residual, np.maximum(n - 2.0, 1.0) * ssx, out=np.zeros_like(sxy), where=answered
    )
    beta[:, window - 1 :] = slope
    standard_error[:, window - 1 :] = np.sqrt(variance)
    n_obs[:, window - 1 :] = np.rint(n).astype(np.int64)
    valid[:, window - 1 :] = answered
    finite_result(beta, "rolling beta")
    finite_result(standard_error, "rolling standard error")
    return RollingBeta(beta=beta, standard_error=standard_error, n_obs=n_obs, valid=valid)


def _window_sums(values: FloatArray, window: int) -> FloatArray:
    prefix = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=prefix[:, 1:])
    sums: FloatArray = prefix[:, window:] - prefix[:, :-window]
    return sums
