"""Runs as jobs: claimed once, finished once, given up at last, and found again after a fault."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.models.functions import Now

from analytics.calculations import runner
from analytics.calculations.outputs import Outcome, problem
from analytics.management.commands import relay
from analytics.models import Result, Run, Unit
from analytics.services.runs import run_cancel, run_request, run_wait
from analytics.tasks import KINDS, UNIT
from portfolios import leases
from portfolios.errors import Conflict
from portfolios.jobs import WorkLoop, drain, sweep
from portfolios.models import AuditEvent, Client, Event, Portfolio
from portfolios.tenancy import client_scope, operator_scope
from riskapi.embedded import testing
from tests import market_facts

LOST = Outcome(status="error", problem=problem("no-positions", "lost"))


@pytest.fixture
def client(db: None) -> Client:
    return market_facts.make_client()


@pytest.fixture
def portfolio(client: Client) -> Portfolio:
    return market_facts.make_portfolio(client, market_facts.make_market(), {"NVDA": "100"})


Submit = Callable[..., Run]


@pytest.fixture
def submit(client: Client, portfolio: Portfolio) -> Submit:
    def request(*names: str, **options: Any) -> Run:
        units = {name: {"window": 60 + at} for at, name in enumerate(names or ("main",))}
        with client_scope(client.pk):
            return run_request(
                client=client,
                kind=Run.Kind.SEMICONDUCTOR_BETA,
                portfolio_id=portfolio.public_id,
                units=units,
                **options,
            ).run

    return request


def fresh(run: Run) -> Run:
    with operator_scope():
        return Run.objects.get(pk=run.pk)


def unit_of(run: Run, name: str = "main") -> Unit:
    with operator_scope():
        return Unit.objects.select_related("run", "run__client").get(run=run, name=name)


def expire(unit: Unit) -> None:
    with operator_scope():
        Unit.objects.filter(pk=unit.pk).update(lease_until=Now() - leases.LEASE)


@pytest.mark.django_db
def test_unit_can_be_claimed_once(submit: Submit) -> None:
    unit = unit_of(submit())
    with operator_scope():
        assert leases.claim(Unit, unit.pk) == 1
        assert leases.claim(Unit, unit.pk) is None


@pytest.mark.django_db
def test_worker_that_lost_its_lease_stores_nothing(submit: Submit) -> None:
    unit = unit_of(submit())
    with operator_scope():
        late = leases.claim(Unit, unit.pk)
    assert late is not None
    expire(unit)
    assert drain(KINDS) == 1
    assert not runner.unit_finish(unit, late, LOST)
    with operator_scope():
        assert "lost" not in Result.objects.get(unit=unit).body


@pytest.mark.django_db
def test_heartbeat_holds_only_the_current_token(submit: Submit) -> None:
    unit = unit_of(submit())
    with operator_scope():
        token = leases.claim(Unit, unit.pk)
        assert token is not None
        assert leases.extend(Unit, unit.pk, token)
        assert not leases.extend(Unit, unit.pk, token + 1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("longest", "held"), [(600, True), (0, False)])
def test_lease_is_extended_while_work_goes_on_but_not_for_ever(
    submit: Submit, monkeypatch: pytest.MonkeyPatch, longest: float, held: bool
) -> None:
    monkeypatch.setattr(leases, "LEASE", timedelta(seconds=0.6))
    monkeypatch.setattr(leases, "LONGEST_JOB", timedelta(seconds=longest))
    unit = unit_of(submit())
    with operator_scope():
        token = leases.claim(Unit, unit.pk)
    assert token is not None
    with leases.heartbeat(Unit, unit.pk, token):
        time.sleep(1.5)
        with operator_scope():
            assert (leases.claim(Unit, unit.pk) is None) is held


@pytest.mark.django_db
def test_last_unit_settles_the_run(submit: Submit) -> None:
    run = submit("a", "b")
    assert UNIT.perform(unit_of(run, "a").pk)
    assert fresh(run).status == Run.Status.RUNNING
    assert UNIT.perform(unit_of(run, "b").pk)
    assert fresh(run).status == Run.Status.SUCCEEDED
    with operator_scope():
        told = Event.objects.get()
        assert (told.type, told.object_id, told.status) == (
            "run.finished",
            run.public_id,
            "succeeded",
        )


@pytest.mark.django_db
def test_broken_unit_is_given_up_and_the_rest_served(
    submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = submit("bad", "good")
    real = runner.compute_unit

    def compute(unit: Unit) -> Outcome:
        if unit.name == "bad":
            raise RuntimeError("a bug")
        return real(unit)

    monkeypatch.setattr(runner, "compute_unit", compute)
    monkeypatch.setattr(runner, "_RETRY_DELAY", leases.LEASE * 0)
    drain(KINDS)
    assert unit_of(run, "bad").attempt == Unit.max_attempts
    assert fresh(run).status == Run.Status.RUNNING
    sweep(KINDS)
    assert unit_of(run, "bad").state == Unit.State.QUARANTINED
    assert fresh(run).status == Run.Status.PARTIAL
    with operator_scope():
        assert Event.objects.get().status == "partial"


@pytest.mark.django_db
def test_commit_without_an_answer_is_looked_up(
    submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The result is stored, then the connection breaks before the answer arrives."""
    unit = unit_of(submit())
    with operator_scope():
        token = leases.claim(Unit, unit.pk)
    assert token is not None

    class Broken:
        def __enter__(self) -> None:
            self.scope = client_scope(unit.client_id)
            self.scope.__enter__()

        def __exit__(self, *error: Any) -> None:
            self.scope.__exit__(*error)
            raise OperationalError("server closed the connection")

    monkeypatch.setattr(runner, "client_scope", lambda _: Broken())
    monkeypatch.setattr(connection, "close", lambda: None)
    assert runner.unit_finish(unit, token, LOST)
    assert unit_of(unit.run).state == Unit.State.DONE


