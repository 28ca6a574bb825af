"""What each leg adds to a portfolio's value at risk and expected shortfall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from analytics.engine.checks import (
    SMALLEST_DEVIATION,
    at_least,
    enough,
    finite_array,
    finite_vector,
    open_unit,
    positive,
)
from analytics.engine.errors import DegenerateInputError, InvalidInputError
from analytics.engine.tail_risk import tail_size
from analytics.engine.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class TailComponents:
    """A portfolio's tail measure, split over its legs.

    Attributes
    ----------
    total : float
    components : float64 array of shape (n_legs,)
        Sum to the total; negative for a leg that hedges.
    standard_errors : float64 array of shape (n_legs,)
        Sampling error of each; 0 where the distribution was given, not sampled.
    marginal : float64 array of shape (n_legs,)
        Change of the total per unit of weight.
    confidence_level : float
    scenarios : int64 array
        Rows of the tail; empty where none were used.
    """

    total: float
    components: FloatArray
    standard_errors: FloatArray
    marginal: FloatArray
    confidence_level: float
    scenarios: IntArray


def component_value_at_risk(
    exposures: FloatArray,
    covariance: FloatArray,
    *,
    confidence_level: float = 0.95,
    quantile: float | None = None,
) -> TailComponents:
    """Normal value at risk of a portfolio and what each leg adds to it.

    Parameters
    ----------
    exposures : float64 array of shape (n_legs,)
        Signed weights, or currency.
    covariance : float64 array of shape (n_legs, n_legs)
        Of the legs' returns over the horizon.
    confidence_level : float
    quantile : float, optional
        z, if it is not to follow from the confidence level.

    Returns
    -------
    TailComponents

    Raises
    ------
    DegenerateInputError
        If the portfolio has no variance.

    Notes
    -----
    ``w_i (Sigma w)_i z/sigma_p``; Euler's theorem makes them sum to ``z sigma_p``.

    References
    ----------
    Jorion, P., Value at Risk, chapter on portfolio risk. Tasche, D. (1999).
    """
    weights = finite_vector(exposures, "exposures")
    matrix = finite_array(covariance, "covariance")
    if matrix.shape != (weights.shape[0],) * 2 or not np.allclose(matrix, matrix.T):
        raise InvalidInputError(
            "covariance must be symmetric, one row per exposure", argument="covariance"
        )
    open_unit(confidence_level, "confidence_level")
    z = float(ndtri(confidence_level)) if quantile is None else positive(quantile, "quantile")
    gradient = matrix @ weights
    variance = float(weights @ gradient)
    if variance <= SMALLEST_DEVIATION**2:
        raise DegenerateInputError(
            f"the portfolio's variance is {variance:.3g}; check the covariance", variance=variance
        )
    sigma = float(np.sqrt(variance))
    marginal = gradient * z / sigma
    return TailComponents(
        total=z * sigma,
        components=weights * marginal,
        standard_errors=np.zeros(weights.shape[0]),
        marginal=marginal,
        confidence_level=confidence_level,
        scenarios=np.empty(0, dtype=np.int64),
    )


def component_shortfall(
    leg_returns: FloatArray,
    weights: FloatArray,
    *,
    confidence_level: float = 0.95,
    min_obs: int = 30,
    n_tail: int | None = None,
) -> TailComponents:
    """Historical expected shortfall of a portfolio and each leg's part of it.

    Parameters
    ----------
    leg_returns : float64 array of shape (n_legs, n_obs)
        On the same sessions, no gaps.
    weights : float64 array of shape (n_legs,)
        Signed.
    confidence_level : float
    min_obs : int
    n_tail : int, optional

    Returns
    -------
    TailComponents
        Losses positive.

    Notes
    -----
    Each leg's mean loss over the k scenarios in which the portfolio loses most; the parts sum to
    the shortfall. The error of a part is its deviation over those scenarios by sqrt(k).

    References
    ----------
    Tasche, D. (1999), Risk contributions and performance measurement.
    """
    legs = np.atleast_2d(finite_array(leg_returns, "leg_returns"))
    shares = _leg_weights(weights, legs)
    n_obs = legs.shape[1]
    enough(n_obs, max(min_obs, 1), "leg_returns")
    open_unit(confidence_level, "confidence_level")
    k = tail_size(n_obs, confidence_level) if n_tail is None else at_least(n_tail, 1, "n_tail")
    enough(n_obs, k, "leg_returns")
    scenarios = np.argsort(shares @ legs, kind="stable")[:k]
    tail = -legs[:, scenarios]
    marginal = tail.mean(axis=1)
    components = shares * marginal
    spread = np.abs(shares) * tail.std(axis=1, ddof=1) / np.sqrt(k) if k > 1 else np.abs(components)
    return TailComponents(
        total=float(components.sum()),
        components=components,
        standard_errors=spread,
        marginal=marginal,
        confidence_level=confidence_level,
        scenarios=scenarios.astype(np.int64),
    )


def component_historical_value_at_risk(
    leg_returns: FloatArray,
    weights: FloatArray,
    *,
    confidence_level: float = 0.95,
    min_obs: int = 30,
    window: int = 1,
) -> TailComponents:
    """Historical value at risk of a portfolio and each leg's part of it.

    Parameters
    ----------
    leg_returns : float64 array of shape (n_legs, n_obs)
    weights : float64 array of shape (n_legs,)
    confidence_level : float
    min_obs : int
    window : int
        Scenarios taken on each side of the k-th worst to steady the split; 0 is that day alone.

    Returns
    -------
    TailComponents
        Losses positive; the parts are scaled to sum to VaR exactly.

    Raises
    ------
    DegenerateInputError
        If the portfolio does not lose in those scenarios, so that nothing can be split.

    Notes
    -----
    ``E[w_i L_i | L = VaR]``, estimated over the scenarios around the k-th worst.

    References
    ----------
    Tasche, D. (1999). Hallerbach, W. (2003), Journal of Risk 5.
    """
    legs = np.atleast_2d(finite_array(leg_returns, "leg_returns"))
    shares = _leg_weights(weights, legs)
    n_obs = legs.shape[1]
    enough(n_obs, max(min_obs, 1), "leg_returns")
    open_unit(confidence_level, "confidence_level")
    at_least(window, 0, "window")
    losses = -(shares @ legs)
    order = np.argsort(-losses, kind="stable")
    k = tail_size(n_obs, confidence_level)
    total = float(losses[order[k - 1]])
    scenarios = order[max(k - 1 - window, 0) : k + window]
    near = -legs[:, scenarios]
    mean_loss = float(losses[scenarios].mean())
    if mean_loss <= SMALLEST_DEVIATION or total <= 0.0:
        raise DegenerateInputError(
            "the portfolio does not lose at this confidence level, so there is nothing to split",
            value_at_risk=total,
        )
    scale = total / mean_loss
    marginal = near.mean(axis=1) * scale
    count = scenarios.shape[0]
    components = shares * marginal
    spread = (
        np.abs(shares) * scale * near.std(axis=1, ddof=1) / np.sqrt(count)
        if count > 1
        else np.abs(components)
    )
    return TailComponents(
        total=total,
        components=components,
        standard_errors=spread,
        marginal=marginal,
        confidence_level=confidence_level,
        scenarios=scenarios.astype(np.int64),
    )


def _leg_weights(weights: FloatArray, legs: FloatArray) -> FloatArray:
    shares = finite_vector(weights, "weights")
    if shares.shape[0] != legs.shape[0]:
        raise InvalidInputError(
            f"weights has {shares.shape[0]} entries where {legs.shape[0]} legs are given",
            argument="weights",
        )
    return shares
