"""The answers that the OpenAPI document shows: one for every operation, as the service gives it.

`RISK_WRITE_ANSWERS=1 python3 manage.py test tests/architecture/test_answers.py` writes them anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pytest_django import Settings

from analytics.api.examples import EXAMPLES
from analytics.tasks import KINDS
from portfolios.jobs import drain
from portfolios.models import Delivery
from portfolios.tenancy import operator_scope
from riskapi.api.schema import ANSWERS, answers
from tests import market_facts
from tests.architecture.test_access_matrix import CELLS, RECEIVER, _ask, _undone
from tests.architecture.two_clients import Side, side_create
from tests.callers import Answer
from tests.result_shapes import complaints, document
from tests.switches import is_on

pytestmark = pytest.mark.django_db
WRITING = is_on("RISK_WRITE_ANSWERS")
#: Lists are cut to so many elements; pairs stay pairs.
SHOWN = 2
DAY = market_facts.LAST.isoformat()
_QUANTITIES = {
    "NVDA": "500", "AMD": "300", "SOXL": "40", "SOXS": "30", "CASH.USD": "20000.50",
}  # fmt: skip
_ATTEMPT = {
    "at": "2025-06-30T20:00:00Z", "status": 503, "error": "", "duration_ms": 41, "answer": "Away"
}  # fmt: skip
Operation = tuple[str, str]


def _operations() -> dict[Operation, dict[str, Any]]:
    """Operations that answer with JSON; those of OAuth 2.0 bring examples of their own."""
    return {
        (method.upper(), address): operation
        for address, methods in document()["paths"].items()
        for method, operation in methods.items()
        if _success(operation) is not None and not address.startswith("/oauth/")
    }


def _success(operation: dict[str, Any]) -> str | None:
    """The first status of success that has a JSON body."""
    return next(
        (
            status
            for status, answer in sorted(operation["responses"].items())
            if status < "300" and "application/json" in answer.get("content", {})
        ),
        None,
    )


OPERATIONS = _operations()


@pytest.fixture
def side(settings: Settings) -> Side:
    """A client with a market, a book in it, a run that is over, and one object of every kind."""
    settings.WEBHOOK_PRIVATE_TARGETS = [RECEIVER]
    instruments = market_facts.make_market()
    side = side_create("chips", "Chips")
    book = market_facts.make_portfolio(
        side.caller.client, instruments, _QUANTITIES, tags={"NVDA": ["semis"], "AMD": ["semis"]}
    )
    side.names["portfolio_id"] = book.public_id
    sets = side.caller.get(f"/v1/portfolios/{book.public_id}/position-sets").body["data"]
    side.names["position_set_id"] = sets[0]["id"]
    asked = {"portfolio": book.public_id, "as_of": DAY}
    run = side.caller.post("/v1/analyses/semiconductor-beta", asked)
    drain(KINDS)
    with operator_scope():
        Delivery.objects.update(log=[_ATTEMPT])
    side.names |= {"run_id": run.body["id"], "name": "main"}
    return side


def _policy_waits(side: Side) -> None:
    """A change of policy that another key has asked for."""
    asking = side.caller.with_key()
    path = f"/v1/portfolios/{side.names['portfolio_id']}/policy"
    assert asking.patch(path, {"window": 126}, If_Match="*").status == 202


def _replayed(side: Side) -> None:
    path = f"/v1/runs/{side.names['run_id']}/replay"
    assert side.caller.post(path, Idempotency_Key="replay").status == 202
    drain(KINDS)


def _open_run(side: Side) -> Side:
    """A run that is not over yet is the one to be asked about."""
    book = side.names["portfolio_id"]
    asked = {"portfolio": book, "as_of": DAY, "force": True}
    run = side.caller.post("/v1/analyses/semiconductor-beta", asked)
    return replace(side, names={**side.names, "run_id": run.body["id"]})


#: What has to be there before an operation can be asked.
PREPARATIONS: dict[str, Callable[[Side], Side | None]] = {
    "policies_approve": _policy_waits,
    "policies_reject": _policy_waits,
    "runs_cancel": _open_run,
    "runs_replay_retrieve": _replayed,
}


def _asked(side: Side, operation: Operation, described: dict[str, Any]) -> Answer:
    """The operation, asked for what there is; an analysis until it is over."""
    method, address = operation
    kind = address.removeprefix("/v1/analyses/")
    if kind in EXAMPLES:
        book = side.names["portfolio_id"]
        body = {**EXAMPLES[kind][0].value, "portfolio": book, "as_of": DAY}
        side.caller.post(address, body)
        drain(KINDS)
        return side.caller.post(address, body)
    if prepare := PREPARATIONS.get(described["operationId"]):
        side = prepare(side) or side
    path = re.sub(r"\{(\w+)\}", r"<str:\1>", address.removeprefix("/"))
    if (method, path) in CELLS:
        answer: Answer = _ask(side, method, path, side.names)
        return answer
    names = {**side.names, "code": "not-found"}
    public = re.sub(r"<str:(\w+)>", lambda found: names[found[1]], path)
    return side.caller.send(method, f"/{public}")


def _cut(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _cut(value) for name, value in node.items()}
    return [_cut(value) for value in node[:SHOWN]] if isinstance(node, list) else node


def _members(node: Any, path: str = "") -> set[str]:
    """The names in an answer, wherever they stand; those of maps from data are left out."""
    if isinstance(node, dict):
        return {path}.union(*(_members(value, f"{path}/{name}") for name, value in node.items()))
    if isinstance(node, list):
        return set().union(*(_members(value, f"{path}/-") for value in node))
    return {path}


def test_every_operation_shows_what_the_service_answers(
    side: Side, subtests: pytest.Subtests
) -> None:
    found = {}
    for operation, described in OPERATIONS.items():
        with subtests.test(" ".join(operation)), _undone():
            answer = _asked(side, operation, described)
            assert answer.status < 300, answer.content[:500]
            shown = {"status": str(answer.status), "answer": _cut(answer.body)}
            found[described["operationId"]] = shown
            if not WRITING:
                kept = answers()[described["operationId"]]
                assert kept["status"] == shown["status"]
                assert _members(kept["answer"]) == _members(shown["answer"])
    if WRITING:
        ANSWERS.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


def test_every_answer_shown_fits_its_schema(subtests: pytest.Subtests) -> None:
    for operation, described in OPERATIONS.items():
        with subtests.test(" ".join(operation)):
            shown = answers()[described["operationId"]]
            content = described["responses"][shown["status"]]["content"]["application/json"]
            assert content["examples"]["answer"]["value"] == shown["answer"]
            component = content["schema"]["$ref"].rpartition("/")[2]
            assert complaints(component, shown["answer"]) == []


def _forms(operation: dict[str, Any]) -> list[dict[str, Any]]:
    """What a body may be, by media type."""
    return list(operation["requestBody"]["content"].values())


def test_every_body_has_an_example() -> None:
    without = [
        f"{method.upper()} {address}"
        for address, methods in document()["paths"].items()
        for method, operation in methods.items()
        if "requestBody" in operation
        and not any({"example", "examples"} & form.keys() for form in _forms(operation))
    ]
    assert without == []
