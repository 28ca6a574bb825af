"""Semiconductor beta: estimates with errors, and beta seen through funds and options."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.engine.checks import (
    SMALLEST_DEVIATION,
    bounded,
    enough,
    finite,
    finite_array,
    finite_result,
    finite_vector,
    masked_rows,
    masked_vector,
    not_negative,
    open_unit,
    positive,
)
from analytics.engine.errors import (
    DegenerateInputError,
    EngineError,
    InvalidInputError,
    error_from,
)
from analytics.engine.regression import (
    Regression,
    answerable_rows,
    bartlett_variance,
    common_samples,
    design,
    durbin_watson,
    least_squares,
    resolve_lags,
    small_sample_factor,
    student_quantile,
)
from analytics.engine.types import (
    TRADING_DAYS_PER_YEAR,
    BoolArray,
    Estimate,
    Failure,
    FloatArray,
    IntArray,
)

# A neighboring session counts when what it explains beyond the same session is significant and at
# least this share of the same-session correlation: an asset that trades half a day late has two
# equal peaks, not one displaced peak. Looking beyond the same session keeps a benchmark's own
# serial correlation from counting.
_ASYNCHRONOUS_SHARE = 0.5
_ASYNCHRONOUS_SIGMAS = 3.0


@dataclass(frozen=True, slots=True)
class BetaEstimate:
    """Beta of one portfolio on one benchmark.

    Attributes
    ----------
    beta : Estimate
        Slope, dimensionless, with its HAC standard error and interval.
    ols_standard_error : float
    alpha : float
        Intercept, decimal return per observation.
    r_squared, durbin_watson : float
    n_obs, hac_lags : int
    asynchronous : bool
        The portfolio moves with the benchmark of a neighboring session.
    lead_lag_correlation : tuple of three floats
        Correlation with the benchmark one session earlier, the same session, one later.
    """

    beta: Estimate
    ols_standard_error: float
    alpha: float
    r_squared: float
    durbin_watson: float
    n_obs: int
    hac_lags: int
    asynchronous: bool
    lead_lag_correlation: tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class BetaBatch:
    """Betas of a batch of portfolios on one benchmark.

    Every array has shape (n_portfolios,) unless said; where `failures` has a record the arrays hold
    the placeholder 0, which is not a value.

    Attributes
    ----------
    beta, alpha, ols_standard_error, hac_standard_error : float64 array
    ci_low, ci_high : float64 array
        Student t interval of beta around the HAC standard error, n - 2 degrees of freedom.
    r_squared, durbin_watson : float64 array
    n_obs, hac_lags : int64 array
    asynchronous : bool array
    lead_lag_correlation : float64 array of shape (n_portfolios, 3)
    failures : tuple of Failure or None
    """

    beta: FloatArray
    alpha: FloatArray
    ols_standard_error: FloatArray
    hac_standard_error: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    r_squared: FloatArray
    durbin_watson: FloatArray
    n_obs: IntArray
    hac_lags: IntArray
    asynchronous: BoolArray
    lead_lag_correlation: FloatArray
    failures: tuple[Failure | None, ...]

    @property
    def ok(self) -> BoolArray:
        """Return which portfolios have an answer."""
        return np.array([failure is None for failure in self.failures], dtype=np.bool_)

    def at(self, index: int) -> BetaEstimate:
        """Return one portfolio's estimate.

        Raises
        ------
        EngineError
            The portfolio's failure, if it has one.
        """
        _raise_failure(self.failures[index])
        before, same, after = (float(value) for value in self.lead_lag_correlation[index])
        return BetaEstimate(
            beta=Estimate(
                value=float(self.beta[index]),
                standard_error=float(self.hac_standard_error[index]),
                ci_low=float(self.ci_low[index]),
                ci_high=float(self.ci_high[index]),
            ),
            ols_standard_error=float(self.ols_standard_error[index]),
            alpha=float(self.alpha[index]),
            r_squared=float(self.r_squared[index]),
            durbin_watson=float(self.durbin_watson[index]),
            n_obs=int(self.n_obs[index]),
            hac_lags=int(self.hac_lags[index]),
            asynchronous=bool(self.asynchronous[index]),
            lead_lag_correlation=(before, same, after),
        )


def _raise_failure(failure: Failure | None) -> None:
    if failure is not None:
        raise error_from(failure)


def semiconductor_beta(
    portfolio_returns: FloatArray,
    benchmark_returns: FloatArray,
    *,
    hac_lags: int | str = "auto",
    min_obs: int = 60,
    confidence_level: float = 0.95,
) -> BetaBatch:
    """Regress a batch of portfolios on a semiconductor benchmark.

    Parameters
    ----------
    portfolio_returns : float64 array of shape (n_portfolios, n_obs) or (n_obs,)
        Simple daily returns as decimals, oldest first; NaN marks a missing session.
    benchmark_returns : float64 array of shape (n_obs,)
        Likewise, on the same sessions.
    hac_lags : int or "auto"
        Bartlett truncation; "auto" is floor(4 (n/100)^(2/9)) of the portfolio's own n.
    min_obs : int
        Fewest common observations that are served, at least 3.
    confidence_level : float
        Of the interval, between 0 and 1.

    Returns
    -------
    BetaBatch
        A portfolio that cannot be answered has a Failure and does not disturb the others.

    Raises
    ------
    InvalidInputError
        If shapes disagree, a return is infinite, or a parameter is out of range.

    Notes
    -----
    ``r_t = alpha + beta x_t + e_t`` on the sessions where both are present, by centered least
    squares. OLS variance s^2/SSX with s^2 = RSS/(n - 2); HAC variance by Bartlett weights
    1 - l/(L + 1) times the small-sample factor n/(n - 2). Lags count observations of the sample.

    References
    ----------
    Sharpe, W. (1964), Capital asset prices, Journal of Finance 19.
    Newey, W. and West, K. (1987), Econometrica 55, eq. 5.

    Examples
    --------
    >>> x = np.sin(np.arange(80.0)) / 100
    >>> result = semiconductor_beta(1.5 * x, x)
    >>> round(result.at(0).beta.value, 10)
    1.5
    """
    rows = masked_rows(portfolio_returns, "portfolio_returns")
    x_all = masked_vector(benchmark_returns, "benchmark_returns", length=rows.shape[1])
    open_unit(confidence_level, "confidence_level")
    _at_least(min_obs, 3, "min_obs")
    resolve_lags(hac_lags, max(rows.shape[1], min_obs))
    n_rows = rows.shape[0]
    floats = {name: np.zeros(n_rows) for name in _BETA_FLOATS}
    n_obs = np.zeros(n_rows, dtype=np.int64)
    lags = np.zeros(n_rows, dtype=np.int64)
    asynchronous = np.zeros(n_rows, dtype=np.bool_)
    lead_lag = np.zeros((n_rows, 3))
    failures: list[Failure | None] = [None] * n_rows
    observed = ~np.isnan(rows) & ~np.isnan(x_all)
    for members, columns in common_samples(observed):
        x = x_all[columns]
        y = rows[members] if columns.size == rows.shape[1] else rows[np.ix_(members, columns)]
        n_obs[members] = columns.size
        try:
            enough(columns.size, min_obs, "the common sample of portfolio and benchmark")
            factor = design(x[:, np.newaxis])
            group_lags = resolve_lags(hac_lags, columns.size)
        except EngineError as error:
            for member in members:
                failures[member] = error.failure
            continue
        answered, y = answerable_rows(members, y, failures, "portfolio_returns")
        fit = least_squares(factor, y)
        variance = bartlett_variance(fit.residuals * factor.influence[1], group_lags)
        hac = np.sqrt(variance * small_sample_factor(columns.size, 2))
        half_width = student_quantile(confidence_level, fit.degrees_of_freedom) * hac
        slope = fit.coefficients[:, 1]
        correlations = _lead_lag_correlation(y, x)
        floats["alpha"][answered] = fit.coefficients[:, 0]
        floats["beta"][answered] = slope
        floats["ols_standard_error"][answered] = fit.standard_errors[:, 1]
        floats["hac_standard_error"][answered] = hac
        floats["ci_low"][answered] = slope - half_width
        floats["ci_high"][answered] = slope + half_width
        floats["r_squared"][answered] = fit.r_squared
        floats["durbin_watson"][answered] = durbin_watson(fit.residuals)
        lags[answered] = group_lags
        lead_lag[answered] = correlations
        asynchronous[answered] = _is_asynchronous(fit, x, correlations[:, 1])
    return BetaBatch(
        **floats,
        n_obs=n_obs,
        hac_lags=lags,
        asynchronous=asynchronous,
        lead_lag_correlation=lead_lag,
        failures=tuple(failures),
    )


_BETA_FLOATS = (
    "beta",
    "alpha",
    "ols_standard_error",
    "hac_standard_error",
    "ci_low",
    "ci_high",
    "r_squared",
    "durbin_watson",
)


def _at_least(value: int, least: int, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InvalidInputError(
            f"{name} must be an integer of at least {least}, got {value!r}", argument=name
        )


def _lead_lag_correlation(y: FloatArray, x: FloatArray) -> FloatArray:
    """Correlate with the benchmark one session earlier, the same session and one later."""
    centered_y = y - y.mean(axis=1, keepdims=True)
    centered_x = x - x.mean()
    scale = np.sqrt(np.einsum("pt,pt->p", centered_y, centered_y) * (centered_x @ centered_x))
    products = np.stack(
        [
            centered_y[:, 1:] @ centered_x[:-1],
            centered_y @ centered_x,
            centered_y[:, :-1] @ centered_x[1:],
        ],
        axis=1,
    )
    correlation: FloatArray = products / scale[:, np.newaxis]
    return correlation


def _is_asynchronous(fit: Regression, x: FloatArray, same_session: FloatArray) -> BoolArray:
    centered = x - x.mean()
    sum_of_squares = float(centered @ centered)
    beyond = np.maximum(
        np.abs(fit.residuals[:, 1:] @ centered[:-1]), np.abs(fit.residuals[:, :-1] @ centered[1:])
    )
    unexplained = np.sqrt(fit.residual_sum_of_squares * sum_of_squares)
    total = np.sqrt(fit.total_sum_of_squares * sum_of_squares)
    significant = beyond > _ASYNCHRONOUS_SIGMAS / np.sqrt(x.shape[0]) * unexplained
    flagged: BoolArray = significant & (
        beyond >= _ASYNCHRONOUS_SHARE * np.abs(same_session) * total
    )
    return flagged


@dataclass(frozen=True, slots=True)
class TwoFactorEstimate:
    """Joint betas of one portfolio; see `TwoFactorBatch` for the definitions."""

    market: Estimate
    semiconductors: Estimate
    alpha: float
    r_squared: float
    semiconductor_beta_alone: float
    market_beta_alone: float
    variance_inflation: float
    condition_number: float
    n_obs: int
    hac_lags: int


@dataclass(frozen=True, slots=True, eq=False)
class TwoFactorBatch:
    """Betas on market and semiconductors held jointly.

    Arrays have shape (n_portfolios,); where `failures` has a record they hold the placeholder 0.

    Attributes
    ----------
    market_beta, semiconductor_beta : float64 array
        Joint coefficients. The semiconductor one equals the slope on the part of semiconductors
        that the market does not explain.
    market_ols_standard_error, market_hac_standard_error, market_ci_low, market_ci_high,
    semiconductor_ols_standard_error, semiconductor_hac_standard_error, semiconductor_ci_low,
    semiconductor_ci_high : float64 array
    alpha, r_squared : float64 array
    semiconductor_beta_alone, market_beta_alone : float64 array
        Univariate slopes. The market's is also its coefficient when semiconductors are
        orthogonalized to it.
    variance_inflation, condition_number : float64 array
        Of the two factors on the portfolio's sample.
    n_obs, hac_lags : int64 array
    failures : tuple of Failure or None
    """

    market_beta: FloatArray
    market_ols_standard_error: FloatArray
    market_hac_standard_error: FloatArray
    market_ci_low: FloatArray
    market_ci_high: FloatArray
    semiconductor_beta: FloatArray
    semiconductor_ols_standard_error: FloatArray
    semiconductor_hac_standard_error: FloatArray
    semiconductor_ci_low: FloatArray
    semiconductor_ci_high: FloatArray
    alpha: FloatArray
    r_squared: FloatArray
    semiconductor_beta_alone: FloatArray
    market_beta_alone: FloatArray
    variance_inflation: FloatArray
    condition_number: FloatArray
    n_obs: IntArray
    hac_lags: IntArray
    failures: tuple[Failure | None, ...]

    @property
    def ok(self) -> BoolArray:
        """Return which portfolios have an answer."""
        return np.array([failure is None for failure in self.failures], dtype=np.bool_)

    def at(self, index: int) -> TwoFactorEstimate:
        """Return one portfolio's estimate, or raise its failure."""
        _raise_failure(self.failures[index])
        return TwoFactorEstimate(
            market=Estimate(
                float(self.market_beta[index]),
                float(self.market_hac_standard_error[index]),
                float(self.market_ci_low[index]),
                float(self.market_ci_high[index]),
            ),
            semiconductors=Estimate(
                float(self.semiconductor_beta[index]),
                float(self.semiconductor_hac_standard_error[index]),
                float(self.semiconductor_ci_low[index]),
                float(self.semiconductor_ci_high[index]),
            ),
            alpha=float(self.alpha[index]),
            r_squared=float(self.r_squared[index]),
            semiconductor_beta_alone=float(self.semiconductor_beta_alone[index]),
            market_beta_alone=float(self.market_beta_alone[index]),
            variance_inflation=float(self.variance_inflation[index]),
            condition_number=float(self.condition_number[index]),
            n_obs=int(self.n_obs[index]),
            hac_lags=int(self.hac_lags[index]),
        )


