"""From positions to the three analyses and the night's report, over HTTP, on both markets."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.flows.service import Api, Service

KINDS = ("semiconductor-beta", "hedge-effectiveness", "leveraged-drag")


@pytest.fixture(params=["sample", "demo"])
def facts(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The synthetic client always, the one with real prices where there are any."""
    loaded: dict[str, Any] = request.getfixturevalue(request.param)
    return loaded


@pytest.fixture
def caller(service: Service, facts: dict[str, Any]) -> Api:
    return Api(service.base_url, facts["api_key"])


def run(caller: Api, kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """Post an analysis and wait for its end."""
    answer = caller.post(f"/v1/analyses/{kind}", body, Prefer="wait=20")
    assert answer.status == 200, answer.content
    result: dict[str, Any] = answer.json
    assert answer.headers["Location"] == f"/v1/runs/{result['id']}"
    return result


def copy_of_first_book(caller: Api, facts: dict[str, Any]) -> str:
    """Upload the sample's book as a portfolio of its own; its id."""
    known = caller.get(f"/v1/portfolios/{facts['portfolios'][0]['id']}").json
    held = caller.get(f"/v1/portfolios/{known['id']}/positions?as_of={facts['as_of']}").json
    made = caller.post(
        "/v1/portfolios",
        {
            "name": "Uploaded",
            "benchmark": known["benchmark"]["symbol"],
            "market_benchmark": known["market_benchmark"]["symbol"],
        },
    )
    assert made.status == 201, made.content
    positions = [
        {
            "instrument": line["instrument"]["symbol"],
            "quantity": line["quantity"],
            "tags": line["tags"],
        }
        for line in held["positions"]
    ]
    put = caller.put(
        f"/v1/portfolios/{made.json['id']}/positions?as_of={facts['as_of']}",
        {"positions": positions, "source": "flow"},
    )
    assert put.status == 201, put.content
    portfolio: str = made.json["id"]
    return portfolio


def test_uploaded_book_gets_all_three_analyses(caller: Api, facts: dict[str, Any]) -> None:
    portfolio = copy_of_first_book(caller, facts)

    for kind in KINDS:
        body = {**facts["analyses"][kind], "portfolio": portfolio}
        result = run(caller, kind, body)
        assert result["status"] == "succeeded", result
        assert result["kind"] == kind
        assert result["as_of"] == facts["as_of"]
        assert set(result["units"]) == set(body["units"])
        assert {unit["status"] for unit in result["units"].values()} == {"ok"}
        assert caller.get(f"/v1/runs/{result['id']}").json["units"] == result["units"]


def test_the_same_request_again_is_the_same_run(caller: Api, facts: dict[str, Any]) -> None:
    body = facts["analyses"]["semiconductor-beta"]

    first = run(caller, "semiconductor-beta", body)
    second = run(caller, "semiconductor-beta", body)
    forced = run(caller, "semiconductor-beta", {**body, "force": True})

    assert second["id"] == first["id"]
    assert second["deduplicated"] is True
    assert forced["id"] != first["id"]
    assert forced["units"] == first["units"]


def test_every_number_says_what_it_is(caller: Api, facts: dict[str, Any]) -> None:
    result = run(caller, "semiconductor-beta", facts["analyses"]["semiconductor-beta"])
    beta = result["units"]["main"]["result"]["beta_nav"]

    assert beta["unit"] == "1"
    assert beta["ci95"][0] < beta["value"] < beta["ci95"][1]
    assert beta["se"] > 0
    assert beta["n_obs"] == 252
    assert beta["first"] < beta["last"] == facts["as_of"]
    assert result["method_version"]


def test_contributions_add_up_to_the_beta(caller: Api, facts: dict[str, Any]) -> None:
    result = run(caller, "semiconductor-beta", facts["analyses"]["semiconductor-beta"])
    answer = result["units"]["main"]["result"]

    total = math.fsum(line["contribution"] for line in answer["contributions"])
    np.testing.assert_allclose(total, answer["beta_nav"]["value"], rtol=1e-12)


def test_drag_terms_add_up_to_the_funds_return(caller: Api, facts: dict[str, Any]) -> None:
    result = run(caller, "leveraged-drag", facts["analyses"]["leveraged-drag"])

    for unit in result["units"].values():
        terms = unit["result"]["decomposition"]
        total = math.fsum(
            terms[name]
            for name in (
                "simple",
                "convexity",
                "variance_cost",
                "financing",
                "expense",
                "residual",
            )
        )
        assert abs(total - unit["result"]["fund_return"]) < 1e-12
        assert terms["convexity"] >= 0 >= terms["variance_cost"]


def test_synthetic_numbers_say_so_and_real_ones_do_not(caller: Api, facts: dict[str, Any]) -> None:
    result = run(caller, "semiconductor-beta", facts["analyses"]["semiconductor-beta"])
    codes = {note["code"] for note in result["units"]["main"]["result"]["warnings"]}

    assert ("synthetic-data" in codes) is facts["synthetic"]


def test_the_night_makes_one_report_however_often_it_is_asked(
    service: Service, caller: Api, facts: dict[str, Any]
) -> None:
    for _ in range(2):
        service.manage("nightly", "--date", facts["as_of"])

    listed = caller.get(f"/v1/reports?business_date={facts['as_of']}").json["data"]
    assert len(listed) == 1
    report = caller.get(f"/v1/reports/{listed[0]['id']}").json
    pdf = caller.get(f"/v1/reports/{listed[0]['id']}.pdf")
    page = caller.get(f"/v1/reports/{listed[0]['id']}.html")
    assert report["business_date"] == facts["as_of"]
    assert pdf.content.startswith(b"%PDF-")
    assert pdf.headers["Content-Type"] == "application/pdf"
    for portfolio in facts["portfolios"]:
        assert portfolio["name"] in page.content.decode()
    assert ("SYNTHETIC DATA" in page.content.decode()) is facts["synthetic"]
