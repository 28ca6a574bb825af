"""The hedge ratio that minimizes variance, for a batch of items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.engine.checks import at_least, enough, masked_rows, masked_vector, open_unit
from analytics.engine.errors import EngineError, error_from
from analytics.engine.hedge.interval import reduction_intervals
from analytics.engine.hedge.samples import in_parts
from analytics.engine.regression import (
    answerable_rows,
    common_samples,
    design,
    least_squares,
    resolve_lags,
)
from analytics.engine.types import BoolArray, Estimate, Failure, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class HedgeEstimate:
    """Minimum-variance hedge of one portfolio; see `HedgeBatch`."""

    hedge_ratio: Estimate
    hedge_notional: float
    ols_standard_error: float
    effectiveness: Estimate
    n_obs: int
    hac_lags: int


@dataclass(frozen=True, slots=True, eq=False)
class HedgeBatch:
    """Minimum-variance hedges of a batch of portfolios with one instrument.

    Arrays have shape (n_portfolios,); where `failures` has a record they hold the placeholder 0.

    Attributes
    ----------
    hedge_ratio : float64 array
        cov/var, positive when a long item is hedged by a short.
    hedge_notional : float64 array
        -hedge_ratio: the holding to take.
    ols_standard_error, hac_standard_error, ci_low, ci_high : float64 array
        Of hedge_ratio; the interval is that of `semiconductor_beta`.
    effectiveness : float64 array
        Variance removed at the minimum-variance holding, rho^2.
    effectiveness_standard_error, effectiveness_ci_low, effectiveness_ci_high : float64 array
        As in `variance_reduction`.
    n_obs, hac_lags : int64 array
    failures : tuple of Failure or None
    """

    hedge_ratio: FloatArray
    hedge_notional: FloatArray
    ols_standard_error: FloatArray
    hac_standard_error: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    effectiveness: FloatArray
    effectiveness_standard_error: FloatArray
    effectiveness_ci_low: FloatArray
    effectiveness_ci_high: FloatArray
    n_obs: IntArray
    hac_lags: IntArray
    failures: tuple[Failure | None, ...]

    @property
    def ok(self) -> BoolArray:
        """Return which portfolios have an answer."""
        return np.array([failure is None for failure in self.failures], dtype=np.bool_)

    def at(self, index: int) -> HedgeEstimate:
        """Return one portfolio's hedge, or raise its failure."""
        failure = self.failures[index]
        if failure is not None:
            raise error_from(failure)
        return HedgeEstimate(
            hedge_ratio=Estimate(
                float(self.hedge_ratio[index]),
                float(self.hac_standard_error[index]),
                float(self.ci_low[index]),
                float(self.ci_high[index]),
            ),
            hedge_notional=float(self.hedge_notional[index]),
            ols_standard_error=float(self.ols_standard_error[index]),
            effectiveness=Estimate(
                float(self.effectiveness[index]),
                float(self.effectiveness_standard_error[index]),
                float(self.effectiveness_ci_low[index]),
                float(self.effectiveness_ci_high[index]),
            ),
            n_obs=int(self.n_obs[index]),
            hac_lags=int(self.hac_lags[index]),
        )


_HEDGE_FLOATS = (
    "hedge_ratio",
    "hedge_notional",
    "ols_standard_error",
    "hac_standard_error",
    "ci_low",
    "ci_high",
    "effectiveness",
    "effectiveness_standard_error",
    "effectiveness_ci_low",
    "effectiveness_ci_high",
)


def minimum_variance_hedge(
    item_returns: FloatArray,
    hedge_returns: FloatArray,
    *,
    hac_lags: int | str = "auto",
    min_obs: int = 30,
    confidence_level: float = 0.95,
) -> HedgeBatch:
    """Hedge ratio that minimizes variance, for a batch of items and one instrument.

    Parameters
    ----------
    item_returns : float64 array of shape (n_portfolios, n_obs) or (n_obs,)
        Simple returns or price changes, oldest first; NaN marks a missing session.
    hedge_returns : float64 array of shape (n_obs,)
        Of the hedging instrument, on the same sessions and in the same unit.
    hac_lags : int or "auto"
    min_obs : int
        Fewest common observations, at least 3.
    confidence_level : float

    Returns
    -------
    HedgeBatch

    Raises
    ------
    InvalidInputError
        If shapes disagree, a return is infinite or a parameter is out of range.

    Notes
    -----
    ``h* = cov(s, f)/var(f)``, the slope of s on f; HE(h*) = rho^2. The interval of h* is that of
    any slope here: HAC error, Student t with the effective degrees of freedom of that error
    (`regression.sandwich_law`).

    References
    ----------
    Johnson, L. (1960), Review of Economic Studies 27; Ederington, L. (1979), Journal of Finance 34.
    """
    rows = masked_rows(item_returns, "item_returns")
    hedge = masked_vector(hedge_returns, "hedge_returns", length=rows.shape[1])
    open_unit(confidence_level, "confidence_level")
    at_least(min_obs, 3, "min_obs")
    resolve_lags(hac_lags, max(rows.shape[1], min_obs))
    n_rows = rows.shape[0]
    floats = {name: np.zeros(n_rows) for name in _HEDGE_FLOATS}
    n_obs = np.zeros(n_rows, dtype=np.int64)
    lags = np.zeros(n_rows, dtype=np.int64)
    failures: list[Failure | None] = [None] * n_rows
    for members, columns in common_samples(~np.isnan(rows) & ~np.isnan(hedge)):
        n_obs[members] = columns.size
        instrument = hedge[columns]
        try:
            enough(columns.size, min_obs, "the common sample of item and hedge")
            factor = design(instrument[:, np.newaxis])
            group_lags = resolve_lags(hac_lags, columns.size)
            law = factor.law(1, group_lags)
        except EngineError as error:
            for member in members:
                failures[member] = error.failure
            continue
        for part in in_parts(members):
            answered, varying = answerable_rows(
                part, rows[np.ix_(part, columns)], failures, "item_returns"
            )
            if not answered.size:
                continue
            fit = least_squares(factor, varying)
            slope = fit.coefficients[:, 1]
            hac = fit.hac_interval(1, group_lags, confidence_level, law)
            reduction = reduction_intervals(
                varying, fit.residuals, confidence_level, fitted_on=instrument
            )
            lags[answered] = group_lags
            for name, values in zip(
                _HEDGE_FLOATS,
                (
                    slope,
                    -slope,
                    fit.standard_errors[:, 1],
                    *hac,
                    *reduction,
                ),
                strict=True,
            ):
                floats[name][answered] = values
    return HedgeBatch(**floats, n_obs=n_obs, hac_lags=lags, failures=tuple(failures))
