"""Workers killed at random while they work: nothing is lost, nothing is done twice."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from analytics.calculations.outputs import content_hash
from analytics.calculations.runner import compute_unit
from analytics.models import Result, Run, Unit
from analytics.services.runs import run_request
from portfolios.models import Client, Portfolio
from portfolios.tenancy import client_scope, operator_scope
from tests import market_facts
from tests.flows.workers import RELAY, WORKER, Process, running

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

KILLS, RUNS_PER_KILL, UNITS = 20, 5, 3
LEASE = {"RISK_LEASE_SECONDS": "2"}


def submit(client: Client, portfolio: Portfolio, number: int) -> None:
    units = {f"u{unit}": {"window": 60 + number % 100, "hac_lags": unit} for unit in range(UNITS)}
    with client_scope(client.pk):
        run_request(
            client=client,
            kind=Run.Kind.SEMICONDUCTOR_BETA,
            portfolio_id=portfolio.public_id,
            units=units,
        )


def kill_one(workers: list[Process], log: Path, chance: random.Random) -> None:
    """A child out of the blue, or a whole worker, which is then started anew."""
    at = chance.randrange(len(workers))
    children = workers[at].children()
    if children and chance.random() < 0.75:
        with contextlib.suppress(ProcessLookupError):
            os.kill(chance.choice(children), signal.SIGKILL)
        return
    workers[at].kill()
    workers[at] = Process(WORKER, log, LEASE)


def wait_until(condition: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if count(condition):
            return True
        time.sleep(0.02)
    return False


def count(query: str) -> int:
    with operator_scope(), connection.cursor() as cursor:
        cursor.execute(query)
        found: int = cursor.fetchone()[0]
        return found


#: What must hold after any fault; each query counts violations.
INVARIANTS = {
    "I1 every accepted run is over":
        "SELECT count(*) FROM analytics_run"
        " WHERE status NOT IN ('succeeded', 'partial', 'failed', 'canceled')",
    "I1 no run was lost to quarantine":
        "SELECT count(*) FROM analytics_run WHERE status <> 'succeeded'",
    "I2 one result per unit":
        "SELECT count(*) FROM (SELECT u.id FROM analytics_unit u LEFT JOIN analytics_result r"
        " ON r.unit_id = u.id GROUP BY u.id HAVING count(r.id) <> 1) AS wrong",
    "I3 every result is audited once":
        "SELECT count(*) FROM analytics_result r WHERE 1 <> (SELECT count(*) FROM"
        " portfolios_auditevent a WHERE a.action = 'unit.finished'"
        " AND a.object_id = r.unit_id::text)",
    "I3 every run has its end told once":
        "SELECT count(*) FROM analytics_run r WHERE 1 <> (SELECT count(*) FROM"
        " portfolios_event e WHERE e.type = 'run.finished'"
        " AND e.object_id = 'run_' || replace(r.id::text, '-', ''))",
    "I5 nothing runs past two leases":
        "SELECT count(*) FROM analytics_unit WHERE state = 'running'"
        " AND lease_until < clock_timestamp() - interval '2 s'",
    "I8 a child's tenant is its parent's":
        "SELECT count(*) FROM analytics_unit u JOIN analytics_run n ON n.id = u.run_id"
        " LEFT JOIN analytics_result r ON r.unit_id = u.id"
        " WHERE u.client_id <> n.client_id OR r.client_id <> u.client_id",
}  # fmt: skip


def test_random_kills_lose_and_repeat_nothing(tmp_path: Path) -> None:
    client = market_facts.make_client()
    quantities = {"NVDA": "500", "AMD": "100", "SOXS": "100", "CASH.USD": "20000"}
    portfolio = market_facts.make_portfolio(client, market_facts.make_market(), quantities)
    chance = random.Random(20)  # noqa: S311  # a test's choices, to be repeated
    log = tmp_path / "workers.log"
    with running(RELAY, tmp_path / "relay.log", **LEASE):
        workers = [Process(WORKER, log, LEASE) for _ in range(2)]
        try:
            for number in range(KILLS * RUNS_PER_KILL):
                submit(client, portfolio, number)
                if number % RUNS_PER_KILL == RUNS_PER_KILL - 1:
                    wait_until("SELECT count(*) FROM analytics_unit WHERE state = 'running'", 10)
                    time.sleep(chance.random() * 0.05)
                    kill_one(workers, log, chance)
            over = wait_until(
                "SELECT (count(*) = 0)::int FROM analytics_run"
                " WHERE status IN ('queued', 'running')",
                60,
            )
        finally:
            for worker in workers:
                worker.kill()
    violations = {name: count(query) for name, query in INVARIANTS.items()}
    assert over, log.read_text()[-4000:]
    assert violations == dict.fromkeys(INVARIANTS, 0), log.read_text()[-4000:]
    assert count("SELECT count(*) FROM analytics_run") == KILLS * RUNS_PER_KILL
    assert hashes_of_some_results_recomputed() == hashes_of_some_results_stored()
    attempts = count("SELECT sum(attempt) FROM analytics_unit")
    assert attempts > KILLS * RUNS_PER_KILL * UNITS, "no kill ever hit a unit at work"


def _some_units() -> Any:
    return Unit.objects.select_related("run").order_by("pk")[::10]


def hashes_of_some_results_recomputed() -> list[str]:
    with operator_scope():
        units = _some_units()
    return [content_hash(compute_unit(unit).body) for unit in units]


def hashes_of_some_results_stored() -> list[str]:
    with operator_scope():
        return [Result.objects.get(unit=unit).content_hash for unit in _some_units()]
