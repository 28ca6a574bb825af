"""GET /v1/reports in all its forms, and asking for a new revision."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analytics.models import Report
from analytics.reporting.production import report_produce
from portfolios.models import Portfolio
from portfolios.tenancy import operator_scope
from tests.analytics.reporting.example import beta_item, drag_item, hedge_item
from tests.callers import Caller, caller_create

pytestmark = pytest.mark.django_db
DAY = date(2026, 11, 20)
FORMS = ("html", "pdf", "csv")


def measured(_client: Any, portfolios: Any, *_: Any) -> Any:
    items = {
        "semiconductor-beta": beta_item(),
        "hedge-effectiveness": hedge_item(),
        "leveraged-drag": drag_item(),
    }
    return {portfolio.pk: items for portfolio in portfolios}


@pytest.fixture
def caller() -> Caller:
    return caller_create("alpha")


@pytest.fixture
def outsider() -> Caller:
    return caller_create("omega")


@pytest.fixture
def queued(caller: Caller) -> Report:
    with operator_scope():
        Portfolio.objects.create(client=caller.client, name="Core")
        return Report.objects.create(client=caller.client, business_date=DAY)


@pytest.fixture
def report(queued: Report) -> Report:
    assert report_produce(queued.pk, measured)
    return queued


def test_list_shows_the_reports_of_a_date(caller: Caller, report: Report) -> None:
    [row] = caller.get("/v1/reports?business_date=2026-11-20").body["data"]
    assert (row["id"], row["revision"], row["state"]) == (report.public_id, 1, "done")
    assert caller.get("/v1/reports?business_date=2026-11-19").body["data"] == []


def test_detail_is_the_record(caller: Caller, report: Report) -> None:
    answer = caller.get(f"/v1/reports/{report.public_id}")
    assert answer.status == 200
    record = answer.body["record"]
    assert record["portfolios"][0]["measures"]["semiconductor-beta"]["result"]["nav"] == {
        "value": "12500000.00",
        "unit": "USD",
    }
    assert "immutable" in answer.headers["Cache-Control"]
    again = caller.get(f"/v1/reports/{report.public_id}", If_None_Match=answer.headers["ETag"])
    assert again.status == 304


@pytest.mark.parametrize(
    ("form", "content_type", "begins"),
    [
        ("html", "text/html; charset=utf-8", b"<!doctype html>"),
        ("pdf", "application/pdf", b"%PDF-"),
        ("csv", "text/csv; charset=utf-8", b"business_date,"),
    ],
)
def test_report_comes_as_a_document(
    caller: Caller, report: Report, form: str, content_type: str, begins: bytes
) -> None:
    path = f"/v1/reports/{report.public_id}.{form}"
    answer = caller.get(path, Accept=content_type.partition(";")[0])
    assert (answer.status, answer.headers["Content-Type"]) == (200, content_type)
    assert answer.content.startswith(begins)
    assert f"risk-report-2026-11-20-r1.{form}" in answer.headers["Content-Disposition"]
    assert caller.get(path, If_None_Match=answer.headers["ETag"]).status == 304


def test_numbers_are_there_in_every_form_of_file(caller: Caller, report: Report) -> None:
    path = f"/v1/reports/{report.public_id}"
    tables = {
        "parquet": pq.read_table(pa.BufferReader(caller.get(f"{path}?format=parquet").content)),
        "arrow": pa.ipc.open_stream(caller.get(f"{path}?format=arrow").content).read_all(),
    }
    assert tables["parquet"].to_pylist() == tables["arrow"].to_pylist()
    rows = tables["parquet"].to_pylist()
    [nav] = [row for row in rows if row["measure"] == "nav"]
    assert (nav["value_decimal"], nav["unit_of_measure"]) == (Decimal("12500000.00"), "USD")
    [beta] = [row for row in rows if row["measure"] == "beta_nav"]
    told = beta_item()["result"]["beta_nav"]
    assert (beta["value"], beta["se"]) == (told["value"], told["se"])
    assert {row["business_date"] for row in rows} == {DAY}

    lines = list(csv.DictReader(io.StringIO(caller.get(f"{path}?format=csv").content.decode())))
    assert [line["measure"] for line in lines] == [row["measure"] or "" for row in rows]
    sheet = caller.get(f"{path}?format=xlsx")
    assert sheet.content.startswith(b"PK")
    assert "risk-report-2026-11-20-r1.xlsx" in sheet.headers["Content-Disposition"]
    again = caller.get(f"{path}?format=xlsx", If_None_Match=sheet.headers["ETag"])
    assert again.status == 304


def test_the_address_of_the_csv_is_the_csv(caller: Caller, report: Report) -> None:
    path = f"/v1/reports/{report.public_id}"
    assert caller.get(f"{path}.csv").content == caller.get(f"{path}?format=csv").content


def test_a_name_that_looks_like_a_formula_is_text(caller: Caller, queued: Report) -> None:
    with operator_scope():
        Portfolio.objects.update(name="=cmd|' /C calc'!A0")
    assert report_produce(queued.pk, measured)
    text = caller.get(f"/v1/reports/{queued.public_id}.csv").content.decode()
    names = {line["portfolio_name"] for line in csv.DictReader(io.StringIO(text))}
    assert names == {"'=cmd|' /C calc'!A0"}


@pytest.mark.parametrize("form", ["csv", "parquet", "arrow", "xlsx"])
def test_unfinished_report_has_no_file_yet(caller: Caller, queued: Report, form: str) -> None:
    answer = caller.get(f"/v1/reports/{queued.public_id}?format={form}")
    assert (answer.status, answer.code) == (409, "run-not-finished")


def test_page_may_run_and_fetch_nothing(caller: Caller, report: Report) -> None:
    headers = caller.get(f"/v1/reports/{report.public_id}.html").headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("form", FORMS)
def test_unfinished_report_has_no_document_yet(caller: Caller, queued: Report, form: str) -> None:
    answer = caller.get(f"/v1/reports/{queued.public_id}.{form}")
    assert (answer.status, answer.code) == (409, "run-not-finished")
    assert answer.headers["Retry-After"] == "1"
    assert caller.get(f"/v1/reports/{queued.public_id}").body["record"] is None


@pytest.mark.parametrize("tail", ["", ".html", ".pdf", ".csv"])
def test_outsider_gets_404(outsider: Caller, report: Report, tail: str) -> None:
    answer = outsider.get(f"/v1/reports/{report.public_id}{tail}")
    assert (answer.status, answer.code) == (404, "not-found")
    assert outsider.get("/v1/reports").body["data"] == []


def test_outsider_cannot_ask_again(outsider: Caller, report: Report) -> None:
    assert outsider.post(f"/v1/reports/{report.public_id}/rerun").status == 404
    with operator_scope():
        assert Report.objects.count() == 1


def test_rerun_queues_the_next_revision_and_leaves_the_first(
    caller: Caller, report: Report
) -> None:
    answer = caller.post(f"/v1/reports/{report.public_id}/rerun")
    assert (answer.status, answer.body["revision"], answer.body["state"]) == (202, 2, "queued")
    assert answer.headers["Location"] == f"/v1/reports/{answer.body['id']}"
    assert caller.get(answer.headers["Location"]).body["state"] == "queued"
    assert caller.get(f"/v1/reports/{report.public_id}").body["revision"] == 1


def test_rerun_while_one_waits_is_that_one(caller: Caller, report: Report) -> None:
    path = f"/v1/reports/{report.public_id}/rerun"
    assert caller.post(path).body["id"] == caller.post(path).body["id"]
    with operator_scope():
        assert Report.objects.count() == 2


@pytest.mark.parametrize(
    ("scopes", "method", "tail"),
    [
        (["analyses:read"], "GET", ""),
        (["analyses:read"], "GET", ".pdf"),
        (["reports:read"], "POST", "/rerun"),
    ],
)
def test_scope_is_needed(
    caller: Caller, report: Report, scopes: list[str], method: str, tail: str
) -> None:
    answer = caller.with_key(scopes=scopes).send(method, f"/v1/reports/{report.public_id}{tail}")
    assert (answer.status, answer.code) == (403, "insufficient-scope")


def test_unknown_parameter_is_refused(caller: Caller, report: Report) -> None:
    assert caller.get("/v1/reports?busines_date=2026-11-20").code == "unknown-parameter"
    assert caller.get(f"/v1/reports/{report.public_id}.pdf?x=1").code == "unknown-parameter"


def test_no_number_of_the_record_is_lost_on_the_way(caller: Caller, report: Report) -> None:
    with operator_scope():
        stored = Report.objects.get(pk=report.pk).record
    assert caller.get(f"/v1/reports/{report.public_id}").body["record"] == json.loads(
        json.dumps(stored)
    )
