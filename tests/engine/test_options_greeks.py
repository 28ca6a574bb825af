from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import QuantLib
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from analytics.engine.errors import InvalidInputError
from analytics.engine.options import (
    OptionTerms,
    early_exercise_bound,
    greeks_batch,
    option_batch,
    option_greeks,
    option_price,
    option_prices,
)

RATE, YIELD = 0.043, 0.012
# Strikes from a third to three times the spot, from an hour to five years.
MONEYNESS, YEARS, VOLATILITIES = (
    st.floats(1 / 3, 3), st.floats(1 / 8760, 5), st.floats(0.03, 2.5)
)  # fmt: skip


def quantlib(terms: OptionTerms, volatility: float) -> QuantLib.BlackCalculator:
    side = QuantLib.Option.Call if terms.is_call else QuantLib.Option.Put
    carry = terms.rate - terms.dividend_yield
    return QuantLib.BlackCalculator(
        QuantLib.PlainVanillaPayoff(side, terms.strike),
        terms.spot * math.exp(carry * terms.years),
        volatility * math.sqrt(terms.years),
        math.exp(-terms.rate * terms.years),
    )


@given(MONEYNESS, YEARS, VOLATILITIES, st.booleans())
def test_every_first_order_greek_agrees_with_quantlib(
    moneyness: float, years: float, volatility: float, is_call: bool
) -> None:
    terms = OptionTerms(
        spot=250, strike=250 * moneyness, years=years, rate=RATE, dividend_yield=YIELD,
        is_call=is_call,
    )  # fmt: skip
    oracle = quantlib(terms, volatility)
    found = option_greeks(terms, volatility)
    pairs = (
        (found.price, oracle.value()),
        (found.delta, oracle.delta(250)),
        (found.gamma, oracle.gamma(250)),
        (found.vega, oracle.vega(years)),
        (found.theta, oracle.theta(250, years)),
        (found.rho, oracle.rho(years)),
        (found.dividend_rho, oracle.dividendRho(years)),
        (found.strike_delta, oracle.strikeSensitivity()),
    )
    for ours, theirs in pairs:
        assert ours == pytest.approx(theirs, rel=1e-8, abs=1e-8)
    # Of a call: QuantLib gives the same for the put.
    finishes_above = oracle.itmCashProbability()
    expected = finishes_above if is_call else 1 - finishes_above
    assert found.exercise_probability == pytest.approx(expected, abs=1e-12)


def slope(of: Callable[[float], float], at: float, step: float) -> float:
    """Derivative by central differences, extrapolated to order six."""
    first, second, third = ((of(at + h) - of(at - h)) / (2 * h) for h in (step, step / 2, step / 4))
    return ((16 * (4 * third - second)) / 3 - (4 * second - first) / 3) / 15


@pytest.mark.parametrize("is_call", [True, False])
@pytest.mark.parametrize("strike", [80.0, 100.0, 130.0])
def test_higher_greeks_are_derivatives_of_the_lower(strike: float, is_call: bool) -> None:
    terms = OptionTerms(
        spot=100, strike=strike, years=0.7, rate=RATE, dividend_yield=YIELD, is_call=is_call
    )
    found = option_greeks(terms, 0.45)

    def by(name: str, which: str) -> float:
        def value(at: float) -> float:
            if which == "volatility":
                return float(getattr(option_greeks(terms, at), name))
            moved = replace(terms, spot=at) if which == "spot" else replace(terms, years=at)
            return float(getattr(option_greeks(moved, 0.45), name))

        start = 0.45 if which == "volatility" else getattr(terms, which)
        return slope(value, start, 0.02 * start)

    assert_allclose(
        [found.vanna, found.volga, found.speed, found.zomma],
        [by("delta", "volatility"), by("vega", "volatility"), by("gamma", "spot"),
         by("gamma", "volatility")],
        rtol=1e-6, atol=1e-10,
    )  # fmt: skip
    # Time that passes shortens the time to expiry.
    assert_allclose(
        [found.theta, found.charm, found.veta, found.color],
        [-by("price", "years"), -by("delta", "years"), -by("vega", "years"),
         -by("gamma", "years")],
        rtol=1e-6, atol=1e-10,
    )  # fmt: skip


@given(MONEYNESS, YEARS, VOLATILITIES)
def test_values_obey_the_differential_equation(
    moneyness: float, years: float, volatility: float
) -> None:
    terms = OptionTerms(
        spot=100, strike=100 * moneyness, years=years, rate=RATE, dividend_yield=YIELD,
        is_call=False,
    )  # fmt: skip
    found = option_greeks(terms, volatility)
    carry = RATE * found.price - (RATE - YIELD) * 100 * found.delta
    curvature = 0.5 * volatility**2 * 100**2 * found.gamma
    assert found.theta + curvature == pytest.approx(carry, rel=1e-8, abs=1e-8 * (1 + curvature))


