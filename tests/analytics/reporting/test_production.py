"""One report: claimed by one, computed in one batch, stored once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import pytest
from django.db import connection

from analytics.models import Report, ReportItem
from analytics.reporting.production import report_produce
from analytics.reporting.record import content_hash
from portfolios import leases
from portfolios.models import AuditEvent, Client, Event, Portfolio
from portfolios.tenancy import operator_scope
from tests.analytics.reporting.example import SHORT, beta_item, drag_item, hedge_item

pytestmark = pytest.mark.django_db

DAY = date(2026, 11, 20)
Measured = Mapping[uuid.UUID, Mapping[str, Mapping[str, Any]]]


class Batch:
    """Answers as the calculations do, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str], date]] = []

    def __call__(
        self, client: Client, portfolios: Sequence[Portfolio], as_of: date, known_at: datetime
    ) -> Measured:
        assert known_at.tzinfo is not None
        assert not connection.in_atomic_block or len(connection.savepoint_ids) <= 1
        self.asked.append((client.slug, [portfolio.name for portfolio in portfolios], as_of))
        answers = {
            "semiconductor-beta": beta_item(),
            "hedge-effectiveness": hedge_item(),
            "leveraged-drag": drag_item(),
        }
        return {
            portfolio.pk: answers if portfolio.name == "Core" else dict.fromkeys(answers, SHORT)
            for portfolio in portfolios
        }


@pytest.fixture
def report() -> Report:
    with operator_scope():
        client = Client.objects.create(name="Fund", slug="fund", is_synthetic=True)
        other = Client.objects.create(name="Other", slug="other")
        for owner, name in ((client, "Core"), (client, "New"), (other, "Foreign")):
            Portfolio.objects.create(client=owner, name=name)
        Portfolio.objects.create(client=client, name="Closed", is_active=False)
        return Report.objects.create(client=client, business_date=DAY)


def stored(report: Report) -> Report:
    with operator_scope():
        return Report.objects.get(pk=report.pk)


def test_all_active_portfolios_are_computed_in_one_batch(report: Report) -> None:
    batch = Batch()
    assert report_produce(report.pk, batch)
    assert batch.asked == [("fund", ["Core", "New"], DAY)]


def test_record_page_pdf_items_audit_and_event_are_stored_together(report: Report) -> None:
    report_produce(report.pk, Batch())
    done = stored(report)
    assert (done.state, done.attempt) == (Report.State.DONE, 1)
    assert done.content_hash == content_hash(done.record or {})
    assert "0.743 ± 0.023" in done.html
    assert bytes(done.pdf or b"").startswith(b"%PDF-")
    with operator_scope():
        items = ReportItem.objects.filter(report=report)
        assert (done.record or {})["totals"]["items"] == items.count() == 6
        assert {json.loads(item.body)["status"] for item in items} == {"ok", "insufficient_data"}
        assert AuditEvent.objects.filter(object_id=report.public_id).count() == 1
        told = Event.objects.get()
        assert (told.type, told.object_id) == ("report.ready", report.public_id)
        assert (told.link, told.status) == (f"/v1/reports/{report.public_id}", "done")


def test_a_done_report_is_not_made_again(report: Report) -> None:
    batch = Batch()
    report_produce(report.pk, batch)
    before = stored(report)
    assert not report_produce(report.pk, batch)
    assert len(batch.asked) == 1
    assert stored(report).finished_at == before.finished_at


def test_a_report_that_someone_holds_is_left_alone(report: Report) -> None:
    with operator_scope():
        assert leases.claim(Report, report.pk) == 1
    assert not report_produce(report.pk, Batch())


def test_who_lost_the_lease_stores_nothing(report: Report) -> None:
    class Slow(Batch):
        def __call__(self, *arguments: Any) -> Measured:
            with operator_scope():  # the lease expires, and somebody else claims
                Report.objects.filter(pk=report.pk).update(token=2)
            return super().__call__(*arguments)

    assert report_produce(report.pk, Slow())
    left = stored(report)
    assert (left.state, left.record, left.html) == (Report.State.RUNNING, None, "")
    with operator_scope():
        assert not ReportItem.objects.filter(report=report).exists()


def test_a_failure_gives_the_report_back_until_its_attempts_are_used(report: Report) -> None:
    def broken(*_: Any) -> Measured:
        raise RuntimeError("no disk")

    for attempt in range(1, Report.max_attempts + 1):
        with pytest.raises(RuntimeError, match="no disk"):
            report_produce(report.pk, broken)
        left = stored(report)
        assert (left.state, left.attempt) == (Report.State.QUEUED, attempt)
        assert not report_produce(report.pk, broken), "not before a pause"
        with operator_scope():
            Report.objects.filter(pk=report.pk).update(not_before=None)
    assert not report_produce(report.pk, broken)
    with operator_scope():
        assert leases.quarantine_exhausted(Report) == [report.pk]


def test_the_next_night_says_what_changed(report: Report) -> None:
    report_produce(report.pk, Batch())
    with operator_scope():
        revised = Report.objects.create(client=report.client, business_date=DAY, revision=2)

    class Moved(Batch):
        def __call__(self, *arguments: Any) -> Measured:
            answers = super().__call__(*arguments)
            for measures in answers.values():
                if measures["semiconductor-beta"]["result"]:
                    measures["semiconductor-beta"]["result"]["beta_nav"]["value"] = 0.9
            return answers

    report_produce(revised.pk, Moved())
    record = stored(revised).record
    assert record is not None
    assert record["previous"]["revision"] == 1
    assert [(c["name"], c["change"], c["after"]) for c in record["changes"]] == [
        ("Core", "beta_nav", 0.9)
    ]
    assert (stored(report).record or {})["changes"] == []
