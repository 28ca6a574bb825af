"""Beta of assets whose market closes at another hour than the benchmark's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from analytics.engine.checks import (
    at_least,
    enough,
    finite,
    masked_rows,
    masked_vector,
    open_unit,
)
from analytics.engine.errors import (
    EngineError,
    InvalidInputError,
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
from analytics.engine.types import BoolArray, Estimate, Failure, FloatArray, IntArray

#: Regular close of the cash market in hours of UTC on the session's own date, standard time.
#: Daylight saving moves a close by an hour and no choice of lags with it.
VENUE_CLOSE_UTC: Mapping[str, float] = MappingProxyType(
    {
        "XNYS": 21.0, "XNAS": 21.0, "ARCX": 21.0, "BATS": 21.0, "XASE": 21.0, "XTSE": 21.0,
        "XMEX": 21.0, "BVMF": 20.0,
        "XLON": 16.5, "XDUB": 16.5, "XLIS": 16.5, "XPAR": 16.5, "XAMS": 16.5, "XBRU": 16.5,
        "XETR": 16.5, "XFRA": 16.5, "XMIL": 16.5, "XMAD": 16.5, "XWBO": 16.5, "XSWX": 16.5,
        "XSTO": 16.5, "XHEL": 16.5, "XCSE": 16.0, "XOSL": 15.5, "XWAR": 16.0, "XTAE": 15.5,
        "XJSE": 15.0, "XBOM": 10.0, "XNSE": 10.0,
        "XSES": 9.0, "XKLS": 9.0, "XBKK": 9.5, "XIDX": 9.0, "XHKG": 8.0, "XSHG": 7.0, "XSHE": 7.0,
        "XTKS": 6.5, "XKRX": 6.5, "XKOS": 6.5, "XTAI": 5.5, "ROCO": 5.5, "XASX": 5.0, "XNZE": 3.75,
    }
)  # fmt: skip

# Closes nearer than this are one close; a fifth of an American session.
_SAME_CLOSE_HOURS = 1.25


@dataclass(frozen=True, slots=True)
class ClosingLags:
    """Which sessions of a benchmark an asset's daily return can answer to.

    Attributes
    ----------
    lags, leads : int
        Earlier and later benchmark sessions to regress on beside the same one.
    hours_before_benchmark : float
        Of the asset's close; negative if it closes later.
    same_session_share : float
        Part of the asset's 24 hours from close to close that lies within the benchmark's of the
        same date, 0 to 1.
    """

    lags: int
    leads: int
    hours_before_benchmark: float
    same_session_share: float


def closing_lags(venue: str, benchmark_venue: str) -> ClosingLags:
    """Choose the lags of a Dimson beta from the closing hours of two markets.

    Parameters
    ----------
    venue, benchmark_venue : str
        Market identifier codes (ISO 10383), such as XTAI and XNYS.

    Returns
    -------
    ClosingLags
        The same venue or the same closing hour: no lag, no lead. An asset that closes earlier
        (Asia or Europe against an American index): one lag, because what the benchmark did after
        that close shows in the asset a session later. One that closes later: one lead.

    Raises
    ------
    InvalidInputError
        If a venue is not in `VENUE_CLOSE_UTC`.

    Notes
    -----
    More lags or leads than can matter add variance and no information.

    Examples
    --------
    >>> [closing_lags(venue, "XNYS").lags for venue in ("XTAI", "XETR", "XNAS")]
    [1, 1, 0]
    """
    close = _close(venue, "venue")
    benchmark_close = _close(benchmark_venue, "benchmark_venue")
    hours = benchmark_close - close
    apart = 0.0 if venue == benchmark_venue else abs(hours)
    separate = apart >= _SAME_CLOSE_HOURS
    return ClosingLags(
        lags=int(separate and hours > 0),
        leads=int(separate and hours < 0),
        hours_before_benchmark=hours,
        same_session_share=1.0 - apart / 24.0,
    )


def _close(venue: str, name: str) -> float:
    if venue not in VENUE_CLOSE_UTC:
        raise InvalidInputError(
            f"{name} {venue!r} has no known closing hour; give lags and leads yourself, or one of "
            f"{', '.join(sorted(VENUE_CLOSE_UTC))}",
            argument=name,
        )
    return VENUE_CLOSE_UTC[venue]


@dataclass(frozen=True, slots=True)
class AsynchronousSlopes:
    """Population slopes of an asset that takes in news late; see `asynchronous_slopes`."""

    same_session: float
    next_session: float
    dimson: float


def asynchronous_slopes(beta: float, same_session_share: float) -> AsynchronousSlopes:
    """Slopes that least squares finds when part of the news arrives a session late.

    Parameters
    ----------
    beta : float
        True slope.
    same_session_share : float
        theta, part of the benchmark's move that the asset shows on the same session, 0 to 1.

    Returns
    -------
    AsynchronousSlopes
        On the same session theta beta, on the next (1 - theta) beta; their sum is beta.

    Notes
    -----
    ``r_t = beta (theta x_t + (1 - theta) x_{t-1}) + e_t`` with x independent over time.

    Examples
    --------
    >>> asynchronous_slopes(1.5, 0.5).same_session
    0.75
    """
    finite(beta, "beta")
    if not 0.0 <= same_session_share <= 1.0:
        raise InvalidInputError(
            f"same_session_share must lie between 0 and 1, got {same_session_share}",
            argument="same_session_share",
        )
    same, late = same_session_share * beta, (1.0 - same_session_share) * beta
    return AsynchronousSlopes(same_session=same, next_session=late, dimson=same + late)


@dataclass(frozen=True, slots=True)
class DimsonBeta:
    """Summed beta of one portfolio; see `DimsonBatch`."""

    beta: Estimate
    ols_standard_error: float
    alpha: float
    slopes: tuple[float, ...]
    same_session_beta: float
    r_squared: float
    n_obs: int
    hac_lags: int
    lags: int
    leads: int


@dataclass(frozen=True, slots=True, eq=False)
class DimsonBatch:
    """Betas summed over neighboring sessions of the benchmark.

    Arrays have shape (n_portfolios,) unless said; where `failures` has a record they hold the
    placeholder 0, which is not a value.

    Attributes
    ----------
    beta : float64 array
        Sum of the slopes.
    ols_standard_error, hac_standard_error : float64 array
        Of the sum, covariances of the slopes included.
    ci_low, ci_high : float64 array
    alpha, r_squared : float64 array
    slopes : float64 array of shape (n_portfolios, lags + 1 + leads)
        On the benchmark of the earliest session (largest lag) to that of the latest (lead).
    same_session_beta : float64 array
        Univariate slope on the same session: what ignoring the hours would give.
    n_obs, hac_lags : int64 array
    lags, leads : int
    failures : tuple of Failure or None
    """

    beta: FloatArray
    ols_standard_error: FloatArray
    hac_standard_error: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    alpha: FloatArray
    r_squared: FloatArray
    slopes: FloatArray
    same_session_beta: FloatArray
    n_obs: IntArray
    hac_lags: IntArray
    lags: int
    leads: int
    failures: tuple[Failure | None, ...]

    @property
    def ok(self) -> BoolArray:
        """Return which portfolios have an answer."""
        return np.array([failure is None for failure in self.failures], dtype=np.bool_)

    def at(self, index: int) -> DimsonBeta:
        """Return one portfolio's summed beta, or raise its failure."""
        raise_failure(self.failures[index])
        return DimsonBeta(
            beta=Estimate(
                float(self.beta[index]),
                float(self.hac_standard_error[index]),
                float(self.ci_low[index]),
                float(self.ci_high[index]),
            ),
            ols_standard_error=float(self.ols_standard_error[index]),
            alpha=float(self.alpha[index]),
            slopes=tuple(float(slope) for slope in self.slopes[index]),
            same_session_beta=float(self.same_session_beta[index]),
            r_squared=float(self.r_squared[index]),
            n_obs=int(self.n_obs[index]),
            hac_lags=int(self.hac_lags[index]),
            lags=self.lags,
            leads=self.leads,
        )


