"""A worker keeps what it has read: the same bytes from it, and a change of the facts is seen."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from analytics.calculations import semiconductor_beta
from analytics.calculations.kept_facts import kept_states
from analytics.calculations.measures import Submission
from analytics.calculations.registry import MEASURES
from analytics.calculations.runner import compute_unit
from analytics.models import Run, Unit
from portfolios.models import Client, Instrument, LeverageTerms, Portfolio
from portfolios.services.data_version import data_version_bump
from portfolios.tenancy import client_scope, operator_scope
from tests import market_facts
from tests.market_facts import LAST

pytestmark = pytest.mark.django_db

HELD = {"NVDA": "10", "SOXL": "20", "CASH.USD": "1000"}
PARAMS: dict[str, dict[str, Any]] = {
    "semiconductor-beta": {"window": 252},
    "hedge-effectiveness": {
        "window": 252,
        "hedging": [{"instrument": "SOXS", "quantity": Decimal(5)}],
    },
    "leveraged-drag": {"instrument": "SOXL"},
}


@pytest.fixture
def instruments(db: None) -> dict[str, Instrument]:
    return market_facts.make_market()


def unit(client: Client, portfolio: Portfolio, kind: str) -> Unit:
    with client_scope(client.pk):
        params = MEASURES[kind].normalize(
            Submission(client, portfolio, LAST, ""), {"inception": None, **PARAMS[kind]}
        )
    run = Run(client=client, kind=kind, portfolio=portfolio, as_of=LAST, known_at=timezone.now())
    return Unit(run=run, params=params)


def forget() -> None:
    kept_states.clear()
    semiconductor_beta._kept.clear()


@pytest.mark.parametrize("kind", PARAMS)
def test_kept_facts_give_the_same_bytes_in_four_queries(
    instruments: dict[str, Instrument], kind: str
) -> None:
    client = market_facts.make_client()
    asked = unit(client, market_facts.make_portfolio(client, instruments, HELD), kind)
    forget()
    first = compute_unit(asked).body
    with CaptureQueriesContext(connection) as captured:
        second = compute_unit(asked).body
    assert '"status":"ok"' in first
    assert second == first
    own = [row["sql"] for row in captured if "set_config" not in row["sql"]]
    assert len([sql for sql in own if sql.startswith("SELECT")]) == 3
    forget()
    assert compute_unit(asked).body == first


def test_change_of_the_facts_is_seen(instruments: dict[str, Instrument]) -> None:
    client = market_facts.make_client()
    portfolio = market_facts.make_portfolio(client, instruments, HELD)
    before = compute_unit(unit(client, portfolio, "leveraged-drag")).result
    with operator_scope():
        LeverageTerms.objects.create(
            instrument=instruments["SOXL"], valid_from=date(LAST.year, 1, 2), multiple=2,
            reference_index=instruments["SOX"], expense_ratio="0.0095",
        )  # fmt: skip
        data_version_bump(None)
    after = compute_unit(unit(client, portfolio, "leveraged-drag")).result
    assert before is not None
    assert after is not None
    assert (before["multiple"], after["multiple"]) == (3.0, 2.0)


def test_clients_do_not_share_what_was_read(instruments: dict[str, Instrument]) -> None:
    """Nor do they where all the facts are shared ones: row-level security chose the rows."""
    for slug in ("one", "two"):
        client = market_facts.make_client(slug)
        portfolio = market_facts.make_portfolio(client, instruments, HELD)
        compute_unit(unit(client, portfolio, "semiconductor-beta"))
    owners = {owner for owner, _ in kept_states}
    assert len(owners) >= 2
