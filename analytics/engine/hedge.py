"""Hedge effectiveness: ratios, reductions, tests, horizons of reset funds, coverage and cost.

One sign for holdings throughout: `hedge_notional` is the signed holding of the hedging instrument
per unit of the hedged item, so the hedged return is ``item + hedge_notional * hedge`` and a long
position in an inverse fund is positive. `hedge_ratio` is cov/var, the short sale of the instrument
that minimizes variance, so ``hedge_notional = -hedge_ratio``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import fdtrc

from analytics.engine.checks import (
    SMALLEST_DEVIATION,
    enough,
    finite,
    finite_array,
    finite_vector,
    masked_rows,
    masked_vector,
    not_negative,
    open_unit,
    positive,
    returns_above_ruin,
)
from analytics.engine.errors import (
    DegenerateInputError,
    EngineError,
    InsufficientDataError,
    InvalidInputError,
    error_from,
)
from analytics.engine.regression import (
    answerable_rows,
    bartlett_variance,
    common_samples,
    design,
    least_squares,
    resolve_lags,
    small_sample_factor,
    student_quantile,
)
from analytics.engine.returns import block_returns
from analytics.engine.types import (
    TRADING_DAYS_PER_YEAR,
    BoolArray,
    Estimate,
    Failure,
    FloatArray,
    IntArray,
    Verdict,
)

HORIZONS = (1, 5, 10, 15, 21, 63)


@dataclass(frozen=True, slots=True)
class HedgeEstimate:
    """Minimum-variance hedge of one portfolio; see `HedgeBatch`."""

    hedge_ratio: Estimate
    hedge_notional: float
    ols_standard_error: float
    effectiveness: Estimate
    n_obs: int
    hac_lags: int


@dataclass(frozen=True, slots=True, eq=False)
class HedgeBatch:
    """Minimum-variance hedges of a batch of portfolios with one instrument.

    Arrays have shape (n_portfolios,); where `failures` has a record they hold the placeholder 0.

    Attributes
    ----------
    hedge_ratio : float64 array
        cov/var, positive when a long item is hedged by a short.
    hedge_notional : float64 array
        -hedge_ratio: the holding to take.
    ols_standard_error, hac_standard_error, ci_low, ci_high : float64 array
        Of hedge_ratio; the interval is Student t around the HAC error.
    effectiveness : float64 array
        Variance removed at the minimum-variance holding, rho^2.
    effectiveness_standard_error, effectiveness_ci_low, effectiveness_ci_high : float64 array
        As in `variance_reduction`.
    n_obs, hac_lags : int64 array
    failures : tuple of Failure or None
    """

    hedge_ratio: FloatArray
    hedge_notional: FloatArray
    ols_standard_error: FloatArray
    hac_standard_error: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    effectiveness: FloatArray
    effectiveness_standard_error: FloatArray
    effectiveness_ci_low: FloatArray
    effectiveness_ci_high: FloatArray
    n_obs: IntArray
    hac_lags: IntArray
    failures: tuple[Failure | None, ...]

    @property
    def ok(self) -> BoolArray:
        """Return which portfolios have an answer."""
        return np.array([failure is None for failure in self.failures], dtype=np.bool_)

    def at(self, index: int) -> HedgeEstimate:
        """Return one portfolio's hedge, or raise its failure."""
        failure = self.failures[index]
        if failure is not None:
            raise error_from(failure)
        return HedgeEstimate(
            hedge_ratio=Estimate(
                float(self.hedge_ratio[index]),
                float(self.hac_standard_error[index]),
                float(self.ci_low[index]),
                float(self.ci_high[index]),
            ),
            hedge_notional=float(self.hedge_notional[index]),
            ols_standard_error=float(self.ols_standard_error[index]),
            effectiveness=Estimate(
                float(self.effectiveness[index]),
                float(self.effectiveness_standard_error[index]),
                float(self.effectiveness_ci_low[index]),
                float(self.effectiveness_ci_high[index]),
            ),
            n_obs=int(self.n_obs[index]),
            hac_lags=int(self.hac_lags[index]),
        )


