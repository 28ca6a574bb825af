from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from arch.unitroot import VarianceRatio
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from analytics.engine import leverage
from analytics.engine.errors import (
    DegenerateInputError,
    InvalidInputError,
    NonFiniteResultError,
)
from analytics.engine.types import FloatArray

MULTIPLES = st.sampled_from([-3.0, -2.0, -1.0, 2.0, 3.0])
SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, MULTIPLES, st.integers(1, 300))
def test_parts_sum_to_the_realized_return_and_keep_their_signs(
    seed: int, multiple: float, n_obs: int
) -> None:
    rng = np.random.default_rng(seed)
    index = rng.uniform(-0.1, 0.1, n_obs)
    fund = multiple * index + rng.normal(0, 0.002, n_obs)
    parts = leverage.return_decomposition(
        index,
        fund,
        multiple,
        risk_free_annual=rng.uniform(0, 0.06, n_obs),
        expense_annual=0.0095,
        swap_spread_annual=0.006,
    )
    scale = max(1.0, float(np.prod(1 + np.maximum(fund, 0))))
    assert abs(parts.sum_of_parts[0] - parts.fund_return[0]) < 1e-12 * scale
    assert parts.convexity[0] >= -1e-12 * scale
    assert parts.variance_cost[0] <= 1e-12 * scale
    assert parts.expense[0] <= 0


def test_parts_follow_their_definitions(rng: np.random.Generator) -> None:
    index = rng.normal(0, 0.02, 20)
    fund = -3 * index + rng.normal(0, 0.001, 20)
    rf = np.linspace(0.01, 0.05, 20)
    parts = leverage.return_decomposition(
        index, fund, -3, risk_free_annual=rf, expense_annual=0.01, swap_spread_annual=0.006
    ).at(0)
    k = (4 * rf - 0.006 * 3) / 252
    total = np.prod(1 + index) - 1
    reset = np.prod(1 - 3 * index)
    financed, net = np.prod(1 - 3 * index + k), np.prod(1 - 3 * index + k - 0.01 / 252)
    assert_allclose(parts.simple, -3 * total, rtol=1e-13)
    assert_allclose(parts.convexity, (1 + total) ** -3 - 1 + 3 * total, rtol=1e-10)
    assert_allclose(parts.variance_cost.value, reset - (1 + total) ** -3, rtol=1e-10)
    assert_allclose(parts.financing, financed - reset, rtol=1e-10)
    assert_allclose(parts.expense, net - financed, rtol=1e-10)
    assert_allclose(parts.residual, np.prod(1 + fund) - net, rtol=1e-10)
    assert parts.financing > 0  # cash earns on four times the assets of a -3x fund


def test_a_bull_fund_pays_for_its_borrowing(rng: np.random.Generator) -> None:
    index = rng.normal(0, 0.02, 60)
    parts = leverage.return_decomposition(
        index, 3 * index, 3, risk_free_annual=0.05, swap_spread_annual=0.005
    )
    assert parts.financing[0] < 0
    k = (-2 * 0.05 - 0.005 * 2) / 252
    assert_allclose(parts.financing[0], np.prod(1 + 3 * index + k) - np.prod(1 + 3 * index))


def test_a_change_of_multiple_inside_the_window_still_sums(rng: np.random.Generator) -> None:
    index = rng.normal(0, 0.03, 40)
    multiple = np.where(np.arange(40) < 15, -3.0, -2.0)
    fund = multiple * index + rng.normal(0, 0.001, 40)
    whole = leverage.return_decomposition(index, fund, multiple[None, :], expense_annual=0.01)
    assert abs(whole.sum_of_parts[0] - whole.fund_return[0]) < 1e-12
    first = leverage.return_decomposition(index[:15], fund[:15], -3, expense_annual=0.01)
    second = leverage.return_decomposition(index[15:], fund[15:], -2, expense_annual=0.01)
    linked = first.simple[0] + (1 + first.fund_return[0]) * second.simple[0]
    assert_allclose(whole.simple[0], linked, rtol=1e-12)


