"""Scholes-Williams beta, for trading out of step by less than a session."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.engine.beta.asynchronous import neighboring_sessions
from analytics.engine.checks import (
    at_least,
    enough,
    masked_rows,
    masked_vector,
    open_unit,
)
from analytics.engine.errors import (
    DegenerateInputError,
    EngineError,
    raise_failure,
)
from analytics.engine.regression import (
    answerable_rows,
    automatic_lags,
    bartlett_variance,
    common_samples,
    design,
    resolve_lags,
    sandwich_law,
    small_sample_factor,
)
from analytics.engine.types import BoolArray, Estimate, Failure, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class ScholesWilliamsBeta:
    """Scholes-Williams beta of one portfolio; see `ScholesWilliamsBatch`."""

    beta: Estimate
    slopes: tuple[float, float, float]
    autocorrelation: float
    n_obs: int
    hac_lags: int


@dataclass(frozen=True, slots=True, eq=False)
class ScholesWilliamsBatch:
    """Scholes-Williams betas of a batch.

    Arrays have shape (n_portfolios,) unless said; where `failures` has a record they hold the
    placeholder 0, which is not a value.

    Attributes
    ----------
    beta, standard_error, ci_low, ci_high : float64 array
        HAC.
    slopes : float64 array of shape (n_portfolios, 3)
        Univariate, on the benchmark one session earlier, the same session and one later.
    autocorrelation : float64 array
        rho_1 of the benchmark.
    n_obs, hac_lags : int64 array
    failures : tuple of Failure or None
    """

    beta: FloatArray
    standard_error: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    slopes: FloatArray
    autocorrelation: FloatArray
    n_obs: IntArray
    hac_lags: IntArray
    failures: tuple[Failure | None, ...]

    @property
    def ok(self) -> BoolArray:
        """Return which portfolios have an answer."""
        return np.array([failure is None for failure in self.failures], dtype=np.bool_)

    def at(self, index: int) -> ScholesWilliamsBeta:
        """Return one portfolio's beta, or raise its failure."""
        raise_failure(self.failures[index])
        before, same, after = (float(slope) for slope in self.slopes[index])
        return ScholesWilliamsBeta(
            beta=Estimate(
                float(self.beta[index]),
                float(self.standard_error[index]),
                float(self.ci_low[index]),
                float(self.ci_high[index]),
            ),
            slopes=(before, same, after),
            autocorrelation=float(self.autocorrelation[index]),
            n_obs=int(self.n_obs[index]),
            hac_lags=int(self.hac_lags[index]),
        )


# Below this 1 + 2 rho_1 the estimator divides by noise.
_SMALLEST_DIVISOR = 0.1
_LAG_FACTOR = 3


