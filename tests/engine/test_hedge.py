from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from analytics.engine import beta, hedge
from analytics.engine.errors import (
    DegenerateInputError,
    EngineError,
    InsufficientDataError,
    InvalidInputError,
)
from analytics.engine.types import FailureReason, FloatArray, Verdict

Pair = tuple[FloatArray, FloatArray]

# Hull, Options, Futures and Other Derivatives, table 3.2: jet fuel and heating oil futures.
HULL_SPOT = np.array([
    0.029, 0.020, -0.044, 0.008, 0.026, -0.019, -0.010, -0.007, 0.043, 0.011, -0.036, -0.018,
    0.009, -0.032, 0.023,
])  # fmt: skip
HULL_FUTURES = np.array([
    0.021, 0.035, -0.046, 0.001, 0.044, -0.029, -0.026, -0.029, 0.048, -0.006, -0.036, -0.011,
    0.019, -0.027, 0.029,
])  # fmt: skip


@pytest.fixture
def bear(pair: Pair, rng: np.random.Generator) -> Pair:
    """An item and a -3x fund that tracks its index with noise."""
    item, index = pair
    return item, -3.0 * index + rng.normal(0, 0.002, index.shape[0])


def test_minimum_variance_hedge_agrees_with_hull() -> None:
    result = hedge.minimum_variance_hedge(HULL_SPOT, HULL_FUTURES, min_obs=15).at(0)
    assert result.hedge_ratio.value == pytest.approx(0.778, abs=5e-4)
    assert result.effectiveness.value == pytest.approx(0.862, abs=5e-4)
    contracts = hedge.hedge_contracts(result.hedge_ratio.value, 2_000_000, 42_000)
    assert contracts == pytest.approx(37.03, abs=0.005)


def test_minimum_variance_hedge_agrees_with_statsmodels(bear: Pair) -> None:
    oracle = sm.OLS(bear[0], sm.add_constant(bear[1])).fit()
    robust = oracle.get_robustcov_results("HAC", maxlags=5, use_correction=True, use_t=True)
    result = hedge.minimum_variance_hedge(*bear).at(0)
    assert_allclose(result.hedge_ratio.value, oracle.params[1], rtol=1e-11)
    assert_allclose(result.ols_standard_error, oracle.bse[1], rtol=1e-12)
    assert_allclose(result.hedge_ratio.standard_error, robust.bse[1], rtol=1e-11)
    same_slope = beta.semiconductor_beta(*bear).at(0).beta
    assert_allclose(astuple(result.hedge_ratio), astuple(same_slope), rtol=1e-11)
    assert result.hedge_ratio.ci_low < robust.conf_int()[1, 0]
    assert_allclose(result.effectiveness.value, oracle.rsquared, rtol=1e-12)
    assert result.hedge_notional == -result.hedge_ratio.value > 0


@given(st.integers(0, 2**32 - 1), st.floats(-2, 2))
def test_no_holding_removes_more_variance_than_the_best(seed: int, other: float) -> None:
    item, fund = np.random.default_rng(seed).normal(0, 0.02, (2, 60))
    best = hedge.minimum_variance_hedge(item, fund).at(0)
    tried = hedge.variance_reduction(item, fund, hedge_notional=other)
    assert tried.effectiveness.value <= best.effectiveness.value + 1e-12


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100), st.floats(-1, 1))
def test_effectiveness_ignores_scale_and_shift(seed: int, scale: float, shift: float) -> None:
    item, fund = np.random.default_rng(seed).normal(0, 0.02, (2, 60))
    plain = hedge.variance_reduction(item, fund, hedge_notional=0.3).effectiveness
    moved = hedge.variance_reduction(
        scale * (item + shift), scale * (fund - shift), hedge_notional=0.3
    ).effectiveness
    assert_allclose(
        [moved.value, moved.standard_error, moved.ci_low],
        [plain.value, plain.standard_error, plain.ci_low],
        rtol=1e-7,
        atol=1e-9,
    )