def test_a_batch_of_funds_equals_one_by_one(rng: np.random.Generator) -> None:
    index = np.tile(rng.normal(0, 0.02, 50), (2, 1))
    multiples = np.array([[3.0], [-3.0]])
    fund = multiples * index
    batch = leverage.return_decomposition(index, fund, multiples, risk_free_annual=0.04)
    for row, multiple in enumerate((3.0, -3.0)):
        alone = leverage.return_decomposition(
            index[row], fund[row], multiple, risk_free_annual=0.04
        )
        assert_allclose(batch.financing[row], alone.financing[0], rtol=1e-12)
        assert_allclose(batch.variance_cost[row], alone.variance_cost[0], rtol=1e-12)


def test_multiples_per_fund_spread_over_days(rng: np.random.Generator) -> None:
    index = rng.normal(0, 0.02, (2, 30))
    by_fund = leverage.return_decomposition(index, index, np.array([3.0, -3.0]))
    by_cell = leverage.return_decomposition(index, index, np.array([[3.0], [-3.0]]))
    assert_allclose(by_fund.simple, by_cell.simple, rtol=0)


def test_the_band_of_the_variance_cost_covers_the_expected_cost() -> None:
    rng = np.random.default_rng(3)
    sigma, n = 0.03, 252
    index = rng.normal(0, sigma, (400, n))
    batch = leverage.return_decomposition(index, -3 * index, -3)
    logs = np.log1p(index)
    spread = batch.realized_variance - np.mean(np.sum(logs**2, axis=1))
    inside = np.abs(spread) <= 1.96 * batch.realized_variance_standard_error
    assert 0.92 < inside.mean() < 0.98


