from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from analytics.engine.batch.rolling_kernels import ragged_rolling_betas
from analytics.engine.beta import rolling_beta
from analytics.engine.errors import InvalidInputError
from tests.engine.batch.ragged import ragged_market


@given(st.integers(0, 2**32 - 1), st.integers(3, 60), st.integers(3, 60), st.floats(0.0, 0.6))
def test_the_kernel_gives_the_numbers_of_the_readable_form(
    seed: int, window: int, min_obs: int, missing: float
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(0.0, 0.01, 90)
    rows = rng.uniform(-1, 2, (4, 1)) * x + rng.normal(0.001, 0.01, (4, 90))
    rows[rng.random(rows.shape) < missing] = np.nan
    x[rng.random(90) < 0.02] = np.nan
    fewest = min(min_obs, window)
    got = ragged_rolling_betas(rows, x, window, min_obs=fewest)
    plain = rolling_beta(rows, x, window, min_obs=fewest)
    assert_array_equal(got.n_obs, np.where(plain.valid, plain.n_obs, 0))
    assert_allclose(got.beta, plain.beta, rtol=1e-9, atol=1e-11)
    assert_allclose(got.standard_error**2, plain.standard_error**2, rtol=1e-8, atol=1e-12)


def test_statsmodels_finds_the_same_betas_and_errors_over_gaps() -> None:
    case = ragged_market()
    rows = case.panel.T[:12].copy()
    got = ragged_rolling_betas(rows, case.benchmark, 252, min_obs=60)
    assert (got.n_obs > 0).any(axis=1).all()
    assert (got.n_obs[got.n_obs > 0] < 252).any()
    for row in range(12):
        for session in (260, 400, 555, 699):
            inside = slice(session - 251, session + 1)
            y, x = rows[row, inside], case.benchmark[inside]
            common = ~np.isnan(y)
            assert got.n_obs[row, session] == (common.sum() if common.sum() >= 60 else 0)
            if common.sum() >= 60:
                fit = sm.OLS(y[common], sm.add_constant(x[common])).fit()
                assert_allclose(got.beta[row, session], fit.params[1], rtol=1e-12)
                assert_allclose(got.standard_error[row, session], fit.bse[1], rtol=1e-11)


def test_a_benchmark_that_rests_has_no_beta() -> None:
    x = np.concatenate([np.random.default_rng(0).normal(0, 0.01, 60), np.zeros(40)])
    got = ragged_rolling_betas(2 * x, x, 20)
    assert (got.n_obs[0, 80:] == 0).all()
    assert (got.beta[0, 80:] == 0).all()
    assert_allclose(got.beta[0, 19:60], 2.0, rtol=1e-12)


@pytest.mark.parametrize(("window", "min_obs"), [(2, None), (10, 11), (10, 2), (40_000, 5)])
def test_windows_out_of_range_are_refused(window: int, min_obs: int | None) -> None:
    with pytest.raises(InvalidInputError, match=r"window|min_obs"):
        ragged_rolling_betas(np.zeros((1, 50)), np.zeros(50), window, min_obs=min_obs)


def test_what_is_no_return_is_refused() -> None:
    rows = np.zeros((2, 50))
    rows[1, 3], rows[0, 4] = np.inf, -1e70
    with pytest.raises(InvalidInputError, match="2 entries that are infinite"):
        ragged_rolling_betas(rows, np.zeros(50), 10)


def test_a_window_longer_than_the_history_has_no_answer() -> None:
    got = ragged_rolling_betas(np.ones((2, 50)), np.ones(50), 60)
    assert not got.n_obs.any()
    assert not got.beta.any()
