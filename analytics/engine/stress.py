"""Stress of funds and options: an instant shock, or a path of days that gets there.

A daily-reset fund is revalued by compounding day by day and cannot lose more than it is worth;
options are repriced in full with the days that pass and a shock to volatility.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analytics.engine.checks import (
    at_least,
    finite,
    finite_array,
    finite_result,
    finite_vector,
    not_negative,
    positive,
    returns_above_ruin,
)
from analytics.engine.errors import InvalidInputError
from analytics.engine.options import (
    CALENDAR_DAYS_PER_YEAR,
    OptionTerms,
    option_batch,
    option_prices,
)
from analytics.engine.types import BoolArray, FloatArray, IntArray


def smooth_path(index_return: float, n_days: int) -> FloatArray:
    """Equal daily returns that compound to a move.

    Parameters
    ----------
    index_return : float
        Over all days, decimal, above -1.
    n_days : int

    Returns
    -------
    float64 array of shape (n_days,)

    Examples
    --------
    >>> path = smooth_path(0.20, 5)
    >>> round(float(np.prod(1 + path) - 1), 12), round(float(path[0]), 4)
    (0.2, 0.0371)
    """
    at_least(n_days, 1, "n_days")
    growth = positive(1.0 + finite(index_return, "index_return"), "1 + index_return")
    return np.full(n_days, np.expm1(np.log(growth) / n_days))


def choppy_path(index_return: float, n_days: int, daily_swing: float) -> FloatArray:
    """Daily returns that swing up and down around the smooth path to the same move.

    Parameters
    ----------
    index_return : float
        Over all days, decimal, above -1.
    n_days : int
    daily_swing : float
        Log return by which days lie above and below the smooth path in turn, for example the
        volatility of a day; the last of an odd number of days has none.

    Returns
    -------
    float64 array of shape (n_days,)
    """
    steady = smooth_path(index_return, n_days)
    swings = np.zeros(n_days)
    paired = n_days - n_days % 2
    swings[:paired:2] = not_negative(daily_swing, "daily_swing")
    swings[1:paired:2] = -daily_swing
    return finite_result((1.0 + steady) * np.exp(swings) - 1.0, "the choppy path")


@dataclass(frozen=True, slots=True, eq=False)
class FundStress:
    """What paths of the index do to a daily-reset fund.

    Attributes
    ----------
    fund_return, index_return : float64 array of shape (n_paths,)
        Over the whole path, decimal; -1 for a fund that is wiped out.
    wiped_out : bool array of shape (n_paths,)
        Whether a day's move takes all of the fund; the return is floored at -1 then.
    wiped_out_day : int64 array of shape (n_paths,)
        Row of that day; -1 where there is none.
    multiple : float
    """

    fund_return: FloatArray
    index_return: FloatArray
    wiped_out: BoolArray
    wiped_out_day: IntArray
    multiple: float


def fund_stress(multiple: float, index_returns: ArrayLike) -> FundStress:
    """Return of a daily-reset fund over stress paths of its index.

    Parameters
    ----------
    multiple : float
        Daily multiple.
    index_returns : array_like of shape (n_paths, n_days) or (n_days,)
        Simple daily returns, decimal; a path of one day is an instant shock.

    Returns
    -------
    FundStress

    Raises
    ------
    InvalidInputError
        If the index itself loses all, or a return is not finite.

    Notes
    -----
    ``prod(1 + m r) - 1``, and -1 as soon as a day has ``1 + m r <= 0``: a fund of limited
    liability is closed at nothing and does not come back.

    Examples
    --------
    >>> shocked = fund_stress(-3, [[0.20], [0.40]])
    >>> shocked.fund_return.round(4).tolist(), shocked.wiped_out.tolist()
    ([-0.6, -1.0], [False, True])
    >>> round(float(fund_stress(-3, smooth_path(0.20, 5)).fund_return[0]), 3)
    -0.446
    """
    returns = finite_array(index_returns, "index_returns")
    paths = returns[np.newaxis, :] if returns.ndim == 1 else returns
    if paths.ndim != 2 or paths.shape[1] == 0:
        raise InvalidInputError(
            f"index_returns must be one or more paths of at least one day, got {returns.shape}",
            argument="index_returns",
        )
    returns_above_ruin(paths, "index_returns")
    growth = 1.0 + finite(multiple, "multiple") * paths
    ruinous = growth <= 0.0
    wiped_out: BoolArray = np.any(ruinous, axis=1)
    with np.errstate(over="ignore"):
        total = np.prod(np.where(ruinous, 0.0, growth), axis=1) - 1.0
        index = np.prod(1.0 + paths, axis=1) - 1.0
    return FundStress(
        fund_return=finite_result(total, "the fund's return"),
        index_return=finite_result(index, "the index's return"),
        wiped_out=wiped_out,
        wiped_out_day=np.where(wiped_out, np.argmax(ruinous, axis=1), -1),
        multiple=float(multiple),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FundPosition:
    """A fund, share or short sale that returns `multiple` times the index every day.

    Attributes
    ----------
    value : float
        Market value, negative when short.
    multiple : float
        Daily multiple of a fund or beta of a share; 1 for a fund that just holds the index.
    """

    value: float
    multiple: float = 1.0

    def __post_init__(self) -> None:
        finite(self.value, "value")
        finite(self.multiple, "multiple")


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionPosition:
    """Options on an underlying that returns `beta` times the index every day.

    Attributes
    ----------
    quantity : float
        Shares of the underlying they are on (contracts times contract multiplier), negative when
        written.
    terms : OptionTerms
    volatility : float
        Implied today, annual, decimal.
    beta : float
    """

    quantity: float
    terms: OptionTerms
    volatility: float
    beta: float = 1.0

    def __post_init__(self) -> None:
        finite(self.quantity, "quantity")
        finite(self.beta, "beta")
        positive(self.volatility, "volatility")


Position = FundPosition | OptionPosition


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scenario:
    """A path of the index with what happens to volatility on the way.

    Attributes
    ----------
    name : str
    index_returns : float64 array of shape (n_days,)
        Simple daily returns, decimal; one day for an instant shock.
    calendar_days : float
        That pass for options; 0 for an instant shock.
    volatility_shock : float
        Added to every implied volatility at the end, 0.10 is ten points.
    """

    name: str
    index_returns: FloatArray
    calendar_days: float = 0.0
    volatility_shock: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class BookStress:
    """Profit and loss of positions under scenarios.

    Attributes
    ----------
    profit : float64 array of shape (n_scenarios, n_positions)
        In the currency of the positions; a loss is negative.
    total : float64 array of shape (n_scenarios,)
    index_return : float64 array of shape (n_scenarios,)
    wiped_out : bool array of shape (n_scenarios, n_positions)
        Funds (and shares) that a day's move takes to nothing.
    names : tuple of str
        Of the scenarios.
    """

    profit: FloatArray
    total: FloatArray
    index_return: FloatArray
    wiped_out: BoolArray
    names: tuple[str, ...]


def book_stress(positions: Sequence[Position], scenarios: Sequence[Scenario]) -> BookStress:
    """Revalue positions in full under scenarios.

    Parameters
    ----------
    positions : sequence of FundPosition or OptionPosition
    scenarios : sequence of Scenario

    Returns
    -------
    BookStress

    Raises
    ------
    InvalidInputError
        If a path is out of range, or a volatility shock takes a volatility below 0.

    Notes
    -----
    Profits of a book are sums of its positions' profits, each revalued by itself: see
    `position_profit`.
    """
    paths = [finite_vector(scenario.index_returns, "index_returns") for scenario in scenarios]
    profit = np.zeros((len(paths), len(positions)))
    wiped_out = np.zeros(profit.shape, dtype=np.bool_)
    index = np.zeros(len(paths))
    for row, (scenario, path) in enumerate(zip(scenarios, paths, strict=True)):
        index[row] = fund_stress(1.0, path).index_return[0]
        for column, position in enumerate(positions):
            profits, ruined = position_profit(
                position,
                path[np.newaxis, :],
                calendar_days=scenario.calendar_days,
                volatility_shock=scenario.volatility_shock,
            )
            profit[row, column], wiped_out[row, column] = profits[0], ruined[0]
    return BookStress(
        profit=profit,
        total=profit.sum(axis=1),
        index_return=index,
        wiped_out=wiped_out,
        names=tuple(scenario.name for scenario in scenarios),
    )


def position_profit(
    position: Position,
    index_returns: FloatArray,
    *,
    calendar_days: float = 0.0,
    volatility_shock: ArrayLike = 0.0,
) -> tuple[FloatArray, BoolArray]:
    """Profit of one position over paths, and which paths wipe its underlying out.

    Parameters
    ----------
    position : FundPosition or OptionPosition
    index_returns : float64 array of shape (n_paths, n_days)
    calendar_days : float
        That pass for options; one that has expired is worth its intrinsic value.
    volatility_shock : array_like of float, shape (n_paths,) or ()
        Added to the implied volatility.

    Returns
    -------
    profit : float64 array of shape (n_paths,)
        A loss is negative. Short positions can lose more than their value.
    wiped_out : bool array of shape (n_paths,)
    """
    if isinstance(position, FundPosition):
        stressed = fund_stress(position.multiple, index_returns)
        return position.value * stressed.fund_return, stressed.wiped_out
    terms = position.terms
    underlying = fund_stress(position.beta, index_returns)
    left = max(terms.years - not_negative(calendar_days, "calendar_days") / _DAYS, 0.0)
    volatility = position.volatility + finite_array(volatility_shock, "volatility_shock")
    if (volatility < 0.0).any():
        raise InvalidInputError(
            f"the shock takes a volatility of {position.volatility} below 0; use a smaller one",
            argument="volatility_shock",
        )

    def value(spot: ArrayLike, years: float, sigma: ArrayLike) -> FloatArray:
        options = option_batch(
            spot=spot,
            strike=terms.strike,
            years=years,
            rate=terms.rate,
            dividend_yield=terms.dividend_yield,
            is_call=terms.is_call,
        )
        return option_prices(options, sigma)

    # An underlying that is worth nothing has no logarithm: its smallest price stands for 0.
    spots = terms.spot * np.maximum(1.0 + underlying.fund_return, _NOTHING)
    profit = value(spots, left, volatility) - value(terms.spot, terms.years, position.volatility)
    return position.quantity * profit, underlying.wiped_out


_DAYS = float(CALENDAR_DAYS_PER_YEAR)
_NOTHING = 1e-12
