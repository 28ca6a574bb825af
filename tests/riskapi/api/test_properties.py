"""Requests that schemathesis makes of the OpenAPI document: no answer but those it describes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, given, settings
from pytest_django import Settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from riskapi.api.handler import Handler
from tests.callers import Caller
from tests.sizes import sized

#: What a document cannot say (dates that are sessions, names on file) makes valid requests refused,
#: and the wall answers a foreign object as a missing one.
CHECKS = (
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.unsupported_method,
    checks.missing_required_header,
)
#: Of each operation, by itself; and chains of operations that use what the ones before have made.
EXAMPLES = sized(50, 300)
CHAINS, STEPS = sized(50, 800), 12

#: A webhook's receiver that may be named here, though it is this machine.
RECEIVER = "localhost:9443"
_NAMING = ("instrument", "benchmark", "market_benchmark", "market", "underlying", "reference_index")
#: Parameters whose texts no schema describes.
_FREE = {"fields", "omit", "expand", "cursor", "format"}
_DATED = ("as_of", "session", "ex_date", "from", "to")


@pytest.fixture
def document(portfolio: str, settings: Settings) -> Iterator[Any]:  # whose requests come first
    settings.WEBHOOK_PRIVATE_TARGETS = [RECEIVER]
    # The connection of the test's transaction outlives each request. Django's client, which sees
    # to that itself, would connect the signals again.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield schemathesis.openapi.from_wsgi("/v1/openapi.json", Handler())
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def test_only_described_answers(document: Any, caller: Caller, portfolio: str) -> None:
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) > 25
    for operation in operations:
        _attack(operation, caller, portfolio)


def test_only_described_answers_in_chains(document: Any, caller: Caller, portfolio: str) -> None:
    """Requests that take ids, cursors and tags from the answers of the requests before."""
    document.config.generation.update(modes=[schemathesis.GenerationMode.POSITIVE])
    answers: Counter[str] = Counter()

    class Chain(document.as_state_machine()):  # type: ignore[misc]  # made at run time
        def setup(self) -> None:
            # Each chain begins with the same rows, or it could not be told again.
            self.undone = transaction.atomic()
            self.undone.__enter__()

        def teardown(self) -> None:
            transaction.set_rollback(True)
            self.undone.__exit__(None, None, None)

        def before_call(self, case: Any) -> None:
            for name in _FREE & set(case.query or ()):
                del case.query[name]
            case.body = _sensible(case.body, portfolio)

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:  # its signature
            return {"headers": {"Authorization": f"Bearer {caller.text}"}}

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            answers[f"{case.method} {response.status_code // 100}xx"] += 1
            case.validate_response(response, checks=CHECKS)

    Chain.run(settings=_settings(CHAINS, stateful_step_count=STEPS))
    # Chains are of use only where requests succeed.
    assert answers["POST 2xx"] > 10
    assert answers["GET 2xx"] > 50


def _sensible(body: Any, portfolio: str) -> Any:
    """The body with what no schema says: names on file and days on which the exchange was open."""
    if isinstance(body, list):
        return [_sensible(value, portfolio) for value in body]
    if not isinstance(body, dict):
        return body
    known: dict[str, Any] = dict.fromkeys(_NAMING, "OWN") | dict.fromkeys(_DATED, "2025-08-29")
    known |= {"portfolio": portfolio, "known_at": None, "url": f"https://{RECEIVER}/hook"}
    return {name: _sensible(known.get(name, value), portfolio) for name, value in body.items()}


def _attack(operation: Any, caller: Caller, portfolio: str) -> None:
    named = {"portfolio_id": portfolio, "instrument": "OWN"}

    @_settings(EXAMPLES)
    @given(case=operation.as_strategy())
    def attack(case: Any) -> None:
        case.path_parameters.update({k: v for k, v in named.items() if k in case.path_parameters})
        # What was asked to be left out is not there, whatever the schema requires.
        cut = {"fields", "omit"} & set(case.query or ())
        case.call_and_validate(
            headers={"Authorization": f"Bearer {caller.text}"},
            checks=CHECKS,
            excluded_checks=[checks.response_schema_conformance] if cut else None,
        )

    attack()


def _settings(max_examples: int, **further: Any) -> settings:
    return settings(
        max_examples=max_examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        **further,
    )


@pytest.fixture
def portfolio(caller: Caller) -> str:
    """One object of each kind that paths name, so that not all of them are missing."""
    assert caller.post("/v1/instruments", {"symbol": "OWN", "kind": "etf"}).status == 201
    identifier: str = caller.post("/v1/portfolios", {"name": "book"}).body["id"]
    caller.put(
        f"/v1/portfolios/{identifier}/positions?as_of=2025-08-29",
        {"positions": [{"instrument": "OWN", "quantity": "1"}]},
    )
    return identifier
