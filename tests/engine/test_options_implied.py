from __future__ import annotations

import numpy as np
import pytest
import QuantLib
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from analytics.engine.errors import DegenerateInputError, InvalidInputError
from analytics.engine.options import (
    OptionTerms,
    event_volatility,
    expected_absolute_move,
    implied_move,
    implied_volatilities,
    implied_volatility,
    option_batch,
    option_price,
    option_prices,
    theta_bleed,
)
from analytics.engine.types import FailureReason

PUT = OptionTerms(
    spot=250, strike=240, years=14 / 365, rate=0.043, dividend_yield=0.004, is_call=False
)


@given(
    st.floats(0.2, 5), st.floats(1 / 8760, 3), st.floats(0.02, 4), st.booleans(),
)  # fmt: skip
def test_a_volatility_comes_back_from_its_price_as_well_as_the_price_holds_it(
    moneyness: float, years: float, volatility: float, is_call: bool
) -> None:
    batch = option_batch(
        spot=100, strike=100 * moneyness, years=years, rate=0.04, is_call=np.array([is_call])
    )
    price = option_prices(batch, volatility)
    assume(price[0] - batch.lower_bound[0] > 1e-10)
    assume(batch.upper_bound[0] - price[0] > 1e-6)
    found = implied_volatilities(batch, price).at(0)
    again = option_prices(batch, found)
    # Far from the money a price is the difference of two larger numbers, rounded.
    assert_allclose(again, price, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("volatility", [0.05, 0.48, 1.9])
@pytest.mark.parametrize("moneyness", [0.7, 0.96, 1.0, 1.3])
def test_implied_volatility_agrees_with_quantlib(moneyness: float, volatility: float) -> None:
    terms = OptionTerms(spot=100, strike=100 * moneyness, years=0.25, rate=0.0, is_call=True)
    price = option_price(terms, volatility)
    if price - terms.lower_bound < 1e-8:
        return  # No time value is left in the price: see the batch's degenerate failure.
    oracle = QuantLib.blackFormulaImpliedStdDev(
        QuantLib.Option.Call, terms.strike, 100.0, price, 1.0, 0.0, 0.3, 1e-14, 1000
    )
    assert implied_volatility(terms, price) == pytest.approx(oracle / 0.5, rel=1e-7)


def test_tiny_prices_far_from_the_money_have_a_volatility() -> None:
    terms = OptionTerms(spot=100, strike=300, years=7 / 365, rate=0.0, is_call=True)
    price = option_price(terms, 1.4)
    assert 0 < price < 1e-6
    assert implied_volatility(terms, price) == pytest.approx(1.4, rel=1e-10)


def test_a_batch_answers_what_it_can() -> None:
    batch = option_batch(
        spot=100, strike=[100.0, 100.0, 80.0, 80.0, 100.0], years=0.1, rate=0.0,
        is_call=np.ones(5, dtype=bool),
    )  # fmt: skip
    found = implied_volatilities(batch, [4.0, np.nan, 20.0, 19.0, 99.9999])
    assert found.ok.tolist() == [True, False, False, False, False]
    assert [failure.reason for failure in found.failures if failure] == [
        FailureReason.INSUFFICIENT_DATA,
        FailureReason.DEGENERATE,
        FailureReason.INVALID_INPUT,
        FailureReason.INVALID_INPUT,
    ]
    assert found.at(0) == pytest.approx(4.0 / 100 / np.sqrt(0.1 / (2 * np.pi)), rel=1e-3)
    with pytest.raises(DegenerateInputError, match="no time value"):
        found.at(2)
    with pytest.raises(InvalidInputError, match="same moment"):
        found.at(3)
    with pytest.raises(InvalidInputError, match="above 2000%"):
        found.at(4)


def test_waiting_costs_more_than_a_straight_line_says() -> None:
    bleed = theta_bleed(PUT, 0.48, 7)
    later = OptionTerms(
        spot=250, strike=240, years=7 / 365, rate=0.043, dividend_yield=0.004, is_call=False
    )
    assert bleed.remaining_value == option_price(later, 0.48)
    assert bleed.by_repricing == pytest.approx(2.279, abs=5e-4)
    assert bleed.by_theta == pytest.approx(2.009, abs=5e-4)


@pytest.mark.parametrize("days", [14, 20])
def test_past_its_expiry_an_option_has_lost_its_time_value(days: float) -> None:
    bleed = theta_bleed(PUT, 0.48, days)
    assert bleed.remaining_value == 0.0
    assert bleed.by_repricing == option_price(PUT, 0.48)


def test_a_straddle_prices_the_expected_absolute_move() -> None:
    call, put = (
        option_price(OptionTerms(spot=250, strike=250, years=7 / 365, rate=0.0, is_call=side), 0.48)
        for side in (True, False)
    )
    move = implied_move(call, put, 250)
    rough = expected_absolute_move(0.48, 7 / 365)
    assert move.expected_absolute == pytest.approx(rough, rel=1e-3)
    assert move.standard_deviation == pytest.approx(0.48 * np.sqrt(7 / 365), rel=1e-3)


@given(st.floats(0.1, 1.0), st.floats(0.02, 0.2), st.floats(3, 30), st.floats(1, 60))
def test_an_event_put_into_two_expiries_is_found_again(
    base: float, move: float, front_days: float, between: float
) -> None:
    front, back = front_days / 365, (front_days + between) / 365
    ordinary = base**2 / 365
    front_variance = ordinary * (front_days - 1) + move**2
    back_variance = front_variance + ordinary * between
    found = event_volatility(
        float(np.sqrt(front_variance / front)), front, float(np.sqrt(back_variance / back)), back
    )
    assert found.event_move == pytest.approx(move, rel=1e-6)
    assert found.base_volatility == pytest.approx(base, rel=1e-6)
    assert found.event_day_volatility == pytest.approx(move * np.sqrt(365), rel=1e-6)


@pytest.mark.parametrize(
    ("quotes", "message"),
    [
        ((0.5, 0.1, 0.5, 0.1), "order the expiries"),
        ((0.9, 0.1, 0.2, 0.2), "back expiry has less variance"),
        ((0.3, 0.1, 0.5, 0.2), "no event before it"),
        ((0.5, 0.001, 0.5, 0.1), "beyond the front expiry"),
        ((0.0, 0.1, 0.5, 0.2), "front_volatility must be positive"),
    ],
)
def test_quotes_that_cannot_hold_an_event_are_refused(
    quotes: tuple[float, float, float, float], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        event_volatility(*quotes)
