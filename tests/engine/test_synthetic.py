from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from analytics.engine import leverage
from analytics.engine.errors import DegenerateInputError, InsufficientDataError, InvalidInputError
from analytics.engine.returns import aligned_returns
from analytics.engine.types import FloatArray

Levels = Callable[[str, str], tuple[list[str], FloatArray]]
DAYS = np.arange("2021-08-20", "2021-08-30", dtype="datetime64[D]")


def test_published_slippage_of_a_bull_fund() -> None:
    cost = leverage.annual_slippage(
        3, risk_free_annual=0.0365, swap_spread_annual=0.005, expense_annual=0.0091, swap_factor=1.1
    )
    assert cost == pytest.approx(0.1004, abs=1e-12)


def test_an_inverse_fund_earns_interest_on_four_times_its_assets() -> None:
    cost = leverage.annual_slippage(
        -3, risk_free_annual=0.04, swap_spread_annual=0.005, expense_annual=0.01
    )
    assert cost == pytest.approx(0.005 * 3 + 0.01 - 4 * 0.04, rel=1e-12)


def test_carry_is_that_of_the_decomposition(rng: np.random.Generator) -> None:
    index = rng.normal(0, 0.02, 50)
    for m in (-3.0, 3.0):
        carry = leverage.daily_carry(
            m, risk_free_annual=0.05, expense_annual=0.01, swap_spread_annual=0.004
        )
        fund = leverage.synthetic_fund_returns(index, m, carry=carry)
        parts = leverage.return_decomposition(
            index, fund, m, risk_free_annual=0.05, expense_annual=0.01, swap_spread_annual=0.004
        )
        assert abs(parts.residual[0]) < 1e-13


def test_an_index_change_takes_each_side_from_its_index() -> None:
    first, second = np.full(10, 0.01), np.full(10, 0.02)
    first[6:] = np.nan
    linked = leverage.linked_index_returns(DAYS, first, second, dt.date(2021, 8, 25))
    assert_array_equal(linked, np.where(np.datetime64("2021-08-25") > DAYS, 0.01, 0.02))
    with pytest.raises(InvalidInputError, match="no index return on 2021-08-26"):
        leverage.linked_index_returns(DAYS, first, second, dt.date(2021, 8, 28))


def test_history_is_synthetic_before_inception_only(rng: np.random.Generator) -> None:
    built = rng.normal(0, 0.03, 200)
    real = built + rng.normal(0.0001, 0.001, 200)
    real[:100] = np.nan
    history = leverage.extended_history(built, real)
    assert_array_equal(history.returns[:100], built[:100])
    assert_array_equal(history.returns[100:], real[100:])
    assert history.is_synthetic.sum() == 100
    difference = real[100:] - built[100:]
    tracking = history.tracking
    assert tracking.tracking_error_annual == pytest.approx(difference.std(ddof=1) * np.sqrt(252))
    assert tracking.tracking_difference_annual == pytest.approx(252 * difference.mean())
    assert tracking.slope == pytest.approx(np.polyfit(built[100:], real[100:], 1)[0], rel=1e-10)
    assert tracking.correlation == pytest.approx(np.corrcoef(built[100:], real[100:])[0, 1])


def test_histories_that_do_not_belong_together_are_refused(rng: np.random.Generator) -> None:
    built = rng.normal(0, 0.03, 200)
    with pytest.raises(DegenerateInputError, match="correlate by"):
        leverage.extended_history(built, -built)
    gap = built.copy()
    gap[150] = np.nan
    with pytest.raises(InvalidInputError, match="missing in row 150, after inception"):
        leverage.extended_history(built, gap)
    late = np.where(np.arange(200) < 180, np.nan, built)
    with pytest.raises(InsufficientDataError, match="fund_returns has 20"):
        leverage.extended_history(built, late)
    with pytest.raises(DegenerateInputError, match="row 0 wipes"):
        leverage.synthetic_fund_returns(np.array([0.4]), -3.0)


def test_soxs_of_2023_is_its_terms_and_its_index(market_levels: Levels) -> None:
    dates, soxs = market_levels("SOXS", "adj_close")
    rows = slice(dates.index("2022-12-30"), dates.index("2023-12-29") + 1)
    pair = aligned_returns(soxs[rows], market_levels("SOXX", "adj_close")[1][rows])
    built = leverage.synthetic_fund_returns(
        pair.returns_x,
        -3.0,
        carry=leverage.daily_carry(-3, risk_free_annual=0.05, expense_annual=0.01),
    )
    tracking = leverage.extended_history(built, pair.returns_y).tracking
    assert tracking.correlation > 0.995
    assert tracking.slope == pytest.approx(1.0, abs=0.02)
    assert_allclose(np.prod(1 + built), np.prod(1 + pair.returns_y), rtol=0.06)
