from __future__ import annotations

import ast
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from statsmodels.api import OLS, add_constant
from statsmodels.stats.diagnostic import recursive_olsresiduals
from statsmodels.tsa.regime_switching import markov_regression
from statsmodels.tsa.regime_switching.markov_autoregression import MarkovAutoregression
from statsmodels.tsa.regime_switching.markov_regression import MarkovRegression

from analytics.engine import markov_switching, regime, structural_break
from analytics.engine.errors import DegenerateInputError, InsufficientDataError, InvalidInputError
from analytics.engine.reference.public_series import hamilton_gnp
from analytics.engine.types import FloatArray

SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def hamilton() -> markov_switching.SwitchingModel:
    return markov_switching.markov_switching(hamilton_gnp(), order=4, switching="mean")


def test_the_carried_series_is_the_one_of_statsmodels() -> None:
    folder = Path(markov_regression.__file__).parent / "tests"
    tree = ast.parse((folder / "test_markov_autoregression.py").read_text())
    (listed,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "rgnp"
    )
    assert_array_equal(hamilton_gnp(), ast.literal_eval(listed))


def test_hamiltons_model_agrees_with_eviews(hamilton: markov_switching.SwitchingModel) -> None:
    assert hamilton.stay_first == pytest.approx(0.754673, abs=2e-5)
    assert hamilton.leave_second == pytest.approx(0.095915, abs=2e-5)
    assert_allclose(hamilton.means, [-0.358811, 1.163516], atol=2e-5)
    assert_allclose(np.log(hamilton.standard_deviations), -0.262658, atol=2e-5)
    assert_allclose(hamilton.autoregression, [0.013486, -0.057521, -0.246983, -0.212923], atol=2e-5)
    assert hamilton.log_likelihood == pytest.approx(-181.26339, abs=1e-5)


def test_filtered_probabilities_agree_with_statsmodels(
    hamilton: markov_switching.SwitchingModel,
) -> None:
    oracle = MarkovAutoregression(hamilton_gnp(), k_regimes=2, order=4, switching_ar=False)
    parameters = np.concatenate(
        [
            [hamilton.stay_first, hamilton.leave_second],
            hamilton.means,
            hamilton.standard_deviations[:1] ** 2,
            hamilton.autoregression,
        ]
    )
    filtered = oracle.filter(parameters)
    assert_allclose(hamilton.filtered, filtered.filtered_marginal_probabilities, atol=1e-8)
    assert hamilton.log_likelihood == pytest.approx(filtered.llf, rel=1e-10)


