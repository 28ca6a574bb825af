"""No measure returns NaN or infinity, or warns, whatever series it is given."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest

from analytics.engine import beta, hedge, leverage
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
    "up and down": lambda y, x: beta.up_down_beta(y, x, min_obs_per_side=5),
    "weighted": lambda y, x: beta.portfolio_beta_standard_error(
        np.stack([y, x], axis=1), np.ones(2), np.sin(np.arange(120.0))
    ),
    "minimum variance": hedge.minimum_variance_hedge,
    "reduction": lambda y, x: hedge.variance_reduction(y, x, hedge_notional=0.3),
    "tails": lambda y, x: hedge.tail_reduction(y, x, hedge_notional=0.3),
    "regression test": lambda y, x: hedge.regression_test(y, x, hedge_notional=0.3),
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
