"""Errors of weighted betas; contributions to risk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.engine.checks import (
    SMALLEST_DEVIATION,
    finite_array,
    finite_vector,
)
from analytics.engine.errors import (
    DegenerateInputError,
    InvalidInputError,
)
from analytics.engine.regression import (
    design,
    least_squares,
)
from analytics.engine.types import (
    FloatArray,
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
