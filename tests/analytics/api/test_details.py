"""Parts on request are named exactly, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from portfolios.models import Portfolio
from tests.callers import Caller


@pytest.mark.parametrize(
    ("kind", "unit"),
    [
        ("semiconductor-beta", {}),
        ("leveraged-drag", {}),
        ("hedge-effectiveness", {"hedging": [{"instrument": "SOXS"}]}),
    ],
)
def test_unknown_part_is_refused_by_name(
    caller: Caller, portfolio: Portfolio, kind: str, unit: dict[str, Any]
) -> None:
    units = {"main": {**unit, "detail": ["everything"]}}
    answer = caller.post(f"/v1/analyses/{kind}", {"portfolio": portfolio.public_id, "units": units})
    assert (answer.status, answer.code) == (400, "validation-error")
    assert answer.body["errors"][0]["pointer"] == "/units/main/detail/0"
