"""Requests that schemathesis makes of the OpenAPI document: no answer but those it describes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from riskapi.wsgi import application
from tests.callers import Caller

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
EXAMPLES = 15


@pytest.fixture
def document(portfolio: str) -> Iterator[Any]:  # whose requests come first
    # The connection of the test's transaction outlives each request. Django's client, which sees
    # to that itself, would connect the signals again.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield schemathesis.openapi.from_wsgi("/v1/openapi.json", application)
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def test_only_described_answers(document: Any, caller: Caller, portfolio: str) -> None:
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) > 25
    for operation in operations:
        _attack(operation, caller, portfolio)


def _attack(operation: Any, caller: Caller, portfolio: str) -> None:
    named = {"portfolio_id": portfolio, "instrument": "OWN"}

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def attack(case: Any) -> None:
        case.path_parameters.update({k: v for k, v in named.items() if k in case.path_parameters})
        case.call_and_validate(headers={"Authorization": f"Bearer {caller.text}"}, checks=CHECKS)

    attack()


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
