from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from statsmodels.stats.stattools import durbin_watson as statsmodels_durbin_watson

from analytics.engine.errors import (
    DegenerateInputError,
    InsufficientDataError,
    InvalidInputError,
)
from analytics.engine.regression import (
    automatic_lags,
    bartlett_variance,
    common_samples,
    design,
    durbin_watson,
    least_squares,
    resolve_lags,
    sandwich_law,
)
from analytics.engine.types import FloatArray
from tests.engine.dense import sandwich_moments

# NIST StRD, Norris: y and x, then certified values.
NORRIS_Y = [
    0.1, 338.8, 118.1, 888.0, 9.2, 228.1, 668.5, 998.5, 449.1, 778.9, 559.2, 0.3,
    0.1, 778.1, 668.8, 339.3, 448.9, 10.8, 557.7, 228.3, 998.0, 888.8, 119.6, 0.3,
    0.6, 557.6, 339.3, 888.0, 998.5, 778.9, 10.2, 117.6, 228.9, 668.4, 449.2, 0.2,
]  # fmt: skip
NORRIS_X = [
    0.2, 337.4, 118.2, 884.6, 10.1, 226.5, 666.3, 996.3, 448.6, 777.0, 558.2, 0.4,
    0.6, 775.5, 666.9, 338.0, 447.5, 11.6, 556.0, 228.1, 995.8, 887.6, 120.2, 0.3,
    0.3, 556.8, 339.1, 887.2, 999.0, 779.0, 11.1, 118.3, 229.2, 669.1, 448.9, 0.5,
]  # fmt: skip


def test_norris_agrees_with_the_certified_values() -> None:
    fit = least_squares(design(np.array(NORRIS_X)[:, None]), np.array(NORRIS_Y)[None, :])
    assert_allclose(fit.coefficients[0], [-0.262323073774029, 1.00211681802045], rtol=1e-11)
    assert_allclose(fit.standard_errors[0], [0.232818234301152, 0.429796848199937e-3], rtol=1e-11)
    assert_allclose(fit.residual_standard_deviation[0], 0.884796396144373, rtol=1e-12)
    assert_allclose(fit.r_squared[0], 0.999993745883712, rtol=1e-14)


def test_longley_agrees_with_the_certified_values_to_nine_digits() -> None:
    data = sm.datasets.longley.load_pandas()
    fit = least_squares(
        design(data.exog.to_numpy(dtype=np.float64)), data.endog.to_numpy(dtype=np.float64)[None, :]
    )
    certified = [
        -3482258.63459582, 15.0618722713733, -0.0358191792925910, -2.02022980381683,
        -1.03322686717359, -0.0511041056535807, 1829.15146461355,
    ]  # fmt: skip
    errors = [
        890420.383607373, 84.9149257747669, 0.0334910077722432, 0.488399681651699,
        0.214274163161675, 0.226073200069370, 455.478499142212,
    ]  # fmt: skip
    assert_allclose(fit.coefficients[0], certified, rtol=1e-9)
    assert_allclose(fit.standard_errors[0], errors, rtol=1e-9)


@pytest.mark.parametrize("lags", [0, 1, 4, 20])
@pytest.mark.parametrize("small_sample", [True, False])
def test_hac_errors_agree_with_statsmodels(
    rng: np.random.Generator, lags: int, small_sample: bool
) -> None:
    factors = rng.normal(size=(250, 2))
    y = factors @ [0.4, 0.9] + rng.standard_t(4, 250) * (1 + np.abs(factors[:, 0]))
    oracle = sm.OLS(y, sm.add_constant(factors)).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": small_sample}
    )
    fit = least_squares(design(factors), y[None, :])
    assert_allclose(fit.coefficients[0], oracle.params, rtol=1e-12)
    actual = fit.hac_standard_errors(lags, small_sample=small_sample)[0]
    assert_allclose(actual, oracle.bse, rtol=1e-12)


def test_durbin_watson_agrees_with_statsmodels(rng: np.random.Generator) -> None:
    residuals = rng.normal(size=(3, 80))
    expected = [statsmodels_durbin_watson(row) for row in residuals]
    assert_allclose(durbin_watson(residuals), expected, rtol=1e-13)


def test_variance_inflation_agrees_with_its_definition(rng: np.random.Generator) -> None:
    factors = rng.normal(size=(100, 2))
    factors[:, 1] += 0.8 * factors[:, 0]
    correlation = float(np.corrcoef(factors[:, 0], factors[:, 1])[0, 1])
    assert_allclose(design(factors).variance_inflation, 1 / (1 - correlation**2), rtol=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(0, 12))
