"""Value at risk and expected shortfall: historical, weighted, filtered, parametric.

A loss is positive here: VaR 0.02 says that 2 % was lost or more in the tail.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr, ndtri

from analytics.engine.checks import (
    SMALLEST_DEVIATION,
    at_least,
    enough,
    finite,
    finite_result,
    finite_vector,
    open_unit,
    positive,
)
from analytics.engine.errors import DegenerateInputError, InvalidInputError
from analytics.engine.types import Estimate, FloatArray

RISKMETRICS_DECAY = 0.94


@dataclass(frozen=True, slots=True)
class TailRisk:
    """Value at risk and expected shortfall of one series, losses positive.

    Attributes
    ----------
    value_at_risk : Estimate
        k-th worst loss; the interval runs between order statistics and needs no distribution.
    expected_shortfall : Estimate
        Mean of the k worst losses; normal interval.
    confidence_level : float
        Of the tail, 0.95 for VaR 95.
    n_tail, n_obs : int
        k and n.
    """

    value_at_risk: Estimate
    expected_shortfall: Estimate
    confidence_level: float
    n_tail: int
    n_obs: int


@dataclass(frozen=True, slots=True)
class WeightedTailRisk:
    """Tail of a distribution whose scenarios weigh differently.

    Attributes
    ----------
    value_at_risk, expected_shortfall : float
        Losses positive; the last scenario counts with the weight left to the tail.
    confidence_level : float
    effective_n_obs : float
        1 over the sum of squared weights.
    n_obs : int
    """

    value_at_risk: float
    expected_shortfall: float
    confidence_level: float
    effective_n_obs: float
    n_obs: int


@dataclass(frozen=True, slots=True)
class ParametricTailRisk:
    """Tail of a distribution given by its moments.

    Attributes
    ----------
    value_at_risk, expected_shortfall : float
        Losses positive, in the unit of the standard deviation given.
    quantile : float
        Standardized lower-tail quantile used, negative.
    is_monotone : bool
        False where a Cornish-Fisher expansion folds over and is no quantile function.
    confidence_level : float
    """

    value_at_risk: float
    expected_shortfall: float
    quantile: float
    is_monotone: bool
    confidence_level: float


def tail_size(n_obs: int, confidence_level: float) -> int:
    """Return k = ceil(n (1 - confidence level)), immune to rounding of the level.

    Examples
    --------
    >>> tail_size(60, 0.95), tail_size(500, 0.99), tail_size(251, 0.99)
    (3, 5, 3)
    """
    return max(int(np.ceil(n_obs * (1.0 - confidence_level) - 1e-9)), 1)


def historical_tail(
    returns: FloatArray,
    *,
    confidence_level: float = 0.95,
    interval_level: float = 0.95,
    min_obs: int = 30,
    n_tail: int | None = None,
) -> TailRisk:
    """Historical value at risk and expected shortfall.

    Parameters
    ----------
    returns : float64 array of shape (n_obs,)
        Simple returns as decimals, or profits in currency; losses are negative.
    confidence_level : float
        Of the tail.
    interval_level : float
        Of the intervals.
    min_obs : int
    n_tail : int, optional
        k, if it is not to follow from the confidence level.

    Returns
    -------
    TailRisk

    Raises
    ------
    InsufficientDataError
        With fewer than `min_obs` observations.

    Notes
    -----
    VaR is the k-th worst loss, k = ceil(n (1 - confidence level)), never an interpolated
    percentile; shortfall is the mean of the k worst. The interval of VaR runs between the order
    statistics whose binomial probabilities leave half of 1 - interval level on either side; its
    error is that interval's half-width over the normal quantile. The error of the shortfall is
    ``sqrt((s^2 + c (ES - VaR)^2)/k)``, s the deviation within the tail, c the confidence level.

    References
    ----------
    Acerbi, C. and Tasche, D. (2002), Journal of Banking and Finance 26.
    Manistre, B. and Hancock, G. (2005), North American Actuarial Journal 9 (error of shortfall).
    David, H. and Nagaraja, H. (2003), Order Statistics, 7.1.

    Examples
    --------
    >>> tail = historical_tail(np.linspace(-0.05, 0.05, 101), confidence_level=0.95)
    >>> round(tail.value_at_risk.value, 12), round(tail.expected_shortfall.value, 12)
    (0.045, 0.0475)
    """
    values = finite_vector(returns, "returns", min_length=max(min_obs, 1))
    open_unit(confidence_level, "confidence_level")
    open_unit(interval_level, "interval_level")
    n_obs = values.shape[0]
    k = tail_size(n_obs, confidence_level) if n_tail is None else at_least(n_tail, 1, "n_tail")
    enough(n_obs, k, "returns")
    losses = -np.sort(values)
    value_at_risk = float(losses[k - 1])
    shortfall = float(losses[:k].mean())
    normal = float(ndtri(0.5 + interval_level / 2.0))
    low, high = _order_statistic_interval(losses, k, interval_level)
    inner = float(np.var(losses[:k]))
    error = float(np.sqrt((inner + (1.0 - k / n_obs) * (shortfall - value_at_risk) ** 2) / k))
    return TailRisk(
        value_at_risk=Estimate(value_at_risk, (high - low) / (2.0 * normal), low, high),
        expected_shortfall=Estimate(
            shortfall, error, shortfall - normal * error, shortfall + normal * error
        ),
        confidence_level=confidence_level,
        n_tail=k,
        n_obs=n_obs,
    )


def _order_statistic_interval(
    losses: FloatArray, k: int, interval_level: float
) -> tuple[float, float]:
    """Distribution-free interval of a quantile; `losses` worst first."""
    n_obs = losses.shape[0]
    tail = (1.0 - interval_level) / 2.0
    counts = np.arange(n_obs + 1)
    # bdtr(j, n, p): probability that at most j of n losses lie beyond the true quantile.
    below = bdtr(counts.astype(np.float64), n_obs, k / n_obs)
    fewest = int(np.searchsorted(below, tail, side="right"))
    most = int(np.searchsorted(below, 1.0 - tail, side="left"))
    worst = losses[max(fewest - 1, 0)]
    mildest = losses[min(most, n_obs - 1)]
    return float(mildest), float(worst)


def time_weights(n_obs: int, decay: float) -> FloatArray:
    """Weights of scenarios by age, oldest first.

    Parameters
    ----------
    n_obs : int
    decay : float
        lambda, above 0 and at most 1.

    Returns
    -------
    float64 array of shape (n_obs,)
        ``lambda^(n - i) (1 - lambda)/(1 - lambda^n)`` for i = 1..n; they sum to 1.

    References
    ----------
    Boudoukh, J., Richardson, M. and Whitelaw, R. (1998), Risk 11.
    """
    at_least(n_obs, 1, "n_obs")
    if not 0 < decay <= 1:
        raise InvalidInputError(
            f"decay must lie above 0 and be at most 1, got {decay}", argument="decay"
        )
    powers = float(decay) ** np.arange(n_obs - 1, -1, -1, dtype=np.float64)
    weights: FloatArray = powers / powers.sum()
    return weights


def interpolated_value_at_risk(returns: FloatArray, *, confidence_level: float = 0.95) -> float:
    """Value at risk by linear interpolation between losses, as spreadsheets compute it.

    Parameters
    ----------
    returns : float64 array of shape (n_obs,)
    confidence_level : float

    Returns
    -------
    float
        To compare with other systems; what this one serves is `historical_tail`.

    References
    ----------
    Hyndman, R. and Fan, Y. (1996), The American Statistician 50, definition 7.
    """
    values = finite_vector(returns, "returns", min_length=2)
    return -float(np.quantile(values, 1.0 - open_unit(confidence_level, "confidence_level")))


def weighted_tail(
    returns: FloatArray, weights: FloatArray, *, confidence_level: float = 0.95
) -> WeightedTailRisk:
    """Value at risk and expected shortfall of weighted scenarios.

    Parameters
    ----------
    returns : float64 array of shape (n_obs,)
        Losses are negative. Only the worst may be given, as long as their weights fill the tail.
    weights : float64 array of shape (n_obs,)
        Probabilities; they sum to at most 1.
    confidence_level : float

    Returns
    -------
    WeightedTailRisk

    Raises
    ------
    InvalidInputError
        If the weights are negative, sum to more than 1 or do not fill the tail.

    Notes
    -----
    VaR is the loss at which the weights, worst loss first, reach 1 - confidence level; shortfall
    weighs the losses up to it, that last one by what is left of the tail.

    References
    ----------
    Hull, J., Risk Management and Financial Institutions, historical simulation.
    """
    values = finite_vector(returns, "returns")
    mass = finite_vector(weights, "weights")
    if mass.shape != values.shape or (mass < 0).any() or mass.sum() > 1.0 + 1e-9:
        raise InvalidInputError(
            "weights must be one per return, not negative, and sum to at most 1",
            argument="weights",
        )
    tail = 1.0 - open_unit(confidence_level, "confidence_level")
    order = np.argsort(values, kind="stable")
    losses, reached = -values[order], np.cumsum(mass[order])
    row = int(np.searchsorted(reached, tail - 1e-12))
    if row == losses.shape[0]:
        raise InvalidInputError(
            f"weights reach {reached[-1]:.6g} of the tail's {tail:.6g}; give more scenarios",
            argument="weights",
        )
    inside = np.minimum(reached[: row + 1], tail)
    shares = np.diff(inside, prepend=0.0)
    return WeightedTailRisk(
        value_at_risk=float(losses[row]),
        expected_shortfall=float(losses[: row + 1] @ shares / tail),
        confidence_level=confidence_level,
        effective_n_obs=float(1.0 / np.sum(mass**2)),
        n_obs=values.shape[0],
    )


def ewma_volatility(returns: FloatArray, decay: float = RISKMETRICS_DECAY) -> FloatArray:
    """One-day-ahead exponentially weighted volatility.

    Parameters
    ----------
    returns : float64 array of shape (n_obs,)
        Oldest first.
    decay : float

    Returns
    -------
    float64 array of shape (n_obs + 1,)
        Entry t is known before return t; the last is the forecast for the next day.

    Notes
    -----
    ``s_1^2`` is the population variance of the sample about its mean, which is part of the
    definition; ``s_{t+1}^2 = lambda s_t^2 + (1 - lambda) r_t^2``.

    References
    ----------
    J.P. Morgan (1996), RiskMetrics Technical Document, 4th edition, 5.2.
    """
    values = finite_vector(returns, "returns", min_length=2)
    if not 0 < decay <= 1:
        raise InvalidInputError(
            f"decay must lie above 0 and be at most 1, got {decay}", argument="decay"
        )
    variances = np.empty(values.shape[0] + 1)
    variances[0] = values.var()
    if variances[0] <= SMALLEST_DEVIATION**2:
        raise DegenerateInputError(
            "returns are constant", series="returns", n_obs=values.shape[0], std=0
        )
    for day, square in enumerate(values**2):
        variances[day + 1] = decay * variances[day] + (1.0 - decay) * square
    return np.sqrt(variances)


def filtered_tail(
    returns: FloatArray,
    *,
    confidence_level: float = 0.95,
    decay: float = RISKMETRICS_DECAY,
    min_obs: int = 30,
    n_tail: int | None = None,
) -> TailRisk:
    """Filtered historical value at risk: past surprises at today's volatility.

    Parameters
    ----------
    returns : float64 array of shape (n_obs,)
        Oldest first.
    confidence_level : float
    decay : float
        Of the exponentially weighted filter; 1 keeps the volatility constant, which is plain
        historical simulation. Nothing is fitted, so no fit can fail.
    min_obs : int
    n_tail : int, optional

    Returns
    -------
    TailRisk

    Notes
    -----
    ``z_t = r_t/s_t`` with `ewma_volatility`; the k-th worst of ``z_t s_{n+1}``.

    References
    ----------
    Hull, J. and White, A. (1998), Journal of Risk 1. Barone-Adesi, G., Giannopoulos, K. and
    Vosper, L. (1999), Journal of Futures Markets 19.
    """
    values = finite_vector(returns, "returns", min_length=max(min_obs, 2))
    volatility = ewma_volatility(values, decay)
    if volatility.min() <= SMALLEST_DEVIATION:
        raise DegenerateInputError(
            "returns stay still for so long that their volatility vanishes", series="returns"
        )
    return historical_tail(
        finite_result(values / volatility[:-1] * volatility[-1], "a scaled return"),
        confidence_level=confidence_level,
        min_obs=min_obs,
        n_tail=n_tail,
    )


def normal_tail(
    standard_deviation: float, *, mean: float = 0.0, confidence_level: float = 0.95
) -> ParametricTailRisk:
    """Normal value at risk and expected shortfall.

    Parameters
    ----------
    standard_deviation : float
        Decimal or currency, positive.
    mean : float
    confidence_level : float

    Returns
    -------
    ParametricTailRisk

    Notes
    -----
    ``VaR = z s - mu``, ``ES = phi(z)/(1 - c) s - mu``. Wrong for short options: reprice those.

    Examples
    --------
    >>> tail = normal_tail(1.0, confidence_level=0.975)
    >>> round(tail.value_at_risk, 6), round(tail.expected_shortfall, 6)
    (1.959964, 2.337803)
    """
    return cornish_fisher_tail(
        standard_deviation, skewness=0.0, mean=mean, confidence_level=confidence_level
    )


def cornish_fisher_tail(
    standard_deviation: float,
    *,
    skewness: float,
    excess_kurtosis: float = 0.0,
    mean: float = 0.0,
    confidence_level: float = 0.95,
) -> ParametricTailRisk:
    """Value at risk and expected shortfall of the Cornish-Fisher expansion.

    Parameters
    ----------
    standard_deviation : float
    skewness, excess_kurtosis : float
        S and K of the distribution.
    mean : float
    confidence_level : float

    Returns
    -------
    ParametricTailRisk
        `is_monotone` False says that S and K lie outside of the expansion's domain: use another
        method.

    Notes
    -----
    ``g(z) = z + (z^2 - 1) S/6 + (z^3 - 3 z) K/24 - (2 z^3 - 5 z) S^2/36`` at the lower-tail normal
    quantile z. Shortfall is the exact mean of g below z: with Hermite polynomials
    ``phi(z)/(1 - c) [1 + z S/6 + (z^2 - 1) K/24 - (2 z^2 - 1) S^2/36]``.

    References
    ----------
    Favre, L. and Galeano, J. (2002), Journal of Alternative Investments 5. Maillard, D. (2012),
    SSRN 1997178 (domain of validity).
    """
    sigma = positive(standard_deviation, "standard_deviation")
    skew = finite(skewness, "skewness")
    kurtosis = finite(excess_kurtosis, "excess_kurtosis")
    center = finite(mean, "mean")
    tail = 1.0 - open_unit(confidence_level, "confidence_level")
    z = float(ndtri(tail))
    quantile = (
        z
        + (z**2 - 1.0) * skew / 6.0
        + (z**3 - 3.0 * z) * kurtosis / 24.0
        - (2.0 * z**3 - 5.0 * z) * skew**2 / 36.0
    )
    density = float(np.exp(-(z**2) / 2.0) / np.sqrt(2.0 * np.pi))
    shortfall = (
        density
        / tail
        * (
            1.0
            + z * skew / 6.0
            + (z**2 - 1.0) * kurtosis / 24.0
            - (2.0 * z**2 - 1.0) * skew**2 / 36.0
        )
    )
    finite_result(np.array([quantile, shortfall]) * sigma, "the tail")
    # g' is a parabola in z; g is a quantile function where it is never negative.
    square = kurtosis / 8.0 - skew**2 / 6.0
    linear = skew / 3.0
    constant = 1.0 - kurtosis / 8.0 + 5.0 * skew**2 / 36.0
    monotone = square >= 0 and constant >= 0 and linear**2 <= 4.0 * square * constant
    return ParametricTailRisk(
        value_at_risk=-quantile * sigma - center,
        expected_shortfall=shortfall * sigma - center,
        quantile=quantile,
        is_monotone=bool(monotone),
        confidence_level=confidence_level,
    )