_FACTOR_PARTS = (
    "beta",
    "beta_alone",
    "ols_standard_error",
    "hac_standard_error",
    "ci_low",
    "ci_high",
)
_TWO_FACTOR_FLOATS = (
    *(f"market_{part}" for part in _FACTOR_PARTS),
    *(f"semiconductor_{part}" for part in _FACTOR_PARTS),
    "alpha",
    "r_squared",
    "variance_inflation",
    "condition_number",
)


def two_factor_beta(
    portfolio_returns: FloatArray,
    market_returns: FloatArray,
    semiconductor_returns: FloatArray,
    *,
    hac_lags: int | str = "auto",
    min_obs: int = 60,
    confidence_level: float = 0.95,
) -> TwoFactorBatch:
    """Regress a batch of portfolios on market and semiconductors jointly.

    Parameters
    ----------
    portfolio_returns : float64 array of shape (n_portfolios, n_obs) or (n_obs,)
        Simple daily returns as decimals, oldest first; NaN marks a missing session.
    market_returns, semiconductor_returns : float64 array of shape (n_obs,)
        Likewise, on the same sessions.
    hac_lags, min_obs, confidence_level
        As in `semiconductor_beta`; min_obs is at least 4.

    Returns
    -------
    TwoFactorBatch

    Raises
    ------
    InvalidInputError
        If shapes disagree, a return is infinite, or a parameter is out of range.

    Notes
    -----
    ``r = alpha + b_m m + b_s x + e``. HAC errors carry the small-sample factor n/(n - 3). A
    univariate semiconductor beta mostly measures market beta; by Frisch, Waugh and Lovell b_s is
    the slope on the residual of x given m, and b_m changes if x is orthogonalized first.

    References
    ----------
    Frisch, R. and Waugh, F. (1933), Econometrica 1; Lovell, M. (1963), JASA 58.
    """
    rows = masked_rows(portfolio_returns, "portfolio_returns")
    market = masked_vector(market_returns, "market_returns", length=rows.shape[1])
    semis = masked_vector(semiconductor_returns, "semiconductor_returns", length=rows.shape[1])
    open_unit(confidence_level, "confidence_level")
    _at_least(min_obs, 4, "min_obs")
    resolve_lags(hac_lags, max(rows.shape[1], min_obs))
    n_rows = rows.shape[0]
    floats = {name: np.zeros(n_rows) for name in _TWO_FACTOR_FLOATS}
    n_obs = np.zeros(n_rows, dtype=np.int64)
    lags = np.zeros(n_rows, dtype=np.int64)
    failures: list[Failure | None] = [None] * n_rows
    observed = ~np.isnan(rows) & ~np.isnan(market) & ~np.isnan(semis)
    for members, columns in common_samples(observed):
        y = rows[np.ix_(members, columns)]
        n_obs[members] = columns.size
        try:
            enough(columns.size, min_obs, "the common sample of portfolio and factors")
            factors = np.stack([market[columns], semis[columns]], axis=1)
            joint = design(factors)
            group_lags = resolve_lags(hac_lags, columns.size)
        except EngineError as error:
            for member in members:
                failures[member] = error.failure
            continue
        answered, y = answerable_rows(members, y, failures, "portfolio_returns")
        fit = least_squares(joint, y)
        hac = fit.hac_standard_errors(group_lags, small_sample=True)
        half_width = student_quantile(confidence_level, fit.degrees_of_freedom) * hac
        for position, factor in enumerate(("market", "semiconductor"), start=1):
            slope = fit.coefficients[:, position]
            alone = least_squares(design(factors[:, [position - 1]]), y)
            floats[f"{factor}_beta"][answered] = slope
            floats[f"{factor}_beta_alone"][answered] = alone.coefficients[:, 1]
            floats[f"{factor}_ols_standard_error"][answered] = fit.standard_errors[:, position]
            floats[f"{factor}_hac_standard_error"][answered] = hac[:, position]
            floats[f"{factor}_ci_low"][answered] = slope - half_width[:, position]
            floats[f"{factor}_ci_high"][answered] = slope + half_width[:, position]
        floats["alpha"][answered] = fit.coefficients[:, 0]
        floats["r_squared"][answered] = fit.r_squared
        floats["variance_inflation"][answered] = joint.variance_inflation[1]
        floats["condition_number"][answered] = joint.condition_number
        lags[answered] = group_lags
    return TwoFactorBatch(**floats, n_obs=n_obs, hac_lags=lags, failures=tuple(failures))


