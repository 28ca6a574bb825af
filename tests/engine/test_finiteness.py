"""No measure returns NaN or infinity, or warns, whatever series it is given."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest

from analytics.engine import beta, hedge, leverage, stress
from analytics.engine.errors import EngineError
from analytics.engine.types import FloatArray

SERIES: dict[str, Callable[[np.random.Generator], FloatArray]] = {
    "usual": lambda rng: rng.normal(0, 0.02, 120),
    "constant": lambda rng: np.full(120, 0.01),
    "zero": lambda rng: np.zeros(120),
    "subnormal squares": lambda rng: rng.normal(0, 1e-160, 120),
    "vanishing": lambda rng: rng.normal(0, 1e-200, 120),
    "large": lambda rng: np.abs(rng.normal(0, 1e50, 120)),
    "overflowing": lambda rng: rng.normal(0, 1e160, 120),
    "at the limit": lambda rng: np.full(120, 1.7e308),
    "one spike": lambda rng: np.eye(1, 120)[0],
    "percent": lambda rng: rng.normal(0, 2, 120),
    "ruin": lambda rng: np.full(120, -1.0),
    "rounding": lambda rng: 0.01 + rng.normal(0, 1e-18, 120),
}
MEASURES: dict[str, Callable[[FloatArray, FloatArray], object]] = {
    "beta": beta.semiconductor_beta,
    "beta of one": lambda y, x: beta.semiconductor_beta(y, x).at(0),
    "two factors": lambda y, x: beta.two_factor_beta(y, x, np.sin(np.arange(120.0))),
    "rolling": lambda y, x: beta.rolling_beta(y, x, 30),
    "ewma": beta.ewma_beta,
    "ewma batch": lambda y, x: beta.ewma_betas(np.stack([y, x]), x),
    "up and down": lambda y, x: beta.up_down_beta(y, x, min_obs_per_side=5),
    "up and down batch": lambda y, x: beta.up_down_betas(np.stack([y, x]), x, min_obs_per_side=5),
    "summed": lambda y, x: beta.dimson_beta(np.stack([y, x]), x, lags=1, leads=1),
    "three slopes": lambda y, x: beta.scholes_williams_beta(np.stack([y, x]), x),
    "walk": lambda y, x: beta.state_space_beta(np.stack([y, x]), x),
    "level": lambda y, x: beta.state_space_beta(y, x, intercept=False),
    "five days": lambda y, x: beta.n_day_beta(np.stack([y, x]), x, 5),
    "shrunk": lambda y, x: beta.vasicek_beta(y, np.abs(x), beta.BetaPrior("peers", 1.0, 0.3)),
    "peers": lambda y, x: beta.peer_prior("peers", y, np.abs(x)),
    "ladder": lambda y, x: beta.beta_ladder(
        y, beta.linear_curves(np.ones(120), x, beta.ladder_moves(0.03)), 1e6
    ),
    "weighted": lambda y, x: beta.portfolio_beta_standard_error(
        np.stack([y, x], axis=1), np.ones(2), np.sin(np.arange(120.0))
    ),
    "minimum variance": hedge.minimum_variance_hedge,
    "reduction": lambda y, x: hedge.variance_reduction(y, x, hedge_notional=0.3),
    "tails": lambda y, x: hedge.tail_reduction(y, x, hedge_notional=0.3),
    "regression test": lambda y, x: hedge.regression_test(y, x, hedge_notional=0.3),
    "reductions": lambda y, x: hedge.variance_reductions(np.stack([y, x]), x, hedge_notional=0.3),
    "tail batch": lambda y, x: hedge.tail_reductions(np.stack([y, x]), x, hedge_notional=0.3),
    "tests": lambda y, x: hedge.regression_tests(np.stack([y, x]), x, hedge_notional=0.3),
    "horizon bands": lambda y, x: hedge.horizon_bands(
        y, x, hedge_notional=0.3, seed=1, horizons=[5], n_samples=100
    ),
    "tail intervals": lambda y, x: hedge.tail_reduction_intervals(
        y, x, hedge_notional=0.3, seed=1, n_samples=100
    ),
    "coverage band": lambda y, x: hedge.coverage_band(-3.0, x),
    "stress": lambda y, x: stress.fund_stress(-3.0, np.stack([y, x])),
    "offset": hedge.dollar_offset,
    "blocks": lambda y, x: hedge.horizon_blocks(y, x, hedge_notional=0.3),
    "out of sample": hedge.out_of_sample_effectiveness,
    "coverage": lambda y, x: hedge.coverage_path(-3.0, x),
    "decomposition": lambda y, x: leverage.return_decomposition(x, y, -3.0),
    "bull decomposition": lambda y, x: leverage.return_decomposition(x, y, 3.0),
    "realized variance": lambda y, x: leverage.realized_variance(x),
    "variance ratio": lambda y, x: leverage.variance_ratio(x),
    "log drag": lambda y, x: leverage.log_drag(3.0, x),
    "reset": lambda y, x: leverage.daily_reset_return(3.0, x),
}


def _all_finite(answer: object) -> bool:
    if dataclasses.is_dataclass(answer):
        return all(_all_finite(getattr(answer, f.name)) for f in dataclasses.fields(answer))
    if isinstance(answer, tuple):
        return all(_all_finite(member) for member in answer)
    if isinstance(answer, np.ndarray | float):
        return bool(np.isfinite(answer).all())
    return True


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("first", SERIES)
def test_a_measure_answers_with_finite_numbers_or_refuses(
    measure: str, first: str, rng: np.random.Generator
) -> None:
    for second in SERIES.values():
        with suppress(EngineError):
            assert _all_finite(MEASURES[measure](SERIES[first](rng), second(rng)))
