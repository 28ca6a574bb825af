"""Races between writers of positions, and what a checksum is made of."""

from __future__ import annotations

import itertools
import threading
from datetime import date
from decimal import Decimal

import pytest
from django.db import connection

from portfolios.errors import InvalidRequest
from portfolios.models import Client, Instrument, Portfolio, Position, PositionSet
from portfolios.services.portfolios import portfolio_create
from portfolios.services.positions import position_set_put
from portfolios.tenancy import client_scope, operator_scope

DAY = date(2026, 11, 20)


def _book() -> tuple[Client, Portfolio]:
    with operator_scope():
        client = Client.objects.create(name="Alpha", slug="alpha")
        for symbol in ("NVDA", "AMD"):
            Instrument.objects.create(symbol=symbol, kind="equity")
        return client, portfolio_create(client=client, name="Semis")


def _put(client: Client, portfolio: Portfolio, quantity: str, symbol: str = "NVDA") -> bool:
    with client_scope(client.id):
        _, created = position_set_put(
            client=client,
            portfolio=portfolio,
            as_of=DAY,
            positions=[{"instrument": symbol, "quantity": Decimal(quantity)}],
        )
    return created


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("same", [True, False])
def test_writers_at_once_leave_one_current_set(same: bool) -> None:
    client, portfolio = _book()
    created: list[bool] = []

    def write(number: int) -> None:
        try:
            created.append(_put(client, portfolio, "1" if same else str(number + 1)))
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(created) == (1 if same else 8)
    with client_scope(client.id):
        sets = list(PositionSet.objects.order_by("recorded_at"))
        assert [s.superseded_at is None for s in sets] == [False] * (len(sets) - 1) + [True]
        # Each was current until the moment the next one was recorded.
        for former, latter in itertools.pairwise(sets):
            assert former.superseded_at == latter.recorded_at
        assert Position.objects.count() == len(sets)


@pytest.mark.django_db
def test_spelling_of_a_quantity_is_not_content() -> None:
    client, portfolio = _book()
    assert _put(client, portfolio, "100")
    for spelling in ("100.000", "1E+2", "0100"):
        assert not _put(client, portfolio, spelling)
    assert _put(client, portfolio, "100.0000001")
    assert _put(client, portfolio, "-100.0000001")
    assert _put(client, portfolio, "-100.0000001", "AMD")


@pytest.mark.django_db
def test_instrument_of_another_client_cannot_be_held() -> None:
    client, portfolio = _book()
    with operator_scope():
        other = Client.objects.create(name="Omega", slug="omega")
        foreign = Instrument.objects.create(client=other, symbol="OWN", kind="equity")
    for name in ("OWN", foreign.public_id):
        with pytest.raises(InvalidRequest, match="unknown"):
            _put(client, portfolio, "1", name)
