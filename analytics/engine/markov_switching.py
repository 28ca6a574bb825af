"""Two-state Markov-switching autoregression by maximum likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from analytics.engine.checks import SMALLEST_DEVIATION, at_least, finite_vector
from analytics.engine.errors import DegenerateInputError, InvalidInputError
from analytics.engine.regime import FilteredRegimes, filtered_states
from analytics.engine.types import FloatArray

# Step of the central differences of the likelihood, in transformed parameters of order 1.
_STEP = 1e-5
_NO_LIKELIHOOD = 1e10


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
        minimize(likelihood.cost, start, jac=True, method="L-BFGS-B", options={"maxiter": 10})
        for start in likelihood.starts()
    )
    near = min(approached, key=lambda result: float(result.fun))
    best = minimize(
        likelihood.cost,
        near.x,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 500, "ftol": 1e-12},
    )
    if not best.fun < _NO_LIKELIHOOD:
        raise DegenerateInputError("no optimum of the likelihood was found", series="series")
    return likelihood.model(best.x, center, scale)


class _SwitchingLikelihood:
    """Likelihood of standardized values over the joint states (s_t, ..., s_{t-order}).

    Parameters come in batches, one row each: a gradient is one run of the filter.
    """

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
        return [
            np.array([stay, leave, *self._spread(gap), *np.zeros(self.order)])
            for stay, gap in ((3.0, 0.7), (2.0, 1.2), (1.0, 0.4))
            for leave in (-stay, -stay - 1.0)
        ]

    def _spread(self, gap: float) -> list[float]:
        means = [0.0] if self.switching == "variance" else [-gap, gap]
        logs = [-0.1] if self.switching == "mean" else [-gap, gap / 2.0]
        return [*means, *logs]

    def _unpack(self, thetas: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Transition matrices, means, deviations and autoregressions, one row a parameter set."""
        stay, leave = expit(thetas[:, 0]), expit(thetas[:, 1])
        step = np.array([[stay, leave], [1.0 - stay, 1.0 - leave]]).transpose(2, 0, 1)
        n_means = 1 if self.switching == "variance" else 2
        n_logs = 1 if self.switching == "mean" else 2
        shape = (thetas.shape[0], 2)
        means = np.broadcast_to(thetas[:, 2 : 2 + n_means], shape)
        logs = np.broadcast_to(thetas[:, 2 + n_means : 2 + n_means + n_logs], shape)
        deviations = np.exp(np.clip(logs, -20.0, 20.0))
        return step, means, deviations, thetas[:, 2 + n_means + n_logs :]

    def _chains(self, thetas: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Log densities (batch, n_obs, paths), transitions between paths, and first states."""
        step, means, deviations, phi = self._unpack(np.clip(thetas, -30.0, 30.0))
        now = self.paths[:, 0]
        matrices = step
        if self.order:
            matrices = self.follows * step[:, now, self.paths[:, 1]][:, :, np.newaxis]
        errors = self.lagged[np.newaxis, :, np.newaxis, :] - means[:, self.paths][:, np.newaxis]
        weights = np.concatenate([np.ones((phi.shape[0], 1)), -phi], axis=1)
        innovations = np.einsum("btsl,bl->bts", errors, weights)
        sigma = deviations[:, now][:, np.newaxis]
        log_densities = (
            -((innovations / sigma) ** 2) / 2.0 - np.log(sigma) - np.log(2.0 * np.pi) / 2.0
        )
        return log_densities, matrices, self._ergodic(step)

    def _ergodic(self, step: FloatArray) -> FloatArray:
        # Of the day before the first: predicting from the ergodic state gives it again.
        leaving = step[:, 1, 0] + step[:, 0, 1]
        single = np.stack([step[:, 0, 1], step[:, 1, 0]], axis=1) / leaving[:, np.newaxis]
        joint = single[:, self.paths[:, -1]]
        for lag in range(self.order, 0, -1):
            joint = joint * step[:, self.paths[:, lag - 1], self.paths[:, lag]]
        return np.asarray(joint)

    def log_likelihoods(self, thetas: FloatArray) -> FloatArray:
        log_densities, matrices, state = self._chains(thetas)
        peaks = log_densities.max(axis=2)
        densities = np.exp(log_densities - peaks[:, :, np.newaxis])
        masses = np.empty(peaks.shape)
        for row in range(densities.shape[1]):
            joint = (matrices @ state[:, :, np.newaxis])[:, :, 0] * densities[:, row]
            mass = joint.sum(axis=1)
            masses[:, row] = mass
            state = joint / np.maximum(mass, 1e-300)[:, np.newaxis]
        total: FloatArray = (np.log(np.maximum(masses, 1e-300)) + peaks).sum(axis=1)
        return total

    def cost(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """Return minus the log likelihood and its gradient by central differences."""
        steps = _STEP * np.eye(theta.shape[0])
        around = self.log_likelihoods(np.vstack([theta, theta + steps, theta - steps]))
        up, down = np.split(around[1:], 2)
        if not np.isfinite(around).all():
            return _NO_LIKELIHOOD, np.zeros(theta.shape[0])
        return -float(around[0]), (down - up) / (2.0 * _STEP)

    def filtered(self, theta: FloatArray) -> FilteredRegimes:
        log_densities, matrices, start = self._chains(theta[np.newaxis])
        return filtered_states(log_densities[0], matrices[0], start[0])

    def model(self, theta: FloatArray, center: float, scale: float) -> SwitchingModel:
        """Return the model in the units of the series, its states in order."""
        step, means, deviations, phi = (part[0] for part in self._unpack(theta[np.newaxis]))
        filtered = self.filtered(theta)
        first = filtered.probabilities[:, self.paths[:, 0] == 0].sum(axis=1)
        probabilities = np.stack([first, 1.0 - first], axis=1).clip(0.0, 1.0)
        stay, leave = float(step[0, 0]), float(step[0, 1])
        key = means if self.switching == "mean" else deviations
        if key[0] > key[1]:
            means, deviations, probabilities = means[::-1], deviations[::-1], probabilities[:, ::-1]
            stay, leave = 1.0 - leave, 1.0 - stay
        return SwitchingModel(
            stay_first=stay,
            leave_second=leave,
            means=center + scale * means,
            standard_deviations=scale * deviations,
            autoregression=phi.copy(),
            log_likelihood=filtered.log_likelihood - self.lagged.shape[0] * float(np.log(scale)),
            filtered=probabilities,
            n_obs=self.values.shape[0],
        )
