"""The engine of this build against published and hand-derived values, method by method."""

from __future__ import annotations

import csv
import functools
from pathlib import Path
from typing import Any

from analytics.engine import reference
from analytics.engine.reference import CheckedRow, Outcome, check, parse_rows

VALUES = Path(reference.__file__).with_name("published_values.csv")


@functools.cache
def selfcheck_report() -> dict[str, Any]:
    """Computed once by each process: code does not change under it, and neither do the values."""
    lines = VALUES.read_text(encoding="utf-8").splitlines(keepends=True)
    about = {row["id"]: row for row in csv.DictReader(lines)}
    checked = check(parse_rows(lines), {})
    methods: dict[str, list[CheckedRow]] = {}
    for result in checked:
        methods.setdefault(about[result.row.row_id]["page"], []).append(result)
    return {
        "rows": len(checked),
        "passed": sum(result.outcome is Outcome.PASSED for result in checked),
        "methods": [_summary(page, results) for page, results in sorted(methods.items())],
        "values": [_told(result, about[result.row.row_id]) for result in checked],
    }


def _summary(page: str, results: list[CheckedRow]) -> dict[str, Any]:
    shares = [
        result.error / result.row.tolerance
        for result in results
        if result.error is not None and result.row.tolerance
    ]
    return {
        "method": page,
        "rows": len(results),
        "passed": sum(result.outcome is Outcome.PASSED for result in results),
        "max_error": max((result.error or 0.0 for result in results), default=0.0),
        "max_error_in_tolerances": max(shares, default=0.0),
    }


def _told(result: CheckedRow, about: dict[str, str]) -> dict[str, Any]:
    return {
        "id": result.row.row_id,
        "method": about["page"],
        "asked": result.row.method,
        "expected": result.row.expected,
        "actual": result.actual,
        "error": result.error,
        "tolerance": result.row.tolerance,
        "passed": result.outcome is Outcome.PASSED,
        "source": about["source"],
    }
