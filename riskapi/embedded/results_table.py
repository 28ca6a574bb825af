"""The first results as a table for people: every number with unit, error, sample and status."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

_COLUMNS = (
    "Analysis",
    "Figure",
    "Value",
    "Unit",
    "Std. error or 95% CI",
    "Sample",
    "Status",
)


def results_table(runs: Sequence[Mapping[str, Any]], title: str) -> Table:
    """One row for each number of each unit; a unit without numbers shows its reason."""
    table = Table(title=title, title_justify="left")
    for column in _COLUMNS:
        table.add_column(column, justify="right" if column == "Value" else "left", overflow="fold")
    for run in runs:
        for row in _rows_of_run(run):
            table.add_row(*row)
        table.add_section()
    return table


def _rows_of_run(run: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    kind = str(run.get("kind", ""))
    units = run.get("units") or {}
    if not units:
        problem = run.get("problem") or {}
        reason = str(problem.get("detail") or problem.get("title") or "")
        yield (kind, reason, "", "", "", "", str(run.get("status", "")))
    for name, unit in units.items():
        label = kind if len(units) == 1 else f"{kind} ({name})"
        status = str(unit.get("status", ""))
        numbers = list(_numbers(unit.get("result") or {}))
        if not numbers:
            problem = unit.get("problem") or {}
            reason = str(problem.get("detail") or unit.get("reason") or "")
            yield (label, reason, "", "", "", "", status)
        for figure, number in numbers:
            yield (label, figure, *_cells(number), str(number.get("status", status)))
            label = ""


def _numbers(
    result: Mapping[str, Any], prefix: str = "", depth: int = 2
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects with a value and a unit, in the order of the answer."""
    for key, value in result.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            if "value" in value:
                yield name, value
            elif depth > 1:
                yield from _numbers(value, f"{prefix}{key}: ", depth - 1)


def _cells(number: Mapping[str, Any]) -> tuple[str, str, str, str]:
    value, error, interval = number["value"], number.get("se"), number.get("ci95")
    shown = f"{value:.4f}" if isinstance(value, float) else "" if value is None else str(value)
    precision = ""
    if isinstance(error, float):
        precision = f"{error:.4f}"
    elif interval and None not in interval:
        precision = f"{interval[0]:.4f} to {interval[1]:.4f}"
    sample = ""
    if number.get("n_obs") is not None:
        sample = f"{number['n_obs']} obs, {number.get('first', '')} to {number.get('last', '')}"
    return shown, str(number.get("unit", "")), precision, sample
