"""`as_of` and `known_at`: which state of the facts a read is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from portfolios.models import (
    CorporateAction,
    FxRate,
    Instrument,
    LeverageTerms,
    Portfolio,
    PortfolioRevision,
    Price,
)
from portfolios.tenancy import client_scope, operator_scope
from tests.callers import Caller, caller_create

Market = dict[str, Instrument]
DAYS = ("2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20")
THEN = "2026-11-20T22:00:00Z"


def _prices(caller: Caller, *closes: str, days: tuple[str, ...] = DAYS) -> None:
    rows = [{"instrument": "NVDA", "session": d, "close": c} for d, c in zip(days, closes)]  # noqa: B905  # as many as given
    assert caller.post("/v1/prices", {"prices": rows}).status == 200


def _recorded(caller: Caller, model: Any, moment: str) -> None:
    """One test is one transaction, and the clock of facts stands still in it."""
    with client_scope(caller.client.id):
        model.objects.filter(client=caller.client).update(recorded_at=moment)


def _values(caller: Caller, path: str, name: str) -> list[Any]:
    answer = caller.get(path)
    assert answer.status == 200, answer.content
    return [row[name] for row in answer.body["data"]]


def test_prices_end_at_the_date_and_say_so(caller: Caller, market: Market) -> None:
    _prices(caller, "100", "101", "102", "103")
    answer = caller.get("/v1/prices?instrument=NVDA&as_of=2026-11-18").body
    assert [row["close"] for row in answer["data"]] == ["100", "101"]
    resolved = answer["resolved_from"]
    assert resolved["as_of"] == "2026-11-18"
    moment = datetime.fromisoformat(resolved["known_at"])
    assert abs(moment - datetime.now(UTC)) < timedelta(minutes=5)
    again = caller.get(
        f"/v1/prices?instrument=NVDA&as_of=2026-11-18&known_at={resolved['known_at']}"
    )
    assert again.body == answer


def test_prices_stand_in_the_shares_of_the_date(caller: Caller, market: Market) -> None:
    split = {
        "instrument": "NVDA", "ex_date": "2026-11-19", "kind": "split", "new_shares": 2,
        "old_shares": 1,
    }  # fmt: skip
    assert caller.post("/v1/corporate-actions", {"actions": [split]}).status == 200
    _prices(caller, "100", "101", "51", "52")
    path = "/v1/prices?instrument=NVDA&adjusted=split"
    assert _values(caller, path, "close") == ["50", "50.5", "51", "52"]
    assert _values(caller, f"{path}&as_of=2026-11-18", "close") == ["100", "101"]


def test_total_return_is_scaled_to_the_close_of_the_date(caller: Caller, market: Market) -> None:
    with operator_scope():
        for day, close, level in zip(DAYS, (100, 101, 102, 103), (10, 20, 30, 40), strict=True):
            Price.objects.create(
                instrument=market["NVDA"], session=day, close=close, total_return_index=level
            )
    path = "/v1/prices?instrument=NVDA&adjusted=total_return"
    assert _values(caller, f"{path}&as_of=2026-11-18", "close") == ["50.5", "101"]


def test_rates_actions_and_terms_have_both_times(caller: Caller, market: Market) -> None:
    rates = [{"base": "EUR", "quote": "USD", "session": d, "rate": "1.1"} for d in DAYS]
    assert caller.post("/v1/fx-rates", {"rates": rates}).status == 200
    actions = [
        {"instrument": "NVDA", "ex_date": d, "kind": "distribution", "amount": "1"} for d in DAYS
    ]
    assert caller.post("/v1/corporate-actions", {"actions": actions}).status == 200
    assert caller.post("/v1/instruments", {"symbol": "BEAR", "kind": "etf"}).status == 201
    for day in DAYS:
        terms = {
            "valid_from": day, "multiple": "-3", "reference_index": "NYSESEMI",
            "expense_ratio": "0.01",
        }  # fmt: skip
        assert caller.post("/v1/instruments/BEAR/leverage-terms", terms).status == 201
    for path, model, name in (
        ("/v1/fx-rates", FxRate, "session"),
        ("/v1/corporate-actions", CorporateAction, "ex_date"),
        ("/v1/instruments/BEAR/leverage-terms", LeverageTerms, "valid_from"),
    ):
        _recorded(caller, model, THEN)
        assert _values(caller, f"{path}?as_of=2026-11-18", name) == list(DAYS[:2])
        assert _values(caller, f"{path}?known_at={THEN}", name) == list(DAYS)
        before = caller.get(f"{path}?known_at=2026-11-20T21:59:59Z&as_of=2026-11-20").body
        assert before["data"] == []
        assert before["resolved_from"] == {
            "as_of": "2026-11-20",
            "known_at": "2026-11-20T21:59:59Z",
        }


def test_sets_of_a_portfolio_as_they_were_on_file(caller: Caller, market: Market) -> None:
    book = caller.post("/v1/portfolios", {"name": "Semis"}).body["id"]
    made = []
    for quantity in ("1", "2"):
        position = {"instrument": "NVDA", "quantity": quantity}
        path = f"/v1/portfolios/{book}/positions?as_of={DAYS[3]}"
        made.append(caller.put(path, {"positions": [position]}).body)
    path = f"/v1/portfolios/{book}/position-sets"
    assert _values(caller, path, "id") == [made[1]["id"], made[0]["id"]]
    assert _values(caller, f"{path}?known_at={made[0]['recorded_at']}", "id") == [made[0]["id"]]


def _moment(caller: Caller, path: str) -> str:
    """When a list of the path is made: everything so far is known by then."""
    return str(caller.get(path).body["resolved_from"]["known_at"])


def test_portfolio_is_read_as_it_was_on_file(
    caller: Caller, outsider: Caller, market: Market
) -> None:
    before = _moment(caller, "/v1/portfolios")
    made = caller.post("/v1/portfolios", {"name": "Old", "benchmark": "SOXX"}).body
    path = f"/v1/portfolios/{made['id']}"
    then = _moment(caller, "/v1/portfolios")
    changed = caller.patch(path, {"name": "New", "benchmark": "NYSESEMI"}, If_Match="*").body
    known = caller.get(f"{path}?known_at={then}").body
    assert known.pop("resolved_from") == {"as_of": None, "known_at": then}
    assert known == made
    [listed] = caller.get("/v1/portfolios").body["data"]
    assert (
        listed
        == caller.get(f"/v1/portfolios?known_at={_moment(caller, '/v1/portfolios')}").body["data"][
            0
        ]
        == changed
    )
    again = caller.patch(path, {"name": "New"}, If_Match="*").body
    assert again["updated_at"] == changed["updated_at"] > made["updated_at"]
    now = _moment(caller, "/v1/portfolios")
    assert caller.get(f"{path}?known_at={now}").body["name"] == changed["name"] == "New"
    assert caller.get(f"{path}?known_at={before}").code == "not-found"
    assert outsider.get(f"{path}?known_at={then}").code == "not-found"
    assert _values(caller, f"/v1/portfolios?known_at={then}", "name") == ["Old"]
    assert _values(caller, f"/v1/portfolios?known_at={then}&name=New", "name") == []
    assert _values(caller, f"/v1/portfolios?known_at={before}", "name") == []
    assert _values(outsider, f"/v1/portfolios?known_at={now}", "name") == []


def test_change_by_whatever_way_is_kept(caller: Caller, market: Market) -> None:
    made = caller.post("/v1/portfolios", {"name": "Old"}).body
    then = _moment(caller, "/v1/portfolios")
    with operator_scope():
        Portfolio.objects.filter(client=caller.client).update(name="Renamed")
        Portfolio.objects.filter(client=caller.client).update(name="Renamed")
        assert PortfolioRevision.objects.filter(client=caller.client).count() == 2
    assert caller.get(f"/v1/portfolios/{made['id']}?known_at={then}").body["name"] == "Old"


def test_instrument_is_read_as_it_was_on_file(
    caller: Caller, outsider: Caller, market: Market
) -> None:
    caller.post("/v1/instruments", {"symbol": "MYCHIP", "kind": "equity", "name": "Old"})
    path = "/v1/instruments/MYCHIP"
    then = _moment(caller, "/v1/instruments")
    change = {"name": "New", "proxy": "SOXX"}
    assert caller.patch(path, change, If_Match="*").status == 200
    for day in DAYS[:2]:
        terms = {
            "valid_from": day, "multiple": "-3", "reference_index": "NYSESEMI",
            "expense_ratio": "0.01",
        }  # fmt: skip
        assert caller.post(f"{path}/leverage-terms", terms).status == 201
    _recorded(caller, LeverageTerms, "2030-01-01T00:00:00Z")
    known = caller.get(f"{path}?known_at={then}").body
    assert (known["name"], known["proxy"], known["leverage_terms"]) == ("Old", None, [])
    dated = caller.get(f"{path}?as_of={DAYS[0]}").body
    assert (dated["name"], len(dated["leverage_terms"])) == ("New", 1)
    assert _values(caller, f"/v1/instruments?known_at={then}&symbol=MYCHIP", "name") == ["Old"]
    assert outsider.get(f"{path}?known_at={then}").code == "not-found"
    assert _values(outsider, f"/v1/instruments?known_at={then}&symbol=MYCHIP", "name") == []
    assert caller.get(f"{path}?known_at=2020-01-01T00:00:00Z").code == "not-found"


def test_expanded_object_is_the_one_on_file_then(caller: Caller, market: Market) -> None:
    caller.post("/v1/instruments", {"symbol": "MYCHIP", "kind": "equity", "name": "Old chip"})
    made = caller.post("/v1/portfolios", {"name": "Old", "benchmark": "MYCHIP"}).body
    path = f"/v1/portfolios/{made['id']}"
    then = _moment(caller, "/v1/portfolios")
    assert caller.patch(path, {"name": "New"}, If_Match="*").status == 200
    assert caller.patch("/v1/instruments/MYCHIP", {"name": "New chip"}, If_Match="*").status == 200
    for known_at, name in ((f"&known_at={then}", "Old"), ("", "New")):
        policy = caller.get(f"{path}/policy?expand=portfolio.benchmark{known_at}").body
        assert policy["portfolio"]["name"] == name
        assert policy["portfolio"]["benchmark"]["name"] == f"{name} chip"
        (row,) = caller.get(f"/v1/portfolios?expand=benchmark{known_at}").body["data"]
        assert row["benchmark"]["name"] == f"{name} chip"


def test_what_was_not_on_file_then_stays_a_reference(caller: Caller, market: Market) -> None:
    before = _moment(caller, "/v1/portfolios")
    made = caller.post("/v1/portfolios", {"name": "Old"}).body["id"]
    answer = caller.get(f"/v1/portfolios/{made}/policy?expand=portfolio&known_at={before}")
    assert (answer.status, answer.body["portfolio"]) == (200, made)


@pytest.mark.parametrize(
    "path",
    ["prices?instrument=NVDA&", "fx-rates?", "corporate-actions?", "portfolios/{}/positions?"],
)
def test_the_future_is_not_known(caller: Caller, market: Market, path: str) -> None:
    book = caller.post("/v1/portfolios", {"name": "Semis"}).body["id"]
    answer = caller.get(f"/v1/{path.format(book)}known_at=2040-01-01T00:00:00Z")
    assert (answer.status, answer.code) == (422, "bad-known-at")
    assert answer.body["errors"][0]["pointer"] == "?known_at"


@pytest.mark.django_db(transaction=True)
def test_pages_agree_while_facts_are_corrected() -> None:
    caller = caller_create("alpha")
    with operator_scope():
        Instrument.objects.create(symbol="NVDA", kind="equity")
    _prices(caller, "100", "101", "102", "103")
    first = caller.get("/v1/prices?instrument=NVDA&limit=2").body
    _prices(caller, "104", "105", days=DAYS[2:])
    second = caller.get(first["next_url"]).body
    assert [row["close"] for row in second["data"]] == ["102", "103"]
    assert second["resolved_from"] == first["resolved_from"]
    assert _values(caller, "/v1/prices?instrument=NVDA", "close") == ["100", "101", "104", "105"]
