"""Beta by ordinary least squares with a serial-correlation-robust error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.engine.checks import (
    at_least,
    enough,
    masked_rows,
    masked_vector,
    open_unit,
)
from analytics.engine.errors import (
    EngineError,
    raise_failure,
)
from analytics.engine.regression import (
    Regression,
    answerable_rows,
    common_samples,
    design,
    durbin_watson,
    least_squares,
    resolve_lags,
)
from analytics.engine.types import (
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
    degrees_of_freedom : float
        Effective, of the interval.
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
    degrees_of_freedom: float
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
        Student t interval of beta around the HAC standard error.
    degrees_of_freedom : float64 array
        Effective ones of that t: few where clustered volatility leaves the slope to few sessions.
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
    degrees_of_freedom: FloatArray
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
        raise_failure(self.failures[index])
        before, same, after = (float(value) for value in self.lead_lag_correlation[index])
        return BetaEstimate(
            beta=Estimate(
                value=float(self.beta[index]),
                standard_error=float(self.hac_standard_error[index]),
                ci_low=float(self.ci_low[index]),
                ci_high=float(self.ci_high[index]),
            ),
            ols_standard_error=float(self.ols_standard_error[index]),
            degrees_of_freedom=float(self.degrees_of_freedom[index]),
            alpha=float(self.alpha[index]),
            r_squared=float(self.r_squared[index]),
            durbin_watson=float(self.durbin_watson[index]),
            n_obs=int(self.n_obs[index]),
            hac_lags=int(self.hac_lags[index]),
            asynchronous=bool(self.asynchronous[index]),
            lead_lag_correlation=(before, same, after),
        )


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
    The interval is Student's t with the bias and effective degrees of freedom of that variance
    estimate (`analytics.engine.regression.sandwich_law`).

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
    at_least(min_obs, 3, "min_obs")
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
            law = factor.law(1, group_lags)
        except EngineError as error:
            for member in members:
                failures[member] = error.failure
            continue
        answered, y = answerable_rows(members, y, failures, "portfolio_returns")
        fit = least_squares(factor, y)
        hac = fit.hac_interval(1, group_lags, confidence_level, law)
        correlations = _lead_lag_correlation(y, x)
        floats["alpha"][answered] = fit.coefficients[:, 0]
        floats["beta"][answered] = fit.coefficients[:, 1]
        floats["ols_standard_error"][answered] = fit.standard_errors[:, 1]
        floats["hac_standard_error"][answered] = hac.standard_error
        floats["ci_low"][answered] = hac.ci_low
        floats["ci_high"][answered] = hac.ci_high
        floats["degrees_of_freedom"][answered] = law.degrees_of_freedom
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
    "degrees_of_freedom",
    "r_squared",
    "durbin_watson",
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
