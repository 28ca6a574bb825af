"""Every reference row of the methods that the engine has, one test each."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from analytics.engine.reference import Outcome, check, external_datasets, parse_rows
from analytics.management.commands.selfcheck import load_public_datasets

_DEFAULT = Path(__file__).resolve().parents[3] / "shared" / "reference" / "reference_values.csv"
_FILE = Path(os.environ.get("RISK_REFERENCE_VALUES") or _DEFAULT)
# The methods this version answers in full; the others are reported as not covered by selfcheck.
_COVERED = frozenset(
    [f"B{n:02}" for n in (*range(1, 7), 12, 13, *range(15, 20))]
    + [f"H{n:02}" for n in range(1, 12)]
    + [f"L{n:02}" for n in (*range(1, 12), 15, 16)]
)
_ROWS = parse_rows(_FILE.read_text("utf-8").splitlines(keepends=True)) if _FILE.is_file() else ()


@pytest.mark.skipif(not _ROWS, reason="no reference values beside the checkout")
@pytest.mark.parametrize(
    "row_id", [row.row_id for row in _ROWS if row.family in _COVERED] or ["none"]
)
def test_reference_value(row_id: str) -> None:
    chosen = [row for row in _ROWS if row.row_id == row_id or row.method == "dataset"]
    (result,) = check(chosen, load_public_datasets(external_datasets(chosen)))
    assert result.outcome is Outcome.PASSED, f"{result.actual} {result.row.expected} {result.note}"
