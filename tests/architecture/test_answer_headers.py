"""Every header field of every answer is in the OpenAPI document."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pytest_django import Settings

from tests.architecture.test_access_matrix import _address, _undone
from tests.architecture.test_answers import OPERATIONS, Operation, _asked, side
from tests.architecture.two_clients import Side
from tests.callers import Answer, Caller
from tests.result_shapes import document
from tests.riskapi.api.test_oauth import Application, application_of, post

pytestmark = pytest.mark.django_db
__all__ = ["side"]

#: Of the connection, the body or the browser, not of the contract.
FRAMING = {
    "Content-Type", "Content-Length", "X-Content-Type-Options", "Referrer-Policy",
    "Cross-Origin-Opener-Policy", "X-Frame-Options",
}  # fmt: skip


def undeclared(described: dict[str, Any], answer: Answer) -> set[str]:
    """The names in an answer that the document does not have for its status."""
    declared = described["responses"].get(str(answer.status), {"headers": ()})["headers"]
    return set(answer.headers) - set(declared) - FRAMING


def answers_of(side: Side, operation: Operation, described: dict[str, Any]) -> list[Answer]:
    """Of one operation: its success, that again, unchanged, and what strangers get."""
    sent: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    class Recording(Caller):
        def send(self, *arguments: Any, **named: Any) -> Answer:
            sent.append((arguments, named))
            return super().send(*arguments, **named)

    plain = side.caller
    side.caller = Recording(plain.client, plain.key, plain.text)
    try:
        found = [_asked(side, operation, described)]
    finally:
        side.caller = plain
    arguments, named = sent[-1]

    def again(**more: Any) -> None:
        everything: Any = named | more
        found.append(plain.send(*arguments, **everything))

    again(Client_Request_Id="mine", traceparent=f"00-{'1' * 32}-{'2' * 16}-01")
    if tag := found[0].headers.get("ETag"):
        again(If_None_Match=tag)
    again(Authorization="Bearer rk_live_wrong")
    again(Authorization=f"Bearer {plain.with_key(scopes=[]).text}")
    return found


def test_every_header_of_an_answer_is_declared(
    side: Side, subtests: pytest.Subtests, settings: Settings
) -> None:
    settings.REQUESTS_PER_MINUTE = settings.RUNS_PER_MINUTE = 100_000
    seen: set[str] = set()
    for operation, described in OPERATIONS.items():
        with subtests.test(" ".join(operation)), _undone():
            answers = answers_of(side, operation, described)
            seen |= {name for answer in answers for name in answer.headers}
            found = {answer.status: undeclared(described, answer) for answer in answers}
            assert {status: names for status, names in found.items() if names} == {}
    # The test has seen what it is about.
    assert {
        "RateLimit", "RateLimit-Policy", "ETag", "Location", "Retry-After", "Idempotency-Replayed",
        "Client-Request-Id", "traceparent", "WWW-Authenticate", "Link",
    } <= seen  # fmt: skip


FILES = [
    (address, operation["get"], kind)
    for address, operation in document()["paths"].items()
    for kind in operation.get("get", {"responses": {}})["responses"]
    .get("200", {})
    .get("content", ())
    if kind in ("text/csv", "text/html", "application/pdf")
]


def test_files_and_documents_declare_theirs(side: Side, subtests: pytest.Subtests) -> None:
    assert len(FILES) > 10
    for address, described, kind in FILES:
        with subtests.test(f"{address} {kind}"):
            path = "v1" + re.sub(r"\{(\w+)\}", r"<str:\1>", address).removeprefix("/v1")
            answer = side.caller.get(_address(side, "GET", path), Accept=kind)
            assert answer.status == 200, answer.content[:300]
            assert answer.headers["Content-Disposition"]
            assert undeclared(described, answer) == set()


def test_what_views_add_is_noticed() -> None:
    described = document()["paths"]["/v1/me"]["get"]
    answer = Answer(200, {"Request-Id": "req_1", "ETag": '"1"', "X-New": "1"}, b"")
    assert undeclared(described, answer) == {"ETag", "X-New"}


def test_those_of_oauth_are_declared(side: Side, settings: Settings) -> None:
    settings.REQUESTS_PER_MINUTE, settings.AUTH_FAILURES_PER_MINUTE = 2, 1
    application = application_of(side.caller, "portfolios:read")
    wrong = Application(side.caller, application.key, "rs_live_wrong")
    for path in ("/oauth/token", "/oauth/revoke"):
        described = document()["paths"][path]["post"]
        sent = (application.send(path, token="x"), post(path, "x=1"), wrong.send(path, token="x"))
        for answer in sent:
            assert undeclared(described, answer) == set(), answer.status
    described = document()["paths"]["/oauth/token"]["post"]
    for answer, status in ((wrong.send(), 429), (application.send(), 429)):
        assert answer.status == status
        assert undeclared(described, answer) == set()


def test_every_declared_header_is_described() -> None:
    components = document()["components"]["headers"]
    for methods in document()["paths"].values():
        for operation in methods.values():
            for answer in operation["responses"].values():
                for name, header in answer["headers"].items():
                    assert header["$ref"] == f"#/components/headers/{name}"
                    assert components[name]["description"]
