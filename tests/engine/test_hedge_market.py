"""Hedges of the index fund with the real -3x fund."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_allclose

from analytics.engine import hedge
from analytics.engine.returns import aligned_returns
from analytics.engine.types import FloatArray

Levels = Callable[[str, str], tuple[list[str], FloatArray]]


@pytest.fixture
def last_years(market_levels: Levels) -> tuple[FloatArray, FloatArray]:
    """SOXX and SOXS since the index of the fund changed."""
    dates, index = market_levels("SOXX", "adj_close")
    same_dates, fund = market_levels("SOXS", "adj_close")
    assert dates == same_dates
    since = np.array(dates) >= "2021-09-01"
    pair = aligned_returns(index[since], fund[since])
    return pair.returns_y, pair.returns_x


def test_the_real_fund_hedges_a_day_and_loses_it_over_weeks(
    last_years: tuple[FloatArray, FloatArray],
) -> None:
    index, fund = last_years
    volatility = float(index.std(ddof=1) * np.sqrt(252))
    blocks = hedge.horizon_blocks(index, fund, hedge_notional=1 / 3, horizons=[1, 5, 21])
    bands = hedge.horizon_bands(
        index, fund, hedge_notional=1 / 3, seed=1, horizons=[1, 5, 21], n_samples=500
    )
    measured = [block.designated.value for block in blocks if block.designated is not None]
    assert len(measured) == 3
    assert measured[0] > 0.995
    assert measured[0] > measured[1] > measured[2]
    for n_days, block, band in zip((1, 5, 21), blocks, bands, strict=True):
        assert block.designated is not None
        assert band.designated is not None
        closed = hedge.reset_fund_hedge(-3, volatility, n_days).static_effectiveness
        assert_allclose(block.designated.value, closed, atol=0.06)
        assert band.designated.low < block.designated.value < band.designated.high


def test_the_fund_passes_the_tests_of_a_day_by_day(
    last_years: tuple[FloatArray, FloatArray],
) -> None:
    index, fund = last_years
    found = hedge.regression_test(index, fund, hedge_notional=1 / 3)
    assert found.verdict == "pass"
    assert found.slope.value == pytest.approx(-1.0, abs=0.02)
    earlier, later = (
        hedge.variance_reduction(index, fund, hedge_notional=1 / 3),
        hedge.out_of_sample_effectiveness(index, fund),
    )
    assert_allclose(later.effectiveness.value, earlier.effectiveness.value, atol=0.01)


def test_an_unattended_hedge_of_a_year_leaves_its_band_within_weeks(
    last_years: tuple[FloatArray, FloatArray],
) -> None:
    index, _ = last_years
    found = hedge.coverage_band(-3.0, index[-252:])
    assert found.expected_sessions_between is not None
    assert 1.0 < found.expected_sessions_between < 10.0
    assert found.trade_rows[0] < 15
