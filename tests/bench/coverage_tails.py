"""How often the 95 % intervals of the tail reductions hold the truth, by simulation."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
from scipy.special import ndtr

from analytics.engine.hedge import tail_reduction_intervals
from analytics.engine.hedge.tails import tail_measures
from analytics.engine.types import FloatArray
from tests.bench.coverage_hedge import DESIGNATED_SHARE, Law, draw, shocks

CORRELATIONS = (0.9, 0.99)
LENGTHS = (60, 120, 252)
MEASURES = ("VaR", "ES", "semi-variance")
_TAIL = 0.05
_LONG_RUN = 4_000_000


def _of_mixture(deviations: FloatArray) -> FloatArray:
    """VaR, shortfall and semi-variance of days drawn from normals of these deviations."""
    low, high = np.zeros(deviations.shape[0]), 8.0 * deviations.max(axis=1)
    for _ in range(60):
        middle = (low + high) / 2.0
        too_low = ndtr(-middle[:, np.newaxis] / deviations).mean(axis=1) > _TAIL
        low, high = np.where(too_low, middle, low), np.where(too_low, high, middle)
    standardized = low[:, np.newaxis] / deviations
    density = np.exp(-(standardized**2) / 2.0) / np.sqrt(2.0 * np.pi)
    shortfall = (deviations * density).mean(axis=1) / _TAIL
    return np.stack([low, shortfall, (deviations**2).mean(axis=1) / 2.0])


@cache
def _fat_ratios(correlation: float) -> tuple[float, ...]:
    """Hedged over unhedged measure of independent fat-tailed days, by a long simulation."""
    index, residual = np.random.default_rng(1).standard_t(6, (2, _LONG_RUN))
    own = np.sqrt(1.0 - correlation**2) * residual
    days = np.stack(
        [correlation * index + own, (1.0 - DESIGNATED_SHARE) * correlation * index + own]
    )
    return tuple(float(after / before) for before, after in tail_measures(days, _LONG_RUN // 20))


def true_reductions(
    law: Law, correlation: float, n_obs: int, repetitions: int, seed: int
) -> FloatArray:
    """Reductions at the volatilities that each sample had, shape (3, repetitions)."""
    if law is Law.FAT:
        return 1.0 - np.repeat([_fat_ratios(correlation)], repetitions, axis=0).T
    _, (index, residual) = shocks(law, repetitions, n_obs, np.random.default_rng(seed))
    explained, own = correlation**2 * index, (1.0 - correlation**2) * residual
    before = _of_mixture(np.sqrt(explained + own))
    after = _of_mixture(np.sqrt((1.0 - DESIGNATED_SHARE) ** 2 * explained + own))
    reductions: FloatArray = 1.0 - after / before
    return reductions


def coverage(
    law: Law, correlation: float, n_obs: int, *, repetitions: int, seed: int
) -> tuple[float, ...]:
    """Share of intervals that hold the truth, in the order of `MEASURES`."""
    sample = draw(law, correlation, n_obs, repetitions, np.random.default_rng(seed))
    truth = true_reductions(law, correlation, n_obs, repetitions, seed)
    held = np.zeros(len(MEASURES))
    for row in range(repetitions):
        found = tail_reduction_intervals(
            sample.item[row], sample.hedge[row], hedge_notional=sample.holding, seed=row
        )
        intervals = (found.value_at_risk, found.expected_shortfall, found.semivariance)
        held += [
            one is not None and one.ci_low <= true <= one.ci_high
            for one, true in zip(intervals, truth[:, row], strict=True)
        ]
    return tuple(float(share) for share in held / repetitions)


def table(repetitions: int) -> Iterator[str]:
    """Write the methodology's table, row by row; a bootstrap each, so half of the samples."""
    heads = [f"{n_obs} days, {measure}" for n_obs in LENGTHS for measure in MEASURES]
    yield f"| Law | Correlation | {' | '.join(heads)} |\n"
    yield f"|{' --- |' * (len(heads) + 2)}\n"
    for law in Law:
        for correlation in CORRELATIONS:
            cells = [
                f"{100 * share:.1f}"
                for n_obs in LENGTHS
                for share in coverage(
                    law, correlation, n_obs, repetitions=max(repetitions // 2, 1), seed=n_obs
                )
            ]
            yield f"| {law} | {correlation} | {' | '.join(cells)} |\n"
