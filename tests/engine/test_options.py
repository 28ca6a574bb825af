from __future__ import annotations

import math

import pytest
import QuantLib
from hypothesis import assume, given
from hypothesis import strategies as st

from analytics.engine.errors import DegenerateInputError, InvalidInputError
from analytics.engine.options import OptionTerms, implied_volatility, option_delta, option_price

SPOTS, STRIKES = st.floats(50, 300), st.floats(50, 300)
YEARS, VOLATILITIES = st.floats(0.02, 2), st.floats(0.05, 1.5)


@given(SPOTS, STRIKES, YEARS, VOLATILITIES, st.booleans())
def test_price_and_delta_agree_with_quantlib(
    spot: float, strike: float, years: float, volatility: float, is_call: bool
) -> None:
    terms = OptionTerms(
        spot=spot, strike=strike, years=years, rate=0.043, dividend_yield=0.004, is_call=is_call
    )
    oracle = QuantLib.BlackCalculator(
        QuantLib.PlainVanillaPayoff(
            QuantLib.Option.Call if is_call else QuantLib.Option.Put, strike
        ),
        spot * math.exp((0.043 - 0.004) * years),
        volatility * math.sqrt(years),
        math.exp(-0.043 * years),
    )
    assert option_price(terms, volatility) == pytest.approx(oracle.value(), abs=1e-10)
    assert option_delta(terms, volatility) == pytest.approx(oracle.delta(spot), abs=1e-10)


def test_price_agrees_with_hull_and_haug() -> None:
    hull = {"spot": 42.0, "strike": 40.0, "years": 0.5, "rate": 0.1}
    assert option_price(OptionTerms(**hull, is_call=True), 0.2) == pytest.approx(4.76, abs=0.005)
    assert option_price(OptionTerms(**hull, is_call=False), 0.2) == pytest.approx(0.81, abs=0.005)
    haug = OptionTerms(spot=100, strike=95, years=0.5, rate=0.1, dividend_yield=0.05, is_call=False)
    assert option_price(haug, 0.2) == pytest.approx(2.4648, abs=5e-5)


@given(SPOTS, STRIKES, YEARS, VOLATILITIES)
def test_puts_and_calls_are_in_parity(
    spot: float, strike: float, years: float, volatility: float
) -> None:
    call = OptionTerms(spot=spot, strike=strike, years=years, rate=0.04, is_call=True)
    put = OptionTerms(spot=spot, strike=strike, years=years, rate=0.04, is_call=False)
    gap = option_price(call, volatility) - option_price(put, volatility)
    assert gap == pytest.approx(spot - strike * math.exp(-0.04 * years), abs=1e-9)


@given(SPOTS, STRIKES, YEARS, VOLATILITIES, st.booleans())
def test_implied_volatility_inverts_the_price(
    spot: float, strike: float, years: float, volatility: float, is_call: bool
) -> None:
    terms = OptionTerms(spot=spot, strike=strike, years=years, rate=0.04, is_call=is_call)
    price = option_price(terms, volatility)
    assume(price - terms.lower_bound > 1e-6 * spot)
    assert implied_volatility(terms, price) == pytest.approx(volatility, rel=1e-6)


def test_a_stale_spot_shows_as_a_price_outside_its_bounds() -> None:
    call = OptionTerms(spot=585.0, strike=500.0, years=0.02, rate=0.04, is_call=True)
    with pytest.raises(InvalidInputError, match="same moment"):
        implied_volatility(call, 79.0)
    with pytest.raises(DegenerateInputError, match="no time value"):
        implied_volatility(call, call.lower_bound)


@pytest.mark.parametrize("name", ["spot", "strike", "years"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_terms_that_are_no_option_are_refused(name: str, value: float) -> None:
    terms = {"spot": 100.0, "strike": 100.0, "years": 1.0, "rate": 0.04, name: value}
    with pytest.raises(InvalidInputError, match=f"{name} must be positive"):
        OptionTerms(**terms, is_call=True)


def test_without_volatility_an_option_is_worth_its_discounted_intrinsic() -> None:
    terms = OptionTerms(spot=110, strike=100, years=1, rate=0.05, is_call=True)
    assert option_price(terms, 0.0) == pytest.approx(110 - 100 * math.exp(-0.05), rel=1e-14)
    with pytest.raises(InvalidInputError, match="volatility must be positive"):
        option_delta(terms, 0.0)