def slope_on_orthogonalized(
    portfolio_returns: FloatArray, factor: FloatArray, control: FloatArray
) -> float:
    """Slope on the part of a factor that the control does not explain.

    Parameters
    ----------
    portfolio_returns, factor, control : float64 array of shape (n_obs,)

    Returns
    -------
    float
        Equal to the factor's coefficient in the joint regression (Frisch, Waugh, Lovell).
    """
    y = finite_vector(portfolio_returns, "portfolio_returns")
    x = finite_vector(factor, "factor")
    on_control = least_squares(design(finite_vector(control, "control")[:, np.newaxis]), x[None, :])
    orthogonal = least_squares(design(on_control.residuals.T), y[np.newaxis, :])
    return float(orthogonal.coefficients[0, 1])


@dataclass(frozen=True, slots=True, eq=False)
class RollingBeta:
    """Betas on a moving window.

    Attributes
    ----------
    beta, standard_error : float64 array of shape (n_portfolios, n_obs)
        OLS; the placeholder 0, which is not a value, where `valid` is False.
    n_obs : int64 array of shape (n_portfolios, n_obs)
        Common observations inside the window.
    valid : bool array of shape (n_portfolios, n_obs)
        False for the first window - 1 sessions, for windows with too few observations and for
        windows in which the benchmark does not move.
    """

    beta: FloatArray
    standard_error: FloatArray
    n_obs: IntArray
    valid: BoolArray


