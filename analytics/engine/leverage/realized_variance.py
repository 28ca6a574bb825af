"""Realized variance of the path held, with its sampling error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from analytics.engine.checks import (
    SMALLEST_DEVIATION,
    finite_vector,
    open_unit,
    returns_above_ruin,
)
from analytics.engine.errors import DegenerateInputError
from analytics.engine.types import TRADING_DAYS_PER_YEAR, Estimate, FloatArray


def realized_variance_error(index_returns: FloatArray) -> FloatArray:
    error: FloatArray = np.sqrt(2.0 / 3.0 * np.sum(index_returns**4, axis=-1))
    return error


@dataclass(frozen=True, slots=True)
class RealizedVariance:
    """Realized variance of a path.

    Attributes
    ----------
    variance : Estimate
        Sum of squared log returns over the window; the interval is normal and floored at 0.
    annual_volatility : Estimate
        sqrt(variance x periods per year / n), error by the delta method.
    n_obs : int
    """

    variance: Estimate
    annual_volatility: Estimate
    n_obs: int


def realized_variance(
    index_returns: FloatArray,
    *,
    periods_per_year: int = TRADING_DAYS_PER_YEAR,
    confidence_level: float = 0.95,
) -> RealizedVariance:
    """Realized variance and volatility with their sampling error.

    Parameters
    ----------
    index_returns : float64 array of shape (n_obs,)
        Simple daily returns as decimals.
    periods_per_year : int
    confidence_level : float

    Returns
    -------
    RealizedVariance

    Notes
    -----
    ``V = sum ln^2(1 + r)``, ``se(V) = sqrt(2/3 sum r^4)``.

    References
    ----------
    Barndorff-Nielsen, O. and Shephard, N. (2002), JRSS B 64.
    """
    returns = finite_vector(index_returns, "index_returns")
    returns_above_ruin(returns, "index_returns")
    open_unit(confidence_level, "confidence_level")
    quantile = float(ndtri(0.5 + confidence_level / 2.0))
    logs = np.log1p(returns)
    variance = float(logs @ logs)
    if variance <= SMALLEST_DEVIATION**2:
        raise DegenerateInputError("index_returns is zero throughout", series="index_returns")
    error = float(realized_variance_error(returns))
    volatility = float(np.sqrt(variance * periods_per_year / returns.shape[0]))
    volatility_error = volatility * error / (2.0 * variance)
    return RealizedVariance(
        variance=Estimate(
            variance, error, max(variance - quantile * error, 0.0), variance + quantile * error
        ),
        annual_volatility=Estimate(
            volatility,
            volatility_error,
            max(volatility - quantile * volatility_error, 0.0),
            volatility + quantile * volatility_error,
        ),
        n_obs=returns.shape[0],
    )
