"""When a report is due, and that every due report is queued once."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime

import pytest
from django.db import connection
from django_celery_beat.models import PeriodicTask

from analytics.models import Report
from analytics.reporting.schedule import ensure_due, latest_due_session
from portfolios.models import Client
from portfolios.tenancy import client_scope, operator_scope


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NIGHT = utc("2026-11-20 23:00")


def clients(*slugs: str, active: bool = True) -> list[Client]:
    with operator_scope():
        return [Client.objects.create(name=slug, slug=slug, is_active=active) for slug in slugs]


def reports() -> list[tuple[str, str, int]]:
    with operator_scope():
        rows = Report.objects.order_by("client__slug", "business_date")
        return [(r.client.slug, r.business_date.isoformat(), r.revision) for r in rows]


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-20 21:59", "2026-11-19"),  # closed at 21:00 UTC, the grace hour is not over
        ("2026-11-20 22:00", "2026-11-20"),
        ("2026-11-22 12:00", "2026-11-20"),  # Sunday
        ("2026-11-27 19:00", "2026-11-27"),  # half day after Thanksgiving: closed at 18:00 UTC
        ("2026-11-26 23:00", "2026-11-25"),  # Thanksgiving
        ("2026-03-06 21:30", "2026-03-05"),  # winter time: the close is 21:00 UTC
        ("2026-03-09 21:00", "2026-03-09"),  # summer time: the close is 20:00 UTC
        ("2026-11-02 21:00", "2026-10-30"),  # winter time again, since Sunday
    ],
)
def test_session_is_due_an_hour_after_its_own_close(now: str, due: str) -> None:
    assert latest_due_session(utc(now)).isoformat() == due


def test_grace_is_a_setting(settings: pytest.FixtureRequest) -> None:
    settings.NIGHTLY_GRACE_MINUTES = 0  # type: ignore[attr-defined]  # pytest-django's settings
    assert latest_due_session(utc("2026-11-20 21:00")) == date(2026, 11, 20)


@pytest.mark.django_db
def test_every_active_client_gets_one_report_however_often_it_ticks() -> None:
    clients("a", "b")
    clients("gone", active=False)
    assert len(ensure_due(NIGHT)) == 2
    assert ensure_due(NIGHT) == []
    assert reports() == [("a", "2026-11-20", 1), ("b", "2026-11-20", 1)]


@pytest.mark.django_db
def test_missed_sessions_are_not_made_up_for() -> None:
    clients("a")
    ensure_due(utc("2026-11-13 23:00"))
    ensure_due(NIGHT)
    assert reports() == [("a", "2026-11-13", 1), ("a", "2026-11-20", 1)]


@pytest.mark.django_db
def test_a_client_that_comes_later_gets_the_latest_session() -> None:
    clients("a")
    ensure_due(NIGHT)
    clients("late")
    assert len(ensure_due(NIGHT)) == 1
    assert reports()[-1] == ("late", "2026-11-20", 1)


@pytest.mark.django_db
def test_a_client_sees_its_own_reports_alone() -> None:
    a, _ = clients("a", "b")
    ensure_due(NIGHT)
    with client_scope(a.pk):
        assert [report.client_id for report in Report.objects.all()] == [a.pk]


@pytest.mark.django_db(transaction=True)
def test_two_schedulers_at_once_queue_each_report_once() -> None:
    clients(*(f"client-{n}" for n in range(20)))
    start = threading.Barrier(2)
    found: list[int] = []

    def tick() -> None:
        start.wait()
        try:
            found.append(len(ensure_due(NIGHT)))
        finally:
            connection.close()

    threads = [threading.Thread(target=tick) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(found) == len(reports()) == 20


@pytest.mark.django_db
def test_the_scheduler_ticks_every_minute() -> None:
    tick = PeriodicTask.objects.get(task="analytics.tasks.ensure_due_reports")
    assert tick.enabled
    assert (tick.interval.every, tick.interval.period) == (1, "minutes")
