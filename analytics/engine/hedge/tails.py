"""Reduction of value at risk, expected shortfall and semi-variance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.engine.checks import SMALLEST_DEVIATION, at_least, enough, finite, open_unit
from analytics.engine.hedge.samples import series_pair
from analytics.engine.types import FloatArray


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
    open_unit(confidence_level, "confidence_level")
    both = np.stack([item, item + finite(hedge_notional, "hedge_notional") * hedge])
    k = tail_count(item.shape[0], confidence_level) if n_tail is None else n_tail
    at_least(k, 1, "n_tail")
    enough(item.shape[0], k, "item_returns")
    worst = np.partition(both, k - 1, axis=1)[:, :k]
    value_at_risk = -worst[:, k - 1]
    shortfall = -worst.mean(axis=1)
    semivariance = np.mean(np.minimum(both, 0.0) ** 2, axis=1)
    return TailReduction(
        value_at_risk=_reduction(value_at_risk),
        expected_shortfall=_reduction(shortfall),
        semivariance=_reduction(semivariance),
        item_value_at_risk=float(value_at_risk[0]),
        hedged_value_at_risk=float(value_at_risk[1]),
        item_expected_shortfall=float(shortfall[0]),
        hedged_expected_shortfall=float(shortfall[1]),
        item_semivariance=float(semivariance[0]),
        hedged_semivariance=float(semivariance[1]),
        confidence_level=confidence_level,
        n_tail=k,
        n_obs=item.shape[0],
    )


def _reduction(unhedged_and_hedged: FloatArray) -> float | None:
    unhedged, hedged = (float(value) for value in unhedged_and_hedged)
    return 1.0 - hedged / unhedged if unhedged > SMALLEST_DEVIATION**2 else None
