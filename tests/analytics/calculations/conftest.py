"""A client with a market, and a way to ask for one unit."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from analytics.models import Result, Run
from analytics.services.runs import run_request
from analytics.tasks import KINDS
from portfolios.jobs import drain
from portfolios.models import Client, Instrument, Portfolio
from portfolios.tenancy import client_scope
from tests import market_facts


@pytest.fixture
def client(db: None) -> Client:
    return market_facts.make_client()


@pytest.fixture
def instruments(db: None) -> dict[str, Instrument]:
    return market_facts.make_market()


@pytest.fixture
def answer(client: Client) -> Callable[..., Any]:
    """Ask for one unit, have it computed, and give its stored answer."""

    def ask(kind: str, portfolio: Portfolio | None, **params: Any) -> Any:
        with client_scope(client.pk):
            outcome = run_request(
                client=client,
                kind=kind,
                portfolio_id=portfolio.public_id if portfolio else None,
                as_of=market_facts.LAST,
                units={"main": params},
            )
        drain(KINDS)
        with client_scope(client.pk):
            run = Run.objects.get(pk=outcome.run.pk)
            result = Result.objects.get(unit__run=run)
            answered = result.status == Result.Status.OK
            assert run.status == (Run.Status.SUCCEEDED if answered else Run.Status.FAILED)
            return json.loads(result.body)

    return ask
