"""Each refusal has the members that its contract promises, over HTTP, with nothing in its place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from portfolios.models import FxRate, Instrument, LeverageTerms, Portfolio, Price
from portfolios.services.data_version import data_version_bump
from portfolios.tenancy import operator_scope
from tests import market_facts
from tests.callers import Caller
from tests.market_facts import LAST, SESSIONS

Work = Callable[[], int]
Instruments = dict[str, Instrument]
BETA, HEDGE, DRAG = "semiconductor-beta", "hedge-effectiveness", "leveraged-drag"


def refused(caller: Caller, work: Work, kind: str, body: dict[str, Any]) -> tuple[str, Any]:
    """The status and the problem of the one unit of a run that is itself 200."""
    accepted = caller.post(f"/v1/analyses/{kind}", {"as_of": LAST.isoformat(), **body})
    assert accepted.status == 202, accepted.body
    work()
    run = caller.get(accepted.headers["Location"])
    assert (run.status, run.body["status"]) == (200, "failed")
    (unit,) = run.body["units"].values()
    assert unit["result"] is None
    return unit["status"], unit["problem"]


def hold(caller: Caller, instruments: Instruments, *symbols: str, **options: Any) -> Portfolio:
    quantities = dict.fromkeys(symbols, "100")
    return market_facts.make_portfolio(caller.client, instruments, quantities, **options)


def add(instruments: Instruments, symbol: str, closes: dict[date, float], **fields: Any) -> None:
    with operator_scope():
        instruments[symbol] = market_facts.add_instrument(symbol, closes, **fields)
        data_version_bump(None)


@pytest.mark.parametrize(("kind", "required"), [(BETA, 60), (HEDGE, 30), ("tail-risk", 60)])
def test_insufficient_history_counts_what_is_there(
    caller: Caller, instruments: Instruments, work: Work, kind: str, required: int
) -> None:
    closes = {day: 50.0 + at % 5 for at, day in enumerate(SESSIONS[-18:])}
    add(instruments, "IPO", closes, kind="equity")
    book = hold(caller, instruments, "IPO")
    unit = {"hedging": [{"instrument": "SOXS", "quantity": "1"}]} if kind == HEDGE else {}
    body = {"portfolio": book.public_id, "units": {"main": unit}}
    status, problem = refused(caller, work, kind, body)
    assert (status, problem["code"]) == ("insufficient_data", "insufficient-history")
    assert (problem["required_obs"], problem["available_obs"]) == (required, 17)
    assert problem["first_session"] == SESSIONS[-17].isoformat()
    assert len(problem["missing_sessions"]) == 50
    assert SESSIONS[-17].isoformat() not in problem["missing_sessions"]


@pytest.mark.parametrize("kind", [BETA, HEDGE])
def test_zero_variance_names_the_series(
    caller: Caller, instruments: Instruments, work: Work, kind: str
) -> None:
    add(instruments, "FLAT", dict.fromkeys(SESSIONS, 100.0), kind="etf")
    book = hold(caller, instruments, "NVDA")
    unit: dict[str, Any] = {"benchmark": "FLAT"}
    if kind == HEDGE:
        unit = {"hedging": [{"instrument": "FLAT", "quantity": "-1"}]}
    body = {"portfolio": book.public_id, "units": {"main": unit}}
    status, problem = refused(caller, work, kind, body)
    assert (status, problem["code"]) == ("degenerate", "zero-variance")
    assert (problem["n_obs"], problem["std"]) == (252, 0)
    assert problem["series"] == ("FLAT" if kind == BETA else "hedge")
    assert "regressor" not in problem["detail"]


def test_stale_price_names_each_instrument_with_its_age(
    caller: Caller, instruments: Instruments, work: Work
) -> None:
    with operator_scope():
        Price.objects.filter(instrument=instruments["AMD"], session__gt=SESSIONS[-4]).delete()
        data_version_bump(None)
    book = hold(caller, instruments, "NVDA", "AMD")
    status, problem = refused(caller, work, BETA, {"portfolio": book.public_id})
    assert (status, problem["code"]) == ("stale", "stale-price")
    assert problem["instruments"] == [
        {
            "id": instruments["AMD"].public_id, "symbol": "AMD", "age_sessions": 3, "limit": 1,
            "last_session": SESSIONS[-4].isoformat(),
        }
    ]  # fmt: skip


def test_missing_fx_says_what_it_touches(
    caller: Caller, instruments: Instruments, work: Work
) -> None:
    closes = {day: 1000.0 + at % 7 for at, day in enumerate(SESSIONS)}
    add(instruments, "2330", closes, kind="equity", currency="TWD")
    with operator_scope():
        FxRate.objects.create(base="TWD", quote="USD", session=SESSIONS[-9], rate="0.03")
        data_version_bump(None)
    book = hold(caller, instruments, "NVDA", "2330")
    status, problem = refused(caller, work, BETA, {"portfolio": book.public_id})
    assert (status, problem["code"], problem["pair"]) == ("error", "missing-fx", "TWDUSD")
    assert (problem["sessions"], problem["positions_affected"]) == ([LAST.isoformat()], 1)
    assert 0 < float(problem["nav_affected"]) < 1
    assert isinstance(problem["nav_affected"], str)
    assert problem["nav"] is None


@pytest.mark.parametrize("kind", [BETA, DRAG])
def test_gap_of_leverage_terms_names_its_days(
    caller: Caller, instruments: Instruments, work: Work, kind: str
) -> None:
    with operator_scope():
        terms = LeverageTerms.objects.filter(instrument=instruments["SOXS"])
        terms.update(valid_from=date(2025, 7, 1))
    book = hold(caller, instruments, "NVDA", "SOXS")
    unit = {"instrument": "SOXS", "from": SESSIONS[-3].isoformat()} if kind == DRAG else {}
    body = {"portfolio": book.public_id, "units": {"main": unit}}
    status, problem = refused(caller, work, kind, body)
    assert (status, problem["code"]) == ("error", "leverage-terms-gap")
    days = [LAST] if kind == BETA else SESSIONS[-2:]
    assert problem["dates"] == [day.isoformat() for day in days]
    (fund,) = problem["instruments"]
    assert fund == {"id": instruments["SOXS"].public_id, "symbol": "SOXS"}


def test_no_benchmark_is_refused_at_once_with_those_there_may_be(
    caller: Caller, instruments: Instruments
) -> None:
    book = hold(caller, instruments, "NVDA", benchmark=None)
    answer = caller.post(f"/v1/analyses/{BETA}", {"portfolio": book.public_id})
    assert (answer.status, answer.code) == (422, "no-semiconductor-benchmark")
    (error,) = answer.body["errors"]
    assert error["pointer"] == "/units/main/benchmark"
    assert error["suggestion"] == ["SOX", "NYSESEMI"]


def test_a_day_without_trading_is_refused_with_the_session_before(
    caller: Caller, portfolio: Portfolio
) -> None:
    body = {"portfolio": portfolio.public_id, "as_of": "2025-06-29"}
    answer = caller.post(f"/v1/analyses/{BETA}", body)
    assert (answer.status, answer.code) == (422, "not-a-session")
    assert (answer.body["calendar"], answer.body["previous_session"]) == ("XNYS", "2025-06-27")


def test_a_unit_that_is_open_or_canceled_is_refused(caller: Caller, portfolio: Portfolio) -> None:
    accepted = caller.post("/v1/analyses/tail-risk", {"portfolio": portfolio.public_id})
    unit = f"{accepted.headers['Location']}/units/main"
    waiting = caller.get(unit)
    assert (waiting.status, waiting.code) == (409, "run-not-finished")
    assert waiting.headers["Retry-After"] == "1"
    caller.send("DELETE", str(accepted.headers["Location"]))
    assert (caller.get(unit).status, caller.get(unit).code) == (410, "run-canceled")


def test_units_are_named_one_to_two_hundred(caller: Caller, portfolio: Portfolio) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "/units"),
        ({f"u{at}": {} for at in range(201)}, "/units"),
        ({"no spaces": {}}, "/units"),
        ({"x" * 61: {}}, "/units"),
        ({"a": {"window": "long"}}, "/units/a/window"),
    ]
    for units, pointer in cases:
        body = {"portfolio": portfolio.public_id, "units": units}
        answer = caller.post(f"/v1/analyses/{BETA}", body)
        assert (answer.status, answer.code) == (400, "validation-error")
        assert answer.body["errors"][0]["pointer"] == pointer
