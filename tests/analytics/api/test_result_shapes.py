"""The schema describes each result whole: what it does not name is refused, at any depth."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from analytics.api.results.problems import BY_CODE
from analytics.models import Result, Run
from portfolios.models import Portfolio
from portfolios.tenancy import operator_scope
from riskapi.api.problems import PROBLEMS
from tests.callers import Caller
from tests.result_shapes import complaints, document, unit_complaints

UNITS: dict[str, dict[str, Any]] = {
    "semiconductor-beta": {"rolling_series": True, "detail": ["gamma_ladder", "moving_beta"]},
    "hedge-effectiveness": {
        "hedging": [{"instrument": "SOXS"}],
        "inception": "2025-03-03",
        "horizon_sessions": 10,
        "detail": ["bootstrap"],
    },
    "leveraged-drag": {"horizon_sessions": [5], "detail": ["bootstrap"]},
    "tail-risk": {},
    "hedge-comparison": {"underlying": "SOX", "notional": "100000"},
}
#: Objects whose members' names are data.
BY_NAME = ("quantiles", "paths")


def _objects(value: Any, name: str = "") -> Iterator[dict[str, Any]]:
    """Every object within, whose members have names of ours."""
    if isinstance(value, dict):
        if name not in BY_NAME:
            yield value
        for key, inner in value.items():
            yield from _objects(inner, key)
    elif isinstance(value, list):
        for inner in value[:2]:
            yield from _objects(inner)


@pytest.fixture
def stored(
    caller: Caller, portfolio: Portfolio, work: Callable[[], int]
) -> Callable[[str], dict[str, Any]]:
    """The answer of a kind with everything that can be asked of it."""

    def ask(kind: str) -> dict[str, Any]:
        body = {"portfolio": portfolio.public_id, "units": {"main": UNITS[kind]}}
        accepted = caller.post(f"/v1/analyses/{kind}", body)
        assert accepted.status == 202, accepted.body
        work()
        with operator_scope():
            answer: dict[str, Any] = json.loads(Result.objects.get().body)
        assert answer["status"] == "ok", answer
        run = caller.get(accepted.headers["Location"]).body
        assert complaints("Run", run) == []
        return answer

    return ask


def test_every_kind_is_tried() -> None:
    assert set(UNITS) == set(Run.Kind.values)


@pytest.mark.parametrize("kind", UNITS)
def test_a_member_that_nobody_described_is_a_complaint(
    kind: str, stored: Callable[[str], dict[str, Any]]
) -> None:
    answer = stored(kind)
    assert unit_complaints(kind, json.dumps(answer)) == []
    for at in range(len(list(_objects(answer)))):
        changed = copy.deepcopy(answer)
        list(_objects(changed))[at]["unforeseen"] = 1
        assert unit_complaints(kind, json.dumps(changed)), at


@pytest.mark.parametrize("kind", UNITS)
def test_a_number_in_place_of_text_is_a_complaint(
    kind: str, stored: Callable[[str], dict[str, Any]]
) -> None:
    """Amounts are text in the schema too, and null stands only where it is foreseen."""
    answer = stored(kind)
    for found in _objects(answer["result"]):
        for name, value in found.items():
            if isinstance(value, str):
                found[name] = 1
                assert unit_complaints(kind, json.dumps(answer)), (name, value)
                found[name] = value


def test_every_problem_of_a_unit_has_its_page() -> None:
    assert set(BY_CODE) <= set(PROBLEMS)
    mapping = document()["components"]["schemas"]["UnitProblem"]["discriminator"]["mapping"]
    assert set(mapping) == set(BY_CODE)


@pytest.mark.parametrize("kind", UNITS)
def test_each_analysis_publishes_its_own_result(kind: str) -> None:
    title = "".join(part.title() for part in kind.split("-"))
    operation = document()["paths"][f"/v1/analyses/{kind}"]["post"]
    for status in ("200", "202"):
        schema = operation["responses"][status]["content"]["application/json"]["schema"]
        assert schema == {"$ref": f"#/components/schemas/{title}RequestedRun"}
    run = document()["components"]["schemas"][f"{title}RequestedRun"]["properties"]
    assert run["kind"] == {"const": kind}
    assert {"$ref": f"#/components/schemas/{title}Unit"} in (
        run["units"]["additionalProperties"]["anyOf"]
    )
