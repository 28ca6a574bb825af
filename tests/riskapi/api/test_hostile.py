"""Requests that mean harm: each is refused with a problem, none with a 500."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from django.test import Client as Browser

from portfolios.models import Import, Portfolio
from portfolios.tenancy import operator_scope
from tests.callers import Caller

BODIES: list[tuple[bytes, str]] = [
    (b"", "validation-error"),
    (b" ", "malformed-json"),
    (b"{", "malformed-json"),
    (b'{"name": "x"} x', "malformed-json"),
    (b"{'name': 'x'}", "malformed-json"),
    (b'{"name": "x",}', "malformed-json"),
    (b'{"name": NaN}', "malformed-json"),
    (b'{"name": Infinity}', "malformed-json"),
    (b'{"name": -Infinity}', "malformed-json"),
    (b'{"name": nan}', "malformed-json"),
    (b'{"name": 1e400}', "bad-number"),
    (b'{"name": 1e31}', "bad-number"),
    (b'{"name": 1e-31}', "bad-number"),
    (b'{"name": 1E99999999999999999999}', "bad-number"),
    (b'{"name": ' + b"1" * 41 + b"}", "bad-number"),
    (b'{"name": -0.' + b"1" * 41 + b"}", "bad-number"),
    (b'{"name": ' + b"9" * 100_000 + b"}", "bad-number"),
    (b'{"name": 01}', "malformed-json"),
    (b'{"name": 0x10}', "malformed-json"),
    (b'{"name": "x", "name": "y"}', "duplicate-key"),
    (b'{"a": {"b": 1, "b": 2}}', "duplicate-key"),
    (b'{"name": "x", "\\u006eame": "y"}', "duplicate-key"),
    (b'{"name": "\\u0000"}', "bad-encoding"),
    (b'{"name": "a\\u0000b"}', "bad-encoding"),
    (b'{"\\u0000": "x"}', "bad-encoding"),
    (b'{"name": "\x00"}', "malformed-json"),
    (b'{"name": "\\ud800"}', "bad-encoding"),
    (b'{"name": "\\udc00\\ud800"}', "bad-encoding"),
    (b'{"\\ud800": "x"}', "bad-encoding"),
    (b'{"name": "\xed\xa0\x80"}', "bad-encoding"),
    (b'{"name": "\xff"}', "bad-encoding"),
    (b'{"name": "\xc0\xaf"}', "bad-encoding"),
    (b'\xef\xbb\xbf{"name": "x"}', "malformed-json"),
    ('{"name": "x"}'.encode("utf-16"), "bad-encoding"),
    ('{"name": "x"}'.encode("utf-32-be"), "malformed-json"),
    (b'{"name": "tab\there"}', "malformed-json"),
    (b"[" * 33 + b"]" * 33, "json-too-deep"),
    (b"[" * 100_000 + b"]" * 100_000, "json-too-deep"),
    (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "json-too-deep"),
    (b"[" + b"1," * 10_000 + b"1]", "json-too-large"),
    (b'"name"', "validation-error"),
    (b"null", "validation-error"),
    (b"true", "validation-error"),
    (b"1.5", "validation-error"),
    (b"[]", "validation-error"),
    (b'{"name": {"$ne": null}}', "validation-error"),
    (b'{"name": ["x"]}', "validation-error"),
    (b'{"name": false}', "validation-error"),
    (b'{"name": null}', "validation-error"),
    (b'{"name": ""}', "validation-error"),
    (b'{"name": "   "}', "validation-error"),
    (b'{"__proto__": {}, "name": "x"}', "unknown-field"),
    (b'{"name": "x", "client": "other"}', "unknown-field"),
    (b'{"name": "x", "client_id": "other"}', "unknown-field"),
    (b'{"name": "x", "id": "pf_0"}', "unknown-field"),
    (b'{"name": "x", "": 1}', "unknown-field"),
    (b'{"name": "x", "benchmark": "' + b"S" * 41 + b'"}', "validation-error"),
    (b'{"name": "x", "benchmark": "\' OR 1=1 --"}', "unknown-instrument"),
    (b'{"name": "x", "benchmark": "in_' + b"0" * 32 + b'"}', "unknown-instrument"),
    (b'{"name": "x", "base_currency": "\xef\xbc\xb5SD"}', "validation-error"),
]


@pytest.mark.parametrize(("raw", "code"), BODIES)
def test_hostile_body_is_refused(caller: Caller, raw: bytes, code: str) -> None:
    answer = caller.post("/v1/portfolios", raw=raw)
    assert answer.code == code
    assert answer.status in (400, 422)
    with operator_scope():
        assert not Portfolio.objects.exists()


@pytest.mark.parametrize(
    "name",
    ["a\r\nSet-Cookie: x=1", "a\x07", "a\x1b[31m", "a\x85b", "a\u2028b", "a\u202eb", "a\u2066b"],
)
def test_names_are_one_line_of_text(caller: Caller, name: str) -> None:
    answer = caller.post("/v1/portfolios", {"name": name})
    assert (answer.status, answer.code) == (400, "validation-error")
    assert answer.body["errors"][0]["pointer"] == "/name"
    assert "control characters" in answer.body["errors"][0]["message"]
    for plain in ("Bücher & Söhne", "半導体", "كتاب", "a\u200db", "  trimmed\n"):
        assert caller.post("/v1/portfolios", {"name": plain}).status == 201


def test_names_that_show_nothing_are_refused(caller: Caller) -> None:
    answer = caller.post("/v1/portfolios", {"name": "\u200b\u3164"})
    assert (answer.status, answer.code) == (400, "validation-error")
    assert answer.body["errors"][0]["code"] == "invisible"


@pytest.mark.parametrize("name", ["a\nb.csv", "x\u202evsc.exe", "\u200b", ".", "/"])
def test_names_of_files_are_one_line_of_text(caller: Caller, name: str) -> None:
    answer = caller.post(
        f"/v1/imports?filename={quote(name)}",
        raw=b"date,close\n",
        content_type="text/csv",
        Idempotency_Key="k",
    )
    assert (answer.status, answer.code) == (400, "bad-parameter")
    with operator_scope():
        assert not Import.objects.exists()


@pytest.mark.parametrize(
    "path",
    [
        "/v1/portfolios/%00",
        "/v1/portfolios/pf_%00",
        "/v1/portfolios/%ED%A0%80",
        "/v1/portfolios/%FF%FE",
        "/v1/portfolios/%C0%AF",
        "/v1/portfolios?name=%00",
        "/v1/portfolios?name=a%00b",
        "/v1/portfolios?name=%ED%A0%80",
        "/v1/portfolios?name=%FF",
        "/v1/portfolios?%00=x",
        "/v1/portfolios?cursor=%FF",
        "/v1/instruments/%00",
        "/v1/prices?instrument=%00",
    ],
)
def test_bytes_that_are_not_text_are_refused(caller: Caller, path: str) -> None:
    answer = caller.get(path)
    assert (answer.status, answer.code) == (400, "bad-encoding")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/portfolios/..%2F..%2Fetc%2Fpasswd",
        "/v1/portfolios/pf_" + "f" * 5_000,
        "/v1/portfolios/pf_-1234567890123456789012345678901",
        "/v1/portfolios/pf_0x345678901234567890123456789012",
        "/v1/portfolios/pf_" + "\u0661" * 32,
        "/v1/portfolios/PF_" + "0" * 32,
        "/v1/portfolios/pf_{1234567890123456789012345678901}",
        "/v1/portfolios//positions",
        "/v1//portfolios",
        "/v1/portfolios/pf_" + "0" * 32 + "/position-sets/ps_" + "0" * 32,
        "/v1/instruments/" + "A" * 3_000,
        "/v1/instruments/%F0%9F%92%A9",
        "/v1/imports/imp_" + "0" * 32,
        "/v1/calendars/..",
        "/V1/me",
    ],
)
def test_addresses_of_nothing_are_404(caller: Caller, path: str) -> None:
    answer = caller.get(path)
    assert (answer.status, answer.code) == (404, "not-found")


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "limit=99999999999999999999",
        "limit=\u0661",
        "limit=1;drop",
        "cursor=" + "x" * 5_000,
        "cursor=WzFd:1abc:def",
        "sort=name,id",
        "sort=-",
        "sort=",
        "created_at__gte=9999-12-31T23:59:59-23:59",
        "created_at__gte=0001-01-01T00:00:00%2B23:59",
        "created_at__gte=2026-02-30T00:00:00Z",
        "created_at__lt=now",
        "name__in",
        "name[]=x",
        "name__regex=.*",
        "client_id=1",
        "client__name=x",
        "name=" + "x" * 201,
        "is_active=TRUE",
        "=",
        "fields=name",
    ],
)
def test_hostile_query_is_refused_or_finds_nothing(caller: Caller, query: str) -> None:
    answer = caller.get(f"/v1/portfolios?{query}")
    assert answer.status == 400 or (answer.status == 200 and answer.body["data"] == [])


@pytest.mark.parametrize(
    "query", ["as_of=0001-01-01", "as_of=9999-12-31", "as_of=99999-1-1", "as_of=2026-W01-1"]
)
def test_dates_at_the_ends_of_time_are_refused(caller: Caller, query: str) -> None:
    portfolio = caller.post("/v1/portfolios", {"name": "x"}).body["id"]
    answer = caller.put(f"/v1/portfolios/{portfolio}/positions?{query}", {"positions": []})
    assert answer.code in ("not-a-session", "bad-parameter")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("If_Match", "3"),
        ("If_Match", '"'),
        ("If_Match", '"a" "b"'),
        ("If_Match", "W/"),
        ("If_Match", '"' + "x" * 7_000 + '"'),
        ("If_Match", ('"a", ' * 1_500) + '"b"'),
    ],
)
def test_hostile_precondition_is_refused(caller: Caller, name: str, value: str) -> None:
    portfolio = caller.post("/v1/portfolios", {"name": "x"}).body["id"]
    answer = caller.patch(f"/v1/portfolios/{portfolio}", {"name": "y"}, **{name: value})
    assert answer.code in ("bad-header", "stale-version")
    assert caller.get(f"/v1/portfolios/{portfolio}").body["name"] == "x"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/v1/docs", "/v1/openapi.json", "/v1/me"])
def test_wrong_methods_are_problems_and_name_the_right_ones(
    caller: Caller, method: str, path: str
) -> None:
    answer = caller.send(method, path, {})
    assert (answer.status, answer.code) == (405, "method-not-allowed")
    assert "GET" in answer.headers["Allow"]


def test_wrong_method_comes_before_the_idempotency_key(caller: Caller) -> None:
    assert caller.patch("/v1/imports", {}).code == "method-not-allowed"


def test_unknown_host_is_told_apart(caller: Caller) -> None:
    answer = caller.get("/v1/me", Host="evil.example")
    assert (answer.status, answer.code) == (400, "unknown-host")


def test_admin_is_found_without_its_slash(caller: Caller) -> None:
    answer = caller.get("/admin")
    assert (answer.status, answer.headers["Location"]) == (302, "/admin/")


@pytest.mark.parametrize(
    "quantity",
    ["1_000", "\u0661\u0662", "\uff11\uff12", " 5", "5 ", "0x10", "1,000", "--1", "1e", "."],
)
def test_numbers_of_python_are_not_numbers(caller: Caller, quantity: str) -> None:
    portfolio = caller.post("/v1/portfolios", {"name": "x"}).body["id"]
    answer = caller.put(
        f"/v1/portfolios/{portfolio}/positions?as_of=2025-08-29",
        {"positions": [{"instrument": "CASH.USD", "quantity": quantity}]},
    )
    assert answer.code == "validation-error"
    (culprit,) = answer.body["errors"]
    assert culprit["pointer"] == "/positions/0/quantity"
    assert culprit["value"] == quantity
    assert "1200" in culprit["message"]


@pytest.mark.parametrize(
    ("quantity", "kept"), [("1e3", "1000"), ("-0.5", "-0.5"), ("+5", "5"), (".5", "0.5"), (7, "7")]
)
def test_numbers_of_json_are_numbers(caller: Caller, quantity: object, kept: str) -> None:
    portfolio = caller.post("/v1/portfolios", {"name": "x"}).body["id"]
    answer = caller.put(
        f"/v1/portfolios/{portfolio}/positions?as_of=2025-08-29",
        {"positions": [{"instrument": "CASH.USD", "quantity": quantity}]},
    )
    assert answer.body["positions"][0]["quantity"] == kept


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("as_of", "2025-W01-1"),
        ("as_of", "20250829"),
        ("known_at", "2025-08-29T12:00:00"),
        ("known_at", "2025-08-29"),
        ("known_at", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_one_form_of_dates_and_instants(caller: Caller, field: str, value: str) -> None:
    body = {"portfolio": "pf_x", field: value}
    answer = caller.post("/v1/analyses/semiconductor-beta", body)
    assert answer.code == "validation-error"
    assert answer.body["errors"][0]["value"] == value


def test_integers_beyond_all_sizes_are_echoed_and_refused(caller: Caller) -> None:
    portfolio = caller.post("/v1/portfolios", {"name": "x"}).body["id"]
    caller.put(
        f"/v1/portfolios/{portfolio}/positions?as_of=2025-08-29",
        {"positions": [{"instrument": "CASH.USD", "quantity": "1"}]},
    )
    answer = caller.post(
        "/v1/analyses/semiconductor-beta",
        {"portfolio": portfolio, "as_of": "2025-08-29", "units": {"m": {"window": 10**30}}},
    )
    assert answer.code == "bad-window"
    assert answer.body["errors"][0]["value"] == 10**30


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"multiple": "0"}, "/multiple"),
        ({"reference_index": "OWN"}, "/reference_index"),
        ({"reference_index": "CASH.USD"}, "/reference_index"),
    ],
)
def test_senseless_leverage_terms_are_refused(
    caller: Caller, change: dict[str, str], pointer: str
) -> None:
    for symbol in ("OWN", "IDX"):
        caller.post("/v1/instruments", {"symbol": symbol, "kind": "etf"})
    terms = {
        "valid_from": "2020-01-02",
        "multiple": "-3",
        "reference_index": "IDX",
        "expense_ratio": "0.01",
    }
    answer = caller.post("/v1/instruments/OWN/leverage-terms", terms | change)
    assert answer.status in (400, 422)
    assert answer.body["errors"][0]["pointer"] == pointer
    assert caller.post("/v1/instruments/OWN/leverage-terms", terms).status == 201


def test_no_option_is_on_cash_or_on_an_option(caller: Caller) -> None:
    terms = {"right": "put", "strike": "20", "expiry": "2026-12-18"}
    caller.post("/v1/instruments", {"symbol": "OWN", "kind": "etf"})
    put = {"symbol": "PUT", "kind": "option", "option_terms": terms | {"underlying": "OWN"}}
    assert caller.post("/v1/instruments", put).status == 201
    for underlying in ("CASH.USD", "PUT"):
        answer = caller.post(
            "/v1/instruments",
            {"symbol": "X", "kind": "option", "option_terms": terms | {"underlying": underlying}},
        )
        assert answer.status == 422
        assert answer.body["errors"][0]["pointer"] == "/option_terms/underlying"
    assert caller.get("/v1/instruments/X").status == 404


def test_cash_has_no_price(caller: Caller) -> None:
    row = {"instrument": "CASH.USD", "session": "2025-08-29", "close": "2"}
    answer = caller.post("/v1/prices", {"prices": [row]})
    assert answer.status == 422
    assert "fx-rates" in answer.body["errors"][0]["message"]


@pytest.mark.parametrize(
    "action",
    [
        {"kind": "distribution", "amount": "-1"},
        {"kind": "distribution", "amount": "0"},
        {"kind": "split", "new_shares": 1, "old_shares": 1},
    ],
)
def test_corporate_actions_that_do_nothing_are_refused(
    caller: Caller, action: dict[str, object]
) -> None:
    caller.post("/v1/instruments", {"symbol": "OWN", "kind": "etf"})
    row = {"instrument": "OWN", "ex_date": "2025-08-29", **action}
    assert caller.post("/v1/corporate-actions", {"actions": [row]}).code == "validation-error"


def test_admin_is_whole_wherever_the_service_is_mounted() -> None:
    """Whether its log-in has a session, a token and a scope is asked of the path that finds it."""
    browser = Browser(enforce_csrf_checks=True)
    form = browser.get("/admin/login/", SCRIPT_NAME="/risk")
    assert form.status_code == 200
    assert b"csrfmiddlewaretoken" in form.content
    sent = browser.post("/admin/login/", {"username": "a", "password": "b"}, SCRIPT_NAME="/risk")
    assert sent.status_code == 403
    elsewhere = browser.get("/v1/portfolios", SCRIPT_NAME="/admin/")
    assert elsewhere.status_code == 401
    assert not elsewhere.cookies
