"""Block bootstrap of dependent series: how long the blocks, which days, what they compound to."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.engine.checks import (
    SMALLEST_DEVIATION,
    at_least,
    enough,
    finite_array,
    finite_vector,
)
from analytics.engine.errors import DegenerateInputError, InvalidInputError
from analytics.engine.types import FloatArray, IntArray

# Paths drawn from one seed. A chunk's draws depend on the seed and its number alone, so neither
# the number of threads nor their order changes a path.
PATHS_PER_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class BlockLength:
    """Automatic block lengths of one series, in observations.

    Attributes
    ----------
    stationary : float
        Mean length for the stationary bootstrap.
    circular : float
        Length for the circular bootstrap.
    """

    stationary: float
    circular: float


def optimal_block_length(series: FloatArray) -> BlockLength:
    """Block length that minimizes the error of the variance of the mean.

    Parameters
    ----------
    series : float64 array of shape (n_obs,)
        Oldest first. For the drag of a reset fund the squared returns matter.

    Returns
    -------
    BlockLength

    Raises
    ------
    InsufficientDataError
        With fewer than 30 observations.
    DegenerateInputError
        If the series is constant.

    Notes
    -----
    Flat-top window up to twice the first lag after which ``K_n = max(5, floor(log10 n))``
    autocorrelations stay within ``2 sqrt(log10(n)/n)``; ``b = (2 g^2/d)^(1/3) n^(1/3)`` with
    ``g = sum 2 lambda_k k R(k)`` and d = 2 lrv^2 (stationary) or 4/3 lrv^2 (circular), at most
    ``ceil(min(3 sqrt(n), n/3))``.

    References
    ----------
    Politis, D. and White, H. (2004), Econometric Reviews 23. Patton, A., Politis, D. and White, H.
    (2009), Econometric Reviews 28 (correction).
    """
    values = finite_vector(series, "series", min_length=30)
    n_obs = values.shape[0]
    deviations = values - values.mean()
    scale = float(np.abs(deviations).max())
    if scale <= max(SMALLEST_DEVIATION, 1e-13 * float(np.abs(values).max())):
        raise DegenerateInputError("series is constant", series="series", n_obs=n_obs, std=0)
    deviations /= scale
    in_a_row = max(5, int(np.log10(n_obs)))
    most_lags = min(int(np.ceil(np.sqrt(n_obs))) + in_a_row, n_obs - 2)
    covariances, correlations = _autocovariances(deviations, most_lags)
    small = correlations < 2.0 * np.sqrt(np.log10(n_obs) / n_obs)
    runs = np.lib.stride_tricks.sliding_window_view(small[:-1], in_a_row).all(axis=1)
    quiet = int(np.argmax(runs)) if runs.any() else None
    bandwidth = most_lags if quiet is None else min(2 * max(quiet, 1), most_lags)
    lags = np.arange(1, bandwidth + 1)
    flat_top = np.minimum(1.0, 2.0 * (1.0 - lags / bandwidth))
    weighted = 2.0 * flat_top * covariances[1 : bandwidth + 1]
    long_run = float(covariances[0] + weighted.sum())
    slope = float(lags @ weighted)
    longest = float(np.ceil(min(3.0 * np.sqrt(n_obs), n_obs / 3.0)))
    if abs(long_run) <= 1e-12 * float(covariances[0]):
        return BlockLength(longest, longest)
    shortest = float(np.cbrt(slope**2 / long_run**2 * n_obs))
    return BlockLength(
        stationary=min(shortest, longest), circular=min(float(np.cbrt(1.5)) * shortest, longest)
    )


def _autocovariances(deviations: FloatArray, most_lags: int) -> tuple[FloatArray, FloatArray]:
    """Autocovariances and absolute autocorrelations for lags 0 to `most_lags`."""
    n_obs = deviations.shape[0]
    covariances = np.empty(most_lags + 1)
    correlations = np.empty(most_lags + 1)
    for lag in range(most_lags + 1):
        cross = float(deviations[lag:] @ deviations[: n_obs - lag])
        # Norms without the first and the last lag + 1 values, as in the authors' code.
        late, early = deviations[lag + 1 :], deviations[: n_obs - lag - 1]
        norm = float(np.sqrt((late @ late) * (early @ early)))
        covariances[lag] = cross / n_obs
        correlations[lag] = abs(cross) / norm if norm > 0.0 else 1.0
    return covariances, correlations


def mean_block_length(restart_probability: float) -> float:
    """Mean length of the stationary bootstrap's blocks, ``1/p``."""
    if not 0 < restart_probability <= 1:
        raise InvalidInputError(
            f"restart_probability must lie above 0 and be at most 1, got {restart_probability}",
            argument="restart_probability",
        )
    return 1.0 / restart_probability