def scholes_williams_beta(
    portfolio_returns: FloatArray,
    benchmark_returns: FloatArray,
    *,
    hac_lags: int | str = "auto",
    min_obs: int = 60,
    confidence_level: float = 0.95,
) -> ScholesWilliamsBatch:
    """Combine three univariate slopes for trading out of step by less than a session.

    Parameters
    ----------
    portfolio_returns : float64 array of shape (n_portfolios, n_obs) or (n_obs,)
        Simple daily returns as decimals, oldest first; NaN marks a missing session.
    benchmark_returns : float64 array of shape (n_obs,)
        Likewise, on the same sessions.
    hac_lags : int or "auto"
        "auto" is three times the usual rule: late trading leaves residuals whose neighbors are
        negatively correlated, which few Bartlett lags understate.
    min_obs : int
        Fewest sessions with a portfolio return and three benchmark returns, at least 5.
    confidence_level : float

    Returns
    -------
    ScholesWilliamsBatch

    Raises
    ------
    InvalidInputError
        If shapes disagree, a return is infinite, or a parameter is out of range.

    Notes
    -----
    ``(b_-1 + b_0 + b_+1)/(1 + 2 rho_1)``; the slopes are over the common sessions, and rho_1 is the
    correlation of the pairs of neighboring benchmark returns within and beside them. It is linear
    in the portfolio's returns, ``sum c_t r_t``, so the HAC error is that of the scores c_t e_t with
    e_t the deviations from the line of this slope: an instrumental-variables regression on x with
    the instrument x_{t-1} + x_t + x_{t+1}.

    References
    ----------
    Scholes, M. and Williams, J. (1977), Estimating betas from nonsynchronous data, Journal of
    Financial Economics 5, eq. 19.
    """
    rows = masked_rows(portfolio_returns, "portfolio_returns")
    x_all = masked_vector(benchmark_returns, "benchmark_returns", length=rows.shape[1])
    at_least(min_obs, 5, "min_obs")
    open_unit(confidence_level, "confidence_level")
    resolve_lags(hac_lags, max(rows.shape[1], min_obs))
    n_rows = rows.shape[0]
    shifted = neighboring_sessions(x_all, 1, 1)
    served = np.zeros((5, n_rows))
    slopes = np.zeros((n_rows, 3))
    counts = np.zeros((2, n_rows), dtype=np.int64)
    failures: list[Failure | None] = [None] * n_rows
    for members, columns in common_samples(~np.isnan(rows) & ~np.isnan(shifted).any(axis=1)):
        counts[0, members] = columns.size
        try:
            enough(columns.size, min_obs, "the common sample of portfolio and shifted benchmark")
            neighbors = shifted[columns]
            designs = [design(neighbors[:, [column]]) for column in range(3)]
            rho = _neighbor_correlation(shifted, columns)
            weights = np.sum([side.influence[1] for side in designs], axis=0) / (1.0 + 2.0 * rho)
            x = neighbors[:, 1] - neighbors[:, 1].mean()
            group_lags = (
                min(_LAG_FACTOR * automatic_lags(columns.size), columns.size - 1)
                if hac_lags == "auto"
                else resolve_lags(hac_lags, columns.size)
            )
            level = np.full(columns.size, 1.0 / np.sqrt(columns.size))
            law = sandwich_law(
                weights,
                np.stack([level, x], axis=1),
                group_lags,
                influence=np.stack([level, weights], axis=1),
            )
        except EngineError as error:
            for member in members:
                failures[member] = error.failure
            continue
        answered, y = answerable_rows(
            members, rows[np.ix_(members, columns)], failures, "portfolio_returns"
        )
        centered = y - y.mean(axis=1, keepdims=True)
        beta = centered @ weights
        scores = (centered - np.outer(beta, x)) * weights
        small_sample = small_sample_factor(columns.size, 2)
        hac = np.sqrt(bartlett_variance(scores, group_lags) * small_sample)
        half_width = law.multiplier(confidence_level, small_sample) * hac
        served[:, answered] = [
            beta,
            hac,
            beta - half_width,
            beta + half_width,
            np.full(answered.size, rho),
        ]
        slopes[answered] = np.stack([centered @ side.influence[1] for side in designs], axis=1)
        counts[1, answered] = group_lags
    return ScholesWilliamsBatch(
        beta=served[0],
        standard_error=served[1],
        ci_low=served[2],
        ci_high=served[3],
        slopes=slopes,
        autocorrelation=served[4],
        n_obs=counts[0],
        hac_lags=counts[1],
        failures=tuple(failures),
    )


def _neighbor_correlation(shifted: FloatArray, columns: IntArray) -> float:
    """Correlate neighboring benchmark returns over the sessions used and the one after the last."""
    last = columns[-1]
    earlier = np.append(shifted[columns, 0], shifted[last, 1])
    later = np.append(shifted[columns, 1], shifted[last, 2])
    earlier, later = earlier - earlier.mean(), later - later.mean()
    rho = float(earlier @ later / np.sqrt((earlier @ earlier) * (later @ later)))
    if 1.0 + 2.0 * rho < _SMALLEST_DIVISOR:
        raise DegenerateInputError(
            f"the benchmark's serial correlation is {rho:.2f}, at which 1 + 2 rho leaves nothing "
            "to divide by; use dimson_beta",
            series="benchmark_returns",
            autocorrelation=rho,
        )
    return rho
