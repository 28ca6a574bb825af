"""`fields`, `omit` and `expand` on objects and lists."""

from __future__ import annotations

from typing import Any

import pytest

from portfolios.models import Instrument
from tests.callers import Caller

Market = dict[str, Instrument]


@pytest.fixture
def book(caller: Caller, market: Market) -> str:
    made = caller.post("/v1/portfolios", {"name": "Semis", "benchmark": "SOXX"})
    positions = [
        {"instrument": "NVDA", "quantity": "1200.50", "tags": ["semis"]},
        {"instrument": "SOXS", "quantity": "-300", "cost": "7.10"},
    ]
    path = f"/v1/portfolios/{made.body['id']}"
    assert caller.put(f"{path}/positions?as_of=2026-11-20", {"positions": positions}).status == 201
    return path


def test_fields_are_sent_alone(caller: Caller, book: str) -> None:
    answer = caller.get(f"{book}?fields=name,benchmark.symbol")
    assert (answer.status, answer.body) == (
        200,
        {"name": "Semis", "benchmark": {"symbol": "SOXX"}},
    )


def test_omitted_members_are_absent_and_the_rest_is_there(caller: Caller, book: str) -> None:
    whole = caller.get(book).body
    answer = caller.get(f"{book}?omit=benchmark.id,name").body
    assert answer["benchmark"] == {"symbol": "SOXX"}
    assert whole.keys() - answer.keys() == {"name"}


def test_names_reach_through_lists(caller: Caller, book: str) -> None:
    answer = caller.get(f"{book}/positions?fields=positions.quantity,positions.instrument.symbol")
    assert answer.body == {
        "positions": [
            {"instrument": {"symbol": "NVDA"}, "quantity": "1200.50"},
            {"instrument": {"symbol": "SOXS"}, "quantity": "-300"},
        ]
    }


def test_what_is_named_whole_stays_whole(caller: Caller, book: str) -> None:
    for names in ("benchmark,benchmark.id", "benchmark.id,benchmark"):
        assert caller.get(f"{book}?fields={names}").body["benchmark"]["symbol"] == "SOXX"


def test_on_a_list_the_names_are_those_of_a_row(caller: Caller, book: str) -> None:
    caller.post("/v1/portfolios", {"name": "Other"})
    page = caller.get("/v1/portfolios?fields=name&limit=1")
    assert page.body["data"] == [{"name": "Other"}]
    assert page.body["has_more"] is True
    rest = caller.get(page.body["next_url"].replace("fields=name", "fields=id"))
    assert [list(row) for row in rest.body["data"]] == [["id"]], "another shape, the same list"


@pytest.mark.parametrize(
    ("query", "suggestion"),
    [
        ("fields=nmae", ["name"]),
        ("omit=benchmark.symbl", ["benchmark.symbol"]),
        ("fields=name.first", []),
        ("expand=benchmrk", ["benchmark"]),
        ("expand=name", None),
        ("fields=", None),
        ("fields=name,,id", None),
        ("fields=.", None),
        ("fields=__class__", None),
    ],
)
def test_unknown_name_is_refused(caller: Caller, book: str, query: str, suggestion: Any) -> None:
    answer = caller.get(f"{book}?{query}")
    assert (answer.status, answer.code) == (400, "unknown-member")
    entry = answer.body["errors"][0]
    assert entry["pointer"] == "?" + query.partition("=")[0]
    if suggestion is not None:
        assert entry["suggestion"][: len(suggestion)] == suggestion


def test_refusal_comes_before_the_work_and_for_everybody(caller: Caller, outsider: Caller) -> None:
    assert outsider.get("/v1/portfolios/pf_0?fields=nmae").code == "unknown-member"
    names = ",".join(["name"] + [f"n{i}" for i in range(100)])
    assert caller.get(f"/v1/portfolios?fields={names}").code == "bad-parameter"
    assert caller.get("/v1/portfolios?fields=id&fields=name").code == "bad-parameter"


def test_shape_is_for_reading(caller: Caller, market: Market) -> None:
    answer = caller.post("/v1/portfolios?fields=id", {"name": "Semis"})
    assert answer.code == "unknown-parameter"


def test_reference_becomes_the_object(caller: Caller, book: str) -> None:
    plain = caller.get(f"{book}/positions").body
    answer = caller.get(f"{book}/positions?expand=positions.instrument").body
    shown = answer["positions"][1]["instrument"]
    assert shown == {
        name: value
        for name, value in caller.get("/v1/instruments/SOXS").body.items()
        if name not in ("proxy", "option_terms", "leverage_terms")
    }
    for position in answer["positions"]:
        position["instrument"] = {name: position["instrument"][name] for name in ("id", "symbol")}
    assert answer.pop("resolved_from")["as_of"] == plain.pop("resolved_from")["as_of"]
    assert answer == plain


