"""Variance removed by a holding, in and out of sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.engine.checks import at_least, finite, open_unit
from analytics.engine.hedge.interval import variance_reductions
from analytics.engine.hedge.minimum_variance import minimum_variance_hedge
from analytics.engine.hedge.samples import refuse_constant, series_pair
from analytics.engine.regression import (
    resolve_lags,
)
from analytics.engine.types import Estimate, FloatArray


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
    n_obs, hac_lags : int
    """

    effectiveness: Estimate
    hedge_notional: float
    item_standard_deviation: float
    hedged_standard_deviation: float
    n_obs: int
    hac_lags: int


def variance_reduction(
    item_returns: FloatArray,
    hedge_returns: FloatArray,
    *,
    hedge_notional: float,
    hac_lags: int | str = "auto",
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
    hac_lags : int or "auto"
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
    The interval is symmetric in the logarithm of the variance ratio, by the delta method with a
    HAC variance of its influence function, so it allows for fat tails and clustered volatility and
    never exceeds 1. In-sample effectiveness favors the in-sample ratio: see
    `out_of_sample_effectiveness`.

    References
    ----------
    Ederington, L. (1979), Journal of Finance 34.
    """
    item, hedge = series_pair(item_returns, hedge_returns, max(min_obs, 3))
    open_unit(confidence_level, "confidence_level")
    hedged = item + finite(hedge_notional, "hedge_notional") * hedge
    refuse_constant(item)
    lags = resolve_lags(hac_lags, item.shape[0])
    value, error, low, high = variance_reductions(
        item[np.newaxis, :], hedged[np.newaxis, :], lags, confidence_level, 1
    )
    return VarianceReduction(
        effectiveness=Estimate(float(value[0]), float(error[0]), float(low[0]), float(high[0])),
        hedge_notional=float(hedge_notional),
        item_standard_deviation=float(item.std(ddof=1)),
        hedged_standard_deviation=float(hedged.std(ddof=1)),
        n_obs=item.shape[0],
        hac_lags=lags,
    )


def out_of_sample_effectiveness(
    item_returns: FloatArray,
    hedge_returns: FloatArray,
    *,
    n_train: int | None = None,
    hac_lags: int | str = "auto",
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
    hac_lags, min_obs, confidence_level
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
        hac_lags=hac_lags,
        min_obs=min_obs,
        confidence_level=confidence_level,
    )
