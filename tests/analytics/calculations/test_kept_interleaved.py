"""A process that keeps what it has read gives, after any change, what a new process would give."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from analytics.calculations import (
    kept_facts,
    kept_panels,
    price_store,
    semiconductor_beta,
    valuation,
)
from analytics.calculations.measures import Submission
from analytics.calculations.registry import MEASURES
from analytics.calculations.runner import compute_unit
from analytics.models import Run, Unit
from portfolios.errors import InvalidRequest
from portfolios.models import FxRate, Instrument, LeverageTerms, Portfolio, Price
from portfolios.services.data_version import data_version_bump
from portfolios.tenancy import client_scope, operator_scope
from tests import market_facts
from tests.callers import Caller, caller_create
from tests.market_facts import LAST, SESSIONS
from tests.sizes import sized

pytestmark = pytest.mark.django_db

FOREIGN = "TSM"
HELD = {"NVDA": "10", "SOXL": "20", FOREIGN: "30", "CASH.USD": "1000"}
DAYS = (LAST, SESSIONS[-2], SESSIONS[-40])
PARAMS: dict[str, dict[str, Any]] = {
    "semiconductor-beta": {"window": 126},
    "hedge-effectiveness": {
        "window": 126,
        "hedging": [{"instrument": "SOXS", "quantity": Decimal(5)}],
    },
    "leveraged-drag": {"instrument": "SOXL"},
    "tail-risk": {},
    "hedge-comparison": {},
}
Change = Callable[[random.Random, Caller, Portfolio], str]


def test_every_result_is_that_of_a_new_process(settings: Settings, tmp_path: Path) -> None:
    instruments = market_facts.make_market()
    _add_foreign(instruments)
    askers = []
    for slug in ("alpha", "omega"):
        caller = caller_create(slug)
        books = [
            market_facts.make_portfolio(caller.client, instruments, HELD, as_of=SESSIONS[-60]),
            market_facts.make_portfolio(caller.client, instruments, {"AMD": "7"}, name="Other"),
        ]
        askers.append((caller, books))
    draw = random.Random(5)  # noqa: S311  # the same in every run
    moments = [_now()]
    done: list[str] = []
    for step in range(sized(8, 60)):
        caller, books = draw.choice(askers)
        if step:
            done.append(draw.choice(CHANGES)(draw, caller, books[0]))
        moments.append(_now())
        for asker, owned in askers:
            for kind in draw.sample(sorted(PARAMS), sized(2, 3)):
                known_at = draw.choice(moments) if draw.random() < 0.3 else moments[-1]
                unit = _unit(asker, draw.choice(owned), kind, draw.choice(DAYS), known_at)
                if unit is None:
                    continue
                kept = compute_unit(unit)
                with new_process(settings, tmp_path / str(step)):
                    anew = compute_unit(unit)
                assert kept.body == anew.body, (step, kind, done)
                assert kept.inputs == anew.inputs, (step, kind, done)
    assert len(set(done)) >= sized(3, len(CHANGES))


def _add_foreign(instruments: dict[str, Instrument]) -> None:
    draw = random.Random(3)  # noqa: S311  # the same in every run
    closes, close = {}, 500.0
    for day in SESSIONS:
        close *= 1 + draw.gauss(0, 0.02)
        closes[day] = round(close, 4)
    with operator_scope():
        instruments[FOREIGN] = market_facts.add_instrument(
            FOREIGN, closes, kind="equity", currency="TWD"
        )
        for day in SESSIONS:
            rate = Decimal(draw.randrange(300, 340)) / 10_000
            _fx(day, rate)


def _fx(day: date, rate: Decimal) -> None:
    FxRate.objects.create(base="TWD", quote="USD", session=day, rate=rate)


def _unit(
    asker: Caller, book: Portfolio, kind: str, as_of: date, known_at: datetime
) -> Unit | None:
    with client_scope(asker.client.pk):
        book = Portfolio.objects.select_related("benchmark", "market_benchmark").get(pk=book.pk)
        try:
            params = MEASURES[kind].normalize(
                Submission(asker.client, book, as_of, ""), {"inception": None, **PARAMS[kind]}
            )
        except InvalidRequest:
            return None
    run = Run(client=asker.client, kind=kind, portfolio=book, as_of=as_of, known_at=known_at)
    return Unit(run=run, params=params)


@contextmanager
def new_process(settings: Settings, folder: Path) -> Iterator[None]:
    """As if nothing had been read before; what was is there again afterwards."""
    stores: tuple[kept_panels.Kept[Any], ...] = (
        kept_panels.kept_levels,
        kept_panels.kept_panels,
        semiconductor_beta._kept,
        valuation._valued,
    )
    mappings: tuple[Any, ...] = (kept_facts.kept_states, price_store._open)
    mappings += tuple(store._made for store in stores)
    kept = [dict(mapping) for mapping in mappings]
    numbers = [store._numbers for store in stores]
    before = settings.STATE_DIR
    for mapping in mappings:
        mapping.clear()
    settings.STATE_DIR = folder
    try:
        yield
    finally:
        settings.STATE_DIR = before
        for mapping, was in zip(mappings, kept, strict=True):
            mapping.clear()
            mapping.update(was)
        for store, number in zip(stores, numbers, strict=True):
            store._numbers = number


def _now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment


def _own_price(draw: random.Random, caller: Caller, book: Portfolio) -> str:
    symbol = draw.choice(("NVDA", "SOXL", "SOX", "SPY", FOREIGN))
    day = draw.choice(SESSIONS[-130:])
    close = f"{draw.uniform(50, 500):.4f}"
    row = {"instrument": symbol, "session": day.isoformat(), "close": close, "confirm_jump": True}
    _done(caller.post("/v1/prices", {"prices": [row]}))
    return "own price"


def _shared_price(draw: random.Random, caller: Caller, book: Portfolio) -> str:
    now = _now()
    with operator_scope():
        price = draw.choice(
            list(Price.objects.filter(client=None, superseded_at=None, session__in=DAYS))
        )
        Price.objects.filter(pk=price.pk).update(superseded_at=now)
        price.pk, price.recorded_at = None, now
        price.close *= Decimal(str(round(draw.uniform(0.9, 1.1), 3)))
        price.save(force_insert=True)
        data_version_bump(None)
    return "shared price"


def _own_rate(draw: random.Random, caller: Caller, book: Portfolio) -> str:
    pair = draw.choice(({"base": "TWD", "quote": "USD"}, {"base": "USD", "quote": "TWD"}))
    rate = draw.uniform(0.030, 0.034)
    rate = rate if pair["base"] == "TWD" else 1 / rate
    row = {**pair, "session": draw.choice(SESSIONS[-130:]).isoformat(), "rate": f"{rate:.6f}"}
    _done(caller.post("/v1/fx-rates", {"rates": [row]}))
    return "own rate"


def _split(draw: random.Random, caller: Caller, book: Portfolio) -> str:
    row = {
        "instrument": draw.choice(("NVDA", "SOXL", FOREIGN)),
        "ex_date": draw.choice(SESSIONS[-100:]).isoformat(),
        "kind": "split",
        "new_shares": draw.choice((2, 3)),
        "old_shares": 1,
    }
    _done(caller.post("/v1/corporate-actions", {"actions": [row]}))
    return "split"


def _positions(draw: random.Random, caller: Caller, book: Portfolio) -> str:
    rows = [{"instrument": s, "quantity": str(draw.randrange(1, 99))} for s in HELD]
    day = draw.choice(DAYS).isoformat()
    path = f"/v1/portfolios/{book.public_id}/positions?as_of={day}"
    _done(caller.put(path, {"positions": rows, "source": "test"}))
    return "positions"


def _currency(draw: random.Random, caller: Caller, book: Portfolio) -> str:
    """Of an instrument, which only the operator changes."""
    with operator_scope():
        found = Instrument.objects.get(symbol=FOREIGN)
        found.currency = "USD" if found.currency == "TWD" else "TWD"
        found.save()
        data_version_bump(None)
    return "currency"


def _base_currency(draw: random.Random, caller: Caller, book: Portfolio) -> str:
    path = f"/v1/portfolios/{book.public_id}"
    seen = caller.get(path)
    other = "TWD" if seen.body["base_currency"] == "USD" else "USD"
    tag = seen.headers["ETag"]
    _done(caller.send("PATCH", path, {"base_currency": other}, If_Match=tag))
    return "base currency"


def _terms(draw: random.Random, caller: Caller, book: Portfolio) -> str:
    with operator_scope():
        fund = Instrument.objects.get(symbol="SOXL")
        LeverageTerms.objects.update_or_create(
            instrument=fund, client=None, valid_from=draw.choice(SESSIONS[-60:]),
            defaults={
                "multiple": draw.choice((2, 3)),
                "reference_index": Instrument.objects.get(symbol="SOX"),
                "expense_ratio": "0.0095",
            },
        )  # fmt: skip
        data_version_bump(None)
    return "terms"


def _done(answer: Any) -> None:
    assert answer.status < 300, answer.content


CHANGES: tuple[Change, ...] = (
    _own_price, _shared_price, _own_rate, _split, _positions, _currency, _base_currency, _terms,
)  # fmt: skip
