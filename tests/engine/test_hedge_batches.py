"""Batches, intervals, bands and trades of hedges; the single-series forms are in test_hedge."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from arch.bootstrap import StationaryBootstrap
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from analytics.engine import hedge
from analytics.engine.errors import (
    DegenerateInputError,
    InsufficientDataError,
    InvalidInputError,
)
from analytics.engine.hedge.bands import dependence_block
from analytics.engine.hedge.interval import reduction_intervals
from analytics.engine.hedge.tail_intervals import count_stationary_days, resampled_tails
from analytics.engine.hedge.tails import tail_measures
from analytics.engine.types import FailureReason, FloatArray, IntArray, Verdict
from tests.bench.coverage_hedge import NOMINAL_RANGE, Law, draw
from tests.bench.coverage_tails import coverage as tails_coverage

Pair = tuple[FloatArray, FloatArray]


@pytest.fixture
def bear(pair: Pair, rng: np.random.Generator) -> Pair:
    """An item and a -3x fund that tracks its index with noise."""
    item, index = pair
    return item, -3.0 * index + rng.normal(0, 0.002, index.shape[0])


@pytest.fixture
def ragged(bear: Pair) -> FloatArray:
    """Five items: complete, late, gappy, constant, too short."""
    rows = np.stack([bear[0], bear[0] * 2, bear[0] - 0.5 * bear[1], bear[0] * 0 + 0.01, bear[0]])
    rows[1, :100] = np.nan
    rows[2, [7, 50, 211]] = np.nan
    rows[4, 20:] = np.nan
    return rows


HOLDINGS = np.array([0.45, 0.9, 0.3, 0.4, 0.4])
REASONS = [None, None, None, FailureReason.DEGENERATE, FailureReason.INSUFFICIENT_DATA]


def kept(ragged: FloatArray, fund: FloatArray, row: int) -> Pair:
    here = ~np.isnan(ragged[row])
    return ragged[row, here], fund[here]


def test_batches_of_reductions_equal_their_members(bear: Pair, ragged: FloatArray) -> None:
    batch = hedge.variance_reductions(ragged, bear[1], hedge_notional=HOLDINGS)
    assert batch.ok.tolist() == [True, True, True, False, False]
    assert [failure and failure.reason for failure in batch.failures] == REASONS
    for row in range(3):
        item, fund = kept(ragged, bear[1], row)
        alone = hedge.variance_reduction(item, fund, hedge_notional=HOLDINGS[row])
        assert batch.at(row).n_obs == alone.n_obs == item.size
        assert_allclose(
            [batch.effectiveness[row], batch.ci_low[row], batch.hedged_standard_deviation[row]],
            [alone.effectiveness.value, alone.effectiveness.ci_low,
             (item + HOLDINGS[row] * fund).std(ddof=1)],
            rtol=1e-12,
        )  # fmt: skip
    with pytest.raises(InsufficientDataError, match="20 observations where 30"):
        batch.at(4)


def test_batches_of_tails_equal_sorted_losses(bear: Pair, ragged: FloatArray) -> None:
    batch = hedge.tail_reductions(ragged, bear[1], hedge_notional=HOLDINGS)
    for row in range(3):
        item, fund = kept(ragged, bear[1], row)
        k = hedge.tail_count(item.size, 0.95)
        before, after = np.sort(item)[:k], np.sort(item + HOLDINGS[row] * fund)[:k]
        found = batch.at(row)
        assert found.n_tail == k
        assert found.expected_shortfall == pytest.approx(1 - after.mean() / before.mean())
        assert found.value_at_risk == pytest.approx(1 - after[-1] / before[-1])
    with pytest.raises(InsufficientDataError):
        batch.at(4)


def test_batches_of_regression_tests_agree_with_statsmodels(bear: Pair, ragged: FloatArray) -> None:
    batch = hedge.regression_tests(ragged, bear[1], hedge_notional=HOLDINGS)
    for row in range(3):
        item, fund = kept(ragged, bear[1], row)
        oracle = sm.OLS(item, sm.add_constant(HOLDINGS[row] * fund)).fit()
        found = batch.at(row)
        assert found.f_statistic is not None
        assert_allclose(
            [found.intercept.value, found.slope.value, found.slope_ols_standard_error,
             found.r_squared.value, found.f_statistic],
            [*oracle.params, oracle.bse[1], oracle.rsquared, oracle.fvalue],
            rtol=1e-9,
        )  # fmt: skip
        assert found.p_value == pytest.approx(oracle.f_pvalue, rel=1e-6, abs=1e-300)
    assert batch.at(0).verdict is Verdict.PASS
    with pytest.raises(DegenerateInputError, match="item_returns is constant"):
        batch.at(3)


def test_a_constant_instrument_fails_every_test_of_the_batch(pair: Pair) -> None:
    batch = hedge.regression_tests(np.stack(pair), np.full(300, 0.01), hedge_notional=0.4)
    assert not batch.ok.any()
    with pytest.raises(DegenerateInputError, match="constant"):
        batch.at(1)


@pytest.mark.parametrize(
    "measure", [hedge.variance_reductions, hedge.tail_reductions, hedge.regression_tests]
)
@pytest.mark.parametrize(
    ("holding", "length", "message"),
    [
        ([0.3, 0.4, 0.5], 300, "one value or 2 are needed"),
        (np.nan, 300, "not finite"),
        (0.3, 299, "align the dates"),
    ],
)
def test_batches_refuse_holdings_and_shapes_that_do_not_fit(
    pair: Pair, measure: object, holding: object, length: int, message: str
) -> None:
    assert callable(measure)
    with pytest.raises(InvalidInputError, match=message):
        measure(np.stack(pair), pair[1][:length], hedge_notional=holding)


@pytest.mark.parametrize("law", Law)
@pytest.mark.parametrize(("correlation", "n_obs"), [(0.9, 8), (0.9, 120), (0.995, 252)])
def test_intervals_cover_the_truth_as_often_as_they_say(
    law: Law, correlation: float, n_obs: int
) -> None:
    sample = draw(law, correlation, n_obs, 4000, np.random.default_rng(17))
    net = sample.item + sample.holding * sample.hedge
    given_one = reduction_intervals(sample.item, net, 0.95)
    low, high = NOMINAL_RANGE
    held = (given_one.ci_low <= sample.designated) & (sample.designated <= given_one.ci_high)
    assert low < held.mean() < high
    centered = sample.hedge - sample.hedge.mean(axis=1, keepdims=True)
    slopes = (sample.item * centered).sum(axis=1) / (centered**2).sum(axis=1)
    residual = sample.item - slopes[:, np.newaxis] * sample.hedge
    fitted = reduction_intervals(sample.item, residual, 0.95, fitted_on=sample.hedge)
    held = (fitted.ci_low <= sample.best) & (sample.best <= fitted.ci_high)
    assert low < held.mean() < high


@pytest.mark.parametrize("fitted", [False, True])
def test_interval_is_that_of_a_jackknife_that_leaves_out_each_day(
    bear: Pair, *, fitted: bool
) -> None:
    item, fund = bear[0][:40], bear[1][:40]

    def log_ratio(item: FloatArray, fund: FloatArray) -> float:
        slope = np.cov(item, fund)[0, 1] / np.var(fund, ddof=1) if fitted else -0.4
        return float(np.log(np.var(item - slope * fund) / np.var(item)))

    without = [log_ratio(np.delete(item, day), np.delete(fund, day)) for day in range(40)]
    influence = 39 * (np.mean(without) - np.array(without))
    error = np.sqrt(np.sum(np.diff(influence) ** 2) / (2 * 40 * 39))
    freedom = 2 * np.sum(influence**2) ** 2 / np.sum(influence**4)
    width = error * stats.t.ppf(0.975, min(freedom, 40 - 1 - fitted))
    found = (
        hedge.minimum_variance_hedge(item, fund).at(0).effectiveness
        if fitted
        else hedge.variance_reduction(item, fund, hedge_notional=0.4).effectiveness
    )
    ratio = np.exp(log_ratio(item, fund))
    assert_allclose(
        [found.value, found.standard_error, found.ci_low, found.ci_high],
        [1 - ratio, ratio * error, 1 - ratio * np.exp(width), 1 - ratio * np.exp(-width)],
        rtol=1e-9,
    )


def test_horizon_bands_do_not_depend_on_threads_and_follow_the_seed(bear: Pair) -> None:
    one, two = (
        hedge.horizon_bands(*bear, hedge_notional=0.4, seed=5, horizons=[1, 10], threads=threads)
        for threads in (1, 2)
    )
    assert one == two
    other = hedge.horizon_bands(*bear, hedge_notional=0.4, seed=6, horizons=[1, 10])
    assert one[1].designated != other[1].designated


def test_horizon_bands_hold_the_measured_and_the_closed_form_value(
    rng: np.random.Generator,
) -> None:
    index = rng.normal(0, 0.6 / np.sqrt(252), 2520)
    (band,) = hedge.horizon_bands(
        index, -3 * index, hedge_notional=1 / 3, seed=1, horizons=[15], threads=2
    )
    (measured,) = hedge.horizon_blocks(index, -3 * index, hedge_notional=1 / 3, horizons=[15])
    closed = hedge.reset_fund_hedge(-3, 0.6, 15)
    assert band.designated is not None
    assert band.best is not None
    assert measured.designated is not None
    assert band.n_blocks == measured.n_blocks == 168
    assert band.designated.low < measured.designated.value < band.designated.high
    assert band.designated.low < closed.static_effectiveness < band.designated.high
    assert band.best.low < closed.effectiveness < band.best.high


def test_horizon_bands_agree_with_the_bootstrap_of_arch(rng: np.random.Generator) -> None:
    index = rng.standard_t(5, 756) * 0.02
    item = 1.1 * index + rng.normal(0, 0.008, 756)

    def effectiveness(rows: FloatArray) -> float:
        days = rows[: 75 * 10].reshape(75, 10, 2)
        s, f = (np.prod(1 + days[..., side], axis=1) for side in (0, 1))
        return float(1 - np.var(s + 0.37 * f) / np.var(s))

    fund = -3 * index
    oracle = StationaryBootstrap(8, np.stack([item, fund], axis=1), seed=3)
    theirs = np.array([effectiveness(np.asarray(data[0][0])) for data in oracle.bootstrap(1500)])
    (band,) = hedge.horizon_bands(
        item, fund, hedge_notional=0.37, seed=4, horizons=[10], mean_block=8, n_samples=1500
    )
    assert band.designated is not None
    ours = [band.designated.low, band.designated.median, band.designated.high]
    width = np.quantile(theirs, 0.975) - np.quantile(theirs, 0.025)
    assert_allclose(ours, np.quantile(theirs, [0.025, 0.5, 0.975]), atol=0.15 * width)


def test_tail_bands_agree_with_the_bootstrap_of_arch(bear: Pair) -> None:
    def reduction(rows: FloatArray) -> float:
        worst = [np.sort(rows @ weights)[:15].mean() for weights in ([1, 0], [1, 0.45])]
        return float(1 - worst[1] / worst[0])

    oracle = StationaryBootstrap(6, np.stack(bear, axis=1), seed=8)
    theirs = np.array([reduction(np.asarray(data[0][0])) for data in oracle.bootstrap(2000)])
    found = hedge.tail_reduction_intervals(
        *bear, hedge_notional=0.45, seed=9, n_samples=2000, mean_block=6
    )
    assert found.n_tail == 15
    again = hedge.tail_reduction_intervals(
        *bear, hedge_notional=0.45, seed=9, n_samples=2000, mean_block=6
    )
    assert again == found
    shortfall = found.expected_shortfall
    assert shortfall is not None
    assert shortfall.value == hedge.tail_reduction(*bear, hedge_notional=0.45).expected_shortfall
    assert shortfall.standard_error == pytest.approx(theirs.std(ddof=1), rel=0.06)
    assert shortfall.ci_low < shortfall.value - 1.96 * shortfall.standard_error
    # Twice the normal width would hold the truth far too often, whatever the tail.
    assert shortfall.ci_low > shortfall.value - 4 * shortfall.standard_error


def stationary_rows(
    n_obs: int, n_samples: int, *, mean_block: float, generator: np.random.Generator
) -> IntArray:
    """The kernel's oracle: rows of stationary bootstrap samples of the length of the data."""
    starts = generator.integers(0, n_obs, (n_samples, n_obs))
    restarts = generator.random((n_samples, n_obs)) < 1.0 / mean_block
    restarts[:, 0] = True
    days = np.arange(n_obs)
    block = np.maximum.accumulate(np.where(restarts, days, 0), axis=1)
    rows: IntArray = (np.take_along_axis(starts, block, axis=1) + days - block) % n_obs
    return rows


