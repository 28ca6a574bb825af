"""Effectiveness over holding periods: closed form and non-overlapping blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.engine.checks import at_least, enough, finite, positive, returns_above_ruin
from analytics.engine.errors import DegenerateInputError, InsufficientDataError, InvalidInputError
from analytics.engine.hedge.minimum_variance import minimum_variance_hedge
from analytics.engine.hedge.reduction import variance_reduction
from analytics.engine.hedge.samples import series_pair
from analytics.engine.returns import block_returns
from analytics.engine.types import TRADING_DAYS_PER_YEAR, Estimate, Failure, FloatArray

HORIZONS = (1, 5, 10, 15, 21, 63)


@dataclass(frozen=True, slots=True)
class ResetFundHedge:
    """n-day hedge of an index with a daily-reset fund on it, closed form.

    Attributes
    ----------
    n_days : int
    effectiveness : float
        Largest variance reduction of a static holding, rho_n^2.
    hedge_notional : float
        Dollars of the fund per dollar of index that reach it.
    static_hedge_notional : float
        The holding asked about; -1/multiple (one third for -3x) unless given.
    static_effectiveness : float
        Variance reduction of that holding.
    beta : float
        n-day slope of the fund on the index.
    """

    n_days: int
    effectiveness: float
    hedge_notional: float
    static_hedge_notional: float
    static_effectiveness: float
    beta: float


def reset_fund_hedge(
    multiple: float,
    annual_volatility: float,
    n_days: int,
    *,
    daily_drift: float = 0.0,
    hedge_notional: float | None = None,
    periods_per_year: int = TRADING_DAYS_PER_YEAR,
) -> ResetFundHedge:
    """n-day effectiveness of a static position in a daily-reset fund against its own index.

    Parameters
    ----------
    multiple : float
        Daily multiple, not 0.
    annual_volatility : float
        Of the index, decimal, positive.
    n_days : int
        Trading days held without adjustment.
    daily_drift : float
        Mean daily index return, decimal.
    hedge_notional : float, optional
        Static holding to assess, dollars of fund per dollar of index.
    periods_per_year : int

    Returns
    -------
    ResetFundHedge

    Raises
    ------
    InvalidInputError
        If a parameter is out of range.

    Notes
    -----
    With S and L the n-day gross returns, exact for any independent, identically distributed daily
    return of mean mu and variance v, without tracking error or fees:
    ``cov = (A + m v)^n - A^n``, A = (1 + mu)(1 + m mu);
    ``var S = ((1 + mu)^2 + v)^n - (1 + mu)^2n``;
    ``var L = ((1 + m mu)^2 + m^2 v)^n - (1 + m mu)^2n``.
    Evaluated as B^n expm1(n log1p(d/B)), which keeps the digits that the differences lose.

    Examples
    --------
    >>> round(reset_fund_hedge(-3, 0.6, 15).effectiveness, 4)
    0.8515
    """
    if finite(multiple, "multiple") == 0.0:
        raise InvalidInputError("multiple must not be 0", argument="multiple")
    positive(annual_volatility, "annual_volatility")
    finite(daily_drift, "daily_drift")
    at_least(n_days, 1, "n_days")
    v = annual_volatility**2 / periods_per_year
    growth, fund_growth = 1.0 + daily_drift, 1.0 + multiple * daily_drift
    cross = growth * fund_growth
    if growth <= 0.0 or fund_growth <= 0.0 or cross + multiple * v <= 0.0:
        raise InvalidInputError(
            "volatility or drift is beyond the formula for this multiple; "
            "volatility is annual and drift daily, both decimals",
            argument="annual_volatility",
        )

    def moment(base: float, increment: float) -> float:
        return float(base**n_days * np.expm1(n_days * np.log1p(increment / base)))

    covariance = moment(cross, multiple * v)
    index_variance = moment(growth**2, v)
    fund_variance = moment(fund_growth**2, multiple**2 * v)
    static = -1.0 / multiple if hedge_notional is None else finite(hedge_notional, "hedge_notional")
    return ResetFundHedge(
        n_days=n_days,
        effectiveness=covariance**2 / (index_variance * fund_variance),
        hedge_notional=-covariance / fund_variance,
        static_hedge_notional=static,
        static_effectiveness=-(2.0 * static * covariance + static**2 * fund_variance)
        / index_variance,
        beta=covariance / index_variance,
    )


@dataclass(frozen=True, slots=True)
class BlockHedge:
    """Effectiveness on non-overlapping blocks of one length.

    Attributes
    ----------
    n_days, n_blocks, n_obs : int
        n_obs is the number of days inside the blocks.
    designated : Estimate or None
        Variance reduction of the designated holding; None with a failure.
    best : Estimate or None
        Variance reduction of the block's own minimum-variance holding.
    hedge_notional : float
        Designated holding.
    best_hedge_notional : Estimate or None
    failure : Failure or None
    """

    n_days: int
    n_blocks: int
    n_obs: int
    designated: Estimate | None
    best: Estimate | None
    hedge_notional: float
    best_hedge_notional: Estimate | None
    failure: Failure | None


def horizon_blocks(
    item_returns: FloatArray,
    hedge_returns: FloatArray,
    *,
    hedge_notional: float,
    horizons: Sequence[int] = HORIZONS,
    min_blocks: int = 8,
    confidence_level: float = 0.95,
) -> tuple[BlockHedge, ...]:
    """Measured effectiveness over holding periods, on non-overlapping blocks.

    Parameters
    ----------
    item_returns, hedge_returns : float64 array of shape (n_obs,)
        Simple daily returns as decimals, same sessions, oldest first, no gaps.
    hedge_notional : float
        Designated holding per unit of item at the start of each block, left alone inside it.
    horizons : sequence of int
        Block lengths in trading days.
    min_blocks : int
        Fewer blocks than this are answered by an ``insufficient_data`` failure, at least 4.
    confidence_level : float

    Returns
    -------
    tuple of BlockHedge
        One per horizon. Blocks end at the last observation.

    Notes
    -----
    Blocks do not overlap, so each counts as one observation of `variance_reduction`; overlapping
    windows would repeat their days and need errors with n - 1 lags.
    """
    item, hedge = series_pair(item_returns, hedge_returns, 1)
    returns_above_ruin(item, "item_returns")
    returns_above_ruin(hedge, "hedge_returns")
    finite(hedge_notional, "hedge_notional")
    at_least(min_blocks, 4, "min_blocks")
    results: list[BlockHedge] = []
    for n_days in horizons:
        at_least(n_days, 1, "horizons")
        blocks = block_returns(np.stack([item, hedge]), n_days)
        n_blocks = blocks.shape[1]
        designated = best = best_notional = None
        failure = None
        try:
            enough(n_blocks, min_blocks, f"the sample in blocks of {n_days} days")
            designated = variance_reduction(
                blocks[0],
                blocks[1],
                hedge_notional=hedge_notional,
                min_obs=min_blocks,
                confidence_level=confidence_level,
            ).effectiveness
            fitted = minimum_variance_hedge(
                blocks[0],
                blocks[1],
                hac_lags=0,
                min_obs=min_blocks,
                confidence_level=confidence_level,
            ).at(0)
            best = fitted.effectiveness
            ratio = fitted.hedge_ratio
            best_notional = Estimate(
                -ratio.value, ratio.standard_error, -ratio.ci_high, -ratio.ci_low
            )
        except (InsufficientDataError, DegenerateInputError) as error:
            designated = best = best_notional = None
            failure = error.failure
        results.append(
            BlockHedge(
                n_days=n_days,
                n_blocks=n_blocks,
                n_obs=n_blocks * n_days,
                designated=designated,
                best=best,
                hedge_notional=hedge_notional,
                best_hedge_notional=best_notional,
                failure=failure,
            )
        )
    return tuple(results)