def dimson_beta(
    portfolio_returns: FloatArray,
    benchmark_returns: FloatArray,
    *,
    lags: int,
    leads: int,
    hac_lags: int | str = "auto",
    min_obs: int = 60,
    confidence_level: float = 0.95,
) -> DimsonBatch:
    """Sum the slopes on earlier, same and later sessions of the benchmark.

    Parameters
    ----------
    portfolio_returns : float64 array of shape (n_portfolios, n_obs) or (n_obs,)
        Simple daily returns as decimals, oldest first; NaN marks a missing session.
    benchmark_returns : float64 array of shape (n_obs,)
        Likewise, on the same sessions.
    lags, leads : int
        How many earlier and later sessions of the benchmark; `closing_lags` chooses them. The
        first `lags` and last `leads` sessions have no full set of regressors and are left out.
    hac_lags : int or "auto"
    min_obs : int
        Fewest sessions with a portfolio return and every regressor, at least lags + leads + 3.
    confidence_level : float

    Returns
    -------
    DimsonBatch

    Raises
    ------
    InvalidInputError
        If shapes disagree, a return is infinite, or a parameter is out of range.

    Notes
    -----
    ``r_t = a + sum_{k=-lags..leads} b_k x_{t+k} + e_t`` in one regression; beta = sum b_k with
    variance 1'V1: OLS, and HAC with the factor n/(n - k). The sum is consistent whatever the
    benchmark's serial correlation as long as the benchmark trades at its close; the weights of
    Fowler and Rorke (1983) are for one that is observed late as well.

    References
    ----------
    Dimson, E. (1979), Risk measurement when shares are subject to infrequent trading, Journal of
    Financial Economics 7, eq. 15. Fowler, D. and Rorke, H. (1983), Journal of Financial Economics
    12.
    """
    rows = masked_rows(portfolio_returns, "portfolio_returns")
    x_all = masked_vector(benchmark_returns, "benchmark_returns", length=rows.shape[1])
    at_least(lags, 0, "lags")
    at_least(leads, 0, "leads")
    at_least(min_obs, lags + leads + 3, "min_obs")
    open_unit(confidence_level, "confidence_level")
    resolve_lags(hac_lags, max(rows.shape[1], min_obs))
    n_rows = rows.shape[0]
    shifted = neighboring_sessions(x_all, lags, leads)
    served = np.zeros((8, n_rows))
    slopes = np.zeros((n_rows, lags + leads + 1))
    counts = np.zeros((2, n_rows), dtype=np.int64)
    failures: list[Failure | None] = [None] * n_rows
    for members, columns in common_samples(~np.isnan(rows) & ~np.isnan(shifted).any(axis=1)):
        counts[0, members] = columns.size
        try:
            enough(columns.size, min_obs, "the common sample of portfolio and shifted benchmark")
            factor = design(shifted[columns])
            same = design(shifted[columns, lags : lags + 1])
            group_lags = resolve_lags(hac_lags, columns.size)
            summed = factor.influence[1:].sum(axis=0)
            law = sandwich_law(summed, factor.basis, group_lags)
        except EngineError as error:
            for member in members:
                failures[member] = error.failure
            continue
        answered, y = answerable_rows(
            members, rows[np.ix_(members, columns)], failures, "portfolio_returns"
        )
        fit = least_squares(factor, y)
        beta = fit.coefficients[:, 1:].sum(axis=1)
        small_sample = small_sample_factor(columns.size, factor.n_coefficients)
        hac = np.sqrt(bartlett_variance(fit.residuals * summed, group_lags) * small_sample)
        half_width = law.multiplier(confidence_level, small_sample) * hac
        served[:, answered] = [
            beta,
            fit.residual_standard_deviation * np.sqrt(factor.unscaled_covariance[1:, 1:].sum()),
            hac,
            beta - half_width,
            beta + half_width,
            fit.coefficients[:, 0],
            fit.r_squared,
            least_squares(same, y).coefficients[:, 1],
        ]
        slopes[answered] = fit.coefficients[:, 1:]
        counts[1, answered] = group_lags
    return DimsonBatch(
        beta=served[0],
        ols_standard_error=served[1],
        hac_standard_error=served[2],
        ci_low=served[3],
        ci_high=served[4],
        alpha=served[5],
        r_squared=served[6],
        slopes=slopes,
        same_session_beta=served[7],
        n_obs=counts[0],
        hac_lags=counts[1],
        lags=lags,
        leads=leads,
        failures=tuple(failures),
    )


def neighboring_sessions(x: FloatArray, lags: int, leads: int) -> FloatArray:
    """Return the benchmark of each neighboring session, shape (n_obs, lags + 1 + leads)."""
    padded = np.concatenate([np.full(lags, np.nan), x, np.full(leads, np.nan)])
    windows: FloatArray = np.lib.stride_tricks.sliding_window_view(padded, lags + leads + 1)
    return windows
