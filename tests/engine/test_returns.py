from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from analytics.engine.errors import InsufficientDataError, InvalidInputError
from analytics.engine.returns import aligned_returns, block_returns, portfolio_returns, refuse_jumps
from analytics.engine.types import FloatArray


def test_price_dates_are_intersected_before_returns_are_taken() -> None:
    pair = aligned_returns(
        np.array([50.0, 51.5, np.nan, 50.7, 48.4]), np.array([100.0, 102, 99, 101, 98])
    )
    assert_allclose(pair.returns_y, [0.03, 50.7 / 51.5 - 1, 48.4 / 50.7 - 1], rtol=1e-13)
    assert_allclose(pair.returns_x, [0.02, 101 / 102 - 1, 98 / 101 - 1], rtol=1e-12)
    assert pair.common.tolist() == [True, True, False, True, True]


def test_series_without_common_dates_have_no_returns() -> None:
    with pytest.raises(InsufficientDataError, match="intersection of price dates has 1"):
        aligned_returns(np.array([1.0, np.nan, 2.0]), np.array([np.nan, 2.0, 3.0]))


@given(st.integers(0, 2**32 - 1))
def test_portfolio_returns_are_exposure_times_return(seed: int) -> None:
    rng = np.random.default_rng(seed)
    panel, exposures = rng.normal(0, 0.02, (30, 5)), rng.normal(size=(3, 5))
    result = portfolio_returns(panel, exposures)
    for row in range(3):
        for day in range(30):
            expected = sum(exposures[row, i] * panel[day, i] for i in range(5))
            assert result.series[row, day] == pytest.approx(expected, abs=1e-14)
    assert (result.coverage == 1).all()


def test_a_missing_instrument_is_made_up_by_the_others_and_told() -> None:
    panel = np.array([[0.01, 0.02, -0.03], [0.01, np.nan, -0.03], [np.nan, np.nan, -0.03]])
    result = portfolio_returns(panel, np.array([0.5, 0.3, -0.2]))
    assert_allclose(result.coverage[0], [1.0, 0.7, 0.2], rtol=1e-14)
    assert_allclose(result.series[0, :2], [0.017, (0.005 + 0.006) / 0.7], rtol=1e-13)
    assert np.isnan(result.series[0, 2])


def test_coverage_of_exactly_half_counts() -> None:
    panel = np.array([[0.01, np.nan]])
    assert not np.isnan(portfolio_returns(panel, np.array([0.5, 0.5])).series[0, 0])


def test_an_instrument_that_is_not_held_costs_no_coverage() -> None:
    panel = np.array([[0.01, np.nan, 0.02], [0.02, np.nan, 0.01]])
    result = portfolio_returns(panel, np.array([0.1, 0.0, 0.7]))
    assert (result.coverage == 1).all()
    assert_allclose(result.series[0], [0.015, 0.009], rtol=1e-13)


def test_a_portfolio_of_cash_has_no_return_and_full_coverage() -> None:
    result = portfolio_returns(np.array([[np.nan], [0.02]]), np.zeros(1))
    assert result.series.tolist() == [[0.0, 0.0]]
    assert result.coverage.tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize(
    ("panel", "exposures", "message"),
    [
        (np.zeros((4, 2)), np.zeros(3), "exposures has 3"),
        (np.zeros((4, 2)), np.array([1.0, np.nan]), "exposures must be finite"),
        (np.full((4, 2), np.inf), np.ones(2), "panel_returns has 8 infinite"),
    ],
)
def test_exposures_that_do_not_fit_the_panel_are_refused(
    panel: np.ndarray, exposures: np.ndarray, message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        portfolio_returns(panel, exposures)


def test_blocks_compound_and_leave_the_oldest_rest_out() -> None:
    blocks = block_returns(np.array([0.5, 0.1, 0.2, -0.1, 0.3]), 2)
    assert_allclose(blocks, [1.1 * 1.2 - 1, 0.9 * 1.3 - 1], rtol=1e-13)
    assert block_returns(np.zeros((3, 5)), 6).shape == (3, 0)


@pytest.mark.parametrize(
    ("factor", "split"), [(0.5, "2-for-1"), (15.0, "1-for-15"), (1 / 3, "3-for-1")]
)
def test_a_split_that_was_not_recorded_is_refused(factor: float, split: str) -> None:
    levels = np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.02, 60)))
    refuse_jumps(levels, "level_y")
    levels[40:] *= factor
    with pytest.raises(InvalidInputError, match=rf"level_y .* session 40, near a {split} split"):
        refuse_jumps(levels, "level_y")


def test_a_triple_fund_may_move_three_times_as_far_and_a_gap_further() -> None:
    crash = np.array([100.0, 44.0, 45.0])
    with pytest.raises(InvalidInputError, match="session 1"):
        refuse_jumps(crash, "level_y")
    refuse_jumps(crash, "level_y", daily_multiple=-3.0)
    refuse_jumps(np.array([100.0, np.nan, np.nan, 44.0]), "level_y")


@pytest.mark.parametrize(
    ("ticker", "multiple"), [("SOXX", 1), ("NVDA", 1), ("SOXL", 3), ("SOXS", -3)]
)
def test_fifteen_years_of_real_levels_have_no_jump(
    market_levels: Callable[[str], tuple[list[str], FloatArray]], ticker: str, multiple: float
) -> None:
    refuse_jumps(market_levels(ticker)[1], ticker, daily_multiple=multiple)