def test_expansion_goes_two_references_deep(caller: Caller, book: str) -> None:
    path = f"{book}/position-sets?expand=portfolio.benchmark&fields=portfolio.benchmark.kind"
    (row,) = caller.get(path).body["data"]
    assert row == {"portfolio": {"benchmark": {"kind": "etf"}}}
    answer = caller.get(f"{book}/position-sets?fields=portfolio.benchmark.kind")
    assert answer.code == "unknown-member", "not without expanding"


def test_expansion_of_a_null_is_null(caller: Caller, book: str) -> None:
    answer = caller.get(f"{book}?expand=market_benchmark,benchmark").body
    assert answer["market_benchmark"] is None
    assert answer["benchmark"]["kind"] == "etf"


def test_expansion_needs_the_scope_of_what_it_shows(caller: Caller, market: Market) -> None:
    action = {"instrument": "NVDA", "ex_date": "2026-06-11", "kind": "distribution", "amount": "1"}
    assert caller.post("/v1/corporate-actions", {"actions": [action]}).status == 200
    priced = caller.with_key(scopes=["prices:read"])
    path = "/v1/corporate-actions?expand=instrument"
    assert caller.get(path).body["data"][0]["instrument"]["kind"] == "equity"
    answer = priced.get(path)
    assert (answer.status, answer.code) == (403, "insufficient-scope")
    assert answer.body["required_scope"] == "portfolios:read"


def test_long_lists_are_not_expanded(caller: Caller) -> None:
    for index in range(201):
        caller.post("/v1/portfolios", {"name": f"{index:03}"})
    answer = caller.get("/v1/portfolios?limit=201&expand=benchmark")
    assert (answer.status, answer.code) == (400, "bad-parameter")
    assert caller.get("/v1/portfolios?limit=200&expand=benchmark").status == 200


def test_tag_of_a_shape_is_its_own_and_serves_a_change(caller: Caller, book: str) -> None:
    whole = caller.get(book).headers["ETag"]
    part = caller.get(f"{book}?fields=name").headers["ETag"]
    other = caller.get(f"{book}?fields=version").headers["ETag"]
    assert len({whole, part, other}) == 3
    assert caller.get(f"{book}?fields=name", If_None_Match=part).status == 304
    assert caller.get(f"{book}?fields=name", If_None_Match=whole).status == 200
    assert caller.get(f"{book}?fields=name", If_None_Match=other).status == 200
    assert caller.patch(book, {"name": "New"}, If_Match=part).status == 200
    assert caller.get(f"{book}?fields=name", If_None_Match=part).status == 200
    assert caller.patch(book, {"name": "Newer"}, If_Match=part).status == 412


def test_tag_of_an_expanded_answer_changes_with_what_it_shows(caller: Caller, book: str) -> None:
    path = f"{book}/position-sets?as_of=2026-11-20"
    (row,) = caller.get(path).body["data"]
    path = f"{book}/position-sets/{row['id']}?expand=portfolio"
    before = caller.get(path)
    assert before.body["portfolio"]["name"] == "Semis"
    assert caller.patch(book, {"name": "New"}, If_Match="*").status == 200
    after = caller.get(path, If_None_Match=before.headers["ETag"])
    assert (after.status, after.body["portfolio"]["name"]) == (200, "New")


def test_decimals_stay_as_they_were_sent(caller: Caller, book: str) -> None:
    answer = caller.get(f"{book}/positions?fields=positions.cost")
    assert answer.body["positions"] == [{"cost": None}, {"cost": "7.10"}]


def test_public_answers_can_be_cut_too(caller: Caller) -> None:
    answer = caller.get("/v1/errors/not-found?fields=status")
    assert answer.body == {"status": 404}
    rows = caller.get("/v1/errors?fields=code").body["data"]
    assert {"code": "not-found"} in rows


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8-sig").splitlines()


def test_files_have_the_columns_asked_for(caller: Caller, book: str) -> None:
    path = "/v1/portfolios?format=csv"
    whole = _lines(caller.get(path).content)[0].split(",")
    assert {"name", "benchmark_id", "benchmark_symbol"} <= set(whole)
    kept = _lines(caller.get(f"{path}&fields=benchmark.symbol,name").content)
    assert kept[0] == "resolved_from_known_at,name,benchmark_symbol", "with what holds for all rows"
    assert kept[1].endswith("Z,Semis,SOXX")
    left = _lines(caller.get(f"{path}&omit=benchmark.symbol,name").content)[0].split(",")
    assert left == [name for name in whole if name not in ("name", "benchmark_symbol")]
    answer = caller.get(f"{path}&expand=benchmark")
    assert (answer.status, answer.code) == (400, "bad-parameter")
