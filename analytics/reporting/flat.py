"""The record as a flat table of numbers: one row per figure, CSV after RFC 4180."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any

from analytics.reporting.figures import numbers, reason

COLUMNS = (
    "business_date",
    "revision",
    "portfolio_id",
    "portfolio",
    "measure",
    "status",
    "figure",
    "value",
    "unit",
    "se",
    "ci95_low",
    "ci95_high",
    "n_obs",
    "first",
    "last",
    "reason",
    "synthetic",
)
_DECIMAL = re.compile(r"-?\d+(?:\.\d+)?")
#: What a spreadsheet would take for a formula. Numbers are written as numbers and never touched.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")


def csv_of(record: Mapping[str, Any]) -> str:
    """Every number of the record; a measure without a result has one row with the reason."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for row in _rows(record):
        writer.writerow([_written(row.get(name)) for name in COLUMNS])
    return buffer.getvalue()


def _rows(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for entry in record["portfolios"]:
        for measure, item in sorted(entry["measures"].items()):
            head = {
                "business_date": _Text(record["business_date"]),
                "revision": record["revision"],
                "portfolio_id": _Text(entry["id"]),
                "portfolio": _Text(entry["name"]),
                "measure": _Text(measure),
                "status": _Text(item["status"]),
                "synthetic": _Text(str(bool(record["client"].get("synthetic"))).lower()),
            }
            if item.get("result") is None:
                yield head | {"reason": _Text(reason(item))}
            for path, number in numbers(item.get("result")):
                if not isinstance(number["value"], str) or _DECIMAL.fullmatch(number["value"]):
                    yield head | _figure(path, number)


def _figure(path: str, number: Mapping[str, Any]) -> dict[str, Any]:
    low, high = number.get("ci95") or (None, None)
    missing = number["value"] is None
    return {
        "figure": _Text(path),
        "value": number["value"],
        "unit": _Text(number.get("unit", "")),
        "se": number.get("se"),
        "ci95_low": low,
        "ci95_high": high,
        "n_obs": number.get("n_obs"),
        "first": _Text(number.get("first") or ""),
        "last": _Text(number.get("last") or ""),
        "reason": _Text(str(number.get("reason") or "not available") if missing else ""),
    }


class _Text(str):
    """A cell that is text, whatever it looks like."""

    __slots__ = ()


def _written(value: Any) -> Any:
    if isinstance(value, _Text) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value
