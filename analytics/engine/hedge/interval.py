"""Interval of a variance reduction, robust to fat tails and to volatilities that move."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from analytics.engine.types import FloatArray

# The interval of a perfect fit collapses; that of a hopeless one must stay representable.
_WIDEST_LOG_INTERVAL = 300.0
# A day that carries all of a variance leaves none without it; its logarithm stays representable.
_LARGEST_SHARE = 1.0 - 1e-12


class Reductions(NamedTuple):
    """Variance reductions of rows, shape (n_rows,) each."""

    value: FloatArray
    standard_error: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray


def reduction_intervals(
    items: FloatArray,
    hedged: FloatArray,
    confidence_level: float,
    *,
    fitted_on: FloatArray | None = None,
) -> Reductions:
    """Variance reduction of each row, its error and interval.

    Parameters
    ----------
    items, hedged : float64 array of shape (n_rows, n_obs)
        Finite; no row of `items` constant.
    confidence_level : float
    fitted_on : float64 array of shape (n_obs,) or (n_rows, n_obs), optional
        The instrument, if `hedged` is what its regression on these same days leaves; None for a
        holding that was given.

    Returns
    -------
    Reductions

    Notes
    -----
    With q the variance ratio and q_(t) the one without day t, the holding fitted anew, the
    influence of a day on ln q is the jackknife's ``J_t = (n - 1)(mean of ln q_(s) - ln q_(t))``.
    Its variance is taken from neighbors, ``sum (J_t - J_{t-1})^2/(2 n (n - 1))``: what moves
    slowly, as where the volatilities of item and residual go ways of their own, is not an error of
    the effectiveness that these days had, and drops out. The interval is symmetric in ln q with a
    Student multiplier of ``2 n/kurtosis of J`` degrees of freedom, which is Satterthwaite's for a
    variance from differences: when few days carry the error, the error itself is uncertain.
    The standard error is q times that of ln q.

    References
    ----------
    Barndorff-Nielsen, O. and Shephard, N. (2004), Econometric analysis of realized covariation,
    Econometrica 72 (variance of realized regression and correlation, given the volatilities).
    Efron, B. and Stein, C. (1981), The jackknife estimate of variance, Annals of Statistics 9.
    von Neumann, J. (1941), Distribution of the ratio of the mean square successive difference to
    the variance, Annals of Mathematical Statistics 12.
    Satterthwaite, F. (1946), An approximate distribution of estimates of variance components,
    Biometrics Bulletin 2.
    """
    n_obs = items.shape[1]
    leverage: float | FloatArray = 1.0 / n_obs
    n_coefficients = 1
    if fitted_on is not None:
        deviations = fitted_on - fitted_on.mean(axis=-1, keepdims=True)
        squares = deviations * deviations
        leverage = leverage + squares / squares.sum(axis=-1, keepdims=True)
        n_coefficients = 2
    item_sum, item_without = _without_each(items, 1.0 / n_obs)
    net_sum, net_without = _without_each(hedged, leverage)
    ratio = net_sum / item_sum
    influence = net_without - item_without
    influence = (n_obs - 1) * (influence.mean(axis=1, keepdims=True) - influence)
    squares = influence * influence
    total = squares.sum(axis=1)
    fourth = np.einsum("pt,pt->p", squares, squares)
    kurtosis = np.divide(n_obs * fourth, total**2, out=np.ones_like(total), where=total > 0.0)
    steps = np.diff(influence, axis=1)
    variance = np.einsum("pt,pt->p", steps, steps) / (2.0 * n_obs * (n_obs - 1))
    relative = np.sqrt(variance) * (ratio > np.finfo(np.float64).tiny)
    freedom = np.minimum(2.0 * n_obs / kurtosis, n_obs - n_coefficients)
    multiplier = stdtrit(freedom, 0.5 + confidence_level / 2.0)
    half_width = np.minimum(multiplier * relative, _WIDEST_LOG_INTERVAL)
    return Reductions(
        value=1.0 - ratio,
        standard_error=ratio * relative,
        ci_low=1.0 - ratio * np.exp(half_width),
        ci_high=1.0 - ratio * np.exp(-half_width),
    )


def _without_each(
    residuals: FloatArray, leverage: float | FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Sum of squares of each row, and ln of the share of it that is left without each day.

    Leaving out a day of leverage h and residual e takes ``e^2/(1 - h)`` from the sum.
    """
    centered = residuals - residuals.mean(axis=1, keepdims=True)
    squares = centered * centered
    total = squares.sum(axis=1)
    squares /= np.maximum(1.0 - leverage, 1.0 - _LARGEST_SHARE)
    np.divide(squares, total[:, np.newaxis], out=squares, where=total[:, np.newaxis] > 0.0)
    left: FloatArray = np.log1p(-np.minimum(squares, _LARGEST_SHARE))
    return total, left