@pytest.mark.parametrize("mean_block", [1.0, 12.5, 500.0])
def test_counted_days_are_those_of_the_rows(mean_block: float) -> None:
    counts = np.zeros((40, 500), dtype=np.int16)
    count_stationary_days(counts, mean_block=mean_block, generator=np.random.default_rng(2))
    rows = stationary_rows(500, 40, mean_block=mean_block, generator=np.random.default_rng(2))
    assert np.array_equal(counts, [np.bincount(row, minlength=500) for row in rows])


def test_resampled_tails_are_those_of_the_samples(bear: Pair) -> None:
    for rows in (
        stationary_rows(300, 50, mean_block=6.0, generator=np.random.default_rng(3)),
        np.full((1, 300), int(np.argmax(bear[0]))),  # the best day alone: no loss near the tail
    ):
        counts = np.stack([np.bincount(row, minlength=300) for row in rows]).astype(np.int16)
        for found, expected in zip(
            resampled_tails(bear[0], np.ascontiguousarray(counts.T), 15),
            tail_measures(bear[0][rows], 15),
            strict=True,
        ):
            assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("law", Law)
def test_tail_intervals_cover_the_truth(law: Law) -> None:
    """A part of the methodology's table, within the sampling error of so few samples."""
    shares = tails_coverage(law, 0.9, 120, repetitions=200, seed=4)
    assert all(0.90 <= share <= 0.995 for share in shares), shares