# Prefix sums carry rounding of this order relative to the whole sample's sum of squares.
_WINDOW_CONSTANT = 1e-12


def rolling_beta(
    portfolio_returns: FloatArray,
    benchmark_returns: FloatArray,
    window: int,
    *,
    min_obs: int | None = None,
) -> RollingBeta:
    """Beta on the last `window` sessions, at every session.

    Parameters
    ----------
    portfolio_returns : float64 array of shape (n_portfolios, n_obs) or (n_obs,)
        Simple daily returns as decimals, oldest first; NaN marks a missing session.
    benchmark_returns : float64 array of shape (n_obs,)
    window : int
        Sessions, at least 3.
    min_obs : int, optional
        Fewest common observations in a window; all of them by default.

    Returns
    -------
    RollingBeta

    Raises
    ------
    InvalidInputError
        If shapes disagree, a return is infinite or a parameter is out of range.

    Notes
    -----
    Differences of prefix sums after the means are removed, which keeps their digits. On a gap both
    series drop the session: covariance and variance use the same pairs. The standard error is
    sqrt(RSS/(n - 2)/SSX) of the window.
    """
    rows = bounded(masked_rows(portfolio_returns, "portfolio_returns"), "portfolio_returns")
    x_all = masked_vector(benchmark_returns, "benchmark_returns", length=rows.shape[1])
    _at_least(window, 3, "window")
    fewest = window if min_obs is None else min_obs
    _at_least(fewest, 3, "min_obs")
    if fewest > window:
        raise InvalidInputError(
            f"min_obs is {fewest} in a window of {window}; it cannot be more", argument="min_obs"
        )
    n_rows, n_sessions = rows.shape
    if window > n_sessions:
        empty = np.zeros((n_rows, n_sessions))
        return RollingBeta(empty, empty, empty.astype(np.int64), empty.astype(np.bool_))
    observed = ~np.isnan(rows) & ~np.isnan(x_all)
    complete = bool(observed.all())
    count = np.maximum(observed.sum(axis=1, keepdims=True), 1)
    y = np.where(observed, rows, 0.0)
    y -= y.sum(axis=1, keepdims=True) / count
    # With no gaps the benchmark's sums are the same for every portfolio: keep one row of them.
    x = np.where(observed[:1] if complete else observed, x_all, 0.0)
    x = x - x.sum(axis=1, keepdims=True) / (count[:1] if complete else count)
    if not complete:
        y[~observed] = 0.0
        x[~observed] = 0.0
    n = _window_sums((observed[:1] if complete else observed).astype(np.float64), window)
    sum_x, sum_y = _window_sums(x, window), _window_sums(y, window)
    divisor = np.maximum(n, 1.0)
    ssx = _window_sums(x * x, window) - sum_x * sum_x / divisor
    sxy = _window_sums(x * y, window) - sum_x * sum_y / divisor
    ssy = _window_sums(y * y, window) - sum_y * sum_y / divisor
    total = np.einsum("pt,pt->p", x, x)[:, np.newaxis]
    floor = np.maximum(_WINDOW_CONSTANT * total, SMALLEST_DEVIATION**2)
    answered = np.broadcast_to((n >= fewest) & (ssx > floor), sxy.shape)
    beta = np.zeros((n_rows, n_sessions))
    standard_error = np.zeros((n_rows, n_sessions))
    n_obs = np.zeros((n_rows, n_sessions), dtype=np.int64)
    valid = np.zeros((n_rows, n_sessions), dtype=np.bool_)
    slope = np.divide(sxy, ssx, out=np.zeros_like(sxy), where=answered)
    residual = np.maximum(ssy - slope * sxy, 0.0)
    variance = np.divide(
        residual, np.maximum(n - 2.0, 1.0) * ssx, out=np.zeros_like(sxy), where=answered
    )
    beta[:, window - 1 :] = slope
    standard_error[:, window - 1 :] = np.sqrt(variance)
    n_obs[:, window - 1 :] = np.rint(n).astype(np.int64)
    valid[:, window - 1 :] = answered
    finite_result(beta, "rolling beta")
    finite_result(standard_error, "rolling standard error")
    return RollingBeta(beta=beta, standard_error=standard_error, n_obs=n_obs, valid=valid)


