from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from analytics.engine import leverage
from analytics.engine.errors import DegenerateInputError, InsufficientDataError, InvalidInputError
from analytics.engine.types import Failure

MULTIPLES = np.array([3.0, -3.0, 2.0])
ASSETS = np.array([10e9, 1.4e9, 2e9])


def _flows(moves: list[float], **change: object) -> leverage.RebalancingFlows:
    settings: dict[str, object] = {"daily_volume": 30e9, "daily_volatility": 0.02, **change}
    return leverage.aggregate_rebalancing(MULTIPLES, ASSETS, np.array(moves), **settings)  # type: ignore[arg-type]


def test_funds_of_both_signs_buy_after_a_rise() -> None:
    day = _flows([0.03, -0.03])
    assert (day.by_fund[:, 0] > 0).all()
    assert (day.by_fund[:, 1] < 0).all()
    assert_allclose(day.gross[0], 0.03 * (6 * 10e9 + 12 * 1.4e9 + 2 * 2e9), rtol=1e-12)
    assert_allclose(day.share_of_volume[0], day.gross[0] / 3e9, rtol=1e-12)
    assert_allclose(day.days_to_cover, np.abs(day.share_of_volume), rtol=1e-12)
    assert_allclose(day.impact[0], 0.02 * np.sqrt(day.gross[0] / 30e9), rtol=1e-12)


def test_neutralizing_creations_cancel_the_sum() -> None:
    creations = np.array(
        [
            leverage.neutralizing_creations(m, a, 0.02)
            for m, a in zip(MULTIPLES, ASSETS, strict=True)
        ]
    )
    day = _flows([0.02], net_creations=creations)
    assert abs(day.adjusted[0]) < 1e-6 * day.gross[0]


def test_a_reset_is_the_trade_that_restores_the_multiple() -> None:
    for m in MULTIPLES:
        exposure, assets = m * 1.04, 1.0 + m * 0.04
        assert leverage.rebalancing_flow(m, 1.0, 0.04) == pytest.approx(m * assets - exposure)


@given(st.lists(st.floats(0.01, 1.0), min_size=2, max_size=6), st.integers(-(10**9), 10**9))
def test_members_share_out_the_basket_flow(raw: list[float], flow: int) -> None:
    weights = np.array(raw) / sum(raw)
    volumes = np.linspace(1e8, 1e9, weights.size)
    split = leverage.constituent_rebalancing(
        flow, weights, volumes, np.full(weights.size, 0.02), close_share=0.2
    )
    assert_allclose(split.flow.sum(), flow, rtol=1e-12, atol=1e-6)
    assert_allclose(split.share_of_volume, split.flow / volumes / 0.2, rtol=1e-12)
    assert_allclose(split.weight_covered, 1.0, rtol=1e-12)


def test_the_smallest_name_is_strained_most() -> None:
    split = leverage.constituent_rebalancing(
        1e9, np.array([0.2, 0.2]), np.array([5e9, 1e8]), np.array([0.02, 0.03])
    )
    assert split.most_strained == 1
    assert split.weight_covered == pytest.approx(0.4)
    assert split.impact[1] > split.impact[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"close_share": 0.0}, "close_share"),
        ({"daily_volume": 0.0}, "daily_volume must be positive"),
        ({"net_creations": np.zeros(2)}, "net_creations has shape"),
        ({"daily_volatility": -0.1}, "daily_volatility"),
    ],
)
def test_impossible_flows_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        _flows([0.01], **change)


def test_weights_in_percent_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="give decimals"):
        leverage.constituent_rebalancing(1.0, np.array([60.0, 40.0]), np.ones(2), np.ones(2))


def test_an_indicator_is_ranked_within_its_own_past() -> None:
    history = np.concatenate([np.arange(99.0), [49.5]])
    ranked = leverage.ranked_indicator(history)
    assert ranked.percentile == pytest.approx(0.505)
    assert leverage.ranked_indicator(np.full(80, 2.0)).percentile == 0.5
    with pytest.raises(InsufficientDataError, match="history has 10"):
        leverage.ranked_indicator(np.arange(10.0))


def test_every_indicator_answers_for_itself() -> None:
    ranked = leverage.squeeze_indicators({"flow": np.arange(100.0), "new": np.arange(5.0)})
    assert isinstance(ranked["flow"], leverage.RankedIndicator)
    assert isinstance(ranked["new"], Failure)
    assert list(ranked) == ["flow", "new"]


def test_histories_follow_their_definitions(rng: np.random.Generator) -> None:
    assets = rng.uniform(1e9, 2e9, (2, 30))
    volumes = rng.uniform(1e10, 2e10, 30)
    pressure = leverage.flow_pressure_history(
        np.array([3.0, -3.0]), assets, volumes, 0.05, close_share=0.1
    )
    assert_allclose(pressure, 0.05 * (6 * assets[0] + 12 * assets[1]) / volumes / 0.1, rtol=1e-12)
    chase = leverage.flow_alignment_history(
        np.array([1, 1, -1, -1, 1.0]), np.array([2, 1, -1, 3, -2.0]), window=2
    )
    assert_allclose(chase, [1, 1, 0, -1])
    returns = rng.normal(0, 0.02, 70)
    ratios = leverage.variance_ratio_history(returns, window=63, holding_days=5)
    assert ratios.shape == (8,)
    assert ratios[-1] == leverage.variance_ratio(returns[-63:], 5).ratio
    slope = leverage.implied_volatility_slope(np.array([0.6]), np.array([0.5]))
    assert_allclose(slope, [0.2])


def test_a_gap_shows_who_leads() -> None:
    returns = np.array([[0.05] * 5, [0.0] * 5, [0.0] * 5])
    weights = np.array([[0.8] * 5, [0.1] * 5, [0.1] * 5])
    gap = leverage.weighting_gap_history(returns, weights)
    assert_allclose(gap, [5 * (0.05 / 3 - 0.04)], rtol=1e-12)
    with pytest.raises(DegenerateInputError, match="no member has a weight on day 0"):
        leverage.weighting_gap_history(returns, np.zeros((3, 5)))
