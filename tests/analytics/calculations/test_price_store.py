"""Prices as arrays: complete, in the right share basis, as known at a time, read once."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from analytics.calculations import price_store
from analytics.calculations.price_store import PriceBlock, price_block
from portfolios.models import Client, CorporateAction, Instrument, Price
from portfolios.services.data_version import data_version_bump
from portfolios.tenancy import client_scope, operator_scope
from tests import market_facts

pytestmark = pytest.mark.django_db

DAYS = [date(2025, 6, day) for day in (23, 24, 25, 26, 27)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings.STATE_DIR = tmp_path
    monkeypatch.setattr(price_store, "_open", type(price_store._open)())
    return tmp_path / "panels"


@pytest.fixture
def client(db: None) -> Client:
    return market_facts.make_client()


def add(symbol: str, closes: list[float | None], **fields: Any) -> Instrument:
    with operator_scope():
        instrument = Instrument.objects.create(symbol=symbol, kind="equity", **fields)
        Price.objects.bulk_create(
            Price(instrument=instrument, session=day, close=Decimal(str(close)))
            for day, close in zip(DAYS, closes, strict=True)
            if close is not None
        )
        data_version_bump(None)
    return instrument


def block_of(client: Client) -> PriceBlock:
    with client_scope(client.pk):
        return price_block(client.pk, timezone.now())


def levels(block: PriceBlock, instrument: Instrument) -> list[float]:
    column = block.column(instrument.pk)
    assert column is not None
    return list(block.levels[:, column])


def test_gap_stays_a_gap(client: Client) -> None:
    traded = add("A", [10.0, 11.0, 12.0, 13.0, 14.0])
    halted = add("B", [10.0, None, 12.0, 12.0, 12.0])
    block = block_of(client)
    assert [str(day) for day in block.sessions] == [day.isoformat() for day in DAYS]
    assert not np.isnan(levels(block, traded)).any()
    assert list(np.isnan(levels(block, halted))) == [False, True, False, False, False]


def test_split_and_distribution_are_no_return(client: Client) -> None:
    """One share at 100 becomes two at 50; then 1.00 is paid and the price falls by it."""
    paying = add("C", [100.0, 50.0, 50.0, 49.0, 49.0])
    with operator_scope():
        CorporateAction.objects.create(
            instrument=paying, ex_date=DAYS[1], kind="split", new_shares=2, old_shares=1
        )
        CorporateAction.objects.create(
            instrument=paying, ex_date=DAYS[3], kind="distribution", amount="1.00"
        )
        data_version_bump(None)
    found = np.array(levels(block_of(client), paying))
    np.testing.assert_allclose(found[1:] / found[:-1], np.ones(4), rtol=1e-12)


def test_given_levels_win_over_closes(client: Client) -> None:
    fund = add("D", [100.0, 99.0, 98.0, 97.0, 96.0])
    with operator_scope():
        for n, day in enumerate(DAYS):
            Price.objects.filter(instrument=fund, session=day).update(
                total_return_index=50.0 * 1.01**n
            )
        data_version_bump(None)
    found = np.array(levels(block_of(client), fund))
    np.testing.assert_allclose(found[1:] / found[:-1], 1.01, rtol=1e-12)


def test_own_price_wins_for_its_client_alone(client: Client) -> None:
    shared = add("E", [10.0, 10.0, 10.0, 10.0, 10.0])
    other = market_facts.make_client("other")
    with client_scope(client.pk):
        Price.objects.create(client=client, instrument=shared, session=DAYS[2], close="12.5")
        data_version_bump(client)
    column = block_of(client).column(shared.pk)
    assert list(block_of(client).closes[:, column]) == [10.0, 10.0, 12.5, 10.0, 10.0]
    assert list(block_of(other).closes[:, column]) == [10.0] * 5


def test_own_action_replaces_the_shared_one_of_its_day(client: Client) -> None:
    """A split of two for one that both have on file, and a payment that the client knows better."""
    paying = add("J", [100.0, 50.0, 50.0, 48.0, 48.0])
    other = market_facts.make_client("other")
    split: dict[str, Any] = {
        "kind": "split", "ex_date": DAYS[1], "new_shares": 2, "old_shares": 1
    }  # fmt: skip
    paid: dict[str, Any] = {"kind": "distribution", "ex_date": DAYS[3]}
    with operator_scope():
        CorporateAction.objects.create(instrument=paying, **split)
        CorporateAction.objects.create(instrument=paying, amount="1.00", **paid)
        data_version_bump(None)
    with client_scope(client.pk):
        for fields in (split, {**paid, "amount": "2.00"}):
            CorporateAction.objects.create(client=client, instrument=paying, **fields)
        data_version_bump(client)
    for who, last in ((client, 1.0), (other, 49 / 50)):
        found = np.array(levels(block_of(who), paying))
        np.testing.assert_allclose(found[1:] / found[:-1], [1.0, 1.0, last, 1.0], rtol=1e-12)


@pytest.mark.parametrize("first", ["split", "distribution"])
def test_cash_of_the_day_of_a_split_is_per_new_share(client: Client, first: str) -> None:
    paying = add("K", [100.0, 49.0, 49.0, 49.0, 49.0])
    actions: list[dict[str, Any]] = [
        {"kind": "split", "new_shares": 2, "old_shares": 1},
        {"kind": "distribution", "amount": "1.00"},
    ]
    with operator_scope():
        for fields in actions if first == "split" else reversed(actions):
            CorporateAction.objects.create(instrument=paying, ex_date=DAYS[1], **fields)
        data_version_bump(None)
    found = np.array(levels(block_of(client), paying))
    np.testing.assert_allclose(found[1:] / found[:-1], np.ones(4), rtol=1e-12)


def test_correction_is_seen_from_its_time_on(client: Client) -> None:
    corrected = add("F", [10.0, 10.0, 10.0, 10.0, 10.0])
    before = timezone.now()
    with operator_scope():
        later = before + timedelta(seconds=5)
        Price.objects.filter(instrument=corrected, session=DAYS[4]).update(
            superseded_at=later, recorded_at=before - timedelta(days=1)
        )
        Price.objects.filter(instrument=corrected).update(recorded_at=before - timedelta(days=1))
        Price.objects.create(instrument=corrected, session=DAYS[4], close="11", recorded_at=later)
        connection.cursor().execute("UPDATE portfolios_dataversion SET changed_at = %s", [later])
    with client_scope(client.pk):
        then = price_block(client.pk, before)
        now = price_block(client.pk, later + timedelta(seconds=1))
    column = then.column(corrected.pk)
    assert [float(block.closes[4, column]) for block in (then, now)] == [10.0, 11.0]


def test_second_look_reads_no_prices(client: Client, folder: Path) -> None:
    add("G", [1.0, 2.0, 3.0, 4.0, 5.0])
    first = block_of(client)
    price_store._open.clear()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        second = block_of(client)
    assert not any("portfolios_price" in row["sql"] for row in queries.captured_queries)
    np.testing.assert_array_equal(first.levels, second.levels)
    assert isinstance(second.levels.base, np.memmap)
    assert [path.name for path in folder.iterdir()] == [second.version]


def test_new_version_removes_the_old_files(client: Client, folder: Path) -> None:
    add("H", [1.0, 2.0, 3.0, 4.0, 5.0])
    old = block_of(client)
    with operator_scope():
        connection.cursor().execute("UPDATE portfolios_dataversion SET version = version + 1")
    new = block_of(client)
    assert old.version != new.version
    assert [path.name for path in folder.iterdir()] == [new.version]
    assert list(old.closes[:, 0]) == [1.0, 2.0, 3.0, 4.0, 5.0], "a mapping outlives its file"


def test_two_writers_of_one_block_leave_one(client: Client, folder: Path) -> None:
    add("I", [1.0, 2.0, 3.0, 4.0, 5.0])
    block = block_of(client)
    price_store._publish(block)
    assert [path.name for path in folder.iterdir()] == [block.version]


def test_unlinkable_levels_keep_the_longest_part() -> None:
    nan = float("nan")
    found = price_store._chained(
        np.array([nan, nan, 10.0, 11.0, 12.1]),
        np.array([5.0, 5.5, nan, nan, nan]),
        np.array(DAYS, dtype="datetime64[D]"),
        [],
    )
    np.testing.assert_allclose(found, [nan, nan, 1.0, 1.1, 1.21])


def test_owner_is_read_from_the_name() -> None:
    client = uuid.uuid4()
    assert price_store._owner("v1-3.5f") == ""
    assert price_store._owner(f"v1-3.5f-{client.hex}-1.6a") == client.hex
    assert price_store._owner("draft-x1") == "draft-x1"
