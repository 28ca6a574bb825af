"""POST /v1/positions:batch: several books at once, all or none."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from portfolios.models import AuditEvent, Instrument, Position, PositionSet
from portfolios.tenancy import client_scope, operator_scope
from tests.callers import Answer, Caller, caller_create

Market = dict[str, Instrument]
DAY = "2026-11-20"


@pytest.fixture
def books(caller: Caller, market: Market) -> list[str]:
    return [caller.post("/v1/portfolios", {"name": name}).body["id"] for name in ("A", "B")]


def _row(book: str, instrument: str, quantity: Any = "1", **more: Any) -> dict[str, Any]:
    return {"portfolio": book, "as_of": DAY, "instrument": instrument, "quantity": quantity, **more}


def _send(caller: Caller, *rows: Any, key: str = "k1", query: str = "") -> Answer:
    body = {"positions": list(rows), "source": "test"}
    return caller.post(f"/v1/positions:batch{query}", body, Idempotency_Key=key)


def _held(caller: Caller, book: str) -> dict[str, str]:
    answer = caller.get(f"/v1/portfolios/{book}/positions")
    return {row["instrument"]["symbol"]: row["quantity"] for row in answer.body["positions"]}


def test_rows_of_a_portfolio_and_date_become_its_whole_book(
    caller: Caller, books: list[str]
) -> None:
    a, b = books
    answer = _send(
        caller,
        _row(a, "NVDA", "1200.50", cost="1.5", tags=["semis"]),
        _row(b, "SOXS", "-300"),
        _row(a, "CASH.USD", "10"),
        _row(b, "AMD", "5", as_of="2026-11-19"),
    )
    assert answer.status == 200, answer.content
    assert [
        (s["portfolio"], s["as_of"], s["rows"], s["unchanged"]) for s in answer.body["sets"]
    ] == [
        (a, DAY, 2, False),
        (b, DAY, 1, False),
        (b, "2026-11-19", 1, False),
    ]
    assert _held(caller, a) == {"NVDA": "1200.50", "CASH.USD": "10"}
    assert _held(caller, b) == {"SOXS": "-300"}
    again = _send(caller, _row(a, "NVDA", 7), _row(b, "SOXS", -300), key="k2")
    assert [s["unchanged"] for s in again.body["sets"]] == [False, True]
    assert _held(caller, a) == {"NVDA": "7"}
    with client_scope(caller.client.id):
        assert AuditEvent.objects.filter(action="positions.put").count() == 4
        assert PositionSet.objects.filter(superseded_at=None).count() == 3


def test_a_portfolio_goes_by_either_of_its_ids(caller: Caller, outsider: Caller) -> None:
    with operator_scope():
        for symbol in ("NVDA", "AMD"):
            Instrument.objects.create(symbol=symbol, kind="equity")
    for who in (outsider, caller):
        made = who.post("/v1/portfolios", {"name": "Desk", "external_id": "desk"}).body["id"]
    answer = _send(caller, _row("desk", "NVDA"), _row(made, "AMD", "2"))
    assert [(s["portfolio"], s["rows"]) for s in answer.body["sets"]] == [(made, 2)]
    assert _held(caller, made) == {"NVDA": "1", "AMD": "2"}
    twice = _send(caller, _row("desk", "NVDA"), _row(made, "NVDA"), key="k2")
    assert twice.code == "duplicate-instrument"
    assert _send(caller, _row("desks", "NVDA"), key="k3").code == "unknown-portfolio"


def test_an_id_comes_before_an_external_id_of_the_same_letters(
    caller: Caller, books: list[str]
) -> None:
    caller.post("/v1/portfolios", {"name": "Lookalike", "external_id": books[0]})
    [made] = _send(caller, _row(books[0], "NVDA")).body["sets"]
    assert made["portfolio"] == books[0]


def test_an_external_id_of_somebody_else_is_unknown(
    caller: Caller, outsider: Caller, market: Market
) -> None:
    outsider.post("/v1/portfolios", {"name": "Desk", "external_id": "desk"})
    answer = _send(caller, _row("desk", "NVDA"))
    assert (answer.status, answer.code) == (422, "unknown-portfolio")


def test_same_set_as_by_put_is_unchanged(caller: Caller, books: list[str]) -> None:
    put = caller.put(
        f"/v1/portfolios/{books[0]}/positions?as_of={DAY}",
        {"positions": [{"instrument": "NVDA", "quantity": "1"}]},
    )
    [made] = _send(caller, _row(books[0], "NVDA")).body["sets"]
    assert (made["id"], made["checksum"]) == (put.body["id"], put.body["checksum"])
    assert made["unchanged"] is True


def test_every_row_that_cannot_be_taken_is_named_and_none_is_taken(
    caller: Caller, outsider: Caller, books: list[str]
) -> None:
    foreign = outsider.post("/v1/portfolios", {"name": "X"}).body["id"]
    answer = _send(
        caller,
        _row(books[0], "NVDA"),
        _row(books[0], "SOXZ"),
        _row(foreign, "AMD"),
        _row(books[0], "NVDA", "2"),
        _row(books[0], "AMD", as_of="2026-11-21"),
        _row(books[1], "AMD", as_of="2040-01-03"),
    )
    assert (answer.status, answer.code) == (422, "invalid-request")
    found = [(e["pointer"], e["code"], e["suggestion"]) for e in answer.body["errors"]]
    assert found[0][:2] == ("/positions/1/instrument", "unknown-instrument")
    assert set(found[0][2]) == {"SOXX", "SOXL", "SOXS"}
    assert found[1:] == [
        ("/positions/2/portfolio", "unknown-portfolio", None),
        ("/positions/3/instrument", "duplicate-instrument", None),
        ("/positions/4/as_of", "not-a-session", ["2026-11-20"]),
        ("/positions/5/as_of", "future-date", None),
    ]
    with operator_scope():
        assert not PositionSet.objects.exists()
        assert not Position.objects.exists()
    retried = _send(caller, _row(books[0], "NVDA"))
    assert retried.status == 200, "a refusal does not use the key up"


def test_dates_roll_where_asked_and_meet(caller: Caller, books: list[str]) -> None:
    rows = [_row(books[0], "NVDA"), _row(books[0], "AMD", as_of="2026-11-22")]
    answer = _send(caller, *rows, query="?roll=previous")
    assert [(s["as_of"], s["rows"]) for s in answer.body["sets"]] == [(DAY, 2)]
    twice = _send(
        caller, rows[0], {**rows[1], "instrument": "NVDA"}, query="?roll=previous", key="2"
    )
    assert twice.code == "duplicate-instrument"


@pytest.mark.parametrize(
    ("rows", "pointer"),
    [
        ([], "/positions"),
        ([{"portfolio": "pf_0", "as_of": DAY, "quantity": "1"}], "/positions/0/instrument"),
        ([{"portfolio": "pf_0", "instrument": "NVDA", "quantity": "1"}], "/positions/0/as_of"),
    ],
)
def test_malformed_rows_are_refused(caller: Caller, rows: list[Any], pointer: str) -> None:
    answer = _send(caller, *rows)
    assert (answer.status, answer.code) == (400, "validation-error")
    assert answer.body["errors"][0]["pointer"] == pointer


def test_at_most_a_thousand_rows_and_only_with_a_key(
    caller: Caller, reader: Caller, books: list[str]
) -> None:
    rows = [_row(books[0], f"CASH.{at}") for at in range(1_001)]
    assert _send(caller, *rows).code == "validation-error"
    unkeyed = caller.post("/v1/positions:batch", {"positions": [_row(books[0], "NVDA")]})
    assert (unkeyed.status, unkeyed.code) == (400, "idempotency-key-required")
    assert _send(reader, _row(books[0], "NVDA")).code == "insufficient-scope"


def test_repeat_answers_the_same_and_does_nothing(caller: Caller, books: list[str]) -> None:
    first = _send(caller, _row(books[0], "NVDA"))
    caller.put(
        f"/v1/portfolios/{books[0]}/positions?as_of={DAY}",
        {"positions": [{"instrument": "AMD", "quantity": "1"}]},
    )
    again = _send(caller, _row(books[0], "NVDA"))
    assert again.content == first.content
    assert again.headers["Idempotency-Replayed"] == "true"
    assert _held(caller, books[0]) == {"AMD": "1"}


def test_a_thousand_rows_cost_few_queries_each(
    caller: Caller, market: Market, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    books = [caller.post("/v1/portfolios", {"name": f"{at}"}).body["id"] for at in range(20)]
    with operator_scope():
        Instrument.objects.bulk_create(
            Instrument(symbol=f"S{at}", kind="equity") for at in range(50)
        )
    rows = [_row(book, f"S{at}") for book in books for at in range(50)]
    with django_assert_max_num_queries(20 + len(books)):  # one audit row a book
        assert _send(caller, *rows).status == 200


@pytest.mark.django_db(transaction=True)
def test_batches_of_the_same_books_in_any_order_follow_each_other() -> None:
    caller = caller_create("alpha")
    with operator_scope():
        Instrument.objects.create(symbol="NVDA", kind="equity")
    books = [caller.post("/v1/portfolios", {"name": f"{at}"}).body["id"] for at in range(5)]
    statuses: list[int] = []

    def send(at: int) -> None:
        try:
            order = books if at % 2 else books[::-1]
            rows = [_row(book, "NVDA", at + 1) for book in order]
            statuses.append(_send(caller, *rows, key=f"k{at}").status)
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=[at]) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 8
    held = {tuple(_held(caller, book).items()) for book in books}
    assert len(held) == 1, "each batch is in all books or in none"
    with operator_scope():
        assert PositionSet.objects.filter(superseded_at=None).count() == 5
        assert PositionSet.objects.count() == 40
