from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from statsmodels.regression.rolling import RollingOLS

from analytics.engine import beta
from analytics.engine.errors import (
    DegenerateInputError,
    EngineError,
    InsufficientDataError,
    InvalidInputError,
)
from analytics.engine.types import FailureReason, FloatArray
from tests.engine.dense import multiplier

Pair = tuple[FloatArray, FloatArray]


def test_beta_agrees_with_statsmodels_in_every_served_number(pair: Pair) -> None:
    y, x = pair
    oracle = sm.OLS(y, sm.add_constant(x)).fit()
    robust = oracle.get_robustcov_results("HAC", maxlags=5, use_correction=True, use_t=True)
    result = beta.semiconductor_beta(y, x).at(0)
    assert result.hac_lags == 5
    assert_allclose([result.alpha, result.beta.value], oracle.params, rtol=1e-11)
    assert_allclose(result.ols_standard_error, oracle.bse[1], rtol=1e-12)
    assert_allclose(result.beta.standard_error, robust.bse[1], rtol=1e-12)
    columns = sm.add_constant(x)
    half_width = multiplier(np.linalg.pinv(columns)[1], columns, 5) * robust.bse[1]
    interval = oracle.params[1] + np.array([-half_width, half_width])
    assert_allclose([result.beta.ci_low, result.beta.ci_high], interval, rtol=1e-10)
    assert_allclose(result.r_squared, oracle.rsquared, rtol=1e-12)
    assert result.n_obs == 300


def test_beta_equals_slope_on_noise_free_data(pair: Pair) -> None:
    _, x = pair
    result = beta.semiconductor_beta(0.001 - 3.0 * x, x).at(0)
    assert_allclose(result.beta.value, -3.0, rtol=1e-13)
    assert_allclose(result.r_squared, 1.0, rtol=1e-13)
    assert result.beta.standard_error < 1e-14


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 50), st.floats(-0.1, 0.1))
def test_beta_scales_with_leverage_and_ignores_shifts(
    seed: int, scale: float, shift: float
) -> None:
    rng = np.random.default_rng(seed)
    y, x = rng.normal(0, 0.02, (2, 90))
    plain = beta.semiconductor_beta(y, x).at(0)
    moved = beta.semiconductor_beta(scale * y + shift, x - shift).at(0)
    assert_allclose(moved.beta.value, scale * plain.beta.value, rtol=1e-9, atol=1e-12)
    assert_allclose(moved.beta.standard_error, scale * plain.beta.standard_error, rtol=1e-9)


