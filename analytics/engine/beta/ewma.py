"""Exponentially weighted beta."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.engine.checks import (
    SMALLEST_DEVIATION,
    at_least,
    enough,
    finite_vector,
    masked_rows,
    masked_vector,
    open_unit,
)
from analytics.engine.errors import (
    DegenerateInputError,
    EngineError,
    InvalidInputError,
    raise_failure,
)
from analytics.engine.regression import SandwichLaw, answerable_rows, common_samples, sandwich_law
from analytics.engine.types import BoolArray, Estimate, Failure, FloatArray, IntArray

_SEEDS = ("normalized", "first_observation")


@dataclass(frozen=True, slots=True)
class EwmaBeta:
    """Exponentially weighted beta of one portfolio.

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


@dataclass(frozen=True, slots=True, eq=False)
class EwmaBatch:
    """Exponentially weighted betas of a batch; `EwmaBeta` has the definitions.

    Arrays have shape (n_portfolios,); where `failures` has a record they hold the placeholder 0.

    Attributes
    ----------
    beta, standard_error, ci_low, ci_high : float64 array
    seed : str
    decay, half_life_obs, effective_n_obs : float
    n_obs : int64 array
    failures : tuple of Failure or None
    """

    beta: FloatArray
    standard_error: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    seed: str
    decay: float
    half_life_obs: float
    effective_n_obs: float
    n_obs: IntArray
    failures: tuple[Failure | None, ...]

    @property
    def ok(self) -> BoolArray:
        """Return which portfolios have an answer."""
        return np.array([failure is None for failure in self.failures], dtype=np.bool_)

    def at(self, index: int) -> EwmaBeta:
        """Return one portfolio's beta, or raise its failure."""
        raise_failure(self.failures[index])
        return EwmaBeta(
            beta=Estimate(
                float(self.beta[index]),
                float(self.standard_error[index]),
                float(self.ci_low[index]),
                float(self.ci_high[index]),
            ),
            seed=self.seed,
            decay=self.decay,
            half_life_obs=self.half_life_obs,
            effective_n_obs=self.effective_n_obs,
            n_obs=int(self.n_obs[index]),
        )


def ewma_beta(
    portfolio_returns: FloatArray,
    benchmark_returns: FloatArray,
    *,
    decay: float = 0.94,
    seed: str = "normalized",
    min_obs: int = 30,
    confidence_level: float = 0.95,
) -> EwmaBeta:
    """Exponentially weighted beta of one portfolio; see `ewma_betas`.

    Parameters
    ----------
    portfolio_returns, benchmark_returns : float64 array of shape (n_obs,)
        Simple daily returns as decimals, oldest first, without gaps.
    decay, seed, min_obs, confidence_level
        As in `ewma_betas`.

    Returns
    -------
    EwmaBeta

    Raises
    ------
    InvalidInputError, InsufficientDataError, DegenerateInputError, NonFiniteResultError
    """
    return ewma_betas(
        finite_vector(portfolio_returns, "portfolio_returns"),
        finite_vector(benchmark_returns, "benchmark_returns"),
        decay=decay,
        seed=seed,
        min_obs=min_obs,
        confidence_level=confidence_level,
    ).at(0)


def ewma_betas(
    portfolio_returns: FloatArray,
    benchmark_returns: FloatArray,
    *,
    decay: float = 0.94,
    seed: str = "normalized",
    min_obs: int = 30,
    confidence_level: float = 0.95,
) -> EwmaBatch:
    """Betas with exponentially declining weights and zero means.

    Parameters
    ----------
    portfolio_returns : float64 array of shape (n_portfolios, n_obs) or (n_obs,)
        Simple daily returns as decimals, oldest first; NaN marks a missing session.
    benchmark_returns : float64 array of shape (n_obs,)
        Likewise, on the same sessions.
    decay : float
        Weight of an observation relative to the next, 0.94 for daily data. Age counts common
        observations: a gap does not age the ones before it.
    seed : {"normalized", "first_observation"}
        Weights decay^(n-1-i) normalized to 1, or the recursion
        C_t = decay C_{t-1} + (1 - decay) r_t x_t started at C_0 = r_0 x_0.
    min_obs : int
        Fewest common observations that are served, at least 2.
    confidence_level : float

    Returns
    -------
    EwmaBatch

    Raises
    ------
    InvalidInputError
        If shapes disagree, a return is infinite, or a parameter is out of range.

    Notes
    -----
    ``b = sum w r x / sum w x^2``; its error is ``sqrt(sum (w x e)^2)/sum w x^2`` (White), its
    interval Student's t with the bias and effective degrees of freedom of that variance
    (`analytics.engine.regression.sandwich_law`): about (1 + decay)/(1 - decay) observations carry
    the estimate, however long the history.

    References
    ----------
    J.P. Morgan/Reuters (1996), RiskMetrics Technical Document, 4th ed., section 5.2.
    """
    rows = masked_rows(portfolio_returns, "portfolio_returns")
    x_all = masked_vector(benchmark_returns, "benchmark_returns", length=rows.shape[1])
    open_unit(decay, "decay")
    open_unit(confidence_level, "confidence_level")
    at_least(min_obs, 2, "min_obs")
    if seed not in _SEEDS:
        raise InvalidInputError(
            f'seed must be "normalized" or "first_observation", got {seed!r}', argument="seed"
        )
    n_rows = rows.shape[0]
    served = np.zeros((4, n_rows))
    n_obs = np.zeros(n_rows, dtype=np.int64)
    failures: list[Failure | None] = [None] * n_rows
    for members, columns in common_samples(~np.isnan(rows) & ~np.isnan(x_all)):
        n_obs[members] = columns.size
        x = x_all[columns]
        try:
            enough(columns.size, min_obs, "the common sample of portfolio and benchmark")
            influence, law = _weighted(x, decay, seed)
        except EngineError as error:
            for member in members:
                failures[member] = error.failure
            continue
        answered, y = answerable_rows(
            members, rows[np.ix_(members, columns)], failures, "portfolio_returns"
        )
        slope = y @ influence
        residuals = y - np.outer(slope, x)
        deviation = np.sqrt(residuals**2 @ influence**2)
        half_width = law.multiplier(confidence_level, 1.0) * deviation
        served[:, answered] = [slope, deviation, slope - half_width, slope + half_width]
    return EwmaBatch(
        beta=served[0],
        standard_error=served[1],
        ci_low=served[2],
        ci_high=served[3],
        seed=seed,
        decay=decay,
        half_life_obs=float(np.log(0.5) / np.log(decay)),
        effective_n_obs=(1.0 + decay) / (1.0 - decay),
        n_obs=n_obs,
        failures=tuple(failures),
    )


def _weighted(x: FloatArray, decay: float, seed: str) -> tuple[FloatArray, SandwichLaw]:
    """Return what each return adds to the slope, and the law of the slope's variance estimate."""
    weights = decay ** np.arange(x.shape[0] - 1, -1, -1, dtype=np.float64)
    if seed == "first_observation":
        weights[1:] *= 1.0 - decay
    weights /= weights.sum()
    variance = float(weights @ (x * x))
    if not variance > SMALLEST_DEVIATION**2:
        raise DegenerateInputError(
            "benchmark_returns is zero throughout, so there is no beta; choose another benchmark",
            series="benchmark_returns",
            n_obs=x.shape[0],
            std=0,
        )
    influence = weights * x / variance
    law = sandwich_law(influence, x[:, np.newaxis], 0, influence=influence[:, np.newaxis])
    return influence, law
