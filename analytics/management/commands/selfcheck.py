"""Check the engine against reference values: `python3 manage.py selfcheck`."""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from analytics.engine.reference import (
    CheckedRow,
    FamilySummary,
    Outcome,
    ReferenceFormatError,
    ReferenceRow,
    check,
    datasets_of,
    external_datasets,
    parse_rows,
    summarize,
)
from analytics.engine.types import FloatArray

_PUBLIC_DATASETS = "statsmodels.datasets."


class Command(BaseCommand):
    """Run reference rows through the engine; needs no database."""

    help = "Check the engine against a file of reference values, method by method."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--file", type=Path, help="reference values (CSV)")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument(
            "--strict", action="store_true", help="fail on rows that are not covered too"
        )

    def handle(self, *_args: str, **options: Any) -> None:
        """Check, print, and exit 1 on a failure."""
        path: Path = options["file"] or _default_file()
        # A file of further rows may use the inputs and data sets of the usual one.
        usual = _default_file()
        others = _read(usual) if path != usual and usual.is_file() else ()
        rows = _read(path, others)
        datasets = {**load_public_datasets(external_datasets(rows)), **datasets_of(others)}
        checked = check(rows, datasets)
        if options["json"]:
            self.stdout.write(json.dumps(_report(path, checked)))
        else:
            self.stdout.write(_rendered(path, checked, is_terminal=self.stdout.isatty()))
        failing = {Outcome.FAILED, Outcome.NOT_COVERED} if options["strict"] else {Outcome.FAILED}
        if any(result.outcome in failing for result in checked):
            raise SystemExit(1)


def _read(path: Path, others: Sequence[ReferenceRow] = ()) -> tuple[ReferenceRow, ...]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return parse_rows(file, others=others)
    except OSError as error:
        raise CommandError(
            f"{path}: {error.strerror}. Name the reference values with --file CSV."
        ) from error
    except (ReferenceFormatError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: {error}") from error


def _default_file() -> Path:
    named = os.environ.get("RISK_REFERENCE_VALUES")
    if named:
        return Path(named)
    checkout = Path(__file__).resolve().parents[3]
    return checkout.parent / "shared" / "reference" / "reference_values.csv"


def load_public_datasets(names: Iterable[str]) -> dict[str, dict[str, FloatArray]]:
    """Load the named data sets that statsmodels carries; others are left out."""
    loaded = {}
    for name in names:
        if not name.startswith(_PUBLIC_DATASETS):
            continue
        try:
            frame = import_module(name).load_pandas().data
        except ImportError:
            continue  # not one of statsmodels: its rows are reported as not covered
        loaded[name] = {
            column: frame[column].to_numpy(dtype=np.float64)
            for column in frame.select_dtypes("number").columns
        }
    return loaded


def _report(path: Path, checked: Sequence[CheckedRow]) -> dict[str, Any]:
    return {
        "file": path.name,
        "rows": len(checked),
        **{
            outcome.value: sum(result.outcome is outcome for result in checked)
            for outcome in Outcome
        },
        "methods": [
            {
                "method": summary.family,
                "rows": summary.rows,
                "passed": summary.passed,
                "failed": summary.failed,
                "not_covered": summary.not_covered,
                "max_error": summary.max_error,
                "max_error_in_tolerances": summary.max_error_in_tolerances,
            }
            for summary in summarize(checked)
        ],
        "failures": [_failure(result) for result in checked if result.outcome is Outcome.FAILED],
        "not_covered_rows": list(_uncovered(checked)),
        "not_covered_reasons": _uncovered(checked),
    }


def _failure(result: CheckedRow) -> dict[str, Any]:
    return {
        "id": result.row.row_id,
        "expected": result.row.expected,
        "actual": result.actual,
        "tolerance": result.row.tolerance,
        "error": result.error,
        "note": result.note,
    }


def _uncovered(checked: Iterable[CheckedRow]) -> dict[str, str]:
    """Rows that have no answer, and what is missing for one."""
    return {r.row.row_id: r.note for r in checked if r.outcome is Outcome.NOT_COVERED}


def _rendered(path: Path, checked: Sequence[CheckedRow], *, is_terminal: bool) -> str:
    page = StringIO()
    console = Console(file=page, force_terminal=is_terminal, width=None if is_terminal else 100)
    summaries = summarize(checked)
    table = Table(title=f"Engine against {path.name}", title_justify="left")
    table.add_column("Method")
    for heading in ("Rows", "Passed", "Failed", "Not covered", "Max error", "of tolerance"):
        table.add_column(heading, justify="right")
    for summary in summaries:
        table.add_row(*_cells(summary), style="red" if summary.failed else None)
    console.print(table)
    for result in checked:
        if result.outcome is Outcome.FAILED:
            console.print(
                f"[red]failed[/red] {result.row.row_id}: expected {result.row.expected}, "
                f"got {result.actual}, tolerance {result.row.tolerance} {result.note}",
                highlight=False,
            )
    uncovered = _uncovered(checked)
    for row_id, reason in uncovered.items():
        console.print(f"not covered {row_id}: {reason}", highlight=False, markup=False)
    passed = sum(summary.passed for summary in summaries)
    failed = sum(summary.failed for summary in summaries)
    console.print(
        f"{len(checked)} rows: {passed} passed, {failed} failed, {len(uncovered)} not covered"
    )
    return page.getvalue()


def _cells(summary: FamilySummary) -> tuple[str, ...]:
    if summary.passed + summary.failed == 0:
        errors = ("", "")
    elif summary.max_error_in_tolerances is None:
        errors = (f"{summary.max_error:.1e}", "missed")
    else:
        errors = (f"{summary.max_error:.1e}", f"{summary.max_error_in_tolerances:.1e}")
    return (
        summary.family,
        str(summary.rows),
        str(summary.passed),
        str(summary.failed) if summary.failed else "",
        str(summary.not_covered) if summary.not_covered else "",
        *errors,
    )
