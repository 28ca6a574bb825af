"""The sample client: complete after one start, unchanged after the next."""

from __future__ import annotations

import csv
import io
import json
import stat
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django import Settings

from portfolios.models import (
    ApiKey,
    Client,
    Instrument,
    LeverageTerms,
    Portfolio,
    PositionSet,
    Price,
    RateObservation,
)
from portfolios.services.authentication import api_key_authenticate
from portfolios.tenancy import client_scope, operator_scope
from riskapi.sample import books, loading
from riskapi.sample.market import BEAR, REFERENCE_SESSION, generate

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def state(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings.STATE_DIR = tmp_path
    monkeypatch.setattr(loading, "_last_published_session", lambda: date(2026, 11, 4))
    return tmp_path


def load(**options: Any) -> dict[str, Any]:
    output = io.StringIO()
    call_command("load_sample", stdout=output, **options)
    facts: dict[str, Any] = json.loads(output.getvalue())
    return facts


def test_first_load_says_what_a_caller_needs() -> None:
    facts = load()

    assert facts["synthetic"] is True
    assert facts["as_of"] == "2026-11-04"
    assert facts["left_out"] == []
    assert facts["files_refused"] == []
    assert [p["name"] for p in facts["portfolios"]] == [b.name for b in books.SYNTHETIC.books]
    assert api_key_authenticate(facts["api_key"], "127.0.0.1").client.slug == "sample"
    admin = get_user_model().objects.get(username=facts["admin"]["username"])
    assert admin.is_superuser
    assert admin.check_password(facts["admin"]["password"])
    assert set(facts["analyses"]) == {
        "semiconductor-beta",
        "hedge-effectiveness",
        "leveraged-drag",
    }


def test_all_that_is_loaded_is_labeled_synthetic() -> None:
    load()

    with operator_scope():
        assert Client.objects.get(slug="sample").is_synthetic
        unlabeled = Instrument.objects.filter(is_synthetic=False)
        assert [instrument.symbol for instrument in unlabeled] == [books.CASH]


def test_closes_on_file_are_the_closes_as_traded() -> None:
    load()
    market = generate(date(2026, 11, 4))

    with operator_scope():
        prices = Price.objects.filter(instrument__symbol=BEAR).order_by("session")
        on_file = dict(prices.values_list("session", "close"))
        terms = LeverageTerms.objects.get(instrument__symbol=BEAR)
    assert terms.multiple == -3
    assert list(on_file) == market.sessions
    for session in market.sessions:
        assert float(on_file[session] or 0) == market.close_of(BEAR, session), session


def test_invented_rates_are_the_sample_clients_own() -> None:
    load()

    with operator_scope():
        assert set(RateObservation.objects.values_list("client__slug", flat=True)) == {"sample"}


def test_books_are_worth_what_they_say() -> None:
    load()

    with operator_scope():
        for book in books.SYNTHETIC.books:
            positions = PositionSet.objects.get(
                portfolio__external_id=book.external_id, as_of=REFERENCE_SESSION
            ).positions.select_related("instrument")
            value = 0.0
            for position in positions:
                if position.instrument.kind == Instrument.Kind.CASH:
                    value += float(position.quantity)
                elif position.instrument.kind != Instrument.Kind.OPTION:
                    price = Price.objects.get(
                        instrument=position.instrument, session=REFERENCE_SESSION
                    )
                    value += float(position.quantity * price.close)
            assert value == pytest.approx(book.value, abs=0.01)


def test_second_load_changes_nothing_and_gives_the_same_key(state: Path) -> None:
    first = load()
    with operator_scope():
        before = [m.objects.count() for m in (Price, PositionSet, ApiKey, Instrument)]

    assert load() == first
    with operator_scope():
        assert [m.objects.count() for m in (Price, PositionSet, ApiKey, Instrument)] == before


def test_later_load_adds_the_sessions_since(monkeypatch: pytest.MonkeyPatch) -> None:
    load()
    monkeypatch.setattr(loading, "_last_published_session", lambda: date(2026, 11, 6))
    with operator_scope():
        before = Price.objects.count()

    facts = load()

    assert facts["as_of"] == "2026-11-06"
    with operator_scope():
        assert not Price.objects.exclude(superseded_at=None).exists()
        added = Price.objects.count() - before
        assert added == 2 * Instrument.objects.exclude(prices=None).count()


def test_secrets_are_readable_by_their_owner_alone(state: Path) -> None:
    load()

    assert stat.S_IMODE((state / "sample.json").stat().st_mode) == 0o600


def test_revoked_key_is_replaced() -> None:
    first = load()
    with operator_scope():
        ApiKey.objects.update(revoked_at="2026-11-05T00:00:00Z")

    second = load()

    assert second["api_key"] != first["api_key"]
    assert api_key_authenticate(second["api_key"], "127.0.0.1")


def test_password_changed_by_its_owner_is_not_told(state: Path) -> None:
    load()
    admin = get_user_model().objects.get(username="admin")
    admin.set_password("chosen by its owner")
    admin.save()

    assert load()["admin"]["password"] is None
    admin.refresh_from_db()
    assert admin.check_password("chosen by its owner")


def _price_file(folder: Path, symbol: str, first_close: float) -> None:
    market = generate(REFERENCE_SESSION)
    with (folder / "prices" / f"{symbol}.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["date", "open", "high", "low", "close", "adj_close", "volume"])
        for day, close in zip(market.sessions[-40:], market.close[-40:, 0], strict=True):
            price = round(first_close * close / 1000, 2)
            writer.writerow([day, price, price, price, price, price, 1000])


def test_market_folder_gives_the_demo_client(tmp_path: Path) -> None:
    folder = tmp_path / "market"
    (folder / "prices").mkdir(parents=True)
    for symbol, close in {"NVDA": 100.0, "SMH": 250.0, "SOXX": 200.0, "SPY": 500.0}.items():
        _price_file(folder, symbol, close)

    facts = load(market=str(folder))

    assert facts["synthetic"] is False
    assert facts["as_of"] == REFERENCE_SESSION.isoformat()
    assert facts["left_out"] == ["AMD", "SOXL", "SOXS"]
    with operator_scope():
        client = Client.objects.get(slug="demo")
    with client_scope(client.id):
        held = PositionSet.objects.get().positions.values_list("instrument__symbol", flat=True)
        assert set(held) >= {"NVDA", "SMH", books.CASH}
        put = Instrument.objects.get(kind=Instrument.Kind.OPTION)
        assert put.symbol in held
        assert put.option_terms.underlying.symbol == "SMH"


def test_folder_without_a_known_name_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "market"
    (folder / "prices").mkdir(parents=True)
    _price_file(folder, "XYZ", 10.0)

    with pytest.raises(CommandError, match="prices of none of"):
        load(market=str(folder))


def test_folder_of_other_funds_plays_the_same_roles(tmp_path: Path) -> None:
    folder = tmp_path / "market"
    (folder / "prices").mkdir(parents=True)
    for symbol, close in {"CHIX": 100.0, "ABCD": 30.0, "UPPP": 20.0, "DWNN": 8.0}.items():
        _price_file(folder, symbol, close)
    (folder / "instruments.csv").write_text(
        "symbol,kind,name,currency,proxy\nCHIX,etf,Chips,USD,\nNOPRICE,index,Chips,USD,CHIX\n"
        "ABCD,equity,Maker,USD,\nUPPP,etf,Twice,USD,\nDWNN,etf,Minus twice,USD,\n"
    )
    (folder / "leverage_terms.csv").write_text(
        "ticker,valid_from,multiple,reference_index,expense_ratio,swap_spread,source\n"
        "UPPP,2020-01-02,2,NOPRICE,0.009,0.004,x\nDWNN,2020-01-02,-2,NOPRICE,0.009,0.004,x\n"
    )

    facts = load(market=str(folder))

    assert facts["left_out"] == ["AMD", "NVDA", "SMH", "SOXL", "SOXS"]
    assert set(facts["analyses"]["leveraged-drag"]["units"]) == {"bull", "bear"}
    units = facts["analyses"]["hedge-effectiveness"]["units"]
    assert units["bear"]["hedging"] == [{"instrument": "DWNN"}]
    with operator_scope():
        client = Client.objects.get(slug="demo")
    with client_scope(client.id):
        held = PositionSet.objects.get().positions.values_list("instrument__symbol", flat=True)
        assert set(held) == {"CHIX", "ABCD", "UPPP", "DWNN", books.CASH}
        assert Portfolio.objects.filter(benchmark__symbol="CHIX").exists()


def test_folder_without_leveraged_funds_asks_for_beta_alone(tmp_path: Path) -> None:
    folder = tmp_path / "market"
    (folder / "prices").mkdir(parents=True)
    for symbol, close in {"NVDA": 100.0, "SOXX": 200.0}.items():
        _price_file(folder, symbol, close)

    assert set(load(market=str(folder))["analyses"]) == {"semiconductor-beta"}
