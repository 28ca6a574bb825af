"""`Prefer: wait`: the answer comes with the end of the run, and what is answered is on disk."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from analytics.calculations.runner import channel_of
from analytics.models import Run
from analytics.services import runs
from analytics.services.runs import run_keep, run_request, run_wait_for_new
from analytics.tasks import KINDS
from portfolios.jobs import WorkLoop
from portfolios.models import Portfolio
from portfolios.tenancy import client_scope
from tests.callers import Answer, Caller

pytestmark = pytest.mark.django_db(transaction=True)

BETA = "/v1/analyses/semiconductor-beta"
Post = Callable[..., tuple[Answer, bool]]


@pytest.fixture
def worker() -> Iterator[WorkLoop]:
    loop = WorkLoop(KINDS, poll_seconds=60)
    loop.start()
    yield loop
    loop.stop(10)


@pytest.fixture
def post(caller: Caller, portfolio: Portfolio) -> Post:
    """Ask for a beta; the answer, and whether it was held back until all was on disk."""

    def send(*, window: int = 60, force: bool = True, **headers: Any) -> tuple[Answer, bool]:
        units = {"main": {"window": window}}
        body = {"portfolio": portfolio.public_id, "force": force, "units": units}
        with CaptureQueriesContext(connection) as captured:
            answer = caller.post(BETA, body, **headers)
        return answer, any("pg_logical_emit_message" in row["sql"] for row in captured)

    return send


def listened_to() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_listening_channels()")
        return [row[0] for row in cursor.fetchall()]


def test_answer_comes_with_the_end_of_the_run(worker: WorkLoop, post: Post) -> None:
    answer, kept = post(Prefer="wait=20")
    assert answer.status == 200
    assert answer.body["units"]["main"]["status"] == "ok"
    assert answer.headers["Preference-Applied"] == "wait=20"
    assert not kept  # the commit of the result has kept what was before it
    assert listened_to() == []


def test_whoever_answers_before_the_end_waits_for_the_disk(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But one whose own commit has done so."""
    answer, kept = post(force=False, Prefer="wait=1")
    assert (answer.status, kept) == (202, True)
    assert listened_to() == []
    again, kept = post(force=False)
    assert (again.status, again.body["deduplicated"], kept) == (202, True, True)
    assert post(force=False, Prefer="wait=1")[1]
    answer, kept = post()
    assert (answer.status, kept) == (202, False)
    for kept in (post(Idempotency_Key="one", Prefer="wait=1")[1], post(Idempotency_Key="one")[1]):
        assert kept
    monkeypatch.setattr(runs, "_waiting", threading.BoundedSemaphore(1))
    runs._waiting.acquire()
    answer, kept = post(Prefer="wait=20")
    assert (answer.status, kept) == (202, True)


def log_is_on_disk(cursor: Any, up_to: str) -> bool:
    cursor.execute("SELECT pg_current_wal_flush_lsn() >= %s::pg_lsn", [up_to])
    return bool(cursor.fetchone()[0])


def made(caller: Caller, portfolio: Portfolio, *windows: int) -> Run:
    """A run whose maker listens for it."""
    with client_scope(caller.client.pk):
        return run_request(
            client=caller.client,
            kind=Run.Kind.SEMICONDUCTOR_BETA,
            portfolio_id=portfolio.public_id,
            units={f"of {window}": {"window": window} for window in windows},
            force=True,
            listen=True,
        ).run


def test_commit_of_a_run_that_is_waited_for_leaves_the_disk_for_later(
    caller: Caller, portfolio: Portfolio
) -> None:
    late = 0
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit TO on")  # the suite's server leaves it out
        try:
            for window in range(60, 70):
                run = made(caller, portfolio, window)
                cursor.execute("SELECT pg_current_wal_insert_lsn()::text")
                (committed,) = cursor.fetchone()
                late += not log_is_on_disk(cursor, committed)
                run_keep()
                assert log_is_on_disk(cursor, committed)
                cursor.execute(f'UNLISTEN "{channel_of(run.pk)}"')
        finally:
            cursor.execute("RESET synchronous_commit")
    # The server writes the log by itself every now and then, which may come between.
    assert late > 0


def test_all_units_are_waited_for(caller: Caller, portfolio: Portfolio, worker: WorkLoop) -> None:
    run = made(caller, portfolio, 60, 61, 62)
    found, units = run_wait_for_new(caller.client, run.pk, 20, n_units=3)
    assert (found.status, len(units)) == (Run.Status.SUCCEEDED, 3)
    assert all(unit.body for unit in units)
    assert listened_to() == []


def test_whoever_was_told_of_something_else_goes_on_waiting(
    caller: Caller, portfolio: Portfolio
) -> None:
    run = made(caller, portfolio, 60)
    tell(run.pk)
    loop = WorkLoop(KINDS, poll_seconds=60)
    later = threading.Timer(0.2, loop.start)
    later.start()
    found, _ = run_wait_for_new(caller.client, run.pk, 20, n_units=1)
    loop.stop(10)
    assert found.status == Run.Status.SUCCEEDED
    assert listened_to() == []


def test_time_is_up_although_something_was_told(caller: Caller, portfolio: Portfolio) -> None:
    run = made(caller, portfolio, 60)
    tell(run.pk)
    found, _ = run_wait_for_new(caller.client, run.pk, 0.3, n_units=1)
    assert found.status == Run.Status.QUEUED
    assert listened_to() == []


def tell(run_id: uuid.UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [channel_of(run_id)])
