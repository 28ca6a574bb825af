from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from analytics.engine import indicators
from analytics.engine.errors import InsufficientDataError, InvalidInputError
from analytics.engine.types import FloatArray

# StockCharts ChartSchool, cs-rsi.xls.
CLOSES = np.array([
    44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245,
    45.8433, 46.0826, 45.8931, 46.0328, 45.614, 46.282, 46.282, 46.0028,
    46.0328, 46.4116, 46.2222, 45.6439, 46.2122, 46.2521,
])  # fmt: skip
SEEDS = st.integers(0, 2**32 - 1)


def walk(seed: int, n_obs: int = 80) -> FloatArray:
    return 50.0 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.02, n_obs)))


def test_published_relative_strength() -> None:
    rsi = indicators.relative_strength_index(CLOSES)
    assert [rsi.at(row) for row in (0, 13)] == [None, None]
    assert rsi.at(14) == pytest.approx(70.5328, abs=1e-3)
    assert rsi.at(15) == pytest.approx(66.3186, abs=1e-3)


def test_relative_strength_of_one_way_series() -> None:
    assert indicators.relative_strength_index(np.arange(1.0, 30.0)).at(20) == 100.0
    assert indicators.relative_strength_index(np.arange(30.0, 1.0, -1)).at(20) == 0.0
    assert indicators.relative_strength_index(np.full(30, 5.0)).at(20) == 50.0


def test_wilders_smoothing_is_an_exponential_average_seeded_by_a_mean() -> None:
    close = walk(1)
    changes = np.diff(close)
    averages = []
    for side in (np.maximum(changes, 0), np.maximum(-changes, 0)):
        seeded = pd.Series(np.concatenate([[side[:14].mean()], side[14:]]))
        averages.append(seeded.ewm(alpha=1 / 14, adjust=False).mean().to_numpy())
    expected = 100 - 100 / (1 + averages[0] / averages[1])
    assert_allclose(indicators.relative_strength_index(close).values[14:], expected, rtol=1e-12)


def test_true_range_reaches_to_the_previous_close() -> None:
    high, low, close = (
        np.array([10.0, 13.0, 9.0]),
        np.array([9.0, 12.0, 8.0]),
        np.array([9.5, 12.5, 8.5]),
    )
    average = indicators.average_true_range(high, low, close, periods=1)
    assert_allclose(average.values, [1.0, 3.5, 4.5])


def test_bands_use_the_population_deviation() -> None:
    close = walk(2)
    bands = indicators.bollinger_bands(close)
    series = pd.Series(close).rolling(20)
    assert_allclose(bands.middle.values[19:], series.mean()[19:], rtol=1e-12)
    spread = 2 * series.std(ddof=0)[19:]
    assert_allclose(bands.upper.values[19:] - bands.middle.values[19:], spread, rtol=1e-9)
    assert bands.lower.at(18) is None


@pytest.mark.parametrize("periods", [5, 10])
def test_averages_agree_with_pandas(periods: int) -> None:
    close = walk(3)
    first = indicators.exponential_moving_average(close, periods, seed="first")
    assert_allclose(
        first.values, pd.Series(close).ewm(span=periods, adjust=False).mean(), rtol=1e-12
    )
    seeded = np.concatenate([[close[:periods].mean()], close[periods:]])
    sma = indicators.exponential_moving_average(close, periods)
    expected = pd.Series(seeded).ewm(span=periods, adjust=False).mean()
    assert_allclose(sma.values[periods - 1 :], expected, rtol=1e-12)
    assert sma.at(periods - 2) is None


def test_the_signal_waits_for_the_slow_average_and_its_own() -> None:
    close = walk(4)
    macd = indicators.moving_average_convergence_divergence(close)
    fast = indicators.exponential_moving_average(close, 12)
    slow = indicators.exponential_moving_average(close, 26)
    assert_allclose(macd.line.values[25:], (fast.values - slow.values)[25:], rtol=1e-12)
    assert macd.line.at(24) is None
    assert macd.signal.at(32) is None
    assert macd.signal.at(33) == pytest.approx(macd.line.values[25:34].mean(), rel=1e-12)
    assert macd.histogram.at(40) == pytest.approx(
        macd.line.values[40] - macd.signal.values[40], rel=1e-12
    )


@settings(max_examples=20)
@given(SEEDS, st.integers(40, 79))
def test_later_prices_change_nothing(seed: int, cut: int) -> None:
    close = walk(seed)
    for measure in (
        indicators.relative_strength_index,
        indicators.moving_average_convergence_divergence,
        indicators.bollinger_bands,
    ):
        whole, part = measure(close), measure(close[:cut])
        for name in whole.__dataclass_fields__:
            one, other = getattr(whole, name), getattr(part, name)
            if isinstance(one, indicators.IndicatorSeries):
                one, other = one.values, other.values
            assert_array_equal(one[:cut], other)


def test_rows_are_answered_as_one_by_one() -> None:
    closes = np.stack([walk(5), walk(6)])
    batch = indicators.relative_strength_index(closes)
    for row, close in enumerate(closes):
        assert_array_equal(batch.values[row], indicators.relative_strength_index(close).values)


def test_breadth_counts_the_members_of_the_day() -> None:
    rising, falling = np.arange(1.0, 11.0), np.arange(10.0, 0.0, -1.0)
    late = np.where(np.arange(10) < 6, np.nan, rising)
    closes = np.stack([rising, falling, late])
    member = np.ones((3, 10), dtype=bool)
    member[1, 8:] = False
    found = indicators.breadth(closes, member, average_periods=3, extreme_periods=3, min_members=1)
    assert found.share_at(1) is None
    assert found.share_at(5) == 0.5
    assert found.n_members.tolist() == [0, 0, 2, 2, 2, 2, 2, 2, 2, 2]
    assert found.share_at(9) == 1.0
    assert (found.advancers[9], found.decliners[9]) == (2, 0)
    assert (found.new_highs[7], found.new_lows[7]) == (1, 1)


def test_members_of_tomorrow_do_not_count_today() -> None:
    closes = np.stack([walk(7), walk(8), walk(9)])
    member = np.ones((3, 80), dtype=bool)
    member[2, :60] = False
    found = indicators.breadth(
        closes, member, average_periods=10, extreme_periods=20, min_members=1
    )
    without = indicators.breadth(
        closes[:2], member[:2], average_periods=10, extreme_periods=20, min_members=1
    )
    assert_array_equal(found.share_above_average[:60], without.share_above_average[:60])
    assert_array_equal(found.new_highs[:60], without.new_highs[:60])


def test_short_or_impossible_prices_are_refused() -> None:
    with pytest.raises(InsufficientDataError, match="close has 14 observations where 15"):
        indicators.relative_strength_index(CLOSES[:14])
    with pytest.raises(InvalidInputError, match="low lies above high"):
        indicators.average_true_range(CLOSES - 1, CLOSES, CLOSES)
    with pytest.raises(InvalidInputError, match="seed must be"):
        indicators.exponential_moving_average(CLOSES, 5, seed="none")
    with pytest.raises(InvalidInputError, match="slow must be"):
        indicators.moving_average_convergence_divergence(CLOSES, 12, 12)
    with pytest.raises(InvalidInputError, match="booleans of shape"):
        indicators.breadth(CLOSES, np.ones(3))  # type: ignore[arg-type]
