"""What holds for every address: problem documents, methods, slashes, request ids, types."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.db import OperationalError, connection

from portfolios.api.portfolios import PortfolioListView
from portfolios.models import Instrument, Portfolio, Price
from portfolios.selectors.market import last_priced_session
from portfolios.tenancy import operator_scope
from riskapi.api.account import MeView
from riskapi.api.problems import PROBLEMS
from tests.callers import Caller

MEMBERS = {
    "type",
    "title",
    "status",
    "detail",
    "instance",
    "code",
    "request_id",
    "errors",
    "docs",
    "retryable",
}


@pytest.mark.parametrize(
    "path", ["/v1/nothing", "/v1", "/v1/", "/nothing", "/v1/portfolios/x/y/z", "/v2/me"]
)
def test_unknown_address_is_a_problem(caller: Caller, path: str) -> None:
    answer = caller.get(path)
    assert (answer.status, answer.code) == (404, "not-found")
    assert answer.body.keys() == MEMBERS
    assert answer.body["instance"] == path


def test_wrong_method_names_the_right_ones(caller: Caller) -> None:
    answer = caller.send("DELETE", "/v1/portfolios")
    assert (answer.status, answer.code) == (405, "method-not-allowed")
    assert answer.headers["Allow"] == "GET, POST, HEAD, OPTIONS"
    assert caller.send("POST", "/healthz").code == "method-not-allowed"


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND"])
def test_other_methods_are_off(caller: Caller, method: str) -> None:
    assert caller.send(method, "/v1/me").status == 405


def test_options_lists_methods_without_a_body(caller: Caller) -> None:
    answer = caller.send("OPTIONS", "/v1/portfolios")
    assert (answer.status, answer.content) == (204, b"")
    assert answer.headers["Allow"] == "GET, POST, HEAD, OPTIONS"


@pytest.mark.parametrize("accept", ["*/*", "text/html", "application/json"])
@pytest.mark.parametrize(
    "path", ["/", "/v1/guide", "/v1/guide/writing", "/v1/methods", "/v1/errors/not-found",
             "/v1/changelog", "/v1/docs", "/v1/openapi.json", "/healthz"],
)  # fmt: skip
def test_options_of_pages_name_the_methods(caller: Caller, path: str, accept: str) -> None:
    answer = caller.send("OPTIONS", path, Accept=accept)
    assert answer.status in (204, 405, 406)
    if answer.status != 406:
        assert answer.headers["Allow"].startswith("GET, HEAD")
    if answer.status == 204:
        assert answer.content == b""
        assert "Content-Type" not in answer.headers


def test_answer_without_content_is_not_measured(caller: Caller) -> None:
    """RFC 9110, 8.6: a 304 may have the length of its 200 alone, a 204 none at all."""
    made = caller.post("/v1/portfolios", {"name": "Semis"})
    path = made.headers["Location"]
    unchanged = caller.get(path, If_None_Match=made.headers["ETag"])
    for answer, status in ((unchanged, 304), (caller.send("OPTIONS", path), 204)):
        assert answer.status == status
        assert not answer.headers.keys() & {"Content-Length", "Content-Type"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/static/none.css", 404), ("POST", "/static/portfolios/admin.css", 405)],
)
def test_refusal_of_a_static_file_is_a_problem(
    caller: Caller, method: str, path: str, status: int
) -> None:
    answer = caller.send(method, path)
    assert answer.status == status
    assert answer.code
    assert int(answer.headers["Content-Length"]) == len(answer.content)


def test_head_answers_like_get_without_the_body(caller: Caller) -> None:
    head, get = caller.send("HEAD", "/v1/me"), caller.get("/v1/me")
    assert (head.status, head.content) == (200, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


@pytest.mark.parametrize("path", ["/v1/me", "/healthz", "/v1/errors/not-found", "/v1/portfolios"])
def test_both_forms_of_slash_are_served(caller: Caller, path: str) -> None:
    assert caller.get(path).status == caller.get(path + "/").status == 200


def test_post_with_a_slash_keeps_its_body(caller: Caller) -> None:
    assert caller.post("/v1/portfolios/", {"name": "Semis"}).status == 201


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/json", 200),
        ("application/*", 200),
        ("text/html, */*;q=0.1", 200),
        ("text/html", 406),
        ("application/json;q=0", 406),
        ("", 406),
        (";;,,", 406),
    ],
)
def test_only_json_is_offered(caller: Caller, accept: str, status: int) -> None:
    answer = caller.get("/v1/me", Accept=accept)
    assert answer.status == status
    if status == 406:
        assert answer.code == "not-acceptable"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "", "///"]
)
def test_other_content_types_are_refused(caller: Caller, content_type: str) -> None:
    answer = caller.post("/v1/portfolios", raw=b'{"name": "x"}', content_type=content_type)
    assert (answer.status, answer.code) == (415, "unsupported-media-type")


def test_compressed_json_is_refused(caller: Caller) -> None:
    answer = caller.post("/v1/portfolios", {"name": "x"}, Content_Encoding="gzip")
    assert (answer.status, answer.code) == (415, "unsupported-media-type")


def test_body_without_a_length_is_refused_not_taken_for_empty(caller: Caller) -> None:
    answer = caller.post("/v1/portfolios", Transfer_Encoding="chunked", Content_Length="")
    assert (answer.status, answer.code) == (411, "length-required")


def test_body_over_a_megabyte_is_refused(caller: Caller) -> None:
    answer = caller.post("/v1/portfolios", {"name": "x" * 1_000_001})
    assert (answer.status, answer.code) == (413, "payload-too-large")


def test_every_answer_has_its_own_request_id_and_echoes_the_callers(caller: Caller) -> None:
    first = caller.get("/v1/me", Client_Request_Id="trade-42")
    second = caller.get("/v1/nothing", Client_Request_Id="bad id\u00e9")
    assert first.headers["Client-Request-Id"] == "trade-42"
    assert "Client-Request-Id" not in second.headers
    assert first.headers["Request-Id"] != second.headers["Request-Id"]
    assert first.headers["Api-Release"] == "2026-12-01"


def test_surprise_is_a_problem_that_gives_nothing_away(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(MeView, "get", fail)
    answer = caller.get("/v1/me")
    assert (answer.status, answer.code) == (500, "internal-error")
    assert b"secret" not in answer.content
    assert "secret detail" in caplog.text
    assert answer.headers["Request-Id"] in caplog.text


def test_number_that_is_not_finite_is_never_sent(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rest_framework.response import Response

    monkeypatch.setattr(MeView, "get", lambda *args: Response({"deep": [{"x": float("nan")}]}))
    answer = caller.get("/v1/me")
    assert (answer.status, answer.code) == (500, "internal-error")


def test_effect_of_a_request_that_fails_is_undone(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = PortfolioListView.post

    def fail(self: PortfolioListView, request: Any) -> None:
        made(self, request)
        raise RuntimeError("after the effect")

    monkeypatch.setattr(PortfolioListView, "post", fail)
    assert caller.post("/v1/portfolios", {"name": "Semis"}).status == 500
    with operator_scope():
        assert not Portfolio.objects.exists()


def test_statement_that_takes_too_long_is_503(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*args: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone() == ("5s",)
            cursor.execute("SET LOCAL statement_timeout = '10ms'; SELECT pg_sleep(5)")

    monkeypatch.setattr(MeView, "get", slow)
    answer = caller.get("/v1/me")
    assert (answer.status, answer.code) == (503, "statement-timeout")
    assert answer.headers["Retry-After"] == "5"


def test_database_away_is_503_while_a_key_is_checked(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr("portfolios.services.authentication._results", away)
    answer = caller.get("/v1/me")
    assert (answer.status, answer.code) == (503, "service-degraded")
    assert answer.headers["Retry-After"] == "5"
    assert answer.body["retryable"] is True
    assert caller.get("/healthz").status == 200


def test_each_problem_type_has_its_page(caller: Caller) -> None:
    listed = {row["code"] for row in caller.get("/v1/errors").body["data"]}
    assert listed == set(PROBLEMS)
    for code in PROBLEMS:
        page = caller.get(f"/v1/errors/{code}")
        assert page.status == 200
        assert page.body["what_to_do"]
    assert caller.get("/v1/errors/nothing").code == "not-found"


def test_documents_are_served(caller: Caller) -> None:
    document = caller.get("/v1/openapi.json", Accept="application/json")
    assert document.status == 200
    assert document.body["openapi"].startswith("3.1")
    page = caller.get("/v1/docs", Accept="text/html")
    assert page.status == 200
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]


def test_ready_needs_the_database_not_the_broker(caller: Caller) -> None:
    answer = caller.get("/readyz")
    assert answer.status == 200
    assert answer.body["checks"]["database"] == answer.body["checks"]["migrations"] == "ok"


def test_status_shows_queue_and_freshness(caller: Caller) -> None:
    body = caller.get("/v1/status").body
    assert body["queue"] == {"open_units": 0, "oldest_age_seconds": None}
    assert body["nightly"] is None


def test_status_tells_the_last_session_that_the_caller_sees(
    caller: Caller, outsider: Caller
) -> None:
    shared, foreign = date(2026, 11, 19), date(2026, 11, 20)
    with operator_scope():
        chip = Instrument.objects.create(symbol="CHIP", kind=Instrument.Kind.EQUITY)
        for session, client in ((shared, None), (foreign, outsider.client)):
            Price.objects.create(instrument=chip, session=session, close=100, client=client)
        # By the selector alone: an operator's transaction sees the rows of all clients.
        assert last_priced_session(caller.client) == shared
        assert last_priced_session(outsider.client) == foreign
    assert caller.get("/v1/status").body["prices"] == {"last_session": str(shared)}
    assert outsider.get("/v1/status").body["prices"] == {"last_session": str(foreign)}


def test_not_ready_without_the_database(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("connection refused")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", away)
        answer = caller.get("/readyz")
    assert (answer.status, answer.code) == (503, "service-degraded")
    assert answer.body["checks"]["database"] == "unreachable"


@pytest.mark.parametrize("path", ["portfolios", "prices", "imports", "runs"])
def test_options_ask_nothing_of_the_view(caller: Caller, path: str) -> None:
    assert caller.send("OPTIONS", f"/v1/{path}").status == 204
    assert caller.send("OPTIONS", "/v1/analyses/leveraged-drag").status == 204
