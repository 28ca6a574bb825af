"""Reading single figures out of the measures' results, each with its status and reason.

A result is what `GET /v1/runs/{id}` shows of a unit: `{"status", "result", "problem"}`. A figure
that is not there has no value and a reason; nothing becomes 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

BETA, HEDGE, DRAG = "semiconductor-beta", "hedge-effectiveness", "leveraged-drag"

STATUS_WORDS = {
    "ok": "OK",
    "insufficient_data": "Too little data",
    "degenerate": "Degenerate",
    "stale": "Stale",
    "error": "Error",
    "not_applicable": "Not applicable",
    "partial_history": "Partial history",
}

#: A reason longer than this stands in the notices and the CSV, in a table its status does.
_SHORT = 32

Measures = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Figure:
    """A number as the record has it, or none and the reason."""

    value: Any
    unit: str = ""
    se: float | None = None
    ci95: tuple[float, float] | None = None
    reason: str = ""


def figure(measures: Measures, measure: str, *path: str) -> Figure:
    """The figure at a path of a measure's result."""
    item = measures.get(measure)
    if item is None:
        return Figure(None, reason="not computed")
    node: Any = item.get("result")
    if node is None:
        return Figure(None, reason=reason(item))
    for step in path:
        node = node.get(step) if isinstance(node, Mapping) else None
    return read(node)


def read(node: Any) -> Figure:
    """A bare number, or `{"value", "unit", "se", "ci95", "reason"}`."""
    if not isinstance(node, Mapping):
        return Figure(node, reason="" if node is not None else "not available")
    bounds = node.get("ci95")
    why = str(node.get("reason") or "not available")
    if len(why) > _SHORT:
        why = STATUS_WORDS.get(
            str(node.get("status")), f"{why[: _SHORT - 1]}\N{HORIZONTAL ELLIPSIS}"
        )
    return Figure(
        node.get("value"),
        unit=node.get("unit", ""),
        se=node.get("se"),
        ci95=(bounds[0], bounds[1]) if bounds else None,
        reason="" if node.get("value") is not None else why,
    )


def reason(item: Mapping[str, Any]) -> str:
    """Why a measure has no result, in a few words."""
    problem = item.get("problem") or {}
    status = STATUS_WORDS.get(item["status"], item["status"])
    return str(problem.get("title") or problem.get("code") or status).replace("-", " ")


def numbers(node: Any, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every number below a node, flat: its dotted path and `{"value", ...}`."""
    if isinstance(node, Mapping):
        if "value" in node:
            yield path, node
        for name, child in sorted(node.items()):
            if not (
                "value" in node
                and name in {"value", "unit", "se", "ci95", "n_obs", "first", "last"}
            ):
                yield from numbers(child, f"{path}.{name}" if path else name)
    elif isinstance(node, list | tuple):
        for place, child in enumerate(node):
            yield from numbers(child, f"{path}.{_name(child, place)}")
    elif isinstance(node, int | float) and not isinstance(node, bool):
        yield path, {"value": node}


def _name(child: Any, place: int) -> str:
    """Lists of things are named by the thing, so a row keeps its name when the order changes."""
    if isinstance(child, Mapping):
        for key in ("symbol", "label", "instrument", "horizon_sessions"):
            if child.get(key) is not None:
                return str(child[key])
    return str(place)
