from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import t as student

from analytics.engine import leverage
from analytics.engine.errors import (
    DegenerateInputError,
    InsufficientDataError,
    InvalidInputError,
)
from analytics.engine.types import FloatArray
from tests.bench.coverage_leverage import coverage


@pytest.fixture
def index(rng: np.random.Generator) -> FloatArray:
    return 0.02 * rng.standard_t(6, 1000)


@pytest.fixture
def long_index(rng: np.random.Generator) -> FloatArray:
    return 0.02 * rng.standard_t(6, 1300)


def test_the_distribution_of_normal_days_is_that_of_the_closed_law() -> None:
    rng = np.random.default_rng(8)
    days = rng.standard_normal(200_000)
    days = 0.6 / np.sqrt(252) * (days - days.mean()) / days.std()
    ahead = leverage.forward_distribution(
        days, [-3.0, 3.0], horizons=[21], n_paths=100_000, seed=1, mean_block=1.0
    )
    for fund, multiple in enumerate((-3.0, 3.0)):
        law = leverage.forward_outlook(multiple, 0.6, 21 / 252)
        found = ahead.at(fund, 0)
        assert_allclose(found.mean_return, law.mean_return, atol=0.006)
        assert_allclose(found.median_return, law.median_return, atol=0.012)
        assert_allclose(found.probability_of_loss, law.probability_of_loss, atol=0.012)
        assert_allclose(found.quantile_returns, law.quantile_returns, atol=0.03)


def test_summaries_follow_from_the_quantiles_of_one_period(index: FloatArray) -> None:
    found = leverage.forward_distribution(
        index, [2.0], horizons=[1], n_paths=50_000, seed=2, mean_block=1.0
    ).at(0, 0)
    fund = 2.0 * index
    assert_allclose(
        found.quantile_returns, np.quantile(fund, (0.05, 0.25, 0.5, 0.75, 0.95)), atol=2e-3
    )
    worst = np.sort(fund)[:50]
    assert_allclose(found.expected_shortfall, -worst.mean(), rtol=0.02)
    assert_allclose(found.probability_of_loss, (fund < 0).mean(), atol=0.01)
    assert abs(found.mean_drag) < 1e-15
    assert found.interval_low < found.quantile_returns[0]


def test_the_interval_is_widened_for_the_horizons_in_the_sample(index: FloatArray) -> None:
    batch = leverage.forward_distribution(
        index, [3.0], horizons=[50], n_paths=5_000, seed=1, quantile_levels=(0.025, 0.975)
    )
    found = batch.at(0, 0)
    factor = student.ppf(0.975, 19) / 1.959963984540054 * np.sqrt(1 + 50 / 1000)
    logs = np.log1p([*found.quantile_returns, found.median_return])
    expected = np.expm1(logs[2] + factor * (logs[:2] - logs[2]))
    assert_allclose([found.interval_low, found.interval_high], expected, rtol=1e-10)


def test_funds_share_their_days_and_appear_in_any_order(index: FloatArray) -> None:
    answer = partial(leverage.forward_distribution, index, horizons=[5, 21], n_paths=3_000, seed=4)
    both, swapped, alone = answer([3.0, -3.0]), answer([-3.0, 3.0]), answer([-3.0])
    for name in ("mean_return", "median_return", "expected_shortfall", "drag_low"):
        assert_allclose(getattr(both, name), getattr(swapped, name)[::-1], rtol=1e-12)
        assert_allclose(getattr(both, name)[1], getattr(alone, name)[0], rtol=1e-12)


def test_own_indexes_share_days_too(index: FloatArray) -> None:
    own = leverage.forward_distribution(
        np.stack([index, index]), [3.0, -3.0], horizons=[21], n_paths=2_000, seed=4
    )
    common = leverage.forward_distribution(index, [3.0, -3.0], horizons=[21], n_paths=2_000, seed=4)
    assert_allclose(own.mean_return, common.mean_return, rtol=1e-12)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from([-3.0, -2.0, 2.0, 3.0]))
def test_quantiles_are_in_order_and_probabilities_between_0_and_1(seed: int, m: float) -> None:
    days = np.random.default_rng(seed).normal(0, 0.03, 300)
    found = leverage.forward_distribution(days, [m], n_paths=500, seed=seed)
    for row in range(4):
        cell = found.at(0, row)
        ordered = (
            cell.interval_low,
            *cell.quantile_returns,
            cell.interval_high,
        )
        assert list(ordered) == sorted(ordered)
        assert cell.drag_low <= cell.median_drag <= cell.drag_high
        assert 0 <= cell.probability_of_loss <= 1
        assert cell.expected_shortfall >= -cell.quantile_returns[0]
        assert cell.interval_low >= -1.0


