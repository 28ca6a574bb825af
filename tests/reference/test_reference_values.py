"""Every reference row: those beside the checkout, and further ones that the project carries.

`further_values.csv` holds rows of the same methods with other samples, sizes, windows, lags and
multiples, null rows among them; its source column says whose number each is (NIST, gretl, Kupiec,
the Basel Committee, statsmodels, arch, QuantLib, scipy, plain numpy).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from analytics.engine.reference import (
    Outcome,
    ReferenceRow,
    check,
    datasets_of,
    external_datasets,
    parse_rows,
)
from analytics.engine.types import FloatArray
from analytics.management.commands.selfcheck import load_public_datasets
from tests.switches import REFERENCE_VALUES

_FURTHER = Path(__file__).with_name("further_values.csv")


def _rows(path: Path) -> tuple[ReferenceRow, ...]:
    with path.open(encoding="utf-8", newline="") as file:
        return parse_rows(file)


def _parameters() -> list[object]:
    return [
        pytest.param(path, row, id=row.row_id)
        for path in (REFERENCE_VALUES, _FURTHER)
        if path.is_file()
        for row in _rows(path)
        if row.method != "dataset"
    ]


@pytest.fixture(scope="module")
def datasets() -> dict[Path, dict[str, dict[str, FloatArray]]]:
    read = {path: _rows(path) for path in (REFERENCE_VALUES, _FURTHER) if path.is_file()}
    return {
        path: {**load_public_datasets(external_datasets(rows)), **datasets_of(rows)}
        for path, rows in read.items()
    }


@pytest.mark.parametrize(("path", "row"), _parameters())
def test_row(
    path: Path, row: ReferenceRow, datasets: dict[Path, dict[str, dict[str, FloatArray]]]
) -> None:
    (result,) = check([row], datasets[path])
    assert result.outcome is Outcome.PASSED, f"{result.actual} {row.expected} {result.note}"


@pytest.mark.parametrize(("path", "row"), _parameters())
def test_row_under_an_id_that_says_nothing(
    path: Path, row: ReferenceRow, datasets: dict[Path, dict[str, dict[str, FloatArray]]]
) -> None:
    (result,) = check([replace(row, row_id="X007-zz")], datasets[path])
    assert result.outcome is Outcome.PASSED, f"{result.actual} {row.expected} {result.note}"
