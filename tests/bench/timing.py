"""Interleaved timing: every round runs every contender once, so that noise hits all alike."""

from __future__ import annotations

import gc
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from rich.console import Console
from rich.table import Table

ROUNDS = 7
_console = Console(width=150)


@dataclass(frozen=True)
class Row:
    """One contender of a case: seconds per round, and how much work a round is."""

    name: str
    seconds: Sequence[float]
    work: int
    unit: str

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def each(self) -> float:
        """Median seconds for one piece of work."""
        return self.median / self.work


def interleaved(
    contenders: Mapping[str, Callable[[], object]],
    *,
    work: int | Mapping[str, int],
    unit: str,
    before_each: Callable[[], object] | None = None,
    rounds: int = ROUNDS,
) -> list[Row]:
    """Time the contenders in turn; `before_each` is not timed. The first round warms up.

    `work` is what a round of a contender does; slow peers do less and are compared by piece.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, contender in contenders.items():
            if before_each is not None:
                before_each()
            gc.collect()
            began = time.perf_counter()
            contender()
            taken = time.perf_counter() - began
            if turn:
                seconds[name].append(taken)
    amounts = dict.fromkeys(contenders, work) if isinstance(work, int) else work
    return [Row(name, taken, amounts[name], unit) for name, taken in seconds.items()]


def show(title: str, rows: Sequence[Row], *, baseline: str, note: str = "") -> None:
    """Print medians and how many times faster than the baseline each one is."""
    slow = next(row for row in rows if row.name == baseline)
    table = Table(title=title, title_justify="left", caption=note, caption_justify="left")
    table.add_column("contender")
    for heading in ("median ms", "min ms", "per second", f"ratio to {baseline}"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            row.name,
            f"{1e3 * row.median:,.2f}",
            f"{1e3 * min(row.seconds):,.2f}",
            f"{1 / row.each:,.0f} {row.unit}",
            f"{slow.each / row.each:.2f}x",
        )
    _console.print(table)


def latencies(title: str, samples: Mapping[str, Sequence[float]], note: str = "") -> None:
    """Print quantiles of request times."""
    table = Table(title=title, title_justify="left", caption=note, caption_justify="left")
    table.add_column("request")
    for heading in ("n", "p50 ms", "p90 ms", "p99 ms", "max ms", "p99 / p50"):
        table.add_column(heading, justify="right")
    for name, seconds in samples.items():
        ordered = sorted(seconds)
        p50, p90, p99 = (
            1e3 * ordered[min(int(q * len(ordered)), len(ordered) - 1)] for q in (0.5, 0.9, 0.99)
        )
        figures = (p50, p90, p99, 1e3 * ordered[-1])
        table.add_row(
            name, str(len(ordered)), *(f"{value:,.1f}" for value in figures), f"{p99 / p50:.2f}"
        )
    _console.print(table)


def shares(title: str, seconds: Mapping[str, float], note: str = "") -> None:
    """Print the parts of a whole."""
    table = Table(title=title, title_justify="left", caption=note, caption_justify="left")
    table.add_column("part")
    table.add_column("ms", justify="right")
    table.add_column("share", justify="right")
    whole = sum(seconds.values())
    for name, part in seconds.items():
        table.add_row(name, f"{1e3 * part:,.1f}", f"{part / whole:.0%}")
    _console.print(table)


@dataclass(frozen=True)
class Goal:
    """One line of the goals: what was measured, beside its floor and its goal.

    A ratio that should be large has floor < goal, a cost that should be small floor > goal.
    """

    number: str
    case: str
    measured: float
    floor: float
    goal: float
    unit: str = "x"

    @property
    def regressed(self) -> bool:
        small_is_good = self.floor > self.goal
        return self.measured > self.floor if small_is_good else self.measured < self.floor

    @property
    def verdict(self) -> str:
        if self.regressed:
            return "REGRESSION"
        small_is_good = self.floor > self.goal
        reached = self.measured <= self.goal if small_is_good else self.measured >= self.goal
        return "goal" if reached else "floor"


def goals(title: str, lines: Sequence[Goal]) -> bool:
    """Print measured against floor and goal; return whether every floor holds."""
    table = Table(title=title, title_justify="left")
    for heading in ("#", "case"):
        table.add_column(heading)
    for heading in ("measured", "floor", "goal", "reached"):
        table.add_column(heading, justify="right")
    for line in lines:
        bound = "<=" if line.floor > line.goal else ">="
        figures = (line.measured, line.floor, line.goal)
        measured, floor, goal = (f"{figure:,.3g}{line.unit}" for figure in figures)
        table.add_row(
            line.number, line.case, measured, f"{bound} {floor}", f"{bound} {goal}", line.verdict
        )
    _console.print(table)
    return not any(line.regressed for line in lines)


def show_table(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], note: str = ""
) -> None:
    """Print rows of text; the first and the last column to the left."""
    table = Table(title=title, title_justify="left", caption=note, caption_justify="left")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="left" if place in (0, len(headings) - 1) else "right")
    for row in rows:
        table.add_row(*row)
    _console.print(table)


def machine() -> None:
    """Say what was measured on."""
    packages = ("numpy", "scipy", "pandas", "statsmodels", "empyrical-reloaded", "arch", "numba")
    serving = ("django", "psycopg", "celery", "granian")
    versions = ", ".join(f"{name} {version(name)}" for name in (*packages, *serving))
    _console.print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, load"
        f" {os.getloadavg()[0]:.1f}; {versions}; {ROUNDS} interleaved rounds, medians;"
        " one thread of arithmetic per process"
    )
