"""Prices, exchange rates, corporate actions and the calendar."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from portfolios.models import CorporateAction, DataVersion, Instrument, Price
from portfolios.tenancy import client_scope, operator_scope
from tests.callers import Answer, Caller

Market = dict[str, Instrument]
DAYS = ["2026-11-16", "2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20"]


@pytest.fixture
def shared(market: Market) -> Market:
    """NVDA at 100 to 104 on five sessions, split 2 for 1 on the fourth."""
    closes = ["100", "101", "102", "51.5", "52"]
    with operator_scope():
        for index, (day, close) in enumerate(zip(DAYS, closes, strict=True)):
            Price.objects.create(
                instrument=market["NVDA"],
                session=date.fromisoformat(day),
                close=Decimal(close),
                volume=1000,
                total_return_index=100.0 + index,
            )
        CorporateAction.objects.create(
            instrument=market["NVDA"],
            ex_date=date(2026, 11, 19),
            kind="split",
            new_shares=2,
            old_shares=1,
        )
    return market


def _add(caller: Caller, *rows: dict[str, Any]) -> Answer:
    return caller.post("/v1/prices", {"prices": list(rows), "source": "desk"})


def _row(day: str, close: Any, instrument: str = "NVDA", **more: Any) -> dict[str, Any]:
    return {"instrument": instrument, "session": day, "close": close, **more}


def _closes(answer: Answer) -> list[str]:
    return [row["close"] for row in answer.body["data"]]


def test_prices_come_as_traded(caller: Caller, shared: Market) -> None:
    answer = caller.get("/v1/prices?instrument=NVDA")
    assert _closes(answer) == ["100", "101", "102", "51.5", "52"]
    assert answer.body["instrument"]["symbol"] == "NVDA"
    assert answer.body["adjusted"] == "none"
    assert _closes(caller.get("/v1/prices?instrument=NVDA&from=2026-11-18&to=2026-11-19")) == [
        "102",
        "51.5",
    ]


def test_prices_in_todays_shares(caller: Caller, shared: Market) -> None:
    answer = caller.get("/v1/prices?instrument=NVDA&adjusted=split")
    assert [Decimal(c) for c in _closes(answer)] == [50, Decimal("50.5"), 51, Decimal("51.5"), 52]
    assert [Decimal(row["volume"]) for row in answer.body["data"]] == [2000] * 3 + [1000] * 2


def test_total_return_ends_at_the_latest_close(caller: Caller, shared: Market) -> None:
    closes = _closes(caller.get("/v1/prices?instrument=NVDA&adjusted=total_return"))
    assert [float(c) for c in closes] == pytest.approx([52 * (100 + i) / 104 for i in range(5)])


def test_pages_of_prices_follow_one_another(caller: Caller, shared: Market) -> None:
    first = caller.get("/v1/prices?instrument=NVDA&limit=3")
    second = caller.get(first.body["next_url"])
    assert _closes(first) + _closes(second) == ["100", "101", "102", "51.5", "52"]


def test_own_price_stands_in_for_its_client_alone(
    caller: Caller, outsider: Caller, shared: Market
) -> None:
    answer = _add(caller, _row("2026-11-20", "52.25"))
    assert answer.body == {"new": 1, "corrected": 0, "unchanged": 0}
    mine = caller.get("/v1/prices?instrument=NVDA&from=2026-11-19").body["data"]
    assert [(row["close"], row["own"]) for row in mine] == [("51.5", False), ("52.25", True)]
    theirs = caller.get(
        "/v1/prices?instrument=NVDA&from=2026-11-20", Authorization=f"Bearer {outsider.text}"
    )
    assert _closes(theirs) == ["52"]


@pytest.mark.parametrize("sort", ["session", "-session"])
@pytest.mark.parametrize("known_at", ["", "&known_at={now}"])
def test_own_prices_stand_in_on_every_page_either_way(
    caller: Caller, shared: Market, sort: str, known_at: str
) -> None:
    _add(caller, _row(DAYS[0], "100.5"), _row(DAYS[2], "102.5"), _row(DAYS[4], "52.5"))
    now = caller.get("/v1/prices?instrument=NVDA").body["resolved_from"]["known_at"]
    url = f"/v1/prices?instrument=NVDA&limit=2&count=true&sort={sort}" + known_at.format(now=now)
    rows = []
    while url:
        answer = caller.get(url)
        assert answer.body["count"] == len(DAYS)
        rows += [(row["session"], row["close"], row["own"]) for row in answer.body["data"]]
        url = answer.body["next_url"]
    closes = [("100.5", True), ("101", False), ("102.5", True), ("51.5", False), ("52.5", True)]
    expected = [(day, *close) for day, close in zip(DAYS, closes, strict=True)]
    assert rows == (expected if sort == "session" else expected[::-1])


def test_same_prices_again_change_nothing(caller: Caller, shared: Market) -> None:
    _add(caller, _row("2026-11-20", "52.25"))
    again = _add(caller, _row("2026-11-20", 52.250))
    assert again.body == {"new": 0, "corrected": 0, "unchanged": 1}
    with client_scope(caller.client.id):
        assert DataVersion.objects.get(client=caller.client).version == 1


def test_corrected_price_is_known_from_then_on(caller: Caller, shared: Market) -> None:
    _add(caller, _row("2026-11-20", "52.25"))
    before = caller.get("/v1/prices?instrument=NVDA&from=2026-11-20").body["data"][0]
    with client_scope(caller.client.id):
        # One test is one transaction, and the clock of facts stands still in it.
        Price.objects.filter(client=caller.client).update(recorded_at="2026-11-20T21:00:00Z")
    answer = _add(caller, _row("2026-11-20", "52.50"))
    assert answer.body == {"new": 0, "corrected": 1, "unchanged": 0}
    assert _closes(caller.get("/v1/prices?instrument=NVDA&from=2026-11-20")) == ["52.50"]
    then = "/v1/prices?instrument=NVDA&from=2026-11-20&known_at=2026-11-20T22:00:00Z"
    assert _closes(caller.get(then)) == [before["close"]]


def test_jump_without_an_action_is_refused_by_row(caller: Caller, market: Market) -> None:
    rows = [_row(DAYS[0], 100), _row(DAYS[1], 101), _row(DAYS[2], 50.5)]
    answer = _add(caller, *rows)
    assert (answer.status, answer.code) == (422, "implausible-jump")
    assert [entry["pointer"] for entry in answer.body["errors"]] == ["/prices/2/close"]
    with operator_scope():
        assert not Price.objects.exists()
    assert _add(caller, *rows[:2], {**rows[2], "confirm_jump": True}).status == 200


def test_jump_that_an_own_split_explains_is_taken(caller: Caller, market: Market) -> None:
    action = {"instrument": "NVDA", "ex_date": DAYS[2], "kind": "split"}
    made = caller.post(
        "/v1/corporate-actions", {"actions": [{**action, "new_shares": 2, "old_shares": 1}]}
    )
    assert made.status == 200
    assert _add(caller, _row(DAYS[1], 101), _row(DAYS[2], 50.5)).status == 200


def test_jump_against_what_is_on_file_is_seen(caller: Caller, shared: Market) -> None:
    answer = _add(caller, _row("2026-11-20", "520"))
    assert answer.code == "implausible-jump"


@pytest.mark.parametrize(
    ("row", "status", "code"),
    [
        (_row("2026-11-21", 100), 422, "not-a-session"),
        (_row("2027-01-04", 100), 422, "future-date"),
        (_row("1900-01-01", 100), 422, "not-a-session"),
        (_row(DAYS[0], 0), 400, "validation-error"),
        (_row(DAYS[0], -5), 400, "validation-error"),
        (_row(DAYS[0], 100, low=101), 422, "inconsistent-bar"),
        (_row(DAYS[0], 100, high=99), 422, "inconsistent-bar"),
        (_row(DAYS[0], 100, "SOXZ"), 422, "unknown-instrument"),
        (_row("2026-11-31", 100), 400, "validation-error"),
        (_row(DAYS[0], "x"), 400, "validation-error"),
        (_row(DAYS[0], 100, adjusted=1), 400, "unknown-field"),
    ],
)
def test_bad_price_refuses_the_batch(
    caller: Caller, market: Market, row: dict[str, Any], status: int, code: str
) -> None:
    answer = _add(caller, _row(DAYS[1], 100), row)
    assert (answer.status, answer.code) == (status, code)
    assert answer.body["errors"][0]["pointer"].startswith("/prices/1")
    with operator_scope():
        assert not Price.objects.exists()


@pytest.mark.parametrize("word", ["true", "yes", 1, "no"])
def test_jump_is_confirmed_by_a_truth_value_alone(
    caller: Caller, market: Market, word: Any
) -> None:
    refused = _add(caller, _row(DAYS[0], 100, confirm_jump=word))
    assert (refused.status, refused.code) == (400, "validation-error")
    assert refused.body["errors"][0]["pointer"] == "/prices/0/confirm_jump"


def test_contradicting_rows_are_refused(caller: Caller, market: Market) -> None:
    assert _add(caller, _row(DAYS[0], 100), _row(DAYS[0], 101)).code == "conflicting-rows"


def test_reading_needs_an_instrument(caller: Caller, market: Market) -> None:
    nameless = caller.get("/v1/prices")
    assert nameless.code == "bad-parameter"
    assert [culprit["pointer"] for culprit in nameless.body["errors"]] == ["?instrument"]
    assert caller.get("/v1/prices?instrument=SOXZ").code == "unknown-instrument"
    assert caller.get("/v1/prices?instrument=NVDA&adjusted=no").code == "bad-parameter"


def test_rates_are_added_and_read(caller: Caller, outsider: Caller) -> None:
    rates = [{"base": "EUR", "quote": "USD", "session": "2026-11-20", "rate": "1.0875"}]
    assert caller.post("/v1/fx-rates", {"rates": rates}).body["new"] == 1
    data = caller.get("/v1/fx-rates?base=EUR&quote=USD&from=2026-11-01").body["data"]
    assert [(row["rate"], row["own"]) for row in data] == [("1.0875", True)]
    assert outsider.get("/v1/fx-rates").body["data"] == []


def test_rates_that_make_no_sense_are_refused(caller: Caller) -> None:
    good = {"base": "EUR", "quote": "USD", "session": "2026-11-20", "rate": "1.0875"}
    for change, code in [
        ({"rate": "0"}, "validation-error"),
        ({"quote": "EUR"}, "validation-error"),
        ({"session": "2030-01-02"}, "future-date"),
    ]:
        assert caller.post("/v1/fx-rates", {"rates": [{**good, **change}]}).code == code
    assert caller.post("/v1/fx-rates", {"rates": []}).status == 400


def test_action_is_a_split_or_a_distribution(caller: Caller, market: Market) -> None:
    base = {"instrument": "NVDA", "ex_date": "2026-11-19"}
    bad = [
        {**base, "kind": "split", "new_shares": 2},
        {**base, "kind": "split", "new_shares": 2, "old_shares": 1, "amount": 1},
        {**base, "kind": "distribution", "new_shares": 2, "old_shares": 1},
        {**base, "kind": "distribution"},
        {**base, "kind": "split", "new_shares": 0, "old_shares": 1},
        {**base, "kind": "split", "new_shares": "2", "old_shares": 1},
        {**base, "kind": "split", "new_shares": True, "old_shares": 2},
    ]
    for action in bad:
        assert caller.post("/v1/corporate-actions", {"actions": [action]}).status == 400
    paid = {**base, "kind": "distribution", "amount": "0.04"}
    assert caller.post("/v1/corporate-actions", {"actions": [paid]}).body["new"] == 1
    data = caller.get("/v1/corporate-actions?instrument=NVDA").body["data"]
    assert [(row["amount"], row["own"]) for row in data] == [("0.04", True)]


def test_calendar_lists_sessions(caller: Caller) -> None:
    answer = caller.get("/v1/calendars/XNYS?from=2026-11-25&to=2026-11-30")
    assert answer.body["sessions"] == ["2026-11-25", "2026-11-27", "2026-11-30"]
    assert caller.get("/v1/calendars/XLON").code == "not-found"
    endless = caller.get("/v1/calendars/XNYS?from=0001-01-01")
    assert endless.code == "bad-parameter"
    assert [culprit["pointer"] for culprit in endless.body["errors"]] == ["?from", "?to"]


def test_read_only_key_cannot_add(reader: Caller, market: Market) -> None:
    assert _add(reader, _row(DAYS[0], 100)).code == "insufficient-scope"
    assert reader.get("/v1/prices?instrument=NVDA").status == 200
