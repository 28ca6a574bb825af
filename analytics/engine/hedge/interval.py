"""Interval of a variance reduction, robust to fat tails and clustered volatility."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from analytics.engine.regression import bartlett_variance, small_sample_factor
from analytics.engine.types import FloatArray

# The interval of a perfect fit collapses; that of a hopeless one must stay representable.
_WIDEST_LOG_INTERVAL = 300.0


class Reductions(NamedTuple):
    """Variance reductions of rows, shape (n_rows,) each."""

    value: FloatArray
    standard_error: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray


def reduction_intervals(
    items: FloatArray,
    hedged: FloatArray,
    lags: int,
    confidence_level: float,
    n_coefficients: int,
) -> Reductions:
    """Variance reduction of each row, its error and interval.

    Parameters
    ----------
    items, hedged : float64 array of shape (n_rows, n_obs)
        Finite; no row of `items` constant.
    lags : int
    confidence_level : float
    n_coefficients : int
        Estimated on this sample: 1 for a given holding (the mean), 2 for a fitted one.

    Returns
    -------
    Reductions

    Notes
    -----
    With q the variance ratio the influence of a day is ``g = (d^2 - q s^2)/(n var s)``, deviations
    from means. The variance of q is the larger of White's and the Bartlett estimate on g (negative
    serial correlation is not believed), times n/(n - k). The interval is symmetric in ln q with a
    Student multiplier of Satterthwaite's degrees of freedom ``2 n/(kurtosis of g - 1)``: when few
    days carry the error, the error itself is uncertain.

    References
    ----------
    Satterthwaite, F. (1946), An approximate distribution of estimates of variance components,
    Biometrics Bulletin 2.
    """
    n_obs = items.shape[1]
    item = items - items.mean(axis=1, keepdims=True)
    net = hedged - hedged.mean(axis=1, keepdims=True)
    item_variance = np.einsum("pt,pt->p", item, item) / n_obs
    ratio = np.einsum("pt,pt->p", net, net) / n_obs / item_variance
    influence = net * net
    influence -= ratio[:, np.newaxis] * (item * item)
    # Scaled by the largest: fourth powers of a near-perfect hedge's influence would underflow.
    largest = np.abs(influence).max(axis=1)
    scale = np.where(largest > 0.0, largest, 1.0)
    influence /= scale[:, np.newaxis]
    squares = influence * influence
    white = squares.sum(axis=1)
    fourth = np.einsum("pt,pt->p", squares, squares)
    kurtosis = np.divide(n_obs * fourth, white**2, out=np.ones_like(white), where=white > 0.0)
    variance = np.maximum(white, bartlett_variance(influence, lags))
    standard_error = (
        np.sqrt(variance * small_sample_factor(n_obs, n_coefficients))
        * scale
        * (largest > 0.0)
        / item_variance
        / n_obs
    )
    informative = ratio > np.finfo(np.float64).tiny
    relative = np.divide(standard_error, ratio, out=np.zeros_like(ratio), where=informative)
    freedom = np.full_like(ratio, n_obs - n_coefficients)
    np.divide(2.0 * n_obs, kurtosis - 1.0, out=freedom, where=kurtosis > 1.0 + 2.0 / n_obs)
    multiplier = stdtrit(np.minimum(freedom, n_obs - n_coefficients), 0.5 + confidence_level / 2.0)
    half_width = np.minimum(multiplier * relative, _WIDEST_LOG_INTERVAL)
    return Reductions(
        value=1.0 - ratio,
        standard_error=standard_error,
        ci_low=1.0 - ratio * np.exp(half_width),
        ci_high=1.0 - ratio * np.exp(-half_width),
    )
