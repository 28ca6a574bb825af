"""The filtered beta against statsmodels' Kalman filter, least squares and published figures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from statsmodels.tsa.statespace.mlemodel import MLEModel

from analytics.engine import beta
from analytics.engine.errors import (
    DegenerateInputError,
    EngineError,
    InsufficientDataError,
    InvalidInputError,
)
from analytics.engine.returns import aligned_returns
from analytics.engine.types import FloatArray

Pair = tuple[FloatArray, FloatArray]


@pytest.fixture
def moving(rng: np.random.Generator) -> Pair:
    """A portfolio whose beta wanders, and its benchmark."""
    x = rng.standard_t(5, 252) * 0.015
    walk = 1.2 + np.cumsum(rng.normal(0, 0.05, 252))
    return 0.0002 + walk * x + rng.normal(0, 0.008, 252), x


class WalkingBeta(MLEModel):  # type: ignore[misc]  # statsmodels carries no types
    """The same model in statsmodels' terms, with its exact diffuse start."""

    def __init__(self, y: FloatArray, x: FloatArray, h: float, q: float) -> None:
        super().__init__(y, k_states=2, k_posdef=2)
        self["design"] = np.stack([np.ones_like(x), x])[np.newaxis]
        self["transition"] = self["selection"] = np.eye(2)
        self["state_cov"] = np.diag([0.0, q])
        self["obs_cov"] = np.array([[h]])
        self.ssm.initialize_diffuse()

    def filtered(self) -> Any:
        return self.ssm.filter()


def test_the_filtered_path_and_its_band_agree_with_statsmodels(moving: Pair) -> None:
    y, x = moving
    h, q = 6e-5, 0.002
    oracle = WalkingBeta(y, x, h, q).filtered()
    result = beta.state_space_beta(y, x, variance_ratio=q / h, observation_variance=h)
    rows = slice(5, None)
    assert_allclose(result.beta[0, rows], oracle.filtered_state[1, rows], rtol=1e-8)
    expected = np.sqrt(oracle.filtered_state_cov[1, 1, rows])
    assert_allclose(result.standard_deviation[0, rows], expected, rtol=1e-8)
    assert_allclose(result.alpha[0], oracle.filtered_state[0, -1], rtol=1e-7)
    assert_allclose(result.state_variance[0], q, rtol=1e-13)


def test_likelihoods_differ_from_those_of_statsmodels_by_one_constant(moving: Pair) -> None:
    y, x = moving
    gaps = []
    for h, q in ((6e-5, 0.002), (9e-5, 0.0001), (5e-5, 0.02)):
        result = beta.state_space_beta(y, x, variance_ratio=q / h, observation_variance=h)
        gaps.append(result.log_likelihood[0] - WalkingBeta(y, x, h, q).filtered().llf)
    assert_allclose(gaps, gaps[0], atol=1e-7)


def test_the_served_variances_are_the_most_likely(moving: Pair) -> None:
    y, x = moving
    result = beta.state_space_beta(y, x).at(0)
    h, q = result.observation_variance, result.state_variance
    best = WalkingBeta(y, x, h, q).filtered().llf
    for factor in (0.97, 1.03):
        assert WalkingBeta(y, x, h * factor, q).filtered().llf < best
        assert WalkingBeta(y, x, h, q * factor).filtered().llf < best
    assert not result.constant


def test_the_nile_gives_the_published_likelihood_level_and_variances() -> None:
    """Durbin and Koopman (2012), sections 2.2 and 7.3."""
    volume = sm.datasets.nile.load_pandas().data["volume"].to_numpy()
    fixed = beta.state_space_beta(
        volume,
        np.ones(100),
        variance_ratio=1469.1 / 15099,
        observation_variance=15099,
        intercept=False,
    ).at(0)
    assert fixed.log_likelihood == pytest.approx(-632.5456, abs=5e-5)
    assert fixed.beta.value == pytest.approx(798.37, abs=5e-3)
    assert fixed.beta.standard_error**2 == pytest.approx(4032.16, abs=5e-3)
    free = beta.state_space_beta(volume, np.ones(100), intercept=False).at(0)
    assert free.observation_variance == pytest.approx(15099, rel=1e-4)
    assert free.state_variance == pytest.approx(1469.1, rel=3e-4)


def test_without_state_noise_the_filter_is_recursive_least_squares(pair: Pair) -> None:
    y, x = pair
    oracle = sm.RecursiveLS(y, sm.add_constant(x)).fit()
    result = beta.state_space_beta(y, x, variance_ratio=0.0)
    path = oracle.recursive_coefficients.filtered[1]
    assert_allclose(result.beta[0, 5:], path[5:], rtol=1e-8)
    ols = sm.OLS(y, sm.add_constant(x)).fit()
    assert_allclose(result.at(0).beta.value, ols.params[1], rtol=1e-12)
    assert_allclose(result.at(0).beta.standard_error, ols.bse[1], rtol=1e-10)
    assert_allclose(result.at(0).alpha, ols.params[0], rtol=1e-10)
    assert_allclose(result.at(0).beta.ci_low, ols.conf_int()[1, 0], rtol=1e-10)
    assert_allclose(result.observation_variance[0], ols.scale, rtol=1e-11)


