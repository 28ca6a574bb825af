"""Results as flat tables, one figure a row: of a unit of a run, of a report."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_DECIMAL = re.compile(r"-?\d+(?:\.\d+)?")
#: What stands in the columns of a figure's row, or names it, and is no figure of its own.
_OF_A_FIGURE = frozenset(
    ("value", "unit", "se", "ci95", "n_obs", "first", "last", "status", "reason")
)
_NAMES = ("symbol", "label", "instrument")


def record_rows(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every number of a report, as `unit_rows`, with the book and the kind of analysis."""
    for entry in record["portfolios"]:
        head = {
            "business_date": record["business_date"],
            "revision": record["revision"],
            "synthetic": bool(record["client"].get("synthetic")),
            "portfolio": entry["id"],
            "portfolio_name": entry["name"],
        }
        for kind, item in sorted(entry["measures"].items()):
            for row in unit_rows(item):
                yield {**head, "kind": kind, **row}


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
            yield path, keys, estimate_cells(node)
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


def estimate_cells(node: Mapping[str, Any]) -> dict[str, Any]:
    """Value, unit, error, interval and sample of a figure; the reason where it has no value."""
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