def test_units_are_the_stated_ones() -> None:
    terms = OptionTerms(spot=49, strike=50, years=0.3846, rate=0.05, is_call=True)
    found = option_greeks(terms, 0.20)
    point = option_price(terms, 0.201) - option_price(terms, 0.199)
    assert found.vega_per_point == pytest.approx(point / 0.2, rel=1e-4)
    higher = option_price(replace(terms, rate=0.051), 0.2) - option_price(terms, 0.2)
    assert found.rho_per_point == pytest.approx(10 * higher, rel=1e-2)
    waited = option_price(replace(terms, years=0.3846 - 1 / 365), 0.2) - found.price
    assert found.theta_per_day == pytest.approx(waited, rel=5e-3)


def test_a_batch_equals_its_options_one_by_one() -> None:
    strikes = np.array([60.0, 100.0, 140.0])
    calls = np.array([True, False, True])
    batch = option_batch(spot=100, strike=strikes, years=0.3, rate=0.04, is_call=calls)
    found = greeks_batch(batch, [0.6, 0.4, 0.5])
    for row, (strike, call, volatility) in enumerate(
        zip(strikes.tolist(), calls.tolist(), [0.6, 0.4, 0.5], strict=True)
    ):
        terms = OptionTerms(spot=100, strike=strike, years=0.3, rate=0.04, is_call=call)
        assert found.at(row) == option_greeks(terms, volatility)


def test_time_value_keeps_its_digits_deep_in_the_money() -> None:
    # The put of the same strike is worth 1e-13; beside a call of 90 naive subtraction loses it.
    batch = option_batch(
        spot=100, strike=[10.0, 10.0], years=0.25, rate=0.0, is_call=np.array([True, False])
    )
    call, put = option_prices(batch, 0.6)
    oracle = quantlib(
        OptionTerms(spot=100, strike=10, years=0.25, rate=0.0, is_call=False), 0.6
    ).value()
    assert put == pytest.approx(oracle, rel=1e-9)
    assert 0 < put < 1e-10
    assert call == pytest.approx(90.0, abs=1e-12)


def test_an_option_at_its_expiry_is_its_intrinsic_value() -> None:
    batch = option_batch(
        spot=[90.0, 110.0], strike=100, years=0.0, rate=0.05, is_call=np.array([False, False])
    )
    assert option_prices(batch, 0.5).tolist() == [10.0, 0.0]
    with pytest.raises(InvalidInputError, match="at expiry there are no sensitivities"):
        greeks_batch(batch, 0.5)


@pytest.mark.parametrize("is_call", [True, False])
@pytest.mark.parametrize("strike", [85.0, 100.0, 120.0])
def test_early_exercise_adds_less_than_its_bound(strike: float, is_call: bool) -> None:
    today = QuantLib.Date(15, 7, 2026)
    QuantLib.Settings.instance().evaluationDate = today
    counter = QuantLib.Actual365Fixed()
    flat = [
        QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(today, level, counter))
        for level in (0.03, 0.05)
    ]
    volatility = QuantLib.BlackVolTermStructureHandle(
        QuantLib.BlackConstantVol(today, QuantLib.NullCalendar(), 0.4, counter)
    )
    spot = QuantLib.QuoteHandle(QuantLib.SimpleQuote(100.0))
    process = QuantLib.BlackScholesMertonProcess(spot, *flat, volatility)
    option = QuantLib.VanillaOption(
        QuantLib.PlainVanillaPayoff(
            QuantLib.Option.Call if is_call else QuantLib.Option.Put, strike
        ),
        QuantLib.AmericanExercise(today, today + 180),
    )
    option.setPricingEngine(QuantLib.BinomialVanillaEngine(process, "crr", 801))
    terms = OptionTerms(
        spot=100, strike=strike, years=180 / 365, rate=0.05, dividend_yield=0.03, is_call=is_call
    )
    premium = option.NPV() - option_price(terms, 0.4)
    assert -0.01 < premium < early_exercise_bound(terms)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"spot": [100.0, -1.0]}, "spot must be positive everywhere"),
        ({"strike": np.nan}, "strike has 1 entries that are not finite"),
        ({"years": -0.1}, "leave out options that have expired"),
        ({"is_call": 1}, "is_call must hold booleans"),
        ({"strike": [1.0, 2.0, 3.0], "spot": [1.0, 2.0]}, "no common shape"),
    ],
)
def test_options_out_of_range_are_refused(changed: dict[str, object], message: str) -> None:
    usual = {"spot": 100.0, "strike": 100.0, "years": 0.5, "rate": 0.04, "is_call": True}
    with pytest.raises(InvalidInputError, match=message):
        option_batch(**(usual | changed))  # type: ignore[arg-type]  # wrong on purpose


def test_a_negative_volatility_is_refused() -> None:
    batch = option_batch(spot=100, strike=100, years=0.5, rate=0.04, is_call=True)
    with pytest.raises(InvalidInputError, match="volatility must not be negative"):
        option_prices(batch, -0.1)