def test_a_hedge_on_the_wrong_side_has_negative_effectiveness() -> None:
    result = hedge.variance_reduction(HULL_SPOT, HULL_FUTURES, hedge_notional=1.0, min_obs=15)
    expected = 1 - np.var(HULL_SPOT + HULL_FUTURES) / np.var(HULL_SPOT)
    assert result.effectiveness.value == pytest.approx(expected, rel=1e-12)
    assert result.effectiveness.value < -3


def test_a_perfect_hedge_removes_everything_and_has_no_error(pair: Pair) -> None:
    result = hedge.variance_reduction(pair[1], -3.0 * pair[1], hedge_notional=1 / 3).effectiveness
    assert_allclose(
        [result.value, result.ci_low, result.ci_high, result.standard_error],
        [1, 1, 1, 0],
        atol=1e-12,
    )


@pytest.mark.parametrize("tails", ["normal", "fat", "clustered"])
def test_the_interval_of_effectiveness_covers_the_truth(tails: str) -> None:
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(600):
        shocks = rng.standard_t(6, (2, 504)) if tails == "fat" else rng.normal(size=(2, 504))
        if tails == "clustered":
            shocks = shocks * np.exp(0.4 * np.sin(np.arange(504) / 20 + rng.uniform(0, 6)))
        fund = 0.02 * shocks[0]
        item = 1.2 * fund + 0.01 * shocks[1]
        found = hedge.variance_reduction(item, fund, hedge_notional=-1.0).effectiveness
        truth = 1 - (0.2**2 * 0.02**2 + 0.01**2) / (1.2**2 * 0.02**2 + 0.01**2)
        covered += found.ci_low <= truth <= found.ci_high
    assert 0.91 < covered / 600 < 0.975


def test_a_batch_of_items_equals_one_by_one_with_failures_inside(bear: Pair) -> None:
    rows = np.stack([bear[0], bear[0] * 2, np.full(300, 0.01), bear[0]])
    rows[1, :100] = np.nan
    rows[3, 20:] = np.nan
    batch = hedge.minimum_variance_hedge(rows, bear[1])
    assert batch.ok.tolist() == [True, True, False, False]
    reasons = [failure.reason for failure in batch.failures if failure]
    assert reasons == [FailureReason.DEGENERATE, FailureReason.INSUFFICIENT_DATA]
    alone = hedge.minimum_variance_hedge(rows[1], bear[1]).at(0)
    assert_allclose(batch.at(1).effectiveness.ci_low, alone.effectiveness.ci_low, rtol=1e-12)
    with pytest.raises(EngineError, match="item_returns is constant"):
        batch.at(2)


def test_out_of_sample_uses_the_ratio_of_earlier_data_only(bear: Pair) -> None:
    item, fund = bear
    ratio = np.cov(item[:200], fund[:200])[0, 1] / np.var(fund[:200], ddof=1)
    expected = 1 - np.var(item[200:] - ratio * fund[200:]) / np.var(item[200:])
    result = hedge.out_of_sample_effectiveness(item, fund, n_train=200)
    assert_allclose(result.effectiveness.value, expected, rtol=1e-12)
    changed = item.copy()
    changed[200:] *= 5.0
    assert hedge.out_of_sample_effectiveness(changed, fund, n_train=200).hedge_notional == (
        result.hedge_notional
    )


def test_tail_measures_count_whole_losses(bear: Pair) -> None:
    item, fund = bear
    result = hedge.tail_reduction(item, fund, hedge_notional=0.4, confidence_level=0.95)
    losses, hedged = np.sort(-item)[::-1], np.sort(-(item + 0.4 * fund))[::-1]
    assert result.n_tail == 15
    assert result.item_value_at_risk == losses[14]
    assert result.value_at_risk is not None
    assert result.expected_shortfall is not None
    assert_allclose(result.value_at_risk, 1 - hedged[14] / losses[14], rtol=1e-13)
    assert_allclose(
        result.expected_shortfall, 1 - hedged[:15].mean() / losses[:15].mean(), rtol=1e-12
    )
    below = np.mean(np.minimum(item, 0) ** 2)
    assert_allclose(result.item_semivariance, below, rtol=1e-13)


