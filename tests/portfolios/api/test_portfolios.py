"""GET and POST /v1/portfolios, GET and PATCH /v1/portfolios/{id}."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from portfolios.models import AuditEvent, Instrument, Portfolio
from portfolios.tenancy import client_scope, operator_scope
from tests.callers import Caller

Market = dict[str, Instrument]


def _made(caller: Caller, name: str = "Semis", **fields: Any) -> Any:
    answer = caller.post("/v1/portfolios", {"name": name, **fields})
    assert answer.status == 201, answer.content
    return answer.body


def test_created_portfolio_reads_back_as_it_was_answered(caller: Caller, market: Market) -> None:
    answer = caller.post(
        "/v1/portfolios", {"name": "Semis", "external_id": "book-7", "benchmark": "SOXX"}
    )
    assert answer.status == 201
    assert answer.body["benchmark"] == {"id": market["SOXX"].public_id, "symbol": "SOXX"}
    again = caller.get(answer.headers["Location"])
    assert again.status == 200
    assert again.body == answer.body
    assert again.headers["ETag"] == answer.headers["ETag"]


def test_creation_is_audited_with_its_request(caller: Caller) -> None:
    answer = caller.post("/v1/portfolios", {"name": "Semis"})
    with client_scope(caller.client.id):
        event = AuditEvent.objects.get()
    assert event.action == "portfolio.create"
    assert event.object_id == answer.body["id"]
    assert event.request_id == answer.headers["Request-Id"]
    assert event.actor == f"key:{caller.key.key_id}"


def test_unknown_field_is_refused_with_a_suggestion(caller: Caller) -> None:
    answer = caller.post("/v1/portfolios", {"name": "Semis", "benchmrk": "SOXX"})
    assert (answer.status, answer.code) == (400, "unknown-field")
    assert answer.body["errors"][0]["pointer"] == "/benchmrk"
    assert answer.body["errors"][0]["suggestion"] == ["benchmark", "market_benchmark"]
    with operator_scope():
        assert not Portfolio.objects.exists()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": 7}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"name": "x", "base_currency": "usd"}, "/base_currency"),
        ([], ""),
        ("text", ""),
        (None, "/name"),
    ],
)
def test_invalid_body_names_the_field(caller: Caller, body: Any, pointer: str) -> None:
    answer = caller.post("/v1/portfolios", body)
    assert (answer.status, answer.code) == (400, "validation-error")
    assert [entry["pointer"] for entry in answer.body["errors"]] == [pointer]


def test_unknown_benchmark_is_refused_with_the_nearest_symbols(
    caller: Caller, market: Market
) -> None:
    answer = caller.post("/v1/portfolios", {"name": "Semis", "benchmark": "SOXZ"})
    assert (answer.status, answer.code) == (422, "unknown-instrument")
    entry = answer.body["errors"][0]
    assert entry["pointer"] == "/benchmark"
    assert set(entry["suggestion"]) == {"SOXX", "SOXL", "SOXS"}


def test_external_id_is_unique_per_client(caller: Caller, outsider: Caller) -> None:
    _made(caller, external_id="book-7")
    answer = caller.post("/v1/portfolios", {"name": "Other", "external_id": "book-7"})
    assert (answer.status, answer.code) == (409, "duplicate-external-id")
    assert _made(outsider, external_id="book-7")["external_id"] == "book-7"


def test_outsider_gets_the_answer_of_a_missing_portfolio(caller: Caller, outsider: Caller) -> None:
    mine = _made(caller)["id"]
    foreign = outsider.get(f"/v1/portfolios/{mine}")
    missing = outsider.get(f"/v1/portfolios/pf_{'0' * 32}")
    nonsense = outsider.get("/v1/portfolios/nonsense")
    assert foreign.status == missing.status == nonsense.status == 404
    assert foreign.code == "not-found"
    bodies = [{**a.body, "request_id": ""} for a in (foreign, missing, nonsense)]
    assert bodies[0] == bodies[1] == bodies[2]


def test_outsider_cannot_change_it(caller: Caller, outsider: Caller) -> None:
    mine = _made(caller)
    answer = outsider.patch(f"/v1/portfolios/{mine['id']}", {"name": "Mine now"}, If_Match="*")
    assert answer.status == 404
    assert caller.get(f"/v1/portfolios/{mine['id']}").body == mine


def test_lists_hold_only_the_callers_own(caller: Caller, outsider: Caller) -> None:
    _made(caller, "A")
    _made(outsider, "B")
    assert [row["name"] for row in caller.get("/v1/portfolios").body["data"]] == ["A"]
    assert [row["name"] for row in outsider.get("/v1/portfolios").body["data"]] == ["B"]


def test_read_only_key_reads_and_cannot_write(caller: Caller, reader: Caller) -> None:
    mine = _made(caller)
    assert reader.get(f"/v1/portfolios/{mine['id']}").status == 200
    answer = reader.post("/v1/portfolios", {"name": "Semis"})
    assert (answer.status, answer.code) == (403, "insufficient-scope")
    assert answer.body["required_scope"] == "portfolios:write"
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    with operator_scope():
        assert Portfolio.objects.count() == 1


def test_change_needs_the_version_it_is_based_on(caller: Caller) -> None:
    mine = _made(caller)
    path = f"/v1/portfolios/{mine['id']}"
    assert caller.patch(path, {"name": "New"}).code == "precondition-required"
    tag = caller.get(path).headers["ETag"]
    changed = caller.patch(path, {"name": "New"}, If_Match=tag)
    assert (changed.status, changed.body["name"], changed.body["version"]) == (200, "New", 2)
    stale = caller.patch(path, {"name": "Newer"}, If_Match=tag)
    assert (stale.status, stale.code) == (412, "stale-version")
    assert stale.body["current_etag"] == changed.headers["ETag"] == stale.headers["ETag"]
    assert caller.get(path).body["name"] == "New"


def test_change_without_effect_keeps_the_version(caller: Caller) -> None:
    mine = _made(caller)
    answer = caller.patch(f"/v1/portfolios/{mine['id']}", {"name": "Semis"}, If_Match="*")
    assert answer.body["version"] == 1


def test_copy_that_is_current_costs_304(caller: Caller) -> None:
    path = f"/v1/portfolios/{_made(caller)['id']}"
    tag = caller.get(path).headers["ETag"]
    answer = caller.get(path, If_None_Match=f'"other", W/{tag}')
    assert (answer.status, answer.content) == (304, b"")


def test_every_field_of_an_answer_sent_back_is_either_taken_or_refused(caller: Caller) -> None:
    mine = _made(caller)
    answer = caller.patch(f"/v1/portfolios/{mine['id']}", mine, If_Match="*")
    assert (answer.status, answer.code) == (400, "unknown-field")
    refused = {entry["pointer"] for entry in answer.body["errors"]}
    assert refused == {"/id", "/version", "/created_at", "/updated_at"}


def test_pages_agree_while_rows_come(caller: Caller) -> None:
    for name in ("B", "D", "F"):
        _made(caller, name)
    first = caller.get("/v1/portfolios?limit=2").body
    assert [row["name"] for row in first["data"]] == ["B", "D"]
    assert first["has_more"] is True
    _made(caller, "A")
    _made(caller, "E")
    second = caller.get(first["next_url"]).body
    assert [row["name"] for row in second["data"]] == ["F"], "what the first page knew"
    assert second["resolved_from"] == first["resolved_from"]
    assert (second["has_more"], second["next_cursor"], second["next_url"]) == (False, None, None)


def test_ties_are_neither_skipped_nor_repeated(caller: Caller) -> None:
    ids = {_made(caller, "Same")["id"] for _ in range(5)}
    seen: list[str] = []
    url: str | None = "/v1/portfolios?limit=2&sort=-name"
    while url:
        page = caller.get(url).body
        seen += [row["id"] for row in page["data"]]
        url = page["next_url"]
    assert len(seen) == 5
    assert set(seen) == ids


def test_cursor_holds_for_its_own_list_and_client(caller: Caller, outsider: Caller) -> None:
    for name in ("A", "B"):
        _made(caller, name)
    cursor = caller.get("/v1/portfolios?limit=1").body["next_cursor"]
    for who, query in [
        (caller, f"?cursor={cursor[:-2]}xx"),
        (caller, "?cursor=x"),
        (caller, f"?name=A&cursor={cursor}"),
        (caller, f"?sort=-name&cursor={cursor}"),
        (outsider, f"?cursor={cursor}"),
    ]:
        assert who.get("/v1/portfolios" + query).code == "bad-cursor"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("nmae=A", "unknown-parameter"),
        ("name__gte=A", "unknown-parameter"),
        ("limit=0", "bad-parameter"),
        ("limit=1001", "bad-parameter"),
        ("limit=1e3", "bad-parameter"),
        ("limit=", "bad-parameter"),
        ("sort=client_id", "bad-parameter"),
        ("is_active=1", "bad-parameter"),
        ("created_at__gte=2026-01-01", "bad-parameter"),
        ("name=A&name=B", "bad-parameter"),
        ("name__in=" + ",".join("a" * 101), "bad-parameter"),
    ],
)
def test_parameter_is_refused_not_ignored(caller: Caller, query: str, code: str) -> None:
    answer = caller.get("/v1/portfolios?" + query)
    assert (answer.status, answer.code) == (400, code)
    assert answer.body["errors"][0]["pointer"].startswith("?")


def test_filters_select(caller: Caller) -> None:
    made = _made(caller, "A", external_id="1")
    _made(caller, "B", external_id="2")
    assert caller.get("/v1/portfolios?external_id=1").body["data"] == [made]
    names = caller.get("/v1/portfolios?name__in=B,C").body["data"]
    assert [row["name"] for row in names] == ["B"]
    assert caller.get("/v1/portfolios?is_active=false").body["data"] == []


def test_list_costs_the_same_queries_for_any_length(
    caller: Caller, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    caller.get("/v1/portfolios")  # the key's first use is noted once
    for count in (1, 4):
        for index in range(count):
            _made(caller, f"{count}-{index}")
        # savepoint, scope, list, scope restored, savepoint released around authentication's one
        with django_assert_num_queries(6):
            assert caller.get("/v1/portfolios").status == 200


def test_archived_portfolio_leaves_the_reports_and_loses_nothing(
    caller: Caller, outsider: Caller, reader: Caller, market: Market
) -> None:
    mine = _made(caller)
    path = f"/v1/portfolios/{mine['id']}"
    positions = {"positions": [{"instrument": "NVDA", "quantity": "1"}]}
    assert caller.put(f"{path}/positions?as_of=2026-11-20", positions).status == 201
    assert caller.send("DELETE", path).code == "precondition-required"
    tag = caller.get(path).headers["ETag"]
    assert caller.send("DELETE", path, If_Match='"other"').code == "stale-version"
    assert outsider.send("DELETE", path, If_Match="*").code == "not-found"
    assert reader.send("DELETE", path, If_Match=tag).code == "insufficient-scope"
    gone = caller.send("DELETE", path, If_Match=tag)
    assert (gone.status, gone.body["is_active"], gone.body["version"]) == (200, False, 2)
    assert caller.get(path).body == gone.body
    assert caller.get(f"{path}/positions").body["positions"][0]["quantity"] == "1"
    again = caller.send("DELETE", path, If_Match=gone.headers["ETag"])
    assert (again.status, again.body) == (200, gone.body)
    assert caller.patch(path, {"is_active": "true"}, If_Match="*").code == "validation-error"
    back = caller.patch(path, {"is_active": True}, If_Match=gone.headers["ETag"])
    assert (back.status, back.body["is_active"]) == (200, True)
    with client_scope(caller.client.id):
        details = AuditEvent.objects.filter(action="portfolio.update").values_list(
            "detail", flat=True
        )
        assert list(details) == [{"is_active": [False, True]}, {"is_active": [True, False]}]


def test_count_is_told_where_it_is_asked_for(caller: Caller, outsider: Caller) -> None:
    for name in ("A", "B", "C"):
        _made(caller, name)
    _made(outsider, "A")
    assert "count" not in caller.get("/v1/portfolios").body
    first = caller.get("/v1/portfolios?count=true&limit=2").body
    assert (first["count"], len(first["data"])) == (3, 2)
    second = caller.get(first["next_url"]).body
    assert (second["count"], len(second["data"])) == (3, 1)
    assert caller.get("/v1/portfolios?count=true&name__in=A,B").body["count"] == 2
    assert "count" not in caller.get("/v1/portfolios?count=false").body
    assert caller.get("/v1/portfolios?count=1").code == "bad-parameter"
    assert caller.get("/v1/portfolios?count=true&format=csv").code == "bad-parameter"
