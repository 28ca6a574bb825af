"""Case 21: what a night of 10,000 portfolios holds at most; and how the first request fares."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.bench.market import INSTRUMENTS, SESSIONS, market, portfolios
from tests.bench.timing import Goal, show_table


def run(*, quick: bool) -> list[Goal]:
    """Let a fresh process map the panel, compute the night in chunks and tell its peak."""
    n_portfolios = 1_000 if quick else 10_000
    with tempfile.TemporaryDirectory() as scratch:
        closes, positions = Path(scratch) / "closes.npy", Path(scratch) / "positions.npz"
        scene, batch = market(), portfolios(n_portfolios)
        levels = 100.0 * np.cumprod(1.0 + np.nan_to_num(scene.panel), axis=0)
        levels[np.isnan(scene.panel)] = np.nan
        np.save(closes, np.vstack([np.where(np.isnan(levels[0]), np.nan, 100.0), levels]))
        np.savez(
            positions,
            offsets=batch.offsets,
            instruments=batch.instruments,
            exposures=batch.exposures,
            factors=np.vstack([scene.benchmark, scene.market, scene.hedges]),
        )
        command = [sys.executable, "-m", "tests.bench.memory", str(closes), str(positions)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        start, night, first, later, before, peak = map(float, told.split())
    panel = (SESSIONS + 1) * INSTRUMENTS * 8
    show_table(
        f"21. A fresh process: closes mapped, {n_portfolios:,} portfolios in chunks, one thread",
        ("what", "value", ""),
        [
            ["imports and kernels from the cache", f"{start:.2f} s", "once a worker"],
            ["closes to full set", f"{night:.2f} s", f"{n_portfolios / night:,.0f} portfolios/s"],
            ["first on demand / median", f"{first:.2f} / {later:.2f} ms", "after warm_up"],
            ["resident before", f"{before / 1e6:,.0f} MB", "interpreter, libraries"],
            ["resident at most", f"{peak / 1e6:,.0f} MB", f"close panel {panel / 1e6:,.0f} MB"],
        ],
    )
    return [
        Goal("20", "first on demand over the median, engine alone", first / later, 5, 2),
        Goal("21", "peak memory over the close panel", peak / panel, 15, 6),
    ]


def _child(closes: str, positions: str) -> None:
    began = time.perf_counter()
    from analytics.engine.batch.full_set import full_set, prepare, warm_up
    from analytics.engine.batch.panel_tiles import panel_tiles_from_levels
    from analytics.engine.batch.portfolio_returns import books

    warm_up()
    start = time.perf_counter() - began
    stored = np.load(positions)
    before = _peak()
    began = time.perf_counter()
    factors = stored["factors"]
    run = prepare(
        panel_tiles_from_levels(np.load(closes, mmap_mode="r")),
        benchmark=factors[0],
        market=factors[1],
        hedges=factors[2:],
    )
    batch = books(
        stored["offsets"], stored["instruments"], stored["exposures"], n_instruments=INSTRUMENTS
    )
    one: list[float] = []
    for row in range(30):
        asked = time.perf_counter()
        full_set(run, batch.part(row, row + 1))
        one.append(1e3 * (time.perf_counter() - asked))
    for _, chunk in batch.chunks():
        full_set(run, chunk)
    night = time.perf_counter() - began - sum(one) / 1e3
    told = (start, night, one[0], statistics.median(one[1:]), before, _peak())
    sys.stdout.write(" ".join(map(str, told)))


def _peak() -> float:
    """Bytes; mapped files count while they are resident."""
    if sys.platform != "linux":
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    # Linux carries the maximum of the parent over into ru_maxrss.
    (line,) = [
        line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line
    ]
    return 1024.0 * float(line.split()[1])


if __name__ == "__main__":
    _child(*sys.argv[1:])