_HEDGE_FLOATS = (
    "hedge_ratio",
    "hedge_notional",
    "ols_standard_error",
    "hac_standard_error",
    "ci_low",
    "ci_high",
    "effectiveness",
    "effectiveness_standard_error",
    "effectiveness_ci_low",
    "effectiveness_ci_high",
)


def minimum_variance_hedge(
    item_returns: FloatArray,
    hedge_returns: FloatArray,
    *,
    hac_lags: int | str = "auto",
    min_obs: int = 30,
    confidence_level: float = 0.95,
) -> HedgeBatch:
    """Hedge ratio that minimizes variance, for a batch of items and one instrument.

    Parameters
    ----------
    item_returns : float64 array of shape (n_portfolios, n_obs) or (n_obs,)
        Simple returns or price changes, oldest first; NaN marks a missing session.
    hedge_returns : float64 array of shape (n_obs,)
        Of the hedging instrument, on the same sessions and in the same unit.
    hac_lags : int or "auto"
    min_obs : int
        Fewest common observations, at least 3.
    confidence_level : float

    Returns
    -------
    HedgeBatch

    Raises
    ------
    InvalidInputError
        If shapes disagree, a return is infinite or a parameter is out of range.

    Notes
    -----
    ``h* = cov(s, f)/var(f)``, the slope of s on f; HE(h*) = rho^2.

    References
    ----------
    Johnson, L. (1960), Review of Economic Studies 27; Ederington, L. (1979), Journal of Finance 34.
    """
    rows = masked_rows(item_returns, "item_returns")
    hedge = masked_vector(hedge_returns, "hedge_returns", length=rows.shape[1])
    open_unit(confidence_level, "confidence_level")
    _at_least(min_obs, 3, "min_obs")
    resolve_lags(hac_lags, max(rows.shape[1], min_obs))
    n_rows = rows.shape[0]
    floats = {name: np.zeros(n_rows) for name in _HEDGE_FLOATS}
    n_obs = np.zeros(n_rows, dtype=np.int64)
    lags = np.zeros(n_rows, dtype=np.int64)
    failures: list[Failure | None] = [None] * n_rows
    for members, columns in common_samples(~np.isnan(rows) & ~np.isnan(hedge)):
        n_obs[members] = columns.size
        items, instrument = rows[np.ix_(members, columns)], hedge[columns]
        try:
            enough(columns.size, min_obs, "the common sample of item and hedge")
            factor = design(instrument[:, np.newaxis])
            group_lags = resolve_lags(hac_lags, columns.size)
        except EngineError as error:
            for member in members:
                failures[member] = error.failure
            continue
        answered, varying = answerable_rows(members, items, failures, "item_returns")
        fit = least_squares(factor, varying)
        slope = fit.coefficients[:, 1]
        scores = fit.residuals * factor.influence[1]
        hac = np.sqrt(bartlett_variance(scores, group_lags) * small_sample_factor(columns.size, 2))
        half_width = student_quantile(confidence_level, columns.size - 2) * hac
        reduction = _reductions(varying, fit.residuals, group_lags, confidence_level, 2)
        lags[answered] = group_lags
        for name, values in zip(
            _HEDGE_FLOATS,
            (
                slope,
                -slope,
                fit.standard_errors[:, 1],
                hac,
                slope - half_width,
                slope + half_width,
                *reduction,
            ),
            strict=True,
        ):
            floats[name][answered] = values
    return HedgeBatch(**floats, n_obs=n_obs, hac_lags=lags, failures=tuple(failures))


