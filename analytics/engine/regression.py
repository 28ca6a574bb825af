"""Least squares with serial-correlation-robust errors, factorised once for a batch of series."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from analytics.engine.checks import LARGEST_MAGNITUDE, SMALLEST_DEVIATION, finite_array
from analytics.engine.errors import (
    DegenerateInputError,
    InsufficientDataError,
    InvalidInputError,
    NonFiniteResultError,
)
from analytics.engine.remembered import remembered
from analytics.engine.types import BoolArray, Failure, FloatArray, IntArray

# A regressor is called collinear when it leaves less than this share of its length unexplained.
_SMALLEST_SINGULAR_VALUE = 1e-10
# A series is constant when its deviations are rounding of its level.
_CONSTANT = 1e-13
# Traces of n terms of order 1/n carry rounding of about this size.
_SMALLEST_SHARE = 1e-9
# Of ten years each takes a tenth of a megabyte.
_REMEMBERED = 64


@dataclass(frozen=True, eq=False)
class Design:
    """Regressors with an intercept, factorised once.

    Attributes
    ----------
    regressors : float64 array of shape (n_obs, n_factors)
        Without the intercept.
    influence : float64 array of shape (1 + n_factors, n_obs)
        Pseudo-inverse: coefficient j of a series y is ``influence[j] @ y``; row 0 is the intercept.
    unscaled_covariance : float64 array of shape (1 + n_factors, 1 + n_factors)
        inv(X'X); times the residual variance it is the covariance of the coefficients.
    variance_inflation : float64 array of shape (n_factors,)
        1/(1 - R2) of each factor on the others.
    condition_number : float
        Largest over smallest singular value of the centered, unit-length factors.
    """

    regressors: FloatArray
    influence: FloatArray
    unscaled_covariance: FloatArray
    variance_inflation: FloatArray
    condition_number: float

    @property
    def n_obs(self) -> int:
        """Number of observations."""
        return int(self.influence.shape[1])

    @property
    def n_coefficients(self) -> int:
        """Number of coefficients, the intercept included."""
        return int(self.influence.shape[0])

    def law(self, position: int, lags: int) -> SandwichLaw:
        """Return how the HAC variance of one coefficient is distributed; see `sandwich_law`."""
        if (position, lags) not in self._laws:
            self._laws[position, lags] = sandwich_law(self.influence[position], self.basis, lags)
        return self._laws[position, lags]

    @cached_property
    def basis(self) -> FloatArray:
        """Return an orthonormal basis of the columns, shape (n_obs, 1 + n_factors)."""
        columns = np.ones((self.n_obs, self.n_coefficients))
        centered = self.regressors - self.regressors.mean(axis=0)
        columns[:, 1:] = centered / np.sqrt(np.einsum("tk,tk->k", centered, centered))
        basis: FloatArray = np.linalg.qr(columns)[0]
        return basis

    @cached_property
    def _laws(self) -> dict[tuple[int, int], SandwichLaw]:
        return {}


class HacInterval(NamedTuple):
    """HAC errors and intervals of one coefficient, float64 arrays of shape (n_series,)."""

    standard_error: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray


@dataclass(frozen=True, slots=True)
class Regression:
    """Ordinary least squares of several series on one design.

    Attributes
    ----------
    coefficients, standard_errors : float64 array of shape (n_series, 1 + n_factors)
        Intercept first; standard errors assume independent, equal-variance residuals.
    residuals : float64 array of shape (n_series, n_obs)
    residual_sum_of_squares, total_sum_of_squares : float64 array of shape (n_series,)
        The total is centered.
    """

    design: Design
    coefficients: FloatArray
    standard_errors: FloatArray
    residuals: FloatArray
    residual_sum_of_squares: FloatArray
    total_sum_of_squares: FloatArray

    @property
    def degrees_of_freedom(self) -> int:
        """Observations less coefficients."""
        return self.design.n_obs - self.design.n_coefficients

    @property
    def residual_standard_deviation(self) -> FloatArray:
        """Return sqrt(RSS/(n - k)), shape (n_series,)."""
        return np.sqrt(self.residual_sum_of_squares / self.degrees_of_freedom)

    @property
    def r_squared(self) -> FloatArray:
        """Return 1 - RSS/TSS, shape (n_series,); 0 where the series is constant."""
        explained = self.total_sum_of_squares - self.residual_sum_of_squares
        return np.divide(
            explained,
            self.total_sum_of_squares,
            out=np.zeros_like(explained),
            where=self.total_sum_of_squares > 0,
        )

    def hac_interval(
        self, position: int, lags: int, confidence_level: float, law: SandwichLaw
    ) -> HacInterval:
        """Return one coefficient's HAC errors, with the factor n/(n - k), and intervals."""
        factor = small_sample_factor(self.design.n_obs, self.design.n_coefficients)
        variance = bartlett_variance(self.residuals * self.design.influence[position], lags)
        standard_error = np.sqrt(variance * factor)
        half_width = law.multiplier(confidence_level, factor) * standard_error
        estimate = self.coefficients[:, position]
        return HacInterval(standard_error, estimate - half_width, estimate + half_width)

    def hac_standard_errors(self, lags: int, *, small_sample: bool) -> FloatArray:
        """Return Newey-West standard errors, shape (n_series, 1 + n_factors).

        Parameters
        ----------
        lags : int
            Bartlett truncation.
        small_sample : bool
            Multiply the covariance by n/(n - k), as Stata and EViews do.
        """
        variances = np.stack(
            [bartlett_variance(self.residuals * row, lags) for row in self.design.influence], axis=1
        )
        if small_sample:
            variances *= small_sample_factor(self.design.n_obs, self.design.n_coefficients)
        return np.sqrt(variances)


def design(regressors: FloatArray) -> Design:
    """Factorise regressors, to which an intercept is added; remembered, so not to be written to.

    Parameters
    ----------
    regressors : float64 array of shape (n_obs, n_factors)

    Returns
    -------
    Design

    Raises
    ------
    InsufficientDataError
        If there are no residual degrees of freedom.
    DegenerateInputError
        If a factor is constant or a combination of the others.

    Notes
    -----
    Factors are centered and scaled to unit length before a Householder QR, so the conditioning is
    that of their correlations, not of their units; normal equations are never formed.
    """
    factors = finite_array(regressors, "regressors")
    if factors.ndim != 2:
        raise InvalidInputError(f"regressors must have two dimensions, got shape {factors.shape}")
    return _factorised(factors)


#: Portfolios have benchmarks in common, and the measures of one ask for the same again and again.
@remembered(_REMEMBERED)
def _factorised(factors: FloatArray) -> Design:
    n_obs, n_factors = factors.shape
    if n_obs < n_factors + 2:
        raise InsufficientDataError(
            f"a regression on {n_factors} factors needs at least {n_factors + 2} observations, "
            f"got {n_obs}; widen the window",
            required=n_factors + 2,
            available=n_obs,
        )
    means = factors.mean(axis=0)
    centered = factors - means
    lengths = np.sqrt(np.einsum("tk,tk->k", centered, centered))
    constant = constant_rows(lengths**2, factors.T)
    if constant.any():
        raise DegenerateInputError(
            f"regressor {int(np.argmax(constant))} is constant over {n_obs} observations; "
            "choose another benchmark or window",
            series=int(np.argmax(constant)),
            n_obs=n_obs,
            std=0,
        )
    orthogonal, triangular = np.linalg.qr(centered / lengths)
    singular_values = np.linalg.svd(triangular, compute_uv=False)
    if singular_values[-1] <= _SMALLEST_SINGULAR_VALUE * singular_values[0]:
        raise DegenerateInputError(
            "the regressors are collinear; drop the factor that repeats the others", n_obs=n_obs
        )
    inverse = np.linalg.inv(triangular)
    slope_influence = (inverse @ orthogonal.T) / lengths[:, np.newaxis]
    scaled_covariance = inverse @ inverse.T
    slope_covariance = scaled_covariance / np.outer(lengths, lengths)
    influence = np.empty((1 + n_factors, n_obs))
    influence[0] = 1.0 / n_obs - means @ slope_influence
    influence[1:] = slope_influence
    covariance = np.empty((1 + n_factors, 1 + n_factors))
    covariance[1:, 1:] = slope_covariance
    covariance[0, 1:] = covariance[1:, 0] = -slope_covariance @ means
    covariance[0, 0] = 1.0 / n_obs + means @ slope_covariance @ means
    return Design(
        regressors=factors,
        influence=influence,
        unscaled_covariance=covariance,
        variance_inflation=np.diag(scaled_covariance).copy(),
        condition_number=float(singular_values[0] / singular_values[-1]),
    )


def least_squares(design: Design, series: FloatArray) -> Regression:
    """Regress each row of `series` on one design.

    Parameters
    ----------
    design : Design
    series : float64 array of shape (n_series, n_obs)
        Finite.

    Returns
    -------
    Regression
    """
    if series.ndim != 2 or series.shape[1] != design.n_obs:
        raise InvalidInputError(
            f"series must have shape (n_series, {design.n_obs}), got {series.shape}"
        )
    series_means = series.mean(axis=1)
    centered = series - series_means[:, np.newaxis]
    factor_means = design.regressors.mean(axis=0)
    slopes = centered @ design.influence[1:].T
    residuals = centered - slopes @ (design.regressors - factor_means).T
    coefficients = np.concatenate(
        [(series_means - slopes @ factor_means)[:, np.newaxis], slopes], axis=1
    )
    residual_sum = np.einsum("pt,pt->p", residuals, residuals)
    total_sum = np.einsum("pt,pt->p", centered, centered)
    variance = residual_sum / (design.n_obs - design.n_coefficients)
    return Regression(
        design=design,
        coefficients=coefficients,
        standard_errors=np.sqrt(np.outer(variance, np.diag(design.unscaled_covariance))),
        residuals=residuals,
        residual_sum_of_squares=residual_sum,
        total_sum_of_squares=total_sum,
    )


def bartlett_variance(scores: FloatArray, lags: int) -> FloatArray:
    """Variance of the sum of each row of `scores`, serial correlation up to `lags` allowed.

    Parameters
    ----------
    scores : float64 array of shape (n_series, n_obs)
        Influence times residual, oldest first; each row sums to about zero.
    lags : int
        Bartlett truncation; 0 is White's estimator.

    Returns
    -------
    float64 array of shape (n_series,)
        Never negative.

    Notes
    -----
    ``G_0 + 2 sum_{l=1..L} (1 - l/(L+1)) G_l`` with ``G_l = sum_t g_t g_{t-l}``. With g the product
    of residual and pseudo-inverse row this is the diagonal element of the sandwich
    ``(X'X)^-1 S (X'X)^-1``, without forming S.

    References
    ----------
    Newey, W. and West, K. (1987), A simple, positive semi-definite, heteroskedasticity and
    autocorrelation consistent covariance matrix, Econometrica 55, eq. 5.
    """
    variance = np.einsum("pt,pt->p", scores, scores)
    for lag in range(1, min(lags, scores.shape[1] - 1) + 1):
        weight = 2.0 * (1.0 - lag / (lags + 1.0))
        variance += weight * np.einsum("pt,pt->p", scores[:, lag:], scores[:, :-lag])
    floored: FloatArray = np.maximum(variance, 0.0)
    return floored


@dataclass(frozen=True, slots=True)
class SandwichLaw:
    """How the variance estimate of one contrast is distributed under independent equal errors.

    Attributes
    ----------
    bias : float
        Expected estimate over the true variance, at most about 1.
    degrees_of_freedom : float
        Of the chi-square with the estimate's mean and variance.
    """

    bias: float
    degrees_of_freedom: float

    def multiplier(self, confidence_level: float, factor: float) -> float:
        """Return half width over standard error of an interval.

        Parameters
        ----------
        confidence_level : float
        factor : float
            By which the variance was multiplied already, such as `small_sample_factor`.
        """
        quantile = stdtrit(self.degrees_of_freedom, 0.5 + confidence_level / 2.0)
        return float(quantile / np.sqrt(self.bias * factor))


def sandwich_law(
    weights: FloatArray, basis: FloatArray, lags: int, *, influence: FloatArray | None = None
) -> SandwichLaw:
    """Bias and effective degrees of freedom of a Bartlett variance estimate.

    Parameters
    ----------
    weights : float64 array of shape (n_obs,)
        The estimate is ``weights @ series``; for a coefficient its row of `Design.influence`.
    basis : float64 array of shape (n_obs, n_coefficients)
        Orthonormal, of the regressors that the residuals are free of.
    lags : int
        Bartlett truncation.
    influence : float64 array of shape (n_obs, n_coefficients), optional
        If the fit is not the projection on `basis`, as with weights or instruments: the residuals
        of a series are ``series - basis @ influence.T @ series``.

    Returns
    -------
    SandwichLaw

    Raises
    ------
    DegenerateInputError
        If the residuals carry nothing of the contrast's variance.

    Notes
    -----
    The estimate is e'Ae with ``A_ts = c_t c_s max(0, 1 - |t - s|/(L + 1))`` and e = Mu the
    residuals. For independent u of one variance, with P = MM', its mean is tr(PA) and its variance
    2 tr(PAPA), so ``bias = tr(PA)/c'c`` and ``degrees of freedom = tr(PA)^2/tr(PAPA)``. Robust
    errors are too small and too noisy when few observations carry the slope, as with clustered
    volatility; the normal or t(n - k) multiplier ignores both. A is banded: the cost is n times
    lags, once for a batch.

    References
    ----------
    Satterthwaite, F. (1946), Biometrics Bulletin 2. Bell, R. and McCaffrey, D. (2002), Bias
    reduction in standard errors for linear regression with multi-stage samples, Survey Methodology
    28. Imbens, G. and Kolesar, M. (2016), Robust standard errors in small samples, Review of
    Economics and Statistics 98. Young, A. (2016), Improved, nearly exact, statistical inference
    with robust and clustered covariance matrices using effective degrees of freedom.
    """
    # P = I + F core F'; for a projection F = basis and core = -I.
    factors, core = basis, -np.eye(basis.shape[1])
    if influence is not None:
        factors = np.concatenate([basis, influence], axis=1)
        nothing, unit = np.zeros_like(core), core
        core = np.block([[influence.T @ influence, unit], [unit, nothing]])
    # The law does not depend on the scale of the weights, and fourth powers of them underflow.
    scaled = weights / np.sqrt(weights @ weights)
    products = (scaled * scaled)[:, np.newaxis] * factors
    squares = float(np.sum(scaled**4))
    for lag in range(1, min(lags, scaled.shape[0] - 1) + 1):
        band = (1.0 - lag / (lags + 1.0)) * scaled[lag:] * scaled[:-lag]
        products[lag:] += band[:, np.newaxis] * factors[:-lag]
        products[:-lag] += band[:, np.newaxis] * factors[lag:]
        squares += 2.0 * float(band @ band)
    inner = core @ (factors.T @ products)
    mean = 1.0 + float(np.trace(inner))
    spread = squares + 2.0 * float(np.sum(core * (products.T @ products)))
    spread += float(np.sum(inner * inner.T))
    if mean <= _SMALLEST_SHARE or spread <= _SMALLEST_SHARE**2:
        raise DegenerateInputError(
            "the regressors leave no residual to estimate the error of the slope from; "
            "widen the window or use fewer lags",
            n_obs=int(scaled.shape[0]),
        )
    return SandwichLaw(bias=mean, degrees_of_freedom=mean * mean / spread)


def small_sample_factor(n_obs: int, n_coefficients: int) -> float:
    """Return n/(n - k), by which Stata and EViews multiply a HAC covariance."""
    return n_obs / (n_obs - n_coefficients)


def automatic_lags(n_obs: int) -> int:
    """Return the Bartlett truncation floor(4 (n/100)^(2/9)).

    Parameters
    ----------
    n_obs : int

    Returns
    -------
    int

    References
    ----------
    Newey, W. and West, K. (1994), Automatic lag selection in covariance matrix estimation,
    Review of Economic Studies 61, section 4 (rule-of-thumb form).

    Examples
    --------
    >>> automatic_lags(252)
    4
    """
    return int(4.0 * (n_obs / 100.0) ** (2.0 / 9.0) + 1e-12)


def resolve_lags(hac_lags: int | str, n_obs: int) -> int:
    """Return the lags asked for, or the automatic ones."""
    if hac_lags == "auto":
        return automatic_lags(n_obs)
    if isinstance(hac_lags, bool) or not isinstance(hac_lags, int) or hac_lags < 0:
        raise InvalidInputError(
            f'hac_lags must be "auto" or an integer of 0 or more, got {hac_lags!r}',
            argument="hac_lags",
        )
    if hac_lags >= n_obs:
        raise InvalidInputError(
            f"hac_lags is {hac_lags} with {n_obs} observations; use fewer lags than observations",
            argument="hac_lags",
        )
    return hac_lags


def student_quantile(confidence_level: float, degrees_of_freedom: int) -> float:
    """Return the two-sided Student t multiplier of a confidence interval."""
    return float(stdtrit(degrees_of_freedom, 0.5 + confidence_level / 2.0))


def durbin_watson(residuals: FloatArray) -> FloatArray:
    """Return the Durbin-Watson statistic of each row, 0 where the residuals vanish."""
    steps = np.diff(residuals, axis=1)
    numerator = np.einsum("pt,pt->p", steps, steps)
    denominator = np.einsum("pt,pt->p", residuals, residuals)
    statistic: FloatArray = np.zeros_like(numerator)
    np.divide(numerator, denominator, out=statistic, where=denominator > 0)
    return statistic


def constant_rows(centered_sum_of_squares: FloatArray, rows: FloatArray) -> BoolArray:
    """Return which rows vary by no more than the rounding of their level."""
    scale = np.abs(rows).max(axis=1, initial=0.0)
    deviation = np.sqrt(centered_sum_of_squares / rows.shape[1])
    constant: BoolArray = deviation <= np.maximum(_CONSTANT * scale, SMALLEST_DEVIATION)
    return constant


def answerable_rows(
    members: IntArray, rows: FloatArray, failures: list[Failure | None], name: str
) -> tuple[IntArray, FloatArray]:
    """Keep the rows of a common sample that can be regressed; record why the others cannot.

    Parameters
    ----------
    members : int64 array of shape (n_rows,)
        Places of the rows in `failures`.
    rows : float64 array of shape (n_rows, n_obs)
    failures : list
        Written to.
    name : str
        Of the argument, for the message.
    """
    absurd = np.abs(rows).max(axis=1) > LARGEST_MAGNITUDE
    safe = np.where(absurd[:, np.newaxis], 0.0, rows) if absurd.any() else rows
    centered = safe - safe.mean(axis=1, keepdims=True)
    still = constant_rows(np.einsum("pt,pt->p", centered, centered), safe) & ~absurd
    for member in members[still]:
        failures[member] = DegenerateInputError(
            f"{name} is constant over the sample, so it has no variance to explain or remove; "
            "check that there is exposure",
            series=name,
            n_obs=rows.shape[1],
            std=0,
        ).failure
    for member in members[absurd]:
        failures[member] = NonFiniteResultError(
            f"{name} holds a magnitude whose squares overflow; returns are decimals", series=name
        ).failure
    keep = ~still & ~absurd
    return (members, rows) if keep.all() else (members[keep], rows[keep])


def common_samples(observed: BoolArray) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield groups of rows that share a sample, with the sample's columns.

    Parameters
    ----------
    observed : bool array of shape (n_series, n_obs)

    Yields
    ------
    rows : int64 array
    columns : int64 array
        Observed in every one of the rows, and no others are.
    """
    complete = observed.all(axis=1)
    if complete.any():
        yield np.flatnonzero(complete), np.arange(observed.shape[1], dtype=np.int64)
    ragged = np.flatnonzero(~complete)
    groups: dict[bytes, list[int]] = {}
    for row, key in zip(ragged, np.packbits(observed[ragged], axis=1), strict=True):
        groups.setdefault(key.tobytes(), []).append(int(row))
    for members in groups.values():
        yield np.array(members, dtype=np.int64), np.flatnonzero(observed[members[0]])
