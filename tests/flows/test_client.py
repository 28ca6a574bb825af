"""The Python client against a running service."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from riskapi_client import ApiError, Figure, RiskApi, RunNotOver, UnitFailed

from tests.flows.service import Service


@pytest.fixture
def risk(service: Service, sample: dict[str, Any]) -> Iterator[RiskApi]:
    with RiskApi(service.base_url, key=sample["api_key"]) as connection:
        yield connection


@pytest.fixture
def book(risk: RiskApi) -> dict[str, Any]:
    return risk.portfolio("semis")


def test_from_key_to_figure(risk: RiskApi, book: dict[str, Any]) -> None:
    run = risk.analyze("semiconductor-beta", portfolio=book["id"]).wait()

    assert run.status == "succeeded"
    beta = run.figure("beta_nav")
    assert isinstance(beta, Figure)
    assert beta.unit == "1"
    assert beta.se is not None
    assert beta.ci95 is not None
    assert beta.ci95[0] < float(beta) < beta.ci95[1]
    assert beta.n_obs == 252
    nav = run.figure("nav")
    assert isinstance(nav, Figure)
    assert isinstance(nav.value, Decimal)
    assert nav.unit == "USD"


def test_a_path_that_leads_nowhere_says_what_there_is(risk: RiskApi, book: dict[str, Any]) -> None:
    run = risk.analyze("semiconductor-beta", portfolio=book["id"]).wait()

    with pytest.raises(KeyError, match="beta_nav"):
        run.figure("beta")
    with pytest.raises(KeyError, match="is no figure"):
        run.figure("contributions")


def test_the_table_keeps_units_and_errors(risk: RiskApi, book: dict[str, Any]) -> None:
    units = {"short": {"window": 60}, "long": {"window": 252}}
    run = risk.analyze("semiconductor-beta", portfolio=book["id"], units=units).wait()

    table = run.to_pandas()

    rows = table[table.measure == "beta_nav"].set_index("unit")
    assert set(rows.index) == {"short", "long"}
    for name in units:
        figure = run.figure("beta_nav", unit=name)
        assert figure is not None
        assert rows.value[name] == figure.value
        assert rows.se[name] == figure.se
        assert (rows.ci95_low[name], rows.ci95_high[name]) == figure.ci95
    assert set(rows.unit_of_measure) == {"1"}
    assert list(rows.n_obs[["short", "long"]]) == [60, 252]
    assert table["last"].dtype.kind == "M"
    assert table.attrs["run"] == run.id


def test_a_unit_without_figures_says_why(risk: RiskApi, book: dict[str, Any]) -> None:
    young = {"symbol": "YOUNG", "kind": "etf"}
    risk.post("/v1/instruments", young)
    row = {"instrument": "YOUNG", "session": book_day(risk, book), "close": "10"}
    risk.post("/v1/prices", {"prices": [row]})
    run = risk.analyze(
        "semiconductor-beta", portfolio=book["id"], units={"main": {"benchmark": "YOUNG"}}
    ).wait()

    with pytest.raises(UnitFailed) as failed:
        run.figure("beta_nav")
    assert failed.value.status == "insufficient_data"
    assert failed.value.problem["code"] == "insufficient-history"


def book_day(risk: RiskApi, book: dict[str, Any]) -> str:
    return str(risk.get(f"/v1/portfolios/{book['id']}/positions")["as_of"])


def test_pages_are_walked_through(risk: RiskApi, book: dict[str, Any]) -> None:
    day = book_day(risk, book)
    whole = risk.get("/v1/prices", instrument="SYNBEAR", limit=300)["data"]
    walked = list(risk.pages("/v1/prices", instrument="SYNBEAR", limit=97, to=day))

    assert len(walked) > 1_000
    assert walked[:300] == whole
    assert len({row["session"] for row in walked}) == len(walked)


def test_a_refusal_names_field_and_cure(risk: RiskApi) -> None:
    with pytest.raises(ApiError) as refused:
        risk.post("/v1/portfolios", {"name": "x", "benchmrk": "SYNSEMI"})

    assert refused.value.status == 400
    assert refused.value.code == "unknown-field"
    assert refused.value.errors[0]["suggestion"][0] == "benchmark"
    assert "perhaps benchmark" in str(refused.value)
    assert refused.value.request_id in str(refused.value)


def test_a_change_names_its_version(risk: RiskApi) -> None:
    made = risk.post("/v1/portfolios", {"name": "to be renamed"})
    with pytest.raises(ApiError) as stale:
        risk.patch(f"/v1/portfolios/{made['id']}", {"name": "x"}, if_match='"old"')
    assert stale.value.status == 412
    current = stale.value.problem["current_etag"]
    changed = risk.patch(f"/v1/portfolios/{made['id']}", {"name": "renamed"}, if_match=current)
    assert changed["name"] == "renamed"


def test_a_file_is_sent_and_taken(risk: RiskApi, tmp_path: Path) -> None:
    risk.post("/v1/instruments", {"symbol": "FILED", "kind": "etf"})
    file = tmp_path / "FILED.csv"
    file.write_text("date,close\n2026-11-19,10.50\n2026-11-20,10.90\n")
    sent = risk.upload(file, kind="prices", instrument="FILED")
    imported = risk.wait_for_import(sent["id"])
    assert imported["status"] == "done"
    assert imported["rows"]["accepted"] == 2
    lines = risk.download("/v1/prices", instrument="FILED").decode().splitlines()
    assert len(lines) == 3


def test_a_run_that_is_not_over_says_so(risk: RiskApi, book: dict[str, Any]) -> None:
    run = risk.analyze("semiconductor-beta", portfolio=book["id"], wait=0, force=True)
    if run.status in ("queued", "running"):
        with pytest.raises(RunNotOver):
            run.figure("beta_nav")
    assert run.wait().status == "succeeded"


def test_positions_are_set_whole_and_a_change_names_what_was_read(risk: RiskApi) -> None:
    made = risk.post("/v1/portfolios", {"name": "held"})
    day = date(2026, 11, 20)
    held = [{"instrument": "CHIPA", "quantity": Decimal("12.50")}]

    first = risk.set_positions(made["id"], day, held, source="desk")
    again = risk.set_positions(made["id"], day, held, source="desk")
    other = risk.set_positions(made["id"], day, [{"instrument": "CHIPB", "quantity": "1"}])

    assert Decimal(first["positions"][0]["quantity"]) == Decimal("12.5")
    assert (first["source"], first["as_of"]) == ("desk", "2026-11-20")
    assert (again["unchanged"], again["id"]) == (True, first["id"])
    kept = risk.get(f"/v1/portfolios/{made['id']}/positions", as_of=day)
    assert kept["id"] == other["id"] != first["id"]
    assert [row["instrument"]["symbol"] for row in kept["positions"]] == ["CHIPB"]

    body, etag = risk.get_version(f"/v1/portfolios/{made['id']}")
    assert risk.patch(f"/v1/portfolios/{made['id']}", {"name": "x"}, if_match=etag)["name"] == "x"
    assert body["name"] == "held"
