"""Tail risk over HTTP: accepted, served, and strict about its parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from portfolios.models import Portfolio
from tests.callers import Caller

PATH = "/v1/analyses/tail-risk"


def test_levels_asked_for_are_served(
    caller: Caller, portfolio: Portfolio, work: Callable[[], int]
) -> None:
    units = {"main": {"window": 252, "confidence_levels": [0.975, 0.9, 0.975]}}
    accepted = caller.post(PATH, {"portfolio": portfolio.public_id, "units": units})
    assert accepted.status == 202, accepted.body
    work()
    body = caller.get(accepted.headers["Location"]).body
    assert body["method_version"] == "tail-risk/1.0.0"
    levels = body["units"]["main"]["result"]["levels"]
    assert [level["confidence_level"] for level in levels] == [0.9, 0.975]


@pytest.mark.parametrize(
    ("unit", "pointer"),
    [
        ({"confidence_levels": [1.0]}, "/units/main/confidence_levels/0"),
        ({"confidence_levels": []}, "/units/main/confidence_levels"),
        ({"window": 10}, "/units/main/window"),
        ({"horizon": 10}, "/units/main/horizon"),
    ],
)
def test_bad_parameters_are_refused_by_name(
    caller: Caller, portfolio: Portfolio, unit: dict[str, Any], pointer: str
) -> None:
    answer = caller.post(PATH, {"portfolio": portfolio.public_id, "units": {"main": unit}})
    assert answer.status in {400, 422}, answer.body
    assert answer.body["errors"][0]["pointer"] == pointer
