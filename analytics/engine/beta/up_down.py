"""Beta in falling and in rising benchmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.engine.checks import (
    SMALLEST_DEVIATION,
    at_least,
    enough,
    finite,
    finite_vector,
    masked_rows,
    masked_vector,
    open_unit,
)
from analytics.engine.errors import (
    DegenerateInputError,
    EngineError,
    raise_failure,
)
from analytics.engine.regression import (
    answerable_rows,
    bartlett_variance,
    common_samples,
    design,
    least_squares,
    resolve_lags,
    sandwich_law,
    small_sample_factor,
)
from analytics.engine.remembered import remembered
from analytics.engine.types import (
    BoolArray,
    Estimate,
    Failure,
    FloatArray,
    IntArray,
)


@dataclass(frozen=True, slots=True)
class UpDownBeta:
    """Betas in falling and in rising benchmarks, by two definitions.

    Attributes
    ----------
    down, up : Estimate
        cov/var over the sessions with the benchmark below (above) `threshold`, the conditional
        means removed (Ang, Chen and Xing). HAC standard errors.
    difference : Estimate
        Down less up, with the HAC standard error of the difference.
    lower_partial, upper_partial : float
        Co-partial moments about `target`, no means removed (Bawa and Lindenberg).
    threshold, target : float
    n_down, n_up : int
    """

    down: Estimate
    up: Estimate
    difference: Estimate
    lower_partial: float
    upper_partial: float
    threshold: float
    target: float
    n_down: int
    n_up: int


@dataclass(frozen=True, slots=True, eq=False)
class UpDownBatch:
    """Betas in falling and rising benchmarks of a batch; `UpDownBeta` has the definitions.

    Arrays have shape (n_portfolios,); where `failures` has a record they hold the placeholder 0.

    Attributes
    ----------
    beta, standard_error, ci_low, ci_high : float64 array of shape (3, n_portfolios)
        Down, up, and down less up, with HAC errors.
    lower_partial, upper_partial : float64 array
    threshold : float64 array
        Of each portfolio's sample.
    target : float
    n_down, n_up : int64 array
    failures : tuple of Failure or None
    """

    beta: FloatArray
    standard_error: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    lower_partial: FloatArray
    upper_partial: FloatArray
    threshold: FloatArray
    target: float
    n_down: IntArray
    n_up: IntArray
    failures: tuple[Failure | None, ...]

    @property
    def ok(self) -> BoolArray:
        """Return which portfolios have an answer."""
        return np.array([failure is None for failure in self.failures], dtype=np.bool_)

    def at(self, index: int) -> UpDownBeta:
        """Return one portfolio's betas, or raise its failure."""
        raise_failure(self.failures[index])
        down, up, difference = (
            Estimate(
                float(self.beta[row, index]),
                float(self.standard_error[row, index]),
                float(self.ci_low[row, index]),
                float(self.ci_high[row, index]),
            )
            for row in range(3)
        )
        return UpDownBeta(
            down=down,
            up=up,
            difference=difference,
            lower_partial=float(self.lower_partial[index]),
            upper_partial=float(self.upper_partial[index]),
            threshold=float(self.threshold[index]),
            target=self.target,
            n_down=int(self.n_down[index]),
            n_up=int(self.n_up[index]),
        )


def up_down_beta(
    portfolio_returns: FloatArray,
    benchmark_returns: FloatArray,
    *,
    threshold: float | None = None,
    target: float = 0.0,
    min_obs_per_side: int = 30,
    hac_lags: int | str = "auto",
    confidence_level: float = 0.95,
) -> UpDownBeta:
    """Beta in falling and rising benchmarks of one portfolio; see `up_down_betas`.

    Parameters
    ----------
    portfolio_returns, benchmark_returns : float64 array of shape (n_obs,)
        Simple daily returns as decimals, oldest first, without gaps.
    threshold, target, min_obs_per_side, hac_lags, confidence_level
        As in `up_down_betas`.

    Returns
    -------
    UpDownBeta

    Raises
    ------
    InvalidInputError, InsufficientDataError, DegenerateInputError
    """
    return up_down_betas(
        finite_vector(portfolio_returns, "portfolio_returns"),
        finite_vector(benchmark_returns, "benchmark_returns"),
        threshold=threshold,
        target=target,
        min_obs_per_side=min_obs_per_side,
        hac_lags=hac_lags,
        confidence_level=confidence_level,
    ).at(0)


