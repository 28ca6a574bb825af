"""What a reset fund may return ahead, from resampled stretches of its index's past."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from analytics.engine.bootstrap import optimal_block_length, stationary_growth
from analytics.engine.checks import (
    at_least,
    enough,
    finite_array,
    finite_result,
    finite_vector,
    open_unit,
    returns_above_ruin,
)
from analytics.engine.errors import DegenerateInputError, InvalidInputError
from analytics.engine.leverage.laws import break_even_index_return
from analytics.engine.types import TRADING_DAYS_PER_YEAR, BoolArray, Estimate, FloatArray

HORIZONS = (5, 15, 21, 63)
QUANTILE_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
# Log growth of a wiped-out fund: far below any that recovers, small enough to add up exactly.
_RUIN = -800.0
# Groups of the interval for the expected drag: as many as stay apart by this many block lengths.
_FEWEST_GROUPS, _MOST_GROUPS, _BLOCKS_PER_GROUP = 3, 8, 40


@dataclass(frozen=True, slots=True)
class ForwardDistribution:
    """Distribution of one fund's return over one horizon; see `ForwardBatch`."""

    horizon_days: int
    mean_return: float
    median_return: float
    quantile_returns: tuple[float, ...]
    interval_low: float
    interval_high: float
    expected_shortfall: float
    probability_of_loss: float
    probability_worse_than_static: float
    probability_of_ruin: float
    mean_drag: float
    median_drag: float
    drag_low: float
    drag_high: float
    monte_carlo_standard_error: float


@dataclass(frozen=True, slots=True, eq=False)
class ForwardBatch:
    """Distributions of the returns of reset funds, each of shape (n_funds, n_horizons).

    Attributes
    ----------
    horizons : tuple of int
        Days.
    mean_return, median_return : float64 array
        Decimals; they differ by the volatility drag, so both are given.
    quantile_returns : float64 array of shape (n_funds, n_horizons, n_levels)
        At `quantile_levels`.
    interval_low, interval_high : float64 array
        Predictive interval of the fund's return at `confidence_level`: where the return of the
        coming stretch falls with that probability.
    expected_shortfall : float64 array
        Mean loss of the worst 1 - `tail_level` of the paths, a loss positive.
    probability_of_loss : float64 array
    probability_worse_than_static : float64 array
        That the fund returns less than its multiple of the index's return.
    probability_of_ruin : float64 array
        Share of paths with a day that wipes the fund out; it ends at -100 %.
    mean_drag, median_drag, drag_low, drag_high : float64 array
        Of the fund's return less its multiple of the index's; predictive like the interval.
    monte_carlo_standard_error : float64 array
        Of the mean return, from the number of paths.
    mean_block : float
        Days.
    n_paths, n_obs, seed : int
    """

    horizons: tuple[int, ...]
    mean_return: FloatArray
    median_return: FloatArray
    quantile_returns: FloatArray
    interval_low: FloatArray
    interval_high: FloatArray
    expected_shortfall: FloatArray
    probability_of_loss: FloatArray
    probability_worse_than_static: FloatArray
    probability_of_ruin: FloatArray
    mean_drag: FloatArray
    median_drag: FloatArray
    drag_low: FloatArray
    drag_high: FloatArray
    monte_carlo_standard_error: FloatArray
    quantile_levels: tuple[float, ...]
    confidence_level: float
    tail_level: float
    mean_block: float
    n_paths: int
    n_obs: int
    seed: int

    def at(self, fund: int, horizon: int) -> ForwardDistribution:
        """Return the distribution of a fund over the horizon in that row of `horizons`."""
        cell = (fund, horizon)
        return ForwardDistribution(
            horizon_days=self.horizons[horizon],
            mean_return=float(self.mean_return[cell]),
            median_return=float(self.median_return[cell]),
            quantile_returns=tuple(float(value) for value in self.quantile_returns[cell]),
            interval_low=float(self.interval_low[cell]),
            interval_high=float(self.interval_high[cell]),
            expected_shortfall=float(self.expected_shortfall[cell]),
            probability_of_loss=float(self.probability_of_loss[cell]),
            probability_worse_than_static=float(self.probability_worse_than_static[cell]),
            probability_of_ruin=float(self.probability_of_ruin[cell]),
            mean_drag=float(self.mean_drag[cell]),
            median_drag=float(self.median_drag[cell]),
            drag_low=float(self.drag_low[cell]),
            drag_high=float(self.drag_high[cell]),
            monte_carlo_standard_error=float(self.monte_carlo_standard_error[cell]),
        )


