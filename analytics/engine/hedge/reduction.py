"""Variance removed by a holding, in and out of sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analytics.engine.checks import at_least, finite, open_unit
from analytics.engine.hedge.interval import reduction_intervals
from analytics.engine.hedge.minimum_variance import minimum_variance_hedge
from analytics.engine.hedge.samples import BatchAnswers, HeldRows, series_pair
from analytics.engine.types import Estimate, Failure, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class VarianceReduction:
    """Variance removed by a given holding.

    Attributes
    ----------
    effectiveness : Estimate
        1 - var(item + hedge_notional * hedge)/var(item); negative when the hedge adds risk.
    hedge_notional : float
    item_standard_deviation, hedged_standard_deviation : float
        Per observation, divisor n - 1.
    n_obs : int
    """

    effectiveness: Estimate
    hedge_notional: float
    item_standard_deviation: float
    hedged_standard_deviation: float
    n_obs: int


@dataclass(frozen=True, slots=True, eq=False)
class VarianceReductionBatch(BatchAnswers):
    """Variance removed for a batch of items by one instrument.

    Arrays have shape (n_items,); where `failures` has a record they hold the placeholder 0.

    Attributes
    ----------
    effectiveness, standard_error, ci_low, ci_high : float64 array
    hedge_notional : float64 array
    item_standard_deviation, hedged_standard_deviation : float64 array
        Per observation, divisor n - 1.
    n_obs : int64 array
    failures : tuple of Failure or None
    """

    effectiveness: FloatArray
    standard_error: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    hedge_notional: FloatArray
    item_standard_deviation: FloatArray
    hedged_standard_deviation: FloatArray
    n_obs: IntArray
    failures: tuple[Failure | None, ...]

    def at(self, index: int) -> VarianceReduction:
        """Return one item's reduction, or raise its failure."""
        self.raise_failure(index)
        return VarianceReduction(
            effectiveness=Estimate(
                float(self.effectiveness[index]),
                float(self.standard_error[index]),
                float(self.ci_low[index]),
                float(self.ci_high[index]),
            ),
            hedge_notional=float(self.hedge_notional[index]),
            item_standard_deviation=float(self.item_standard_deviation[index]),
            hedged_standard_deviation=float(self.hedged_standard_deviation[index]),
            n_obs=int(self.n_obs[index]),
        )


def variance_reductions(
    item_returns: FloatArray,
    hedge_returns: FloatArray,
    *,
    hedge_notional: ArrayLike,
    min_obs: int = 30,
    confidence_level: float = 0.95,
) -> VarianceReductionBatch:
    """Variance removed from each of a batch of items by a holding of one instrument.

    Parameters
    ----------
    item_returns : float64 array of shape (n_items, n_obs) or (n_obs,)
        Oldest first; NaN marks a missing session.
    hedge_returns : float64 array of shape (n_obs,)
        On the same sessions and in the same unit.
    hedge_notional : array_like of float
        Signed holding per unit of item, one or one an item.
    min_obs, confidence_level
        As in `variance_reduction`.

    Returns
    -------
    VarianceReductionBatch
    """
    rows = HeldRows(item_returns, hedge_returns, hedge_notional)
    open_unit(confidence_level, "confidence_level")
    at_least(min_obs, 3, "min_obs")
    floats = {name: np.zeros(rows.n_obs.size) for name in _REDUCTION_FLOATS}
    for sample in rows.samples(min_obs):
        found = reduction_intervals(sample.items, sample.hedged, confidence_level)
        deviations = (sample.items.std(axis=1, ddof=1), sample.hedged.std(axis=1, ddof=1))
        for name, values in zip(_REDUCTION_FLOATS, (*found, *deviations), strict=True):
            floats[name][sample.members] = values
    return VarianceReductionBatch(
        **floats,
        hedge_notional=rows.notional,
        n_obs=rows.n_obs,
        failures=tuple(rows.failures),
    )


_REDUCTION_FLOATS = (
    "effectiveness",
    "standard_error",
    "ci_low",
    "ci_high",
    "item_standard_deviation",
    "hedged_standard_deviation",
)


def variance_reduction(
    item_returns: FloatArray,
    hedge_returns: FloatArray,
    *,
    hedge_notional: float,
    min_obs: int = 30,
    confidence_level: float = 0.95,
) -> VarianceReduction:
    """Variance removed by holding `hedge_notional` of the instrument per unit of item.

    Parameters
    ----------
    item_returns, hedge_returns : float64 array of shape (n_obs,)
        Same sessions and unit, oldest first, no gaps.
    hedge_notional : float
        Signed holding per unit of item; positive is long the instrument.
    min_obs : int
        At least 3.
    confidence_level : float

    Returns
    -------
    VarianceReduction

    Raises
    ------
    InvalidInputError, InsufficientDataError, DegenerateInputError

    Notes
    -----
    The interval is symmetric in the logarithm of the variance ratio, by the jackknife with a
    variance from differences of neighbors (see `interval.reduction_intervals`): it allows for fat
    tails, clustered volatility and small samples, speaks of the effectiveness of the days given,
    and never exceeds 1. In-sample effectiveness favors the in-sample ratio: see
    `out_of_sample_effectiveness`.

    References
    ----------
    Ederington, L. (1979), Journal of Finance 34.
    """
    item, hedge = series_pair(item_returns, hedge_returns, max(min_obs, 3))
    return variance_reductions(
        item,
        hedge,
        hedge_notional=finite(hedge_notional, "hedge_notional"),
        min_obs=max(min_obs, 3),
        confidence_level=confidence_level,
    ).at(0)


def out_of_sample_effectiveness(
    item_returns: FloatArray,
    hedge_returns: FloatArray,
    *,
    n_train: int | None = None,
    min_obs: int = 30,
    confidence_level: float = 0.95,
) -> VarianceReduction:
    """Variance removed on later data by the ratio that fitted earlier data best.

    Parameters
    ----------
    item_returns, hedge_returns : float64 array of shape (n_obs,)
        Same sessions and unit, oldest first, no gaps.
    n_train : int, optional
        Observations that set the ratio; the first half by default.
    min_obs, confidence_level
        As in `variance_reduction`; min_obs applies to both parts.

    Returns
    -------
    VarianceReduction
        Of the observations after the first `n_train`.

    References
    ----------
    Lien, D. (2005), The use and abuse of the hedging effectiveness measure, International Review
    of Financial Analysis 14.
    """
    item, hedge = series_pair(item_returns, hedge_returns, 2 * max(min_obs, 3))
    train = item.shape[0] // 2 if n_train is None else n_train
    at_least(train, 3, "n_train")
    fitted = minimum_variance_hedge(item[:train], hedge[:train], min_obs=min_obs).at(0)
    return variance_reduction(
        item[train:],
        hedge[train:],
        hedge_notional=fitted.hedge_notional,
        min_obs=min_obs,
        confidence_level=confidence_level,
    )