@pytest.mark.parametrize(
    ("index", "fund", "error", "message"),
    [
        ([0.01, 0.34], [0.0, 0.0], DegenerateInputError, "wipes out"),
        ([0.01, -1.2], [0.0, 0.0], InvalidInputError, "-100 % or less"),
        ([1.0], [0.0, 0.0], InvalidInputError, "must cover the same dates"),
        ([np.nan, 0.1], [0.0, 0.0], InvalidInputError, "index_returns has 1 entries"),
    ],
)
def test_returns_that_cannot_be_decomposed_are_refused(
    index: list[float], fund: list[float], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        leverage.return_decomposition(np.array(index), np.array(fund), -3.0)


def test_terms_of_another_length_are_refused(rng: np.random.Generator) -> None:
    index = rng.normal(0, 0.01, 20)
    with pytest.raises(InvalidInputError, match="risk_free_annual has shape"):
        leverage.return_decomposition(index, index, 2.0, risk_free_annual=np.zeros(19))


@pytest.mark.parametrize("holding_days", [2, 5, 10])
def test_variance_ratio_agrees_with_arch(rng: np.random.Generator, holding_days: int) -> None:
    returns = rng.standard_t(5, 400) * 0.01
    returns[1:] += 0.2 * returns[:-1]
    prices = np.concatenate([[0.0], np.cumsum(np.log1p(returns))])
    oracle = VarianceRatio(prices, lags=holding_days, robust=True, debiased=True, overlap=True)
    result = leverage.variance_ratio(returns, holding_days)
    assert_allclose(result.ratio, oracle.vr, rtol=1e-10)
    assert_allclose(result.z_statistic, oracle.stat, rtol=1e-10)
    assert_allclose(result.p_value, oracle.pvalue, rtol=1e-9)


def test_variance_ratio_refuses_a_still_index() -> None:
    with pytest.raises(DegenerateInputError, match="index_returns is constant"):
        leverage.variance_ratio(np.full(50, 0.001), 5)


@given(SEEDS, MULTIPLES)
def test_trend_minus_chop_is_the_second_order_of_compounding(seed: int, multiple: float) -> None:
    returns = np.random.default_rng(seed).normal(0, 1, 12) * 1e-4
    parts = leverage.return_decomposition(returns, multiple * returns, multiple)
    approximation = leverage.trend_minus_chop(multiple, returns)
    assert abs(parts.compounding[0] - approximation) < 1e-8


@given(SEEDS, MULTIPLES)
def test_log_drag_expansions_close_in_on_the_exact_drag(seed: int, multiple: float) -> None:
    returns = np.random.default_rng(seed).uniform(-0.01, 0.01, 100)
    drag = leverage.log_drag(multiple, returns)
    fourth = (multiple - multiple**4) / 4 * np.sum(returns**4)
    assert abs(drag.exact - drag.third_order - fourth) < 1e-5
    assert abs(drag.exact - drag.third_order) < 0.05 * abs(drag.second_order) + 1e-6


def test_realized_variance_carries_its_sampling_error(rng: np.random.Generator) -> None:
    returns = rng.normal(0, 0.02, 252)
    result = leverage.realized_variance(returns)
    assert_allclose(result.variance.value, np.sum(np.log(1 + returns) ** 2), rtol=1e-12)
    assert_allclose(result.variance.standard_error, np.sqrt(2 / 3 * np.sum(returns**4)), rtol=1e-12)
    assert_allclose(result.annual_volatility.value, np.sqrt(result.variance.value), rtol=1e-12)
    assert result.annual_volatility.ci_low < 0.02 * np.sqrt(252) < result.annual_volatility.ci_high


# Direxion 3x bull prospectus, hypothetical one-year returns in percent (see SOURCES.md).
@pytest.mark.parametrize(
    ("move", "volatility", "percent"),
    [
        (-0.6, 0.10, -93.8),
        (-0.2, 0.50, -75.8),
        (0.0, 0.25, -17.1),
        (0.3, 0.75, -59.4),
        (0.6, 0.1, 297.5),
    ],
)
def test_the_grid_agrees_with_the_prospectus(
    move: float, volatility: float, percent: float
) -> None:
    grid = leverage.issuer_grid(3, np.array([move]), np.array([volatility]))
    assert 100 * grid[0, 0] == pytest.approx(percent, abs=0.05)


def test_the_grid_has_a_row_per_move_and_a_column_per_volatility() -> None:
    grid = leverage.issuer_grid(-3, np.array([-0.1, 0.0, 0.1]), np.array([0.2, 0.6]))
    assert grid.shape == (3, 2)
    assert grid[1, 1] == pytest.approx(np.exp(-6 * 0.36) - 1, rel=1e-12)


def test_the_outlook_agrees_with_simulated_paths() -> None:
    rng = np.random.default_rng(5)
    normal = rng.normal(size=400_000)
    log_growth = (-3 * 0.1 - 0.02 - 4.5 * 0.36) * 0.25 + 3 * 0.6 * 0.5 * normal
    outlook = leverage.forward_outlook(-3, 0.6, 0.25, annual_drift=0.1, annual_carry=-0.02)
    assert outlook.mean_return == pytest.approx(np.mean(np.exp(log_growth)) - 1, abs=0.006)
    assert outlook.median_return == pytest.approx(np.median(np.exp(log_growth)) - 1, abs=0.004)
    assert outlook.probability_of_loss == pytest.approx(np.mean(log_growth < 0), abs=0.003)
    assert outlook.quantile_returns[2] == pytest.approx(outlook.median_return, rel=1e-12)


@given(MULTIPLES, st.floats(0.05, 1.0), st.floats(0.01, 2.0), st.floats(-0.2, 0.2))
def test_at_break_even_the_fund_returns_nothing(
    multiple: float, volatility: float, years: float, carry: float
) -> None:
    move = leverage.break_even_index_return(multiple, volatility, years, annual_carry=carry)
    growth = leverage.growth_ratio(multiple, move, volatility**2 * years, log_carry=carry * years)
    assert growth == pytest.approx(1.0, abs=1e-10)


@given(MULTIPLES, st.floats(-0.5, 0.8), st.floats(0.001, 1.0), st.floats(-0.1, 0.1))
def test_implied_variance_inverts_the_growth_law(
    multiple: float, move: float, variance: float, carry: float
) -> None:
    fund = leverage.growth_ratio(multiple, move, variance, log_carry=carry) - 1
    if fund > -0.999:
        found = leverage.implied_variance(multiple, move, fund, log_carry=carry)
        assert found == pytest.approx(variance, rel=1e-6)


def test_published_pairs_of_funds_imply_one_variance() -> None:
    bull = leverage.implied_variance(3, 0.113, 0.165)
    bear = leverage.implied_variance(-3, 0.113, -0.493)
    assert bull / bear == pytest.approx(0.94, abs=0.005)


def test_a_loss_splits_into_direction_and_variance() -> None:
    result = leverage.loss_attribution(-3, -0.88, 0.45, 0.5)
    assert result.variance_share == pytest.approx(0.29, abs=0.005)
    assert result.direction_share == pytest.approx(0.71, abs=0.005)
    assert result.static_return < -1
    rebuilt = leverage.growth_ratio(-3, result.index_return, 0.45**2 * 0.5) - 1
    assert rebuilt == pytest.approx(-0.88, rel=1e-12)


@pytest.mark.parametrize(("multiple", "expected"), [(2, 2), (3, 6), (-1, 2), (-2, 6), (-3, 12)])
def test_bull_and_bear_funds_both_buy_when_the_index_rises(
    multiple: float, expected: float
) -> None:
    assert leverage.rebalancing_multiplier(multiple) == expected
    assert leverage.rebalancing_flow(multiple, 1e9, 0.01) == pytest.approx(expected * 1e7)


@given(MULTIPLES, st.floats(1e6, 1e10), st.floats(-0.1, 0.1))
def test_neutralizing_creations_cancel_the_trade(
    multiple: float, assets: float, move: float
) -> None:
    creations = leverage.neutralizing_creations(multiple, assets, move)
    trade = leverage.rebalancing_flow(multiple, assets, move, net_creations=creations)
    assert abs(trade) <= 1e-9 * assets


def test_split_factors_are_exact() -> None:
    soxs = [5, 4, 4, 5, 10, 12, 10, 10, 20]
    assert leverage.cumulative_split_factor(soxs) == 96_000_000
    assert leverage.cumulative_split_factor([Fraction(1, 3), 3]) == 1
    with pytest.raises(InvalidInputError, match="positive"):
        leverage.cumulative_split_factor([5, 0])


def test_daily_reset_loses_where_the_index_is_back() -> None:
    # SEC investor bulletin on leveraged funds: the index loses 1 %, twice leveraged 4 %.
    assert leverage.daily_reset_return(2, np.array([-0.1, 0.1])) == pytest.approx(-0.04, rel=1e-12)
    with pytest.raises(DegenerateInputError, match="row 1 wipes the fund out"):
        leverage.daily_reset_return(-3, np.array([0.1, 0.4]))


def _zero() -> FloatArray:
    return np.zeros(10)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: leverage.forward_outlook(0, 0.5, 1), InvalidInputError, "multiple must not be 0"),
        (lambda: leverage.forward_outlook(3, 0.0, 1), InvalidInputError, "annual_volatility"),
        (
            lambda: leverage.forward_outlook(3, 0.5, 1, annual_drift=400),
            NonFiniteResultError,
            "mean",
        ),
        (lambda: leverage.implied_variance(1, 0.1, 0.1), DegenerateInputError, "no variance"),
        (lambda: leverage.implied_variance(3, -1.0, 0.1), InvalidInputError, "index_return"),
        (lambda: leverage.loss_attribution(3, 0.0, 0.5, 1), DegenerateInputError, "no loss"),
        (lambda: leverage.realized_variance(_zero()), DegenerateInputError, "zero throughout"),
        (lambda: leverage.break_even_index_return(0, 0.5, 1), InvalidInputError, "not be 0"),
        (lambda: leverage.rebalancing_flow(3, -1.0, 0.01), InvalidInputError, "assets"),
    ],
)
def test_questions_without_an_answer_are_refused(
    call: object, error: type[Exception], message: str
) -> None:
    assert callable(call)
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(("multiple", "is_cost"), [(-3, True), (2, True), (0.5, False)])
def test_the_band_of_the_variance_cost_keeps_its_sign(multiple: float, is_cost: bool) -> None:
    index_returns = np.array([0.002, -0.09, 0.001, 0.003])
    parts = leverage.return_decomposition(index_returns, multiple * index_returns, multiple).at(0)
    cost = parts.variance_cost
    assert (cost.value < 0) is is_cost
    far_end = cost.ci_high if is_cost else cost.ci_low
    assert far_end == 0.0
    assert parts.realized_variance.ci_low == 0.0
