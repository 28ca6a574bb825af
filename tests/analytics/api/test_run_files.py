"""A run's results as files: every figure a row, with unit of measure, error, sample and status."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from portfolios.models import Portfolio
from portfolios.services.data_version import data_version_bump
from portfolios.tenancy import operator_scope
from tests import market_facts
from tests.callers import Answer, Caller, caller_create

Work = Callable[[], int]


@pytest.fixture
def run(caller: Caller, portfolio: Portfolio, work: Work) -> str:
    """The address of a run with a unit that succeeded and one that could not."""
    with operator_scope():
        flat = dict.fromkeys(market_facts.SESSIONS, 100.0)
        market_facts.add_instrument("FLAT", flat, kind="index")
        data_version_bump(None)
    units: dict[str, Any] = {"main": {"window": 252}, "flat": {"benchmark": "FLAT"}}
    asked = {"portfolio": portfolio.public_id, "units": units}
    accepted = caller.post("/v1/analyses/semiconductor-beta", asked)
    work()
    return accepted.headers["Location"]


def rows_of(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer.content
    return list(pq.read_table(pa.BufferReader(answer.content)).to_pylist())


def test_a_figure_carries_what_the_json_says_of_it(caller: Caller, run: str) -> None:
    body = caller.get(run).body
    result = body["units"]["main"]["result"]
    rows = [r for r in rows_of(caller.get(f"{run}?format=parquet")) if r["unit"] == "main"]
    [beta] = [row for row in rows if row["measure"] == "beta_nav"]
    told = result["beta_nav"]
    assert (beta["value"], beta["se"], beta["n_obs"]) == (told["value"], told["se"], told["n_obs"])
    assert [beta["ci95_low"], beta["ci95_high"]] == told["ci95"]
    assert (beta["first"], beta["last"]) == tuple(
        date.fromisoformat(told[name]) for name in ("first", "last")
    )
    assert beta["unit_of_measure"] == "1"
    assert (beta["run"], beta["method_version"]) == (body["id"], body["method_version"])
    [nav] = [row for row in rows if row["measure"] == "nav"]
    assert nav["value_decimal"] == Decimal(result["nav"]["value"])
    assert nav["unit_of_measure"] == "USD"


def test_parts_are_keyed_by_instrument(caller: Caller, run: str) -> None:
    rows = rows_of(caller.get(f"{run}/units/main?format=parquet"))
    parts = {
        row["instrument"]: row["value"]
        for row in rows
        if row["measure"] == "contributions.contribution"
    }
    told = caller.get(run).body["units"]["main"]["result"]["contributions"]
    assert parts == {part.get("symbol") or part.get("label"): part["contribution"] for part in told}


def test_every_number_of_the_result_is_there(caller: Caller, run: str) -> None:
    def numbers(node: Any) -> list[float]:
        if isinstance(node, dict):
            named = {"horizon_sessions", "se", "ci95", "n_obs"}
            return [x for k, v in node.items() if k not in named for x in numbers(v)]
        if isinstance(node, list):
            return [x for v in node for x in numbers(v)]
        return [node] if isinstance(node, float) else []

    told = sorted(numbers(caller.get(run).body["units"]["main"]["result"]))
    rows = rows_of(caller.get(f"{run}/units/main?format=parquet"))
    found = sorted(row["value"] for row in rows if isinstance(row["value"], float))
    assert told
    assert set(told) <= set(found)


def test_a_unit_without_a_result_is_a_row_with_its_reason(caller: Caller, run: str) -> None:
    answer = caller.get(f"{run}?format=csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))
    [row] = [row for row in rows if row["unit"] == "flat"]
    assert row["status"] == "degenerate"
    assert row["reason"]
    assert row["value"] == ""


def test_outsider_gets_no_file(caller: Caller, run: str) -> None:
    outsider = caller_create("omega")
    assert outsider.get(f"{run}?format=csv").code == "not-found"
    assert outsider.get(f"{run}/units/main?format=csv").code == "not-found"
    assert caller.get(f"{run}/units/none?format=csv").code == "not-found"
    assert caller.get(f"{run}?format=pdf").code == "bad-parameter"
