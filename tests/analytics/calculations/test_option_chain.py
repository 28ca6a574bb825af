"""Options whose quotes were made at another spot than the one stated beside them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from analytics.engine.options import OptionTerms as EngineTerms
from analytics.engine.options import option_delta, option_price
from analytics.models import Run
from portfolios.models import Client, Instrument, OptionQuote, OptionTerms, RateObservation
from portfolios.services.data_version import data_version_bump
from portfolios.tenancy import operator_scope
from tests import market_facts
from tests.market_facts import LAST

pytestmark = pytest.mark.django_db

BETA = Run.Kind.SEMICONDUCTOR_BETA
RATE, VOLATILITY, DAYS = 0.04, 0.55, 30


def quote_chain(
    underlying: Instrument, *, quoted_at_spot: float, stated: float
) -> dict[str, Instrument]:
    """Nine strikes, quoted at one spot and delivered with another; a wrong volatility beside."""
    found: dict[str, Instrument] = {}
    quoted_at = datetime.combine(LAST, time(15), tzinfo=UTC)
    with operator_scope():
        RateObservation.objects.create(series="DTB3", session=LAST, value=RATE)
        for step in range(-4, 5):
            strike = round(stated * (1 + step / 100), 2)
            for right in ("call", "put"):
                terms = EngineTerms(
                    spot=quoted_at_spot, strike=strike, years=DAYS / 365, rate=RATE,
                    is_call=right == "call",
                )  # fmt: skip
                price = option_price(terms, VOLATILITY)
                option = Instrument.objects.create(
                    symbol=f"{underlying.symbol}{right}{step}", kind="option"
                )
                OptionTerms.objects.create(
                    instrument=option, underlying=underlying, right=right,
                    strike=Decimal(str(strike)), expiry=LAST + timedelta(days=DAYS),
                )  # fmt: skip
                OptionQuote.objects.create(
                    instrument=option, quoted_at=quoted_at, underlying_price=stated,
                    implied_volatility=0.9, bid=Decimal(repr(price - 0.005)),
                    ask=Decimal(repr(price + 0.005)),
                )  # fmt: skip
                found[f"{right}{step}"] = option
        data_version_bump(None)
    return found


@pytest.fixture
def stated() -> float:
    return float(market_facts.closes_of(market_facts.simulated_returns()["NVDA"])[-1])


def hold(client: Client, instruments: dict[str, Instrument], option: Instrument) -> Any:
    instruments["PUT"] = option
    return market_facts.make_portfolio(
        client, instruments, {"NVDA": "1000", "PUT": "2"}, name="Options"
    )


def test_quotes_out_of_step_are_valued_where_puts_and_calls_agree(
    client: Client, instruments: dict[str, Instrument], answer: Callable[..., Any], stated: float
) -> None:
    spot = stated * 1.02
    options = quote_chain(instruments["NVDA"], quoted_at_spot=spot, stated=stated)
    result = answer(BETA, hold(client, instruments, options["put0"]))["result"]
    (note,) = [row for row in result["warnings"] if row["code"] == "quotes-out-of-step"]
    assert note["implied"] == pytest.approx(spot, rel=1e-4)
    assert note["stated"] == pytest.approx(stated)
    terms = EngineTerms(
        spot=spot, strike=round(stated, 2), years=DAYS / 365, rate=RATE, is_call=False
    )
    delta = option_delta(terms, VOLATILITY)
    (row,) = [row for row in result["contributions"] if row["symbol"].endswith("put0")]
    assert row["delta"] == pytest.approx(delta, abs=2e-3)
    assert float(row["exposure"]) == pytest.approx(200 * delta * spot, rel=5e-3)


def test_quotes_in_step_keep_their_spot_and_volatility(
    client: Client, instruments: dict[str, Instrument], answer: Callable[..., Any], stated: float
) -> None:
    options = quote_chain(instruments["NVDA"], quoted_at_spot=stated, stated=stated)
    result = answer(BETA, hold(client, instruments, options["put0"]))["result"]
    assert "quotes-out-of-step" not in {row["code"] for row in result["warnings"]}
    terms = EngineTerms(
        spot=stated, strike=round(stated, 2), years=DAYS / 365, rate=RATE, is_call=False
    )
    (row,) = [row for row in result["contributions"] if row["symbol"].endswith("put0")]
    assert row["delta"] == pytest.approx(option_delta(terms, 0.9), abs=1e-6)


def test_ladder_reprices_the_put(
    client: Client, instruments: dict[str, Instrument], answer: Callable[..., Any], stated: float
) -> None:
    options = quote_chain(instruments["NVDA"], quoted_at_spot=stated, stated=stated)
    book = hold(client, instruments, options["put0"])
    result = answer(BETA, book, detail=["gamma_ladder"])["result"]
    steps = result["gamma_ladder"]["steps"]
    assert steps[3]["beta"] == pytest.approx(result["beta_nav"]["value"], abs=1e-9)
    nav, beta = float(result["nav"]["value"]), result["beta_nav"]["value"]
    for row in steps:
        if row["move"]:
            assert float(row["profit"]) > nav * beta * row["move"]
        assert float(row["gamma_per_1pct"]) > 0
