"""Options whose quotes were made at another spot than the one stated beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from analytics.engine.options import OptionTerms as EngineTerms
from analytics.engine.options import option_delta, option_price
from analytics.models import Run
from portfolios.models import (
    Client,
    CorporateAction,
    Instrument,
    OptionQuote,
    OptionTerms,
    Price,
    RateObservation,
)
from portfolios.services.data_version import data_version_bump
from portfolios.tenancy import operator_scope
from tests import market_facts
from tests.market_facts import LAST, SESSIONS

pytestmark = pytest.mark.django_db

BETA = Run.Kind.SEMICONDUCTOR_BETA
RATE, VOLATILITY, DAYS = 0.04, 0.55, 30


def quote_chain(
    underlying: Instrument, *, quoted_at_spot: float, stated: float, dividend_yield: float = 0.0
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
                    dividend_yield=dividend_yield, is_call=right == "call",
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


def hold_again(client: Client, instruments: dict[str, Instrument]) -> Any:
    """The same holdings, of the date, in shares after a split of four for one."""
    return market_facts.make_portfolio(
        client, instruments, {"NVDA": "4000", "PUT": "2"}, name="Options after"
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


def pay(instrument: Instrument, day: date, **terms: Any) -> None:
    with operator_scope():
        CorporateAction.objects.create(instrument=instrument, ex_date=day, **terms)
        data_version_bump(None)


def test_options_are_valued_with_the_yield_of_the_last_twelve_months(
    client: Client, instruments: dict[str, Instrument], answer: Callable[..., Any], stated: float
) -> None:
    """Two distributions, one of them before a 2:1 split and one too old to count."""
    nvda = instruments["NVDA"]
    expected = float(np.log1p((4 / 2 + 3) / stated))
    options = quote_chain(nvda, quoted_at_spot=stated, stated=stated, dividend_yield=expected)
    pay(nvda, SESSIONS[-270], kind="distribution", amount="9")
    pay(nvda, SESSIONS[-150], kind="distribution", amount="4")
    pay(nvda, SESSIONS[-100], kind="split", new_shares=2, old_shares=1)
    pay(nvda, SESSIONS[-50], kind="distribution", amount="3")
    result = answer(BETA, hold(client, instruments, options["put0"]))["result"]
    (row,) = [row for row in result["contributions"] if row["symbol"].endswith("put0")]
    assert "quotes-out-of-step" not in {note["code"] for note in result["warnings"]}
    assert row["dividend_yield"] == pytest.approx(expected, rel=1e-12)
    terms = EngineTerms(
        spot=stated, strike=round(stated, 2), years=DAYS / 365, rate=RATE,
        dividend_yield=expected, is_call=False,
    )  # fmt: skip
    assert row["delta"] == pytest.approx(option_delta(terms, 0.9), abs=1e-9)
    assert row["delta"] != pytest.approx(
        option_delta(replace(terms, dividend_yield=0.0), 0.9), abs=1e-4
    )


def test_option_quoted_before_a_split_is_adjusted(
    client: Client, instruments: dict[str, Instrument], answer: Callable[..., Any], stated: float
) -> None:
    """Quoted on Friday; on Monday one share became four, at a quarter of the price."""
    nvda = instruments["NVDA"]
    friday = datetime.combine(SESSIONS[-2], time(15), tzinfo=UTC)
    options = quote_chain(nvda, quoted_at_spot=stated, stated=stated)
    before = answer(BETA, hold(client, instruments, options["put0"]))["result"]
    with operator_scope():
        OptionQuote.objects.update(quoted_at=friday)
        last = Price.objects.get(instrument=nvda, session=LAST)
        assert last.close is not None
        Price.objects.filter(pk=last.pk).update(close=last.close / 4)
    pay(nvda, LAST, kind="split", new_shares=4, old_shares=1)
    after = answer(BETA, hold_again(client, instruments))["result"]
    (note,) = [row for row in after["warnings"] if row["code"] == "option-adjusted-for-split"]
    assert f"strike is {round(stated, 2) / 4:g}" in note["message"]
    assert "400 shares" in note["message"]
    rows = [
        next(row for row in found["contributions"] if row["symbol"].endswith("put0"))
        for found in (before, after)
    ]
    for name in ("delta", "market_value", "exposure"):
        assert float(rows[1][name]) == pytest.approx(float(rows[0][name]), rel=1e-4)


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