def _window_sums(values: FloatArray, window: int) -> FloatArray:
    prefix = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=prefix[:, 1:])
    sums: FloatArray = prefix[:, window:] - prefix[:, :-window]
    return sums


@dataclass(frozen=True, slots=True)
class EwmaBeta:
    """Exponentially weighted beta.

    Attributes
    ----------
    beta : Estimate
        With a heteroskedasticity-robust standard error of the weighted regression.
    seed : str
        How the recursion starts; part of the definition.
    decay : float
    half_life_obs : float
        ln(1/2)/ln(decay).
    effective_n_obs : float
        (1 + decay)/(1 - decay), the length of a flat window of the same variance.
    n_obs : int
    """

    beta: Estimate
    seed: str
    decay: float
    half_life_obs: float
    effective_n_obs: float
    n_obs: int


def ewma_beta(
    portfolio_returns: FloatArray,
    benchmark_returns: FloatArray,
    *,
    decay: float = 0.94,
    seed: str = "normalized",
    min_obs: int = 30,
    confidence_level: float = 0.95,
) -> EwmaBeta:
    """Beta with exponentially declining weights and zero means.

    Parameters
    ----------
    portfolio_returns, benchmark_returns : float64 array of shape (n_obs,)
        Simple daily returns as decimals, oldest first, without gaps.
    decay : float
        Weight of yesterday relative to today, 0.94 for daily data.
    seed : {"normalized", "first_observation"}
        Weights decay^(n-1-i) normalized to 1, or the recursion
        C_t = decay C_{t-1} + (1 - decay) r_t x_t started at C_0 = r_0 x_0.
    min_obs : int
    confidence_level : float

    Returns
    -------
    EwmaBeta

    Raises
    ------
    InvalidInputError, InsufficientDataError, DegenerateInputError

    References
    ----------
    J.P. Morgan/Reuters (1996), RiskMetrics Technical Document, 4th ed., section 5.2.
    """
    y = finite_vector(portfolio_returns, "portfolio_returns", min_length=min_obs)
    x = finite_vector(benchmark_returns, "benchmark_returns", min_length=min_obs)
    if y.shape != x.shape:
        raise InvalidInputError("portfolio_returns and benchmark_returns differ in length")
    open_unit(decay, "decay")
    open_unit(confidence_level, "confidence_level")
    n_obs = y.shape[0]
    weights = decay ** np.arange(n_obs - 1, -1, -1, dtype=np.float64)
    if seed == "first_observation":
        weights[1:] *= 1.0 - decay
    elif seed != "normalized":
        raise InvalidInputError(
            f'seed must be "normalized" or "first_observation", got {seed!r}', argument="seed"
        )
    weights /= weights.sum()
    variance = float(weights @ (x * x))
    if not variance > SMALLEST_DEVIATION**2:
        raise DegenerateInputError(
            "benchmark_returns is zero throughout, so there is no beta; choose another benchmark",
            series="benchmark_returns",
            n_obs=n_obs,
            std=0,
        )
    beta = float(weights @ (x * y)) / variance
    scores = weights * x * (y - beta * x) / variance
    standard_error = float(np.sqrt(scores @ scores))
    effective = (1.0 + decay) / (1.0 - decay)
    half_width = student_quantile(confidence_level, max(int(effective) - 1, 1)) * standard_error
    return EwmaBeta(
        beta=Estimate(beta, standard_error, beta - half_width, beta + half_width),
        seed=seed,
        decay=decay,
        half_life_obs=float(np.log(0.5) / np.log(decay)),
        effective_n_obs=effective,
        n_obs=n_obs,
    )