@given(st.integers(0, 2**32 - 1))
def test_a_batch_equals_one_by_one_with_gaps_and_failures_inside(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, x = rng.normal(0, 0.02, (5, 100)), rng.normal(0, 0.02, 100)
    rows[1, :7] = np.nan
    rows[2, 10] = np.nan
    rows[3] = 0.01
    rows[4, :60] = np.nan
    batch = beta.semiconductor_beta(rows, x)
    assert batch.ok.tolist() == [True, True, True, False, False]
    for index in range(3):
        alone, inside = beta.semiconductor_beta(rows[index], x).at(0), batch.at(index)
        assert alone.n_obs == inside.n_obs
        assert_allclose(inside.beta.value, alone.beta.value, rtol=1e-12)
        assert_allclose(inside.beta.standard_error, alone.beta.standard_error, rtol=1e-10)


@given(st.integers(0, 2**32 - 1))
def test_the_order_of_days_changes_no_ols_number_and_that_of_portfolios_none(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, x = rng.normal(0, 0.02, (4, 90)), rng.normal(0, 0.02, 90)
    plain = beta.semiconductor_beta(rows, x)
    days, portfolios = rng.permutation(90), rng.permutation(4)
    shuffled = beta.semiconductor_beta(rows[:, days], x[days])
    assert_allclose(shuffled.beta, plain.beta, rtol=1e-9, atol=1e-14)
    assert_allclose(shuffled.ols_standard_error, plain.ols_standard_error, rtol=1e-10)
    reordered = beta.semiconductor_beta(rows[portfolios], x)
    assert_allclose(reordered.hac_standard_error, plain.hac_standard_error[portfolios], rtol=1e-12)


@pytest.mark.parametrize("n_obs", [60, 61, 252, 2520])
@pytest.mark.parametrize("form", ["list", "float32", "fortran", "strided", "read-only"])
def test_any_form_of_the_same_numbers_gives_the_same_beta(n_obs: int, form: str) -> None:
    rng = np.random.default_rng(n_obs)
    x = rng.normal(0, 0.02, n_obs).astype(np.float32).astype(np.float64)
    rows = (1.3 * x + rng.normal(0, 0.01, (3, n_obs))).astype(np.float32).astype(np.float64)
    forms = {
        "list": rows.tolist(),
        "float32": rows.astype(np.float32),
        "fortran": np.asfortranarray(rows),
        "strided": np.repeat(rows, 2, axis=1)[:, ::2],
        "read-only": np.broadcast_to(rows, rows.shape),
    }
    given_form = beta.semiconductor_beta(forms[form], x)
    assert_allclose(given_form.beta, beta.semiconductor_beta(rows, x).beta, rtol=1e-13)


def test_gaps_are_dropped_in_pairs(pair: Pair) -> None:
    y, x = pair[0].copy(), pair[1].copy()
    y[[4, 90]], x[[17, 90]] = np.nan, np.nan
    kept = ~(np.isnan(y) | np.isnan(x))
    with_gaps = beta.semiconductor_beta(y, x, hac_lags=3).at(0)
    oracle = sm.OLS(y[kept], sm.add_constant(x[kept])).fit(
        cov_type="HAC", cov_kwds={"maxlags": 3, "use_correction": True}
    )
    assert with_gaps.n_obs == 297
    assert_allclose(with_gaps.beta.value, oracle.params[1], rtol=1e-12)
    assert_allclose(with_gaps.beta.standard_error, oracle.bse[1], rtol=1e-12)


@pytest.mark.parametrize(
    ("row", "reason", "message"),
    [
        (np.full(100, 0.01), FailureReason.DEGENERATE, "portfolio_returns is constant"),
        (np.zeros(100), FailureReason.DEGENERATE, "portfolio_returns is constant"),
        (
            np.where(np.arange(100) < 83, np.nan, np.arange(100.0)),
            FailureReason.INSUFFICIENT_DATA,
            "17 observations where 60 are needed",
        ),
        (np.full(100, np.nan), FailureReason.INSUFFICIENT_DATA, "0 observations"),
        (np.arange(100.0) * 1e200, FailureReason.NON_FINITE, "squares overflow"),
    ],
)
def test_a_portfolio_that_cannot_be_answered_says_why(
    rng: np.random.Generator, row: FloatArray, reason: FailureReason, message: str
) -> None:
    x = rng.normal(0, 0.02, 100)
    batch = beta.semiconductor_beta(np.stack([1.5 * x, row]), x)
    assert_allclose(batch.at(0).beta.value, 1.5, rtol=1e-12)
    with pytest.raises(EngineError, match=message) as caught:
        batch.at(1)
    assert caught.value.reason is reason


def test_constant_benchmark_is_refused_for_every_portfolio(pair: Pair) -> None:
    result = beta.semiconductor_beta(pair[0], np.full(300, 0.001))
    with pytest.raises(DegenerateInputError, match="constant over 300 observations"):
        result.at(0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"min_obs": 2}, "min_obs must be an integer of at least 3"),
        ({"hac_lags": "four"}, "hac_lags"),
        ({"confidence_level": 95}, "confidence_level must lie strictly between 0 and 1"),
    ],
)
def test_bad_parameters_are_refused(pair: Pair, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        beta.semiconductor_beta(*pair, **arguments)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("y", "x", "message"),
    [
        (np.zeros(10), np.zeros(9), "benchmark_returns has 9 entries where 10 are needed"),
        (np.full(10, np.inf), np.zeros(10), "infinite"),
        (np.zeros((2, 2, 2)), np.zeros(2), "one or two dimensions"),
    ],
)
def test_bad_arrays_are_refused(y: FloatArray, x: FloatArray, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        beta.semiconductor_beta(y, x)


@pytest.mark.parametrize("delay", [0.5, 1.0])
def test_an_asset_that_trades_late_is_flagged(rng: np.random.Generator, delay: float) -> None:
    x = rng.normal(0, 0.02, 1260)
    late = 1.5 * ((1 - delay) * x + delay * np.roll(x, 1)) + rng.normal(0, 0.01, 1260)
    assert beta.semiconductor_beta(late, x).at(0).asynchronous


def test_an_asset_that_trades_together_is_not_flagged(pair: Pair) -> None:
    assert not beta.semiconductor_beta(*pair).at(0).asynchronous


def test_serial_correlation_of_the_benchmark_is_not_taken_for_late_trading(
    rng: np.random.Generator,
) -> None:
    x = rng.normal(0, 0.02, 500)
    x[1:] -= 0.9 * x[:-1].copy()
    result = beta.semiconductor_beta(1.5 * x + rng.normal(0, 0.005, 500), x).at(0)
    assert abs(result.lead_lag_correlation[0]) > 0.4
    assert not result.asynchronous


def test_the_interval_covers_the_true_beta_about_95_times_in_100() -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(0, 0.02, 252)
    rows = 1.2 * x + rng.normal(0, 0.01, (2000, 252))
    result = beta.semiconductor_beta(rows, x)
    covered = np.mean((result.ci_low <= 1.2) & (result.ci_high >= 1.2))
    assert 0.93 < covered < 0.97


def test_two_factor_beta_agrees_with_statsmodels(pair: Pair, rng: np.random.Generator) -> None:
    y, x = pair
    market = 0.5 * x + rng.normal(0, 0.008, 300)
    oracle = sm.OLS(y, sm.add_constant(np.stack([market, x], axis=1))).fit()
    robust = oracle.get_robustcov_results("HAC", maxlags=5, use_correction=True, use_t=True)
    result = beta.two_factor_beta(y, market, x).at(0)
    assert_allclose(
        [result.alpha, result.market.value, result.semiconductors.value], oracle.params, rtol=1e-10
    )
    errors = [result.market.standard_error, result.semiconductors.standard_error]
    assert_allclose(errors, robust.bse[1:], rtol=1e-11)
    columns = sm.add_constant(np.stack([market, x], axis=1))
    half_width = multiplier(np.linalg.pinv(columns)[2], columns, 5) * robust.bse[2]
    assert_allclose(result.semiconductors.ci_low, oracle.params[2] - half_width, rtol=1e-10)
    alone = beta.semiconductor_beta(y, x).at(0).beta.value
    assert_allclose(result.semiconductor_beta_alone, alone, rtol=1e-13)


@given(st.integers(0, 2**32 - 1))
def test_joint_beta_is_the_slope_on_the_orthogonalized_factor(seed: int) -> None:
    y, market, semis = np.random.default_rng(seed).normal(0, 0.02, (3, 80))
    joint = beta.two_factor_beta(y, market, semis).at(0).semiconductors.value
    assert_allclose(joint, beta.slope_on_orthogonalized(y, semis, market), rtol=1e-9, atol=1e-13)


def test_a_market_that_repeats_the_semiconductors_is_refused(pair: Pair) -> None:
    result = beta.two_factor_beta(pair[0], 2.0 * pair[1], pair[1])
    with pytest.raises(DegenerateInputError, match="collinear"):
        result.at(0)


def test_rolling_beta_agrees_with_rolling_ols(pair: Pair) -> None:
    y, x = pair
    oracle = RollingOLS(y, sm.add_constant(x), window=60).fit()
    result = beta.rolling_beta(y, x, 60)
    assert not result.valid[0, :59].any()
    assert result.valid[0, 59:].all()
    assert_allclose(result.beta[0, 59:], oracle.params[59:, 1], rtol=1e-11)
    assert_allclose(result.standard_error[0, 59:], oracle.bse[59:, 1], rtol=1e-10)


def test_rolling_beta_drops_gaps_in_pairs(pair: Pair) -> None:
    y, x = pair[0].copy(), pair[1]
    y[[70, 71, 140]] = np.nan
    y[:5] = np.nan
    masked = pd.Series(x).where(~np.isnan(y))
    oracle = (
        pd.Series(y).rolling(60, min_periods=50).cov(masked)
        / masked.rolling(60, min_periods=50).var()
    )
    result = beta.rolling_beta(np.stack([y, pair[0]]), x, 60, min_obs=50)
    assert result.valid[0].sum() == 241
    assert_allclose(result.beta[0, 59:], oracle[59:], rtol=1e-10)
    assert result.n_obs[0, 100] == 58
    assert_allclose(result.beta[1], beta.rolling_beta(pair[0], x, 60).beta[0], rtol=1e-11)


def test_rolling_beta_keeps_its_digits_on_a_large_level(pair: Pair) -> None:
    y, x = pair
    plain = beta.rolling_beta(y, x, 60)
    shifted = beta.rolling_beta(y + 1e3, x + 1e3, 60)
    assert_allclose(shifted.beta[0, 59:], plain.beta[0, 59:], rtol=1e-7)


def test_windows_without_movement_have_no_rolling_beta(pair: Pair) -> None:
    x = pair[1].copy()
    x[100:180] = 0.001
    result = beta.rolling_beta(pair[0], x, 60)
    assert not result.valid[0, 159:180].any()
    assert result.valid[0, 180:].all()


@given(st.integers(0, 2**32 - 1), st.integers(3, 40))
def test_adding_future_rows_changes_no_rolling_beta(seed: int, extra: int) -> None:
    y, x = np.random.default_rng(seed).normal(0, 0.02, (2, 80 + extra))
    before = beta.rolling_beta(y[:80], x[:80], 20)
    after = beta.rolling_beta(y, x, 20)
    assert_allclose(after.beta[:, :80], before.beta, rtol=1e-9, atol=1e-11)
    assert_allclose(after.standard_error[:, :80], before.standard_error, rtol=1e-9)


def test_a_window_longer_than_the_data_has_no_value(pair: Pair) -> None:
    assert not beta.rolling_beta(pair[0], pair[1], 301).valid.any()


def test_ewma_beta_follows_the_recursion_of_its_seed(pair: Pair) -> None:
    y, x = pair
    covariance, variance = y[0] * x[0], x[0] ** 2
    for r, f in zip(y[1:], x[1:], strict=True):
        covariance = 0.94 * covariance + 0.06 * r * f
        variance = 0.94 * variance + 0.06 * f * f
    result = beta.ewma_beta(y, x, seed="first_observation")
    assert_allclose(result.beta.value, covariance / variance, rtol=1e-12)
    weights = 0.94 ** np.arange(299, -1, -1)
    oracle = sm.WLS(y, x, weights=weights).fit(cov_type="HC0")
    normalized = beta.ewma_beta(y, x)
    assert_allclose(normalized.beta.value, oracle.params[0], rtol=1e-12)
    assert_allclose(normalized.beta.standard_error, oracle.bse[0], rtol=1e-12)
    assert_allclose(normalized.effective_n_obs, 1.94 / 0.06, rtol=1e-14)


def test_a_batch_of_ewma_betas_equals_one_by_one(pair: Pair) -> None:
    rows = np.stack([pair[0], pair[0], np.zeros(300), pair[1]])
    rows[1, 280:285] = np.nan
    rows[3, 20:] = np.nan
    batch = beta.ewma_betas(rows, pair[1])
    assert batch.ok.tolist() == [True, True, False, False]
    kept = ~np.isnan(rows[1])
    for index, sample in ((0, slice(None)), (1, kept)):
        alone = beta.ewma_beta(rows[index, sample], pair[1][sample])
        assert_allclose(batch.at(index).beta.value, alone.beta.value, rtol=1e-12)
        assert_allclose(batch.at(index).beta.ci_high, alone.beta.ci_high, rtol=1e-10)
    with pytest.raises(InsufficientDataError, match="20 observations where 30"):
        batch.at(3)


def test_up_and_down_betas_agree_with_regressions_on_each_side(pair: Pair) -> None:
    y, x = pair
    result = beta.up_down_beta(y, x, hac_lags=0)
    low, high = x < x.mean(), x > x.mean()
    down = sm.OLS(y[low], sm.add_constant(x[low])).fit(cov_type="HC1")
    up = sm.OLS(y[high], sm.add_constant(x[high])).fit(cov_type="HC1")
    assert_allclose(
        [result.down.value, result.up.value], [down.params[1], up.params[1]], rtol=1e-12
    )
    assert_allclose(result.down.standard_error, down.bse[1], rtol=1e-12)
    assert_allclose(result.up.standard_error, up.bse[1], rtol=1e-12)
    expected = np.sum(y * np.minimum(x, 0)) / np.sum(np.minimum(x, 0) ** 2)
    assert_allclose(result.lower_partial, expected, rtol=1e-12)
    columns = np.stack([low, low * x, high, high * x], axis=1)
    inverse = np.linalg.pinv(columns)
    half_width = multiplier(inverse[1] - inverse[3], columns, 0) * result.difference.standard_error
    assert_allclose(result.difference.ci_high - result.difference.value, half_width, rtol=1e-9)


def test_a_batch_of_up_and_down_betas_equals_one_by_one(pair: Pair) -> None:
    rows = np.stack([pair[0], -2.0 * pair[0], pair[0], np.full(300, 0.01), pair[1]])
    rows[2, 5:9] = np.nan
    rows[4, 40:] = np.nan
    batch = beta.up_down_betas(rows, pair[1])
    assert batch.ok.tolist() == [True, True, True, False, False]
    for index, kept in ((0, slice(None)), (1, slice(None)), (2, ~np.isnan(rows[2]))):
        alone = beta.up_down_beta(rows[index, kept], pair[1][kept])
        inside = batch.at(index)
        for name in ("down", "up", "difference"):
            expected, actual = getattr(alone, name), getattr(inside, name)
            assert_allclose(actual.value, expected.value, rtol=1e-12)
            assert_allclose(actual.ci_low, expected.ci_low, rtol=1e-10)
        assert_allclose(inside.lower_partial, alone.lower_partial, rtol=1e-12)
        assert (inside.n_down, inside.threshold) == (alone.n_down, alone.threshold)
    with pytest.raises(InsufficientDataError, match="40 observations where 60"):
        batch.at(4)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 50))
