from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import integrate, stats

from analytics.engine import tail_components, tail_risk
from analytics.engine.errors import DegenerateInputError, InsufficientDataError, InvalidInputError
from analytics.engine.types import FloatArray

SEEDS = st.integers(0, 2**32 - 1)
HULL_LOSSES = np.array([477841.0, 345435.0, 282204.0, 277041.0, 253385.0])
HULL_SCENARIOS = np.array([494, 339, 349, 329, 487])


def test_the_value_at_risk_is_the_kth_worst_loss(rng: np.random.Generator) -> None:
    returns = rng.normal(0, 0.02, 250)
    tail = tail_risk.historical_tail(returns, confidence_level=0.99)
    ordered = np.sort(returns)
    assert tail.n_tail == 3
    assert tail.value_at_risk.value == -ordered[2]
    assert tail.expected_shortfall.value == pytest.approx(-ordered[:3].mean(), rel=1e-14)


@pytest.mark.parametrize(("n_obs", "level", "k"), [(60, 0.95, 3), (100, 0.99, 1), (252, 0.975, 7)])
def test_the_tail_holds_the_stated_number(n_obs: int, level: float, k: int) -> None:
    assert tail_risk.tail_size(n_obs, level) == k


def test_the_interval_of_the_quantile_covers_it() -> None:
    rng = np.random.default_rng(3)
    truth = -stats.t(4).ppf(0.05)
    tails = [tail_risk.historical_tail(rng.standard_t(4, 500)) for _ in range(600)]
    held = [t.value_at_risk.ci_low <= truth <= t.value_at_risk.ci_high for t in tails]
    assert 0.93 <= np.mean(held) <= 0.99  # order statistics are conservative


def test_the_error_of_the_shortfall_is_its_sampling_deviation() -> None:
    rng = np.random.default_rng(4)
    tails = [tail_risk.historical_tail(rng.standard_normal(1000)) for _ in range(500)]
    spread = np.std([t.expected_shortfall.value for t in tails])
    stated = np.mean([t.expected_shortfall.standard_error for t in tails])
    assert stated == pytest.approx(spread, rel=0.12)


@given(SEEDS, st.floats(0.1, 1000))
def test_tails_scale_and_ignore_order(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    returns = rng.normal(0, 0.02, 80)
    one = tail_risk.historical_tail(returns)
    other = tail_risk.historical_tail(scale * rng.permutation(returns))
    assert other.value_at_risk.value == pytest.approx(scale * one.value_at_risk.value, rel=1e-12)
    assert one.expected_shortfall.value >= one.value_at_risk.value


def test_published_time_weighted_tail() -> None:
    weights = tail_risk.time_weights(500, 0.995)
    assert weights[493] == pytest.approx(0.00528, abs=5e-6)
    assert weights.sum() == pytest.approx(1.0, abs=1e-13)
    tail = tail_risk.weighted_tail(-HULL_LOSSES, weights[HULL_SCENARIOS - 1], confidence_level=0.99)
    assert tail.value_at_risk == 282204
    assert tail.expected_shortfall == pytest.approx(400914, abs=0.5)


def test_equal_weights_give_the_plain_tail(rng: np.random.Generator) -> None:
    returns = rng.normal(0, 0.02, 200)
    weighted = tail_risk.weighted_tail(returns, tail_risk.time_weights(200, 1.0))
    plain = tail_risk.historical_tail(returns)
    assert weighted.value_at_risk == plain.value_at_risk.value
    assert weighted.expected_shortfall == pytest.approx(plain.expected_shortfall.value, rel=1e-12)
    assert weighted.effective_n_obs == pytest.approx(200)


def test_weights_that_do_not_reach_the_tail_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="give more scenarios"):
        tail_risk.weighted_tail(np.array([-1.0]), np.array([0.01]), confidence_level=0.95)
    with pytest.raises(InvalidInputError, match="sum to at most 1"):
        tail_risk.weighted_tail(np.array([-1.0, 0.0]), np.array([0.7, 0.7]))


def test_filtered_losses_follow_todays_volatility(rng: np.random.Generator) -> None:
    returns = rng.normal(0, 0.01, 300)
    calm = tail_risk.filtered_tail(returns)
    loud = tail_risk.filtered_tail(np.append(returns, [0.05, -0.05, 0.05]))
    assert loud.value_at_risk.value > 2 * calm.value_at_risk.value


def test_a_filter_without_memory_is_plain_history(rng: np.random.Generator) -> None:
    returns = rng.normal(0, 0.01, 120)
    filtered = tail_risk.filtered_tail(returns, decay=1.0)
    assert filtered.value_at_risk.value == pytest.approx(
        tail_risk.historical_tail(returns).value_at_risk.value, rel=1e-12
    )


def test_volatility_follows_its_recursion(rng: np.random.Generator) -> None:
    returns = rng.normal(0, 0.01, 40)
    volatility = tail_risk.ewma_volatility(returns, 0.9)
    weights = 0.1 * 0.9 ** np.arange(39, -1, -1)
    closed = 0.9**40 * returns.var() + weights @ returns**2
    assert volatility[-1] ** 2 == pytest.approx(closed, rel=1e-12)


