"""Numbers as people read them: fixed decimals, thousands separators, a true minus sign."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

MINUS = "\N{MINUS SIGN}"
UNAVAILABLE = "-"

Number = int | float | str | Decimal


def number(value: Number | None, places: int = 0, *, signed: bool = False) -> str:
    """Nothing is `-`, and never 0; what rounds to zero has no sign."""
    if value is None:
        return UNAVAILABLE
    rounded = Decimal(str(value)).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    if rounded == 0:
        return f"{abs(rounded):,.{places}f}"
    sign = MINUS if rounded < 0 else "+" if signed else ""
    return f"{sign}{abs(rounded):,.{places}f}"


def percent(value: Number | None, places: int = 1, *, signed: bool = False) -> str:
    """A decimal fraction in percent; the sign `%` belongs to the heading."""
    if value is None:
        return UNAVAILABLE
    return number(Decimal(str(value)) * 100, places, signed=signed)


def interval(bounds: Any, places: int = 2) -> str:
    """`[0.44, 0.54]`."""
    if not bounds or bounds[0] is None or bounds[1] is None:
        return UNAVAILABLE
    return f"[{number(bounds[0], places)}, {number(bounds[1], places)}]"


def long_date(text: str) -> str:
    """`2026-11-20` as `20 November 2026`."""
    day = date.fromisoformat(text)
    return f"{day.day} {day:%B %Y}"
