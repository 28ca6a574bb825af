"""`manage.py nightly` on a real market: the real calculations, the same rows as the workers."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from analytics.models import Report, ReportItem
from analytics.tasks import REPORT, ensure_due_reports
from portfolios.jobs import drain
from portfolios.models import Client, Portfolio
from portfolios.tenancy import operator_scope
from tests.market_facts import LAST, make_client, make_market, make_portfolio

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    market = make_market()
    client = make_client()
    holdings = {"NVDA": "1000", "AMD": "500", "SOXS": "400", "CASH.USD": "25000"}
    make_portfolio(client, market, holdings, name="Hedged")
    make_portfolio(client, market, {"NVDA": "10", "SOXL": "20"}, name="Bull")
    return client


def nightly(*arguments: str) -> str:
    out = io.StringIO()
    call_command("nightly", *arguments, stdout=out)
    return out.getvalue()


def facts(*arguments: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(nightly("--json", "--date", LAST.isoformat(), *arguments))
    return answer


def reports() -> list[tuple[Any, ...]]:
    with operator_scope():
        rows = Report.objects.order_by("client__slug", "revision")
        return list(rows.values_list("client__slug", "revision", "state", "content_hash"))


def test_report_of_a_date_is_made_with_every_figure(client: Client) -> None:
    [made] = facts()["reports"]
    assert (made["client"], made["revision"], made["state"], made["made"]) == (
        "alpha",
        1,
        "done",
        True,
    )
    assert made["totals"]["by_status"] == {"not_applicable": 1, "ok": 5}
    with operator_scope():
        record = Report.objects.get().record or {}
        assert ReportItem.objects.count() == made["totals"]["items"] == 6
    measures = {entry["name"]: entry["measures"] for entry in record["portfolios"]}
    bull = measures["Bull"]["semiconductor-beta"]["result"]["beta_nav"]
    assert bull["ci95"][0] < bull["value"] < bull["ci95"][1]
    assert (bull["last"], bull["n_obs"]) == (LAST.isoformat(), 252)
    assert measures["Hedged"]["leveraged-drag"]["result"]["funds"][0]["symbol"] == "SOXS"


def test_the_page_shows_the_figures_of_the_record(client: Client) -> None:
    facts()
    with operator_scope():
        report = Report.objects.get()
    [bull, hedged] = (report.record or {})["portfolios"]
    for entry in (bull, hedged):
        beta = entry["measures"]["semiconductor-beta"]["result"]["beta_nav"]
        shown = f"{beta['value']:.3f} ± {beta['se']:.3f}".replace("-", "\u2212")
        assert shown in report.html
    assert "SOXS (\u22123x)" in report.html
    assert bytes(report.pdf or b"")[:5] == b"%PDF-"


def test_the_same_date_again_changes_nothing(client: Client) -> None:
    first = facts()
    before = reports()
    again = facts()
    assert (first["changed"], again["changed"]) == (True, False)
    assert reports() == before
    assert "Nothing to do" in nightly("--date", LAST.isoformat())


def test_revise_makes_the_next_revision_from_what_is_known_now(client: Client) -> None:
    facts()
    with operator_scope():
        Portfolio.objects.filter(name="Bull").update(is_active=False)
    [revised] = facts("--revise")["reports"]
    assert (revised["revision"], revised["totals"]["portfolios"]) == (2, 1)
    with operator_scope():
        first, second = Report.objects.order_by("revision")
        assert [change["change"] for change in (second.record or {})["changes"]] == ["removed"]
        assert len((first.record or {})["portfolios"]) == 2


def test_one_client_alone(client: Client) -> None:
    make_client("beta")
    assert [r["client"] for r in facts("--client", "beta")["reports"]] == ["beta"]
    assert [row[0] for row in reports()] == ["beta"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--date", "2025-06-28"], "not a session"),
        (["--date", "2027-03-01"], "is not over yet"),
        (["--date", "yesterday"], "is not a date"),
        (["--date", "2025-06-27", "--client", "nobody"], "no active client 'nobody'"),
    ],
)
def test_what_cannot_be_reported_is_refused(
    client: Client, arguments: list[str], said: str
) -> None:
    with pytest.raises(CommandError, match=said):
        nightly(*arguments)
    assert reports() == []


def test_a_report_that_failed_for_good_is_said(client: Client) -> None:
    with operator_scope():
        Report.objects.create(client=client, business_date=LAST, attempt=Report.max_attempts)
    with pytest.raises(CommandError, match="1 of 1 reports could not be made"):
        facts()


def test_tick_queues_and_a_worker_makes(client: Client) -> None:
    ensure_due_reports()
    assert [row[:3] for row in reports()] == [("alpha", 1, "queued")]
    assert drain([REPORT]) == 1
    assert [row[:3] for row in reports()] == [("alpha", 1, "done")]


def test_prices_that_are_too_old_are_said_and_not_served(client: Client) -> None:
    ensure_due_reports()
    drain([REPORT])
    with operator_scope():
        report = Report.objects.get()
    for entry in (report.record or {})["portfolios"]:
        beta = entry["measures"]["semiconductor-beta"]
        assert (beta["status"], beta["result"]) == ("stale", None)
        assert beta["problem"]["code"] == "stale-price"
    assert "Stale" in report.html


def test_a_report_interrupted_and_made_again_is_the_same(client: Client) -> None:
    facts()
    [before] = reports()
    with operator_scope():
        Report.objects.update(state="queued", attempt=0, finished_at=None)
        ReportItem.objects.all().delete()
    assert drain([REPORT]) == 1
    assert reports() == [before]
