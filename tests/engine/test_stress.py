from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from analytics.engine.errors import InvalidInputError
from analytics.engine.options import OptionTerms, option_greeks, option_price
from analytics.engine.stress import (
    FundPosition,
    OptionPosition,
    Scenario,
    book_stress,
    choppy_path,
    fund_stress,
    position_profit,
    smooth_path,
)

PUT = OptionTerms(spot=250, strike=240, years=14 / 365, rate=0.043, is_call=False)
LONG_PUT = OptionPosition(quantity=100.0, terms=PUT, volatility=0.48)
MOVES = st.floats(-0.5, 0.5)


@pytest.mark.parametrize(
    ("move", "n_days", "fund"),
    [
        (0.20, 1, -0.600), (0.20, 5, -0.446), (0.20, 15, -0.429),
        (-0.20, 1, 0.600), (-0.20, 5, 0.850), (-0.20, 15, 0.916),
    ],
)  # fmt: skip
def test_a_minus_three_fund_depends_on_the_days_a_move_takes(
    move: float, n_days: int, fund: float
) -> None:
    found = fund_stress(-3, smooth_path(move, n_days))
    assert found.fund_return[0] == pytest.approx(fund, abs=5e-4)
    assert found.index_return[0] == pytest.approx(move, rel=1e-12)


def test_chop_costs_more_than_a_smooth_move_further_up() -> None:
    choppy = np.array([0.08, -0.04] * 7 + [0.0])
    found = fund_stress(-3, np.stack([choppy, smooth_path(0.20, 15)]))
    assert found.index_return[0] == pytest.approx(0.288, abs=5e-4)
    assert found.fund_return[0] == pytest.approx(-0.676, abs=5e-4)
    assert found.fund_return[0] < found.fund_return[1]


def test_a_fund_loses_no_more_than_it_is_worth_and_says_so() -> None:
    found = fund_stress(-3, [[0.40, -0.20], [-0.10, 1 / 3], [0.33, 0.0]])
    assert found.fund_return[:2].tolist() == [-1.0, -1.0]
    assert found.wiped_out.tolist() == [True, True, False]
    assert found.wiped_out_day.tolist() == [0, 1, -1]
    assert found.fund_return[2] == pytest.approx(-0.99)


def test_a_fund_that_is_gone_does_not_come_back() -> None:
    # Two ruinous days would multiply to a positive number.
    assert fund_stress(-3, [0.50, 0.50]).fund_return.tolist() == [-1.0]


@given(MOVES, st.integers(1, 20), st.floats(0, 0.1))
def test_paths_reach_their_move(move: float, n_days: int, swing: float) -> None:
    for path in (smooth_path(move, n_days), choppy_path(move, n_days, swing)):
        assert path.size == n_days
        assert np.prod(1 + path) - 1 == pytest.approx(move, abs=1e-12)


@given(MOVES, st.integers(1, 7), st.floats(0.001, 0.05), st.sampled_from([-3.0, -2.0, -1.0, 3.0]))
def test_chop_never_helps_a_reset_fund(
    move: float, pairs: int, swing: float, multiple: float
) -> None:
    n_days = 2 * pairs + 3
    smooth, choppy = smooth_path(move, n_days), choppy_path(move, n_days, swing)
    found = fund_stress(multiple, np.stack([smooth, choppy]))
    assert found.fund_return[1] <= found.fund_return[0] + 1e-12


@given(st.permutations([0.03, -0.05, 0.02, 0.07, -0.01]))
def test_the_order_of_days_does_not_matter(path: list[float]) -> None:
    expected = np.prod(1 - 3 * np.array([0.03, -0.05, 0.02, 0.07, -0.01])) - 1
    assert fund_stress(-3, path).fund_return[0] == pytest.approx(expected, rel=1e-13)


def test_options_are_repriced_with_time_passing_and_a_shock_to_volatility() -> None:
    path = smooth_path(-0.08, 5)[np.newaxis, :]
    profit, ruined = position_profit(LONG_PUT, path, calendar_days=7, volatility_shock=0.10)
    later = OptionTerms(spot=230, strike=240, years=7 / 365, rate=0.043, is_call=False)
    expected = 100 * (option_price(later, 0.58) - option_price(PUT, 0.48))
    assert profit[0] == pytest.approx(expected, rel=1e-12)
    assert not ruined[0]


def test_an_expired_option_is_worth_its_payoff() -> None:
    profit, _ = position_profit(LONG_PUT, np.array([[-0.2], [0.2]]), calendar_days=20)
    premium = option_price(PUT, 0.48)
    assert_allclose(profit, [100 * (40 - premium), -100 * premium], rtol=1e-12)


def test_a_small_instant_shock_is_delta_and_gamma() -> None:
    greeks = option_greeks(PUT, 0.48)
    profit, _ = position_profit(LONG_PUT, np.array([[0.001]]))
    expected = 100 * (greeks.delta * 0.25 + 0.5 * greeks.gamma * 0.25**2)
    assert profit[0] == pytest.approx(expected, rel=1e-4)


def test_a_book_is_the_sum_of_its_positions() -> None:
    positions = (
        FundPosition(value=600_000.0, multiple=1.2),
        FundPosition(value=150_000.0, multiple=-3.0),
        LONG_PUT,
    )
    scenarios = (
        Scenario(name="instant +40 %", index_returns=np.array([0.40])),
        Scenario(name="ten days down", index_returns=smooth_path(-0.15, 10), calendar_days=14,
                 volatility_shock=0.12),
    )  # fmt: skip
    found = book_stress(positions, scenarios)
    assert found.names == ("instant +40 %", "ten days down")
    assert found.profit.shape == (2, 3)
    assert found.profit[0, :2].tolist() == pytest.approx([288_000, -150_000])
    assert found.wiped_out.tolist() == [[False, True, False], [False, False, False]]
    assert_allclose(found.total, found.profit.sum(axis=1))
    alone = fund_stress(-3.0, smooth_path(-0.15, 10)).fund_return[0]
    assert found.profit[1, 1] == pytest.approx(150_000 * alone)
    assert_allclose(found.index_return, [0.40, -0.15])


@pytest.mark.parametrize(
    ("returns", "message"),
    [
        ([-1.0], "return of -100 % or less"),
        ([np.nan], "not finite"),
        ([], "at least one day"),
        ([[[0.1]]], "one or more paths"),
    ],
)
def test_paths_that_cannot_happen_are_refused(returns: object, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        fund_stress(-3, returns)  # type: ignore[arg-type]  # wrong on purpose


def test_moves_and_shocks_out_of_range_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"1 \+ index_return must be positive"):
        smooth_path(-1.0, 5)
    with pytest.raises(InvalidInputError, match="n_days must be an integer"):
        choppy_path(0.1, 0, 0.01)
    with pytest.raises(InvalidInputError, match="the shock takes a volatility"):
        position_profit(LONG_PUT, np.array([[0.1]]), volatility_shock=-0.5)
    with pytest.raises(InvalidInputError, match="volatility must be positive"):
        OptionPosition(quantity=1.0, terms=PUT, volatility=0.0)