def test_carry_moves_the_distribution_by_its_growth(index: FloatArray) -> None:
    free = leverage.forward_distribution(index, [-3.0], horizons=[5], n_paths=2_000, seed=1)
    paid = leverage.forward_distribution(
        index, [-3.0], horizons=[5], n_paths=2_000, seed=1, daily_carry=0.0005
    )
    assert_allclose(paid.mean_return - free.mean_return, 5 * 0.0005, rtol=0.05)


def test_a_day_that_wipes_the_fund_out_ends_its_path() -> None:
    days = np.random.default_rng(1).normal(0, 0.02, 400)
    days[7] = 0.35
    found = leverage.forward_distribution(days, [-3.0, 3.0], horizons=[21], n_paths=5_000, seed=1)
    bear, bull = found.at(0, 0), found.at(1, 0)
    assert bear.probability_of_ruin == pytest.approx(1 - (1 - 1 / 400) ** 21, abs=0.02)
    assert bull.probability_of_ruin == 0.0
    assert found.quantile_returns[0, 0, 0] >= -1.0


@pytest.mark.parametrize(
    ("days", "change", "error", "message"),
    [
        (100, {}, InsufficientDataError, "index_returns has 100 observations where 252"),
        (260, {"horizons": [70]}, InsufficientDataError, "where 280 are needed"),
        (300, {"quantile_levels": [0.0]}, InvalidInputError, "quantile_levels"),
        (300, {"confidence_level": 1.0}, InvalidInputError, "confidence_level"),
        (300, {"daily_carry": np.nan}, InvalidInputError, "daily_carry"),
    ],
)
def test_what_cannot_be_answered_is_refused(
    days: int, change: dict[str, object], error: type[Exception], message: str
) -> None:
    index = np.random.default_rng(1).normal(0, 0.02, days)
    with pytest.raises(error, match=message):
        leverage.forward_distribution(index, [3.0], **change)  # type: ignore[arg-type]


def test_a_still_index_is_refused() -> None:
    with pytest.raises(DegenerateInputError, match="constant"):
        leverage.forward_distribution(np.full(300, 0.01), [3.0])
    with pytest.raises(InvalidInputError, match="2 rows where 1 or 3"):
        leverage.forward_distribution(np.zeros((2, 300)), [1.0, 2.0, 3.0])


def test_blocks_are_as_long_as_half_the_horizon_but_no_twelfth_of_the_sample() -> None:
    days = np.random.default_rng(3).normal(0, 0.02, 1000)
    assert leverage.forward_block_length(days, 63) == 31.5
    assert leverage.forward_block_length(days[:252], 63) == 21.0


def test_expected_drag_is_the_mean_of_daily_drags(long_index: FloatArray) -> None:
    found = leverage.expected_log_drag(long_index, -3.0, 21)
    assert found.value == pytest.approx(
        leverage.log_drag(-3.0, long_index).exact * 21 / 1300, rel=1e-12
    )
    assert found.ci_low < found.value < found.ci_high < 0
    doubled = leverage.expected_log_drag(long_index, -3.0, 42)
    assert doubled.ci_low == pytest.approx(2 * found.ci_low, rel=1e-12)


def test_expected_drag_is_refused_without_drag_or_data(long_index: FloatArray) -> None:
    with pytest.raises(DegenerateInputError, match="does not drag"):
        leverage.expected_log_drag(long_index, 1.0, 21)
    with pytest.raises(InsufficientDataError, match="where 1260"):
        leverage.expected_log_drag(long_index[:700], -3.0, 21)
    with pytest.raises(DegenerateInputError, match="row 5 wipes"):
        leverage.expected_log_drag(np.where(np.arange(1300) == 5, 0.4, long_index), -3.0, 21)


@pytest.mark.parametrize("law", ["independent", "clustered"])
def test_intervals_cover_the_truth(law: str) -> None:
    # 250 samples: four standard errors of 95 % are 5.5 points; the table is in the methodology.
    found = coverage(law, 1_260, 21, 250, n_paths=1_000)
    assert all(share is not None and 0.895 <= share <= 0.995 for share in found.shares)


def test_expected_drag_of_three_years_is_refused_and_counted_as_such() -> None:
    assert coverage("clustered", 756, 21, 2, n_paths=100).expected_drag is None


def test_break_evens_by_horizon() -> None:
    expected = np.expm1(-2.0 * 0.36 * np.array([5, 15, 21, 63]) / 252)
    assert_allclose(leverage.break_even_returns(-3, 0.6), expected, rtol=1e-12)
    with pytest.raises(InvalidInputError, match="horizons"):
        leverage.break_even_returns(-3, 0.6, horizons=[0])
