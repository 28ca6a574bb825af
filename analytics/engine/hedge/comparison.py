"""Hedges of one exposure side by side, all sized to the same dollar delta."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from analytics.engine.checks import at_least, finite_vector, not_negative, positive
from analytics.engine.errors import InvalidInputError
from analytics.engine.hedge.horizon import reset_fund_hedge
from analytics.engine.options import (
    CALENDAR_DAYS_PER_YEAR,
    Greeks,
    OptionTerms,
    option_greeks,
)
from analytics.engine.stress import (
    FundPosition,
    OptionPosition,
    Position,
    choppy_path,
    position_profit,
    smooth_path,
)
from analytics.engine.types import TRADING_DAYS_PER_YEAR, BoolArray, FloatArray

COMPARISON_MOVES = (-0.15, -0.10, -0.05, 0.0, 0.05, 0.10, 0.15)
COMPARISON_HORIZONS = (1, 5, 10)


class IndexPath(StrEnum):
    """How the index gets from its start to its move."""

    SMOOTH = "smooth"
    CHOPPY = "choppy"


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeInstrument:
    """A way to hedge, of any size: `compare_hedges` sizes it.

    Attributes
    ----------
    name : str
    legs : tuple of FundPosition or OptionPosition
        In the proportions held; together they must lose when the index rises.
    annual_cost : float
        Carry, fees and borrow, decimal of the gross value of its funds a year.
    """

    name: str
    legs: tuple[Position, ...]
    annual_cost: float = 0.0


def standard_hedges(
    spot: float,
    volatility: float,
    years: float,
    *,
    rate: float,
    dividend_yield: float = 0.0,
    put_strike: float = 0.96,
    lower_strike: float = 0.86,
    call_strike: float = 1.06,
) -> tuple[HedgeInstrument, ...]:
    """Short index fund, inverse funds of -1x and -3x, put, put spread and collar.

    Parameters
    ----------
    spot : float
        Of the fund on the index that the options are on.
    volatility : float
        Implied, annual, decimal; one for all strikes (give legs of their own for a skew).
    years : float
        To expiry of the options, actual days over 365.
    rate, dividend_yield : float
        Continuously compounded, decimal a year.
    put_strike, lower_strike, call_strike : float
        Over spot: the put bought, the put sold under it in the spread, the call sold in the collar.

    Returns
    -------
    tuple of HedgeInstrument
        Named short, bear1x, bear3x, put, put_spread and collar.
    """
    positive(spot, "spot")
    if not 0.0 < lower_strike < put_strike < call_strike:
        raise InvalidInputError(
            "lower_strike, put_strike and call_strike must increase", argument="lower_strike"
        )

    def option(strike: float, quantity: float, *, is_call: bool) -> OptionPosition:
        terms = OptionTerms(
            spot=spot,
            strike=strike * spot,
            years=years,
            rate=rate,
            dividend_yield=dividend_yield,
            is_call=is_call,
        )
        return OptionPosition(quantity=quantity, terms=terms, volatility=volatility)

    put = option(put_strike, 1.0, is_call=False)
    return (
        HedgeInstrument(name="short", legs=(FundPosition(value=-1.0),)),
        HedgeInstrument(name="bear1x", legs=(FundPosition(value=1.0, multiple=-1.0),)),
        HedgeInstrument(name="bear3x", legs=(FundPosition(value=1.0, multiple=-3.0),)),
        HedgeInstrument(name="put", legs=(put,)),
        HedgeInstrument(name="put_spread", legs=(put, option(lower_strike, -1.0, is_call=False))),
        HedgeInstrument(name="collar", legs=(put, option(call_strike, -1.0, is_call=True))),
    )


@dataclass(frozen=True, slots=True, eq=False)
class ComparedHedge:
    """One hedge at the common delta; money in the currency of the notional, costs positive.

    Attributes
    ----------
    name : str
    legs : tuple of FundPosition or OptionPosition
        As sized: dollars of funds, shares of the underlying under options (contracts times
        contract multiplier).
    premium : float
        Paid for options, net; not a cost before the payoff is known.
    capital : float
        Cash for long funds and premium, and margin for short funds. Calls sold are covered by the
        hedged item, puts sold by those bought.
    theta_per_day : float
        Of its options, a calendar day.
    gamma : float
        Change of dollar delta of its options when the index moves by 1 %.
    reset_variance_cost_per_day : float
        Lost by daily resetting in a session of average volatility that leads nowhere.
    reset_gamma : float
        Change of dollar delta by daily resetting when the index moves by 1 % over days.
    worst_case_loss : float or None
        Held to the options' expiry; None if it has no bound.
    carry_cost : float64 array of shape (n_horizons,)
        Carry, fees and borrow to the horizon; not in `profit`.
    break_even_move : tuple of float or None, one a horizon
        Index move, smoothly reached, from which on downward the hedge gains; None if it gains
        nowhere between -95 % and +400 %.
    flat_cost : float64 array of shape (n_paths, n_horizons)
        Lost when the index ends where it began.
    profit : float64 array of shape (n_paths, n_horizons, n_moves)
    coverage : float64 array of shape (n_paths, n_horizons, n_moves)
        Profit over the item's loss, 1 is a full offset; the placeholder 0 where the move is 0.
    wiped_out : bool array of shape (n_paths, n_horizons, n_moves)
        Whether a fund in it is lost on the way.
    effectiveness : float64 array of shape (n_horizons,)
        Share of the item's variance it removes over the horizon, see `compare_hedges`.
    """

    name: str
    legs: tuple[Position, ...]
    premium: float
    capital: float
    theta_per_day: float
    gamma: float
    reset_variance_cost_per_day: float
    reset_gamma: float
    worst_case_loss: float | None
    carry_cost: FloatArray
    break_even_move: tuple[float | None, ...]
    flat_cost: FloatArray
    profit: FloatArray
    coverage: FloatArray
    wiped_out: BoolArray
    effectiveness: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class HedgeComparison:
    """Hedges of one exposure over one grid.

    Attributes
    ----------
    notional : float
        Dollar delta of the long item; every hedge starts with minus that.
    moves : float64 array of shape (n_moves,)
    horizons : tuple of int
        Sessions.
    paths : tuple of IndexPath
    item_profit : float64 array of shape (n_moves,)
    hedges : tuple of ComparedHedge
    """

    notional: float
    moves: FloatArray
    horizons: tuple[int, ...]
    paths: tuple[IndexPath, ...]
    item_profit: FloatArray
    hedges: tuple[ComparedHedge, ...]

    def hedge(self, name: str) -> ComparedHedge:
        """Return the hedge of that name."""
        for hedge in self.hedges:
            if hedge.name == name:
                return hedge
        raise InvalidInputError(f"no hedge named {name!r} was compared", argument="name")


def compare_hedges(
    instruments: Sequence[HedgeInstrument],
    *,
    notional: float,
    annual_volatility: float,
    moves: ArrayLike = COMPARISON_MOVES,
    horizons: Sequence[int] = COMPARISON_HORIZONS,
    volatility_shock: ArrayLike = 0.0,
    calendar_days_per_session: float = 1.0,
    short_margin: float = 0.5,
) -> HedgeComparison:
    """Revalue hedges of equal starting delta over moves, horizons and paths.

    Parameters
    ----------
    instruments : sequence of HedgeInstrument
        For example `standard_hedges`.
    notional : float
        Dollar delta of the long item, positive.
    annual_volatility : float
        Realized volatility of the choppy path and of the law behind `effectiveness`, decimal.
    moves : array_like of shape (n_moves,)
        Index returns to the horizon, decimal, above -1.
    horizons : sequence of int
        Sessions; a fund resets in each.
    volatility_shock : array_like of float, one or one a move
        Added to implied volatilities at the horizon.
    calendar_days_per_session : float
        That pass for options; 365/252 for sessions of a calendar with weekends.
    short_margin : float
        Capital tied up by a short fund, decimal of its value.

    Returns
    -------
    HedgeComparison

    Raises
    ------
    InvalidInputError
        If a hedge has no negative delta to size it by, or a parameter is out of range.

    Notes
    -----
    The smooth path has equal daily returns; the choppy one swings by the volatility of a day above
    and below it, so its realized volatility is `annual_volatility`. Funds are compounded day by
    day, options repriced in full with the time left and the shocked volatility.

    Effectiveness is ``1 - var(item + hedge)/var(item)`` for a driftless lognormal index: by the
    closed form of `reset_fund_hedge` where the hedge is one fund, else by integration over the
    index at the horizon.

    Examples
    --------
    >>> hedges = standard_hedges(250, 0.48, 14 / 365, rate=0.043, dividend_yield=0.004)
    >>> found = compare_hedges(hedges, notional=1e6, annual_volatility=0.48,
    ...                        moves=(-0.15, 0.0, 0.15), horizons=[10])
    >>> [found.hedge(name).profit[0, 0].round().tolist() for name in ("short", "bear3x", "put")]
    [[150000.0, 0.0, -150000.0], [201219.0, 0.0, -116801.0], [290983.0, -45062.0, -63476.0]]
    """
    grid = finite_vector(moves, "moves")
    positive(notional, "notional")
    positive(annual_volatility, "annual_volatility")
    positive(calendar_days_per_session, "calendar_days_per_session")
    not_negative(short_margin, "short_margin")
    for n_days in horizons:
        at_least(n_days, 1, "horizons")
    swing = annual_volatility / np.sqrt(TRADING_DAYS_PER_YEAR)
    walks = {
        (path, n_days): _walks(path, n_days, np.append(grid, 0.0), swing)
        for path in IndexPath
        for n_days in horizons
    }
    shocks = np.append(np.broadcast_to(np.asarray(volatility_shock), grid.shape), 0.0)
    setting = _Setting(notional, annual_volatility, calendar_days_per_session, short_margin, shocks)
    return HedgeComparison(
        notional=float(notional),
        moves=grid,
        horizons=tuple(horizons),
        paths=tuple(IndexPath),
        item_profit=notional * grid,
        hedges=tuple(_compared(one, grid, tuple(horizons), walks, setting) for one in instruments),
    )


@dataclass(frozen=True, slots=True)
class _Setting:
    notional: float
    annual_volatility: float
    calendar_days_per_session: float
    short_margin: float
    shocks: FloatArray


def _walks(path: IndexPath, n_days: int, moves: FloatArray, swing: float) -> FloatArray:
    if path is IndexPath.SMOOTH:
        return np.stack([smooth_path(move, n_days) for move in moves])
    return np.stack([choppy_path(move, n_days, swing) for move in moves])


def _greeks(leg: OptionPosition) -> Greeks:
    return option_greeks(leg.terms, leg.volatility)


def dollar_delta(position: Position) -> float:
    """Change of value per unit return of the index, now."""
    if isinstance(position, FundPosition):
        return position.value * position.multiple
    return position.quantity * _greeks(position).delta * position.terms.spot * position.beta


def sized_legs(legs: Sequence[Position], notional: float) -> tuple[Position, ...]:
    """Scale positions so that together their dollar delta is minus the notional.

    Parameters
    ----------
    legs : sequence of FundPosition or OptionPosition
    notional : float
        Dollar delta of the long item.

    Returns
    -------
    tuple of FundPosition or OptionPosition

    Raises
    ------
    InvalidInputError
        If the legs do not lose when the index rises.
    """
    delta = sum(dollar_delta(leg) for leg in legs)
    if not delta < 0.0:
        raise InvalidInputError(
            f"the legs have a dollar delta of {delta:.6g}; a hedge of a long item needs a negative "
            "one",
            argument="legs",
        )
    scale = notional / -delta
    return tuple(
        replace(leg, value=leg.value * scale)
        if isinstance(leg, FundPosition)
        else replace(leg, quantity=leg.quantity * scale)
        for leg in legs
    )


def _compared(
    instrument: HedgeInstrument,
    moves: FloatArray,
    horizons: tuple[int, ...],
    walks: dict[tuple[IndexPath, int], FloatArray],
    setting: _Setting,
) -> ComparedHedge:
    legs = sized_legs(instrument.legs, setting.notional)
    funds = [leg for leg in legs if isinstance(leg, FundPosition)]
    options = [(leg, _greeks(leg)) for leg in legs if isinstance(leg, OptionPosition)]
    premium = sum(leg.quantity * greeks.price for leg, greeks in options)
    shape = (len(IndexPath), len(horizons), moves.size + 1)
    profit, wiped_out = np.zeros(shape), np.zeros(shape, dtype=np.bool_)
    for row, path in enumerate(IndexPath):
        for column, n_days in enumerate(horizons):
            for leg in legs:
                gained, ruined = position_profit(
                    leg,
                    walks[path, n_days],
                    calendar_days=n_days * setting.calendar_days_per_session,
                    volatility_shock=setting.shocks,
                )
                profit[row, column] += gained
                wiped_out[row, column] |= ruined
    profit, flat = profit[..., :-1], profit[..., -1]
    moved = moves != 0.0
    coverage = np.zeros_like(profit)
    coverage[..., moved] = -profit[..., moved] / (setting.notional * moves[moved])
    excess = [(leg.value * leg.multiple * (leg.multiple - 1.0)) for leg in funds]
    days = np.array(horizons) * setting.calendar_days_per_session
    long_value = sum(max(leg.value, 0.0) for leg in funds)
    short_value = sum(max(-leg.value, 0.0) for leg in funds)
    return ComparedHedge(
        name=instrument.name,
        legs=legs,
        premium=float(premium),
        capital=float(long_value + setting.short_margin * short_value + max(premium, 0.0)),
        theta_per_day=float(sum(leg.quantity * greeks.theta_per_day for leg, greeks in options)),
        gamma=float(
            sum(
                leg.quantity * greeks.gamma * (leg.terms.spot * leg.beta) ** 2 * 0.01
                for leg, greeks in options
            )
        ),
        reset_variance_cost_per_day=float(
            sum(excess) / 2.0 * setting.annual_volatility**2 / TRADING_DAYS_PER_YEAR
        ),
        reset_gamma=float(sum(excess) * 0.01),
        worst_case_loss=_worst_case(funds, [leg for leg, _ in options], float(premium)),
        carry_cost=instrument.annual_cost
        * (long_value + short_value)
        * days
        / CALENDAR_DAYS_PER_YEAR,
        break_even_move=tuple(_break_even(legs, n_days, setting) for n_days in horizons),
        flat_cost=-flat + 0.0,
        profit=profit,
        coverage=coverage,
        wiped_out=wiped_out[..., :-1],
        effectiveness=np.array([_effectiveness(legs, n_days, setting) for n_days in horizons]),
    )


def _break_even(legs: tuple[Position, ...], n_days: int, setting: _Setting) -> float | None:
    def profit(move: float) -> float:
        walk = smooth_path(move, n_days)[np.newaxis, :]
        days = n_days * setting.calendar_days_per_session
        return float(sum(position_profit(leg, walk, calendar_days=days)[0][0] for leg in legs))

    if profit(0.0) == 0.0:
        return 0.0
    # The hedge gains by falling and loses by rising; find the one crossing.
    low, high = -0.95, 4.0
    if profit(low) <= 0.0 or profit(high) >= 0.0:
        return None
    return float(brentq(profit, low, high, xtol=1e-12))


def _worst_case(
    funds: Sequence[FundPosition], options: Sequence[OptionPosition], premium: float
) -> float | None:
    """Largest loss at expiry: payoffs are straight lines between strikes."""
    if any(leg.value < 0.0 for leg in funds):
        return None
    if sum(leg.quantity for leg in options if leg.terms.is_call) < 0.0:
        return None
    spots = np.array([0.0, *(leg.terms.strike for leg in options)])
    payoff = np.zeros_like(spots)
    for leg in options:
        payoff += leg.quantity * np.maximum(leg.terms.sign * (spots - leg.terms.strike), 0.0)
    return float(premium - payoff.min() + sum(leg.value for leg in funds))


# Standard deviations and points of the integration over the index at the horizon.
_REACH, _POINTS = 9.0, 4001


def _effectiveness(legs: tuple[Position, ...], n_days: int, setting: _Setting) -> float:
    if len(legs) == 1 and isinstance(legs[0], FundPosition):
        return reset_fund_hedge(
            legs[0].multiple,
            setting.annual_volatility,
            n_days,
            hedge_notional=legs[0].value / setting.notional,
        ).static_effectiveness
    if any(isinstance(leg, FundPosition) for leg in legs):
        raise InvalidInputError(
            "a hedge of funds and options together has no closed-form effectiveness; compare them "
            "as hedges of their own"
        )
    normal = np.linspace(-_REACH, _REACH, _POINTS)
    density = np.exp(-0.5 * normal**2)
    density /= density.sum()
    deviation = setting.annual_volatility * np.sqrt(n_days / TRADING_DAYS_PER_YEAR)
    index = np.expm1(deviation * normal - deviation**2 / 2.0)
    days = n_days * setting.calendar_days_per_session
    hedge = sum(
        (position_profit(leg, index[:, np.newaxis], calendar_days=days)[0] for leg in legs),
        np.zeros(_POINTS),
    )
    item = setting.notional * index
    net = item + hedge
    return float(
        1.0
        - (density @ net**2 - (density @ net) ** 2) / (density @ item**2 - (density @ item) ** 2)
    )
