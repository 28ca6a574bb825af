"""Webhooks through real processes: nothing is lost to kills, nobody waits for a slow receiver."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection
from pytest_django import Settings
from standardwebhooks.webhooks import Webhook

from analytics.models import Run
from analytics.services.runs import run_request, run_wait
from portfolios import leases
from portfolios.models import Client, Delivery, Event, Portfolio, WebhookEndpoint
from portfolios.services.webhooks import webhook_endpoint_create
from portfolios.tenancy import client_scope, operator_scope
from tests import market_facts
from tests.flows.workers import DELIVER, RELAY, WORKER, Process, running
from tests.receiver import Received, Receiver, Reply
from tests.sizes import sized

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

KILLS, RUNS_PER_KILL = sized(8, 100), 5


@pytest.fixture
def client(transactional_db: None) -> Client:
    return market_facts.make_client()


@pytest.fixture
def portfolio(client: Client) -> Portfolio:
    quantities = {"NVDA": "500", "SOXS": "100", "CASH.USD": "20000"}
    return market_facts.make_portfolio(client, market_facts.make_market(), quantities)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with Receiver(tmp_path) as made:
        yield made


@pytest.fixture
def environment(receiver: Receiver, settings: Settings) -> dict[str, str]:
    """Of processes that may call the receiver and trust it."""
    settings.WEBHOOK_PRIVATE_TARGETS = [receiver.target]
    return {
        "RISK_WEBHOOK_PRIVATE_TARGETS": receiver.target,
        "SSL_CERT_FILE": str(receiver.ca_file),
        "RISK_LEASE_SECONDS": "2",
    }


def endpoint_of(client: Client, url: str) -> tuple[WebhookEndpoint, str]:
    with client_scope(client.pk):
        return webhook_endpoint_create(client=client, url=url, actor="test")


def submit(client: Client, portfolio: Portfolio, number: int = 0) -> Run:
    with client_scope(client.pk):
        return run_request(
            client=client,
            kind=Run.Kind.SEMICONDUCTOR_BETA,
            portfolio_id=portfolio.public_id,
            units={"main": {"window": 60 + number % 100}},
            force=True,
        ).run


def wait_until(holds: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.02)
    return False


def states() -> list[str]:
    with operator_scope():
        return list(Delivery.objects.values_list("state", flat=True))


def is_sending() -> bool:
    with operator_scope():
        return leases.held(Delivery).exists()


def test_random_kills_lose_no_event(
    client: Client,
    portfolio: Portfolio,
    receiver: Receiver,
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    _, secret = endpoint_of(client, receiver.url)
    chance = random.Random(20)  # noqa: S311  # a test's choices, to be repeated
    log = tmp_path / "processes.log"

    def unhurried(_: Received) -> Reply:
        time.sleep(0.2)  # so that a kill finds some of them between the answer and its record
        return Reply()

    receiver.answer = unhurried
    with running(RELAY, log, **environment), running(WORKER, log, **environment) as worker:
        deliverers = [Process(DELIVER, log, environment) for _ in range(2)]
        try:
            for number in range(KILLS):
                for at in range(RUNS_PER_KILL):
                    submit(client, portfolio, number * RUNS_PER_KILL + at)
                wait_until(is_sending, 20)
                time.sleep(chance.random() * 0.2)
                if number % 4 == 3 and worker.children():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(chance.choice(worker.children()), signal.SIGKILL)
                    continue
                for at in chance.choice([(0,), (1,), (0, 1)]):
                    deliverers[at].kill()
                    deliverers[at] = Process(DELIVER, log, environment)
            accepted = KILLS * RUNS_PER_KILL
            over = wait_until(lambda: states().count("done") == accepted, 60 + KILLS)
        finally:
            for deliverer in deliverers:
                deliverer.kill()
    assert over, (states(), log.read_text()[-4000:])
    with operator_scope():
        runs = {run.public_id for run in Run.objects.all()}
        events = {event.public_id: event for event in Event.objects.all()}
        logs = list(Delivery.objects.values_list("log", flat=True))
    assert {event.object_id for event in events.values()} == runs
    assert len(events) == len(runs) == accepted
    bodies = defaultdict(set)
    for got in receiver.received:
        said = Webhook(secret).verify(got.body, got.headers)
        assert said["id"] == got.headers["webhook-id"]
        bodies[said["id"]].add(got.body)
    assert set(bodies) == set(events), "each event was received"
    assert {len(of_one) for of_one in bodies.values()} == {1}, "and was the same each time"
    interrupted = sum(entry["status"] is None for log in logs for entry in log)
    assert interrupted, "no kill ever hit a delivery under way"
    print(f"{KILLS} kills, {accepted} events, {len(receiver.received)} received,", end=" ")  # noqa: T201 - with -s
    print(f"{interrupted} interrupted")  # noqa: T201 - likewise


def test_receivers_that_do_not_answer_hold_up_nobody(
    client: Client,
    portfolio: Portfolio,
    receiver: Receiver,
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    """The slow receiver answers only once everybody else has what they want."""
    released = threading.Event()

    def answer(got: Received) -> Reply:
        if got.path == "/slow":
            released.wait(60)
        return Reply()

    receiver.answer = answer
    slow, _ = endpoint_of(client, receiver.url.replace("/hook", "/slow"))
    prompt, _ = endpoint_of(client, receiver.url)
    log = tmp_path / "processes.log"
    with running(WORKER, log, **environment), running(DELIVER, log, **environment):
        try:
            for number in range(10):
                run = submit(client, portfolio, number)
                assert run_wait(run.pk, client.pk, 20) == Run.Status.SUCCEEDED, log.read_text()
            assert wait_until(lambda: done(prompt) == 10, 20), log.read_text()
            assert done(slow) == 0
        finally:
            released.set()
        assert wait_until(lambda: done(slow) == 10, 40), log.read_text()
    connection.close()


def done(endpoint: WebhookEndpoint) -> int:
    with operator_scope():
        return Delivery.objects.filter(endpoint=endpoint, state="done").count()
