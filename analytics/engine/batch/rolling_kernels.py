"""Rolling betas of many ragged series, with standard errors, by prefix sums of common sessions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.engine.batch.compiling import (
    contiguous,
    floats,
    floats2,
    integer,
    kernel,
    out2,
    short2,
)
from analytics.engine.checks import (
    LARGEST_MAGNITUDE,
    SMALLEST_DEVIATION,
    at_least,
    masked_vector,
)
from analytics.engine.errors import InvalidInputError
from analytics.engine.types import FloatArray

# As in `beta.rolling`: prefix sums carry rounding of this order.
_WINDOW_CONSTANT = 1e-12
_LONGEST_WINDOW = int(np.iinfo(np.int16).max)


class RaggedRollingBetas(NamedTuple):
    """Betas on a moving window.

    Attributes
    ----------
    beta, standard_error : float64 array of shape (n_series, n_obs)
        OLS; the placeholder 0 where `n_obs` is 0.
    n_obs : int16 array of shape (n_series, n_obs)
        Common observations in the window; 0 where there is no answer.
    """

    beta: FloatArray
    standard_error: FloatArray
    n_obs: NDArray[np.int16]


def ragged_rolling_betas(
    series: FloatArray, benchmark_returns: FloatArray, window: int, *, min_obs: int | None = None
) -> RaggedRollingBetas:
    """Beta on the last `window` sessions of every series at every session.

    Parameters
    ----------
    series : float64 array of shape (n_series, n_obs) or (n_obs,)
        Simple daily returns as decimals, oldest first; NaN where missing.
    benchmark_returns : float64 array of shape (n_obs,)
    window : int
        Sessions, at least 3.
    min_obs : int, optional
        Fewest common observations in a window; all of them by default.

    Returns
    -------
    RaggedRollingBetas

    Raises
    ------
    InvalidInputError
        If shapes disagree, a return is infinite or a parameter is out of range.

    Notes
    -----
    The numbers of `analytics.engine.beta.rolling_beta`, compiled. Covariance and variance use the
    same pairs: taking the variance of all benchmark sessions instead, as `rolling().cov()` over
    `rolling().var()` does, biases beta wherever a return is missing.
    """
    rows = contiguous(np.atleast_2d(series), np.float64)
    if rows.ndim != 2:
        raise InvalidInputError(
            f"series must have one or two dimensions, got shape {rows.shape}", argument="series"
        )
    x = masked_vector(benchmark_returns, "benchmark_returns", length=rows.shape[1])
    at_least(window, 3, "window")
    fewest = at_least(window if min_obs is None else min_obs, 3, "min_obs")
    if not fewest <= window <= _LONGEST_WINDOW:
        raise InvalidInputError(
            f"min_obs is {fewest} in a window of {window}; it cannot be more, and the window not "
            f"above {_LONGEST_WINDOW}",
            argument="min_obs",
        )
    beta, standard_error = np.empty(rows.shape), np.empty(rows.shape)
    n_obs = np.empty(rows.shape, dtype=np.int16)
    benchmark = contiguous(x, np.float64)
    refused = rolling_windows(rows, benchmark, window, fewest, beta, standard_error, n_obs)
    if refused:
        raise InvalidInputError(
            f"series has {refused} entries that are infinite or above {LARGEST_MAGNITUDE:.0e}; "
            "mark missing ones as NaN",
            argument="series",
        )
    return RaggedRollingBetas(beta, standard_error, n_obs)


@kernel(floats2, floats, integer, integer, out2, out2, short2, returns=integer)
def rolling_windows(  # noqa: PLR0917 - numba takes arguments by place
    series: FloatArray,
    benchmark: FloatArray,
    window: int,
    min_obs: int,
    betas: FloatArray,
    errors: FloatArray,
    counts: NDArray[np.int16],
) -> int:
    """Six prefix sums in one pass, then every window from their differences, in vectors.

    Moments are multiplied by the count m, which leaves one division and one root a window. Returns
    how many entries are no returns.
    """
    refused = 0
    n = series.shape[1]
    sums = np.zeros((6, n + 1))
    s0, s1, s2, s3, s4, s5 = sums[0], sums[1], sums[2], sums[3], sums[4], sums[5]
    for row in range(series.shape[0]):
        values = series[row]
        beta, error, count = betas[row], errors[row], counts[row]
        pairs, total_x, total_y = 0.0, 0.0, 0.0
        for t in range(n):
            x, y = benchmark[t], values[t]
            refused += abs(y) > LARGEST_MAGNITUDE
            both = x == x and y == y  # false for NaN alone
            pairs += 1.0 if both else 0.0
            total_x += x if both else 0.0
            total_y += y if both else 0.0
        mean_x, mean_y = total_x / max(pairs, 1.0), total_y / max(pairs, 1.0)
        n0, n1, n2, n3, n4, n5 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for t in range(n):
            x, y = benchmark[t], values[t]
            both = x == x and y == y
            x = x - mean_x if both else 0.0
            y = y - mean_y if both else 0.0
            n0 += 1.0 if both else 0.0
            n1 += x
            n2 += y
            n3 += x * x
            n4 += x * y
            n5 += y * y
            s0[t + 1], s1[t + 1], s2[t + 1] = n0, n1, n2
            s3[t + 1], s4[t + 1], s5[t + 1] = n3, n4, n5
        floor = max(_WINDOW_CONSTANT * n3, SMALLEST_DEVIATION**2)
        for t in range(min(window - 1, n)):
            beta[t], error[t], count[t] = 0.0, 0.0, 0
        for t in range(window - 1, n):
            before = t + 1 - window
            m = s0[t + 1] - s0[before]
            in_x, in_y = s1[t + 1] - s1[before], s2[t + 1] - s2[before]
            ssx = m * (s3[t + 1] - s3[before]) - in_x * in_x
            sxy = m * (s4[t + 1] - s4[before]) - in_x * in_y
            ssy = m * (s5[t + 1] - s5[before]) - in_y * in_y
            answered = m >= min_obs and ssx > floor * m
            inverse = 1.0 / (ssx * (m - 2.0) if answered else 1.0)
            slope = sxy * inverse * (m - 2.0) if answered else 0.0
            beta[t] = slope
            unexplained = max(ssy - slope * sxy, 0.0) if answered else 0.0
            error[t] = np.sqrt(unexplained * inverse)
            count[t] = np.int16(m) if answered else 0
    return refused