@dataclass(frozen=True, slots=True)
class UpDownBeta:
    """Betas in falling and in rising benchmarks, by two definitions.

    Attributes
    ----------
    down, up : Estimate
        cov/var over the sessions with the benchmark below (above) `threshold`, the conditional
        means removed (Ang, Chen and Xing). HAC standard errors.
    difference : Estimate
        Down less up, with the HAC standard error of the difference.
    lower_partial, upper_partial : float
        Co-partial moments about `target`, no means removed (Bawa and Lindenberg).
    threshold, target : float
    n_down, n_up : int
    """

    down: Estimate
    up: Estimate
    difference: Estimate
    lower_partial: float
    upper_partial: float
    threshold: float
    target: float
    n_down: int
    n_up: int


def up_down_beta(
    portfolio_returns: FloatArray,
    benchmark_returns: FloatArray,
    *,
    threshold: float | None = None,
    target: float = 0.0,
    min_obs_per_side: int = 30,
    hac_lags: int | str = "auto",
    confidence_level: float = 0.95,
) -> UpDownBeta:
    """Beta in falling and rising benchmarks, with the error of the difference.

    Parameters
    ----------
    portfolio_returns, benchmark_returns : float64 array of shape (n_obs,)
        Simple daily returns as decimals, oldest first, without gaps.
    threshold : float, optional
        Splits the sample of the conditional definition; the benchmark's mean by default.
    target : float
        tau of the partial-moment definition.
    min_obs_per_side : int
    hac_lags : int or "auto"
    confidence_level : float

    Returns
    -------
    UpDownBeta

    Raises
    ------
    InvalidInputError, InsufficientDataError, DegenerateInputError

    Notes
    -----
    Partial moments: ``E[(r - tau) min(x - tau, 0)] / E[min(x - tau, 0)^2]``. The scores of the two
    conditional slopes are laid on one time line, so the difference allows for serial correlation
    across the two sides. Errors carry the factor n/(n - 2) of each side (n/(n - 4) together).

    References
    ----------
    Ang, A., Chen, J. and Xing, Y. (2006), Downside risk, Review of Financial Studies 19, eq. 5.
    Bawa, V. and Lindenberg, E. (1977), Journal of Financial Economics 5.
    """
    y = finite_vector(portfolio_returns, "portfolio_returns")
    x = finite_vector(benchmark_returns, "benchmark_returns")
    if y.shape != x.shape:
        raise InvalidInputError("portfolio_returns and benchmark_returns differ in length")
    _at_least(min_obs_per_side, 3, "min_obs_per_side")
    open_unit(confidence_level, "confidence_level")
    split = float(x.mean()) if threshold is None else finite(threshold, "threshold")
    lags = resolve_lags(hac_lags, y.shape[0])
    slopes: list[float] = []
    scores: list[FloatArray] = []
    counts: list[int] = []
    for name, side in (("down", x < split), ("up", x > split)):
        count = int(side.sum())
        enough(count, min_obs_per_side, f"the {name} side of the benchmark")
        fit = least_squares(design(x[side][:, np.newaxis]), y[side][np.newaxis, :])
        score = np.zeros_like(y)
        score[side] = fit.design.influence[1] * fit.residuals[0]
        slopes.append(float(fit.coefficients[0, 1]))
        scores.append(score)
        counts.append(count)
    errors = np.sqrt(
        bartlett_variance(np.stack([*scores, scores[0] - scores[1]]), lags)
        * [
            small_sample_factor(counts[0], 2),
            small_sample_factor(counts[1], 2),
            small_sample_factor(sum(counts), 4),
        ]
    )
    freedom = (counts[0] - 2, counts[1] - 2, sum(counts) - 4)
    down, up, difference = (
        _interval(value, float(error), student_quantile(confidence_level, degrees))
        for value, error, degrees in zip(
            (*slopes, slopes[0] - slopes[1]), errors, freedom, strict=True
        )
    )
    return UpDownBeta(
        down=down,
        up=up,
        difference=difference,
        lower_partial=_partial_moment_beta(y - target, np.minimum(x - target, 0.0)),
        upper_partial=_partial_moment_beta(y - target, np.maximum(x - target, 0.0)),
        threshold=split,
        target=target,
        n_down=counts[0],
        n_up=counts[1],
    )


def _interval(value: float, standard_error: float, quantile: float) -> Estimate:
    half_width = quantile * standard_error
    return Estimate(value, standard_error, value - half_width, value + half_width)


def _partial_moment_beta(excess: FloatArray, partial: FloatArray) -> float:
    moment = float(partial @ partial)
    if not moment > SMALLEST_DEVIATION**2:
        raise DegenerateInputError(
            "the benchmark never crosses the target; choose another target", series="benchmark"
        )
    return float(excess @ partial) / moment


def fund_exposure(market_value: FloatArray | float, multiple: FloatArray | float) -> FloatArray:
    """Index exposure of a daily-reset fund: market value times its multiple, sign kept."""
    return finite_array(np.multiply(market_value, multiple), "market_value times multiple")


