"""Which regime the market is in: percentiles of volatility, and a filter of known states."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.engine.checks import (
    at_least,
    enough,
    finite_array,
    finite_vector,
    same_shape,
)
from analytics.engine.errors import DegenerateInputError, InvalidInputError
from analytics.engine.types import TRADING_DAYS_PER_YEAR, BoolArray, FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class VolatilityRegime:
    """Volatility regime through time, each array of shape (n_obs,); 0 or False in warm-up.

    Attributes
    ----------
    annual_volatility : float64 array
        Of the trailing window, decimal.
    percentile : float64 array
        Share of the trailing volatilities of the look-back at or below today's, 0 to 1.
    is_high : bool array
        Regime with hysteresis.
    defined : bool array
    """

    annual_volatility: FloatArray
    percentile: FloatArray
    is_high: BoolArray
    defined: BoolArray


def volatility_regime(
    returns: FloatArray,
    *,
    window: int = 21,
    lookback: int = 252,
    enter: float = 0.8,
    leave: float = 0.6,
    min_stay: int = 5,
    periods_per_year: int = TRADING_DAYS_PER_YEAR,
) -> VolatilityRegime:
    """High or normal volatility by percentile, with hysteresis.

    Parameters
    ----------
    returns : float64 array of shape (n_obs,)
        Simple daily returns as decimals, oldest first.
    window : int
        Days of realized volatility.
    lookback : int
        Volatilities that today's is ranked among, itself included.
    enter, leave : float
        The high regime begins at a percentile of `enter` or more and ends below `leave`.
    min_stay : int
        Days that a condition must hold in a row before the regime changes.
    periods_per_year : int

    Returns
    -------
    VolatilityRegime
        A day's regime rests on returns up to that day only.

    Raises
    ------
    InvalidInputError
        If `leave` is not below `enter`.

    Notes
    -----
    Volatility is ``sqrt(252/w sum r^2)`` about zero.
    """
    values = finite_vector(returns, "returns")
    at_least(window, 2, "window")
    at_least(lookback, 2, "lookback")
    at_least(min_stay, 1, "min_stay")
    if not 0 < leave < enter < 1:
        raise InvalidInputError(
            f"leave must lie below enter, both between 0 and 1, got {leave} and {enter}",
            argument="leave",
        )
    n_obs = values.shape[0]
    enough(n_obs, window + lookback - 1, "returns")
    squares = np.lib.stride_tricks.sliding_window_view(values**2, window).mean(axis=1)
    volatility = np.sqrt(squares * periods_per_year)
    ranked = np.lib.stride_tricks.sliding_window_view(volatility, lookback)
    percentile = (ranked <= ranked[:, -1:]).mean(axis=1)
    first = window + lookback - 2
    high = np.zeros(n_obs, dtype=np.bool_)
    high[first:] = _with_hysteresis(percentile, enter, leave, min_stay)
    return VolatilityRegime(
        annual_volatility=np.concatenate([np.zeros(window - 1), volatility]),
        percentile=np.concatenate([np.zeros(first), percentile]),
        is_high=high,
        defined=np.arange(n_obs) >= first,
    )


def _with_hysteresis(
    percentile: FloatArray, enter: float, leave: float, min_stay: int
) -> BoolArray:
    states = np.zeros(percentile.shape[0], dtype=np.bool_)
    high, pending = False, 0
    for day, value in enumerate(percentile):
        crossed = value < leave if high else value >= enter
        pending = pending + 1 if crossed else 0
        if pending >= min_stay:
            high, pending = not high, 0
        states[day] = high
    return states


@dataclass(frozen=True, slots=True, eq=False)
class FilteredRegimes:
    """Filtered regime probabilities; they use no later observation.

    Attributes
    ----------
    probabilities : float64 array of shape (n_obs, n_states)
        Given the observations up to and including that row.
    log_likelihood : float
    """

    probabilities: FloatArray
    log_likelihood: float


def hamilton_filter(
    returns: FloatArray,
    transition: FloatArray,
    standard_deviations: FloatArray,
    *,
    means: FloatArray | None = None,
    initial: FloatArray | None = None,
) -> FilteredRegimes:
    """Filter the probabilities of normal regimes with known parameters.

    Parameters
    ----------
    returns : float64 array of shape (n_obs,)
        Oldest first.
    transition : float64 array of shape (n_states, n_states)
        Column j holds the probabilities of going from state j; columns sum to 1.
    standard_deviations : float64 array of shape (n_states,)
        Of the returns in each state, increasing: state labels are ordered by variance.
    means : float64 array of shape (n_states,), optional
        0 by default.
    initial : float64 array of shape (n_states,), optional
        Before the first prediction; equal shares by default.

    Returns
    -------
    FilteredRegimes

    Raises
    ------
    DegenerateInputError
        If an observation is impossible in every state.

    Notes
    -----
    Each step predicts ``P pi`` and then updates by the normal densities.

    References
    ----------
    Hamilton, J. (1989), Econometrica 57.

    Examples
    --------
    >>> filtered = hamilton_filter(np.array([0.005, -0.04, 0.03]),
    ...     np.array([[0.95, 0.1], [0.05, 0.9]]), np.array([0.01, 0.03]))
    >>> round(filtered.probabilities[-1, 1].item(), 6)
    0.993544
    """
    values = finite_vector(returns, "returns")
    deviations = finite_vector(standard_deviations, "standard_deviations")
    n_states = deviations.shape[0]
    matrix = _stochastic(transition, n_states)
    if (deviations <= 0).any() or (np.diff(deviations) < 0).any():
        raise InvalidInputError(
            "standard_deviations must be positive and increasing; order the states by variance",
            argument="standard_deviations",
        )
    centers = np.zeros(n_states) if means is None else finite_vector(means, "means")
    same_shape(centers, deviations, "means", "standard_deviations")
    start = np.full(n_states, 1.0 / n_states) if initial is None else _shares(initial, n_states)
    z = (values[:, np.newaxis] - centers) / deviations
    log_densities = -(z**2) / 2.0 - np.log(deviations) - np.log(2.0 * np.pi) / 2.0
    return filtered_states(log_densities, matrix, start)


def _stochastic(transition: FloatArray, n_states: int) -> FloatArray:
    matrix = finite_array(transition, "transition")
    if (
        matrix.shape != (n_states, n_states)
        or (matrix < 0).any()
        or (np.abs(matrix.sum(axis=0) - 1.0) > 1e-8).any()
    ):
        raise InvalidInputError(
            f"transition must be {n_states} x {n_states} with columns that sum to 1",
            argument="transition",
        )
    return matrix


def _shares(initial: FloatArray, n_states: int) -> FloatArray:
    start = finite_vector(initial, "initial")
    if start.shape != (n_states,) or (start < 0).any() or abs(start.sum() - 1.0) > 1e-8:
        raise InvalidInputError(
            "initial must hold one probability a state, summing to 1", argument="initial"
        )
    return start


def filtered_states(
    log_densities: FloatArray, matrix: FloatArray, start: FloatArray
) -> FilteredRegimes:
    """Run the filter; densities are scaled by each row's largest, so that none vanishes."""
    peaks = log_densities.max(axis=1)
    densities = np.exp(log_densities - peaks[:, np.newaxis])
    probabilities = np.empty_like(densities)
    state, log_likelihood = start, 0.0
    for row, density in enumerate(densities):
        joint = (matrix @ state) * density
        mass = float(joint.sum())
        if mass <= 0.0:
            raise DegenerateInputError(
                f"the observation in row {row} is impossible in every reachable state", row=row
            )
        state = joint / mass
        probabilities[row] = state
        log_likelihood += float(np.log(mass)) + float(peaks[row])
    return FilteredRegimes(probabilities, log_likelihood)
