"""Price indicators exactly as their authors published them, nothing during warm-up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analytics.engine.checks import (
    at_least,
    bounded,
    enough,
    finite_array,
    finite_result,
    masked_rows,
    positive,
    same_shape,
)
from analytics.engine.errors import InvalidInputError
from analytics.engine.types import BoolArray, FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class IndicatorSeries:
    """An indicator through time; the last axis is time, oldest first.

    Attributes
    ----------
    values : float64 array of shape (..., n_obs)
        0 where `defined` is False.
    defined : bool array of shape (n_obs,)
        False during warm-up.
    """

    values: FloatArray
    defined: BoolArray

    def at(self, index: int) -> float | None:
        """Return the value of a single series at a row; None during warm-up."""
        return float(self.values[..., index].item()) if self.defined[index] else None


@dataclass(frozen=True, slots=True, eq=False)
class BollingerBands:
    """Middle, upper and lower band."""

    middle: IndicatorSeries
    upper: IndicatorSeries
    lower: IndicatorSeries


@dataclass(frozen=True, slots=True, eq=False)
class Macd:
    """Moving average convergence and divergence: line, its signal, and the difference."""

    line: IndicatorSeries
    signal: IndicatorSeries
    histogram: IndicatorSeries


def _prices(values: FloatArray, name: str, periods: int, needed: int) -> FloatArray:
    at_least(periods, 1, "periods")
    array = finite_array(values, name)
    if array.ndim not in {1, 2}:
        raise InvalidInputError(
            f"{name} must have one or two dimensions, got shape {array.shape}", argument=name
        )
    enough(array.shape[-1], needed, name)
    return array


def _series(values: FloatArray, first: int) -> IndicatorSeries:
    defined = np.arange(values.shape[-1]) >= first
    values[..., ~defined] = 0.0
    return IndicatorSeries(finite_result(values, "the indicator"), defined)


def _wilder(values: FloatArray, periods: int, first: int) -> FloatArray:
    """Wilder's smoothing of values[first:], seeded with their simple mean."""
    smoothed = np.zeros_like(values)
    seed = first + periods - 1
    smoothed[..., seed] = values[..., first : seed + 1].mean(axis=-1)
    for day in range(seed + 1, values.shape[-1]):
        previous = smoothed[..., day - 1]
        smoothed[..., day] = previous + (values[..., day] - previous) / periods
    return smoothed


def relative_strength_index(close: FloatArray, periods: int = 14) -> IndicatorSeries:
    """Wilder's relative strength index.

    Parameters
    ----------
    close : float64 array of shape (n_obs,) or (n_series, n_obs)
        Oldest first, no gaps.
    periods : int

    Returns
    -------
    IndicatorSeries
        0 to 100; defined from row `periods` on. A series that never falls stands at 100, one that
        does not move at 50.

    Notes
    -----
    ``100 - 100/(1 + gain/loss)``; the first averages are simple means of `periods` changes, then
    Wilder's smoothing, 1/periods. An exponential average seeded with the first change is not RSI.

    References
    ----------
    Wilder, J. (1978), New Concepts in Technical Trading Systems, section VI.
    """
    prices = _prices(close, "close", periods, periods + 1)
    changes = np.diff(prices, axis=-1, prepend=prices[..., :1])
    gain = _wilder(np.maximum(changes, 0.0), periods, 1)
    loss = _wilder(np.maximum(-changes, 0.0), periods, 1)
    moved = gain + loss
    values = 100.0 * np.divide(gain, moved, out=np.full_like(moved, 0.5), where=moved > 0)
    return _series(values, periods)


def average_true_range(
    high: FloatArray, low: FloatArray, close: FloatArray, periods: int = 14
) -> IndicatorSeries:
    """Wilder's average true range.

    Parameters
    ----------
    high, low, close : float64 array of shape (n_obs,) or (n_series, n_obs)
    periods : int

    Returns
    -------
    IndicatorSeries
        In the unit of the prices; defined from row ``periods - 1`` on.

    Raises
    ------
    InvalidInputError
        If a low lies above its high.

    Notes
    -----
    True range is ``max(high - low, abs(high - close'), abs(low - close'))`` with the previous
    close, on the first day high - low; the first average is a simple mean.

    References
    ----------
    Wilder, J. (1978), section III.
    """
    highs = _prices(high, "high", periods, periods)
    lows = _prices(low, "low", periods, periods)
    closes = _prices(close, "close", periods, periods)
    same_shape(highs, lows, "high", "low")
    same_shape(highs, closes, "high", "close")
    if (lows > highs).any():
        raise InvalidInputError(
            "low lies above high; check the columns and the adjustment of the prices",
            argument="low",
        )
    ranges = highs - lows
    before = closes[..., :-1]
    ranges[..., 1:] = np.maximum(
        ranges[..., 1:],
        np.maximum(np.abs(highs[..., 1:] - before), np.abs(lows[..., 1:] - before)),
    )
    return _series(_wilder(ranges, periods, 0), periods - 1)


