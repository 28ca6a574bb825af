"""GET and PUT /v1/portfolios/{id}/positions, and the history of sets."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from portfolios.models import AuditEvent, Instrument, Position, PositionSet
from portfolios.tenancy import client_scope, operator_scope
from tests.callers import Answer, Caller

Market = dict[str, Instrument]
BOOK: list[dict[str, Any]] = [
    {"instrument": "NVDA", "quantity": "1200.50", "cost": "101.123456789012345678"},
    {"instrument": "SOXS", "quantity": -300, "tags": ["hedge"]},
    {"instrument": "CASH.USD", "quantity": "250000"},
]


@pytest.fixture
def path(caller: Caller, market: Market) -> str:
    made = caller.post("/v1/portfolios", {"name": "Semis"})
    return f"/v1/portfolios/{made.body['id']}/positions"


def _put(caller: Caller, path: str, book: Any, query: str = "as_of=2026-11-20") -> Answer:
    return caller.put(f"{path}?{query}", {"positions": book, "source": "test"})


def _quantities(answer: Answer) -> dict[str, str]:
    return {p["instrument"]["symbol"]: p["quantity"] for p in answer.body["positions"]}


def test_set_reads_back_to_the_last_digit(caller: Caller, path: str) -> None:
    answer = _put(caller, path, BOOK)
    assert (answer.status, answer.body["unchanged"]) == (201, False)
    read = caller.get(path)
    assert read.status == 200
    assert _quantities(read) == {"NVDA": "1200.50", "SOXS": "-300", "CASH.USD": "250000"}
    assert read.body["positions"][0]["cost"] == "101.123456789012345678"
    assert read.body["positions"][1]["tags"] == ["hedge"]
    assert read.body["positions"][2]["kind"] == "cash"
    assert (read.body["as_of"], read.body["source"]) == ("2026-11-20", "test")


def test_same_content_again_changes_nothing(caller: Caller, path: str) -> None:
    first = _put(caller, path, BOOK)
    respelled = [{**BOOK[0], "quantity": 1200.5}, BOOK[2], BOOK[1]]
    again = _put(caller, path, respelled)
    assert (again.status, again.body["unchanged"]) == (200, True)
    assert again.body["id"] == first.body["id"]
    with client_scope(caller.client.id):
        assert PositionSet.objects.count() == 1
        assert Position.objects.count() == 3


def test_correction_supersedes_and_the_former_stays_readable(caller: Caller, path: str) -> None:
    first = _put(caller, path, BOOK)
    second = _put(caller, path, BOOK[:1])
    assert second.status == 201
    assert _quantities(caller.get(path)) == {"NVDA": "1200.50"}
    then = caller.get(f"{path}?known_at={first.body['recorded_at']}")
    assert then.body["id"] == first.body["id"]
    assert then.body["superseded_at"] == second.body["recorded_at"]
    assert _quantities(then).keys() == {"NVDA", "SOXS", "CASH.USD"}
    sets = caller.get(path.replace("/positions", "/position-sets")).body["data"]
    assert [row["id"] for row in sets] == [second.body["id"], first.body["id"]]
    one = caller.get(first.headers["Location"])
    assert one.body["positions"] == first.body["positions"]


def test_latest_set_not_after_the_date_answers(caller: Caller, path: str) -> None:
    _put(caller, path, BOOK[:1], "as_of=2026-11-18")
    _put(caller, path, BOOK[1:2], "as_of=2026-11-20")
    read = caller.get(f"{path}?as_of=2026-11-19")
    assert read.body["as_of"] == "2026-11-18"
    assert read.body["resolved_from"]["as_of"] == "2026-11-19"
    assert caller.get(f"{path}?as_of=2026-11-17").code == "not-found"
    assert caller.get(f"{path}?known_at=2020-01-01T00:00:00Z").code == "not-found"


def test_closed_day_is_refused_naming_the_session_before(caller: Caller, path: str) -> None:
    answer = _put(caller, path, BOOK, "as_of=2026-11-21")
    assert (answer.status, answer.code) == (422, "not-a-session")
    assert answer.body["previous_session"] == "2026-11-20"
    assert answer.body["calendar"] == "XNYS"
    assert [culprit["pointer"] for culprit in answer.body["errors"]] == ["?as_of"]
    rolled = _put(caller, path, BOOK, "as_of=2026-11-21&roll=previous")
    assert (rolled.status, rolled.body["as_of"]) == (201, "2026-11-20")


def test_future_is_refused(caller: Caller, path: str) -> None:
    answer = _put(caller, path, BOOK, "as_of=2027-01-04")
    assert (answer.status, answer.code) == (422, "future-date")
    assert [culprit["pointer"] for culprit in answer.body["errors"]] == ["?as_of"]


@pytest.mark.parametrize("query", ["", "as_of=1900-01-02"])
def test_refusals_of_a_date_name_the_parameter(caller: Caller, path: str, query: str) -> None:
    answer = _put(caller, path, BOOK, query)
    assert [culprit["pointer"] for culprit in answer.body["errors"]] == ["?as_of"]


def test_every_unknown_instrument_is_named(caller: Caller, path: str) -> None:
    book = [*BOOK, {"instrument": "SOXZ", "quantity": 1}, {"instrument": "USD", "quantity": 1}]
    answer = _put(caller, path, book)
    assert (answer.status, answer.code) == (422, "unknown-instrument")
    named = {entry["pointer"]: entry for entry in answer.body["errors"]}
    assert named.keys() == {"/positions/3/instrument", "/positions/4/instrument"}
    assert named["/positions/3/instrument"]["value"] == "SOXZ"
    assert "SOXS" in named["/positions/3/instrument"]["suggestion"]
    with client_scope(caller.client.id):
        assert not PositionSet.objects.exists()


def test_currency_alone_is_not_cash_but_suggests_it(caller: Caller, path: str) -> None:
    _put(caller, path, BOOK)
    answer = _put(caller, path, [{"instrument": "USD", "quantity": 1}])
    assert answer.body["errors"][0]["suggestion"][0] == "CASH.USD"


def test_instrument_named_twice_is_refused(caller: Caller, path: str, market: Market) -> None:
    answer = _put(caller, path, [BOOK[0], {"instrument": market["NVDA"].public_id, "quantity": 1}])
    assert (answer.status, answer.code) == (422, "duplicate-instrument")
    assert answer.body["errors"][0]["pointer"] == "/positions/1/instrument"


@pytest.mark.parametrize(
    ("position", "pointer", "code"),
    [
        ({"quantity": 1}, "/positions/0/instrument", "required"),
        ({"instrument": "NVDA"}, "/positions/0/quantity", "required"),
        ({"instrument": "NVDA", "quantity": "NaN"}, "/positions/0/quantity", "invalid"),
        ({"instrument": "NVDA", "quantity": "Infinity"}, "/positions/0/quantity", "invalid"),
        ({"instrument": "NVDA", "quantity": "1e400"}, "/positions/0/quantity", "bad-number"),
        ({"instrument": "NVDA", "quantity": "1e-31"}, "/positions/0/quantity", "bad-number"),
        ({"instrument": "NVDA", "quantity": "1" * 41}, "/positions/0/quantity", "bad-number"),
        ({"instrument": "NVDA", "quantity": True}, "/positions/0/quantity", "invalid"),
        ({"instrument": "NVDA", "quantity": None}, "/positions/0/quantity", "null"),
        ({"instrument": "NVDA", "quantity": [1]}, "/positions/0/quantity", "invalid"),
        ({"instrument": 5, "quantity": 1}, "/positions/0/instrument", "invalid"),
        ({"instrument": "NVDA", "quantity": 1, "qty": 1}, "/positions/0/qty", "unknown-field"),
        ({"instrument": "NVDA", "quantity": 1, "tags": [1]}, "/positions/0/tags/0", "invalid"),
    ],
)
def test_bad_position_is_named_by_its_index(
    caller: Caller, path: str, position: Any, pointer: str, code: str
) -> None:
    answer = _put(caller, path, [position])
    assert answer.status == 400
    entry = answer.body["errors"][0]
    assert (entry["pointer"], entry["code"]) == (pointer, code)


def test_unknown_field_of_a_position_has_its_suggestion(caller: Caller, path: str) -> None:
    answer = _put(caller, path, [{"instrument": "NVDA", "quantity": 1, "quantty": 1}])
    assert answer.body["errors"][0]["suggestion"] == ["quantity"]


def test_date_is_required(caller: Caller, path: str) -> None:
    assert _put(caller, path, BOOK, "").code == "bad-parameter"
    assert _put(caller, path, BOOK, "as_of=2026-13-01").code == "bad-parameter"
    assert _put(caller, path, BOOK, "asof=2026-11-20").code == "unknown-parameter"


def test_outsider_gets_404_and_changes_nothing(caller: Caller, outsider: Caller, path: str) -> None:
    made = _put(caller, path, BOOK)
    assert outsider.get(path).code == "not-found"
    assert _put(outsider, path, []).code == "not-found"
    assert outsider.get(path.replace("/positions", "/position-sets")).code == "not-found"
    assert outsider.get(made.headers["Location"]).code == "not-found"
    assert _quantities(caller.get(path)).keys() == {"NVDA", "SOXS", "CASH.USD"}


def test_set_of_another_portfolio_is_not_found(caller: Caller, path: str) -> None:
    made = _put(caller, path, BOOK)
    other = caller.post("/v1/portfolios", {"name": "Other"}).body["id"]
    answer = caller.get(f"/v1/portfolios/{other}/position-sets/{made.body['id']}")
    assert answer.code == "not-found"


def test_read_only_key_cannot_put(reader: Caller, path: str) -> None:
    answer = _put(reader, path, BOOK)
    assert (answer.status, answer.code) == (403, "insufficient-scope")


def test_put_is_audited(caller: Caller, path: str) -> None:
    answer = _put(caller, path, BOOK)
    with operator_scope():
        event = AuditEvent.objects.get(action="positions.put")
    assert event.detail["checksum"] == answer.body["checksum"]
    assert event.request_id == answer.headers["Request-Id"]


def test_current_copy_costs_304(caller: Caller, path: str) -> None:
    tag = _put(caller, path, BOOK).headers["ETag"]
    assert caller.get(path, If_None_Match=tag).status == 304
    _put(caller, path, BOOK[:1])
    assert caller.get(path, If_None_Match=tag).status == 200


def test_queries_do_not_grow_with_the_book(
    caller: Caller, path: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for count in (1, 5):
        book = [
            {"instrument": s, "quantity": count} for s in ("NVDA", "AMD", "SOXX", "SOXL", "SOXS")
        ]
        _put(caller, path, book[:count])
        with django_assert_num_queries(8):
            caller.get(path)
