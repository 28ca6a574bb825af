"""Reduction of value at risk, expected shortfall and semi-variance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analytics.engine.checks import SMALLEST_DEVIATION, at_least, finite, open_unit
from analytics.engine.hedge.samples import BatchAnswers, HeldRows, series_pair
from analytics.engine.types import Failure, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class TailReduction:
    """Reduction of downside measures by a given holding.

    Attributes
    ----------
    value_at_risk, expected_shortfall, semivariance : float or None
        1 - hedged/unhedged; None where the unhedged measure is not positive.
    item_value_at_risk, hedged_value_at_risk : float
        k-th worst loss, decimal, positive is a loss.
    item_expected_shortfall, hedged_expected_shortfall : float
        Mean of the k worst losses.
    item_semivariance, hedged_semivariance : float
        Mean of min(return, 0)^2, divisor n.
    confidence_level : float
    n_tail, n_obs : int
        k and n.
    """

    value_at_risk: float | None
    expected_shortfall: float | None
    semivariance: float | None
    item_value_at_risk: float
    hedged_value_at_risk: float
    item_expected_shortfall: float
    hedged_expected_shortfall: float
    item_semivariance: float
    hedged_semivariance: float
    confidence_level: float
    n_tail: int
    n_obs: int


def tail_count(n_obs: int, confidence_level: float) -> int:
    """Return k = ceil(n (1 - confidence level)), immune to rounding of the level.

    Examples
    --------
    >>> tail_count(60, 0.95)
    3
    """
    return max(int(np.ceil(n_obs * (1.0 - confidence_level) - 1e-9)), 1)


@dataclass(frozen=True, slots=True, eq=False)
class TailReductionBatch(BatchAnswers):
    """Reduction of downside measures for a batch of items by one instrument.

    Arrays have shape (n_items,); where `failures` has a record they hold the placeholder 0.

    Attributes
    ----------
    item_value_at_risk, hedged_value_at_risk : float64 array
    item_expected_shortfall, hedged_expected_shortfall : float64 array
    item_semivariance, hedged_semivariance : float64 array
        As in `TailReduction`, which `at` returns with the reductions.
    confidence_level : float
    n_tail, n_obs : int64 array
    failures : tuple of Failure or None
    """

    item_value_at_risk: FloatArray
    hedged_value_at_risk: FloatArray
    item_expected_shortfall: FloatArray
    hedged_expected_shortfall: FloatArray
    item_semivariance: FloatArray
    hedged_semivariance: FloatArray
    confidence_level: float
    n_tail: IntArray
    n_obs: IntArray
    failures: tuple[Failure | None, ...]

    def at(self, index: int) -> TailReduction:
        """Return one item's reductions, or raise its failure."""
        self.raise_failure(index)
        measures = {name: float(getattr(self, name)[index]) for name in _TAIL_FLOATS}
        return TailReduction(
            value_at_risk=_reduction(measures, "value_at_risk"),
            expected_shortfall=_reduction(measures, "expected_shortfall"),
            semivariance=_reduction(measures, "semivariance"),
            **measures,
            confidence_level=self.confidence_level,
            n_tail=int(self.n_tail[index]),
            n_obs=int(self.n_obs[index]),
        )


_TAIL_FLOATS = (
    "item_value_at_risk",
    "item_expected_shortfall",
    "item_semivariance",
    "hedged_value_at_risk",
    "hedged_expected_shortfall",
    "hedged_semivariance",
)


def tail_measures(returns: FloatArray, n_tail: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Value at risk, expected shortfall and semi-variance of each row.

    Parameters
    ----------
    returns : float64 array of shape (n_rows, n_obs)
    n_tail : int
        k, the number of worst days.

    Returns
    -------
    tuple of float64 array of shape (n_rows,)
    """
    worst = np.partition(returns, n_tail - 1, axis=1)[:, :n_tail]
    semivariance: FloatArray = np.mean(np.minimum(returns, 0.0) ** 2, axis=1)
    return -worst[:, n_tail - 1], -worst.mean(axis=1), semivariance


def tail_reductions(
    item_returns: FloatArray,
    hedge_returns: FloatArray,
    *,
    hedge_notional: ArrayLike,
    confidence_level: float = 0.95,
    min_obs: int = 30,
    n_tail: int | None = None,
) -> TailReductionBatch:
    """Reduction of downside measures for a batch of items by a holding of one instrument.

    Parameters
    ----------
    item_returns : float64 array of shape (n_items, n_obs) or (n_obs,)
        Simple returns as decimals, oldest first; NaN marks a missing session.
    hedge_returns : float64 array of shape (n_obs,)
    hedge_notional : array_like of float
        Signed holding per unit of item, one or one an item.
    confidence_level, min_obs, n_tail
        As in `tail_reduction`.

    Returns
    -------
    TailReductionBatch
    """
    rows = HeldRows(item_returns, hedge_returns, hedge_notional)
    open_unit(confidence_level, "confidence_level")
    at_least(min_obs, 1, "min_obs")
    floats = {name: np.zeros(rows.n_obs.size) for name in _TAIL_FLOATS}
    counts = np.zeros(rows.n_obs.size, dtype=np.int64)
    for sample in rows.samples(
        max(min_obs, 1 if n_tail is None else at_least(n_tail, 1, "n_tail"))
    ):
        k = tail_count(sample.hedge.size, confidence_level) if n_tail is None else n_tail
        counts[sample.members] = k
        answers = (*tail_measures(sample.items, k), *tail_measures(sample.hedged, k))
        for name, values in zip(_TAIL_FLOATS, answers, strict=True):
            floats[name][sample.members] = values
    return TailReductionBatch(
        **floats,
        confidence_level=confidence_level,
        n_tail=counts,
        n_obs=rows.n_obs,
        failures=tuple(rows.failures),
    )


def tail_reduction(
    item_returns: FloatArray,
    hedge_returns: FloatArray,
    *,
    hedge_notional: float,
    confidence_level: float = 0.95,
    min_obs: int = 30,
    n_tail: int | None = None,
) -> TailReduction:
    """Reduction of historical VaR, expected shortfall and semi-variance.

    Parameters
    ----------
    item_returns, hedge_returns : float64 array of shape (n_obs,)
        Simple returns as decimals on the same sessions, no gaps.
    hedge_notional : float
        Signed holding per unit of item.
    confidence_level : float
        Of VaR and expected shortfall.
    min_obs : int
    n_tail : int, optional
        k, if it is not to follow from the confidence level.

    Returns
    -------
    TailReduction

    Notes
    -----
    VaR is the k-th worst loss with k = ceil(n (1 - confidence level)), not an interpolated
    percentile; expected shortfall is the mean of the k worst; semi-variance has target 0.

    References
    ----------
    Acerbi, C. and Tasche, D. (2002), Journal of Banking and Finance 26.
    Cotter, J. and Hanly, J. (2006), Journal of Futures Markets 26.
    """
    item, hedge = series_pair(item_returns, hedge_returns, max(min_obs, 1))
    return tail_reductions(
        item,
        hedge,
        hedge_notional=finite(hedge_notional, "hedge_notional"),
        confidence_level=confidence_level,
        min_obs=max(min_obs, 1),
        n_tail=n_tail,
    ).at(0)


def _reduction(measures: Mapping[str, float], name: str) -> float | None:
    unhedged, hedged = measures[f"item_{name}"], measures[f"hedged_{name}"]
    return 1.0 - hedged / unhedged if unhedged > SMALLEST_DEVIATION**2 else None