def simple_moving_average(close: FloatArray, periods: int) -> IndicatorSeries:
    """Mean of the last `periods` values; defined from row ``periods - 1`` on."""
    prices = _prices(close, "close", periods, periods)
    values = np.zeros_like(prices)
    windows = np.lib.stride_tricks.sliding_window_view(prices, periods, axis=-1)
    values[..., periods - 1 :] = windows.mean(axis=-1)
    return _series(values, periods - 1)


def exponential_moving_average(
    close: FloatArray, periods: int, *, seed: str = "sma"
) -> IndicatorSeries:
    """Exponential moving average, alpha 2/(periods + 1).

    Parameters
    ----------
    close : float64 array of shape (n_obs,) or (n_series, n_obs)
    periods : int
    seed : {"sma", "first"}
        Start from the mean of the first `periods` values (StockCharts), or from the first value
        (TradingView); part of the definition.

    Returns
    -------
    IndicatorSeries
        Defined from row ``periods - 1`` on, from row 0 if seeded with the first value.
    """
    if seed not in {"sma", "first"}:
        raise InvalidInputError(f"seed must be 'sma' or 'first', got {seed!r}", argument="seed")
    prices = _prices(close, "close", periods, periods)
    first = periods - 1 if seed == "sma" else 0
    return _series(_exponential(prices, periods, first), first)


def _exponential(values: FloatArray, periods: int, first: int) -> FloatArray:
    average = np.zeros_like(values)
    average[..., first] = (
        values[..., first - periods + 1 : first + 1].mean(axis=-1)
        if first >= periods - 1
        else values[..., first]
    )
    alpha = 2.0 / (periods + 1.0)
    for day in range(first + 1, values.shape[-1]):
        previous = average[..., day - 1]
        average[..., day] = previous + alpha * (values[..., day] - previous)
    return average


def moving_average_convergence_divergence(
    close: FloatArray, fast: int = 12, slow: int = 26, signal: int = 9
) -> Macd:
    """Appel's MACD: fast less slow exponential average, and a signal average of that.

    Parameters
    ----------
    close : float64 array of shape (n_obs,) or (n_series, n_obs)
    fast, slow, signal : int
        Periods; every average is seeded with a simple mean.

    Returns
    -------
    Macd
        The line is defined from row ``slow - 1`` on, signal and histogram ``signal - 1`` later.

    References
    ----------
    Appel, G. (2005), Technical Analysis: Power Tools for Active Investors.
    """
    at_least(fast, 1, "fast")
    at_least(signal, 1, "signal")
    at_least(slow, fast + 1, "slow")
    prices = _prices(close, "close", slow, slow + signal - 1)
    line = _exponential(prices, fast, fast - 1) - _exponential(prices, slow, slow - 1)
    first = slow + signal - 2
    average = np.zeros_like(line)
    average[..., slow - 1 :] = _exponential(line[..., slow - 1 :], signal, signal - 1)
    return Macd(
        line=_series(line.copy(), slow - 1),
        signal=_series(average, first),
        histogram=_series(line - average, first),
    )


