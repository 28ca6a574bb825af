"""Regression test of effectiveness at the designated holding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import fdtrc

from analytics.engine.checks import finite
from analytics.engine.errors import InvalidInputError
from analytics.engine.hedge.interval import variance_reductions
from analytics.engine.hedge.policy import (
    DEFAULT_POLICY,
    EffectivenessPolicy,
    combined_verdict,
    one_sided_verdict,
    two_sided_verdict,
)
from analytics.engine.hedge.samples import refuse_constant, series_pair
from analytics.engine.regression import design, least_squares, resolve_lags, student_quantile
from analytics.engine.types import Estimate, FloatArray, Verdict


@dataclass(frozen=True, slots=True)
class RegressionTest:
    """Regression of the hedged item on the hedge's result.

    Attributes
    ----------
    slope : Estimate
        Of the item on ``hedge_notional * hedge``; near -1 for a full offset. OLS error, as in the
        practice the thresholds come from.
    slope_hac_standard_error : float
    intercept : Estimate
    r_squared : Estimate
    f_statistic, p_value : float
        Of the slope; F on 1 and n - 2 degrees of freedom. None in `f_statistic` for an exact fit.
    n_obs : int
    meets_thresholds : bool
        Point estimates alone, the slope in absolute value.
    verdict : Verdict
        Inconclusive when an interval straddles a threshold.
    criteria : mapping of str to Verdict
    policy : EffectivenessPolicy
    """

    slope: Estimate
    slope_hac_standard_error: float
    intercept: Estimate
    r_squared: Estimate
    f_statistic: float | None
    p_value: float
    n_obs: int
    meets_thresholds: bool
    verdict: Verdict
    criteria: dict[str, Verdict]
    policy: EffectivenessPolicy


def regression_test(
    item_returns: FloatArray,
    hedge_returns: FloatArray,
    *,
    hedge_notional: float,
    policy: EffectivenessPolicy = DEFAULT_POLICY,
    hac_lags: int | str = "auto",
) -> RegressionTest:
    """Regression effectiveness test at the designated holding.

    Parameters
    ----------
    item_returns, hedge_returns : float64 array of shape (n_obs,)
        Same sessions and unit, oldest first, no gaps.
    hedge_notional : float
        Designated holding per unit of item, not 0.
    policy : EffectivenessPolicy
    hac_lags : int or "auto"

    Returns
    -------
    RegressionTest

    Raises
    ------
    InvalidInputError, InsufficientDataError, DegenerateInputError

    Notes
    -----
    ``s = a + b (h f) + e``. Criteria: R2, b between -slope_high and -slope_low (a hedge moves
    against its item), p-value of b. Each is passed or failed when its interval lies wholly on one
    side of the threshold, else inconclusive; one failed criterion fails the test. The p-value has
    no interval. This is economic effectiveness, not an accounting opinion.

    References
    ----------
    ASC 815-20-25 practice; thresholds as in `policy`.
    """
    item, hedge = series_pair(item_returns, hedge_returns, policy.min_obs)
    if finite(hedge_notional, "hedge_notional") == 0.0:
        raise InvalidInputError(
            "hedge_notional is 0, so there is nothing to test", argument="hedge_notional"
        )
    refuse_constant(item)
    n_obs = item.shape[0]
    fit = least_squares(design((hedge_notional * hedge)[:, np.newaxis]), item[np.newaxis, :])
    lags = resolve_lags(hac_lags, n_obs)
    quantile = student_quantile(policy.confidence_level, n_obs - 2)
    intercept, slope = (
        Estimate(float(b), float(se), float(b - quantile * se), float(b + quantile * se))
        for b, se in zip(fit.coefficients[0], fit.standard_errors[0], strict=True)
    )
    residual, total = fit.residual_sum_of_squares[0], fit.total_sum_of_squares[0]
    r2, error, low, high = variance_reductions(
        item[np.newaxis, :], fit.residuals, lags, policy.confidence_level, 2
    )
    r_squared = Estimate(float(r2[0]), float(error[0]), max(float(low[0]), 0.0), float(high[0]))
    exact = residual <= np.finfo(np.float64).eps ** 2 * total
    f_statistic = None if exact else float((total - residual) / (residual / (n_obs - 2)))
    p_value = 0.0 if f_statistic is None else float(fdtrc(1, n_obs - 2, f_statistic))
    criteria = {
        "r_squared": one_sided_verdict(r_squared, policy.min_r_squared),
        "slope": two_sided_verdict(slope, -policy.slope_high, -policy.slope_low),
        "p_value": Verdict.PASS if p_value < policy.max_p_value else Verdict.FAIL,
    }
    return RegressionTest(
        slope=slope,
        slope_hac_standard_error=float(fit.hac_standard_errors(lags, small_sample=True)[0, 1]),
        intercept=intercept,
        r_squared=r_squared,
        f_statistic=f_statistic,
        p_value=p_value,
        n_obs=n_obs,
        meets_thresholds=bool(
            r_squared.value >= policy.min_r_squared
            and policy.slope_low <= -slope.value <= policy.slope_high
            and p_value < policy.max_p_value
        ),
        verdict=combined_verdict(criteria.values()),
        criteria=criteria,
        policy=policy,
    )
