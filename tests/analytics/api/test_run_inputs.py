"""What a run went by: every row, as it was known then, whatever has come since."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from analytics.models import RunInput
from portfolios.models import (
    CorporateAction,
    FxRate,
    Instrument,
    OptionQuote,
    OptionTerms,
    Portfolio,
    Price,
    RateObservation,
)
from portfolios.services.data_version import data_version_bump
from portfolios.tenancy import operator_scope
from tests import market_facts
from tests.callers import Caller, caller_create
from tests.market_facts import LAST, SESSIONS
from tests.result_shapes import complaints

BETA = "/v1/analyses/semiconductor-beta"
Work = Callable[[], int]


def done(caller: Caller, work: Work, kind: str, body: dict[str, Any]) -> str:
    """Ask, have the work done, and give the run's address."""
    accepted = caller.post(f"/v1/analyses/{kind}", body)
    assert accepted.status == 202, accepted.body
    work()
    location = str(accepted.headers["Location"])
    assert caller.get(location).body["status"] == "succeeded", caller.get(location).body
    return location


def all_rows(caller: Caller, address: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    following: str | None = f"{address}{'&' if '?' in address else '?'}limit=500"
    while following:
        page = caller.get(following)
        assert page.status == 200, page.body
        assert complaints("RunInputPage", page.body) == []
        rows += page.body["data"]
        following = page.body["next_url"]
    return rows


def by_kind(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    kinds: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        kinds.setdefault(row["kind"], []).append(row)
    return kinds


def test_prices_are_those_of_the_window_and_of_what_is_held(
    caller: Caller, portfolio: Portfolio, work: Work
) -> None:
    run = done(caller, work, "semiconductor-beta", {"portfolio": portfolio.public_id})
    found = by_kind(all_rows(caller, f"{run}/inputs"))
    held = {row["instrument"]["symbol"]: row for row in found["position"]}
    assert held["NVDA"]["quantity"] == "500"
    assert set(held) == {"NVDA", "AMD", "SOXL", "SOXS", "CASH.USD"}
    prices: dict[str, list[str]] = {}
    for row in found["price"]:
        prices.setdefault(row["instrument"]["symbol"], []).append(row["date"])
    window = [day.isoformat() for day in SESSIONS[-253:]]
    # A fund's own price values it; its returns are those of its index.
    assert prices["SOXL"] == prices["SOXS"] == [LAST.isoformat()]
    assert all(prices[symbol] == window for symbol in ("NVDA", "AMD", "SOX", "SPY"))
    (terms,) = [row for row in found["leverage_terms"] if row["instrument"]["symbol"] == "SOXS"]
    assert (terms["multiple"], terms["reference_index"]["symbol"]) == ("-3.000", "SOX")
    with operator_scope():
        on_file = Price.objects.get(instrument__symbol="AMD", session=LAST)
    (last,) = [
        row
        for row in found["price"]
        if (row["instrument"]["symbol"], row["date"]) == ("AMD", LAST.isoformat())
    ]
    assert Decimal(last["close"]) == on_file.close
    assert datetime.fromisoformat(last["recorded_at"]) == on_file.recorded_at
    assert (last["own"], last["source"], last["total_return_index"]) == (False, "", None)


@pytest.mark.django_db(transaction=True)
def test_what_comes_later_is_not_among_the_inputs(
    caller: Caller, portfolio: Portfolio, work: Work
) -> None:
    """A corrected price, a new split and another book leave the inputs of an earlier run alone."""
    body = {"portfolio": portfolio.public_id, "as_of": LAST.isoformat()}
    run = done(caller, work, "semiconductor-beta", body)
    before = all_rows(caller, f"{run}/inputs")
    day = SESSIONS[-2].isoformat()
    price = {"instrument": "NVDA", "session": day, "close": "1", "confirm_jump": True}
    assert caller.post("/v1/prices", {"prices": [price]}).body["new"] == 1
    split = {"instrument": "AMD", "ex_date": day, "kind": "split", "new_shares": 2, "old_shares": 1}
    assert caller.post("/v1/corporate-actions", {"actions": [split]}).body["new"] == 1
    positions = {"positions": [{"instrument": "NVDA", "quantity": "1"}]}
    address = f"/v1/portfolios/{portfolio.public_id}/positions?as_of={LAST}"
    assert caller.put(address, positions).status == 201
    assert all_rows(caller, f"{run}/inputs") == before
    later = all_rows(caller, f"{done(caller, work, 'semiconductor-beta', body)}/inputs")
    corrected = [row for row in later if row["kind"] == "price" and row["own"]]
    assert [(row["date"], row["close"]) for row in corrected] == [(day, "1")]


def test_rates_quotes_fx_and_actions_are_named(
    caller: Caller, instruments: dict[str, Instrument], work: Work
) -> None:
    """A foreign share, a put on a chip maker and a split since the positions were sent."""
    with operator_scope():
        add_foreign_share(instruments)
        add_put(instruments)
        CorporateAction.objects.create(
            instrument=instruments["AMD"], ex_date=LAST, kind="split", new_shares=1, old_shares=1
        )
        data_version_bump(None)
    quantities = {"NVDA": "100", "AMD": "5", "EUR": "3", "PUT": "2", "SOXS": "1"}
    book = market_facts.make_portfolio(
        caller.client, instruments, quantities, as_of=SESSIONS[-2], name="All"
    )
    run = done(caller, work, "semiconductor-beta", {"portfolio": book.public_id})
    found = by_kind(all_rows(caller, f"{run}/inputs"))
    assert set(found) == set(RunInput.Kind.values)
    assert [(row["series"], row["rate"]) for row in found["short_rate"]] == [("DTB3", "0.04")]
    assert [row["date"] for row in found["fx_rate"]] == [d.isoformat() for d in SESSIONS[-253:]]
    (quote,) = found["option_quote"]
    assert (quote["instrument"]["symbol"], quote["bid"], quote["ask"]) == ("PUT", "9", "10")
    (action,) = found["corporate_action"]
    assert (action["series"], action["new_shares"], action["date"]) == ("split", 1, str(LAST))


def add_foreign_share(instruments: dict[str, Instrument]) -> None:
    closes = {day: 50.0 + at % 7 for at, day in enumerate(SESSIONS)}
    instruments["EUR"] = market_facts.add_instrument("EUR", closes, kind="equity", currency="EUR")
    FxRate.objects.bulk_create(
        FxRate(base="EUR", quote="USD", session=day, rate=Decimal("1.1")) for day in SESSIONS
    )


def add_put(instruments: dict[str, Instrument]) -> None:
    put = Instrument.objects.create(symbol="PUT", kind="option")
    OptionTerms.objects.create(
        instrument=put, underlying=instruments["NVDA"], right="put", strike=Decimal(100),
        expiry=date(2025, 9, 19),
    )  # fmt: skip
    OptionQuote.objects.create(
        instrument=put, quoted_at=f"{LAST}T15:00:00Z", bid=9, ask=10, implied_volatility=0.5
    )
    RateObservation.objects.create(series="DTB3", session=LAST, value="0.04")
    RateObservation.objects.create(series="IRX_13W", session=LAST, value="0.05")
    instruments["PUT"] = put


def test_rows_are_told_apart_by_unit_and_kind(
    caller: Caller, portfolio: Portfolio, work: Work
) -> None:
    units = {"short": {"window": 60}, "long": {"window": 120}}
    body = {"portfolio": portfolio.public_id, "units": units}
    run = done(caller, work, "hedge-effectiveness", _hedged(body))
    rows = all_rows(caller, f"{run}/inputs")
    assert [row["unit"] for row in rows] == sorted((r["unit"] for r in rows), reverse=True)
    for name, window in (("short", 60), ("long", 120)):
        prices = all_rows(caller, f"{run}/inputs?unit={name}&kind=price&instrument=NVDA")
        assert [row["date"] for row in prices] == [d.isoformat() for d in SESSIONS[-window - 1 :]]
    assert all_rows(caller, f"{run}/inputs?unit=other") == []
    refused = caller.get(f"{run}/inputs?kind=prices")
    assert (refused.status, refused.code) == (400, "bad-parameter")


def _hedged(body: dict[str, Any]) -> dict[str, Any]:
    hedging = {"hedging": [{"instrument": "SOXS"}]}
    return {**body, "units": {name: {**u, **hedging} for name, u in body["units"].items()}}


@pytest.mark.parametrize(
    ("kind", "units"),
    [
        ("leveraged-drag", {"one": {"instrument": "SOXS", "from": "2025-05-30"}, "all": {}}),
        ("tail-risk", {"main": {}}),
        ("hedge-comparison", {"main": {"underlying": "SOX", "notional": "1000"}}),
    ],
)
def test_every_kind_names_the_prices_it_went_by(
    caller: Caller, portfolio: Portfolio, work: Work, kind: str, units: dict[str, Any]
) -> None:
    run = done(caller, work, kind, {"portfolio": portfolio.public_id, "units": units})
    answers = caller.get(run).body["units"]
    for name in units:
        assert answers[name]["status"] == "ok", answers[name]
        prices = all_rows(caller, f"{run}/inputs?unit={name}&kind=price")
        assert {"SOX"} <= {row["instrument"]["symbol"] for row in prices}
        assert max(row["date"] for row in prices) == LAST.isoformat()
        keys = [(row["instrument"]["symbol"], row["date"]) for row in prices]
        assert len(set(keys)) == len(keys)


def test_outsider_and_key_without_the_scope_are_refused(
    caller: Caller, portfolio: Portfolio, work: Work
) -> None:
    run = done(caller, work, "tail-risk", {"portfolio": portfolio.public_id})
    assert caller_create("omega").get(f"{run}/inputs").code == "not-found"
    reader = caller.with_key(scopes=["portfolios:read"])
    assert reader.get(f"{run}/inputs").code == "insufficient-scope"
    needed = ["analyses:read", "portfolios:read", "prices:read"]
    for missing in needed:
        reader = caller.with_key(scopes=[scope for scope in needed if scope != missing])
        for form in ("json", "csv"):
            answer = reader.get(f"{run}/inputs?format={form}")
            assert (answer.status, answer.body["required_scope"]) == (403, missing)
    assert caller.with_key(scopes=needed).get(f"{run}/inputs").status == 200
    assert RunInput.objects.count() == 0, "nobody's rows are seen outside of a scope"