@pytest.mark.parametrize(
    ("n_obs", "level", "count"),
    [
        (60, 0.95, 3),
        (500, 0.99, 5),
        (100, 0.99, 1),
        (250, 0.975, 7),
        (10, 0.99, 1),
        (1000, 0.9, 100),
    ],
)
def test_the_tail_count_is_the_stated_rule_without_rounding_error(
    n_obs: int, level: float, count: int
) -> None:
    assert hedge.tail_count(n_obs, level) == count


def test_a_sample_without_losses_has_no_tail_reduction(pair: Pair) -> None:
    gains = np.abs(pair[0]) + 0.001
    result = hedge.tail_reduction(gains, pair[1], hedge_notional=0.1)
    assert result.value_at_risk is None
    assert result.semivariance is None


def test_the_regression_test_agrees_with_statsmodels(bear: Pair) -> None:
    oracle = sm.OLS(bear[0], sm.add_constant(0.45 * bear[1])).fit()
    result = hedge.regression_test(*bear, hedge_notional=0.45)
    assert_allclose([result.intercept.value, result.slope.value], oracle.params, rtol=1e-10)
    assert_allclose(
        [result.intercept_ols_standard_error, result.slope_ols_standard_error],
        oracle.bse,
        rtol=1e-12,
    )
    robust = oracle.get_robustcov_results("HAC", maxlags=5, use_correction=True)
    assert_allclose(
        [result.intercept.standard_error, result.slope.standard_error], robust.bse, rtol=1e-10
    )
    same_slope = beta.semiconductor_beta(bear[0], 0.45 * bear[1]).at(0).beta
    assert_allclose(astuple(result.slope), astuple(same_slope), rtol=1e-10)
    turned = hedge.regression_test(*bear, hedge_notional=-0.45).slope
    assert_allclose([turned.ci_low, turned.ci_high], [-result.slope.ci_high, -result.slope.ci_low])
    assert result.f_statistic is not None
    assert_allclose(result.f_statistic, oracle.fvalue, rtol=1e-11)
    assert_allclose(result.p_value, oracle.f_pvalue, rtol=1e-7)
    assert_allclose(result.r_squared.value, oracle.rsquared, rtol=1e-12)
    assert result.verdict is Verdict.PASS


def test_hull_passes_on_fit_and_fails_on_slope_until_it_is_sized() -> None:
    policy = hedge.EffectivenessPolicy(min_obs=15)
    unsized = hedge.regression_test(HULL_SPOT, HULL_FUTURES, hedge_notional=-1.0, policy=policy)
    assert unsized.r_squared.value >= 0.8
    assert not unsized.meets_thresholds
    assert unsized.criteria["slope"] is Verdict.INCONCLUSIVE
    ratio = hedge.minimum_variance_hedge(HULL_SPOT, HULL_FUTURES, min_obs=15).at(0)
    sized = hedge.regression_test(
        HULL_SPOT, HULL_FUTURES, hedge_notional=ratio.hedge_notional, policy=policy
    )
    assert sized.slope.value == pytest.approx(-1.0, rel=1e-12)
    assert sized.meets_thresholds


def test_a_hedge_that_moves_with_its_item_fails_the_regression_test(bear: Pair) -> None:
    result = hedge.regression_test(*bear, hedge_notional=-0.43)
    assert not result.meets_thresholds
    assert result.verdict is Verdict.FAIL
    assert result.criteria["r_squared"] is Verdict.PASS


def test_an_exact_hedge_has_no_f_statistic_and_passes(pair: Pair) -> None:
    item = pair[1] * 2.0**-4
    result = hedge.regression_test(item, -item, hedge_notional=1.0)
    assert result.f_statistic is None
    assert result.verdict is Verdict.PASS


def test_thresholds_of_the_policy_decide_the_verdict(bear: Pair) -> None:
    strict = hedge.EffectivenessPolicy(name="strict", min_r_squared=0.999)
    result = hedge.regression_test(*bear, hedge_notional=0.45, policy=strict)
    assert result.criteria["r_squared"] is Verdict.FAIL
    assert result.verdict is Verdict.FAIL
    assert result.policy.name == "strict"


def test_dollar_offset_differs_per_period_and_cumulative() -> None:
    result = hedge.dollar_offset(
        np.array([-120.0, 80, -60, 45, -200, 150]), np.array([110.0, -85, 20, -48, 190, -140])
    )
    assert result.cumulative == pytest.approx(47 / 105, rel=1e-14)
    assert result.cumulative_passes is False
    assert (result.n_passed, result.n_failed, result.n_undefined) == (5, 1, 0)


