"""Results as flat tables, one row per figure: a report's record, a unit of a run."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any

from analytics.reporting.figures import numbers, reason
from portfolios.exports import guarded

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
#: What stands in the columns of a figure's row, or names it, and is no figure of its own.
_OF_A_FIGURE = frozenset(
    ("value", "unit", "se", "ci95", "n_obs", "first", "last", "status", "reason")
)
_NAMES = ("symbol", "label", "instrument")


def csv_of(record: Mapping[str, Any]) -> str:
    """Every number of the record, CSV after RFC 4180; a measure without a result has one row with
    the reason."""
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
    if isinstance(value, _Text):
        return guarded(value)
    return "" if value is None else value


def unit_rows(answer: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What a unit made as rows: every figure once, named by measure, instrument and horizon.

    Statistics are in `value`, decimals in `value_decimal` and, as the nearest double, in `value`;
    verdicts and other words in `text`. A unit without a result is one row with the reason.
    """
    status, result = answer["status"], answer.get("result")
    if result is None:
        problem = answer.get("problem") or {}
        yield {"status": status, "reason": problem.get("detail") or problem.get("code")}
        return
    for measure, keys, figure in _leaves(result, "", {}):
        yield {"status": status, "measure": measure, **keys, **figure}


def _leaves(
    node: Any, path: str, keys: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any], dict[str, Any]]]:
    """Leaves with the path to them; elements of lists by what they are about, else by number."""
    if isinstance(node, Mapping):
        keys = {**keys, **_keys(node)}
        is_figure = "value" in node
        if is_figure:
            yield path, keys, _estimated(node)
        for name, child in sorted(node.items()):
            names_it = name in (*_NAMES, *keys) and not isinstance(child, list | Mapping)
            if not names_it and not (is_figure and name in _OF_A_FIGURE):
                yield from _leaves(child, f"{path}.{name}" if path else name, keys)
    elif isinstance(node, list):
        for place, child in enumerate(node):
            named = isinstance(child, Mapping) and bool(_keys(child).keys() - {"status"})
            yield from _leaves(child, path if named else f"{path}.{place}", keys)
    elif node is not None:
        yield path, keys, _value(node)


def _keys(node: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    name = next((node[n] for n in _NAMES if isinstance(node.get(n), str)), None)
    if name is not None:
        found["instrument"] = name
    if isinstance(node.get("horizon_sessions"), int):
        found["horizon_sessions"] = node["horizon_sessions"]
    if isinstance(node.get("status"), str):
        found["status"] = node["status"]
    return found


def _estimated(node: Mapping[str, Any]) -> dict[str, Any]:
    low, high = node.get("ci95") or (None, None)
    figure = {name: node[name] for name in ("se", "n_obs", "first", "last") if name in node}
    figure |= {"unit_of_measure": node.get("unit"), "ci95_low": low, "ci95_high": high}
    if node["value"] is None:
        return figure | {"reason": node.get("reason") or "not available"}
    return figure | _value(node["value"])


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"text": str(value).lower()}
    if isinstance(value, str):
        if _DECIMAL.fullmatch(value):
            return {"value": float(value), "value_decimal": value}
        return {"text": value}
    return {"value": float(value)}
