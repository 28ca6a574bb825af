"""Which regime the market is in: volatility percentiles, a two-state filter, breaks at events."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, fdtrc

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
    return _filtered(log_densities, matrix, start)


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


def _filtered(log_densities: FloatArray, matrix: FloatArray, start: FloatArray) -> FilteredRegimes:
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


@dataclass(frozen=True, slots=True, eq=False)
class SwitchingModel:
    """Two-state Markov-switching autoregression; store it with the run that fitted it.

    Attributes
    ----------
    stay_first : float
        Probability of staying in state 0.
    leave_second : float
        Probability of going from state 1 to state 0.
    means : float64 array of shape (2,)
    standard_deviations : float64 array of shape (2,)
        Equal if only the mean switches.
    autoregression : float64 array of shape (order,)
        On deviations from the mean of the state at that time.
    log_likelihood : float
        Conditional on the first `order` observations.
    filtered : float64 array of shape (n_obs - order, 2)
        Probabilities given the observations up to then.
    n_obs : int
    """

    stay_first: float
    leave_second: float
    means: FloatArray
    standard_deviations: FloatArray
    autoregression: FloatArray
    log_likelihood: float
    filtered: FloatArray
    n_obs: int


def markov_switching(
    series: FloatArray, *, order: int = 0, switching: str = "variance", min_obs: int = 60
) -> SwitchingModel:
    """Fit a two-state Markov-switching autoregression by maximum likelihood.

    Parameters
    ----------
    series : float64 array of shape (n_obs,)
        Oldest first.
    order : int
        Common autoregressive terms, at most 4.
    switching : {"variance", "mean", "both"}
        What differs between the states.
    min_obs : int

    Returns
    -------
    SwitchingModel
        States are ordered by variance, by mean where the variance does not switch.

    Raises
    ------
    DegenerateInputError
        If the series is constant or no optimum is found.

    Notes
    -----
    ``y_t - mu(s_t) = sum phi_i (y_{t-i} - mu(s_{t-i})) + sigma(s_t) e_t``; the filter runs over the
    2^(order + 1) paths of states from their ergodic distribution. The likelihood is climbed from
    six fixed starting points, so the same data give the same answer.

    References
    ----------
    Hamilton, J. (1989), Econometrica 57, eq. 4.1-4.3.
    """
    values = finite_vector(series, "series", min_length=max(min_obs, 10))
    at_least(order, 0, "order")
    if order > 4 or switching not in {"variance", "mean", "both"}:
        raise InvalidInputError(
            "order must be at most 4 and switching one of 'variance', 'mean', 'both'",
            argument="order" if order > 4 else "switching",
        )
    center, scale = float(values.mean()), float(values.std())
    if scale <= max(SMALLEST_DEVIATION, 1e-13 * abs(center)):
        raise DegenerateInputError("series is constant", series="series", std=0)
    likelihood = _SwitchingLikelihood((values - center) / scale, order, switching)
    # A few steps from every start find the hill; one climb to its top.
    approached = (
        minimize(likelihood.cost, start, method="L-BFGS-B", options={"maxiter": 10})
        for start in likelihood.starts()
    )
    near = min(approached, key=lambda result: float(result.fun))
    best = minimize(likelihood.cost, near.x, method="L-BFGS-B", options={"maxiter": 500})
    if not np.isfinite(best.fun):
        raise DegenerateInputError("no optimum of the likelihood was found", series="series")
    return likelihood.model(best.x, center, scale)


class _SwitchingLikelihood:
    """Likelihood of standardized values over the joint states (s_t, ..., s_{t-order})."""

    def __init__(self, values: FloatArray, order: int, switching: str) -> None:
        self.values, self.order, self.switching = values, order, switching
        self.paths = np.array(list(product((0, 1), repeat=order + 1)))
        windows = np.lib.stride_tricks.sliding_window_view(values, order + 1)
        self.lagged = np.ascontiguousarray(windows[:, ::-1])
        # The path (s_t, .., s_{t-p}) follows (s_{t-1}, .., s_{t-p}, any).
        self.follows = np.array(
            [[(new[1:] == old[:-1]).all() for old in self.paths] for new in self.paths]
        )

    def starts(self) -> list[FloatArray]:
        """Return starting points: persistent states whose means or deviations lie apart."""
        found = []
        for stay, gap in ((3.0, 0.7), (2.0, 1.2), (1.0, 0.4)):
            for lopsided in (1.0, -1.0):
                transition = [stay, -stay if lopsided > 0 else -stay - 1.0]
                found.append(np.concatenate([transition, self._spread(gap), np.zeros(self.order)]))
        return found

    def _spread(self, gap: float) -> FloatArray:
        means = [0.0] if self.switching == "variance" else [-gap, gap]
        logs = [-0.1] if self.switching == "mean" else [-gap, gap / 2.0]
        return np.array([*means, *logs])

    def _unpack(self, theta: FloatArray) -> tuple[float, float, FloatArray, FloatArray, FloatArray]:
        stay, leave = (float(value) for value in expit(theta[:2]))
        n_means = 1 if self.switching == "variance" else 2
        n_logs = 1 if self.switching == "mean" else 2
        means = np.resize(theta[2 : 2 + n_means], 2)
        logs = np.resize(theta[2 + n_means : 2 + n_means + n_logs], 2)
        deviations = np.exp(np.clip(logs, -20.0, 20.0))
        return stay, leave, means, deviations, theta[2 + n_means + n_logs :]

    def filtered(self, theta: FloatArray) -> FilteredRegimes:
        stay, leave, means, deviations, phi = self._unpack(theta)
        step = np.array([[stay, leave], [1.0 - stay, 1.0 - leave]])
        now = self.paths[:, 0]
        matrix = step
        if self.order:
            matrix = self.follows * step[now, self.paths[:, 1]][:, np.newaxis]
        errors = self.lagged[:, np.newaxis, :] - means[self.paths]
        innovations = errors @ np.concatenate([[1.0], -phi])
        sigma = deviations[now]
        log_densities = (
            -((innovations / sigma) ** 2) / 2.0 - np.log(sigma) - np.log(2.0 * np.pi) / 2.0
        )
        return _filtered(log_densities, matrix, self._ergodic(step))

    def _ergodic(self, step: FloatArray) -> FloatArray:
        # Reached from the ergodic state one step before, so that the first prediction is it.
        leave = step[1, 0] + step[0, 1]
        single = np.array([step[0, 1], step[1, 0]]) / leave if leave > 0 else np.full(2, 0.5)
        joint: FloatArray = single[self.paths[:, -1]]
        for lag in range(self.order, 0, -1):
            joint = joint * step[self.paths[:, lag - 1], self.paths[:, lag]]
        return joint

    def cost(self, theta: FloatArray) -> float:
        try:
            return -self.filtered(np.clip(theta, -30.0, 30.0)).log_likelihood
        except DegenerateInputError:
            return 1e10

    def model(self, theta: FloatArray, center: float, scale: float) -> SwitchingModel:
        stay, leave, means, deviations, phi = self._unpack(theta)
        filtered = self.filtered(theta)
        first = filtered.probabilities[:, self.paths[:, 0] == 0].sum(axis=1)
        probabilities = np.stack([first, 1.0 - first], axis=1)
        key = means if self.switching == "mean" else deviations
        if key[0] > key[1]:
            means, deviations, probabilities = means[::-1], deviations[::-1], probabilities[:, ::-1]
            stay, leave = 1.0 - leave, 1.0 - stay
        count = self.lagged.shape[0]
        return SwitchingModel(
            stay_first=stay,
            leave_second=leave,
            means=center + scale * means,
            standard_deviations=scale * deviations,
            autoregression=phi.copy(),
            log_likelihood=filtered.log_likelihood - count * float(np.log(scale)),
            filtered=probabilities.clip(0.0, 1.0),
            n_obs=self.values.shape[0],
        )


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