def test_tail_intervals_of_a_sample_without_losses_are_null(pair: Pair) -> None:
    gains = np.abs(pair[0]) + 0.001
    found = hedge.tail_reduction_intervals(gains, pair[1], hedge_notional=0.1, seed=1)
    assert found.value_at_risk is None
    assert found.semivariance is None


def test_exact_hedge_removes_the_whole_tail_without_error(pair: Pair) -> None:
    found = hedge.tail_reduction_intervals(
        pair[1], -2.0 * pair[1], hedge_notional=0.5, seed=1
    ).expected_shortfall
    assert found is not None
    assert (found.value, found.standard_error, found.ci_high) == (1.0, 0.0, 1.0)


def test_stationary_rows_walk_in_blocks_of_the_mean_length() -> None:
    rows = stationary_rows(500, 400, mean_block=12.5, generator=np.random.default_rng(2))
    continues = (rows[:, 1:] - rows[:, :-1]) % 500 == 1
    assert continues.mean() == pytest.approx(1 - 1 / 12.5 + 1 / 12.5 / 500, abs=0.003)
    assert np.bincount(rows.ravel(), minlength=500).min() > 200


def test_blocks_reach_at_least_half_the_horizon(bear: Pair) -> None:
    assert dependence_block(*bear, n_days=60) >= 30
    assert dependence_block(np.zeros(10), np.zeros(10)) == 1.0