def forward_block_length(index_returns: FloatArray, longest_horizon: int) -> float:
    """Mean block for paths of a reset fund.

    Parameters
    ----------
    index_returns : float64 array of shape (n_obs,)
    longest_horizon : int
        Days.

    Returns
    -------
    float
        Days: the larger of the automatic lengths of returns and of their squares and half the
        horizon, at most a twelfth of the sample.

    Notes
    -----
    Trend and chop live in serial correlation, their price in the clustering of squares; shorter
    blocks would resample both away.
    """
    returns = finite_vector(index_returns, "index_returns")
    wanted = max(
        optimal_block_length(returns).stationary,
        optimal_block_length(returns**2).stationary,
        at_least(longest_horizon, 1, "longest_horizon") / 2.0,
        1.0,
    )
    return float(max(min(wanted, returns.shape[0] / 12.0), 1.0))


def forward_distribution(
    index_returns: FloatArray,
    multiples: FloatArray | Sequence[float],
    *,
    horizons: Sequence[int] = HORIZONS,
    daily_carry: FloatArray | float = 0.0,
    quantile_levels: Sequence[float] = QUANTILE_LEVELS,
    confidence_level: float = 0.95,
    tail_level: float = 0.95,
    mean_block: float | None = None,
    n_paths: int = 20_000,
    seed: int = 0,
    threads: int = 1,
    min_obs: int = 252,
) -> ForwardBatch:
    """Distribution of funds' returns ahead by stationary block bootstrap.

    Parameters
    ----------
    index_returns : float64 array of shape (n_obs,) or (n_funds, n_obs)
        Simple daily total returns as decimals of the common index, or of each fund's own index on
        common sessions; oldest first, no gaps.
    multiples : float64 array of shape (n_funds,)
    horizons : sequence of int
        Trading days, increasing.
    daily_carry : float or float64 array of shape (n_funds,)
        Financing less fees of each fund, decimal a day.
    quantile_levels : sequence of float
    confidence_level : float
        Of the predictive intervals.
    tail_level : float
        Of the expected shortfall.
    mean_block : float, optional
        Days; by default `forward_block_length` of the first index.
    n_paths, seed, threads : int
    min_obs : int

    Returns
    -------
    ForwardBatch

    Raises
    ------
    InsufficientDataError
        With fewer than `min_obs` observations, or fewer than four of the longest horizon.
    DegenerateInputError
        If an index does not move.

    Notes
    -----
    Every fund lives through the same resampled days, so differences between funds are free of
    sampling noise. A path's growth is ``prod(1 + m r + carry)``; quantiles are order statistics
    ``ceil(n q)``. The index's past drift is part of the past that is resampled.

    A sample of n days holds few horizons of H days, which quantiles of resampled paths ignore. The
    predictive intervals allow for it: their distances from the median, of log growth for the return
    and of the drag itself, are stretched by ``t/z sqrt(1 + H/n)``, Student's quantile with
    n/H - 1 degrees of freedom over the normal one, as for the next of n/H observations.

    References
    ----------
    Politis, D. and Romano, J. (1994), Journal of the American Statistical Association 89.

    Examples
    --------
    >>> days = np.random.default_rng(5).normal(0.0, 0.025, 750)
    >>> ahead = forward_distribution(days, [3.0, -3.0], horizons=[21], n_paths=2000, seed=1)
    >>> bool(ahead.median_return[1, 0] < ahead.mean_return[1, 0])
    True
    """
    m = finite_vector(np.asarray(multiples, dtype=np.float64), "multiples")
    index = np.atleast_2d(finite_array(index_returns, "index_returns"))
    returns_above_ruin(index, "index_returns")
    if index.shape[0] not in {1, m.shape[0]}:
        raise InvalidInputError(
            f"index_returns has {index.shape[0]} rows where 1 or {m.shape[0]} are needed",
            argument="index_returns",
        )
    n_obs = index.shape[1]
    days = tuple(at_least(day, 1, "horizons") for day in horizons)
    enough(n_obs, max(min_obs, 4 * max(days, default=1), 30), "index_returns")
    if (index.std(axis=1) <= 1e-13 * np.abs(index).max(axis=1)).any():
        raise DegenerateInputError(
            "index_returns is constant", series="index_returns", n_obs=n_obs, std=0
        )
    carry = np.broadcast_to(
        finite_array(np.asarray(daily_carry, dtype=np.float64), "daily_carry"), m.shape
    )
    levels = tuple(open_unit(level, "quantile_levels") for level in quantile_levels)
    open_unit(confidence_level, "confidence_level")
    open_unit(tail_level, "tail_level")
    block = forward_block_length(index[0], max(days)) if mean_block is None else mean_block
    growth, ruinous = _log_growth(index, m, carry)
    sums = stationary_growth(
        np.vstack([np.log1p(index), growth]),
        days,
        mean_block=block,
        n_paths=n_paths,
        seed=seed,
        threads=threads,
    )
    n_index = index.shape[0]
    with np.errstate(over="ignore"):
        index_paths = np.expm1(sums[:n_index])
        fund_paths = np.expm1(sums[n_index:])
    finite_result(index_paths, "a path of the index")
    finite_result(fund_paths, "a path of the fund")
    ruined = sums[n_index:] < _RUIN / 2.0 if ruinous else np.zeros(fund_paths.shape, dtype=bool)
    return _summary(
        fund_paths,
        fund_paths - m[:, np.newaxis, np.newaxis] * index_paths,
        ruined,
        ForwardTerms(days, levels, confidence_level, tail_level, float(block), n_obs, seed),
    )


