"""Clients, keys and callers for the tests of the facts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from portfolios.models import Instrument
from portfolios.tenancy import operator_scope
from portfolios.webhooks import sending
from tests.callers import Caller, caller_create
from tests.receiver import Receiver


@pytest.fixture
def caller(db: None) -> Caller:
    """A client's key with every scope."""
    return caller_create("alpha")


@pytest.fixture
def outsider(db: None) -> Caller:
    """Another client's key with every scope."""
    return caller_create("omega")


@pytest.fixture
def reader(caller: Caller) -> Caller:
    """The first client's key that may only read."""
    return caller.with_key(scopes=["portfolios:read", "prices:read"])


@pytest.fixture
def market(db: None) -> dict[str, Instrument]:
    """Some shared instruments by symbol."""
    kinds = {
        "NVDA": "equity",
        "AMD": "equity",
        "SOXX": "etf",
        "SOXL": "etf",
        "SOXS": "etf",
        "NYSESEMI": "index",
    }
    with operator_scope():
        return {
            symbol: Instrument.objects.create(symbol=symbol, kind=kind)
            for symbol, kind in kinds.items()
        }


@pytest.fixture
def receiver(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Receiver]:
    """A receiver of webhooks that this process trusts and may call."""
    with Receiver(tmp_path) as made:
        settings.WEBHOOK_PRIVATE_TARGETS = [made.target]
        monkeypatch.setenv("SSL_CERT_FILE", str(made.ca_file))
        sending._context.cache_clear()
        yield made
        sending._context.cache_clear()