def test_too_few_blocks_and_still_series_give_no_band(pair: Pair) -> None:
    short = hedge.horizon_bands(*pair, hedge_notional=0.4, seed=1, horizons=[63])[0]
    assert short.designated is None
    assert short.failure is not None
    assert short.failure.reason is FailureReason.INSUFFICIENT_DATA
    still = hedge.horizon_bands(
        np.zeros(100), pair[1][:100], hedge_notional=0.4, seed=1, horizons=[5]
    )[0]
    assert still.failure is not None
    assert still.failure.reason is FailureReason.DEGENERATE


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n_samples": 50}, "n_samples must be an integer of at least 100"),
        ({"seed": -1}, "seed must be an integer of at least 0"),
        ({"mean_block": 0.5}, "mean_block must"),
        ({"confidence_level": 1.0}, "confidence_level must lie"),
    ],
)
def test_bands_refuse_parameters_out_of_range(
    bear: Pair, changed: dict[str, float], message: str
) -> None:
    usual = {"hedge_notional": 0.4, "seed": 1}
    for bands in (hedge.horizon_bands, hedge.tail_reduction_intervals):
        with pytest.raises(InvalidInputError, match=message):
            bands(*bear, **(usual | changed))  # type: ignore[arg-type]  # wrong on purpose


