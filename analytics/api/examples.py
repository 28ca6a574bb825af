"""Request examples of the analyses; the tests send each of them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample

from analytics.models import Run

_BOOK = "pf_01a2195a9a0c70e2a4fb5c2d1c0b6a11"


def _example(summary: str, units: dict[str, Any]) -> list[OpenApiExample]:
    value = {"portfolio": _BOOK, "units": units}
    return [OpenApiExample(summary, value=value, request_only=True)]


EXAMPLES: dict[str, list[OpenApiExample]] = {
    Run.Kind.SEMICONDUCTOR_BETA: _example(
        "A year, and the last quarter beside it",
        {"year": {"window": 252}, "quarter": {"window": 63}},
    ),
    Run.Kind.HEDGE_EFFECTIVENESS: _example(
        "An inverse fund against what is tagged semis",
        {
            "q3": {
                "hedged_item": {"tag": "semis"},
                "hedging": [{"instrument": "SOXS", "quantity": "48000"}],
                "horizon_sessions": 15,
            }
        },
    ),
    Run.Kind.LEVERAGED_DRAG: _example("Every leveraged fund of the book", {"main": {}}),
    Run.Kind.TAIL_RISK: _example(
        "Two confidence levels", {"main": {"confidence_levels": [0.95, 0.99]}}
    ),
    Run.Kind.HEDGE_COMPARISON: _example(
        "A million of delta, hedged in every way",
        {"main": {"notional": "1000000", "horizon_sessions": [5, 15]}},
    ),
}
