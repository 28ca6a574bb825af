"""A hedge left alone: which quantities an offset compares, which index a fund followed when."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from analytics.models import Run
from portfolios.models import Client, Instrument, LeverageTerms, Price
from portfolios.services.data_version import data_version_bump
from portfolios.tenancy import operator_scope
from tests import market_facts
from tests.market_facts import SESSIONS

pytestmark = pytest.mark.django_db

HEDGE = Run.Kind.HEDGE_EFFECTIVENESS
SOXS = [{"instrument": "SOXS"}]
CHANGED = SESSIONS[-20]
SINCE = SESSIONS[-60]
Answer = Callable[..., Any]


@pytest.fixture
def book(client: Client, instruments: dict[str, Instrument]) -> Any:
    return market_facts.make_portfolio(client, instruments, {"NVDA": "500", "SOXS": "150"})


def follow_another_index(instruments: dict[str, Instrument], multiple: int = -2) -> Instrument:
    """SOXS follows NYSEMI, priced throughout, from `CHANGED` on."""
    rng = np.random.default_rng(3)
    closes = market_facts.closes_of(rng.normal(0, 0.02, len(SESSIONS) - 1))
    with operator_scope():
        index = market_facts.add_instrument(
            "NYSEMI", dict(zip(SESSIONS, closes, strict=True)), kind="index"
        )
        LeverageTerms.objects.create(
            instrument=instruments["SOXS"], valid_from=CHANGED, multiple=multiple,
            reference_index=index, expense_ratio="0.0095", swap_spread="0.004",
        )  # fmt: skip
        data_version_bump(None)
    return index


def returns_of(instrument: Instrument) -> np.ndarray:
    with operator_scope():
        closes = Price.objects.filter(instrument=instrument).order_by("session")
        values = np.array(closes.values_list("close", flat=True), dtype=np.float64)
    returns: np.ndarray = np.diff(values) / values[:-1]
    return returns


def test_coverage_follows_the_index_and_the_multiple_of_each_day(
    instruments: dict[str, Instrument], book: Any, answer: Answer
) -> None:
    other = follow_another_index(instruments)
    (drift,) = answer(HEDGE, book, hedging=SOXS, inception=SINCE)["result"]["coverage_drift"]
    before = returns_of(instruments["SOX"])[-59:-20]
    after = returns_of(other)[-20:]
    expected = np.prod((1 - 3 * before) / (1 + before)) * np.prod((1 - 2 * after) / (1 + after))
    assert drift["value"] == pytest.approx(expected, rel=1e-9)
    assert [(row["index_symbol"], row["multiple"]) for row in drift["terms"]] == [
        ("SOX", -3.0),
        ("NYSEMI", -2.0),
    ]
    assert drift["terms"][1]["from"] == CHANGED.isoformat()


def test_coverage_across_an_index_without_prices_is_refused(
    instruments: dict[str, Instrument], book: Any, answer: Answer
) -> None:
    index = follow_another_index(instruments)
    with operator_scope():
        Price.objects.filter(instrument=index, session__in=SESSIONS[-9:-7]).delete()
        data_version_bump(None)
    (drift,) = answer(HEDGE, book, hedging=SOXS, inception=SINCE)["result"]["coverage_drift"]
    assert (drift["value"], drift["code"]) == (None, "missing-price")
    assert "3 session(s)" in drift["reason"]


def test_coverage_before_the_first_terms_is_refused(
    instruments: dict[str, Instrument], book: Any, answer: Answer
) -> None:
    with operator_scope():
        LeverageTerms.objects.filter(instrument=instruments["SOXS"]).update(valid_from=CHANGED)
        data_version_bump(None)
    (drift,) = answer(HEDGE, book, hedging=SOXS, inception=SINCE)["result"]["coverage_drift"]
    assert (drift["value"], drift["code"]) == (None, "leverage-terms-gap")
    assert SESSIONS[-59].isoformat() in drift["reason"]


def steady(moves: dict[str, float]) -> dict[str, np.ndarray]:
    """The usual market, its last 60 sessions moved by so much a session."""
    returns = market_facts.simulated_returns()
    for symbol, move in moves.items():
        returns[symbol][-60:] += move
    return returns


def test_offset_that_depends_on_its_basis_is_inconclusive(client: Client, answer: Answer) -> None:
    """The fund fell to a third: its shares lost far more dollars than today's exposure shows."""
    instruments = market_facts.make_market(steady({"NVDA": 0.007, "SOXS": -0.02}))
    book = market_facts.make_portfolio(client, instruments, {"NVDA": "100", "SOXS": "100"})
    closes = {
        name: float(Price.objects.filter(instrument=instruments[name]).latest("session").close)
        for name in ("NVDA", "SOXS")
    }
    shares = 0.35 * 100 * closes["NVDA"] / closes["SOXS"]
    asked = [{"instrument": "SOXS", "quantity": Decimal(round(shares))}]
    result = answer(HEDGE, book, hedging=asked, window=60, tests=["dollar_offset"])["result"]
    offset = result["dollar_offset"]
    assert offset["cumulative"] > 1.25
    assert offset["constant_exposure"]["pass"] is True
    assert (offset["bases_agree"], offset["verdict"]) == (False, "inconclusive")
    assert result["verdict"] == "inconclusive"


def test_offset_counts_from_inception(
    instruments: dict[str, Instrument], book: Any, answer: Answer
) -> None:
    result = answer(HEDGE, book, hedging=SOXS, inception=SINCE)["result"]
    assert result["dollar_offset"]["n_obs"] == 59
    assert result["dollar_offset"]["first"] == SESSIONS[-59].isoformat()
    assert result["regression"]["n_obs"] == 252
