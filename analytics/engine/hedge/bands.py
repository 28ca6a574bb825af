"""Bootstrap bands of effectiveness over holding periods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.engine.bootstrap import optimal_block_length, stationary_growth
from analytics.engine.checks import (
    at_least,
    enough,
    finite,
    open_unit,
    returns_above_ruin,
)
from analytics.engine.errors import DegenerateInputError, InsufficientDataError
from analytics.engine.hedge.horizon import HORIZONS
from analytics.engine.hedge.samples import series_pair
from analytics.engine.regression import constant_rows
from analytics.engine.types import Failure, FloatArray


@dataclass(frozen=True, slots=True)
class Band:
    """Quantiles of a statistic over bootstrap samples.

    Attributes
    ----------
    low, median, high : float
        The outer two enclose the confidence level.
    confidence_level : float
    n_samples : int
        Bootstrap samples with an answer.
    """

    low: float
    median: float
    high: float
    confidence_level: float
    n_samples: int


def _band(values: FloatArray, confidence_level: float) -> Band:
    tail = (1.0 - confidence_level) / 2.0
    low, median, high = np.quantile(values, [tail, 0.5, 1.0 - tail])
    return Band(float(low), float(median), float(high), confidence_level, int(values.size))


def dependence_block(item: FloatArray, hedge: FloatArray, n_days: int = 1) -> float:
    """Mean block length that keeps the clustering of volatility, at least half the horizon."""
    longest = max(1.0, n_days / 2.0)
    for squares in (item**2, hedge**2):
        try:
            longest = max(longest, optimal_block_length(squares).stationary)
        except (InsufficientDataError, DegenerateInputError):
            # Too short or too still to show dependence.
            continue
    return longest


@dataclass(frozen=True, slots=True)
class HorizonBand:
    """Band of effectiveness over one holding period.

    Attributes
    ----------
    n_days, n_blocks : int
        A bootstrap sample has as many blocks of n_days as the data.
    designated, best : Band or None
        Of the designated holding and of each sample's own minimum-variance holding; None with a
        failure.
    mean_block : float
        Mean length of the bootstrap's blocks, sessions.
    seed : int
    failure : Failure or None
    """

    n_days: int
    n_blocks: int
    designated: Band | None
    best: Band | None
    mean_block: float
    seed: int
    failure: Failure | None


def horizon_bands(
    item_returns: FloatArray,
    hedge_returns: FloatArray,
    *,
    hedge_notional: float,
    seed: int,
    horizons: Sequence[int] = HORIZONS,
    n_samples: int = 1000,
    mean_block: float | None = None,
    min_blocks: int = 8,
    confidence_level: float = 0.95,
    threads: int = 1,
) -> tuple[HorizonBand, ...]:
    """Block-bootstrap bands of effectiveness over holding periods.

    Parameters
    ----------
    item_returns, hedge_returns : float64 array of shape (n_obs,)
        Simple daily returns as decimals, same sessions, oldest first, no gaps.
    hedge_notional : float
        Designated holding per unit of item at the start of each period, left alone inside it.
    seed : int
        Not negative; the same seed gives the same band, whatever `threads`.
    horizons : sequence of int
        Sessions held.
    n_samples : int
        Bootstrap samples, at least 100.
    mean_block : float, optional
        Mean block length in sessions; by default the Politis-White length of the squared returns,
        at least half the horizon.
    min_blocks : int
        Fewer blocks in the data than this are answered by an ``insufficient_data`` failure.
    confidence_level : float
    threads : int

    Returns
    -------
    tuple of HorizonBand
        One per horizon.

    Notes
    -----
    Each period of a sample is a path of the stationary bootstrap, item and hedge on the same days;
    a sample has n_obs // n_days of them and gives one effectiveness. The band therefore shows the
    spread of an estimate from data of this length, trend and chop within blocks kept.

    References
    ----------
    Politis, D. and Romano, J. (1994), The stationary bootstrap, JASA 89.
    Patton, A., Politis, D. and White, H. (2009), Econometric Reviews 28.
    """
    item, hedge = series_pair(item_returns, hedge_returns, 2)
    returns_above_ruin(item, "item_returns")
    returns_above_ruin(hedge, "hedge_returns")
    finite(hedge_notional, "hedge_notional")
    at_least(n_samples, 100, "n_samples")
    at_least(min_blocks, 4, "min_blocks")
    open_unit(confidence_level, "confidence_level")
    log_growth = np.log1p(np.stack([item, hedge]))
    found: list[HorizonBand] = []
    for n_days in horizons:
        n_blocks = item.size // at_least(n_days, 1, "horizons")
        block = dependence_block(item, hedge, n_days) if mean_block is None else mean_block
        designated = best = failure = None
        try:
            enough(n_blocks, min_blocks, f"the sample in blocks of {n_days} days")
            sums = stationary_growth(
                log_growth,
                [n_days],
                mean_block=block,
                n_paths=n_samples * n_blocks,
                seed=seed,
                threads=threads,
            )
            periods = np.expm1(sums[:, 0]).reshape(2, n_samples, n_blocks)
            designated, best = _effectiveness_bands(periods, hedge_notional, confidence_level)
        except (InsufficientDataError, DegenerateInputError) as error:
            failure = error.failure
        found.append(HorizonBand(n_days, n_blocks, designated, best, block, seed, failure))
    return tuple(found)


def _effectiveness_bands(
    periods: FloatArray, hedge_notional: float, confidence_level: float
) -> tuple[Band, Band]:
    centered = periods - periods.mean(axis=2, keepdims=True)
    item, hedge = centered
    item_variance = np.einsum("st,st->s", item, item)
    hedge_variance = np.einsum("st,st->s", hedge, hedge)
    covariance = np.einsum("st,st->s", item, hedge)
    varied = ~constant_rows(item_variance, periods[0]) & ~constant_rows(hedge_variance, periods[1])
    if not varied.any():
        raise DegenerateInputError(
            "item or hedge is constant over the sample, so there is no variance to remove", std=0
        )
    s, f, c = item_variance[varied], hedge_variance[varied], covariance[varied]
    designated = -hedge_notional * (2.0 * c / s + hedge_notional * (f / s))
    return _band(designated, confidence_level), _band((c / s) * (c / f), confidence_level)
