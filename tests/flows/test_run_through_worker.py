"""Submit, claim, compute, finish: through a real worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics.models import Result, Run
from analytics.services.runs import run_request, run_wait
from portfolios.tenancy import client_scope
from tests import market_facts
from tests.flows.workers import worker

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_run_is_computed_by_a_worker(tmp_path: Path) -> None:
    instruments = market_facts.make_market()
    client = market_facts.make_client()
    portfolio = market_facts.make_portfolio(
        client, instruments, {"NVDA": "500", "SOXS": "100", "CASH.USD": "20000"}
    )
    with worker(tmp_path / "worker.log"):
        with client_scope(client.pk):
            outcome = run_request(
                client=client,
                kind=Run.Kind.SEMICONDUCTOR_BETA,
                portfolio_id=portfolio.public_id,
                units={"main": {}},
            )
        status = run_wait(outcome.run.pk, client.pk, 20)
    assert status == Run.Status.SUCCEEDED, (tmp_path / "worker.log").read_text()
    with client_scope(client.pk):
        result = Result.objects.get(unit__run=outcome.run)
    assert result.status == Result.Status.OK, result.body
