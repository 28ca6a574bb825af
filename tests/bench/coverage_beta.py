"""How often the 95 % intervals of the betas hold the truth, by simulation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from analytics.engine import beta
from analytics.engine.errors import EngineError
from analytics.engine.regression import student_quantile
from analytics.engine.types import Estimate, FloatArray

TRUE_BETA = 1.5
LENGTHS = (60, 126, 252)
REPETITIONS = 4000
_BENCHMARK, _RESIDUAL = 0.02, 0.012
_WARM_UP = 250


@dataclass(frozen=True)
class Law:
    """Where benchmark and residual come from.

    `reaction` and `memory` are GARCH(1,1); `one_volatility` gives both the benchmark's, the hard
    case: the sessions that decide the slope are those with the largest errors. `fat` draws
    Student t with 5 degrees of freedom; `echo` makes both series AR(1).
    """

    name: str
    reaction: float = 0.0
    memory: float = 0.0
    one_volatility: bool = False
    fat: bool = False
    echo: float = 0.0


LAWS = (
    Law("independent, normal"),
    Law("independent, t(5)", fat=True),
    Law("GARCH 0.08 + 0.90, volatilities apart", 0.08, 0.90),
    Law("GARCH 0.08 + 0.90, one volatility", 0.08, 0.90, one_volatility=True),
    Law("GARCH 0.12 + 0.87, one volatility", 0.12, 0.87, one_volatility=True),
    Law("GARCH 0.08 + 0.90, one volatility, t(5)", 0.08, 0.90, one_volatility=True, fat=True),
    Law("AR(1) 0.2 in both", echo=0.2),
)


@dataclass(frozen=True)
class Draw:
    """Samples of shape (repetitions, n_obs); `late` shows half of each move a session later."""

    benchmark: FloatArray
    market: FloatArray
    on_time: FloatArray
    late: FloatArray


def draw(law: Law, n_obs: int, repetitions: int, generator: np.random.Generator) -> Draw:
    """Draw benchmark, a market that shares half of it, and two assets of beta 1.5."""
    n_days = _WARM_UP + n_obs
    shape = (2, repetitions, n_days)
    shocks = generator.normal(size=shape)
    if law.fat:
        shocks = generator.standard_t(5, shape) * np.sqrt(0.6)
    variance = np.ones((2, repetitions))
    series = np.empty(shape)
    previous = np.zeros((2, repetitions))
    for day in range(n_days):
        if law.one_volatility:
            variance[1] = variance[0]
        innovation = np.sqrt(variance) * shocks[:, :, day]
        floor = 1.0 - law.reaction - law.memory
        variance = floor + law.reaction * innovation**2 + law.memory * variance
        previous = law.echo * previous + innovation
        series[:, :, day] = previous
    x, error = _BENCHMARK * series[0], _RESIDUAL * series[1]
    kept = slice(_WARM_UP, None)
    before = slice(_WARM_UP - 1, -1)
    noise = generator.normal(0, 0.008, (repetitions, n_obs))
    return Draw(
        benchmark=x[:, kept],
        market=0.4 * x[:, kept] + noise,
        on_time=TRUE_BETA * x[:, kept] + error[:, kept],
        late=TRUE_BETA / 2 * (x[:, kept] + x[:, before]) + error[:, kept],
    )


Interval = tuple[float, float]


def _textbook(y: FloatArray, x: FloatArray) -> Interval:
    result = beta.semiconductor_beta(y, x).at(0)
    half_width = student_quantile(0.95, x.shape[0] - 2) * result.ols_standard_error
    return result.beta.value - half_width, result.beta.value + half_width


def _hac_as_usual(y: FloatArray, x: FloatArray) -> Interval:
    result = beta.semiconductor_beta(y, x).at(0)
    half_width = student_quantile(0.95, x.shape[0] - 2) * result.beta.standard_error
    return result.beta.value - half_width, result.beta.value + half_width


#: Column -> what covers, and the truth it should hold.
INTERVALS: Mapping[str, tuple[Callable[[Draw, int], Interval], float]] = {
    "OLS, t(n-2)": (lambda d, i: _textbook(d.on_time[i], d.benchmark[i]), TRUE_BETA),
    "HAC, t(n-2)": (lambda d, i: _hac_as_usual(d.on_time[i], d.benchmark[i]), TRUE_BETA),
    "**served**": (
        lambda d, i: _ends(beta.semiconductor_beta(d.on_time[i], d.benchmark[i]).at(0).beta),
        TRUE_BETA,
    ),
    "two factors": (
        lambda d, i: _ends(
            beta.two_factor_beta(d.on_time[i], d.market[i], d.benchmark[i]).at(0).semiconductors
        ),
        TRUE_BETA,
    ),
    "down less up": (
        lambda d, i: _ends(
            beta.up_down_beta(d.on_time[i], d.benchmark[i], min_obs_per_side=15).difference
        ),
        0.0,
    ),
    "EWMA": (lambda d, i: _ends(beta.ewma_beta(d.on_time[i], d.benchmark[i]).beta), TRUE_BETA),
    "Dimson, late asset": (
        lambda d, i: _ends(
            beta.dimson_beta(d.late[i], d.benchmark[i], lags=1, leads=0, min_obs=30).at(0).beta
        ),
        TRUE_BETA,
    ),
    "Scholes-Williams, late asset": (
        lambda d, i: _ends(
            beta.scholes_williams_beta(d.late[i], d.benchmark[i], min_obs=30).at(0).beta
        ),
        TRUE_BETA,
    ),
}


def _ends(estimate: Estimate) -> Interval:
    return estimate.ci_low, estimate.ci_high


def coverage(sample: Draw, name: str) -> float:
    """Share of the intervals that hold the truth; a sample that is refused has none."""
    interval, truth = INTERVALS[name]
    held = []
    for index in range(sample.benchmark.shape[0]):
        with suppress(EngineError):
            low, high = interval(sample, index)
            held.append(low <= truth <= high)
    return float(np.mean(held))


def table(repetitions: int = REPETITIONS) -> Iterator[str]:
    """Write the methodology's table, row by row, in percent."""
    yield f"| Law | n | {' | '.join(INTERVALS)} |\n"
    yield f"|{' --- |' * (len(INTERVALS) + 2)}\n"
    for row, law in enumerate(LAWS):
        for n_obs in LENGTHS:
            sample = draw(law, n_obs, repetitions, np.random.default_rng([row, n_obs]))
            cells = [f"{100 * coverage(sample, name):.1f}" for name in INTERVALS]
            yield f"| {law.name} | {n_obs} | {' | '.join(cells)} |\n"