@pytest.mark.django_db
def test_run_is_canceled_with_its_open_units(client: Client, submit: Submit) -> None:
    run = submit("a", "b")
    UNIT.perform(unit_of(run, "a").pk)
    with client_scope(client.pk):
        run_cancel(client=client, run=run)
    assert fresh(run).status == Run.Status.CANCELED
    assert unit_of(run, "a").state == Unit.State.DONE
    assert unit_of(run, "b").state == Unit.State.CANCELED
    assert drain(KINDS) == 0


@pytest.mark.django_db
def test_finished_run_cannot_be_canceled(client: Client, submit: Submit) -> None:
    run = submit()
    drain(KINDS)
    with client_scope(client.pk), pytest.raises(Conflict, match="succeeded"):
        run_cancel(client=client, run=run)


@pytest.mark.django_db
def test_refused_request_leaves_nothing(submit: Submit) -> None:
    with pytest.raises(Exception, match="known_at"):
        submit(known_at=market_facts.midnight_after(market_facts.LAST).replace(year=2999))
    with operator_scope():
        assert not Run.objects.exists()
        assert not AuditEvent.objects.filter(action="run.requested").exists()


@pytest.mark.django_db(transaction=True)
def test_second_relay_waits_for_the_first() -> None:
    held = threading.Event()
    done = threading.Event()

    def first() -> None:
        assert relay._try_lock()
        held.set()
        done.wait(10)
        connection.close()

    thread = threading.Thread(target=first)
    thread.start()
    held.wait(10)
    assert not relay._try_lock()
    done.set()
    thread.join()
    # The server ends a closed connection's session, and with it the lock, a moment later.
    deadline = time.monotonic() + 10
    while not relay._try_lock():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    connection.close()


@pytest.fixture
def loop() -> Iterator[WorkLoop]:
    started = WorkLoop(KINDS, poll_seconds=0.1)
    started.start()
    yield started
    started.stop(10)


