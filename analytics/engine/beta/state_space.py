"""Beta that moves: a random walk filtered from the returns, with its band."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from analytics.engine.checks import (
    SMALLEST_DEVIATION,
    at_least,
    enough,
    finite_result,
    masked_rows,
    masked_vector,
    not_negative,
    open_unit,
    positive,
)
from analytics.engine.errors import DegenerateInputError, EngineError, raise_failure
from analytics.engine.regression import (
    answerable_rows,
    common_samples,
    design,
    least_squares,
    student_quantile,
)
from analytics.engine.types import BoolArray, Estimate, Failure, FloatArray, IntArray

# Variance ratios searched, in units of the regressor's mean square: from a beta that stays put over
# thousands of observations to one that is new every day.
_SMALLEST_RATIO, _LARGEST_RATIO = 1e-8, 1e4
_FIRST_GRID = 25
_ZOOM_GRID = 17
_ZOOMS = 2


@dataclass(frozen=True, slots=True)
class StateSpaceBeta:
    """Filtered beta of one portfolio at its last observation; see `StateSpaceBatch`."""

    beta: Estimate
    alpha: float
    observation_variance: float
    state_variance: float
    log_likelihood: float
    constant: bool
    n_obs: int


@dataclass(frozen=True, slots=True, eq=False)
class StateSpaceBatch:
    """Filtered betas of a batch of portfolios.

    Arrays have shape (n_portfolios,) unless said; where `failures` has a record they hold the
    placeholder 0, which is not a value.

    Attributes
    ----------
    beta, standard_deviation, ci_low, ci_high : float64 array of shape (n_portfolios, n_obs)
        At each session, from the observations up to it and the variances of the whole sample. A
        session without a pair of returns, and one before the start is determined, is not `valid`.
    valid : bool array of shape (n_portfolios, n_obs)
    last : int64 array
        Column of the last valid session.
    alpha : float64 array
        At the last session, decimal per observation; 0 without an intercept.
    observation_variance, state_variance : float64 array
        h of the returns and q of the daily step of beta.
    log_likelihood : float64 array
        Diffuse, at these variances.
    constant : bool array
        The likelihood is largest at q = 0: no evidence that beta moves.
    n_obs : int64 array
    failures : tuple of Failure or None
    """

    beta: FloatArray
    standard_deviation: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    valid: BoolArray
    last: IntArray
    alpha: FloatArray
    observation_variance: FloatArray
    state_variance: FloatArray
    log_likelihood: FloatArray
    constant: BoolArray
    n_obs: IntArray
    failures: tuple[Failure | None, ...]

    @property
    def ok(self) -> BoolArray:
        """Return which portfolios have an answer."""
        return np.array([failure is None for failure in self.failures], dtype=np.bool_)

    def at(self, index: int) -> StateSpaceBeta:
        """Return one portfolio's filtered beta at the last session, or raise its failure."""
        raise_failure(self.failures[index])
        last = int(self.last[index])
        return StateSpaceBeta(
            beta=Estimate(
                float(self.beta[index, last]),
                float(self.standard_deviation[index, last]),
                float(self.ci_low[index, last]),
                float(self.ci_high[index, last]),
            ),
            alpha=float(self.alpha[index]),
            observation_variance=float(self.observation_variance[index]),
            state_variance=float(self.state_variance[index]),
            log_likelihood=float(self.log_likelihood[index]),
            constant=bool(self.constant[index]),
            n_obs=int(self.n_obs[index]),
        )