def test_dollar_offset_has_no_ratio_without_a_change_in_the_item() -> None:
    result = hedge.dollar_offset(np.array([5.0, 0.0, -5.0]), np.array([-5.0, 1.0, 5.0]))
    assert result.cumulative is None
    assert result.cumulative_passes is None
    assert (result.n_passed, result.n_undefined) == (2, 1)


@pytest.mark.parametrize("r_squared", [0.5, 0.8, 0.98])
def test_offset_probability_agrees_with_the_cauchy_law(r_squared: float) -> None:
    law = stats.cauchy(np.sqrt(r_squared), np.sqrt(1 - r_squared))
    expected = law.cdf(1.25) - law.cdf(0.80)
    assert hedge.offset_pass_probability(r_squared) == pytest.approx(expected, rel=1e-12)
    assert hedge.offset_pass_probability(1.0) == 1.0


@pytest.mark.parametrize("drift", [0.0, 0.004, -0.01])
@pytest.mark.parametrize("multiple", [-3.0, -1.0, 2.0])
def test_reset_fund_hedge_agrees_with_every_path_of_a_tree(multiple: float, drift: float) -> None:
    step = 0.6 / np.sqrt(252)
    daily = drift + step * (1.0 - 2.0 * ((np.arange(1024)[:, None] >> np.arange(10)) & 1))
    index, fund = np.prod(1 + daily, axis=1), np.prod(1 + multiple * daily, axis=1)
    covariance = np.cov(index, fund, ddof=0)
    result = hedge.reset_fund_hedge(multiple, 0.6, 10, daily_drift=drift, hedge_notional=0.25)
    correlation = np.corrcoef(index, fund)[0, 1]
    assert_allclose(result.effectiveness, correlation**2, rtol=1e-9)
    assert_allclose(result.hedge_notional, -covariance[0, 1] / covariance[1, 1], rtol=1e-9)
    assert_allclose(result.beta, covariance[0, 1] / covariance[0, 0], rtol=1e-9)
    static = 1 - np.var(index + 0.25 * fund) / np.var(index)
    assert_allclose(result.static_effectiveness, static, rtol=1e-9)


@pytest.mark.parametrize(
    ("n_days", "percent"), [(1, 100.0), (5, 95.5), (10, 90.2), (15, 85.2), (21, 79.4), (63, 48.3)]
)
def test_a_minus_three_fund_stops_hedging_with_time(n_days: int, percent: float) -> None:
    result = hedge.reset_fund_hedge(-3.0, 0.60, n_days)
    assert 100 * result.effectiveness == pytest.approx(percent, abs=0.05)


def test_blocks_do_not_overlap_and_end_at_the_last_day(bear: Pair) -> None:
    item, fund = bear
    (result,) = hedge.horizon_blocks(item[:297], fund[:297], hedge_notional=0.4, horizons=[15])
    starts = range(297 % 15, 297, 15)
    s = np.array([np.prod(1 + item[i : i + 15]) - 1 for i in starts])
    f = np.array([np.prod(1 + fund[i : i + 15]) - 1 for i in starts])
    assert (result.n_blocks, result.n_obs) == (19, 285)
    assert result.designated is not None
    assert result.best is not None
    assert_allclose(result.designated.value, 1 - np.var(s + 0.4 * f) / np.var(s), rtol=1e-11)
    assert_allclose(result.best.value, np.corrcoef(s, f)[0, 1] ** 2, rtol=1e-11)


def test_too_few_blocks_give_null_with_the_reason(bear: Pair) -> None:
    results = hedge.horizon_blocks(*bear, hedge_notional=0.4)
    assert [result.n_blocks for result in results] == [300, 60, 30, 20, 14, 4]
    assert [result.designated is None for result in results] == [False] * 5 + [True]
    failure = results[-1].failure
    assert failure is not None
    assert failure.reason is FailureReason.INSUFFICIENT_DATA
    assert (failure.context["required"], failure.context["available"]) == (8, 4)


