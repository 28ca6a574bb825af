"""Case 13: 100,000 bootstrap paths of 63 days against vectorized numpy and the loop of arch.

`python3 manage.py python -m tests.bench.bootstrap`
"""

from __future__ import annotations

import numpy as np
from arch.bootstrap import StationaryBootstrap

from analytics.engine.bootstrap import stationary_growth
from analytics.engine.types import FloatArray
from tests.bench.timing import interleaved, machine, show

SESSIONS, PATHS, DAYS, MEAN_BLOCK = 2_519, 100_000, 63, 10.0
ARCH_PATHS = 2_000


def numpy_paths(growth: FloatArray, n_paths: int, seed: int) -> FloatArray:
    """Stationary bootstrap with all paths of a day at once."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, growth.size, n_paths)
    total = growth[rows]
    for _ in range(DAYS - 1):
        restart = rng.random(n_paths) < 1.0 / MEAN_BLOCK
        rows = np.where(restart, rng.integers(0, growth.size, n_paths), (rows + 1) % growth.size)
        total += growth[rows]
    return total


def arch_paths(growth: FloatArray, n_paths: int, seed: int) -> FloatArray:
    """Loop of arch, which resamples the whole series for every path."""
    paths = StationaryBootstrap(int(MEAN_BLOCK), growth, seed=seed).bootstrap(n_paths)
    return np.array([data[0][0][:DAYS].sum() for data in paths])


def run() -> None:
    """Time the three, arch on a fiftieth of the paths."""
    growth = np.log1p(3.0 * 0.02 * np.random.default_rng(13).standard_t(5, SESSIONS).clip(-4, 4))
    rows = interleaved(
        {
            "engine": lambda: stationary_growth(
                growth, [DAYS], mean_block=MEAN_BLOCK, n_paths=PATHS, seed=1
            ),
            "numpy, vectorized": lambda: numpy_paths(growth, PATHS, 1),
            f"arch, {ARCH_PATHS:,} paths x {PATHS // ARCH_PATHS}": lambda: arch_paths(
                growth, ARCH_PATHS, 1
            ),
        },
        work=PATHS,
        unit="paths",
    )
    rows[2] = type(rows[2])(
        rows[2].name, [s * PATHS / ARCH_PATHS for s in rows[2].seconds], PATHS, "paths"
    )
    show(
        f"{PATHS:,} paths of {DAYS} days from {SESSIONS:,} sessions, mean block {MEAN_BLOCK:g}",
        rows,
        baseline=rows[2].name,
        note=(
            f"one thread; {rows[1].median / rows[0].median:.1f}x vectorized numpy (goal 5x, floor"
            f" 3x), {rows[2].median / rows[0].median:.0f}x arch (goal 115x, floor 50x)"
        ),
    )


if __name__ == "__main__":
    machine()
    run()