def state_space_beta(
    portfolio_returns: FloatArray,
    benchmark_returns: FloatArray,
    *,
    variance_ratio: float | None = None,
    observation_variance: float | None = None,
    intercept: bool = True,
    min_obs: int = 60,
    confidence_level: float = 0.95,
) -> StateSpaceBatch:
    """Filter a beta that follows a random walk.

    Parameters
    ----------
    portfolio_returns : float64 array of shape (n_portfolios, n_obs) or (n_obs,)
        Simple daily returns as decimals, oldest first; NaN marks a missing session.
    benchmark_returns : float64 array of shape (n_obs,)
        Likewise, on the same sessions. All ones, without an intercept, is the local level model.
    variance_ratio : float, optional
        q/h; by maximum likelihood, one for each portfolio, if not given. 0 is recursive OLS.
    observation_variance : float, optional
        h; by maximum likelihood if not given.
    intercept : bool
        A constant alpha.
    min_obs : int
        Fewest common observations that are served, at least 4.
    confidence_level : float
        Of the band.

    Returns
    -------
    StateSpaceBatch

    Raises
    ------
    InvalidInputError
        If shapes disagree, a return is infinite, or a parameter is out of range.

    Notes
    -----
    ``r_t = alpha + b_t x_t + e_t`` with variance h, ``b_t = b_{t-1} + eta_t`` with variance q; one
    step for each common observation. The start is diffuse and exact: alpha and b_0 are regression
    coefficients of the filtered series (de Jong's augmented filter), no large prior variance is
    used. With k coefficients, V = h (I + ratio * walk) and X = [1, x] the likelihood is
    ``-1/2 [(n - k) log(2 pi h) + log|V/h| + log|X'(V/h)^-1 X| + RSS/h]``, in which h is
    RSS/(n - k). The value is *filtered*: the smoothed one would use later returns. The band is
    Student's t with n - k degrees of freedom around the filtered value and does not include the
    uncertainty of q.

    References
    ----------
    Harvey, A. (1989), Forecasting, structural time series models and the Kalman filter, ch. 3.
    De Jong, P. (1991), The diffuse Kalman filter, Annals of Statistics 19.
    Durbin, J. and Koopman, S. (2012), Time series analysis by state space methods, ch. 5 and 7.

    Examples
    --------
    >>> x = np.sin(np.arange(80.0)) / 100
    >>> noise = np.cos(np.arange(80.0) ** 2) / 1000
    >>> still = state_space_beta(1.5 * x + noise, x, variance_ratio=0.0).at(0)
    >>> still.constant, round(still.beta.value, 4)
    (True, 1.4984)
    """
    rows = masked_rows(portfolio_returns, "portfolio_returns")
    x_all = masked_vector(benchmark_returns, "benchmark_returns", length=rows.shape[1])
    open_unit(confidence_level, "confidence_level")
    at_least(min_obs, 4, "min_obs")
    if variance_ratio is not None:
        not_negative(variance_ratio, "variance_ratio")
    if observation_variance is not None:
        positive(observation_variance, "observation_variance")
    n_rows, n_sessions = rows.shape
    paths = np.zeros((4, n_rows, n_sessions))
    valid = np.zeros((n_rows, n_sessions), dtype=np.bool_)
    figures = np.zeros((4, n_rows))
    last = np.zeros(n_rows, dtype=np.int64)
    n_obs = np.zeros(n_rows, dtype=np.int64)
    constant = np.zeros(n_rows, dtype=np.bool_)
    failures: list[Failure | None] = [None] * n_rows
    for members, columns in common_samples(~np.isnan(rows) & ~np.isnan(x_all)):
        n_obs[members] = columns.size
        x = x_all[columns]
        try:
            enough(columns.size, min_obs, "the common sample of portfolio and benchmark")
            start = _Start(x, intercept=intercept)
        except EngineError as error:
            for member in members:
                failures[member] = error.failure
            continue
        answered, y = answerable_rows(
            members, rows[np.ix_(members, columns)], failures, "portfolio_returns"
        )
        if not answered.size:
            continue
        fit = start.filtered(y, variance_ratio, observation_variance)
        half_width = fit.deviation * student_quantile(confidence_level, start.degrees_of_freedom)
        cells = np.ix_(answered, columns)
        for path, values in zip(
            paths,
            (fit.beta, fit.deviation, fit.beta - half_width, fit.beta + half_width),
            strict=True,
        ):
            path[cells] = np.where(start.determined, values, 0.0)
        valid[cells] = start.determined
        figures[:, answered] = fit.figures
        constant[answered] = fit.figures[2] == 0.0
        last[answered] = columns[-1]
    finite_result(paths, "filtered beta")
    alpha, h, q, likelihood = figures
    return StateSpaceBatch(
        beta=paths[0],
        standard_deviation=paths[1],
        ci_low=paths[2],
        ci_high=paths[3],
        valid=valid,
        last=last,
        alpha=alpha,
        observation_variance=h,
        state_variance=q,
        log_likelihood=likelihood,
        constant=constant,
        n_obs=n_obs,
        failures=tuple(failures),
    )


class _Filtered(NamedTuple):
    """Paths of shape (n_series, n_obs); figures alpha, h, q, log-likelihood, (4, n_series)."""

    beta: FloatArray
    deviation: FloatArray
    figures: FloatArray