def test_ewma_and_sided_betas_scale_with_leverage(seed: int, scale: float) -> None:
    y, x = np.random.default_rng(seed).normal(0, 0.02, (2, 120))
    sides, scaled = (beta.up_down_beta(k * y, x, min_obs_per_side=20) for k in (1.0, scale))
    ewma, scaled_ewma = (beta.ewma_beta(k * y, x).beta for k in (1.0, scale))
    for plain, moved in (
        (sides.down, scaled.down),
        (sides.difference, scaled.difference),
        (ewma, scaled_ewma),
    ):
        assert_allclose(moved.value, scale * plain.value, rtol=1e-9, atol=1e-12)
        assert_allclose(moved.ci_high, scale * plain.ci_high, rtol=1e-8, atol=1e-11)
    assert_allclose(sides.difference.value, sides.down.value - sides.up.value, rtol=1e-12)


def test_the_up_down_difference_uses_one_error_for_both_sides(pair: Pair) -> None:
    y, x = pair
    side = (x > x.mean()).astype(float)
    regressors = np.stack([np.ones(300), side, x * (1 - side), x * side], axis=1)
    oracle = sm.OLS(y, regressors).fit(
        cov_type="HAC", cov_kwds={"maxlags": 4, "use_correction": True}
    )
    contrast = np.array([0.0, 0.0, 1.0, -1.0])
    expected = np.sqrt(contrast @ oracle.cov_params() @ contrast)
    result = beta.up_down_beta(y, x, hac_lags=4)
    assert_allclose(result.difference.standard_error, expected, rtol=1e-10)