@dataclass(frozen=True, slots=True)
class ForwardTerms:
    """What a distribution was asked for."""

    horizons: tuple[int, ...]
    quantile_levels: tuple[float, ...]
    confidence_level: float
    tail_level: float
    mean_block: float
    n_obs: int
    seed: int


def _log_growth(index: FloatArray, m: FloatArray, carry: FloatArray) -> tuple[FloatArray, bool]:
    fund = m[:, np.newaxis] * index + carry[:, np.newaxis]
    gone = fund <= -1.0
    growth = np.log1p(np.where(gone, 0.0, fund))
    growth[gone] = _RUIN
    return growth, bool(gone.any())


def _summary(
    paths: FloatArray, drag: FloatArray, ruined: BoolArray, terms: ForwardTerms
) -> ForwardBatch:
    n_paths = paths.shape[-1]
    outside = (1.0 - terms.confidence_level) / 2.0
    ranks = [_rank(n_paths, level) for level in terms.quantile_levels]
    low, high = _rank(n_paths, outside), _rank(n_paths, 1.0 - outside)
    stretch = _stretch(terms)
    middle, tail = _rank(n_paths, 0.5), _rank(n_paths, 1.0 - terms.tail_level)
    ordered = np.partition(paths, sorted({*ranks, low, high, middle, tail}), axis=-1)
    drags = np.partition(drag, sorted({low, middle, high}), axis=-1)
    growth = _log_of(ordered)
    center = growth[..., middle]
    with np.errstate(over="ignore"):
        interval_low = np.expm1(center + stretch * (growth[..., low] - center))
        interval_high = np.expm1(center + stretch * (growth[..., high] - center))
    finite_result(interval_high, "the interval")
    drag_center = drags[..., middle]
    return ForwardBatch(
        horizons=terms.horizons,
        mean_return=paths.mean(axis=-1),
        median_return=ordered[..., middle],
        quantile_returns=ordered[..., ranks],
        interval_low=interval_low,
        interval_high=interval_high,
        expected_shortfall=-ordered[..., : tail + 1].mean(axis=-1),
        probability_of_loss=(paths < 0.0).mean(axis=-1),
        probability_worse_than_static=(drag < 0.0).mean(axis=-1),
        probability_of_ruin=ruined.mean(axis=-1),
        mean_drag=drag.mean(axis=-1),
        median_drag=drag_center,
        drag_low=drag_center + stretch * (drags[..., low] - drag_center),
        drag_high=drag_center + stretch * (drags[..., high] - drag_center),
        monte_carlo_standard_error=paths.std(axis=-1) / np.sqrt(n_paths),
        quantile_levels=terms.quantile_levels,
        confidence_level=terms.confidence_level,
        tail_level=terms.tail_level,
        mean_block=terms.mean_block,
        n_paths=n_paths,
        n_obs=terms.n_obs,
        seed=terms.seed,
    )


def _stretch(terms: ForwardTerms) -> FloatArray:
    """Widening of the intervals for the number of horizons in the sample, shape (n_horizons,)."""
    inside = terms.n_obs / np.array(terms.horizons, dtype=np.float64)
    level = 0.5 + terms.confidence_level / 2.0
    widening: FloatArray = stdtrit(inside - 1.0, level) / ndtri(level) * np.sqrt(1.0 + 1.0 / inside)
    return widening


