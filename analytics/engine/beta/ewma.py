"""Exponentially weighted beta."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.engine.checks import (
    SMALLEST_DEVIATION,
    finite_vector,
    open_unit,
)
from analytics.engine.errors import (
    DegenerateInputError,
    InvalidInputError,
)
from analytics.engine.regression import (
    student_quantile,
)
from analytics.engine.types import (
    Estimate,
    FloatArray,
)


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