def circular_block_rows(n_obs: int, block_length: int, n_days: int, starts: IntArray) -> IntArray:
    """Rows that circular blocks visit.

    Parameters
    ----------
    n_obs : int
        Observations to draw from; the last is followed by the first.
    block_length : int
    n_days : int
        Length of each path.
    starts : int64 array of shape (n_paths, n_blocks)
        First rows of the blocks, n_blocks = ceil(n_days/block_length).

    Returns
    -------
    int64 array of shape (n_paths, n_days)

    References
    ----------
    Politis, D. and Romano, J. (1992), in Exploring the Limits of Bootstrap.
    """
    at_least(block_length, 1, "block_length")
    at_least(n_days, 1, "n_days")
    first = np.atleast_2d(np.asarray(starts, dtype=np.int64))
    needed = -(-n_days // block_length)
    if first.shape[1] < needed:
        raise InvalidInputError(
            f"starts has {first.shape[1]} blocks a path where {needed} are needed",
            argument="starts",
        )
    rows = first[:, :needed, np.newaxis] + np.arange(block_length)
    visited: IntArray = rows.reshape(first.shape[0], -1)[:, :n_days] % n_obs
    return visited


def stationary_growth(
    log_growth: FloatArray,
    horizons: Sequence[int],
    *,
    mean_block: float,
    n_paths: int,
    seed: int,
    threads: int = 1,
) -> FloatArray:
    """Log growth over resampled paths, the same days for every series.

    Parameters
    ----------
    log_growth : float64 array of shape (n_series, n_obs)
        Daily log growth of each series on common sessions.
    horizons : sequence of int
        Days, increasing; a shorter horizon is the beginning of the longer path.
    mean_block : float
        Mean block length in days, at least 1.
    n_paths : int
    seed : int
        Not negative.
    threads : int
        Changes the time taken, not the result.

    Returns
    -------
    float64 array of shape (n_series, n_horizons, n_paths)

    Notes
    -----
    Blocks start anywhere with equal probability, wrap around the end and have geometric lengths,
    both drawn with 32 bits.
    Only the sums matter, so a block costs two look-ups in prefix sums, however long it is. Random
    numbers are SplitMix64, one stream for every 4,096 paths.

    References
    ----------
    Politis, D. and Romano, J. (1994), Journal of the American Statistical Association 89.
    Steele, G., Lea, D. and Flood, C. (2014), OOPSLA (SplitMix64).
    """
    growth = np.atleast_2d(finite_array(log_growth, "log_growth"))
    enough(growth.shape[1], 2, "log_growth")
    days = np.array([at_least(day, 1, "horizons") for day in horizons], dtype=np.int64)
    if days.size == 0 or (np.diff(days) <= 0).any():
        raise InvalidInputError("horizons must increase", argument="horizons")
    at_least(n_paths, 1, "n_paths")
    at_least(seed, 0, "seed")
    at_least(threads, 1, "threads")
    if not 1.0 <= mean_block <= 1e9:
        raise InvalidInputError(
            f"mean_block must be at least 1, got {mean_block}", argument="mean_block"
        )
    from analytics.engine.bootstrap_kernels import GUIDE_BITS, stationary_sums

    n_chunks = -(-n_paths // PATHS_PER_CHUNK)
    seeds = np.random.SeedSequence(seed).generate_state(n_chunks, np.uint64)
    sums = np.empty((growth.shape[0], days.shape[0], n_paths))
    prefix = _prefix_sums(growth, int(days[-1]))
    thresholds = _length_thresholds(mean_block, int(days[-1]))
    rows = np.arange(1 << GUIDE_BITS, dtype=np.uint64) << np.uint64(32 - GUIDE_BITS)
    guide = np.searchsorted(thresholds, rows, side="right")

    def run(chunk: int) -> None:
        first = chunk * PATHS_PER_CHUNK
        last = min(first + PATHS_PER_CHUNK, n_paths)
        stationary_sums(
            prefix, growth.shape[1], days, thresholds, guide, seeds[chunk], first, last, sums
        )

    if threads == 1:
        for chunk in range(n_chunks):
            run(chunk)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(run, range(n_chunks)))
    return sums


def _length_thresholds(mean_block: float, longest: int) -> NDArray[np.uint64]:
    """32-bit bounds of a uniform draw for geometric block lengths, the last beyond any draw.

    Blocks are cut at the longest horizon, so longer lengths need no bounds of their own.
    """
    lengths = np.arange(1.0, longest)
    shorter = 1.0 - (1.0 - 1.0 / mean_block) ** lengths
    bounds = np.rint(shorter * 2.0**32).astype(np.uint64)
    return np.append(bounds, np.uint64(2**32))


def _prefix_sums(growth: FloatArray, longest: int) -> FloatArray:
    """Sums before each day of the wrapped series, shape (n_obs + longest + 1, n_series)."""
    n_obs = growth.shape[1]
    wrapped = growth.T[np.arange(n_obs + longest) % n_obs]
    prefix = np.zeros((n_obs + longest + 1, growth.shape[0]))
    np.cumsum(wrapped, axis=0, out=prefix[1:])
    return prefix
