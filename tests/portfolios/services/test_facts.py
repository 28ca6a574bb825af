"""Appending facts: new, corrected and unchanged rows, and what was known when."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection, transaction

from portfolios.models import Client, Instrument, Price
from portfolios.services.facts import Appended, facts_append
from portfolios.tenancy import client_scope, operator_scope

pytestmark = pytest.mark.django_db(transaction=True)

DAY = date(2024, 1, 3)
NEXT_DAY = date(2024, 1, 4)


def append(
    instrument: Instrument, *rows: tuple[object, ...], client: Client | None = None
) -> Appended:
    return facts_append(
        Price,
        client_id=client.id if client else None,
        keys=("instrument_id", "session"),
        values=("close", "volume", "total_return_index"),
        rows=[(instrument.id, *row) for row in rows],
        source="test",
    )


def test_new_rows_are_added_and_the_same_rows_again_change_nothing() -> None:
    with operator_scope():
        fund = Instrument.objects.create(symbol="SOXS", kind=Instrument.Kind.ETF)
        rows = ((DAY, Decimal("40.28"), None, 1.0), (NEXT_DAY, Decimal(41), 7, 1.02))
        assert append(fund, *rows) == Appended(new=2, corrected=0, unchanged=0)
        assert append(fund, *rows) == Appended(new=0, corrected=0, unchanged=2)
        assert Price.objects.count() == 2


def test_prices_of_six_hundred_billion_and_of_sixty_cents_keep_every_digit() -> None:
    with operator_scope():
        fund = Instrument.objects.create(symbol="SOXS", kind=Instrument.Kind.ETF)
        huge, small = Decimal("612345678901.123456789"), Decimal("0.600000000000000001")
        append(fund, (DAY, huge, None, None), (NEXT_DAY, small, None, None))
        assert list(Price.objects.order_by("session").values_list("close", flat=True)) == [
            huge,
            small,
        ]


def test_a_correction_closes_the_old_row_and_keeps_it_readable() -> None:
    with operator_scope():
        fund = Instrument.objects.create(symbol="SOXS", kind=Instrument.Kind.ETF)
        append(fund, (DAY, Decimal(40), None, None))
        first = Price.objects.get()
    with operator_scope():
        assert append(fund, (DAY, Decimal(44), None, None)).corrected == 1
        old, new = Price.objects.order_by("recorded_at")
        assert (old.close, old.superseded_at) == (Decimal(40), new.recorded_at)
        assert new.superseded_at is None
        assert new.recorded_at > first.recorded_at


def test_a_value_not_known_now_does_not_erase_the_one_on_file() -> None:
    with operator_scope():
        fund = Instrument.objects.create(symbol="SOXS", kind=Instrument.Kind.ETF)
        append(fund, (DAY, Decimal(40), 5, 1.0))
        append(fund, (DAY, Decimal(41), None, None))
        current = Price.objects.get(superseded_at=None)
        assert (current.close, current.volume, current.total_return_index) == (41, 5, 1.0)


def test_levels_that_differ_by_rounding_alone_are_the_same_fact() -> None:
    with operator_scope():
        fund = Instrument.objects.create(symbol="SOXS", kind=Instrument.Kind.ETF)
        append(fund, (DAY, None, None, 160008817.2))
        assert append(fund, (DAY, None, None, 160008817.2 * (1 + 1e-13))).unchanged == 1
        assert append(fund, (DAY, None, None, 160008817.2 * (1 + 1e-6))).corrected == 1


def test_a_clients_own_price_lies_beside_the_shared_one_and_nobody_else_sees_it() -> None:
    with operator_scope():
        fund = Instrument.objects.create(symbol="SOXS", kind=Instrument.Kind.ETF)
        owner = Client.objects.create(name="Owner", slug="owner")
        other = Client.objects.create(name="Other", slug="other")
        append(fund, (DAY, Decimal(40), None, None))
    with client_scope(owner.id):
        append(fund, (DAY, Decimal(39), None, None), client=owner)
        assert Price.objects.filter(superseded_at=None).count() == 2
    with client_scope(other.id):
        assert list(Price.objects.values_list("close", flat=True)) == [Decimal(40)]


def test_outside_of_a_scope_nothing_of_a_client_is_seen_or_written() -> None:
    with operator_scope():
        owner = Client.objects.create(name="Owner", slug="owner")
    assert not Client.objects.exists()
    with (
        pytest.raises(Exception, match="row-level security"),
        transaction.atomic(),
    ):
        Client.objects.create(name="Intruder", slug="intruder")
    with client_scope(owner.id):
        assert Client.objects.get() == owner
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(current_setting('app.client_id', true), '')")
        assert cursor.fetchone() == ("",)
