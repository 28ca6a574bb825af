"""Errors and intervals of tail reductions, by a block bootstrap."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from analytics.engine.checks import SMALLEST_DEVIATION, at_least, finite, open_unit
from analytics.engine.errors import InvalidInputError
from analytics.engine.hedge.bands import dependence_block
from analytics.engine.hedge.samples import series_pair
from analytics.engine.hedge.tails import tail_count, tail_measures
from analytics.engine.types import Estimate, FloatArray

# Drawn in one pass: what is made of them stays in cache.
_DAYS_AT_ONCE = 1 << 14


@dataclass(frozen=True, slots=True)
class TailIntervals:
    """Reductions of downside measures with their errors.

    Attributes
    ----------
    value_at_risk, expected_shortfall, semivariance : Estimate or None
        1 - hedged/unhedged; None where the unhedged measure is not positive.
    n_tail : int
        Days in the tail.
    mean_block : float
        Mean length of the bootstrap's blocks, sessions.
    n_samples, seed : int
    """

    value_at_risk: Estimate | None
    expected_shortfall: Estimate | None
    semivariance: Estimate | None
    n_tail: int
    mean_block: float
    n_samples: int
    seed: int


def tail_reduction_intervals(
    item_returns: FloatArray,
    hedge_returns: FloatArray,
    *,
    hedge_notional: float,
    seed: int,
    tail_confidence_level: float = 0.95,
    n_samples: int = 500,
    mean_block: float | None = None,
    min_obs: int = 30,
    confidence_level: float = 0.95,
) -> TailIntervals:
    """Reductions of `tail_reduction` with bootstrap errors and intervals.

    Parameters
    ----------
    item_returns, hedge_returns : float64 array of shape (n_obs,)
        Simple returns as decimals on the same sessions, no gaps.
    hedge_notional : float
        Signed holding per unit of item.
    seed : int
        Not negative; the same seed gives the same interval.
    tail_confidence_level : float
        Of VaR and expected shortfall.
    n_samples : int
        Bootstrap samples, at least 100.
    mean_block : float, optional
        Mean block length in sessions; by default the Politis-White length of the squared returns.
    min_obs : int
    confidence_level : float
        Of the intervals.

    Returns
    -------
    TailIntervals

    Notes
    -----
    The standard error is the deviation of the reduction over samples of the stationary bootstrap,
    item and hedge on the same days. Percentiles of so few tail days are biased; the interval is
    the reduction plus and minus Student's t times the error. Degrees of freedom are
    ``2 n/kurtosis of the influence``: of ``(-d - VaR)^+ - q (-s - VaR)^+`` for expected shortfall,
    of ``min(d, 0)^2 - q min(s, 0)^2`` for semi-variance, with d the hedged and s the item's return
    and q the ratio of their measures. The bootstrap's error of a quantile is too large already
    (Hall and Martin), so VaR takes the normal multiplier.

    References
    ----------
    Politis, D. and Romano, J. (1994), The stationary bootstrap, JASA 89.
    Efron, B. (1981), Nonparametric standard errors and confidence intervals, Canadian Journal of
    Statistics 9.
    Hall, P. and Martin, M. (1988), Exact convergence rate of bootstrap quantile variance
    estimator, Probability Theory and Related Fields 80.
    """
    item, hedge = series_pair(item_returns, hedge_returns, max(min_obs, 2))
    open_unit(tail_confidence_level, "tail_confidence_level")
    open_unit(confidence_level, "confidence_level")
    at_least(n_samples, 100, "n_samples")
    block = dependence_block(item, hedge) if mean_block is None else mean_block
    if not 1.0 <= block <= item.size:
        raise InvalidInputError(
            f"mean_block must lie in 1 to {item.size}, got {block}", argument="mean_block"
        )
    counts = _drawn_days(item.size, n_samples, float(block), at_least(seed, 0, "seed"))
    hedged = item + finite(hedge_notional, "hedge_notional") * hedge
    k = tail_count(item.size, tail_confidence_level)
    both = np.stack([item, hedged])
    resampled = np.stack([resampled_tails(returns, counts, k) for returns in both], axis=1)
    estimates: list[Estimate | None] = []
    for (before, after), (drawn_before, drawn_after), freedom in zip(
        tail_measures(both, k), resampled, _degrees_of_freedom(both, k), strict=True
    ):
        losing = drawn_before > SMALLEST_DEVIATION**2
        if before <= SMALLEST_DEVIATION**2 or 2 * losing.sum() < n_samples:
            estimates.append(None)
            continue
        value = 1.0 - float(after / before)
        error = float(np.std(drawn_after[losing] / drawn_before[losing], ddof=1))
        width = float(stdtrit(freedom, 0.5 + confidence_level / 2.0)) * error
        # More than all of a loss can be removed only where a gain is left.
        estimates.append(Estimate(value, error, value - width, min(value + width, max(value, 1.0))))
    value_at_risk, expected_shortfall, semivariance = estimates
    return TailIntervals(
        value_at_risk=value_at_risk,
        expected_shortfall=expected_shortfall,
        semivariance=semivariance,
        n_tail=k,
        mean_block=block,
        n_samples=n_samples,
        seed=seed,
    )


def _degrees_of_freedom(both: FloatArray, n_tail: int) -> tuple[float, float, float]:
    """Of the errors of VaR, expected shortfall and semi-variance."""
    value_at_risk, shortfall, semivariance = tail_measures(both, n_tail)
    beyond = np.maximum(-both - value_at_risk[:, np.newaxis], 0.0)
    squares = np.minimum(both, 0.0) ** 2
    return (
        np.inf,
        _satterthwaite(shortfall[0] * beyond[1] - shortfall[1] * beyond[0]),
        _satterthwaite(semivariance[0] * squares[1] - semivariance[1] * squares[0]),
    )


def _satterthwaite(influence: FloatArray) -> float:
    largest = float(np.abs(influence).max())
    if largest == 0.0:
        return float(influence.size - 1)
    deviations = influence / largest
    deviations -= deviations.mean()
    squares = deviations**2
    total = float(squares.sum())
    return 2.0 * total**2 / float(squares @ squares) if total > 0.0 else float(influence.size - 1)


def resampled_tails(returns: FloatArray, counts: NDArray[np.int16], n_tail: int) -> FloatArray:
    """Return `tail_measures` of resampled days, without building the samples.

    Parameters
    ----------
    returns : float64 array of shape (n_obs,)
    counts : int16 array of shape (n_obs, n_samples)
        How often each day is in each sample.
    n_tail : int

    Returns
    -------
    float64 array of shape (3, n_samples)
        Value at risk, expected shortfall, semi-variance.
    """
    from analytics.engine.hedge.tail_kernels import counted_tails

    order = np.argsort(returns)
    measures = np.empty((3, counts.shape[1]))
    counted_tails(counts, order, returns[order], n_tail, measures)
    return measures


@functools.lru_cache(maxsize=4)
def _drawn_days(n_obs: int, n_samples: int, mean_block: float, seed: int) -> NDArray[np.int16]:
    """How often each day is in each sample: the same for all returns of as many days."""
    generator = np.random.default_rng(seed)
    counts = np.zeros((n_samples, n_obs), dtype=np.int16)
    at_once = max(_DAYS_AT_ONCE // n_obs, 1)
    for first in range(0, n_samples, at_once):
        part = counts[first : first + at_once]
        count_stationary_days(part, mean_block=mean_block, generator=generator)
    return np.ascontiguousarray(counts.T)


def count_stationary_days(
    counts: NDArray[np.int16], *, mean_block: float, generator: np.random.Generator
) -> None:
    """Add to each row of `counts` the days of a stationary bootstrap sample of its length.

    Parameters
    ----------
    counts : int16 array of shape (n_samples, n_obs)
        Blocks start anywhere, wrap around the end and have geometric lengths.
    mean_block : float
        1 to n_obs.
    generator : numpy.random.Generator
    """
    from analytics.engine.hedge.tail_kernels import count_days

    starts = generator.integers(0, counts.shape[1], counts.shape)
    restarts = (generator.random(counts.shape) < 1.0 / mean_block).astype(np.int64)
    count_days(starts, restarts, counts)