def test_normal_tail_is_that_of_scipy() -> None:
    law = stats.norm(0.01, 0.2)
    for level in (0.9, 0.95, 0.99, 0.999):
        tail = tail_risk.normal_tail(0.2, mean=0.01, confidence_level=level)
        assert tail.value_at_risk == pytest.approx(-law.ppf(1 - level), rel=1e-12)
        worst, _ = integrate.quad(lambda x: x * law.pdf(x), -5, law.ppf(1 - level))
        assert tail.expected_shortfall == pytest.approx(-worst / (1 - level), rel=1e-6)


def test_the_expanded_shortfall_is_the_mean_of_its_quantiles() -> None:
    def quantile(p: float) -> float:
        return tail_risk.cornish_fisher_tail(
            1.0, skewness=-0.5, excess_kurtosis=2.0, confidence_level=1 - p
        ).quantile

    worst, _ = integrate.quad(quantile, 1e-12, 0.05)
    tail = tail_risk.cornish_fisher_tail(1.0, skewness=-0.5, excess_kurtosis=2.0)
    assert tail.expected_shortfall == pytest.approx(-worst / 0.05, rel=1e-6)


@pytest.mark.parametrize(
    ("skew", "kurtosis"), [(0.0, 0.0), (-0.5, 2.0), (1.5, 1.0), (0.0, 9.0), (2.0, 6.0)]
)
def test_a_folded_expansion_says_so(skew: float, kurtosis: float) -> None:
    z = np.linspace(-8, 8, 4001)
    curve = (
        z
        + (z**2 - 1) * skew / 6
        + (z**3 - 3 * z) * kurtosis / 24
        - (2 * z**3 - 5 * z) * skew**2 / 36
    )
    tail = tail_risk.cornish_fisher_tail(1.0, skewness=skew, excess_kurtosis=kurtosis)
    assert tail.is_monotone == bool((np.diff(curve) > 0).all())


def test_published_component_value_at_risk() -> None:
    covariance = np.diag([0.05, 0.12]) ** 2
    parts = tail_components.component_value_at_risk(np.array([2e6, 1e6]), covariance, quantile=1.65)
    assert parts.total == pytest.approx(257738, abs=1)
    assert_allclose(parts.components, [105630, 152108], atol=1)


@given(SEEDS, st.integers(2, 8))
def test_components_sum_to_their_measure(seed: int, n_legs: int) -> None:
    rng = np.random.default_rng(seed)
    legs = rng.standard_t(4, (n_legs, 120)) * 0.02
    weights = rng.normal(size=n_legs)
    normal = tail_components.component_value_at_risk(weights, np.cov(legs))
    assert abs(normal.components.sum() - normal.total) < 1e-12
    shortfall = tail_components.component_shortfall(legs, weights)
    plain = tail_risk.historical_tail(weights @ legs)
    assert abs(shortfall.components.sum() - plain.expected_shortfall.value) < 1e-12
    value = tail_components.component_historical_value_at_risk(legs, weights)
    assert abs(value.components.sum() - plain.value_at_risk.value) < 1e-12


def test_a_marginal_is_the_derivative(rng: np.random.Generator) -> None:
    covariance = np.cov(rng.normal(size=(3, 100)))
    weights = np.array([1.0, -0.5, 2.0])
    parts = tail_components.component_value_at_risk(weights, covariance)
    step = 1e-6 * np.eye(3)[1]
    moved = tail_components.component_value_at_risk(weights + step, covariance).total
    assert parts.marginal[1] == pytest.approx((moved - parts.total) / 1e-6, rel=1e-4)


def test_a_hedging_leg_takes_from_the_shortfall(rng: np.random.Generator) -> None:
    semis = rng.normal(0, 0.03, 250)
    parts = tail_components.component_shortfall(np.stack([semis, -3 * semis]), np.array([1.0, 0.2]))
    assert parts.components[0] > 0 > parts.components[1]
    assert (parts.standard_errors > 0).all()


@pytest.mark.parametrize(
    ("returns", "error", "message"),
    [
        (np.zeros(10), InsufficientDataError, "returns has 10 observations where 30"),
        (np.append(np.zeros(40), np.nan), InvalidInputError, "returns has 1 entries"),
    ],
)
def test_short_or_broken_series_are_refused(
    returns: FloatArray, error: type[Exception], message: str
) -> None:
    for measure in (tail_risk.historical_tail, tail_risk.filtered_tail):
        with pytest.raises(error, match=message):
            measure(returns)


def test_what_has_no_tail_is_refused() -> None:
    with pytest.raises(DegenerateInputError, match="constant"):
        tail_risk.filtered_tail(np.full(50, 0.01))
    with pytest.raises(DegenerateInputError, match="variance"):
        tail_components.component_value_at_risk(np.zeros(2), np.eye(2))
    with pytest.raises(InvalidInputError, match="symmetric"):
        tail_components.component_value_at_risk(np.ones(2), np.array([[1.0, 0.5], [0.0, 1.0]]))
    with pytest.raises(DegenerateInputError, match="does not lose"):
        tail_components.component_historical_value_at_risk(np.full((1, 40), 0.01), np.ones(1))
    with pytest.raises(InvalidInputError, match="decay"):
        tail_risk.time_weights(10, 1.5)
    with pytest.raises(InvalidInputError, match="weights has 1 entries where 2 legs"):
        tail_components.component_shortfall(np.zeros((2, 40)), np.ones(1))


def test_interpolation_is_numpys_default(rng: np.random.Generator) -> None:
    returns = rng.normal(size=77)
    assert tail_risk.interpolated_value_at_risk(returns) == pytest.approx(
        -np.percentile(returns, 5), rel=1e-12
    )
