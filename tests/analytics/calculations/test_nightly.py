"""A night's batch says what single runs say."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from analytics.calculations.nightly import portfolios_risk
from analytics.models import Result, Run
from analytics.services.runs import run_request
from analytics.tasks import KINDS
from portfolios.jobs import drain
from portfolios.models import Client, Instrument, Portfolio
from portfolios.tenancy import client_scope
from tests import market_facts
from tests.market_facts import LAST

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(db: None) -> Client:
    return market_facts.make_client()


@pytest.fixture
def instruments(db: None) -> dict[str, Instrument]:
    return market_facts.make_market()


@pytest.fixture
def portfolios(client: Client, instruments: dict[str, Instrument]) -> list[Portfolio]:
    quantities = [
        {"NVDA": "500", "SOXS": "30", "CASH.USD": "1000"},
        {"AMD": "200", "SOXL": "10"},
        {"CASH.USD": "100"},
    ]
    return [
        market_facts.make_portfolio(client, instruments, given, name=f"Book {number}")
        for number, given in enumerate(quantities)
    ]


def night(client: Client, portfolios: list[Portfolio]) -> Any:
    return portfolios_risk(client, portfolios, LAST, timezone.now())


def statuses(answers: Any, portfolio: Portfolio) -> dict[str, str]:
    return {kind: item["status"] for kind, item in answers[portfolio.pk].items()}


def test_every_portfolio_has_every_measure(client: Client, portfolios: list[Portfolio]) -> None:
    answers = night(client, portfolios)
    hedged, bull, cash = (statuses(answers, portfolio) for portfolio in portfolios)
    assert set(hedged.values()) == {"ok"}
    assert bull == {
        "semiconductor-beta": "ok",
        "hedge-effectiveness": "not_applicable",
        "leveraged-drag": "ok",
    }
    assert cash["semiconductor-beta"] == "degenerate"
    assert cash["leveraged-drag"] == "not_applicable"


def test_batch_of_many_equals_batches_of_one(client: Client, portfolios: list[Portfolio]) -> None:
    many = night(client, portfolios)
    for portfolio in portfolios[:2]:
        (one,) = night(client, [portfolio]).values()
        for kind in ("hedge-effectiveness", "leveraged-drag"):
            assert one[kind] == many[portfolio.pk][kind]
        single = one["semiconductor-beta"]["result"]["beta_nav"]
        batch = many[portfolio.pk]["semiconductor-beta"]["result"]["beta_nav"]
        assert single["value"] == pytest.approx(batch["value"], rel=1e-12)
        assert single["se"] == pytest.approx(batch["se"], rel=1e-12)


def test_night_equals_the_run_of_the_same_portfolio(
    client: Client, portfolios: list[Portfolio]
) -> None:
    with client_scope(client.pk):
        run = run_request(
            client=client,
            kind=Run.Kind.SEMICONDUCTOR_BETA,
            portfolio_id=portfolios[0].public_id,
            as_of=LAST,
            units={"main": {}},
        ).run
    drain(KINDS)
    with client_scope(client.pk):
        stored = json.loads(Result.objects.get(unit__run=run).body)["result"]
    item = night(client, portfolios[:1])[portfolios[0].pk]["semiconductor-beta"]
    assert item["result"] == stored
    assert item["method_version"] == run.method_version


def test_portfolio_without_benchmark_or_positions_disturbs_nobody(
    client: Client, instruments: dict[str, Instrument], portfolios: list[Portfolio]
) -> None:
    bare = market_facts.make_portfolio(
        client, instruments, {"NVDA": "1"}, benchmark=None, name="Bare"
    )
    later = market_facts.make_portfolio(
        client, instruments, {"NVDA": "1"}, as_of=LAST + timedelta(days=1), name="Later"
    )
    answers = night(client, [*portfolios, bare, later])
    beta = "semiconductor-beta"
    assert answers[bare.pk][beta]["problem"]["code"] == "no-semiconductor-benchmark"
    assert answers[later.pk][beta]["problem"]["code"] == "no-positions"
    assert answers[portfolios[0].pk][beta]["status"] == "ok"


def test_queries_do_not_grow_with_portfolios(
    client: Client, instruments: dict[str, Instrument], portfolios: list[Portfolio]
) -> None:
    def queries(count: int) -> int:
        with client_scope(client.pk):
            chosen = list(
                Portfolio.objects.select_related("benchmark", "market_benchmark").order_by("name")
            )[:count]
        with CaptureQueriesContext(connection) as captured:
            night(client, chosen)
        return len(captured)

    queries(3)
    assert queries(3) == queries(1)


def test_client_without_portfolios_has_an_empty_night(client: Client) -> None:
    answers: dict[uuid.UUID, Any] = night(client, [])
    assert answers == {}
