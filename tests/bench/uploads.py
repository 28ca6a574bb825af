"""Damaged uploads by the thousand: no server error, rows reconcile, time and memory are bounded."""

from __future__ import annotations

import multiprocessing
import os
import resource
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from django.test.utils import setup_test_environment

from tests.flows.service import Service
from tests.switches import figure

if TYPE_CHECKING:
    from tests.portfolios.services.damaged_files import Mutant

COUNT = figure("RISK_MUTANTS", 10_000)
FIRST = figure("RISK_MUTANTS_FROM", 1)
MAX_SECONDS, MAX_MEGABYTES = 5.0, 300
_TOLD_EVERY = 250


def run(_service: Service) -> bool:
    """Send `RISK_MUTANTS` mutants from `RISK_MUTANTS_FROM` on; whether every bound holds."""
    from tests.portfolios.services.upload_mutants import attack, world

    setup_test_environment()  # the in-process caller's host is known
    before = _peak()
    caller = world()
    seconds, work = [], []
    seeds = set()
    ends, found = Counter[str](), 0
    for mutant in _made_elsewhere():
        worked = sum(os.times()[:4])
        outcome = attack(caller, mutant)
        work.append(sum(os.times()[:4]) - worked)
        seconds.append(outcome.seconds)
        seeds.add(mutant.seed)
        ends[outcome.status] += 1
        if outcome.problem:
            found += 1
            print(f"  mutant {mutant.number} of {mutant.seed.name}: {outcome.problem}", flush=True)
        if len(seconds) % _TOLD_EVERY == 0:
            print(
                f"  {len(seconds):,} sent, slowest {max(seconds):.2f} s, {_peak()} MB", flush=True
            )
    print(
        f"uploads: {COUNT:,} mutants of {len(seeds)} seeds, {found} not answered for; {dict(ends)}"
    )
    for what, values in (("seconds", seconds), ("of them at work", work)):
        print(
            f"  {what}: median {np.median(values):.3f}, p99 {np.quantile(values, 0.99):.3f},"
            f" slowest {max(values):.3f}"
        )
    peak = _peak()
    print(f"  peak memory: {peak} MB, {before} MB before the first")
    held = not found and max(seconds) <= MAX_SECONDS and peak <= MAX_MEGABYTES
    print(f"  0 unanswered, {MAX_SECONDS} s, {MAX_MEGABYTES} MB: {'held' if held else 'BROKEN'}")
    return held


def _made_elsewhere() -> Iterator[Mutant]:
    """The mutants, each made by another process while the one before it is sent, and handed over as
    a file: what they take to be made is no memory of the service."""
    with (
        TemporaryDirectory() as folder,
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool,
    ):
        file = Path(folder) / "mutant"
        following = pool.submit(_make, FIRST, file)
        for number in range(FIRST + 1, FIRST + COUNT + 1):
            mutant = replace(following.result(), content=file.read_bytes())
            following = pool.submit(_make, number, file)
            yield mutant


def _make(number: int, file: Path) -> Mutant:
    from tests.portfolios.services.damaged_files import numbered

    mutant = numbered(number)
    file.write_bytes(mutant.content)
    return replace(mutant, content=b"")


def _peak() -> int:
    """Of this process in MB: it is web server, worker and the one who sends at once.

    The readers of Parquet are processes of their own, whose limit is in `feeds/parquet_child.py`.
    """
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