def test_coverage_is_traded_back_when_it_leaves_the_band(rng: np.random.Generator) -> None:
    returns = rng.normal(0, 0.03, 252)
    found = hedge.coverage_band(-3.0, returns, band=0.10, spread=0.001)
    held, sizes, rows = 1.0, [], []
    for row, r in enumerate(returns):
        held *= (1 - 3 * r) / (1 + r)
        assert found.coverage[row] == pytest.approx(held, rel=1e-12)
        if not 0.9 <= held <= 1.1:
            rows.append(row)
            sizes.append(1 - held)
            held = 1.0
    assert found.trade_rows.tolist() == rows
    assert_allclose(found.trades, sizes)
    assert found.n_trades == len(rows) > 50
    assert found.cost == pytest.approx(0.001 * np.abs(sizes).sum())
    assert found.expected_sessions_between == pytest.approx(252 / len(rows))


def test_without_a_breach_nothing_is_traded() -> None:
    found = hedge.coverage_band(-1.0, np.array([0.01, -0.01, 0.02]))
    assert (found.n_trades, found.cost, found.expected_sessions_between) == (0, 0.0, None)


def test_before_its_first_trade_the_band_is_the_path(rng: np.random.Generator) -> None:
    returns = rng.normal(0, 0.02, 60)
    path, found = hedge.coverage_path(-3.0, returns), hedge.coverage_band(-3.0, returns)
    assert path.first_breach == found.trade_rows[0]
    first = found.trade_rows[0] + 1
    assert_allclose(found.coverage[:first], path.exact[:first], rtol=1e-12)


@given(st.sampled_from([-3.0, -2.0, -1.0, 2.0, 3.0]), st.floats(0.02, 0.5), st.floats(0, 0.02))
def test_at_its_trade_back_points_coverage_is_at_its_band(
    multiple: float, band: float, variance: float
) -> None:
    points = hedge.trade_back_points(multiple, band=band, realized_variance=variance)
    for move in (points.up, points.down):
        if move is not None:
            coverage = hedge.coverage_after_move(multiple, move, variance)
            assert abs(coverage - 1.0) == pytest.approx(band, rel=1e-9)


def test_a_minus_three_fund_is_traded_back_within_three_percent() -> None:
    points = hedge.trade_back_points(-3.0)
    assert points.up == pytest.approx(0.9**-0.25 - 1, rel=1e-12)
    assert points.down == pytest.approx(1.1**-0.25 - 1, rel=1e-12)
    with pytest.raises(InvalidInputError, match="does not drift"):
        hedge.trade_back_points(1.0)


def test_costs_are_the_sum_of_their_parts_per_shortfall_removed() -> None:
    cost = hedge.AnnualCost(
        carry=0.02, fee=0.0095, borrow=0.005, expected_compounding=0.01, turnover=12, spread=0.0005
    )
    assert cost.total == pytest.approx(0.0505)
    assert hedge.cost_per_shortfall(cost.total, 0.06, 0.02) == pytest.approx(0.0505 / 0.04)
    with pytest.raises(DegenerateInputError, match="removes no expected shortfall"):
        hedge.cost_per_shortfall(0.05, 0.02, 0.02)


@given(st.integers(0, 2**32 - 1))
def test_other_items_of_a_batch_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    items, fund = rng.normal(0, 0.02, (3, 60)), rng.normal(0, 0.05, 60)
    one = hedge.variance_reductions(items[:1], fund, hedge_notional=0.2)
    three = hedge.variance_reductions(items, fund, hedge_notional=0.2)
    assert_allclose(three.effectiveness[0], one.effectiveness[0], rtol=1e-12)