def _at_least(value: int, least: int, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InvalidInputError(
            f"{name} must be an integer of at least {least}, got {value!r}", argument=name
        )


def _refuse_constant(item: FloatArray) -> None:
    failures: list[Failure | None] = [None]
    answerable_rows(np.zeros(1, dtype=np.int64), item[np.newaxis, :], failures, "item_returns")
    if failures[0] is not None:
        raise error_from(failures[0])


def _reductions(
    items: FloatArray,
    hedged: FloatArray,
    lags: int,
    confidence_level: float,
    n_coefficients: int,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Variance reduction of each row, its error and interval."""
    n_obs = items.shape[1]
    item = items - items.mean(axis=1, keepdims=True)
    net = hedged - hedged.mean(axis=1, keepdims=True)
    item_variance = np.einsum("pt,pt->p", item, item) / n_obs
    ratio = np.einsum("pt,pt->p", net, net) / n_obs / item_variance
    # Influence of an observation on the variance ratio, sum to zero in each row.
    influence = (net**2 - ratio[:, np.newaxis] * item**2) / item_variance[:, np.newaxis] / n_obs
    variance = bartlett_variance(influence, lags) * small_sample_factor(n_obs, n_coefficients)
    standard_error = np.sqrt(variance)
    relative = np.divide(
        standard_error, ratio, out=np.zeros_like(ratio), where=ratio > np.finfo(np.float64).tiny
    )
    half_width = np.minimum(
        student_quantile(confidence_level, n_obs - n_coefficients) * relative, 300.0
    )
    return (
        1.0 - ratio,
        standard_error,
        1.0 - ratio * np.exp(half_width),
        1.0 - ratio * np.exp(-half_width),
    )


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
    item, hedge = _pair(item_returns, hedge_returns, max(min_obs, 3))
    open_unit(confidence_level, "confidence_level")
    hedged = item + finite(hedge_notional, "hedge_notional") * hedge
    _refuse_constant(item)
    lags = resolve_lags(hac_lags, item.shape[0])
    value, error, low, high = _reductions(
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


def _pair(
    item: FloatArray, hedge: FloatArray, min_obs: int, unit: str = "returns"
) -> tuple[FloatArray, FloatArray]:
    first = finite_vector(item, f"item_{unit}", min_length=min_obs)
    second = finite_vector(hedge, f"hedge_{unit}", min_length=min_obs)
    if first.shape != second.shape:
        raise InvalidInputError(
            f"item_{unit} has {first.shape[0]} entries and hedge_{unit} {second.shape[0]}; "
            "align their dates first",
            argument=f"hedge_{unit}",
        )
    return first, second


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
    item, hedge = _pair(item_returns, hedge_returns, 2 * max(min_obs, 3))
    train = item.shape[0] // 2 if n_train is None else n_train
    _at_least(train, 3, "n_train")
    fitted = minimum_variance_hedge(item[:train], hedge[:train], min_obs=min_obs).at(0)
    return variance_reduction(
        item[train:],
        hedge[train:],
        hedge_notional=fitted.hedge_notional,
        hac_lags=hac_lags,
        min_obs=min_obs,
        confidence_level=confidence_level,
    )


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
    item, hedge = _pair(item_returns, hedge_returns, max(min_obs, 1))
    open_unit(confidence_level, "confidence_level")
    both = np.stack([item, item + finite(hedge_notional, "hedge_notional") * hedge])
    k = tail_count(item.shape[0], confidence_level) if n_tail is None else n_tail
    _at_least(k, 1, "n_tail")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectivenessPolicy:
    """Thresholds of the effectiveness tests; practice, not law, so they are named and dated.

    Attributes
    ----------
    name : str
    effective_date : str
        ISO date from which the policy applies.
    min_r_squared, slope_low, slope_high, max_p_value : float
        Regression test; slopes in absolute value.
    offset_low, offset_high : float
        Dollar offset.
    min_obs : int
    confidence_level : float
        Of the intervals that decide whether a verdict is inconclusive.
    """

    name: str = "asc815-practice"
    effective_date: str = "2000-06-15"
    min_r_squared: float = 0.80
    slope_low: float = 0.80
    slope_high: float = 1.25
    max_p_value: float = 0.05
    offset_low: float = 0.80
    offset_high: float = 1.25
    min_obs: int = 30
    confidence_level: float = 0.95


DEFAULT_POLICY = EffectivenessPolicy()


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
    item, hedge = _pair(item_returns, hedge_returns, policy.min_obs)
    if finite(hedge_notional, "hedge_notional") == 0.0:
        raise InvalidInputError(
            "hedge_notional is 0, so there is nothing to test", argument="hedge_notional"
        )
    _refuse_constant(item)
    n_obs = item.shape[0]
    fit = least_squares(design((hedge_notional * hedge)[:, np.newaxis]), item[np.newaxis, :])
    lags = resolve_lags(hac_lags, n_obs)
    quantile = student_quantile(policy.confidence_level, n_obs - 2)
    intercept, slope = (
        Estimate(float(b), float(se), float(b - quantile * se), float(b + quantile * se))
        for b, se in zip(fit.coefficients[0], fit.standard_errors[0], strict=True)
    )
    residual, total = fit.residual_sum_of_squares[0], fit.total_sum_of_squares[0]
    r2, error, low, high = _reductions(
        item[np.newaxis, :], fit.residuals, lags, policy.confidence_level, 2
    )
    r_squared = Estimate(float(r2[0]), float(error[0]), max(float(low[0]), 0.0), float(high[0]))
    exact = residual <= np.finfo(np.float64).eps ** 2 * total
    f_statistic = None if exact else float((total - residual) / (residual / (n_obs - 2)))
    p_value = 0.0 if f_statistic is None else float(fdtrc(1, n_obs - 2, f_statistic))
    criteria = {
        "r_squared": _one_sided(r_squared, policy.min_r_squared),
        "slope": _inside(slope, -policy.slope_high, -policy.slope_low),
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


def _one_sided(estimate: Estimate, least: float) -> Verdict:
    if estimate.ci_low >= least:
        return Verdict.PASS
    return Verdict.FAIL if estimate.ci_high < least else Verdict.INCONCLUSIVE


def _inside(estimate: Estimate, low: float, high: float) -> Verdict:
    if low <= estimate.ci_low and estimate.ci_high <= high:
        return Verdict.PASS
    outside = estimate.ci_high < low or estimate.ci_low > high
    return Verdict.FAIL if outside else Verdict.INCONCLUSIVE


def combined_verdict(verdicts: Iterable[Verdict]) -> Verdict:
    """One failed criterion fails, one inconclusive leaves it open, else all have passed."""
    members = set(verdicts)
    if Verdict.FAIL in members:
        return Verdict.FAIL
    return Verdict.INCONCLUSIVE if Verdict.INCONCLUSIVE in members else Verdict.PASS


@dataclass(frozen=True, slots=True, eq=False)
class DollarOffset:
    """Dollar-offset ratios.

    Attributes
    ----------
    cumulative : float or None
        -sum(hedge)/sum(item); None when the item's changes cancel.
    cumulative_passes : bool or None
    per_period : float64 array of shape (n_periods,)
        -hedge/item; the placeholder 0, which is not a value, where `defined` is False.
    defined : bool array of shape (n_periods,)
        False where the item did not change.
    n_passed, n_failed, n_undefined : int
    low, high : float
        Range that passes, ends included.
    """

    cumulative: float | None
    cumulative_passes: bool | None
    per_period: FloatArray
    defined: BoolArray
    n_passed: int
    n_failed: int
    n_undefined: int
    low: float
    high: float


def dollar_offset(
    item_changes: FloatArray,
    hedge_changes: FloatArray,
    *,
    low: float = 0.80,
    high: float = 1.25,
) -> DollarOffset:
    """Dollar offset per period and cumulative.

    Parameters
    ----------
    item_changes, hedge_changes : float64 array of shape (n_periods,)
        Changes in value of item and of the hedge as held, same currency.
    low, high : float
        Range that passes.

    Returns
    -------
    DollarOffset

    Notes
    -----
    Small denominators make single periods fail by chance: see `offset_pass_probability`.

    References
    ----------
    FAS 133 paragraph 62; IAS 39 AG105.
    """
    item, hedge = _pair(item_changes, hedge_changes, 1, "changes")
    if not 0 < low < high:
        raise InvalidInputError(f"the range {low} to {high} is empty", argument="low")
    defined = item != 0.0
    ratios = np.divide(-hedge, item, out=np.zeros_like(item), where=defined)
    passed = defined & (ratios >= low) & (ratios <= high)
    total_item, scale = float(item.sum()), float(np.abs(item).sum())
    cancels = abs(total_item) <= 1e-12 * scale
    cumulative = None if cancels else -float(hedge.sum()) / total_item
    return DollarOffset(
        cumulative=cumulative,
        cumulative_passes=None if cumulative is None else low <= cumulative <= high,
        per_period=finite_array(ratios, "per-period offset"),
        defined=defined,
        n_passed=int(passed.sum()),
        n_failed=int((defined & ~passed).sum()),
        n_undefined=int((~defined).sum()),
        low=low,
        high=high,
    )


def offset_pass_probability(r_squared: float, *, low: float = 0.80, high: float = 1.25) -> float:
    """Probability that one period's dollar offset lies in the passing range.

    Parameters
    ----------
    r_squared : float
        Of item and hedge, bivariate normal with equal volatilities, 0 to 1.
    low, high : float

    Returns
    -------
    float
        By the Cauchy law of a ratio of normals, location rho and scale sqrt(1 - rho^2).

    References
    ----------
    Canabarro, E. (1999), A note on the assessment of hedge effectiveness using the dollar offset
    ratio under FAS 133, Goldman Sachs.
    """
    if not 0.0 <= r_squared <= 1.0:
        raise InvalidInputError(f"r_squared must lie in 0 to 1, got {r_squared}")
    correlation, scale = np.sqrt(r_squared), np.sqrt(1.0 - r_squared)
    if scale == 0.0:
        return 1.0 if low <= 1.0 <= high else 0.0
    angles = np.arctan((np.array([low, high]) - correlation) / scale)
    return float((angles[1] - angles[0]) / np.pi)


@dataclass(frozen=True, slots=True)
class ResetFundHedge:
    """n-day hedge of an index with a daily-reset fund on it, closed form.

    Attributes
    ----------
    n_days : int
    effectiveness : float
        Largest variance reduction of a static holding, rho_n^2.
    hedge_notional : float
        Dollars of the fund per dollar of index that reach it.
    static_hedge_notional : float
        The holding asked about; -1/multiple (one third for -3x) unless given.
    static_effectiveness : float
        Variance reduction of that holding.
    beta : float
        n-day slope of the fund on the index.
    """

    n_days: int
    effectiveness: float
    hedge_notional: float
    static_hedge_notional: float
    static_effectiveness: float
    beta: float


def reset_fund_hedge(
    multiple: float,
    annual_volatility: float,
    n_days: int,
    *,
    daily_drift: float = 0.0,
    hedge_notional: float | None = None,
    periods_per_year: int = TRADING_DAYS_PER_YEAR,
) -> ResetFundHedge:
    """n-day effectiveness of a static position in a daily-reset fund against its own index.

    Parameters
    ----------
    multiple : float
        Daily multiple, not 0.
    annual_volatility : float
        Of the index, decimal, positive.
    n_days : int
        Trading days held without adjustment.
    daily_drift : float
        Mean daily index return, decimal.
    hedge_notional : float, optional
        Static holding to assess, dollars of fund per dollar of index.
    periods_per_year : int

    Returns
    -------
    ResetFundHedge

    Raises
    ------
    InvalidInputError
        If a parameter is out of range.

    Notes
    -----
    With S and L the n-day gross returns, exact for any independent, identically distributed daily
    return of mean mu and variance v, without tracking error or fees:
    ``cov = (A + m v)^n - A^n``, A = (1 + mu)(1 + m mu);
    ``var S = ((1 + mu)^2 + v)^n - (1 + mu)^2n``;
    ``var L = ((1 + m mu)^2 + m^2 v)^n - (1 + m mu)^2n``.
    Evaluated as B^n expm1(n log1p(d/B)), which keeps the digits that the differences lose.

    Examples
    --------
    >>> round(reset_fund_hedge(-3, 0.6, 15).effectiveness, 4)
    0.8515
    """
    if finite(multiple, "multiple") == 0.0:
        raise InvalidInputError("multiple must not be 0", argument="multiple")
    positive(annual_volatility, "annual_volatility")
    finite(daily_drift, "daily_drift")
    _at_least(n_days, 1, "n_days")
    v = annual_volatility**2 / periods_per_year
    growth, fund_growth = 1.0 + daily_drift, 1.0 + multiple * daily_drift
    cross = growth * fund_growth
    if growth <= 0.0 or fund_growth <= 0.0 or cross + multiple * v <= 0.0:
        raise InvalidInputError(
            "volatility or drift is beyond the formula for this multiple; "
            "volatility is annual and drift daily, both decimals",
            argument="annual_volatility",
        )

    def moment(base: float, increment: float) -> float:
        return float(base**n_days * np.expm1(n_days * np.log1p(increment / base)))

    covariance = moment(cross, multiple * v)
    index_variance = moment(growth**2, v)
    fund_variance = moment(fund_growth**2, multiple**2 * v)
    static = -1.0 / multiple if hedge_notional is None else finite(hedge_notional, "hedge_notional")
    return ResetFundHedge(
        n_days=n_days,
        effectiveness=covariance**2 / (index_variance * fund_variance),
        hedge_notional=-covariance / fund_variance,
        static_hedge_notional=static,
        static_effectiveness=-(2.0 * static * covariance + static**2 * fund_variance)
        / index_variance,
        beta=covariance / index_variance,
    )


@dataclass(frozen=True, slots=True)
class BlockHedge:
    """Effectiveness on non-overlapping blocks of one length.

    Attributes
    ----------
    n_days, n_blocks, n_obs : int
        n_obs is the number of days inside the blocks.
    designated : Estimate or None
        Variance reduction of the designated holding; None with a failure.
    best : Estimate or None
        Variance reduction of the block's own minimum-variance holding.
    hedge_notional : float
        Designated holding.
    best_hedge_notional : Estimate or None
    failure : Failure or None
    """

    n_days: int
    n_blocks: int
    n_obs: int
    designated: Estimate | None
    best: Estimate | None
    hedge_notional: float
    best_hedge_notional: Estimate | None
    failure: Failure | None


def horizon_blocks(
    item_returns: FloatArray,
    hedge_returns: FloatArray,
    *,
    hedge_notional: float,
    horizons: Sequence[int] = HORIZONS,
    min_blocks: int = 8,
    confidence_level: float = 0.95,
) -> tuple[BlockHedge, ...]:
    """Measured effectiveness over holding periods, on non-overlapping blocks.

    Parameters
    ----------
    item_returns, hedge_returns : float64 array of shape (n_obs,)
        Simple daily returns as decimals, same sessions, oldest first, no gaps.
    hedge_notional : float
        Designated holding per unit of item at the start of each block, left alone inside it.
    horizons : sequence of int
        Block lengths in trading days.
    min_blocks : int
        Fewer blocks than this are answered by an ``insufficient_data`` failure, at least 4.
    confidence_level : float

    Returns
    -------
    tuple of BlockHedge
        One per horizon. Blocks end at the last observation.

    Notes
    -----
    Blocks do not overlap, so lag 0 is used in the intervals of `variance_reduction`; overlapping
    windows would need n - 1 lags and shrink errors that are not there to shrink.
    """
    item, hedge = _pair(item_returns, hedge_returns, 1)
    returns_above_ruin(item, "item_returns")
    returns_above_ruin(hedge, "hedge_returns")
    finite(hedge_notional, "hedge_notional")
    _at_least(min_blocks, 4, "min_blocks")
    results: list[BlockHedge] = []
    for n_days in horizons:
        _at_least(n_days, 1, "horizons")
        blocks = block_returns(np.stack([item, hedge]), n_days)
        n_blocks = blocks.shape[1]
        designated = best = best_notional = None
        failure = None
        try:
            enough(n_blocks, min_blocks, f"the sample in blocks of {n_days} days")
            designated = variance_reduction(
                blocks[0],
                blocks[1],
                hedge_notional=hedge_notional,
                hac_lags=0,
                min_obs=min_blocks,
                confidence_level=confidence_level,
            ).effectiveness
            fitted = minimum_variance_hedge(
                blocks[0],
                blocks[1],
                hac_lags=0,
                min_obs=min_blocks,
                confidence_level=confidence_level,
            ).at(0)
            best = fitted.effectiveness
            ratio = fitted.hedge_ratio
            best_notional = Estimate(
                -ratio.value, ratio.standard_error, -ratio.ci_high, -ratio.ci_low
            )
        except (InsufficientDataError, DegenerateInputError) as error:
            designated = best = best_notional = None
            failure = error.failure
        results.append(
            BlockHedge(
                n_days=n_days,
                n_blocks=n_blocks,
                n_obs=n_blocks * n_days,
                designated=designated,
                best=best,
                hedge_notional=hedge_notional,
                best_hedge_notional=best_notional,
                failure=failure,
            )
        )
    return tuple(results)


@dataclass(frozen=True, slots=True, eq=False)
class CoveragePath:
    """Coverage of an unadjusted hedge relative to its start.

    Attributes
    ----------
    exact : float64 array of shape (n_obs,)
        prod(1 + m r)/prod(1 + r) after each session.
    approximate : float64 array of shape (n_obs,)
        (S_t/S_0)^(m - 1) exp((m - m^2)/2 V_t), V the sum of squared log returns.
    first_breach : int or None
        Row of the first session outside 1 +/- band.
    band : float
    """

    exact: FloatArray
    approximate: FloatArray
    first_breach: int | None
    band: float


def coverage_path(
    multiple: float, index_returns: FloatArray, *, band: float = 0.10
) -> CoveragePath:
    """Follow how much of the index a static holding of a reset fund still covers.

    Parameters
    ----------
    multiple : float
        Daily multiple of the fund.
    index_returns : float64 array of shape (n_obs,)
        Simple daily returns of the index since the hedge was sized, oldest first.
    band : float
        Tolerated drift either way, decimal.

    Returns
    -------
    CoveragePath

    Raises
    ------
    DegenerateInputError
        If a day's move wipes the fund out.

    References
    ----------
    Avellaneda, M. and Zhang, S. (2010), SIAM Journal on Financial Mathematics 1, eq. 10.
    Hill, J. and Teller, S. (2010), Journal of Indexes (rebalancing at a 10 % band).
    """
    returns = finite_vector(index_returns, "index_returns")
    returns_above_ruin(returns, "index_returns")
    positive(band, "band")
    fund = 1.0 + finite(multiple, "multiple") * returns
    if (fund <= 0.0).any():
        raise DegenerateInputError(
            f"the move in row {int(np.argmax(fund <= 0.0))} wipes out a fund of multiple "
            f"{multiple}",
            row=int(np.argmax(fund <= 0.0)),
        )
    exact = np.cumprod(fund / (1.0 + returns))
    log_returns = np.log1p(returns)
    approximate = np.exp(
        (multiple - 1.0) * np.cumsum(log_returns)
        + (multiple - multiple**2) / 2.0 * np.cumsum(log_returns**2)
    )
    outside = np.abs(exact - 1.0) > band
    return CoveragePath(
        exact=finite_array(exact, "coverage"),
        approximate=finite_array(approximate, "approximate coverage"),
        first_breach=int(np.argmax(outside)) if outside.any() else None,
        band=band,
    )


def coverage_after_move(
    multiple: float, index_return: float, realized_variance: float = 0.0
) -> float:
    """Coverage relative to its start after a move and a realized variance.

    Parameters
    ----------
    multiple : float
    index_return : float
        Since the hedge was sized, decimal, above -1.
    realized_variance : float
        Sum of squared log returns on the way; 0 for a smooth move.

    Returns
    -------
    float
        ``(1 + R)^(m - 1) exp((m - m^2)/2 V)``.

    Examples
    --------
    >>> round(coverage_after_move(-3, 0.10), 3), round(coverage_after_move(-3, -0.10), 3)
    (0.683, 1.524)
    """
    finite(multiple, "multiple")
    growth = positive(1.0 + finite(index_return, "index_return"), "1 + index_return")
    variance = not_negative(realized_variance, "realized_variance")
    exponent = (multiple - 1.0) * np.log(growth) + (multiple - multiple**2) / 2.0 * variance
    return _representable(exponent, "coverage")


def _representable(exponent: float, name: str) -> float:
    if exponent > 700.0:
        raise InvalidInputError(f"{name} overflows for these inputs; check their scale")
    return float(np.exp(exponent))


def hedge_contracts(hedge_ratio: float, item_value: float, contract_value: float) -> float:
    """Contracts of the hedging instrument, hedge ratio times item over contract size.

    Parameters
    ----------
    hedge_ratio : float
        cov/var; the result is the number to sell when positive.
    item_value, contract_value : float
        Same unit: quantities for price changes, values for percentage changes (tailed).

    References
    ----------
    Hull, J., Options, Futures and Other Derivatives, section 3.4.
    """
    return (
        finite(hedge_ratio, "hedge_ratio")
        * finite(item_value, "item_value")
        / positive(contract_value, "contract_value")
    )


def index_futures_contracts(
    beta: float,
    portfolio_value: float,
    futures_price: float,
    contract_multiplier: float,
    *,
    target_beta: float = 0.0,
) -> float:
    """Index futures to sell to bring a portfolio's beta to a target; negative is to buy.

    References
    ----------
    Hull, J., Options, Futures and Other Derivatives, section 3.5.
    """
    return (
        (finite(beta, "beta") - finite(target_beta, "target_beta"))
        * finite(portfolio_value, "portfolio_value")
        / (
            positive(futures_price, "futures_price")
            * positive(contract_multiplier, "contract_multiplier")
        )
    )


@dataclass(frozen=True, slots=True)
class HedgeCost:
    """Cost of a hedge per unit of risk removed.

    Attributes
    ----------
    per_variance : float
        Annual cost per unit of annual variance removed.
    per_volatility : float
        Annual cost per unit of annual volatility removed.
    per_expected_shortfall : float or None
        Annual cost per unit of expected shortfall removed, when both shortfalls are given.
    """

    per_variance: float
    per_volatility: float
    per_expected_shortfall: float | None


def hedge_cost(
    annual_cost: float,
    annual_volatility_unhedged: float,
    annual_volatility_hedged: float,
    *,
    expected_shortfall_unhedged: float | None = None,
    expected_shortfall_hedged: float | None = None,
) -> HedgeCost:
    """Cost per unit of variance, volatility and expected shortfall removed.

    Parameters
    ----------
    annual_cost : float
        Carry, fee, borrow, expected compounding and turnover times spread, decimal of the hedged
        value a year; a cost is positive.
    annual_volatility_unhedged, annual_volatility_hedged : float
        Decimals.
    expected_shortfall_unhedged, expected_shortfall_hedged : float, optional

    Returns
    -------
    HedgeCost

    Raises
    ------
    DegenerateInputError
        If the hedge removes no risk: a cost per nothing is no number.
    """
    cost = finite(annual_cost, "annual_cost")
    before = positive(annual_volatility_unhedged, "annual_volatility_unhedged")
    after = not_negative(annual_volatility_hedged, "annual_volatility_hedged")
    if after >= before:
        raise DegenerateInputError(
            "the hedge removes no volatility, so it has no cost per unit removed",
            unhedged=before,
            hedged=after,
        )
    per_shortfall = None
    if expected_shortfall_unhedged is not None and expected_shortfall_hedged is not None:
        removed = finite(expected_shortfall_unhedged, "expected_shortfall_unhedged") - finite(
            expected_shortfall_hedged, "expected_shortfall_hedged"
        )
        per_shortfall = cost / removed if removed > 0.0 else None
    return HedgeCost(
        per_variance=cost / (before**2 - after**2),
        per_volatility=cost / (before - after),
        per_expected_shortfall=per_shortfall,
    )