def option_exposure(
    contracts: FloatArray | float,
    contract_multiplier: FloatArray | float,
    delta: FloatArray | float,
    spot: FloatArray | float,
) -> FloatArray:
    """Delta-equivalent exposure in the underlying; contracts are negative when short."""
    product = np.asarray(contracts, dtype=np.float64) * contract_multiplier * delta * spot
    return finite_array(product, "contracts x multiplier x delta x spot")


def option_beta(delta: float, spot: float, value: float, underlying_beta: float) -> float:
    """Beta of an option's own return: elasticity delta S/V times the underlying's beta.

    References
    ----------
    Black, F. and Scholes, M. (1973), Journal of Political Economy 81, eq. 15.
    """
    return (
        finite(delta, "delta")
        * positive(spot, "spot")
        / positive(value, "value")
        * finite(underlying_beta, "underlying_beta")
    )


@dataclass(frozen=True, slots=True, eq=False)
class LookThroughBeta:
    """Beta of net asset value with funds and options seen through.

    Attributes
    ----------
    beta : float64 array of shape (n_portfolios,)
        Sum of the contributions.
    beta_ignoring_leverage : float64 array of shape (n_portfolios,)
        What a list of market values shows: multiples and options left out.
    contributions : float64 array of shape (n_portfolios, n_positions)
        effective exposure x beta / nav.
    effective_weights : float64 array of shape (n_portfolios, n_positions)
        Signed effective exposure over nav.
    gross_exposure, net_exposure : float64 array of shape (n_portfolios,)
        Sum of absolute and of signed effective weights.
    """

    beta: FloatArray
    beta_ignoring_leverage: FloatArray
    contributions: FloatArray
    effective_weights: FloatArray
    gross_exposure: FloatArray
    net_exposure: FloatArray


def look_through_beta(
    effective_exposures: FloatArray,
    betas: FloatArray,
    nav: FloatArray | float,
    *,
    headline_exposures: FloatArray,
) -> LookThroughBeta:
    """Beta of net asset value from position exposures.

    Parameters
    ----------
    effective_exposures : float64 array of shape (n_portfolios, n_positions) or (n_positions,)
        Currency of nav, signed: market value of a share, `fund_exposure` of a reset fund,
        `option_exposure` of an option, market value of cash.
    betas : float64 array of shape (n_positions,)
        Of the share, of the fund's index, of the option's underlying; 0 for cash.
    nav : float64 array of shape (n_portfolios,) or float
        Net asset value, positive.
    headline_exposures : float64 array, same shape as `effective_exposures`
        Plain market value of shares and funds, 0 for options.

    Returns
    -------
    LookThroughBeta

    Raises
    ------
    InvalidInputError
        If shapes disagree, a value is not finite or nav is not positive.

    Notes
    -----
    ``beta_NAV = [sum MV_i b_i + sum MV_j m_j b_idx(j) + sum N_k mult_k delta_k S_k b_k] / NAV``.

    Examples
    --------
    >>> book = look_through_beta(np.array([50_000 * -3.0]), np.array([1.0]), 1_000_000.0,
    ...                          headline_exposures=np.array([50_000.0]))
    >>> book.beta.item(), book.beta_ignoring_leverage.item()
    (-0.15, 0.05)
    """
    exposures = np.atleast_2d(finite_array(effective_exposures, "effective_exposures"))
    headline = np.atleast_2d(finite_array(headline_exposures, "headline_exposures"))
    sensitivities = finite_vector(betas, "betas")
    values = np.atleast_1d(finite_array(np.asarray(nav), "nav"))
    if exposures.shape != headline.shape or exposures.shape[1] != sensitivities.shape[0]:
        raise InvalidInputError(
            f"effective_exposures {exposures.shape}, headline_exposures {headline.shape} and "
            f"betas {sensitivities.shape} must cover the same positions"
        )
    if values.shape[0] not in {1, exposures.shape[0]}:
        raise InvalidInputError("nav must have one value, or one per portfolio", argument="nav")
    if (values <= 0).any():
        raise InvalidInputError(
            "nav must be positive; a beta of net asset value is undefined without it",
            argument="nav",
        )
    weights = exposures / values[:, np.newaxis]
    contributions = weights * sensitivities
    return LookThroughBeta(
        beta=contributions.sum(axis=1),
        beta_ignoring_leverage=(headline / values[:, np.newaxis]) @ sensitivities,
        contributions=contributions,
        effective_weights=weights,
        gross_exposure=np.abs(weights).sum(axis=1),
        net_exposure=weights.sum(axis=1),
    )


@dataclass(frozen=True, slots=True, eq=False)
class PortfolioBetaError:
    """Standard errors of portfolio betas formed from instrument betas.

    Attributes
    ----------
    beta, standard_error : float64 array of shape (n_portfolios,)
        With residual correlation between instruments.
    ignoring_residual_correlation : float64 array of shape (n_portfolios,)
        sqrt(sum w^2 se^2), too small inside one industry; shown for contrast.
    """

    beta: FloatArray
    standard_error: FloatArray
    ignoring_residual_correlation: FloatArray


