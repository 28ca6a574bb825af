"""Instruments, leverage terms and the resolver."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from portfolios.models import AuditEvent, DataVersion, Instrument
from portfolios.tenancy import client_scope, operator_scope
from tests.callers import Caller

Market = dict[str, Instrument]
FUND: dict[str, Any] = {
    "symbol": "BEAR3",
    "kind": "etf",
    "name": "Bear",
    "leverage_terms": [
        {
            "valid_from": "2021-08-25",
            "multiple": -3,
            "reference_index": "NYSESEMI",
            "expense_ratio": "0.0095",
        }
    ],
}
PUT: dict[str, Any] = {
    "symbol": "SOXL261218P00020000",
    "kind": "option",
    "option_terms": {
        "underlying": "SOXL",
        "right": "put",
        "strike": "20",
        "expiry": "2026-12-18",
    },
}


def test_own_fund_has_its_terms(caller: Caller, market: Market) -> None:
    made = caller.post("/v1/instruments", FUND)
    assert made.status == 201
    assert made.body["shared"] is False
    terms = made.body["leverage_terms"][0]
    assert [Decimal(terms[n]) for n in ("multiple", "expense_ratio")] == [-3, Decimal("0.0095")]
    assert terms["reference_index"]["symbol"] == "NYSESEMI"
    read = caller.get(made.headers["Location"]).body
    assert read["leverage_terms"][0]["valid_from"] == "2021-08-25"


def test_instrument_says_where_it_is_listed(caller: Caller, market: Market) -> None:
    made = caller.post("/v1/instruments", {"symbol": "2330", "kind": "equity", "calendar": "XTAI"})
    assert (made.status, made.body["calendar"]) == (201, "XTAI")
    refused = caller.post("/v1/instruments", {"symbol": "2331", "kind": "equity", "calendar": "X"})
    assert (refused.status, refused.body["errors"][0]["pointer"]) == (400, "/calendar")


def test_option_has_its_contract(caller: Caller, market: Market) -> None:
    made = caller.post("/v1/instruments", PUT)
    assert made.status == 201
    read = caller.get(f"/v1/instruments/{PUT['symbol']}").body["option_terms"]
    assert read["underlying"]["symbol"] == "SOXL"
    assert (read["right"], read["style"], read["strike"], read["multiplier"]) == (
        "put",
        "american",
        "20",
        "100",
    )


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"option_terms": None}, 422, "invalid-request"),
        ({"kind": "equity"}, 422, "invalid-request"),
        ({"symbol": "bad symbol"}, 400, "validation-error"),
        ({"kind": "warrant"}, 400, "validation-error"),
        ({"option_terms": {**PUT["option_terms"], "strike": 0}}, 400, "validation-error"),
        (
            {"option_terms": {**PUT["option_terms"], "underlying": "SOXZ"}},
            422,
            "unknown-instrument",
        ),
        ({"strike": 5}, 400, "unknown-field"),
    ],
)
def test_contract_that_makes_no_sense_is_refused(
    caller: Caller, market: Market, change: dict[str, Any], status: int, code: str
) -> None:
    answer = caller.post("/v1/instruments", {**PUT, **change})
    assert (answer.status, answer.code) == (status, code)
    with operator_scope():
        assert not Instrument.objects.exclude(client=None).exists()


def test_own_symbol_is_taken_once(caller: Caller, outsider: Caller, market: Market) -> None:
    caller.post("/v1/instruments", FUND)
    assert caller.post("/v1/instruments", FUND).code == "duplicate-symbol"
    assert outsider.post("/v1/instruments", FUND).status == 201


def test_outsider_does_not_see_it(caller: Caller, outsider: Caller, market: Market) -> None:
    made = caller.post("/v1/instruments", FUND).body
    for name in ("BEAR3", made["id"]):
        assert outsider.get(f"/v1/instruments/{name}").code == "not-found"
    assert outsider.get("/v1/instruments?symbol=BEAR3").body["data"] == []
    unknown = outsider.post("/v1/instruments:resolve", {"identifiers": [made["id"]]}).body
    assert unknown["unknown"].keys() == {made["id"]}
    near = outsider.post("/v1/instruments:resolve", {"identifiers": ["BEAR"]}).body
    assert "BEAR3" not in near["unknown"]["BEAR"]


def test_own_instrument_hides_the_shared_one_from_its_client_alone(
    caller: Caller, outsider: Caller, market: Market
) -> None:
    made = caller.post("/v1/instruments", {"symbol": "NVDA", "kind": "equity"}).body
    assert caller.get("/v1/instruments/NVDA").body["id"] == made["id"]
    assert outsider.get("/v1/instruments/NVDA").body["id"] == market["NVDA"].public_id


def test_terms_of_a_shared_fund_are_the_operators(caller: Caller, market: Market) -> None:
    terms = FUND["leverage_terms"][0]
    answer = caller.post("/v1/instruments/SOXS/leverage-terms", terms)
    assert (answer.status, answer.code) == (403, "shared-instrument")
    caller.post("/v1/instruments", FUND)
    later = {**terms, "valid_from": "2024-01-02", "multiple": "-2"}
    assert caller.post("/v1/instruments/BEAR3/leverage-terms", later).status == 201
    data = caller.get("/v1/instruments/BEAR3/leverage-terms").body["data"]
    lines = caller.get("/v1/instruments/BEAR3/leverage-terms?format=csv").content.splitlines()
    assert len(lines) == 1 + len(data)
    assert all(b"BEAR3" in line for line in lines[1:])
    assert [t["valid_from"] for t in data] == ["2021-08-25", "2024-01-02"]
    assert caller.post("/v1/instruments/BEAR3/leverage-terms", later).code == "conflict"


def test_change_of_facts_is_counted_for_this_client(caller: Caller, market: Market) -> None:
    caller.post("/v1/instruments", FUND)
    with client_scope(caller.client.id):
        assert DataVersion.objects.get(client=caller.client).version == 1
        assert not DataVersion.objects.filter(client=None).exists()


def test_resolver_tells_found_ambiguous_and_unknown(caller: Caller, market: Market) -> None:
    with operator_scope():
        for symbol in ("ASML", "ASML.AS"):
            Instrument.objects.create(symbol=symbol, kind="equity", isin="NL0010273215")
    names = ["NVDA", market["AMD"].public_id, "NL0010273215", "SOXZ"]
    answer = caller.post("/v1/instruments:resolve", {"identifiers": names}).body
    assert answer["found"].keys() == {"NVDA", market["AMD"].public_id}
    assert {row["symbol"] for row in answer["ambiguous"]["NL0010273215"]} == {"ASML", "ASML.AS"}
    assert "SOXS" in answer["unknown"]["SOXZ"]


def test_resolver_takes_500(caller: Caller, market: Market) -> None:
    many = {"identifiers": [f"X{index}" for index in range(500)]}
    assert len(caller.post("/v1/instruments:resolve", many).body["unknown"]) == 500
    more = {"identifiers": [f"X{index}" for index in range(501)]}
    assert caller.post("/v1/instruments:resolve", more).code == "validation-error"


def test_list_filters_by_kind(caller: Caller, market: Market) -> None:
    page = caller.get("/v1/instruments?kind=etf&sort=-symbol").body
    assert [row["symbol"] for row in page["data"]] == ["SOXX", "SOXS", "SOXL"]
    assert caller.get("/v1/instruments?kind=bond").code == "bad-parameter"


def test_read_only_key_cannot_add(reader: Caller, market: Market) -> None:
    assert reader.post("/v1/instruments", FUND).code == "insufficient-scope"
    assert reader.get("/v1/instruments/NVDA").status == 200


def test_own_instrument_is_changed_and_a_shared_one_is_not(
    caller: Caller, outsider: Caller, reader: Caller, market: dict[str, Instrument]
) -> None:
    caller.post("/v1/instruments", {"symbol": "MYCHIP", "kind": "equity", "name": "Old"})
    path = "/v1/instruments/MYCHIP"
    assert caller.patch(path, {"name": "New"}).code == "precondition-required"
    before = caller.get(path)
    tag = before.headers["ETag"]
    assert caller.get(path, If_None_Match=tag).status == 304
    changed = caller.patch(path, {"name": "New", "proxy": "SOXX"}, If_Match=tag)
    assert (changed.status, changed.body["name"]) == (200, "New")
    assert changed.body["proxy"]["symbol"] == "SOXX"
    assert caller.get(path).body == changed.body
    assert caller.patch(path, {"name": "Newer"}, If_Match=tag).code == "stale-version"
    assert outsider.patch(path, {"name": "Mine"}, If_Match="*").code == "not-found"
    assert reader.patch(path, {"name": "Mine"}, If_Match="*").code == "insufficient-scope"
    shared = caller.patch("/v1/instruments/SOXX", {"name": "Mine"}, If_Match="*")
    assert (shared.status, shared.code) == (403, "shared-instrument")
    with client_scope(caller.client.id):
        event = AuditEvent.objects.get(action="instrument.update")
        assert event.detail == {"name": ["Old", "New"], "proxy": [None, "SOXX"]}


def test_identifier_that_is_not_there_is_null_in_and_out(
    caller: Caller, market: dict[str, Instrument]
) -> None:
    path = "/v1/instruments/MYCHIP"
    made = caller.post("/v1/instruments", {"symbol": "MYCHIP", "kind": "equity", "figi": None})
    assert (made.status, made.body["isin"], made.body["figi"]) == (201, None, None)
    named = caller.patch(path, {"isin": "US0378331005"}, If_Match="*").body
    assert named["isin"] == "US0378331005"
    (listed,) = caller.get("/v1/instruments?isin=US0378331005").body["data"]
    assert (listed["id"], listed["figi"]) == (made.body["id"], None)
    for none in (None, ""):
        assert caller.patch(path, {"isin": none}, If_Match="*").body["isin"] is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"symbol": "OTHER"}, "unknown-field"),
        ({"kind": "etf"}, "unknown-field"),
        ({"isin": "US"}, "validation-error"),
        ({"proxy": "SOXZ"}, "unknown-instrument"),
        ({"proxy": "MYCHIP"}, "invalid-request"),
        ({"proxy": "CASH.USD"}, "invalid-request"),
    ],
)
def test_senseless_change_of_an_instrument_is_refused(
    caller: Caller, market: dict[str, Instrument], change: Any, code: str
) -> None:
    caller.post("/v1/instruments", {"symbol": "MYCHIP", "kind": "equity"})
    answer = caller.patch("/v1/instruments/MYCHIP", change, If_Match="*")
    assert answer.code == code


def test_new_terms_are_another_version_of_the_instrument(
    caller: Caller, market: dict[str, Instrument]
) -> None:
    caller.post("/v1/instruments", {"symbol": "BEAR", "kind": "etf"})
    tag = caller.get("/v1/instruments/BEAR").headers["ETag"]
    terms = {
        "valid_from": "2021-08-25", "multiple": "-3", "reference_index": "NYSESEMI",
        "expense_ratio": "0.0095",
    }  # fmt: skip
    assert caller.post("/v1/instruments/BEAR/leverage-terms", terms).status == 201
    assert caller.patch("/v1/instruments/BEAR", {"name": "x"}, If_Match=tag).code == "stale-version"