class _Start:
    """One sample of the benchmark, scaled, with its least-squares start."""

    def __init__(self, x: FloatArray, *, intercept: bool) -> None:
        self.intercept = intercept
        self.scale = float(np.sqrt(np.mean(x * x)))
        if not self.scale > SMALLEST_DEVIATION:
            raise DegenerateInputError(
                "benchmark_returns is zero throughout; choose another benchmark or window",
                series="benchmark_returns",
                n_obs=x.shape[0],
            )
        self.degrees_of_freedom = x.shape[0] - (2 if intercept else 1)
        self._design = design(x[:, np.newaxis]) if intercept else None
        self.x = x / self.scale
        # Sessions by which the coefficients can be told apart.
        if intercept:
            moved = np.maximum.accumulate(self.x) - np.minimum.accumulate(self.x)
            self.determined = moved > _MOVED
        else:
            self.determined = np.maximum.accumulate(np.abs(self.x)) > _MOVED

    def filtered(
        self, y: FloatArray, variance_ratio: float | None, observation_variance: float | None
    ) -> _Filtered:
        slope, residual = self._least_squares(y)
        if variance_ratio is None:
            ratio = self._most_likely(residual)
        else:
            ratio = np.full(y.shape[0], variance_ratio * self.scale**2)
        n_obs = y.shape[1]
        recursion = _Recursion(residual, ratio[:, np.newaxis], intercept=self.intercept)
        beta = np.empty_like(y)
        spread = np.empty_like(y)
        alpha = np.zeros((y.shape[0], 1))
        for t in range(n_obs):
            recursion.step(t, self.x[t])
            if self.determined[t]:
                alpha, level, variance = recursion.filtered()
                beta[:, t], spread[:, t] = level[:, 0], variance[:, 0]
            else:
                beta[:, t] = spread[:, t] = 0.0
        h = recursion.residual_sum()[:, 0] / self.degrees_of_freedom
        if observation_variance is not None:
            h = np.full_like(h, observation_variance)
        smallest = np.finfo(np.float64).tiny
        likelihood = recursion.log_likelihood(np.maximum(h, smallest)[:, np.newaxis])[:, 0]
        # alpha was filtered from what least squares left; the intercept comes back with the mean.
        figures = np.stack(
            [
                alpha[:, 0] + self._intercept(y, slope),
                h,
                ratio * h / self.scale**2,
                likelihood - np.log(self.scale),
            ]
        )
        return _Filtered(
            slope[:, np.newaxis] + beta / self.scale,
            np.sqrt(np.maximum(spread, 0.0) * h[:, np.newaxis]) / self.scale,
            figures,
        )

    def _least_squares(self, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return slopes and residuals: filtering what is left keeps digits."""
        if self._design is not None:
            fit = least_squares(self._design, y)
            return fit.coefficients[:, 1], fit.residuals
        slope = y @ self.x / (self.x @ self.x)
        return slope / self.scale, y - np.outer(slope, self.x)

    def _intercept(self, y: FloatArray, slope: FloatArray) -> FloatArray | float:
        if not self.intercept:
            return 0.0
        intercept: FloatArray = y.mean(axis=1) - slope * (self.x.mean() * self.scale)
        return intercept

    def _most_likely(self, residual: FloatArray) -> FloatArray:
        """Maximize the likelihood over the logarithm of the ratio.

        A grid, smaller grids about its best, and the vertex of the parabola through the last three.
        """
        grid = np.linspace(np.log(_SMALLEST_RATIO), np.log(_LARGEST_RATIO), _FIRST_GRID)
        ratios = np.concatenate([[0.0], np.exp(grid)])[np.newaxis, :]
        likelihoods = self._profile(residual, ratios)
        at_zero = likelihoods[:, 0]
        best = grid[np.argmax(likelihoods[:, 1:], axis=1)]
        step = grid[1] - grid[0]
        for _ in range(_ZOOMS):
            around = best[:, np.newaxis] + step * np.linspace(-1.0, 1.0, _ZOOM_GRID)
            likelihoods = self._profile(residual, np.exp(around))
            choice = np.clip(np.argmax(likelihoods, axis=1), 1, _ZOOM_GRID - 2)[:, np.newaxis]
            best = np.take_along_axis(around, choice, axis=1)[:, 0]
            step *= 2.0 / (_ZOOM_GRID - 1)
        before, found, after = (
            np.take_along_axis(likelihoods, choice + k, axis=1)[:, 0] for k in (-1, 0, 1)
        )
        curvature = before - 2.0 * found + after
        offset = np.zeros_like(best)
        np.divide(0.5 * step * (before - after), curvature, out=offset, where=curvature < 0.0)
        best = best + np.clip(offset, -step, step)
        at_edge = best < np.log(_SMALLEST_RATIO) + _EDGE
        ratio: FloatArray = np.where((at_zero >= found) | at_edge, 0.0, np.exp(best))
        return ratio

    def _profile(self, residual: FloatArray, ratios: FloatArray) -> FloatArray:
        recursion = _Recursion(residual, ratios, intercept=self.intercept)
        for t in range(residual.shape[1]):
            recursion.step(t, self.x[t])
        floor = np.finfo(np.float64).tiny
        return recursion.log_likelihood(
            np.maximum(recursion.residual_sum() / self.degrees_of_freedom, floor)
        )


# Two sessions tell a slope from a level when the benchmark moved by this share of its size.
_MOVED = 1e-3
_EDGE = 1e-3


class _Recursion:
    """The filter of the walk away from its start, on the series and on the regressors.

    Everything broadcasts over (n_series, n_ratios) with h = 1; what does not depend on the series
    stays (1, n_ratios) when the ratios are the same for all.
    """

    def __init__(self, series: FloatArray, ratio: FloatArray, *, intercept: bool) -> None:
        self._series = series
        self._ratio = ratio
        self._intercept = intercept
        self._n_obs = 0
        self._variance = np.zeros_like(ratio)
        shape = np.broadcast_shapes((series.shape[0], 1), ratio.shape)
        self._level_y = np.zeros(shape)
        self._level_1 = np.zeros_like(ratio)
        self._level_x = np.zeros_like(ratio)
        self._log_determinant = np.zeros_like(ratio)
        # Second moments of the one-step errors, over their variance.
        self._yy, self._1y, self._xy = (np.zeros(shape) for _ in range(3))
        self._11, self._1x, self._xx = (np.zeros_like(ratio) for _ in range(3))

    def step(self, t: int, x: float) -> None:
        if t:
            self._variance = self._variance + self._ratio
        error_variance = x * x * self._variance + 1.0
        gain = self._variance * x / error_variance
        error_y = self._series[:, t, np.newaxis] - x * self._level_y
        error_x = x - x * self._level_x
        self._level_y += gain * error_y
        self._level_x += gain * error_x
        self._variance = self._variance / error_variance
        self._log_determinant += np.log(error_variance)
        weighted_x = error_x / error_variance
        self._yy += error_y * error_y / error_variance
        self._xy += weighted_x * error_y
        self._xx += weighted_x * error_x
        if self._intercept:
            error_1 = 1.0 - x * self._level_1
            self._level_1 += gain * error_1
            weighted_1 = error_1 / error_variance
            self._1y += weighted_1 * error_y
            self._11 += weighted_1 * error_1
            self._1x += weighted_1 * error_x
        self._n_obs = t + 1

    def _solved(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return alpha and the start of beta, and the determinant of their information."""
        if not self._intercept:
            return np.zeros_like(self._xy), self._xy / self._xx, self._xx
        determinant = self._11 * self._xx - self._1x * self._1x
        alpha = (self._xx * self._1y - self._1x * self._xy) / determinant
        start = (self._11 * self._xy - self._1x * self._1y) / determinant
        return alpha, start, determinant

    def filtered(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return alpha, beta and the variance of beta over h, all given the data so far."""
        alpha, start, determinant = self._solved()
        on_start = 1.0 - self._level_x
        beta = self._level_y - self._level_1 * alpha + on_start * start
        if self._intercept:
            on_alpha = -self._level_1
            estimation = (
                self._xx * on_alpha * on_alpha
                - 2.0 * self._1x * on_alpha * on_start
                + self._11 * on_start * on_start
            ) / determinant
        else:
            estimation = on_start * on_start / self._xx
        return alpha, beta, self._variance + estimation

    def residual_sum(self) -> FloatArray:
        alpha, start, _ = self._solved()
        residual: FloatArray = np.maximum(self._yy - alpha * self._1y - start * self._xy, 0.0)
        return residual

    def log_likelihood(self, h: FloatArray) -> FloatArray:
        _, _, determinant = self._solved()
        freedom = self._n_obs - (2 if self._intercept else 1)
        deviance = (
            freedom * np.log(2.0 * np.pi * h)
            + self._log_determinant
            + np.log(determinant)
            + self.residual_sum() / h
        )
        value: FloatArray = -0.5 * deviance
        return value