def test_bartlett_variance_is_the_mean_of_squared_window_sums(seed: int, lags: int) -> None:
    scores = np.random.default_rng(seed).normal(size=40)
    padded = np.concatenate([np.zeros(lags), scores, np.zeros(lags)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, lags + 1).sum(axis=1)
    expected = np.sum(windows**2) / (lags + 1)
    assert_allclose(bartlett_variance(scores[None, :], lags)[0], expected, rtol=1e-10)


@given(st.integers(0, 2**32 - 1), st.integers(0, 45), st.integers(1, 3))
def test_the_law_of_a_hac_variance_agrees_with_whole_matrices(
    seed: int, lags: int, n_factors: int
) -> None:
    factors = np.random.default_rng(seed).standard_t(4, (40, n_factors))
    factor = design(factors)
    for position in range(n_factors + 1):
        law = factor.law(position, lags)
        expected = sandwich_moments(factor.influence[position], sm.add_constant(factors), lags)
        assert_allclose([law.bias, law.degrees_of_freedom], expected, rtol=1e-7)


def test_the_law_of_a_weighted_slope_agrees_with_whole_matrices(rng: np.random.Generator) -> None:
    x = rng.normal(size=(40, 1))
    influence = 0.9 ** np.arange(40.0)[:, None] * x
    influence /= x.T @ influence
    law = sandwich_law(influence[:, 0], x, 3, influence=influence)
    residual_map = np.eye(40) - x @ influence.T
    distance = np.abs(np.subtract.outer(np.arange(40), np.arange(40)))
    kernel = influence @ influence.T * np.maximum(0, 1 - distance / 4)
    product = residual_map @ residual_map.T @ kernel
    mean = np.trace(product)
    assert_allclose(law.bias, mean / np.sum(influence**2), rtol=1e-11)
    assert_allclose(law.degrees_of_freedom, mean**2 / np.trace(product @ product), rtol=1e-10)


def test_the_law_is_exact_where_the_textbook_has_one() -> None:
    """Weights of one size on residuals free of nothing: White's estimate is chi-square(n)/n."""
    law = sandwich_law(np.full(30, 0.2), np.zeros((30, 1)), 0)
    assert law.bias == pytest.approx(1.0, rel=1e-13)
    assert law.degrees_of_freedom == pytest.approx(30.0, rel=1e-13)


def test_a_slope_without_residuals_has_no_law() -> None:
    with pytest.raises(DegenerateInputError, match="no residual"):
        sandwich_law(np.eye(1, 20)[0], np.eye(20)[:, :1], 3)


@pytest.mark.parametrize(
    ("n_obs", "lags"), [(60, 3), (99, 3), (100, 4), (252, 4), (273, 5), (1000, 6), (2520, 8)]
)
def test_automatic_lags_follow_the_published_rule(n_obs: int, lags: int) -> None:
    assert automatic_lags(n_obs) == lags


@pytest.mark.parametrize("asked", [-1, 2.5, True, "four", 50])
def test_bad_lags_are_refused(asked: int | str) -> None:
    with pytest.raises(InvalidInputError, match="hac_lags"):
        resolve_lags(asked, 50)


@pytest.mark.parametrize(
    ("factors", "error", "message"),
    [
        (np.ones((10, 1)) * 0.1, DegenerateInputError, "regressor 0 is constant over 10"),
        (np.arange(20.0).repeat(2).reshape(20, 2), DegenerateInputError, "collinear"),
        (np.arange(2.0)[:, None], InsufficientDataError, "at least 3 observations, got 2"),
        (np.array([[1.0], [np.nan], [2.0]]), InvalidInputError, "not finite"),
        (np.arange(5.0), InvalidInputError, "two dimensions"),
    ],
)
def test_designs_that_cannot_be_solved_are_refused(
    factors: FloatArray, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        design(factors)


def test_common_samples_group_rows_that_miss_the_same_sessions() -> None:
    observed = np.ones((5, 9), dtype=bool)
    observed[1, 3] = observed[4, 3] = observed[2, 8] = False
    groups = {tuple(rows): tuple(columns) for rows, columns in common_samples(observed)}
    assert groups[0, 3] == tuple(range(9))
    assert groups[1, 4] == (0, 1, 2, 4, 5, 6, 7, 8)
    assert groups[(2,)] == tuple(range(8))