def test_a_beta_that_stays_put_is_called_constant(rng: np.random.Generator) -> None:
    x = rng.normal(0, 0.02, 252)
    rows = 1.5 * x + rng.normal(0, 0.01, (40, 252))
    result = beta.state_space_beta(rows, x)
    assert result.constant.mean() > 0.4
    assert (result.state_variance[result.constant] == 0).all()


def test_the_band_holds_the_beta_of_the_day(rng: np.random.Generator) -> None:
    x = rng.normal(0, 0.02, 252)
    walks = 1.0 + np.cumsum(rng.normal(0, 0.03, (400, 252)), axis=1)
    rows = walks * x + rng.normal(0, 0.01, (400, 252))
    result = beta.state_space_beta(rows, x, variance_ratio=0.03**2 / 0.01**2)
    covered = (result.ci_low[:, -1] <= walks[:, -1]) & (walks[:, -1] <= result.ci_high[:, -1])
    assert 0.95 - 4 * np.sqrt(0.95 * 0.05 / 400) < covered.mean() < 0.99


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_later_returns_do_not_change_a_filtered_beta(seed: int, extra: int) -> None:
    y, x = np.random.default_rng(seed).normal(0, 0.02, (2, 70 + extra))
    before = beta.state_space_beta(y[:70], x[:70], variance_ratio=2.0)
    after = beta.state_space_beta(y, x, variance_ratio=2.0)
    assert_allclose(after.beta[0, 5:70], before.beta[0, 5:], rtol=1e-8, atol=1e-10)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 50), st.floats(0.01, 50))
def test_units_of_either_series_pass_through(seed: int, of_y: float, of_x: float) -> None:
    y, x = np.random.default_rng(seed).normal(0, 0.02, (2, 80))
    plain = beta.state_space_beta(y, x).at(0)
    scaled = beta.state_space_beta(of_y * y, of_x * x).at(0)
    assert_allclose(scaled.beta.value, plain.beta.value * of_y / of_x, rtol=1e-5, atol=1e-9)
    assert_allclose(scaled.beta.standard_error, plain.beta.standard_error * of_y / of_x, rtol=1e-5)


def test_a_batch_with_gaps_equals_one_by_one(moving: Pair) -> None:
    rows = np.stack([moving[0], -moving[0], moving[0], np.full(252, 0.01), moving[0]])
    rows[2, [40, 41, 200]] = np.nan
    rows[4, 30:] = np.nan
    batch = beta.state_space_beta(rows, moving[1])
    assert batch.ok.tolist() == [True, True, True, False, False]
    kept = ~np.isnan(rows[2])
    alone = beta.state_space_beta(rows[2, kept], moving[1][kept]).at(0)
    assert_allclose(batch.at(2).beta.value, alone.beta.value, rtol=1e-10)
    assert_allclose(batch.at(1).beta.value, -batch.at(0).beta.value, rtol=1e-9)
    assert not batch.valid[2, 40]
    assert batch.beta[2, 40] == 0.0
    with pytest.raises(InsufficientDataError, match="30 observations where 60"):
        batch.at(4)
    with pytest.raises(EngineError, match="constant over the sample"):
        batch.at(3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variance_ratio": -1.0}, "variance_ratio"),
        ({"observation_variance": 0.0}, "observation_variance"),
        ({"min_obs": 3}, "min_obs must be an integer of at least 4"),
        ({"confidence_level": 1.0}, "confidence_level"),
    ],
)
def test_bad_parameters_are_refused(pair: Pair, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        beta.state_space_beta(*pair, **arguments)


@pytest.mark.parametrize("level", [0.0, 0.001])
def test_a_benchmark_without_movement_is_degenerate(pair: Pair, level: float) -> None:
    with pytest.raises(DegenerateInputError):
        beta.state_space_beta(pair[0], np.full(300, level)).at(0)
    with pytest.raises(DegenerateInputError, match="zero throughout"):
        beta.state_space_beta(pair[0], np.zeros(300), intercept=False).at(0)


def test_the_walk_of_a_real_share_agrees_with_statsmodels(
    market_levels: Callable[[str], tuple[list[str], FloatArray]],
) -> None:
    pair = aligned_returns(market_levels("NVDA")[1][-253:], market_levels("SOXX")[1][-253:])
    y, x = pair.returns_y, pair.returns_x
    result = beta.state_space_beta(y, x)
    oracle = WalkingBeta(y, x, result.observation_variance[0], result.state_variance[0]).filtered()
    assert_allclose(result.beta[0, 5:], oracle.filtered_state[1, 5:], rtol=1e-7)
    sd = np.sqrt(oracle.filtered_state_cov[1, 1, 5:])
    assert_allclose(result.standard_deviation[0, 5:], sd, rtol=1e-7)
