"""`fields` and `expand` on runs, whose results are stored texts."""

from __future__ import annotations

from collections.abc import Callable

from portfolios.models import Portfolio
from tests.callers import Caller, caller_create

BETA = "/v1/analyses/semiconductor-beta"


def _run(caller: Caller, portfolio: Portfolio, work: Callable[[], int]) -> str:
    accepted = caller.post(BETA, {"portfolio": portfolio.public_id, "units": {"a": {}, "b": {}}})
    work()
    return str(accepted.headers["Location"])


def test_one_figure_of_each_unit(
    caller: Caller, portfolio: Portfolio, work: Callable[[], int]
) -> None:
    path = _run(caller, portfolio, work)
    whole = caller.get(path).body
    part = caller.get(f"{path}?fields=units.*.result.beta_nav.value,status").body
    assert part == {
        "status": "succeeded",
        "units": {
            name: {"result": {"beta_nav": {"value": unit["result"]["beta_nav"]["value"]}}}
            for name, unit in whole["units"].items()
        },
    }
    one = caller.get(f"{path}?fields=units.b.status").body
    assert one == {"units": {"b": {"status": "ok"}}}
    assert list(caller.get(f"{path}?omit=units.a").body["units"]) == ["b"]
    unit = caller.get(f"{path}/units/a?fields=result.nav.value")
    assert unit.body == {
        "result": {"nav": {"value": whole["units"]["a"]["result"]["nav"]["value"]}}
    }
    kept = {name: unit.headers[name] for name in ("ETag", "Cache-Control", "Vary")}
    unchanged = caller.get(f"{path}/units/a?fields=result.nav.value", If_None_Match=kept["ETag"])
    assert unchanged.status == 304
    assert {name: unchanged.headers[name] for name in kept} == kept
    assert caller.get(f"{path}?fields=units.*.problem").status == 200, "declared, and not there"


def test_key_that_no_unit_has_is_refused_with_those_there_are(
    caller: Caller, portfolio: Portfolio, work: Callable[[], int]
) -> None:
    path = _run(caller, portfolio, work)
    answer = caller.get(f"{path}?fields=units.c.status")
    assert (answer.status, answer.code) == (400, "unknown-member")
    assert set(answer.body["errors"][0]["suggestion"]) == {"units.a", "units.b"}
    answer = caller.get(f"{path}/units/a?fields=result.beta_nva")
    assert answer.body["errors"][0]["suggestion"][0] == "result.beta_nav"


def test_run_with_its_portfolio(
    caller: Caller, portfolio: Portfolio, work: Callable[[], int]
) -> None:
    path = _run(caller, portfolio, work)
    shown = caller.get(f"/v1/portfolios/{portfolio.public_id}").body
    assert caller.get(f"{path}?expand=portfolio").body["portfolio"] == shown
    (row,) = caller.get("/v1/runs?expand=portfolio.benchmark&fields=portfolio").body["data"]
    assert row["portfolio"]["benchmark"]["kind"] == "index"
    assert caller.get(path).body["portfolio"] == portfolio.public_id
    reader = caller.with_key(scopes=["analyses:read"])
    assert reader.get(f"{path}?expand=portfolio").code == "insufficient-scope"
    assert caller_create("beta").get(f"{path}?expand=portfolio").code == "not-found"
