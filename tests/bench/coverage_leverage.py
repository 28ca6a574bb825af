"""How often the served intervals of a reset fund cover the truth, with calm and clustered days.

`python3 manage.py python -m tests.bench.coverage leverage` prints the table of the methodology.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from analytics.engine.errors import InsufficientDataError
from analytics.engine.leverage import expected_log_drag, forward_distribution
from analytics.engine.types import FloatArray

MULTIPLE = -3.0
DAILY_VOLATILITY = 0.02
#: GARCH(1, 1) of daily index returns: reaction and persistence.
REACTION, PERSISTENCE = 0.08, 0.97
Law = Callable[[np.random.Generator, int, int], FloatArray]


def independent(rng: np.random.Generator, n_samples: int, n_days: int) -> FloatArray:
    """Normal returns of constant volatility."""
    return DAILY_VOLATILITY * rng.standard_normal((n_samples, n_days))


def clustered(rng: np.random.Generator, n_samples: int, n_days: int) -> FloatArray:
    """GARCH(1, 1) with normal innovations, started long before the first day."""
    burn_in = 500
    variance = np.full(n_samples, DAILY_VOLATILITY**2)
    returns = np.empty((n_samples, burn_in + n_days))
    for day in range(burn_in + n_days):
        returns[:, day] = np.sqrt(variance) * rng.standard_normal(n_samples)
        variance = (
            (1.0 - PERSISTENCE) * DAILY_VOLATILITY**2
            + REACTION * returns[:, day] ** 2
            + (PERSISTENCE - REACTION) * variance
        )
    return returns[:, burn_in:]


LAWS: dict[str, Law] = {"independent": independent, "clustered": clustered}


@dataclass(frozen=True)
class Coverage:
    """Shares of samples whose 95 % interval held the truth."""

    law: str
    n_obs: int
    horizon: int
    n_samples: int
    fund_return: float
    drag: float
    expected_drag: float | None
    """None where so few observations are refused."""

    @property
    def shares(self) -> tuple[float, float, float | None]:
        return self.fund_return, self.drag, self.expected_drag


def true_daily_drag(law: Law, seed: int = 99) -> float:
    """Expected daily log drag by a long simulation."""
    days = law(np.random.default_rng(seed), 4_000, 2_500).ravel()
    return float(np.mean(np.log1p(MULTIPLE * days) - MULTIPLE * np.log1p(days)))


def coverage(
    name: str, n_obs: int, horizon: int, n_samples: int, *, n_paths: int = 2_000, seed: int = 7
) -> Coverage:
    """Count over independent samples, each followed by a horizon that the interval is for."""
    law = LAWS[name]
    truth = true_daily_drag(law) * horizon
    samples = law(np.random.default_rng(seed), n_samples, n_obs + horizon)
    held = np.array(
        [list(_held(days, n_obs, horizon, truth, n_paths, row)) for row, days in enumerate(samples)]
    )
    fund, drag, expected = (float(share) for share in held.mean(axis=0))
    return Coverage(
        name, n_obs, horizon, n_samples, fund, drag, None if np.isnan(expected) else expected
    )


def _held(  # noqa: PLR0917 - one call
    days: FloatArray, n_obs: int, horizon: int, truth: float, n_paths: int, seed: int
) -> Iterator[float]:
    past, future = days[:n_obs], days[n_obs:]
    ahead = forward_distribution(
        past, [MULTIPLE], horizons=[horizon], n_paths=n_paths, seed=seed
    ).at(0, 0)
    fund = float(np.prod(1.0 + MULTIPLE * future) - 1.0)
    drag = fund - MULTIPLE * float(np.prod(1.0 + future) - 1.0)
    yield ahead.interval_low <= fund <= ahead.interval_high
    yield ahead.drag_low <= drag <= ahead.drag_high
    try:
        expected = expected_log_drag(past, MULTIPLE, horizon)
    except InsufficientDataError:
        yield np.nan
    else:
        yield expected.ci_low <= truth <= expected.ci_high


def table(samples: int) -> Iterator[str]:
    """Lines of the methodology's table."""
    yield "| Daily returns | n_obs | Days ahead | Fund return | Drag | Expected log drag |\n"
    yield "| --- | --- | --- | --- | --- | --- |\n"
    for name in LAWS:
        for n_obs in (756, 1_260, 2_520):
            for horizon in (5, 21, 63):
                shares = coverage(name, n_obs, horizon, samples).shares
                percent = " | ".join(
                    "refused" if share is None else f"{100.0 * share:.1f}" for share in shares
                )
                yield f"| {name} | {n_obs:,} | {horizon} | {percent} |\n"
