"""A caller with a market, a book in it, and workers' work done in this process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from analytics.tasks import KINDS
from portfolios.jobs import drain
from portfolios.models import Instrument, Portfolio
from tests import market_facts
from tests.callers import Caller, caller_create

QUANTITIES = {
    "NVDA": "500", "AMD": "300", "SOXL": "40", "SOXS": "30", "CASH.USD": "20000.50",
}  # fmt: skip


@pytest.fixture
def instruments(db: None) -> dict[str, Instrument]:
    return market_facts.make_market()


@pytest.fixture
def caller(db: None) -> Caller:
    return caller_create("alpha")


@pytest.fixture
def portfolio(caller: Caller, instruments: dict[str, Instrument]) -> Portfolio:
    return market_facts.make_portfolio(
        caller.client, instruments, QUANTITIES, tags={"NVDA": ["semis"], "AMD": ["semis"]}
    )


@pytest.fixture
def work() -> Callable[[], int]:
    """Do what waits, as a worker would."""
    return lambda: drain(KINDS)
