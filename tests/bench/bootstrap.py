"""Case 13: terminal growth of 100,000 bootstrapped paths of 63 sessions."""

from __future__ import annotations

import functools

import numpy as np
from arch.bootstrap import StationaryBootstrap

from analytics.engine.bootstrap import stationary_growth
from analytics.engine.types import FloatArray
from tests.bench.market import SESSIONS
from tests.bench.timing import Goal, interleaved, show

PATHS, DAYS, BLOCK, ARCH_PATHS = 100_000, 63, 10, 500


def run(*, quick: bool) -> list[Goal]:
    """The engine's prefix sums, whole paths in numpy, and arch."""
    n_paths = 10_000 if quick else PATHS
    growth = np.log1p(0.03 * np.random.default_rng(5).standard_t(5, SESSIONS).clip(-20, 20))
    measured = interleaved(
        {
            "numpy, all paths at once": functools.partial(_numpy, growth, n_paths),
            "arch StationaryBootstrap": functools.partial(_arch, growth),
            "engine": lambda: stationary_growth(
                growth, [DAYS], mean_block=BLOCK, n_paths=n_paths, seed=1
            ),
        },
        work={
            "numpy, all paths at once": n_paths,
            "arch StationaryBootstrap": ARCH_PATHS,
            "engine": n_paths,
        },
        unit="paths/s",
    )
    show(
        f"13. Stationary bootstrap, {n_paths:,} paths x {DAYS} sessions, mean block {BLOCK}",
        measured,
        baseline="numpy, all paths at once",
        note=f"arch resamples all {SESSIONS:,} sessions each time; from {ARCH_PATHS} paths",
    )
    numpy, arch, ours = (row.each for row in measured)
    return [
        Goal("13a", "bootstrap against vectorised numpy", numpy / ours, 3, 5),
        Goal("13b", "bootstrap against arch", arch / ours, 50, 115),
    ]


def _numpy(growth: FloatArray, n_paths: int) -> FloatArray:
    rng = np.random.default_rng(1)
    row = rng.integers(0, growth.size, n_paths)
    total = np.zeros(n_paths)
    for _ in range(DAYS):
        total += growth[row]
        fresh = rng.random(n_paths) < 1 / BLOCK
        row = np.where(fresh, rng.integers(0, growth.size, n_paths), (row + 1) % growth.size)
    return total


def _arch(growth: FloatArray) -> FloatArray:
    sampler = StationaryBootstrap(BLOCK, growth, seed=1)
    drawn = sampler.apply(lambda path: path[:DAYS].sum(), ARCH_PATHS)
    totals: FloatArray = drawn
    return totals
