"""Runs and reports in the admin: read-only, with documents for those who may see them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client as Browser

from analytics.models import Report, Result, Run, Unit
from analytics.reporting.production import report_produce
from portfolios.models import Client, Portfolio
from portfolios.tenancy import operator_scope
from tests.analytics.reporting.example import beta_item

pytestmark = pytest.mark.django_db
DAY = date(2026, 11, 20)


@pytest.fixture
def operator() -> Browser:
    browser = Browser()
    browser.force_login(User.objects.create_superuser("operator", password="x"))
    return browser


@pytest.fixture
def client() -> Client:
    with operator_scope():
        made = Client.objects.create(name="Fund", slug="fund")
        Portfolio.objects.create(client=made, name="Core")
    return made


@pytest.fixture
def run(client: Client) -> Run:
    with operator_scope():
        run = Run.objects.create(
            client=client, kind="semiconductor-beta", as_of=DAY, status="succeeded",
            known_at=datetime(2026, 11, 21, tzinfo=UTC),
        )  # fmt: skip
        unit = Unit.objects.create(client=client, run=run, name="main", ordinal=0, params={"w": 1})
        Result.objects.create(
            client=client, unit=unit, status="ok", content_hash="0" * 64,
            body='{"result":{"beta_nav":{"value":0.7427}},"note":"<script>"}',
        )  # fmt: skip
    return run


@pytest.fixture
def report(client: Client) -> Report:
    def measured(_: Any, portfolios: Any, *__: Any) -> Any:
        return {portfolio.pk: {"semiconductor-beta": beta_item()} for portfolio in portfolios}

    with operator_scope():
        made = Report.objects.create(client=client, business_date=DAY)
    assert report_produce(made.pk, measured)
    return made


def test_runs_are_shown_with_units_and_results(operator: Browser, run: Run) -> None:
    assert "semiconductor-beta" in operator.get("/admin/analytics/run/").content.decode()
    page = operator.get(f"/admin/analytics/run/{run.pk}/change/").content.decode()
    assert "0.7427" in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("model", ["run", "report"])
def test_nothing_can_be_added_changed_or_deleted(
    operator: Browser, run: Run, report: Report, model: str
) -> None:
    pk = {"run": run, "report": report}[model].pk
    assert operator.get(f"/admin/analytics/{model}/add/").status_code == 403
    assert (
        operator.post(f"/admin/analytics/{model}/{pk}/change/", {"status": "failed"}).status_code
        == 403
    )
    assert (
        operator.post(f"/admin/analytics/{model}/{pk}/delete/", {"post": "yes"}).status_code == 403
    )
    with operator_scope():
        assert Run.objects.get().status == "succeeded"
        assert Report.objects.count() == 1


def test_report_page_leads_to_its_documents(operator: Browser, report: Report) -> None:
    assert f"{report.pk}/report.pdf" in operator.get("/admin/analytics/report/").content.decode()
    page = operator.get(f"/admin/analytics/report/{report.pk}/change/").content.decode()
    assert "12500000.00" in page
    html = operator.get(f"/admin/analytics/report/{report.pk}/report.html")
    assert "Nightly risk report" in html.content.decode()
    assert html.headers["Content-Security-Policy"].startswith("default-src 'none'")
    pdf = operator.get(f"/admin/analytics/report/{report.pk}/report.pdf")
    assert (pdf.headers["Content-Type"], pdf.content[:5]) == ("application/pdf", b"%PDF-")


def test_documents_need_the_right_to_view_reports(report: Report) -> None:
    user = User.objects.create_user("helper", password="x", is_staff=True)
    browser = Browser()
    path = f"/admin/analytics/report/{report.pk}/report.html"
    assert browser.get(path).status_code == 302
    browser.force_login(user)
    assert browser.get(path).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_report"))
    assert browser.get(path).status_code == 200


def test_report_is_made_again_as_a_new_revision(operator: Browser, report: Report) -> None:
    data = {"action": "rerun", "_selected_action": [str(report.pk)]}
    assert operator.post("/admin/analytics/report/", data).status_code == 302
    with operator_scope():
        assert list(Report.objects.order_by("revision").values_list("revision", "state")) == [
            (1, "done"),
            (2, "queued"),
        ]


def test_rerun_needs_more_than_the_right_to_look(report: Report) -> None:
    user = User.objects.create_user("helper", password="x", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_report"))
    browser = Browser()
    browser.force_login(user)
    browser.post(
        "/admin/analytics/report/", {"action": "rerun", "_selected_action": [str(report.pk)]}
    )
    with operator_scope():
        assert Report.objects.count() == 1
