"""The three analyses over HTTP: accepted, computed, served, refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.test import RequestFactory
from rest_framework.request import Request

from analytics.api.analyses import preferred_wait
from analytics.models import Result, Run, Unit
from portfolios.models import AuditEvent, Instrument, Portfolio
from portfolios.tenancy import operator_scope
from tests import market_facts
from tests.callers import Answer, Caller, caller_create

BETA, HEDGE, DRAG = (
    f"/v1/analyses/{kind}"
    for kind in ("semiconductor-beta", "hedge-effectiveness", "leveraged-drag")
)
Work = Callable[[], int]


def run(caller: Caller, work: Work, path: str, body: dict[str, Any]) -> Any:
    """Post, have the work done, and read the run."""
    accepted = caller.post(path, body)
    assert accepted.status == 202, accepted.body
    work()
    answer = caller.get(accepted.headers["Location"])
    assert answer.status == 200
    assert answer.body["status"] == "succeeded", answer.body
    return answer.body


def main(body: Any) -> Any:
    (unit,) = body["units"].values()
    assert unit["status"] == "ok", unit
    return unit["result"]


def test_accepted_run_says_where_to_look(caller: Caller, portfolio: Portfolio) -> None:
    answer = caller.post(BETA, {"portfolio": portfolio.public_id})
    assert answer.status == 202
    assert answer.headers["Location"] == f"/v1/runs/{answer.body['id']}"
    assert answer.headers["Retry-After"] == "1"
    assert answer.body["status"] == "queued"
    assert answer.body["progress"] == {"done": 0, "total": 1}
    assert answer.body["deduplicated"] is False
    with operator_scope():
        assert Unit.objects.get().state == Unit.State.QUEUED
        assert AuditEvent.objects.filter(action="run.requested").count() == 1


def test_beta_equals_the_slope_of_the_weighted_returns(
    caller: Caller, portfolio: Portfolio, work: Work
) -> None:
    result = main(run(caller, work, BETA, {"portfolio": portfolio.public_id}))
    returns = market_facts.simulated_returns()
    values = {"NVDA": 500.0, "AMD": 300.0, "SOXL": 40.0, "SOXS": 30.0}
    prices = {name: market_facts.closes_of(returns[name])[-1] for name in values}
    worth = {name: quantity * prices[name] for name, quantity in values.items()}
    nav = sum(worth.values()) + 20000.50
    index = returns["SOX"][-252:]
    held = (worth["NVDA"] * returns["NVDA"] + worth["AMD"] * returns["AMD"])[
        -252:
    ] / nav + index * (3 * worth["SOXL"] - 3 * worth["SOXS"]) / nav
    slope = np.cov(held, index)[0, 1] / np.var(index, ddof=1)
    assert result["beta_nav"]["value"] == pytest.approx(slope, rel=1e-9)
    assert result["nav"] == {"value": f"{nav:.2f}", "unit": "USD"}
    assert float(result["usd_per_1pct_index"]["value"]) == pytest.approx(
        slope * nav / 100, abs=0.01
    )
    assert result["beta_nav"]["n_obs"] == 252
    assert result["beta_nav"]["last"] == "2025-06-30"


def test_contributions_sum_to_beta(caller: Caller, portfolio: Portfolio, work: Work) -> None:
    result = main(run(caller, work, BETA, {"portfolio": portfolio.public_id}))
    total = sum(row["contribution"] for row in result["contributions"])
    assert total == pytest.approx(result["beta_nav"]["value"], abs=1e-12)
    by_symbol = {row["symbol"]: row for row in result["contributions"]}
    assert by_symbol["SOXS"]["beta"] == pytest.approx(-3.0)
    assert by_symbol["SOXS"]["multiple"] == -3
    assert by_symbol["CASH.USD"]["contribution"] == 0


def test_same_request_is_the_same_run(caller: Caller, portfolio: Portfolio, work: Work) -> None:
    body = {"portfolio": portfolio.public_id}
    first = run(caller, work, BETA, body)
    again = caller.post(BETA, {**body, "units": {"main": {"benchmark": "SOX"}}})
    assert again.status == 200
    assert again.body["deduplicated"] is True
    assert again.body["id"] == first["id"]
    forced = caller.post(BETA, {**body, "force": True})
    assert forced.status == 202
    assert forced.body["attempt_number"] == 2


def test_forced_run_makes_the_same_hash(caller: Caller, portfolio: Portfolio, work: Work) -> None:
    body = {"portfolio": portfolio.public_id}
    run(caller, work, BETA, body)
    run(caller, work, BETA, {**body, "force": True})
    with operator_scope():
        hashes = set(Result.objects.values_list("content_hash", flat=True))
        assert Result.objects.count() == 2
    assert len(hashes) == 1


def test_unit_is_served_as_stored(caller: Caller, portfolio: Portfolio, work: Work) -> None:
    body = run(caller, work, BETA, {"portfolio": portfolio.public_id})
    answer = caller.get(f"/v1/runs/{body['id']}/units/main")
    assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    with operator_scope():
        stored = Result.objects.get()
    assert answer.content == stored.body.encode()
    assert answer.headers["ETag"] == f'"{stored.content_hash}"'
    assert (
        caller.get(f"/v1/runs/{body['id']}/units/main", If_None_Match=answer.headers["ETag"]).status
        == 304
    )
    assert caller.get(f"/v1/runs/{body['id']}/units/other").code == "not-found"


def test_run_list_filters_by_portfolio(caller: Caller, portfolio: Portfolio, work: Work) -> None:
    body = run(caller, work, BETA, {"portfolio": portfolio.public_id})
    page = caller.get(f"/v1/runs?portfolio={portfolio.public_id}&status=succeeded").body
    assert [row["id"] for row in page["data"]] == [body["id"]]
    assert caller.get("/v1/runs?status=failed").body["data"] == []


def test_outsider_sees_neither_portfolio_nor_run(
    caller: Caller, portfolio: Portfolio, work: Work
) -> None:
    body = run(caller, work, BETA, {"portfolio": portfolio.public_id})
    outsider = caller_create("beta")
    assert outsider.post(BETA, {"portfolio": portfolio.public_id}).code == "not-found"
    for path in ("", "/units/main", "/inputs"):
        assert outsider.get(f"/v1/runs/{body['id']}{path}").code == "not-found"
    assert outsider.get("/v1/runs").body["data"] == []
    assert outsider.send("DELETE", f"/v1/runs/{body['id']}").code == "not-found"


def test_reader_may_not_ask(caller: Caller, portfolio: Portfolio) -> None:
    reader = caller.with_key(scopes=["analyses:read"])
    answer = reader.post(BETA, {"portfolio": portfolio.public_id})
    assert (answer.status, answer.code) == (403, "insufficient-scope")
    with operator_scope():
        assert not Run.objects.exists()


def test_canceled_run_is_over(caller: Caller, portfolio: Portfolio, work: Work) -> None:
    accepted = caller.post(BETA, {"portfolio": portfolio.public_id})
    canceled = caller.send("DELETE", accepted.headers["Location"])
    assert (canceled.status, canceled.body["status"]) == (202, "canceled")
    assert work() == 0
    assert caller.get(f"{accepted.headers['Location']}/units/main").status == 410


def hedge_body(portfolio: Portfolio, **unit: Any) -> dict[str, Any]:
    given = {"hedged_item": {"tag": "semis"}, "hedging": [{"instrument": "SOXS"}], **unit}
    return {"portfolio": portfolio.public_id, "units": {"q3": given}}


def test_hedge_regression_agrees_with_numpy(
    caller: Caller, portfolio: Portfolio, work: Work
) -> None:
    body = hedge_body(portfolio, window=120, hedging=[{"instrument": "SOXS", "quantity": "200"}])
    result = main(run(caller, work, HEDGE, body))
    returns = market_facts.simulated_returns()
    last = {name: market_facts.closes_of(series)[-1] for name, series in returns.items()}
    item = 500 * last["NVDA"] * returns["NVDA"] + 300 * last["AMD"] * returns["AMD"]
    hedge = 200 * last["SOXS"] * returns["SOXS"]
    item, hedge = item[-120:], hedge[-120:]
    slope = np.cov(item, hedge)[0, 1] / np.var(hedge, ddof=1)
    assert result["regression"]["slope"]["value"] == pytest.approx(slope, rel=1e-9)
    assert result["regression"]["r2"] == pytest.approx(np.corrcoef(item, hedge)[0, 1] ** 2)
    offset = result["dollar_offset"]
    constant = offset["constant_exposure"]["cumulative"]
    assert constant == pytest.approx(-hedge.sum() / item.sum())
    closes = {name: market_facts.closes_of(series)[-121:] for name, series in returns.items()}
    change = {name: series[-1] - series[0] for name, series in closes.items()}
    held = -200 * change["SOXS"] / (500 * change["NVDA"] + 300 * change["AMD"])
    assert (offset["basis"], offset["n_obs"]) == ("fixed-quantities", 120)
    assert offset["cumulative"] == pytest.approx(held, rel=1e-9)
    reduction = 1 - np.var(item + hedge) / np.var(item)
    assert result["variance_reduction"]["daily"]["value"] == pytest.approx(reduction, rel=1e-9)
    assert [row["horizon_sessions"] for row in result["horizons"]] == [1, 5, 10, 15, 21, 63]


def test_hedge_of_the_books_own_fund_reports_coverage(
    caller: Caller, portfolio: Portfolio, work: Work
) -> None:
    result = main(run(caller, work, HEDGE, hedge_body(portfolio, inception="2025-05-30")))
    returns = market_facts.simulated_returns()
    last = {name: market_facts.closes_of(series)[-1] for name, series in returns.items()}
    covered = 3 * 30 * last["SOXS"] / (500 * last["NVDA"] + 300 * last["AMD"])
    assert result["coverage_now"]["value"] == pytest.approx(covered)
    (drift,) = result["coverage_drift"]
    path = returns["SOX"][-drift["n_obs"] :]
    assert drift["value"] == pytest.approx(np.prod((1 - 3 * path) / (1 + path)))
    assert result["policy"]["note"] == "economic effectiveness, not an accounting opinion"
    assert result["cost"]["median"]["annual_cost"]["unit"] == "1/year"


def test_drag_parts_sum_to_the_funds_return(
    caller: Caller, instruments: dict[str, Instrument], work: Work
) -> None:
    unit = {"instrument": "SOXS", "from": "2025-05-30", "to": "2025-06-30", "quantity": "100"}
    result = main(run(caller, work, DRAG, {"units": {"soxs": unit}}))
    returns = market_facts.simulated_returns()
    n = result["n_sessions"]
    index, fund = returns["SOX"][-n:], returns["SOXS"][-n:]
    total = np.prod(1 + fund) - 1
    parts = result["decomposition"]
    names = ("simple", "convexity", "variance_cost", "financing", "expense", "residual")
    assert sum(parts[name] for name in names) == pytest.approx(total, abs=1e-12)
    assert parts["simple"] == pytest.approx(-3 * (np.prod(1 + index) - 1))
    assert parts["abs_error"] < 1e-12
    assert result["fund_return"] == pytest.approx(total)
    assert float(result["dollars"]["total"]) == pytest.approx(
        total * float(result["dollars"]["value_at_start"]), abs=0.02
    )
    assert {row["code"] for row in result["warnings"]} == {"no-short-rate", "price-index"}


def test_drag_of_a_portfolio_lists_its_funds(
    caller: Caller, portfolio: Portfolio, work: Work
) -> None:
    result = main(run(caller, work, DRAG, {"portfolio": portfolio.public_id}))
    assert {fund["symbol"] for fund in result["funds"]} == {"SOXL", "SOXS"}
    for fund in result["funds"]:
        assert {name: window["n_sessions"] for name, window in fund["windows"].items()} == {
            "month": 21,
            "quarter": 63,
        }


REFUSALS: list[tuple[str, dict[str, Any], str, str | None]] = [
    (BETA, {"units": {"main": {"benchmark": "SOXZ"}}}, "unknown-instrument",
     "/units/main/benchmark"),
    (BETA, {"units": {"main": {"window": 5}}}, "bad-window", "/units/main/window"),
    (BETA, {"as_of": "2025-06-29"}, "not-a-session", "/as_of"),
    (BETA, {"known_at": "2999-01-01T00:00:00Z"}, "bad-known-at", "/known_at"),
    (HEDGE, {"units": {"q": {"hedging": [{"instrument": "SOXZ"}]}}}, "unknown-instrument",
     "/units/q/hedging/0/instrument"),
    (HEDGE, {"units": {"q": {"hedging": [{"instrument": "SOXS"}], "policy": "p"}}},
     "unknown-policy", "/units/q/policy"),
    (DRAG, {"units": {"d": {"instrument": "NVDA"}}}, "not-a-leveraged-fund",
     "/units/d/instrument"),
    (DRAG, {"units": {"d": {"instrument": "SOXS", "from": "2025-06-28"}}}, "not-a-session",
     "/units/d/from"),
    (DRAG, {"units": {"d": {"instrument": "SOXS", "from": "2025-06-27", "to": "2025-06-26"}}},
     "bad-window", "/units/d/from"),
]  # fmt: skip


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal[2])
def test_nonsense_is_refused_with_its_place(
    caller: Caller, portfolio: Portfolio, refusal: tuple[str, dict[str, Any], str, str | None]
) -> None:
    path, body, code, pointer = refusal
    answer = caller.post(path, {"portfolio": portfolio.public_id, **body})
    assert (answer.status, answer.code) == (422, code)
    assert answer.body["errors"][0]["pointer"] == pointer
    with operator_scope():
        assert not Run.objects.exists()


def test_unknown_instrument_comes_with_suggestions(caller: Caller, portfolio: Portfolio) -> None:
    body = {"portfolio": portfolio.public_id, "units": {"main": {"benchmark": "SOXZ"}}}
    (error,) = caller.post(BETA, body).body["errors"]
    assert "SOX" in error["suggestion"]


def test_portfolio_without_benchmark_is_refused(
    caller: Caller, instruments: dict[str, Instrument]
) -> None:
    bare = market_facts.make_portfolio(
        caller.client, instruments, {"NVDA": "1"}, benchmark=None, name="Bare"
    )
    answer = caller.post(BETA, {"portfolio": bare.public_id})
    assert answer.code == "no-semiconductor-benchmark"
    assert answer.body["errors"][0]["suggestion"] == ["SOX", "NYSESEMI"]


MALFORMED: list[tuple[dict[str, Any], str]] = [
    ({"units": {}}, "/units"),
    ({"units": {f"u{n}": {} for n in range(201)}}, "/units"),
    ({"units": {"main": {"window": "252"}}}, "/units/main/window"),
    ({"units": {"main": {"windows": 252}}}, "/units/main/windows"),
    ({"units": {"a b": {}}}, "/units"),
    ({"force": "yes"}, "/force"),
]


@pytest.mark.parametrize(("body", "pointer"), MALFORMED)
def test_malformed_requests_name_the_field(
    caller: Caller, portfolio: Portfolio, body: dict[str, Any], pointer: str
) -> None:
    answer: Answer = caller.post(BETA, {"portfolio": portfolio.public_id, **body})
    assert answer.status == 400
    assert answer.body["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("wait=5", 5), ("WAIT = 5", 5), ('wait="5"', 5), ("wait=5; why=impatient", 5),
        ("respond-async, wait=5", 5), ("wait=0", 0), ("wait=99999", 20), ("return=minimal", 0),
        ("", 0), (",", 0), ("wait=1, wait=2", 1),
    ],
)  # fmt: skip
def test_preference_is_read_as_its_standard_has_it(given: str, seconds: int) -> None:
    request = Request(RequestFactory().post("/", headers={"Prefer": given}))
    assert preferred_wait(request) == seconds


@pytest.mark.parametrize("given", ["wait", "wait=", "wait=-1", "wait=1.5", "wait=soon", 'wait="1'])
def test_wait_that_is_no_number_is_refused_before_anything_is_done(
    caller: Caller, portfolio: Portfolio, given: str
) -> None:
    answer = caller.post(BETA, {"portfolio": portfolio.public_id}, Prefer=given)
    assert (answer.status, answer.code) == (400, "bad-header")
    with operator_scope():
        assert not Run.objects.exists()
