"""No measure around the three analyses returns NaN or infinity, or warns, on any series."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest

from analytics.engine import (
    backtest,
    bootstrap,
    concentration,
    indicators,
    leverage,
    markov_switching,
    regime,
    structural_break,
    tail_components,
    tail_risk,
)
from analytics.engine.errors import EngineError
from analytics.engine.types import FloatArray
from tests.engine.test_finiteness import SERIES, _all_finite

DAYS = np.arange("2024-01-01", "2024-05-01", dtype="datetime64[D]")
PAIRS: dict[str, Callable[[FloatArray, FloatArray], object]] = {
    "component shortfall": lambda y, x: tail_components.component_shortfall(
        np.stack([y, x]), np.array([1.0, -0.5])
    ),
    "component value at risk": lambda y, x: tail_components.component_historical_value_at_risk(
        np.stack([y, x]), np.array([1.0, 0.5])
    ),
    "normal components": lambda y, x: tail_components.component_value_at_risk(
        y[:2], np.diag(np.clip(x[:2], -1e20, 1e20) ** 2)
    ),
    "backtest": lambda y, x: backtest.value_at_risk_backtest(
        y, x, forecast_dates=DAYS[:120], return_dates=DAYS[:120] + 1
    ),
    "chow": lambda y, x: structural_break.chow_test(y, x, 60),
    "cusum": structural_break.cusum_test,
    "history": leverage.extended_history,
    "gap": lambda y, x: leverage.weighting_gap_history(np.stack([y, x]), np.abs(np.stack([x, y]))),
    "alignment": leverage.flow_alignment_history,
    "flows": lambda y, x: leverage.aggregate_rebalancing(
        y, np.abs(x), y[:3], daily_volume=1e9, daily_volatility=0.02
    ),
}
SINGLES: dict[str, Callable[[FloatArray], object]] = {
    "tail": tail_risk.historical_tail,
    "filtered": tail_risk.filtered_tail,
    "cornish-fisher": lambda x: tail_risk.cornish_fisher_tail(
        abs(float(x[0])), skewness=float(x[1]), excess_kurtosis=float(x[2])
    ),
    "weighted": lambda x: tail_risk.weighted_tail(x, tail_risk.time_weights(120, 0.99)),
    "block length": bootstrap.optimal_block_length,
    "forward": lambda x: leverage.forward_distribution(
        x, [3.0, -3.0], horizons=[5], n_paths=50, min_obs=100
    ),
    "expected drag": lambda x: leverage.expected_log_drag(x, -3.0, 21, min_obs=100),
    "ranked": leverage.ranked_indicator,
    "ratios": lambda x: leverage.variance_ratio_history(x, window=60),
    "slope": lambda x: leverage.implied_volatility_slope(x, x[::-1]),
    "concentration": concentration.concentration,
    "leadership": lambda x: concentration.leadership(x, 3),
    "regime": lambda x: regime.volatility_regime(x, window=10, lookback=60),
    "filter": lambda x: regime.hamilton_filter(
        x, np.array([[0.9, 0.2], [0.1, 0.8]]), np.array([0.01, 0.03])
    ),
    "rsi": indicators.relative_strength_index,
    "atr": lambda x: indicators.average_true_range(np.abs(x), -np.abs(x), x),
    "macd": indicators.moving_average_convergence_divergence,
    "bands": indicators.bollinger_bands,
    "breadth": lambda x: indicators.breadth(
        np.tile(x, (5, 1)), np.ones((5, 120), dtype=bool), extreme_periods=60
    ),
}


@pytest.mark.parametrize("measure", PAIRS)
def test_a_measure_of_two_series_is_finite_or_refuses(
    measure: str, rng: np.random.Generator
) -> None:
    for first in SERIES.values():
        for second in SERIES.values():
            with suppress(EngineError):
                assert _all_finite(PAIRS[measure](first(rng), second(rng)))


@pytest.mark.parametrize("measure", SINGLES)
@pytest.mark.parametrize("series", SERIES)
def test_a_measure_of_one_series_is_finite_or_refuses(
    measure: str, series: str, rng: np.random.Generator
) -> None:
    with suppress(EngineError):
        assert _all_finite(SINGLES[measure](SERIES[series](rng)))


@pytest.mark.parametrize("series", ["constant", "vanishing", "large", "one spike", "rounding"])
def test_a_switching_fit_is_finite_or_refuses(series: str, rng: np.random.Generator) -> None:
    with suppress(EngineError):
        assert _all_finite(markov_switching.markov_switching(SERIES[series](rng)))
