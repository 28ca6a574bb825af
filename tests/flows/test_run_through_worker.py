"""Submit, claim, compute, finish: through real workers, with parts of the machinery dead."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics.models import Result, Run
from analytics.services.runs import run_request, run_wait
from portfolios.models import Client, Portfolio
from portfolios.tenancy import client_scope
from tests import market_facts
from tests.flows.workers import WORKER, running

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

DEAD_BROKER = "redis://127.0.0.1:1/0"


@pytest.fixture
def client(transactional_db: None) -> Client:
    return market_facts.make_client()


@pytest.fixture
def portfolio(client: Client) -> Portfolio:
    quantities = {"NVDA": "500", "SOXS": "100", "CASH.USD": "20000"}
    return market_facts.make_portfolio(client, market_facts.make_market(), quantities)


def submit(client: Client, portfolio: Portfolio) -> Run:
    with client_scope(client.pk):
        return run_request(
            client=client,
            kind=Run.Kind.SEMICONDUCTOR_BETA,
            portfolio_id=portfolio.public_id,
            units={"main": {}},
        ).run


def status_of(client: Client, run: Run) -> str:
    with client_scope(client.pk):
        return Result.objects.get(unit__run=run).status


def test_worker_brings_the_result(client: Client, portfolio: Portfolio, tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    with running(WORKER, log):
        first = submit(client, portfolio)
        assert run_wait(first.pk, client.pk, 20) == Run.Status.SUCCEEDED, log.read_text()
    assert status_of(client, first) == Result.Status.OK


def test_worker_that_comes_late_finds_the_work(
    client: Client, portfolio: Portfolio, tmp_path: Path
) -> None:
    run = submit(client, portfolio)
    assert run_wait(run.pk, client.pk, 0.2) == Run.Status.QUEUED
    with running(WORKER, tmp_path / "worker.log"):
        assert run_wait(run.pk, client.pk, 20) == Run.Status.SUCCEEDED


def test_without_a_broker_the_work_is_done(
    client: Client, portfolio: Portfolio, tmp_path: Path
) -> None:
    """The worker does not reach the broker and works all the same."""
    with running(WORKER, tmp_path / "worker.log", BROKER_URL=DEAD_BROKER):
        run = submit(client, portfolio)
        assert run_wait(run.pk, client.pk, 20) == Run.Status.SUCCEEDED