def test_too_few_days_on_a_side_are_refused(pair: Pair) -> None:
    with pytest.raises(InsufficientDataError, match="up side of the benchmark has"):
        beta.up_down_beta(*pair, threshold=0.04)


def test_look_through_sees_multiples_and_options() -> None:
    result = beta.look_through_beta(
        np.array(
            [
                400_000.0,
                beta.fund_exposure(100_000.0, 3.0),
                beta.fund_exposure(50_000.0, -3.0),
                beta.option_exposure(10.0, 100.0, -0.4, 250.0),
                450_000.0,
            ]
        ),
        np.array([1.1, 1.0, 1.0, 1.0, 0.0]),
        1_000_000.0,
        headline_exposures=np.array([400_000.0, 100_000.0, 50_000.0, 0.0, 450_000.0]),
    )
    assert_allclose(result.contributions[0], [0.44, 0.30, -0.15, -0.10, 0.0], atol=1e-15)
    assert_allclose(result.beta, 0.49, rtol=1e-14)
    assert_allclose(result.beta_ignoring_leverage, 0.59, rtol=1e-14)


def test_look_through_answers_for_each_portfolio_of_a_batch(rng: np.random.Generator) -> None:
    exposures, betas = rng.normal(size=(4, 6)) * 1e6, rng.normal(1, 0.3, 6)
    nav = rng.uniform(1e6, 2e6, 4)
    batch = beta.look_through_beta(exposures, betas, nav, headline_exposures=exposures)
    for row in range(4):
        alone = beta.look_through_beta(
            exposures[row], betas, nav[row], headline_exposures=exposures[row]
        )
        assert_allclose(batch.beta[row], alone.beta[0], rtol=1e-13)
    assert_allclose(batch.contributions.sum(axis=1), batch.beta, rtol=1e-12)


