"""Sandwich intervals by whole matrices: slow, short, and written from the definition."""

from __future__ import annotations

import numpy as np
from scipy import stats

from analytics.engine.types import FloatArray


def sandwich_moments(weights: FloatArray, columns: FloatArray, lags: int) -> tuple[float, float]:
    """Return bias and effective degrees of freedom of a Bartlett variance of weights @ y."""
    n_obs = weights.shape[0]
    distance = np.abs(np.subtract.outer(np.arange(n_obs), np.arange(n_obs)))
    kernel = np.outer(weights, weights) * np.maximum(0.0, 1.0 - distance / (lags + 1.0))
    annihilator = np.eye(n_obs) - columns @ np.linalg.pinv(columns)
    product = annihilator @ kernel
    mean = np.trace(product)
    return mean / (weights @ weights), mean**2 / np.trace(product @ product)


def multiplier(weights: FloatArray, columns: FloatArray, lags: int, level: float = 0.95) -> float:
    """Return half width over the standard error that carries the factor n/(n - k)."""
    bias, freedom = sandwich_moments(weights, columns, lags)
    n_obs, n_coefficients = columns.shape
    factor = n_obs / (n_obs - n_coefficients)
    return float(stats.t.ppf(0.5 + level / 2, freedom) / np.sqrt(bias * factor))