def portfolio_beta_standard_error(
    instrument_returns: FloatArray, weights: FloatArray, benchmark_returns: FloatArray
) -> PortfolioBetaError:
    """Standard error of weighted instrument betas, residual correlation included.

    Parameters
    ----------
    instrument_returns : float64 array of shape (n_obs, n_instruments)
        On one common sample, no gaps.
    weights : float64 array of shape (n_portfolios, n_instruments) or (n_instruments,)
    benchmark_returns : float64 array of shape (n_obs,)

    Returns
    -------
    PortfolioBetaError

    Notes
    -----
    ``sqrt(w' S_e w / SSX)`` with S_e the residual covariance on n - 2 degrees of freedom. It equals
    the standard error of regressing the weighted series itself.

    References
    ----------
    Zellner, A. (1962), JASA 57 (seemingly unrelated regressions with a common regressor).
    """
    returns = finite_array(instrument_returns, "instrument_returns")
    holdings = np.atleast_2d(finite_array(weights, "weights"))
    x = finite_vector(benchmark_returns, "benchmark_returns")
    if returns.ndim != 2 or returns.shape != (x.shape[0], holdings.shape[1]):
        raise InvalidInputError(
            f"instrument_returns must have shape ({x.shape[0]}, {holdings.shape[1]}), "
            f"got {returns.shape}",
            argument="instrument_returns",
        )
    fit = least_squares(design(x[:, np.newaxis]), returns.T)
    covariance = fit.residuals @ fit.residuals.T / fit.degrees_of_freedom
    slope_variance = fit.design.unscaled_covariance[1, 1]
    quadratic = np.einsum("pi,ij,pj->p", holdings, covariance, holdings)
    naive = holdings**2 @ fit.standard_errors[:, 1] ** 2
    return PortfolioBetaError(
        beta=holdings @ fit.coefficients[:, 1],
        standard_error=np.sqrt(np.maximum(quadratic, 0.0) * slope_variance),
        ignoring_residual_correlation=np.sqrt(naive),
    )


def risk_contributions(weights: FloatArray, covariance: FloatArray) -> FloatArray:
    """Contribution of each position to portfolio volatility.

    Parameters
    ----------
    weights : float64 array of shape (n_portfolios, n_instruments) or (n_instruments,)
    covariance : float64 array of shape (n_instruments, n_instruments)
        Symmetric; its period is the volatility's.

    Returns
    -------
    float64 array of shape (n_portfolios, n_instruments)
        ``w_i (C w)_i / sqrt(w' C w)``; each row sums to the volatility (Euler).

    Raises
    ------
    DegenerateInputError
        If a portfolio has no variance.
    """
    holdings = np.atleast_2d(finite_array(weights, "weights"))
    matrix = finite_array(covariance, "covariance")
    if matrix.shape != (holdings.shape[1], holdings.shape[1]):
        raise InvalidInputError(
            f"covariance must have shape ({holdings.shape[1]}, {holdings.shape[1]}), "
            f"got {matrix.shape}",
            argument="covariance",
        )
    marginal = holdings @ matrix
    variance = np.einsum("pi,pi->p", holdings, marginal)
    if not (variance > SMALLEST_DEVIATION**2).all():
        raise DegenerateInputError("a portfolio has no variance to attribute", series="weights")
    contributions: FloatArray = holdings * marginal / np.sqrt(variance)[:, np.newaxis]
    return contributions


def horizon_beta(
    multiple: float,
    annual_volatility: float,
    n_days: int,
    *,
    periods_per_year: int = TRADING_DAYS_PER_YEAR,
) -> float:
    """n-day beta of a daily-reset fund on its own index.

    Parameters
    ----------
    multiple : float
        Daily multiple, -3 for an inverse triple fund.
    annual_volatility : float
        Of the index, decimal.
    n_days : int
        Holding period in trading days.
    periods_per_year : int

    Returns
    -------
    float
        The multiple itself for one day or zero volatility.

    Notes
    -----
    ``((1 + m v)^n - 1)/((1 + v)^n - 1)`` with v = sigma^2/252; exact for any independent,
    identically distributed daily return of mean zero. Derived in methodology/semiconductor_beta.md.

    Examples
    --------
    >>> round(horizon_beta(-3, 0.6, 252), 4)
    -1.5271
    """
    finite(multiple, "multiple")
    not_negative(annual_volatility, "annual_volatility")
    _at_least(n_days, 1, "n_days")
    daily_variance = annual_volatility**2 / periods_per_year
    if 1.0 + multiple * daily_variance <= 0.0:
        raise InvalidInputError(
            f"annual_volatility {annual_volatility} is beyond the formula for a multiple of "
            f"{multiple}; volatility is a decimal (0.6 is 60 %)",
            argument="annual_volatility",
        )
    if daily_variance == 0.0:
        return float(multiple)
    growth = np.expm1(n_days * np.log1p(np.array([multiple, 1.0]) * daily_variance))
    finite_result(growth, "horizon beta")
    return float(growth[0] / growth[1])


def intraday_multiple(multiple: float, index_return: float) -> float:
    """Multiple of a daily-reset fund part way through the session.

    Parameters
    ----------
    multiple : float
        At the last reset.
    index_return : float
        Of the index since the last reset, decimal.

    Returns
    -------
    float
        ``m (1 + r)/(1 + m r)``.

    Raises
    ------
    DegenerateInputError
        If the move has wiped the fund out.
    """
    finite(multiple, "multiple")
    finite(index_return, "index_return")
    remaining = 1.0 + multiple * index_return
    if index_return <= -1.0 or remaining <= 0.0:
        raise DegenerateInputError(
            f"an index return of {index_return} wipes out a fund of multiple {multiple}",
            index_return=index_return,
            multiple=multiple,
        )
    return multiple * (1.0 + index_return) / remaining
