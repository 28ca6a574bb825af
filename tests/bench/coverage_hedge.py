"""How often the 95 % interval of hedge effectiveness holds the truth, by simulation."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from analytics.engine.hedge import minimum_variance_hedge, variance_reduction
from analytics.engine.types import FloatArray

CORRELATIONS = (0.9, 0.95, 0.99, 0.995)
LENGTHS = (8, 16, 120, 252)
REPETITIONS = 4000
KINDS = ("designated", "best", "h*")
NOMINAL_RANGE = (0.93, 0.97)
# Of the best holding: a hedge that is somewhat too small.
DESIGNATED_SHARE = 0.95
_WARM_UP = 250


class Law(StrEnum):
    """Where the daily returns come from."""

    NORMAL = "independent, normal"
    FAT = "independent, Student t with 6 degrees of freedom"
    CLUSTERED = "GARCH(1,1) 0.08 + 0.90, one volatility for item and hedge"
    SEPARATE = "GARCH(1,1) 0.08 + 0.90, a volatility of its own for the residual"


class Draw(NamedTuple):
    """Samples, shape (repetitions, n_obs), and the effectiveness they should show."""

    item: FloatArray
    hedge: FloatArray
    best: FloatArray
    designated: FloatArray
    holding: float


def shocks(
    law: Law, repetitions: int, n_obs: int, generator: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Unit-variance shocks of index and residual, and their variances, (2, repetitions, n_obs)."""
    if law in {Law.NORMAL, Law.FAT}:
        normal = generator.normal(size=(2, repetitions, n_obs))
        if law is Law.FAT:
            normal = generator.standard_t(6, size=normal.shape) / np.sqrt(1.5)
        return normal, np.ones_like(normal)
    normal = generator.normal(size=(2, repetitions, _WARM_UP + n_obs))
    variances = np.empty_like(normal)
    now = np.ones((2, repetitions))
    for day in range(normal.shape[2]):
        variances[:, :, day] = now
        squares = now * normal[:, :, day] ** 2
        if law is Law.CLUSTERED:
            squares = np.broadcast_to(squares[0], squares.shape)
        now = 0.02 + 0.08 * squares + 0.90 * now
    kept = slice(_WARM_UP, None)
    return (normal * np.sqrt(variances))[..., kept], variances[..., kept]


def draw(
    law: Law, correlation: float, n_obs: int, repetitions: int, generator: np.random.Generator
) -> Draw:
    """Samples of an item and a -3x fund on its index.

    With volatilities of their own the truth is that of the volatilities the sample had: nobody
    learns the long-run mix of two slow volatilities from a year.
    """
    (index, residual), (index_variance, residual_variance) = shocks(
        law, repetitions, n_obs, generator
    )
    own = 1.0 - correlation**2
    item = correlation * index + np.sqrt(own) * residual
    explained = correlation**2 * index_variance.mean(axis=1)
    unexplained = own * residual_variance.mean(axis=1)
    left = (1.0 - DESIGNATED_SHARE) ** 2 * explained + unexplained
    total = explained + unexplained
    return Draw(
        item=0.03 * item,
        hedge=-0.09 * index,
        best=1.0 - unexplained / total,
        designated=1.0 - left / total,
        holding=DESIGNATED_SHARE * correlation / 3.0,
    )


def coverage(
    law: Law, correlation: float, n_obs: int, *, repetitions: int, seed: int
) -> tuple[float, ...]:
    """Share of intervals that hold the truth: designated holding, best holding, hedge ratio."""
    sample = draw(law, correlation, n_obs, repetitions, np.random.default_rng(seed))
    held = np.zeros(3)
    for item, hedge, designated, best in zip(
        sample.item, sample.hedge, sample.designated, sample.best, strict=True
    ):
        given = variance_reduction(
            item, hedge, hedge_notional=sample.holding, min_obs=n_obs
        ).effectiveness
        found = minimum_variance_hedge(item, hedge, min_obs=n_obs).at(0)
        fitted, ratio = found.effectiveness, found.hedge_ratio
        held += (
            given.ci_low <= designated <= given.ci_high,
            fitted.ci_low <= best <= fitted.ci_high,
            ratio.ci_low <= -sample.holding / DESIGNATED_SHARE <= ratio.ci_high,
        )
    shares = held / repetitions
    return tuple(float(share) for share in shares)


def table(repetitions: int = REPETITIONS) -> Iterator[str]:
    """Write the methodology's table, row by row."""
    heads = [f"{n_obs}, {kind}" for n_obs in LENGTHS for kind in KINDS]
    yield f"| Law | Correlation | {' | '.join(heads)} |\n"
    yield f"|{' --- |' * (len(heads) + 2)}\n"
    for row, law in enumerate(Law):
        for column, correlation in enumerate(CORRELATIONS):
            cells = [
                f"{100 * share:.1f}"
                for n_obs in LENGTHS
                for share in coverage(
                    law,
                    correlation,
                    n_obs,
                    repetitions=repetitions,
                    seed=1000 * row + 10 * column + n_obs,
                )
            ]
            yield f"| {law} | {correlation} | {' | '.join(cells)} |\n"
