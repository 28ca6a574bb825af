"""Reading reference rows: what is asked, with which inputs, and what must come out."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytics.engine.types import FloatArray

Columns = Mapping[str, FloatArray]
Datasets = Mapping[str, Columns]

DATASET_METHOD = "dataset"


class NotCoveredError(Exception):
    """The engine has no method for what the row asks."""


@dataclass(frozen=True, slots=True)
class ReferenceRow:
    """One checkable value.

    Attributes
    ----------
    row_id, method : str
    inputs : mapping
        With references to other rows replaced by what they stand for.
    expected : float or None
        None means that the answer must be null.
    tolerance : float
        Absolute.
    """

    row_id: str
    method: str
    inputs: Mapping[str, Any]
    expected: float | None
    tolerance: float

    @property
    def family(self) -> str:
        """The method prefix, such as B04."""
        return self.row_id.partition("-")[0]

    @property
    def output(self) -> str:
        """What is asked for, in lower case."""
        return str(self.inputs.get("output", self.row_id.partition("-")[2])).lower()


class ReferenceFormatError(ValueError):
    """The file is not in the form of reference_values.csv."""


_COLUMNS = ("id", "method", "inputs(json)", "expected", "tolerance")


def parse_rows(
    lines: Iterable[str], *, others: Iterable[ReferenceRow] = ()
) -> tuple[ReferenceRow, ...]:
    """Read reference rows, resolving references from one row to another.

    Parameters
    ----------
    lines : iterable of str
        Of a CSV file with the columns id, method, inputs(json), expected, tolerance.
    others : iterable of ReferenceRow
        Of other files, which rows of this one may refer to.

    Returns
    -------
    tuple of ReferenceRow

    Raises
    ------
    ReferenceFormatError
        Naming the line and what is wrong with it.
    """
    reader = csv.DictReader(lines)
    absent = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
    if absent:
        raise ReferenceFormatError(f"columns missing: {', '.join(absent)}")
    rows: dict[str, ReferenceRow] = {}
    for record in reader:
        where = f"line {reader.line_num}, row {record['id']!r}"
        try:
            inputs = json.loads(record["inputs(json)"] or "{}")
            expected = _expected(record["expected"])
            tolerance = float(record["tolerance"] or 0)
        except (ValueError, TypeError, AttributeError) as error:
            raise ReferenceFormatError(f"{where}: {error}") from error
        if not isinstance(inputs, dict):
            raise ReferenceFormatError(f"{where}: the inputs are not a JSON object")
        if not record["id"] or record["id"] in rows:
            raise ReferenceFormatError(f"{where}: the id is missing or used twice")
        rows[record["id"]] = ReferenceRow(
            record["id"], record["method"] or "", inputs, expected, tolerance
        )
    known = {row.row_id: row for row in others} | rows
    return tuple(_resolved(row, known) for row in rows.values())


def _expected(text: str) -> float | None:
    """Read an expected value; null may be written out."""
    stripped = text.strip().lower()
    return None if stripped in {"", "null", "none", "nan"} else float(stripped)


def _resolved(row: ReferenceRow, rows: Mapping[str, ReferenceRow]) -> ReferenceRow:
    inputs = dict(row.inputs)
    seen = {row.row_id}
    while str(inputs.get("data", "")).startswith("as "):
        source = inputs.pop("data").removeprefix("as ")
        if source not in rows or source in seen:
            # Left for `evaluate` to report: the row it points to may be in another file.
            inputs["unresolved"] = source
            break
        seen.add(source)
        borrowed = {k: v for k, v in rows[source].inputs.items() if k != "output"}
        inputs = {**borrowed, **inputs}
    return ReferenceRow(row.row_id, row.method, inputs, row.expected, row.tolerance)


def datasets_of(rows: Iterable[ReferenceRow]) -> dict[str, dict[str, FloatArray]]:
    """Return the data sets that the rows themselves carry."""
    return {
        row.row_id: {name: floats(values) for name, values in row.inputs.items()}
        for row in rows
        if row.method == DATASET_METHOD
    }


def external_datasets(rows: Iterable[ReferenceRow]) -> frozenset[str]:
    """Return the names of data sets that must be handed in, such as statsmodels.datasets.nile."""
    rows = tuple(rows)
    own = datasets_of(rows)
    named = {str(row.inputs["dataset"]) for row in rows if "dataset" in row.inputs}
    return frozenset(named - own.keys())


def floats(values: object) -> FloatArray:
    if not isinstance(values, list | tuple | np.ndarray):
        raise NotCoveredError("not a list of numbers")
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