def bollinger_bands(close: FloatArray, periods: int = 20, *, width: float = 2.0) -> BollingerBands:
    """Bollinger's bands.

    Parameters
    ----------
    close : float64 array of shape (n_obs,) or (n_series, n_obs)
    periods : int
    width : float
        Standard deviations on each side.

    Returns
    -------
    BollingerBands
        Defined from row ``periods - 1`` on.

    Notes
    -----
    The standard deviation is that of the population (divisor n); the sample's would widen the bands
    of 20 days by 2.6 %.

    References
    ----------
    Bollinger, J. (2001), Bollinger on Bollinger Bands.
    """
    prices = _prices(close, "close", periods, periods)
    windows = np.lib.stride_tricks.sliding_window_view(prices, periods, axis=-1)
    middle = np.zeros_like(prices)
    spread = np.zeros_like(prices)
    middle[..., periods - 1 :] = windows.mean(axis=-1)
    spread[..., periods - 1 :] = positive(width, "width") * windows.std(axis=-1)
    first = periods - 1
    return BollingerBands(
        middle=_series(middle.copy(), first),
        upper=_series(middle + spread, first),
        lower=_series(middle - spread, first),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Breadth:
    """How many members take part, day by day; each array of shape (n_obs,).

    Attributes
    ----------
    share_above_average : float64 array
        Of the members with an average, 0 to 1; 0 where `defined` is False.
    advancers, decliners : float64 array
        Members whose close rose or fell.
    new_highs, new_lows : float64 array
        Members whose close is the highest or lowest of the window.
    n_members : float64 array
        Members with an average on the day.
    defined : bool array
        True where at least `min_members` have one.
    """

    share_above_average: FloatArray
    advancers: FloatArray
    decliners: FloatArray
    new_highs: FloatArray
    new_lows: FloatArray
    n_members: FloatArray
    defined: BoolArray

    def share_at(self, index: int) -> float | None:
        """Return the share above the average on a day; None where it is not defined."""
        return float(self.share_above_average[index]) if self.defined[index] else None


def breadth(
    closes: FloatArray,
    is_member: BoolArray,
    *,
    average_periods: int = 50,
    extreme_periods: int = 252,
    min_members: int = 5,
) -> Breadth:
    """Breadth of an index from the members it had on each day.

    Parameters
    ----------
    closes : float64 array of shape (n_instruments, n_obs)
        Adjusted closes, oldest first; NaN where there is none.
    is_member : bool array of shape (n_instruments, n_obs)
        Membership known on that day. Today's members carried backwards would be survivors only.
    average_periods, extreme_periods : int
    min_members : int

    Returns
    -------
    Breadth

    Notes
    -----
    An instrument's own history counts for its average and extremes from before it joined; the
    instrument counts in the breadth while it is a member.
    """
    prices = bounded(masked_rows(closes, "closes"), "closes")
    member = np.asarray(is_member)
    if member.dtype != np.bool_ or member.shape != prices.shape:
        raise InvalidInputError(
            f"is_member must be booleans of shape {prices.shape}, got {member.dtype} of shape "
            f"{member.shape}",
            argument="is_member",
        )
    at_least(min_members, 1, "min_members")
    for periods, name in (
        (average_periods, "average_periods"),
        (extreme_periods, "extreme_periods"),
    ):
        at_least(periods, 2, name)
    enough(prices.shape[1], average_periods, "closes")
    present = ~np.isnan(prices)
    average, complete = _windowed(prices, average_periods, np.mean)
    counted = member & complete
    n_members = counted.sum(axis=0).astype(np.float64)
    above = (counted & (np.where(present, prices, 0.0) > average)).sum(axis=0)
    defined = n_members >= min_members
    share = np.divide(above, n_members, out=np.zeros_like(n_members), where=defined)
    change = np.zeros_like(prices)
    both = present[:, 1:] & present[:, :-1] & member[:, 1:]
    np.subtract(prices[:, 1:], prices[:, :-1], out=change[:, 1:], where=both)
    highs, has_extreme = _windowed(prices, extreme_periods, np.max)
    lows, _ = _windowed(prices, extreme_periods, np.min)
    extreme = member & has_extreme
    return Breadth(
        share_above_average=share,
        advancers=(change > 0).sum(axis=0).astype(np.float64),
        decliners=(change < 0).sum(axis=0).astype(np.float64),
        new_highs=(extreme & (prices == highs)).sum(axis=0).astype(np.float64),
        new_lows=(extreme & (prices == lows)).sum(axis=0).astype(np.float64),
        n_members=n_members,
        defined=defined,
    )


def _windowed(
    prices: FloatArray, periods: int, statistic: Callable[..., FloatArray]
) -> tuple[FloatArray, BoolArray]:
    """Apply a statistic to complete windows of present prices; 0 elsewhere."""
    values = np.zeros_like(prices)
    complete = np.zeros(prices.shape, dtype=np.bool_)
    if prices.shape[1] < periods:
        return values, complete
    windows = np.lib.stride_tricks.sliding_window_view(prices, periods, axis=1)
    whole = ~np.isnan(windows).any(axis=2)
    complete[:, periods - 1 :] = whole
    values[:, periods - 1 :][whole] = statistic(windows[whole], axis=1)
    return values, complete