@pytest.mark.django_db(transaction=True)
def test_loop_survives_the_end_of_its_connection(
    client: Client, submit: Submit, loop: WorkLoop
) -> None:
    """All connections but ours are cut, as by a restart of the database."""
    first = submit()
    assert run_wait(first.pk, client.pk, 10) == Run.Status.SUCCEEDED
    postgres = testing.servers().postgres
    assert postgres is not None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        own = cursor.fetchone()[0]
    postgres.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE usename = 'app' AND pid <> {own}"
    )
    second = submit(force=True)
    assert run_wait(second.pk, client.pk, 20) == Run.Status.SUCCEEDED


@pytest.mark.django_db(transaction=True)
def test_wait_ends_when_time_is_up(client: Client, submit: Submit) -> None:
    run = submit()
    assert run_wait(run.pk, client.pk, 0.1) == Run.Status.QUEUED


@pytest.mark.django_db(transaction=True)
def test_two_equal_requests_at_once_are_one_run(client: Client, submit: Submit) -> None:
    start = threading.Barrier(2)
    made: list[uuid.UUID] = []

    def request() -> None:
        start.wait()
        try:
            made.append(submit().pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=request) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 2
    assert len(set(made)) == 1


@pytest.fixture
def deaf_to_time() -> Iterator[WorkLoop]:
    """A loop that looks by itself only after the test would have given up."""
    started = WorkLoop(KINDS, poll_seconds=60)
    started.start()
    yield started
    started.stop(10)
    assert not started.is_alive(), "the loop did not end when told to"


@pytest.mark.django_db(transaction=True)
def test_workers_are_told_of_work_when_it_is_committed(
    client: Client, submit: Submit, deaf_to_time: WorkLoop
) -> None:
    first = submit()
    assert run_wait(first.pk, client.pk, 10) == Run.Status.SUCCEEDED
    with client_scope(client.pk):
        second = submit(force=True)
        time.sleep(0.3)  # long enough for a loop that was told too early to look and find nothing
    assert run_wait(second.pk, client.pk, 10) == Run.Status.SUCCEEDED


@pytest.mark.django_db(transaction=True)
def test_loop_told_while_at_work_looks_again(
    client: Client, submit: Submit, deaf_to_time: WorkLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = runner.compute_unit
    at_work, go_on = threading.Event(), threading.Event()

    def compute(unit: Unit) -> Outcome:
        at_work.set()
        go_on.wait(10)
        return real(unit)

    monkeypatch.setattr(runner, "compute_unit", compute)
    first = submit()
    assert at_work.wait(10)
    second = submit(force=True)
    go_on.set()
    for run in (first, second):
        assert run_wait(run.pk, client.pk, 10) == Run.Status.SUCCEEDED


@pytest.mark.django_db
def test_rehearsal_computes_the_last_unit_of_each_kind_and_stores_nothing(
    submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, last = submit(), submit(force=True)
    drain(KINDS)
    submit(force=True)  # still queued: no worker has survived it yet
    real, rehearsed = runner.compute_unit, []

    def compute(unit: Unit) -> Outcome:
        rehearsed.append((unit.run_id, unit.run.known_at > last.known_at, real(unit).status))
        return real(unit)

    monkeypatch.setattr(runner, "compute_unit", compute)
    runner.units_rehearse()
    assert rehearsed == [(last.pk, True, "ok")]
    with operator_scope():
        assert Result.objects.filter(unit__run__in=[first, last]).count() == 2
        assert Result.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_loop_works_although_its_warm_up_fails(client: Client, submit: Submit) -> None:
    def broken() -> None:
        raise RuntimeError("a bug")

    loop = WorkLoop([replace(UNIT, warm_up=broken)], poll_seconds=60)
    loop.start()
    run = submit()
    assert run_wait(run.pk, client.pk, 10) == Run.Status.SUCCEEDED
    loop.stop(10)
