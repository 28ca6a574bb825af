"""Regression test of effectiveness at the designated holding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import fdtrc

from analytics.engine.checks import finite
from analytics.engine.errors import DegenerateInputError, InvalidInputError
from analytics.engine.hedge.interval import reduction_intervals
from analytics.engine.hedge.policy import (
    DEFAULT_POLICY,
    EffectivenessPolicy,
    combined_verdict,
    one_sided_verdict,
    two_sided_verdict,
)
from analytics.engine.hedge.samples import BatchAnswers, HeldRows, series_pair
from analytics.engine.regression import design, least_squares, resolve_lags
from analytics.engine.types import BoolArray, Estimate, Failure, FloatArray, IntArray, Verdict


@dataclass(frozen=True, slots=True)
class RegressionTest:
    """Regression of the hedged item on the hedge's result.

    Attributes
    ----------
    slope : Estimate
        Of the item on ``hedge_notional * hedge``; near -1 for a full offset. HAC error and
        interval, as of any slope here.
    intercept : Estimate
        Likewise.
    slope_ols_standard_error, intercept_ols_standard_error : float
        As in the practice the thresholds come from; F and p-value rest on the former.
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
    intercept: Estimate
    slope_ols_standard_error: float
    intercept_ols_standard_error: float
    r_squared: Estimate
    f_statistic: float | None
    p_value: float
    n_obs: int
    meets_thresholds: bool
    verdict: Verdict
    criteria: dict[str, Verdict]
    policy: EffectivenessPolicy