def test_measured_horizons_approach_the_closed_form(rng: np.random.Generator) -> None:
    index = rng.normal(0, 0.6 / np.sqrt(252), 15 * 6000)
    (blocks,) = hedge.horizon_blocks(index, -3 * index, hedge_notional=1 / 3, horizons=[15])
    closed = hedge.reset_fund_hedge(-3, 0.6, 15)
    assert blocks.designated is not None
    assert blocks.best is not None
    assert abs(blocks.designated.value - closed.static_effectiveness) < 0.02
    assert abs(blocks.best.value - closed.effectiveness) < 0.02


def test_coverage_follows_the_path(rng: np.random.Generator) -> None:
    returns = rng.normal(0, 0.03, 15)
    path = hedge.coverage_path(-3.0, returns)
    value, index = 1.0, 1.0
    for row, r in enumerate(returns):
        value, index = value * (1 - 3 * r), index * (1 + r)
        assert path.exact[row] == pytest.approx(value / index, rel=1e-12)
    assert path.first_breach == int(np.argmax(np.abs(path.exact - 1) > 0.10))
    variance = float(np.sum(np.log1p(returns) ** 2))
    expected = hedge.coverage_after_move(-3.0, index - 1, variance)
    assert path.approximate[-1] == pytest.approx(expected, rel=1e-12)


def test_coverage_inside_the_band_has_no_breach() -> None:
    assert hedge.coverage_path(-1.0, np.array([0.01, -0.01])).first_breach is None


def test_a_day_that_wipes_out_the_fund_is_refused() -> None:
    with pytest.raises(DegenerateInputError, match="row 1 wipes out a fund of multiple -3"):
        hedge.coverage_path(-3.0, np.array([0.01, 0.34]))


def test_index_futures_agree_with_hull() -> None:
    assert hedge.index_futures_contracts(1.5, 5_050_000, 1010, 250) == pytest.approx(30)
    to_target = hedge.index_futures_contracts(1.5, 5_050_000, 1010, 250, target_beta=0.75)
    assert to_target == pytest.approx(15)


def test_cost_is_per_unit_of_risk_removed() -> None:
    cost = hedge.hedge_cost(
        0.062, 0.42, 0.15, expected_shortfall_unhedged=0.05, expected_shortfall_hedged=0.02
    )
    assert_allclose(cost.per_variance, 0.062 / (0.42**2 - 0.15**2), rtol=1e-14)
    assert_allclose(cost.per_volatility, 0.062 / 0.27, rtol=1e-14)
    assert cost.per_expected_shortfall is not None
    assert_allclose(cost.per_expected_shortfall, 0.062 / 0.03, rtol=1e-14)


def test_a_hedge_that_adds_risk_has_no_cost_per_unit_removed() -> None:
    with pytest.raises(DegenerateInputError, match="removes no volatility"):
        hedge.hedge_cost(0.05, 0.3, 0.3)


@pytest.mark.parametrize(
    ("item", "fund", "error", "message"),
    [
        (np.zeros(40), np.arange(40.0), DegenerateInputError, "item_returns is constant"),
        (np.arange(17.0), np.arange(17.0), InsufficientDataError, "17 observations where 30"),
        (np.arange(40.0), np.arange(39.0), InvalidInputError, "align their dates"),
        (np.full(40, np.nan), np.arange(40.0), InvalidInputError, "not finite"),
    ],
)
def test_variance_reduction_refuses_what_it_cannot_answer(
    item: FloatArray, fund: FloatArray, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        hedge.variance_reduction(item, fund, hedge_notional=0.3)


def test_a_regression_test_without_a_holding_is_refused(bear: Pair) -> None:
    with pytest.raises(InvalidInputError, match="nothing to test"):
        hedge.regression_test(*bear, hedge_notional=0.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 0.6, 5), "multiple must not be 0"),
        ((-3.0, 0.0, 5), "annual_volatility must be positive"),
        ((-3.0, 60.0, 5), "beyond the formula"),
        ((-3.0, 0.6, 0), "n_days must be an integer"),
    ],
)
def test_reset_fund_hedge_refuses_what_the_formula_cannot_take(
    arguments: tuple[float, float, int], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        hedge.reset_fund_hedge(*arguments)
