"""Bootstrap bands of tail reductions and of effectiveness over holding periods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.engine.bootstrap import optimal_block_length, stationary_growth
from analytics.engine.checks import (
    SMALLEST_DEVIATION,
    at_least,
    enough,
    finite,
    open_unit,
    returns_above_ruin,
)
from analytics.engine.errors import DegenerateInputError, InsufficientDataError, InvalidInputError
from analytics.engine.hedge.horizon import HORIZONS
from analytics.engine.hedge.samples import series_pair
from analytics.engine.hedge.tails import tail_count, tail_measures
from analytics.engine.regression import constant_rows
from analytics.engine.types import Failure, FloatArray, IntArray


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


@dataclass(frozen=True, slots=True)
class TailBands:
    """Bands of the reductions of downside measures; None where no sample has a loss to reduce.

    Attributes
    ----------
    value_at_risk, expected_shortfall, semivariance : Band or None
    n_tail : int
    mean_block : float
    seed : int
    """

    value_at_risk: Band | None
    expected_shortfall: Band | None
    semivariance: Band | None
    n_tail: int
    mean_block: float
    seed: int


def tail_reduction_bands(
    item_returns: FloatArray,
    hedge_returns: FloatArray,
    *,
    hedge_notional: float,
    seed: int,
    tail_confidence_level: float = 0.95,
    n_samples: int = 1000,
    mean_block: float | None = None,
    min_obs: int = 30,
    confidence_level: float = 0.95,
) -> TailBands:
    """Block-bootstrap bands of the reductions of `tail_reduction`.

    Parameters
    ----------
    item_returns, hedge_returns : float64 array of shape (n_obs,)
        Simple returns as decimals on the same sessions, no gaps.
    hedge_notional : float
    seed : int
        Not negative.
    tail_confidence_level : float
        Of VaR and expected shortfall.
    n_samples : int
        At least 100.
    mean_block : float, optional
        As in `horizon_bands`.
    min_obs : int
    confidence_level : float
        Of the bands.

    Returns
    -------
    TailBands

    Notes
    -----
    A tail has few observations: at 60 days and 95 % three. The band says what that is worth.

    References
    ----------
    Politis, D. and Romano, J. (1994), The stationary bootstrap, JASA 89.
    """
    item, hedge = series_pair(item_returns, hedge_returns, max(min_obs, 2))
    open_unit(tail_confidence_level, "tail_confidence_level")
    open_unit(confidence_level, "confidence_level")
    at_least(n_samples, 100, "n_samples")
    block = dependence_block(item, hedge) if mean_block is None else mean_block
    rows = stationary_rows(item.size, n_samples, mean_block=block, seed=seed)
    hedged = item + finite(hedge_notional, "hedge_notional") * hedge
    k = tail_count(item.size, tail_confidence_level)
    bands: list[Band | None] = []
    for before, after in zip(
        tail_measures(item[rows], k), tail_measures(hedged[rows], k), strict=True
    ):
        losing = before > SMALLEST_DEVIATION**2
        reductions = 1.0 - after[losing] / before[losing]
        bands.append(_band(reductions, confidence_level) if losing.any() else None)
    value_at_risk, expected_shortfall, semivariance = bands
    return TailBands(
        value_at_risk=value_at_risk,
        expected_shortfall=expected_shortfall,
        semivariance=semivariance,
        n_tail=k,
        mean_block=block,
        seed=seed,
    )


def stationary_rows(n_obs: int, n_samples: int, *, mean_block: float, seed: int) -> IntArray:
    """Rows of stationary bootstrap samples of the length of the data.

    Parameters
    ----------
    n_obs, n_samples : int
    mean_block : float
        At least 1.
    seed : int

    Returns
    -------
    int64 array of shape (n_samples, n_obs)
        Blocks start anywhere, wrap around the end and have geometric lengths.
    """
    if not 1.0 <= mean_block <= n_obs:
        raise InvalidInputError(
            f"mean_block must lie in 1 to {n_obs}, got {mean_block}", argument="mean_block"
        )
    generator = np.random.default_rng(at_least(seed, 0, "seed"))
    starts = generator.integers(0, n_obs, (n_samples, n_obs))
    restarts = generator.random((n_samples, n_obs)) < 1.0 / mean_block
    restarts[:, 0] = True
    days = np.arange(n_obs)
    # The day on which each day's block began, and from it how far into the block the day is.
    began = np.maximum.accumulate(np.where(restarts, days, 0), axis=1)
    rows: IntArray = (np.take_along_axis(starts, began, axis=1) + days - began) % n_obs
    return rows