def up_down_betas(
    portfolio_returns: FloatArray,
    benchmark_returns: FloatArray,
    *,
    threshold: float | None = None,
    target: float = 0.0,
    min_obs_per_side: int = 30,
    hac_lags: int | str = "auto",
    confidence_level: float = 0.95,
) -> UpDownBatch:
    """Betas in falling and rising benchmarks, with the error of the difference.

    Parameters
    ----------
    portfolio_returns : float64 array of shape (n_portfolios, n_obs) or (n_obs,)
        Simple daily returns as decimals, oldest first; NaN marks a missing session.
    benchmark_returns : float64 array of shape (n_obs,)
        Likewise, on the same sessions.
    threshold : float, optional
        Splits the sample of the conditional definition; the benchmark's mean over the portfolio's
        sample by default.
    target : float
        tau of the partial-moment definition.
    min_obs_per_side : int
        At least 3.
    hac_lags : int or "auto"
    confidence_level : float

    Returns
    -------
    UpDownBatch

    Raises
    ------
    InvalidInputError
        If shapes disagree, a return is infinite, or a parameter is out of range.

    Notes
    -----
    Partial moments: ``E[(r - tau) min(x - tau, 0)] / E[min(x - tau, 0)^2]``. The scores of the two
    conditional slopes are laid on one time line, so the difference allows for serial correlation
    across the two sides. Errors carry the factor n/(n - 2) of each side (n/(n - 4) together).

    References
    ----------
    Ang, A., Chen, J. and Xing, Y. (2006), Downside risk, Review of Financial Studies 19, eq. 5.
    Bawa, V. and Lindenberg, E. (1977), Journal of Financial Economics 5.
    """
    rows = masked_rows(portfolio_returns, "portfolio_returns")
    x_all = masked_vector(benchmark_returns, "benchmark_returns", length=rows.shape[1])
    at_least(min_obs_per_side, 3, "min_obs_per_side")
    open_unit(confidence_level, "confidence_level")
    finite(target, "target")
    if threshold is not None:
        finite(threshold, "threshold")
    resolve_lags(hac_lags, max(rows.shape[1], 2 * min_obs_per_side))
    n_rows = rows.shape[0]
    served = np.zeros((4, 3, n_rows))
    partial = np.zeros((2, n_rows))
    splits = np.zeros(n_rows)
    counts = np.zeros((2, n_rows), dtype=np.int64)
    failures: list[Failure | None] = [None] * n_rows
    for members, columns in common_samples(~np.isnan(rows) & ~np.isnan(x_all)):
        x = x_all[columns]
        try:
            enough(
                columns.size, 2 * min_obs_per_side, "the common sample of portfolio and benchmark"
            )
            split = float(x.mean()) if threshold is None else threshold
            sides = _sides(x, split, min_obs_per_side, resolve_lags(hac_lags, columns.size))
            moments = [_partial_moment(x - target, side) for side in (np.minimum, np.maximum)]
        except EngineError as error:
            for member in members:
                failures[member] = error.failure
            continue
        answered, y = answerable_rows(
            members, rows[np.ix_(members, columns)], failures, "portfolio_returns"
        )
        served[:, :, answered] = sides.estimates(y, confidence_level)
        partial[:, answered] = [(y - target) @ weights for weights in moments]
        splits[answered] = split
        counts[:, answered] = np.array(sides.counts)[:, np.newaxis]
    return UpDownBatch(
        beta=served[0],
        standard_error=served[1],
        ci_low=served[2],
        ci_high=served[3],
        lower_partial=partial[0],
        upper_partial=partial[1],
        threshold=splits,
        target=target,
        n_down=counts[0],
        n_up=counts[1],
        failures=tuple(failures),
    )


class _Sides:
    """The two regressions of one benchmark sample, factorised, and the laws of their errors."""

    def __init__(self, x: FloatArray, split: float, least: int, lags: int) -> None:
        self.lags = lags
        self.masks = (x < split, x > split)
        self.counts = tuple(int(mask.sum()) for mask in self.masks)
        for name, count in zip(("down", "up"), self.counts, strict=True):
            enough(count, least, f"the {name} side of the benchmark")
        self.designs = [design(x[mask][:, np.newaxis]) for mask in self.masks]
        influence = np.zeros((3, x.shape[0]))
        basis = np.zeros((x.shape[0], 4))
        for row, (mask, side) in enumerate(zip(self.masks, self.designs, strict=True)):
            influence[row, mask] = side.influence[1]
            basis[mask, 2 * row : 2 * row + 2] = side.basis
        influence[2] = influence[0] - influence[1]
        self.laws = [sandwich_law(row, basis, lags) for row in influence]

    def estimates(self, y: FloatArray, confidence_level: float) -> FloatArray:
        """Return value, error and interval, shape (4, 3, n_series): down, up, difference."""
        slopes = np.empty((3, y.shape[0]))
        scores = np.zeros((3, *y.shape))
        for row, (mask, side) in enumerate(zip(self.masks, self.designs, strict=True)):
            fit = least_squares(side, y[:, mask])
            slopes[row] = fit.coefficients[:, 1]
            scores[row][:, mask] = fit.residuals * side.influence[1]
        slopes[2] = slopes[0] - slopes[1]
        scores[2] = scores[0] - scores[1]
        factors = [
            small_sample_factor(self.counts[0], 2),
            small_sample_factor(self.counts[1], 2),
            small_sample_factor(sum(self.counts), 4),
        ]
        errors = np.empty_like(slopes)
        half_widths = np.empty_like(slopes)
        for row, (law, factor) in enumerate(zip(self.laws, factors, strict=True)):
            errors[row] = np.sqrt(bartlett_variance(scores[row], self.lags) * factor)
            half_widths[row] = law.multiplier(confidence_level, factor) * errors[row]
        return np.stack([slopes, errors, slopes - half_widths, slopes + half_widths])


#: Portfolios have benchmarks in common; of ten years each takes a quarter of a megabyte.
_sides = remembered(16)(_Sides)


def _partial_moment(excess: FloatArray, side: np.ufunc) -> FloatArray:
    """Return the weights whose product with a series is its co-partial moment beta."""
    partial: FloatArray = side(excess, 0.0)
    moment = float(partial @ partial)
    if not moment > SMALLEST_DEVIATION**2:
        raise DegenerateInputError(
            "the benchmark never crosses the target; choose another target", series="benchmark"
        )
    return partial / moment
