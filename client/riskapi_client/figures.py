"""Numbers with what belongs to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its unit and, where it is an estimate, its error and sample.

    Statistics are floats; money, prices and quantities are decimals, exact to the last digit.
    """

    value: float | Decimal
    unit: str
    se: float | None = None
    ci95: tuple[float, float] | None = None
    n_obs: int | None = None

    def __float__(self) -> float:
        return float(self.value)


def is_figure(node: Any) -> bool:
    return isinstance(node, Mapping) and "value" in node and "unit" in node


def figure_of(node: Mapping[str, Any]) -> Figure | None:
    """The figure of a JSON object; None where it has no value."""
    value = node["value"]
    if value is None:
        return None
    interval = node.get("ci95")
    return Figure(
        value=Decimal(value) if isinstance(value, str) else float(value),
        unit=str(node["unit"]),
        se=node.get("se"),
        ci95=(float(interval[0]), float(interval[1])) if interval else None,
        n_obs=node.get("n_obs"),
    )


def at(node: Any, path: str) -> Any:
    """The part of a result at a dotted path; numbers step into lists."""
    for step in path.split("."):
        try:
            node = node[int(step)] if isinstance(node, list) else node[step]
        except (KeyError, IndexError, ValueError, TypeError):
            known = (
                ", ".join(sorted(node)) if isinstance(node, Mapping) else f"{len(node or ())} items"
            )
            raise KeyError(f"{path}: there is no {step!r} here, but {known}") from None
    return node
