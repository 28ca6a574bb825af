"""Interval of a variance reduction, robust to fat tails and clustered volatility."""

from __future__ import annotations

import numpy as np

from analytics.engine.regression import bartlett_variance, small_sample_factor, student_quantile
from analytics.engine.types import FloatArray


def variance_reductions(
    items: FloatArray,
    hedged: FloatArray,
    lags: int,
    confidence_level: float,
    n_coefficients: int,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Variance reduction of each row, its error and interval."""
    n_obs = items.shape[1]
    item = items - items.mean(axis=1, keepdims=True)
    net = hedged - hedged.mean(axis=1, keepdims=True)
    item_variance = np.einsum("pt,pt->p", item, item) / n_obs
    ratio = np.einsum("pt,pt->p", net, net) / n_obs / item_variance
    # Influence of an observation on the variance ratio, sum to zero in each row.
    influence = (net**2 - ratio[:, np.newaxis] * item**2) / item_variance[:, np.newaxis] / n_obs
    variance = bartlett_variance(influence, lags) * small_sample_factor(n_obs, n_coefficients)
    standard_error = np.sqrt(variance)
    relative = np.divide(
        standard_error, ratio, out=np.zeros_like(ratio), where=ratio > np.finfo(np.float64).tiny
    )
    half_width = np.minimum(
        student_quantile(confidence_level, n_obs - n_coefficients) * relative, 300.0
    )
    return (
        1.0 - ratio,
        standard_error,
        1.0 - ratio * np.exp(half_width),
        1.0 - ratio * np.exp(-half_width),
    )
