"""Betas drawn toward a prior."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from analytics.engine import beta
from analytics.engine.errors import (
    DegenerateInputError,
    InsufficientDataError,
    InvalidInputError,
)
from analytics.engine.types import FloatArray

SEMIS = beta.BetaPrior("semiconductor shares on the semiconductor index", 1.0, 0.25)


@given(st.floats(-5, 5), st.floats(0.01, 3), st.floats(-3, 3), st.floats(0.01, 3))
def test_the_posterior_is_that_of_weighing_by_precision(
    raw: float, error: float, mean: float, spread: float
) -> None:
    result = beta.vasicek_beta(
        np.array([raw]), np.array([error]), beta.BetaPrior("peers", mean, spread)
    ).at(0)
    precision = 1 / error**2 + 1 / spread**2
    expected = (raw / error**2 + mean / spread**2) / precision
    assert_allclose(result.beta.value, expected, rtol=1e-10, atol=1e-12)
    assert_allclose(result.beta.standard_error, precision**-0.5, rtol=1e-10)
    assert min(raw, mean) - 1e-12 <= result.beta.value <= max(raw, mean) + 1e-12


def test_an_exact_beta_is_kept_and_an_unknown_one_is_the_prior() -> None:
    result = beta.vasicek_beta(np.array([1.8, 1.8]), np.array([0.0, 1e9]), SEMIS)
    assert_allclose(result.beta, [1.8, 1.0], rtol=1e-12)
    assert_allclose(result.standard_deviation, [0.0, 0.25], rtol=1e-12)
    assert result.prior == SEMIS.name


def test_blume_is_a_line_towards_its_own_mean() -> None:
    result = beta.blume_beta(np.array([2.0, 0.5, beta.BLUME.implied_prior_mean]), np.full(3, 0.1))
    assert_allclose(result.beta[:2], [1.697, 0.6815], rtol=1e-12)
    assert_allclose(result.beta[2], result.raw[2], rtol=1e-12)
    assert_allclose(result.standard_deviation, 0.0677, rtol=1e-12)
    vendor = beta.blume_beta(np.array([1.5]), np.zeros(1), beta.VENDOR)
    assert_allclose(vendor.beta, 1.335, rtol=1e-12)


@pytest.mark.parametrize("multiple", [-3.0, 3.0, 2.0, -1.0])
def test_a_fund_with_a_known_multiple_is_not_shrunk(multiple: float) -> None:
    raw, errors = np.array([1.2, -2.9]), np.array([0.1, 0.1])
    for result in (
        beta.vasicek_beta(raw, errors, SEMIS, known_multiples=np.array([np.nan, multiple])),
        beta.blume_beta(raw, errors, known_multiples=np.array([np.nan, multiple])),
    ):
        assert result.ok.tolist() == [True, False]
        assert result.beta[1] == 0.0
        with pytest.raises(InvalidInputError, match=f"{multiple:g} times its index by contract"):
            result.at(1)


def test_a_prior_from_peers_removes_their_errors(rng: np.random.Generator) -> None:
    errors = np.full(4000, 0.2)
    raw = 1.1 + 0.3 * rng.standard_normal(4000) + errors * rng.standard_normal(4000)
    prior = beta.peer_prior("simulated peers", raw, errors)
    assert prior.mean == pytest.approx(1.1, abs=0.02)
    assert prior.standard_deviation == pytest.approx(0.3, abs=0.02)
    assert prior.name == "simulated peers"


def test_shrinking_lowers_the_error_of_forecasts(rng: np.random.Generator) -> None:
    true = 1.0 + 0.25 * rng.standard_normal(4000)
    raw = true + 0.3 * rng.standard_normal(4000)
    result = beta.vasicek_beta(raw, np.full(4000, 0.3), SEMIS)
    assert np.mean((result.beta - true) ** 2) < 0.5 * np.mean((raw - true) ** 2)
    covered = (result.ci_low <= true) & (true <= result.ci_high)
    assert covered.mean() == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize(
    ("raw", "errors", "message"),
    [
        ([1.0, 2.0], [0.1], "1 entries for 2 betas"),
        ([1.0], [-0.1], "must not be negative"),
        ([np.nan], [0.1], "not finite"),
    ],
)
def test_bad_betas_are_refused(raw: list[float], errors: list[float], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        beta.vasicek_beta(np.array(raw), np.array(errors), SEMIS)


def test_a_prior_must_be_named_and_have_a_spread() -> None:
    with pytest.raises(InvalidInputError, match="which group"):
        beta.BetaPrior(" ", 1.0, 0.2)
    with pytest.raises(InvalidInputError, match="standard_deviation must be positive"):
        beta.BetaPrior("peers", 1.0, 0.0)


@pytest.mark.parametrize(
    ("raw", "error", "kind"),
    [
        (np.linspace(0.9, 1.1, 4), 0.01, InsufficientDataError),
        (np.linspace(0.9, 1.1, 8), 0.5, DegenerateInputError),
    ],
)
def test_a_group_without_a_spread_has_no_prior(
    raw: FloatArray, error: float, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        beta.peer_prior("peers", raw, np.full(raw.shape[0], error))
