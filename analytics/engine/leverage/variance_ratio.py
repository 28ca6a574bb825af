"""Does the index trend or chop: the variance ratio of Lo and MacKinlay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from analytics.engine.checks import enough, finite_vector, returns_above_ruin
from analytics.engine.errors import DegenerateInputError, InvalidInputError
from analytics.engine.regression import constant_rows
from analytics.engine.types import FloatArray


@dataclass(frozen=True, slots=True)
class VarianceRatio:
    """Lo-MacKinlay variance ratio.

    Attributes
    ----------
    ratio : float
        Above 1 the path trends, which favors a reset fund; below 1 it chops.
    z_statistic : float
        Robust to heteroskedasticity, standard normal under no serial correlation.
    p_value : float
        Two-sided.
    holding_days, n_obs : int
    """

    ratio: float
    z_statistic: float
    p_value: float
    holding_days: int
    n_obs: int


def variance_ratio(index_returns: FloatArray, holding_days: int = 5) -> VarianceRatio:
    """Variance ratio of overlapping `holding_days` returns to daily ones.

    Parameters
    ----------
    index_returns : float64 array of shape (n_obs,)
        Simple daily returns as decimals, oldest first.
    holding_days : int
        q, at least 2.

    Returns
    -------
    VarianceRatio

    Raises
    ------
    InsufficientDataError
        With fewer than 2 q observations.
    DegenerateInputError
        If the index does not move.

    Notes
    -----
    On log returns with mean removed: overlapping, unbiased variances
    ``s_q = sum (p_t - p_{t-q} - q mu)^2/(q (n - q + 1)(1 - q/n))`` over ``s_1 = sum(.)^2/(n - 1)``;
    the robust z divides by ``sqrt(sum_j (2 (q - j)/q)^2 delta_j)``.

    References
    ----------
    Lo, A. and MacKinlay, C. (1988), Review of Financial Studies 1, eq. 12-20.
    """
    returns = finite_vector(index_returns, "index_returns")
    returns_above_ruin(returns, "index_returns")
    if isinstance(holding_days, bool) or holding_days < 2:
        raise InvalidInputError(
            f"holding_days must be 2 or more, got {holding_days!r}", argument="holding_days"
        )
    n_obs = returns.shape[0]
    enough(n_obs, 2 * holding_days, "index_returns")
    logs = np.log1p(returns)
    deviations = logs - logs.mean()
    squares = deviations**2
    total = float(squares.sum())
    if constant_rows(np.array([total]), logs[np.newaxis, :])[0]:
        raise DegenerateInputError(
            "index_returns is constant", series="index_returns", n_obs=n_obs, std=0
        )
    prefix = np.concatenate([[0.0], np.cumsum(deviations)])
    long_steps = prefix[holding_days:] - prefix[:-holding_days]
    scale = holding_days * (n_obs - holding_days + 1) * (1.0 - holding_days / n_obs)
    ratio = float(long_steps @ long_steps) / scale / (total / (n_obs - 1))
    theta = 0.0
    for lag in range(1, holding_days):
        delta = n_obs * float(squares[lag:] @ squares[:-lag]) / total**2
        theta += (2.0 * (holding_days - lag) / holding_days) ** 2 * delta
    z = float(np.sqrt(n_obs)) * (ratio - 1.0) / float(np.sqrt(theta)) if theta > 0.0 else 0.0
    return VarianceRatio(
        ratio=ratio,
        z_statistic=z,
        p_value=float(2.0 * ndtr(-abs(z))),
        holding_days=holding_days,
        n_obs=n_obs,
    )