def _log_of(returns: FloatArray) -> FloatArray:
    gone = returns <= -1.0
    logs: FloatArray = np.where(gone, _RUIN, np.log1p(np.where(gone, 0.0, returns)))
    return logs


def _rank(count: int, level: float) -> int:
    return max(int(np.ceil(count * level - 1e-9)) - 1, 0)


def expected_log_drag(
    index_returns: FloatArray,
    multiple: float,
    horizon_days: int,
    *,
    confidence_level: float = 0.95,
    min_obs: int = 1_260,
) -> Estimate:
    """Expected log drag over a horizon, with a confidence interval.

    Parameters
    ----------
    index_returns : float64 array of shape (n_obs,)
        Simple daily returns as decimals, oldest first.
    multiple : float
        Neither 0 nor 1, where nothing drags.
    horizon_days : int
    confidence_level : float
    min_obs : int

    Returns
    -------
    Estimate
        Of ``E sum[ln(1 + m r) - m ln(1 + r)]`` over the horizon, negative for a drag. The interval
        is not symmetric and keeps the sign.

    Notes
    -----
    Volatility clusters over months, which errors with a handful of lags miss. The sample is cut
    into q consecutive groups, and Student's t with q - 1 degrees of freedom is applied to the
    logarithms of their mean daily drags, which are close to symmetric; the interval is carried to
    the overall mean. q is 3 to 8, n over 40 automatic block lengths of the squared returns: the
    longer the clusters, the fewer groups are independent. Three years of clustered days cover 90 %
    of the time only, hence the five years asked for.

    References
    ----------
    Ibragimov, R. and Muller, U. (2010), Journal of Business and Economic Statistics 28.
    """
    returns = finite_vector(index_returns, "index_returns")
    returns_above_ruin(returns, "index_returns")
    open_unit(confidence_level, "confidence_level")
    at_least(horizon_days, 1, "horizon_days")
    enough(returns.shape[0], max(min_obs, 30), "index_returns")
    if multiple in {0.0, 1.0}:
        raise DegenerateInputError(
            f"a fund of multiple {multiple} does not drag", multiple=multiple
        )
    fund = multiple * returns
    if (fund <= -1.0).any():
        row = int(np.argmax(fund <= -1.0))
        raise DegenerateInputError(
            f"the move in row {row} wipes the fund out; its expected log drag is infinite", row=row
        )
    daily = np.log1p(fund) - multiple * np.log1p(returns)
    apart = returns.shape[0] / (
        _BLOCKS_PER_GROUP * max(optimal_block_length(returns**2).stationary, 1.0)
    )
    n_groups = int(np.clip(apart, _FEWEST_GROUPS, _MOST_GROUPS))
    means = np.array([group.mean() for group in np.array_split(daily, n_groups)])
    if not ((means < 0).all() or (means > 0).all()) or np.abs(means).min() < 1e-300:
        raise DegenerateInputError(
            "the index stands still for a large part of the window; widen it",
            series="index_returns",
        )
    logs = np.log(np.abs(means))
    spread = float(logs.std(ddof=1)) / float(np.sqrt(n_groups))
    reach = float(stdtrit(n_groups - 1.0, 0.5 + confidence_level / 2.0)) * spread
    value = float(daily.mean()) * horizon_days
    bounds = sorted((value * float(np.exp(-reach)), value * float(np.exp(reach))))
    finite_result(np.array(bounds), "the interval")
    return Estimate(value, abs(value) * spread, bounds[0], bounds[1])


def break_even_returns(
    multiple: float,
    annual_volatility: float,
    *,
    horizons: Sequence[int] = HORIZONS,
    annual_carry: float = 0.0,
    periods_per_year: int = TRADING_DAYS_PER_YEAR,
) -> FloatArray:
    """Index returns at which the fund neither gains nor loses, by horizon.

    Parameters
    ----------
    multiple, annual_volatility, annual_carry : float
    horizons : sequence of int
        Trading days.
    periods_per_year : int

    Returns
    -------
    float64 array of shape (n_horizons,)

    Examples
    --------
    >>> break_even_returns(-3, 0.6).round(4)
    array([-0.0142, -0.042 , -0.0582, -0.1647])
    """
    at_least(periods_per_year, 1, "periods_per_year")
    return np.array(
        [
            break_even_index_return(
                multiple,
                annual_volatility,
                at_least(day, 1, "horizons") / periods_per_year,
                annual_carry=annual_carry,
            )
            for day in horizons
        ]
    )
