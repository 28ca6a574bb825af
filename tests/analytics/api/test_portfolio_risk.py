"""The latest stored figures of a portfolio: with their age, and never computed for the asking."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from analytics.models import Report, ReportItem, Run
from analytics.selectors.risk import METRICS
from portfolios.identifiers import public_id
from portfolios.models import Policy, Portfolio
from portfolios.tenancy import client_scope, operator_scope
from tests.callers import Caller, caller_create
from tests.market_facts import LAST, SESSIONS
from tests.result_shapes import complaints

Work = Callable[[], int]


def risk(caller: Caller, portfolio: Portfolio, query: str = "") -> dict[str, Any]:
    answer = caller.get(f"/v1/portfolios/{portfolio.public_id}/risk?as_of={LAST}{query}")
    assert answer.status == 200, answer.body
    assert complaints("PortfolioRisk", answer.body) == []
    found: dict[str, Any] = answer.body
    return found


def by_metric(body: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in body["metrics"]:
        rows.setdefault(row["metric"], []).append(row)
    return rows


def run(caller: Caller, work: Work, kind: str, body: dict[str, Any]) -> dict[str, Any]:
    accepted = caller.post(f"/v1/analyses/{kind}", body)
    assert accepted.status == 202, accepted.body
    work()
    found: dict[str, Any] = caller.get(accepted.headers["Location"]).body
    return found


def test_nothing_stored_is_null_with_the_way_to_make_it(
    caller: Caller, portfolio: Portfolio
) -> None:
    rows = by_metric(risk(caller, portfolio))
    assert set(rows) == set(METRICS)
    (beta,) = rows["beta_nav"]
    assert (beta["value"], beta["status"], beta["stale"]) == (None, "not_stored", True)
    assert "POST /v1/analyses/semiconductor-beta" in beta["reason"]
    assert caller.post(beta["make"]["path"], beta["make"]["body"]).status == 202
    with operator_scope():
        assert Run.objects.count() == 1, "only what was asked for by POST is computed"


def test_figures_are_those_of_the_latest_run(
    caller: Caller, portfolio: Portfolio, work: Work
) -> None:
    body = {"portfolio": portfolio.public_id}
    for as_of in (SESSIONS[-3], SESSIONS[-5]):
        with client_scope(caller.client.pk):
            portfolio.position_sets.update(as_of=SESSIONS[-9])
        made = run(caller, work, "semiconductor-beta", {**body, "as_of": as_of.isoformat()})
        if as_of == SESSIONS[-3]:
            latest = made
    tail = run(caller, work, "tail-risk", {**body, "as_of": LAST.isoformat()})
    rows = by_metric(risk(caller, portfolio))
    (beta,) = rows["beta_nav"]
    stored = latest["units"]["main"]["result"]["beta_nav"]
    for name in ("value", "unit", "se", "ci95", "n_obs", "first", "last"):
        assert beta[name] == stored[name], name
    assert beta["source"] == {"run": latest["id"], "unit": "main", "report": None}
    assert beta["method_version"] == latest["method_version"]
    assert (beta["as_of"], beta["age_sessions"], beta["stale"]) == (str(SESSIONS[-3]), 2, True)
    assert beta["age_seconds"] >= 0
    levels = {row["confidence_level"]: row["value"] for row in rows["value_at_risk"]}
    expected = tail["units"]["main"]["result"]["levels"]
    assert levels == {
        row["confidence_level"]: row["historical"]["value_at_risk"]["value"] for row in expected
    }
    assert {(row["age_sessions"], row["stale"]) for row in rows["value_at_risk"]} == {(0, False)}


def test_figures_of_a_hedge_and_of_every_fund(
    caller: Caller, portfolio: Portfolio, work: Work
) -> None:
    body = {"portfolio": portfolio.public_id, "as_of": LAST.isoformat()}
    hedged = {**body, "units": {"main": {"hedging": [{"instrument": "SOXS"}]}}}
    hedge = run(caller, work, "hedge-effectiveness", hedged)["units"]["main"]["result"]
    drag = run(caller, work, "leveraged-drag", body)["units"]["main"]["result"]
    rows = by_metric(risk(caller, portfolio, "&metrics=hedge_coverage,variance_cost"))
    assert set(rows) == {"hedge_coverage", "variance_cost"}
    assert rows["hedge_coverage"][0]["value"] == hedge["coverage_now"]["value"]
    costs = {(row["symbol"], row["period"]): row["value"] for row in rows["variance_cost"]}
    assert costs == {
        (fund["symbol"], name): window["decomposition"]["variance_cost"]
        for fund in drag["funds"]
        for name, window in fund["windows"].items()
    }
    assert len(costs) == 4


def test_a_newer_night_report_stands_before_an_older_run(
    caller: Caller, portfolio: Portfolio, work: Work
) -> None:
    with client_scope(caller.client.pk):
        portfolio.position_sets.update(as_of=SESSIONS[-9])
    body = {"portfolio": portfolio.public_id, "as_of": SESSIONS[-2].isoformat()}
    made = run(caller, work, "semiconductor-beta", body)["units"]["main"]
    made["result"]["beta_nav"]["value"] = 9.5
    with client_scope(caller.client.pk):
        report = Report.objects.create(
            client=caller.client, business_date=LAST, state="done", known_at=datetime.now(UTC)
        )
        ReportItem.objects.create(
            client=caller.client, report=report, portfolio=portfolio, status="ok",
            measure="semiconductor-beta",
            body=json.dumps({**made, "method_version": "semi-beta/9"}),
        )  # fmt: skip
    (beta,) = by_metric(risk(caller, portfolio, "&metrics=beta_nav"))["beta_nav"]
    assert (beta["value"], beta["method_version"]) == (9.5, "semi-beta/9")
    assert beta["source"] == {"run": None, "unit": None, "report": public_id("rep", report.pk)}
    earlier = caller.get(
        f"/v1/portfolios/{portfolio.public_id}/risk?as_of={SESSIONS[-2]}&metrics=beta_nav"
    )
    assert earlier.body["metrics"][0]["source"]["run"] is not None


def test_what_was_not_known_yet_is_not_told(
    caller: Caller, portfolio: Portfolio, work: Work
) -> None:
    run(caller, work, "tail-risk", {"portfolio": portfolio.public_id})
    rows = by_metric(risk(caller, portfolio, "&known_at=2020-01-01T00:00:00Z&metrics=drawdown"))
    assert rows["drawdown"][0]["status"] == "not_stored"


def test_unknown_metric_outsider_and_scope_are_refused(
    caller: Caller, portfolio: Portfolio
) -> None:
    path = f"/v1/portfolios/{portfolio.public_id}/risk"
    refused = caller.get(f"{path}?metrics=beta,nav")
    assert (refused.status, refused.code) == (400, "bad-parameter")
    assert "beta_nav" in refused.body["errors"][0]["message"]
    assert caller_create("omega").get(path).code == "not-found"
    assert caller.with_key(scopes=["portfolios:read"]).get(path).code == "insufficient-scope"


def test_the_policy_says_from_when_on_a_figure_is_stale(
    caller: Caller, portfolio: Portfolio, work: Work
) -> None:
    with client_scope(caller.client.pk):
        portfolio.position_sets.update(as_of=SESSIONS[-9])
    body = {"portfolio": portfolio.public_id, "as_of": SESSIONS[-4].isoformat()}
    run(caller, work, "tail-risk", body)
    assert risk(caller, portfolio, "&metrics=drawdown")["metrics"][0]["stale"] is True
    with client_scope(caller.client.pk):
        portfolio.policy = Policy.objects.create(
            client=caller.client, portfolio=portfolio, version=1, state="approved",
            settings={"max_price_age_sessions": 5}, created_by="key:1",
            created_by_holder="one", decided_by="key:2", decided_by_holder="two",
            decided_at=datetime.now(UTC),
        )  # fmt: skip
        portfolio.save()
    found = risk(caller, portfolio, "&metrics=drawdown")
    assert (found["stale_after_sessions"], found["metrics"][0]["stale"]) == (5, False)


def test_the_figures_are_there_as_a_file(caller: Caller, portfolio: Portfolio, work: Work) -> None:
    made = run(caller, work, "semiconductor-beta", {"portfolio": portfolio.public_id})
    address = f"/v1/portfolios/{portfolio.public_id}/risk?as_of={LAST}"
    answer = caller.get(f"{address}&format=parquet")
    rows = pq.read_table(pa.BufferReader(answer.content)).to_pylist()

    told = caller.get(address).body["metrics"]
    assert [row["measure"] for row in rows] == [metric["metric"] for metric in told]
    by_name = {row["measure"]: row for row in rows}
    result = made["units"]["main"]["result"]
    assert by_name["beta_nav"]["value"] == result["beta_nav"]["value"]
    assert [by_name["beta_nav"][f"ci95_{end}"] for end in ("low", "high")] == (
        result["beta_nav"]["ci95"]
    )
    assert by_name["nav"]["value_decimal"] == Decimal(result["nav"]["value"])
    assert by_name["nav"]["source_run"] == made["id"]
    missing = by_name["hedge_coverage"]
    assert (missing["value"], missing["status"]) == (None, "not_stored")
    assert missing["reason"]
