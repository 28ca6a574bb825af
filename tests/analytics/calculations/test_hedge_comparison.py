"""Hedges side by side, as served: priced by the chain on file, else by realized volatility."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from analytics.engine.hedge import compare_hedges, standard_hedges
from analytics.engine.options import OptionTerms as EngineTerms
from analytics.engine.options import option_price
from analytics.models import Run
from portfolios.models import (
    Client,
    Instrument,
    LeverageTerms,
    OptionQuote,
    OptionTerms,
    RateObservation,
)
from portfolios.services.data_version import data_version_bump
from portfolios.tenancy import operator_scope
from tests import market_facts

pytestmark = pytest.mark.django_db

COMPARISON = Run.Kind.HEDGE_COMPARISON
NAMES = ["short", "bear1x", "bear3x", "put", "put_spread", "collar"]
Answer = Callable[..., Any]


@pytest.fixture
def rate(instruments: dict[str, Instrument]) -> float:
    with operator_scope():
        RateObservation.objects.create(series="DTB3", session=market_facts.LAST, value=0.04)
        data_version_bump(None)
    return 0.04


def quote_chain(underlying: Instrument, spot: float, volatility: float, rate: float) -> None:
    """Fifteen strikes around the spot, thirty days out, quoted at the model's price."""
    quoted_at = datetime.combine(market_facts.LAST, time(15), tzinfo=UTC)
    with operator_scope():
        for step in range(-7, 8):
            strike = round(spot * (1 + step / 100), 2)
            for right, is_call in (("call", True), ("put", False)):
                terms = EngineTerms(
                    spot=spot, strike=strike, years=30 / 365, rate=rate, is_call=is_call
                )
                price = option_price(terms, volatility)
                option = Instrument.objects.create(
                    symbol=f"{underlying.symbol}{right}{step}", kind="option"
                )
                OptionTerms.objects.create(
                    instrument=option, underlying=underlying, right=right,
                    strike=Decimal(str(strike)),
                    expiry=market_facts.LAST + timedelta(days=30),
                )  # fmt: skip
                OptionQuote.objects.create(
                    instrument=option, quoted_at=quoted_at, underlying_price=spot,
                    bid=Decimal(repr(price - 0.005)), ask=Decimal(repr(price + 0.005)),
                )  # fmt: skip
        data_version_bump(None)


def test_all_start_with_the_same_delta_and_equal_the_engine(
    answer: Answer, instruments: dict[str, Instrument], rate: float
) -> None:
    unit = answer(
        COMPARISON, None, notional=Decimal(1_000_000), underlying="SOX",
        volatility=0.48, moves=[-0.15, 0.0, 0.15], horizon_sessions=[10], days_to_expiry=14,
    )  # fmt: skip
    assert unit["status"] == "ok", unit
    result = unit["result"]
    assert [hedge["name"] for hedge in result["hedges"]] == NAMES
    expected = compare_hedges(
        standard_hedges(result["underlying"]["spot"], 0.48, 14 / 365, rate=rate),
        notional=1e6, annual_volatility=0.48, moves=(-0.15, 0.0, 0.15), horizons=[10],
        calendar_days_per_session=365 / 252,
    )  # fmt: skip
    for hedge in result["hedges"]:
        (horizon,) = hedge["horizons"]
        found = expected.hedge(hedge["name"])
        for row, path in enumerate(("smooth", "choppy")):
            profits = [float(text) for text in horizon["paths"][path]["profit"]]
            assert profits == pytest.approx(found.profit[row, 0], abs=0.006)
            assert horizon["paths"][path]["coverage"][1] is None
        assert horizon["effectiveness"] == pytest.approx(found.effectiveness[0])
    short = result["hedges"][0]
    assert (short["worst_case_loss"], short["legs"][0]["value"]) == (None, "-1000000.00")


def test_volatility_is_implied_by_the_chain_on_file(
    answer: Answer, instruments: dict[str, Instrument], rate: float
) -> None:
    quote_chain(instruments["SOX"], 250.0, 0.55, rate)
    result = answer(COMPARISON, None, notional=Decimal(100_000), underlying="SOX")["result"]
    implied = result["implied_volatility"]
    assert implied["source"] == "chain"
    assert implied["value"] == pytest.approx(0.55, abs=1e-3)
    assert implied["parity_spot"] == pytest.approx(250.0, abs=0.01)
    assert result["path_volatility"]["value"] == result["realized_volatility"]["value"]


def test_without_a_chain_realized_volatility_stands_in_and_says_so(
    answer: Answer, instruments: dict[str, Instrument]
) -> None:
    result = answer(COMPARISON, None, notional=Decimal(100_000), underlying="SOX")["result"]
    assert result["implied_volatility"]["source"] == "realized"
    assert result["implied_volatility"]["value"] == result["realized_volatility"]["value"]
    codes = {row["code"] for row in result["warnings"]}
    assert codes == {"realized-volatility", "no-short-rate", "no-fund-terms"}


def test_carry_is_that_of_the_fund_on_file(
    answer: Answer, instruments: dict[str, Instrument], rate: float
) -> None:
    result = answer(
        COMPARISON, None, notional=Decimal(300_000), underlying="SOX", horizon_sessions=[5]
    )["result"]
    by_name = {hedge["name"]: hedge for hedge in result["hedges"]}
    yearly = 0.0095 + 3 * 0.004 - 4 * rate
    days = 5 * 365 / 252
    (horizon,) = by_name["bear3x"]["horizons"]
    assert float(horizon["carry_cost"]) == pytest.approx(100_000 * yearly * days / 365, abs=0.01)
    assert by_name["bear1x"]["horizons"][0]["carry_cost"] is None
    assert by_name["short"]["horizons"][0]["carry_cost"] is None
    assert by_name["put"]["horizons"][0]["carry_cost"] == "0.00"
    with operator_scope():
        assert not LeverageTerms.objects.filter(multiple=-1).exists()


def test_a_book_that_is_not_long_has_nothing_to_hedge(
    answer: Answer, client: Client, instruments: dict[str, Instrument]
) -> None:
    book = market_facts.make_portfolio(client, instruments, {"SOXS": "10"})
    unit = answer(COMPARISON, book)
    assert (unit["status"], unit["problem"]["code"]) == ("degenerate", "no-exposure")