@pytest.mark.parametrize("nav", [0.0, -5.0, np.nan])
def test_a_nav_that_is_not_positive_is_refused(nav: float) -> None:
    with pytest.raises(InvalidInputError, match="nav"):
        beta.look_through_beta(np.ones(1), np.ones(1), nav, headline_exposures=np.ones(1))


def test_portfolio_beta_error_equals_that_of_the_aggregated_regression(
    rng: np.random.Generator,
) -> None:
    x = rng.normal(0, 0.02, 120)
    returns = np.outer(x, [1.0, 1.4, 0.6]) + rng.multivariate_normal(
        np.zeros(3), 1e-4 * (0.5 + 0.5 * np.eye(3)), 120
    )
    weights = np.array([0.5, 0.3, 0.2])
    result = beta.portfolio_beta_standard_error(returns, weights, x)
    oracle = sm.OLS(returns @ weights, sm.add_constant(x)).fit()
    assert_allclose(result.beta[0], oracle.params[1], rtol=1e-12)
    assert_allclose(result.standard_error[0], oracle.bse[1], rtol=1e-12)
    assert result.ignoring_residual_correlation[0] < result.standard_error[0]


@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_risk_contributions_sum_to_volatility(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    root, weights = rng.normal(size=(size, size + 2)), rng.normal(size=(3, size))
    covariance = root @ root.T
    expected = np.sqrt(np.diag(weights @ covariance @ weights.T))
    assert_allclose(beta.risk_contributions(weights, covariance).sum(axis=1), expected, rtol=1e-9)


def test_a_portfolio_without_variance_has_no_risk_to_attribute() -> None:
    with pytest.raises(DegenerateInputError, match="no variance"):
        beta.risk_contributions(np.zeros(2), np.eye(2))


@pytest.mark.parametrize("multiple", [-3.0, -1.0, 2.0, 3.0])
def test_horizon_beta_agrees_with_every_path_of_a_binomial_tree(multiple: float) -> None:
    step = 0.6 / np.sqrt(252)
    signs = 1.0 - 2.0 * ((np.arange(1024)[:, None] >> np.arange(10)) & 1)
    index = np.prod(1 + step * signs, axis=1)
    fund = np.prod(1 + multiple * step * signs, axis=1)
    expected = np.cov(fund, index)[0, 1] / np.var(index, ddof=1)
    assert_allclose(beta.horizon_beta(multiple, 0.6, 10), expected, rtol=1e-10)


def test_horizon_beta_of_one_day_or_no_volatility_is_the_multiple() -> None:
    assert beta.horizon_beta(-3.0, 0.6, 1) == pytest.approx(-3.0, rel=1e-13)
    assert beta.horizon_beta(-3.0, 0.0, 50) == -3.0
    assert beta.horizon_beta(-3.0, 1e-7, 50) == pytest.approx(-3.0, rel=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((-3, 10.0, 5), "beyond the formula"), ((-3, 0.6, 0), "n_days"), ((-3, -0.1, 5), "volat")],
)
def test_horizon_beta_refuses_what_the_formula_cannot_take(
    arguments: tuple[float, float, int], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        beta.horizon_beta(*arguments)


def test_intraday_multiple_is_the_slope_left_after_a_move() -> None:
    drifted = beta.intraday_multiple(-3.0, 0.05)
    bump = 1e-7
    fund = (1 - 3 * (0.05 + 1.05 * bump)) / (1 - 3 * 0.05) - 1
    assert drifted == pytest.approx(fund / bump, rel=1e-7)
    with pytest.raises(DegenerateInputError, match="wipes out"):
        beta.intraday_multiple(-3.0, 0.34)


def test_option_beta_is_elasticity_times_beta() -> None:
    assert beta.option_beta(0.522, 49.0, 2.40, 1.2) == pytest.approx(12.789, rel=1e-12)
