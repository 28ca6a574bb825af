"""Did a relation break: at a date announced before, or at some date within the sample."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import fdtrc

from analytics.engine.checks import (
    SMALLEST_DEVIATION,
    at_least,
    enough,
    finite_array,
    finite_vector,
    open_unit,
    same_shape,
)
from analytics.engine.errors import DegenerateInputError, InvalidInputError
from analytics.engine.regression import design, least_squares
from analytics.engine.types import FloatArray


@dataclass(frozen=True, slots=True)
class EventBreak:
    """Did the relation of two series change at a date announced before?

    Attributes
    ----------
    f_statistic, p_value : float
        Chow's test that intercept and slope stay the same.
    slope_before, slope_after : float
    slope_change, slope_change_standard_error : float
        By the dummy interaction; robust to unequal variance.
    n_before, n_after : int
    """

    f_statistic: float
    p_value: float
    slope_before: float
    slope_after: float
    slope_change: float
    slope_change_standard_error: float
    n_before: int
    n_after: int


def chow_test(y: FloatArray, x: FloatArray, n_before: int, *, min_obs: int = 10) -> EventBreak:
    """Chow's test of a break between two rows.

    Parameters
    ----------
    y, x : float64 array of shape (n_obs,)
        Simple returns as decimals on the same sessions, oldest first.
    n_before : int
        Observations before the event; the date must have been stored before it.
    min_obs : int
        On each side, at least 4.

    Returns
    -------
    EventBreak

    Notes
    -----
    ``F = ((RSS - RSS1 - RSS2)/2)/((RSS1 + RSS2)/(n - 4))``. The change of slope has the error
    ``sqrt(se1^2 + se2^2)`` of two separate fits.

    References
    ----------
    Chow, G. (1960), Econometrica 28.
    """
    left = finite_vector(y, "y")
    right = finite_vector(x, "x")
    same_shape(left, right, "y", "x")
    least = max(min_obs, 4)
    at_least(n_before, 1, "n_before")
    enough(n_before, least, "y before the event")
    enough(left.shape[0] - n_before, least, "y after the event")
    parts = [slice(None), slice(None, n_before), slice(n_before, None)]
    fits = [
        least_squares(design(right[part, np.newaxis]), left[np.newaxis, part]) for part in parts
    ]
    together, first, second = (float(one.residual_sum_of_squares[0]) for one in fits)
    apart = first + second
    degrees = left.shape[0] - 4
    # Residuals this small are rounding of the fit.
    if apart <= max(1e-24 * float(fits[0].total_sum_of_squares[0]), SMALLEST_DEVIATION**2):
        raise DegenerateInputError("both sides fit exactly; there is no error to test with")
    statistic = max(together - apart, 0.0) / 2.0 / (apart / degrees)
    slopes = [float(one.coefficients[0, 1]) for one in fits[1:]]
    errors = [float(one.standard_errors[0, 1]) for one in fits[1:]]
    return EventBreak(
        f_statistic=statistic,
        p_value=float(fdtrc(2.0, float(degrees), statistic)),
        slope_before=slopes[0],
        slope_after=slopes[1],
        slope_change=slopes[1] - slopes[0],
        slope_change_standard_error=math.hypot(*errors),
        n_before=n_before,
        n_after=left.shape[0] - n_before,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Cusum:
    """Cumulative sum of recursive residuals.

    Attributes
    ----------
    path : float64 array of shape (n_obs - k,)
        In standard deviations.
    boundary : float64 array of the same shape
        Crossed with the given probability if nothing changed.
    crossed_at : int or None
        Row of the series at which the path first leaves the boundaries.
    """

    path: FloatArray
    boundary: FloatArray
    crossed_at: int | None


# Brown, Durbin and Evans (1975), section 2.3.
_CUSUM_BOUNDARIES = {0.01: 1.143, 0.05: 0.948, 0.10: 0.850}


def cusum_test(y: FloatArray, x: FloatArray, *, significance: float = 0.05) -> Cusum:
    """Cusum of recursive residuals of a regression with intercept.

    Parameters
    ----------
    y : float64 array of shape (n_obs,)
    x : float64 array of shape (n_obs, n_factors) or (n_obs,)
    significance : {0.01, 0.05, 0.10}

    Returns
    -------
    Cusum

    Notes
    -----
    ``w_t = (y_t - x_t' b_{t-1})/sqrt(1 + x_t' inv(X'X) x_t)``; ``W_t = sum w/s``, boundaries
    ``a (sqrt(n - k) + 2 (t - k)/sqrt(n - k))``.

    References
    ----------
    Brown, R., Durbin, J. and Evans, J. (1975), JRSS B 37.
    """
    target = finite_vector(y, "y", min_length=10)
    factors = finite_array(x, "x")
    factors = factors[:, np.newaxis] if factors.ndim == 1 else factors
    if factors.ndim != 2 or factors.shape[0] != target.shape[0]:
        raise InvalidInputError("x must have one row per entry of y", argument="x")
    if open_unit(significance, "significance") not in _CUSUM_BOUNDARIES:
        raise InvalidInputError(
            f"significance must be one of {sorted(_CUSUM_BOUNDARIES)}", argument="significance"
        )
    rows = np.column_stack([np.ones(target.shape[0]), factors])
    n_obs, k = rows.shape
    enough(n_obs, 3 * k, "y")
    residuals = _recursive_residuals(target, rows)
    deviation = float(residuals.std(ddof=1))
    if deviation <= SMALLEST_DEVIATION:
        raise DegenerateInputError("the regression fits exactly", std=0)
    path = np.cumsum(residuals) / deviation
    steps = np.arange(1.0, n_obs - k + 1.0)
    root = float(np.sqrt(n_obs - k))
    boundary = _CUSUM_BOUNDARIES[significance] * (root + 2.0 * steps / root)
    outside = np.flatnonzero(np.abs(path) > boundary)
    return Cusum(path, boundary, int(outside[0]) + k if outside.size else None)


def _recursive_residuals(target: FloatArray, rows: FloatArray) -> FloatArray:
    n_obs, k = rows.shape
    gram = rows[:k].T @ rows[:k]
    if np.linalg.matrix_rank(rows[:k]) < k:
        raise DegenerateInputError(
            "the first rows of x do not identify the coefficients; start where x varies", rows=k
        )
    inverse = np.linalg.inv(gram)
    coefficients = inverse @ rows[:k].T @ target[:k]
    residuals = np.empty(n_obs - k)
    for row in range(k, n_obs):
        gain = inverse @ rows[row]
        spread = 1.0 + float(rows[row] @ gain)
        error = float(target[row] - rows[row] @ coefficients)
        residuals[row - k] = error / np.sqrt(spread)
        coefficients = coefficients + gain * (error / spread)
        inverse = inverse - np.outer(gain, gain) / spread
    return residuals
