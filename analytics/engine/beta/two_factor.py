"""Betas on market and semiconductors held jointly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.engine.checks import (
    at_least,
    enough,
    finite_vector,
    masked_rows,
    masked_vector,
    open_unit,
)
from analytics.engine.errors import (
    EngineError,
    raise_failure,
)
from analytics.engine.regression import (
    answerable_rows,
    common_samples,
    design,
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
        raise_failure(self.failures[index])
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
    at_least(min_obs, 4, "min_obs")
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
            laws = [joint.law(position, group_lags) for position in (1, 2)]
            alones = [design(factors[:, [column]]) for column in (0, 1)]
        except EngineError as error:
            for member in members:
                failures[member] = error.failure
            continue
        answered, y = answerable_rows(members, y, failures, "portfolio_returns")
        fit = least_squares(joint, y)
        for position, factor in enumerate(("market", "semiconductor"), start=1):
            hac = fit.hac_interval(position, group_lags, confidence_level, laws[position - 1])
            alone = least_squares(alones[position - 1], y)
            floats[f"{factor}_beta"][answered] = fit.coefficients[:, position]
            floats[f"{factor}_beta_alone"][answered] = alone.coefficients[:, 1]
            floats[f"{factor}_ols_standard_error"][answered] = fit.standard_errors[:, position]
            floats[f"{factor}_hac_standard_error"][answered] = hac.standard_error
            floats[f"{factor}_ci_low"][answered] = hac.ci_low
            floats[f"{factor}_ci_high"][answered] = hac.ci_high
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