def test_a_switching_variance_agrees_with_statsmodels() -> None:
    rng = np.random.default_rng(11)
    high = np.repeat([False, True, False, True, False], [90, 40, 110, 30, 80])
    returns = rng.standard_normal(350) * np.where(high, 0.03, 0.01)
    found = markov_switching.markov_switching(returns)
    model = MarkovRegression(
        100 * returns, k_regimes=2, trend="c", switching_trend=False, switching_variance=True
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        oracle = model.fit(disp=False, search_reps=5)
    assert found.log_likelihood == pytest.approx(oracle.llf + 350 * np.log(100), abs=0.01)
    deviations = np.sort(np.sqrt(oracle.params[-2:])) / 100
    assert_allclose(found.standard_deviations, deviations, rtol=0.01)
    assert (found.filtered[high[0:], 1] > 0.5).mean() > 0.8


def test_states_are_ordered_by_variance() -> None:
    rng = np.random.default_rng(2)
    returns = rng.standard_normal(200) * np.repeat([0.03, 0.01], 100)
    for series in (returns, returns[::-1]):
        found = markov_switching.markov_switching(series)
        assert found.standard_deviations[0] < found.standard_deviations[1]


@settings(max_examples=25)
@given(SEEDS, st.integers(5, 60))
def test_the_filter_looks_at_no_later_day(seed: int, cut: int) -> None:
    returns = np.random.default_rng(seed).normal(0, 0.02, 80)
    matrix, deviations = np.array([[0.95, 0.1], [0.05, 0.9]]), np.array([0.01, 0.03])
    whole = regime.hamilton_filter(returns, matrix, deviations)
    part = regime.hamilton_filter(returns[:cut], matrix, deviations)
    assert_array_equal(whole.probabilities[:cut], part.probabilities)
    assert_allclose(whole.probabilities.sum(axis=1), 1.0, rtol=1e-12)


def test_the_filter_survives_impossible_looking_days() -> None:
    matrix, deviations = np.array([[0.95, 0.1], [0.05, 0.9]]), np.array([0.01, 0.03])
    filtered = regime.hamilton_filter(np.array([0.0, 2.0, 0.0]), matrix, deviations)
    assert filtered.probabilities[1, 1] == pytest.approx(1.0)
    assert np.isfinite(filtered.log_likelihood)


@pytest.mark.parametrize(
    ("matrix", "deviations", "message"),
    [
        ([[0.9, 0.2], [0.2, 0.8]], [0.01, 0.03], "columns that sum to 1"),
        ([[0.9, 0.2], [0.1, 0.8]], [0.03, 0.01], "order the states by variance"),
        ([[0.9, 0.2], [0.1, 0.8]], [0.0, 0.01], "must be positive"),
    ],
)
def test_parameters_that_are_none_are_refused(
    matrix: list[list[float]], deviations: list[float], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        regime.hamilton_filter(np.zeros(3), np.array(matrix), np.array(deviations))


def _calm_wild_calm(rng: np.random.Generator) -> FloatArray:
    return np.asarray(rng.standard_normal(700) * np.repeat([0.01, 0.03, 0.01], [400, 100, 200]))


def test_a_regime_begins_and_ends_with_hysteresis(rng: np.random.Generator) -> None:
    found = regime.volatility_regime(_calm_wild_calm(rng))
    assert found.defined.sum() == 700 - 271
    assert found.is_high[430:495].all()
    assert not found.is_high[600:].any()
    volatility = found.annual_volatility[499]
    assert volatility == pytest.approx(0.03 * np.sqrt(252), rel=0.35)


@settings(max_examples=15)
@given(SEEDS, st.integers(300, 390))
def test_later_returns_change_no_regime(seed: int, cut: int) -> None:
    returns = np.random.default_rng(seed).standard_t(3, 400) * 0.01
    whole = regime.volatility_regime(returns)
    part = regime.volatility_regime(returns[:cut])
    assert_array_equal(whole.is_high[:cut], part.is_high)
    assert_array_equal(whole.percentile[:cut], part.percentile)


def test_percentiles_are_shares_of_the_lookback(rng: np.random.Generator) -> None:
    returns = rng.normal(0, 0.01, 300)
    found = regime.volatility_regime(returns, window=10, lookback=50)
    own = np.array([np.sqrt(252 * np.mean(returns[i - 9 : i + 1] ** 2)) for i in range(9, 300)])
    assert_allclose(found.annual_volatility[9:], own, rtol=1e-12)
    assert found.percentile[-1] == pytest.approx((own[-50:] <= own[-1]).mean())


def test_regimes_need_room() -> None:
    with pytest.raises(InsufficientDataError, match="returns has 100 observations where 272"):
        regime.volatility_regime(np.zeros(100))
    with pytest.raises(InvalidInputError, match="leave must lie below enter"):
        regime.volatility_regime(np.zeros(400), enter=0.5, leave=0.6)
    with pytest.raises(DegenerateInputError, match="constant"):
        markov_switching.markov_switching(np.zeros(100))
    with pytest.raises(InvalidInputError, match="order must be at most 4"):
        markov_switching.markov_switching(np.arange(100.0), order=5)


def test_chows_statistic_is_that_of_three_regressions(rng: np.random.Generator) -> None:
    x = rng.normal(0, 0.02, 80)
    y = np.where(np.arange(80) < 50, 1.0, 1.8) * x + rng.normal(0, 0.005, 80)
    found = structural_break.chow_test(y, x, 50)
    fits = [
        OLS(y[part], add_constant(x[part])).fit() for part in (slice(80), slice(50), slice(50, 80))
    ]
    apart = fits[1].ssr + fits[2].ssr
    assert found.f_statistic == pytest.approx(((fits[0].ssr - apart) / 2) / (apart / 76), rel=1e-9)
    dummy = (np.arange(80) >= 50).astype(float)
    full = OLS(y, np.column_stack([np.ones(80), x, dummy, dummy * x])).fit()
    joint = full.f_test(np.eye(4)[2:])
    assert found.p_value == pytest.approx(float(joint.pvalue), rel=1e-6)
    assert found.slope_change == pytest.approx(full.params[3], rel=1e-9)


def test_the_cusum_follows_the_recursive_residuals(rng: np.random.Generator) -> None:
    x = rng.normal(0, 0.02, 120)
    y = 1.2 * x + rng.normal(0, 0.004, 120) + np.where(np.arange(120) > 70, 0.006, 0.0)
    found = structural_break.cusum_test(y, x)
    scaled = recursive_olsresiduals(OLS(y, add_constant(x)).fit(), skip=2)[4][2:]
    assert_allclose(found.path, np.cumsum(scaled) / scaled.std(ddof=1), rtol=1e-8)
    assert found.crossed_at is not None
    assert 71 < found.crossed_at < 119
    steady = structural_break.cusum_test(1.2 * x + rng.normal(0, 0.004, 120), x)
    assert steady.crossed_at is None


def test_breaks_need_both_sides_and_known_levels(rng: np.random.Generator) -> None:
    x = rng.normal(0, 0.02, 40)
    with pytest.raises(InsufficientDataError, match="after the event"):
        structural_break.chow_test(x, x, 35)
    with pytest.raises(DegenerateInputError, match="fit exactly"):
        structural_break.chow_test(2 * x, x, 20)
    with pytest.raises(InvalidInputError, match="significance must be one of"):
        structural_break.cusum_test(x, x, significance=0.2)