@dataclass(frozen=True, slots=True, eq=False)
class RegressionTestBatch(BatchAnswers):
    """Regression tests of a batch of items with one instrument.

    Arrays have shape (n_items,); where `failures` has a record they hold the placeholder 0.

    Attributes
    ----------
    slope, slope_standard_error, slope_ci_low, slope_ci_high : float64 array
        Of the item on ``hedge_notional * hedge``.
    intercept, intercept_standard_error, intercept_ci_low, intercept_ci_high : float64 array
    slope_ols_standard_error, intercept_ols_standard_error : float64 array
    r_squared, r_squared_standard_error, r_squared_ci_low, r_squared_ci_high : float64 array
    f_statistic, p_value : float64 array
    exact : bool array
        Fits without residual: their F statistic is the placeholder 0.
    n_obs : int64 array
    failures : tuple of Failure or None
    policy : EffectivenessPolicy
    """

    slope: FloatArray
    slope_standard_error: FloatArray
    slope_ci_low: FloatArray
    slope_ci_high: FloatArray
    intercept: FloatArray
    intercept_standard_error: FloatArray
    intercept_ci_low: FloatArray
    intercept_ci_high: FloatArray
    slope_ols_standard_error: FloatArray
    intercept_ols_standard_error: FloatArray
    r_squared: FloatArray
    r_squared_standard_error: FloatArray
    r_squared_ci_low: FloatArray
    r_squared_ci_high: FloatArray
    f_statistic: FloatArray
    p_value: FloatArray
    exact: BoolArray
    n_obs: IntArray
    failures: tuple[Failure | None, ...]
    policy: EffectivenessPolicy

    def at(self, index: int) -> RegressionTest:
        """Return one item's test with its verdicts, or raise its failure."""
        self.raise_failure(index)
        policy, n_obs = self.policy, int(self.n_obs[index])
        slope = Estimate(
            float(self.slope[index]),
            float(self.slope_standard_error[index]),
            float(self.slope_ci_low[index]),
            float(self.slope_ci_high[index]),
        )
        r_squared = Estimate(
            float(self.r_squared[index]),
            float(self.r_squared_standard_error[index]),
            float(self.r_squared_ci_low[index]),
            float(self.r_squared_ci_high[index]),
        )
        p_value = float(self.p_value[index])
        criteria = {
            "r_squared": one_sided_verdict(r_squared, policy.min_r_squared),
            "slope": two_sided_verdict(slope, -policy.slope_high, -policy.slope_low),
            "p_value": Verdict.PASS if p_value < policy.max_p_value else Verdict.FAIL,
        }
        return RegressionTest(
            slope=slope,
            intercept=Estimate(
                float(self.intercept[index]),
                float(self.intercept_standard_error[index]),
                float(self.intercept_ci_low[index]),
                float(self.intercept_ci_high[index]),
            ),
            slope_ols_standard_error=float(self.slope_ols_standard_error[index]),
            intercept_ols_standard_error=float(self.intercept_ols_standard_error[index]),
            r_squared=r_squared,
            f_statistic=None if self.exact[index] else float(self.f_statistic[index]),
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


_TEST_FLOATS = (
    "slope",
    "slope_standard_error",
    "slope_ci_low",
    "slope_ci_high",
    "intercept",
    "intercept_standard_error",
    "intercept_ci_low",
    "intercept_ci_high",
    "slope_ols_standard_error",
    "intercept_ols_standard_error",
    "r_squared",
    "r_squared_standard_error",
    "r_squared_ci_low",
    "r_squared_ci_high",
    "f_statistic",
    "p_value",
)


def regression_tests(
    item_returns: FloatArray,
    hedge_returns: FloatArray,
    *,
    hedge_notional: ArrayLike,
    policy: EffectivenessPolicy = DEFAULT_POLICY,
    hac_lags: int | str = "auto",
) -> RegressionTestBatch:
    """Regression effectiveness tests of a batch of items at their designated holdings.

    Parameters
    ----------
    item_returns : float64 array of shape (n_items, n_obs) or (n_obs,)
        Oldest first; NaN marks a missing session.
    hedge_returns : float64 array of shape (n_obs,)
        On the same sessions and in the same unit.
    hedge_notional : array_like of float
        Designated holding per unit of item, one or one an item, not 0.
    policy : EffectivenessPolicy
    hac_lags : int or "auto"

    Returns
    -------
    RegressionTestBatch
    """
    rows = HeldRows(item_returns, hedge_returns, hedge_notional)
    if (rows.notional == 0.0).any():
        raise InvalidInputError(
            "hedge_notional is 0, so there is nothing to test", argument="hedge_notional"
        )
    floats = {name: np.zeros(rows.n_obs.size) for name in _TEST_FLOATS}
    exact = np.zeros(rows.n_obs.size, dtype=np.bool_)
    for sample in rows.samples(max(policy.min_obs, 3)):
        n_obs, members = sample.hedge.size, sample.members
        try:
            factor = design(sample.hedge[:, np.newaxis])
            lags = resolve_lags(hac_lags, n_obs)
            intercept_law, slope_law = factor.law(0, lags), factor.law(1, lags)
        except DegenerateInputError as error:
            for member in members:
                rows.failures[member] = error.failure
            continue
        fit = least_squares(factor, sample.items)
        level = policy.confidence_level
        slope = fit.hac_interval(1, lags, level, slope_law)
        bounds = np.sort(np.stack([slope.ci_low, slope.ci_high]) / sample.notional, axis=0)
        value, error_of, low, high = reduction_intervals(
            sample.items, fit.residuals, level, fitted_on=sample.hedge
        )
        residual, total = fit.residual_sum_of_squares, fit.total_sum_of_squares
        exact[members] = residual <= np.finfo(np.float64).eps ** 2 * total
        f_statistic = np.zeros(members.size)
        np.divide(
            (total - residual) * (n_obs - 2), residual, out=f_statistic, where=~exact[members]
        )
        p_value = np.where(exact[members], 0.0, fdtrc(1, n_obs - 2, f_statistic))
        size = np.abs(sample.notional)
        answers = (
            fit.coefficients[:, 1] / sample.notional,
            slope.standard_error / size,
            *bounds,
            fit.coefficients[:, 0],
            *fit.hac_interval(0, lags, level, intercept_law),
            fit.standard_errors[:, 1] / size,
            fit.standard_errors[:, 0],
            value,
            error_of,
            np.maximum(low, 0.0),
            high,
            f_statistic,
            p_value,
        )
        for name, values in zip(_TEST_FLOATS, answers, strict=True):
            floats[name][members] = values
    return RegressionTestBatch(
        **floats, exact=exact, n_obs=rows.n_obs, failures=tuple(rows.failures), policy=policy
    )


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
    no interval; it is that of OLS, as practice has it. This is economic effectiveness, not an
    accounting opinion.

    References
    ----------
    ASC 815-20-25 practice; thresholds as in `policy`.
    """
    item, hedge = series_pair(item_returns, hedge_returns, policy.min_obs)
    return regression_tests(
        item,
        hedge,
        hedge_notional=finite(hedge_notional, "hedge_notional"),
        policy=policy,
        hac_lags=hac_lags,
    ).at(0)
