"""A worker keeps what it has read: the same bytes from it, and a change of the facts is seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from analytics.calculations import semiconductor_beta, valuation
from analytics.calculations.books import Book, Holding
from analytics.calculations.kept_facts import kept_states
from analytics.calculations.kept_panels import Kept, kept_levels, kept_panels
from analytics.calculations.market import Market
from analytics.calculations.measures import Submission
from analytics.calculations.registry import MEASURES
from analytics.calculations.runner import compute_unit
from analytics.calculations.used_facts import RecordingMarket
from analytics.calculations.valuation import load_books
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
    for kept in (semiconductor_beta._kept, valuation._valued, kept_levels, kept_panels):
        kept.clear()


@pytest.mark.parametrize("kind", PARAMS)
def test_kept_facts_give_the_same_bytes_in_three_trips(
    instruments: dict[str, Instrument], kind: str
) -> None:
    client = market_facts.make_client()
    asked = unit(client, market_facts.make_portfolio(client, instruments, HELD), kind)
    forget()
    first = compute_unit(asked)
    with CaptureQueriesContext(connection) as captured:
        second = compute_unit(asked)
    assert first.status == "ok"
    assert (second.body, second.inputs) == (first.body, first.inputs)
    own = [row["sql"] for row in captured if "set_config" not in row["sql"]]
    assert len([sql for sql in own if sql.startswith(("SELECT", "EXECUTE"))]) == 2
    forget()
    assert compute_unit(asked).body == first.body


def test_book_is_valued_once_and_nobody_writes_to_what_is_kept(
    instruments: dict[str, Instrument], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = market_facts.make_client()
    portfolio = market_facts.make_portfolio(client, instruments, HELD)
    forget()
    valued: list[str] = []
    real = valuation.value_holding

    def value(market: Market, book: Book, holding: Holding, *, since: date) -> None:
        valued.append(holding.instrument.symbol)
        real(market, book, holding, since=since)

    monkeypatch.setattr(valuation, "value_holding", value)
    books = []
    for _ in range(2):
        with client_scope(client.pk) as now:
            market = RecordingMarket(client.pk, LAST, now)
            (book,) = load_books(market, [portfolio.pk]).values()
            books.append(book)
        used = market.used()
        assert used["prices"]
        book.warnings.append({"code": "of this request alone"})
        book.holdings.pop()
    assert len(books[1].warnings) == len(books[0].warnings) == 1
    assert books[1].holdings == books[0].holdings
    assert sorted(valued) == sorted(HELD)


def test_refused_book_is_valued_again(instruments: dict[str, Instrument]) -> None:
    client = market_facts.make_client()
    with operator_scope():
        Instrument.objects.create(symbol="UNPRICED", kind="equity", currency="USD")
        data_version_bump(None)
        found = {**instruments, "UNPRICED": Instrument.objects.get(symbol="UNPRICED")}
    portfolio = market_facts.make_portfolio(client, found, {**HELD, "UNPRICED": "1"})
    forget()
    for _ in range(2):
        with client_scope(client.pk) as now:
            market = RecordingMarket(client.pk, LAST, now)
            (book,) = load_books(market, [portfolio.pk]).values()
        assert book.refusal is not None
    assert not valuation._valued._made


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


def test_what_was_used_last_is_kept_up_to_so_many_numbers() -> None:
    made: list[str] = []

    def make(text: str) -> str:
        made.append(text)
        return text

    kept: Kept[str] = Kept(len, room=6)
    for text in ("aa", "bb", "aa", "cc", "aa", "dd", "aa", "bb"):
        assert kept.get(text, partial(make, text)) == text
    assert made == ["aa", "bb", "cc", "dd", "bb"]
    for text, key in (("large", "large"), ("no key", None)):
        for _ in range(2):
            kept.get(key, partial(make, text))
    assert made[5:] == ["large", "large", "no key", "no key"]


def test_what_is_kept_of_a_market_cannot_be_written_to(
    instruments: dict[str, Instrument],
) -> None:
    """And is made anew for another date and currency, and for a look back in time."""
    client = market_facts.make_client()
    forget()
    with client_scope(client.pk) as now:
        market = Market(client.pk, LAST, now)
        held = [instruments["NVDA"].pk]
        rows = market.rows(held[0], 60)
        levels, panel = market.levels(held, rows), market.panel(held, rows)
        with pytest.raises(ValueError, match="read-only"):
            levels[0] = 1.0
        assert not panel.returns.flags.writeable
        again = Market(client.pk, LAST, now)
        assert again.levels(held, rows) is levels
        assert again.panel(held, rows) is panel
        assert again.panel(held, rows, "USD") is not panel
        assert Market(client.pk, LAST - timedelta(days=1), now).panel(held, rows) is not panel
        past = Market(client.pk, LAST, now - timedelta(days=1))
        past.block = replace(again.block, is_current=False)
        assert past.panel(held, rows) is not past.panel(held, rows)
