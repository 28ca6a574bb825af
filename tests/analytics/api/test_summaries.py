"""GET /v1/portfolios/{id}/summary."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from portfolios.models import Instrument, Portfolio
from portfolios.tenancy import operator_scope
from tests.callers import Caller, caller_create

DAY = "2026-11-20"


@pytest.fixture
def book(caller: Caller) -> str:
    with operator_scope():
        for symbol, kind in (("NVDA", "equity"), ("SOXS", "etf"), ("ASML", "equity")):
            Instrument.objects.create(
                symbol=symbol, kind=kind, currency="EUR" if symbol == "ASML" else "USD"
            )
    made = caller.post("/v1/portfolios", {"name": "Semis"}).body["id"]
    return f"/v1/portfolios/{made}"


def _hold(caller: Caller, book: str, as_of: str = DAY, **quantities: str) -> None:
    positions = [
        {"instrument": symbol.replace("_", "."), "quantity": quantity}
        for symbol, quantity in quantities.items()
    ]
    answer = caller.put(f"{book}/positions?as_of={as_of}", {"positions": positions})
    assert answer.status == 201, answer.content


def _price(caller: Caller, symbol: str, close: str, session: str = DAY) -> None:
    row = {"instrument": symbol, "session": session, "close": close, "confirm_jump": True}
    assert caller.post("/v1/prices", {"prices": [row]}).status == 200


def _amounts(body: Any) -> dict[str, Any]:
    names = ("gross_exposure", "net_exposure", "net_asset_value")
    return {name: body["held"][name]["value"] for name in names}


def test_sums_are_exact(caller: Caller, book: str) -> None:
    _hold(caller, book, NVDA="10.5", SOXS="-3", CASH_USD="100.25")
    _price(caller, "NVDA", "183.40")
    _price(caller, "SOXS", "7.10", "2026-11-19")
    body = caller.get(f"{book}/summary?as_of={DAY}").body
    assert {name: float(value) for name, value in _amounts(body).items()} == {
        "gross_exposure": 1947.0,
        "net_exposure": 1904.4,
        "net_asset_value": 2004.65,
    }
    assert all("E" not in value for value in _amounts(body).values())
    coverage = body["held"]["coverage"]
    assert (coverage["positions"], coverage["valued"], coverage["missing"]) == (3, 3, [])
    assert (coverage["oldest_session"], coverage["latest_session"]) == ("2026-11-19", DAY)
    assert body["sets"] == {"count": 1, "first": DAY, "last": DAY}
    assert body["last_runs"] == []


def test_without_a_price_there_is_no_sum_and_a_reason(caller: Caller, book: str) -> None:
    _hold(caller, book, NVDA="10", ASML="2")
    _price(caller, "NVDA", "183.40", "2026-09-01")
    _price(caller, "ASML", "900")
    body = caller.get(f"{book}/summary?as_of={DAY}").body
    assert set(_amounts(body).values()) == {None}
    reason = "2 of 2 positions have no value: NVDA, ASML."
    assert body["held"]["gross_exposure"] == {"value": None, "unit": "USD", "reason": reason}
    assert body["held"]["coverage"]["missing"] == [
        {"symbol": "NVDA", "reason": "missing-price"},
        {"symbol": "ASML", "reason": "missing-fx"},
    ]


@pytest.mark.parametrize(("base", "quote", "rate"), [("EUR", "USD", "1.25"), ("USD", "EUR", "0.8")])
def test_foreign_positions_are_converted(
    caller: Caller, book: str, base: str, quote: str, rate: str
) -> None:
    _hold(caller, book, ASML="2", CASH_EUR="4")
    _price(caller, "ASML", "900")
    rates = [{"base": base, "quote": quote, "session": DAY, "rate": rate}]
    assert caller.post("/v1/fx-rates", {"rates": rates}).status == 200
    body = caller.get(f"{book}/summary?as_of={DAY}").body
    assert float(body["held"]["gross_exposure"]["value"]) == 2250
    assert float(body["held"]["net_asset_value"]["value"]) == 2255


def test_shares_are_counted_over_splits_up_to_the_price(caller: Caller, book: str) -> None:
    _hold(caller, book, as_of="2026-11-18", NVDA="10")
    _price(caller, "NVDA", "100", "2026-11-18")
    split = {
        "instrument": "NVDA", "ex_date": "2026-11-19", "kind": "split", "new_shares": 2,
        "old_shares": 1,
    }  # fmt: skip
    assert caller.post("/v1/corporate-actions", {"actions": [split]}).status == 200
    before = caller.get(f"{book}/summary?as_of={DAY}").body
    assert float(before["held"]["gross_exposure"]["value"]) == 1000, "the price is of before"
    _price(caller, "NVDA", "51", "2026-11-19")
    after = caller.get(f"{book}/summary?as_of={DAY}").body
    assert float(after["held"]["gross_exposure"]["value"]) == 1020


def test_both_times_choose_the_state(caller: Caller, book: str) -> None:
    _hold(caller, book, as_of="2026-11-18", NVDA="10")
    _hold(caller, book, NVDA="20")
    _price(caller, "NVDA", "1", "2026-11-18")
    earlier = caller.get(f"{book}/summary?as_of=2026-11-19").body
    assert earlier["held"]["as_of"] == "2026-11-18"
    assert earlier["sets"] == {"count": 1, "first": "2026-11-18", "last": "2026-11-18"}
    assert earlier["resolved_from"]["as_of"] == "2026-11-19"
    then = caller.get(f"{book}/summary?known_at=2020-01-01T00:00:00Z").body
    assert (then["held"], then["sets"]["count"]) == (None, 0)


def test_last_runs_are_for_those_who_may_see_them(
    caller: Caller, portfolio: Portfolio, work: Callable[[], int]
) -> None:
    run = caller.post("/v1/analyses/semiconductor-beta", {"portfolio": portfolio.public_id}).body
    work()
    path = f"/v1/portfolios/{portfolio.public_id}/summary"
    (last,) = caller.get(path).body["last_runs"]
    assert (last["run"], last["status"]) == (run["id"], "succeeded")
    assert caller.with_key(scopes=["portfolios:read"]).get(path).body["last_runs"] is None
    assert caller_create("omega").get(path).code == "not-found"
