from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import QuantLib
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import integrate, stats

from analytics.engine.errors import InvalidInputError
from analytics.engine.hedge import (
    HedgeInstrument,
    IndexPath,
    compare_hedges,
    reset_fund_hedge,
    sized_legs,
    standard_hedges,
)
from analytics.engine.hedge.comparison import dollar_delta
from analytics.engine.options import OptionTerms
from analytics.engine.stress import FundPosition, OptionPosition
from analytics.engine.types import FloatArray

SETTING = {"rate": 0.043, "dividend_yield": 0.004}
HEDGES = standard_hedges(250, 0.48, 14 / 365, **SETTING)
MILLION = 1e6


def put_value(spot: float, strike: float, days: float, volatility: float = 0.48) -> float:
    years = days / 365
    return float(
        QuantLib.BlackCalculator(
            QuantLib.PlainVanillaPayoff(QuantLib.Option.Put, strike),
            spot * math.exp((0.043 - 0.004) * years),
            volatility * math.sqrt(years),
            math.exp(-0.043 * years),
        ).value()
    )


def test_the_published_comparison_is_reproduced() -> None:
    found = compare_hedges(
        HEDGES, notional=MILLION, annual_volatility=0.48, moves=(-0.15, 0.0, 0.15), horizons=[10]
    )
    profit = {hedge.name: hedge.profit[0, 0] for hedge in found.hedges}
    assert_allclose(profit["short"], [150_000, 0, -150_000], atol=1e-6)
    assert_allclose(profit["bear3x"], [201_218.62, 0, -116_800.88], atol=0.005)
    assert_allclose(profit["put"], [290_983, -45_062, -63_476], atol=0.5)
    put = found.hedge("put")
    (leg,) = put.legs
    assert isinstance(leg, OptionPosition)
    assert leg.quantity / 100 == pytest.approx(129.2448483656219, abs=1e-8)
    assert put.premium == pytest.approx(63482.13742445092, abs=1e-6)
    (fund,) = found.hedge("bear3x").legs
    assert isinstance(fund, FundPosition)
    assert fund.value == pytest.approx(MILLION / 3)
    assert found.hedge("short").flat_cost[0, 0] == 0.0


def test_puts_are_worth_what_quantlib_says_at_every_move_and_horizon() -> None:
    found = compare_hedges(HEDGES, notional=MILLION, annual_volatility=0.48, volatility_shock=0.07)
    put = found.hedge("put")
    (leg,) = put.legs
    assert isinstance(leg, OptionPosition)
    for column, n_days in enumerate(found.horizons):
        expected = [
            leg.quantity
            * (put_value(250 * (1 + move), 240, 14 - n_days, 0.55) - put_value(250, 240, 14))
            for move in found.moves
        ]
        assert_allclose(put.profit[0, column], expected, rtol=1e-9, atol=1e-6)


def test_every_hedge_starts_with_the_same_delta() -> None:
    found = compare_hedges(HEDGES, notional=250_000, annual_volatility=0.4)
    for hedge in found.hedges:
        assert sum(dollar_delta(leg) for leg in hedge.legs) == pytest.approx(-250_000, rel=1e-12)
        tiny = compare_hedges(
            [HedgeInstrument(name="one", legs=hedge.legs)], notional=250_000,
            annual_volatility=0.4, moves=[-1e-6, 1e-6], horizons=[1],
            calendar_days_per_session=1e-9,
        ).hedges[0]  # fmt: skip
        gap = tiny.profit[0, 0, 0] - tiny.profit[0, 0, 1]
        assert gap == pytest.approx(2e-6 * 250_000, rel=1e-4)


def test_gamma_and_theta_are_those_of_the_revaluation() -> None:
    found = compare_hedges(
        HEDGES, notional=MILLION, annual_volatility=0.48, moves=[-0.01, 0.0, 0.01], horizons=[1],
        calendar_days_per_session=1e-9,
    )  # fmt: skip
    for name in ("put", "put_spread", "collar"):
        hedge = found.hedge(name)
        curvature = float(hedge.profit[0, 0] @ [1.0, -2.0, 1.0])
        assert hedge.gamma == pytest.approx(curvature / 0.01, rel=0.02, abs=200)
        waited = compare_hedges(
            [instrument for instrument in HEDGES if instrument.name == name], notional=MILLION,
            annual_volatility=0.48, moves=[0.0], horizons=[1], calendar_days_per_session=0.01,
        ).hedges[0]  # fmt: skip
        assert waited.flat_cost[0, 0] == pytest.approx(-hedge.theta_per_day * 0.01, rel=1e-2)


def test_chop_costs_a_reset_fund_its_variance_and_others_nothing() -> None:
    found = compare_hedges(
        HEDGES, notional=MILLION, annual_volatility=0.48, moves=[0.0], horizons=[10]
    )
    choppy = found.paths.index(IndexPath.CHOPPY)
    for name, tolerance in (("bear1x", 0.02), ("bear3x", 0.05)):
        hedge = found.hedge(name)
        expected = 10 * hedge.reset_variance_cost_per_day
        assert hedge.flat_cost[choppy, 0] == pytest.approx(expected, rel=tolerance)
    assert found.hedge("bear3x").reset_variance_cost_per_day == pytest.approx(
        MILLION / 3 * 6 * 0.48**2 / 252
    )
    assert found.hedge("short").flat_cost[choppy, 0] == pytest.approx(0.0, abs=1e-6)
    put = found.hedge("put")
    assert put.flat_cost[choppy, 0] == pytest.approx(put.flat_cost[0, 0], rel=1e-9)


def test_coverage_is_profit_over_the_loss_of_the_item() -> None:
    found = compare_hedges(
        HEDGES, notional=MILLION, annual_volatility=0.48, moves=[-0.10, 0.0, 0.15], horizons=[10]
    )
    assert_allclose(found.item_profit, [-100_000, 0, 150_000])
    assert_allclose(found.hedge("short").coverage[0, 0], [1, 0, 1], atol=1e-12)
    bear = found.hedge("bear3x")
    assert_allclose(bear.coverage[0, 0, ::2], -bear.profit[0, 0, ::2] / [-100_000, 150_000])
    assert bear.coverage[0, 0, 0] > 1.2
    assert bear.coverage[0, 0, 2] < 0.8


def test_capital_and_worst_case_tell_the_hedges_apart() -> None:
    found = compare_hedges(HEDGES, notional=MILLION, annual_volatility=0.48)
    capital = {hedge.name: hedge.capital for hedge in found.hedges}
    worst = {hedge.name: hedge.worst_case_loss for hedge in found.hedges}
    assert capital["short"] == pytest.approx(500_000)
    assert capital["bear1x"] == pytest.approx(1_000_000)
    assert capital["bear3x"] == worst["bear3x"] == pytest.approx(MILLION / 3)
    assert worst["short"] is None
    assert worst["collar"] is None
    for name in ("put", "put_spread"):
        assert capital[name] == worst[name] == pytest.approx(found.hedge(name).premium)


def test_the_worst_case_of_a_written_put_is_the_index_at_nothing() -> None:
    terms = OptionTerms(spot=250, strike=300, years=14 / 365, is_call=False, **SETTING)
    low = replace(terms, strike=200)
    ratio = HedgeInstrument(
        name="ratio",
        legs=(
            OptionPosition(quantity=1.0, terms=terms, volatility=0.48),
            OptionPosition(quantity=-3.0, terms=low, volatility=0.48),
        ),
    )
    hedge = compare_hedges([ratio], notional=MILLION, annual_volatility=0.48).hedges[0]
    (long, written) = hedge.legs
    assert isinstance(long, OptionPosition)
    assert isinstance(written, OptionPosition)
    payoff = long.quantity * 300 + written.quantity * 200
    assert payoff < 0
    assert hedge.worst_case_loss == pytest.approx(hedge.premium - payoff)


def test_the_break_even_move_is_where_the_hedge_makes_nothing() -> None:
    found = compare_hedges(HEDGES, notional=MILLION, annual_volatility=0.48)
    for hedge in found.hedges:
        move = hedge.break_even_move[2]
        assert move is not None
        again = compare_hedges(
            [HedgeInstrument(name="one", legs=hedge.legs)], notional=MILLION,
            annual_volatility=0.48, moves=[move], horizons=[10],
        ).hedges[0]  # fmt: skip
        assert again.profit[0, 0, 0] == pytest.approx(0.0, abs=0.01)
    put = found.hedge("put").break_even_move
    assert put[0] is not None
    assert put[2] is not None
    assert put[2] < put[0] < 0


def test_carry_is_a_cost_beside_the_profit() -> None:
    borrowed = replace(HEDGES[0], annual_cost=0.0365)
    hedge = compare_hedges(
        [borrowed], notional=MILLION, annual_volatility=0.48, horizons=[10]
    ).hedges[0]
    assert hedge.carry_cost[0] == pytest.approx(1000.0)
    assert hedge.profit[0, 0, 0] == pytest.approx(150_000)


@pytest.mark.parametrize(("name", "multiple"), [("bear1x", -1.0), ("bear3x", -3.0)])
def test_effectiveness_of_funds_is_the_closed_form(name: str, multiple: float) -> None:
    found = compare_hedges(HEDGES, notional=MILLION, annual_volatility=0.48, horizons=[1, 21])
    expected = [reset_fund_hedge(multiple, 0.48, n).static_effectiveness for n in (1, 21)]
    assert_allclose(found.hedge(name).effectiveness, expected, rtol=1e-12)
    assert_allclose(found.hedge("short").effectiveness, 1.0, rtol=1e-12)


def test_effectiveness_of_a_put_is_the_integral_over_the_index() -> None:
    hedge = compare_hedges(
        HEDGES, notional=MILLION, annual_volatility=0.48, horizons=[10]
    ).hedge("put")  # fmt: skip
    (leg,) = hedge.legs
    assert isinstance(leg, OptionPosition)
    quantity = leg.quantity
    deviation = 0.48 * math.sqrt(10 / 252)

    def moment(power: int, *, hedged: bool) -> float:
        def integrand(z: float) -> float:
            growth = math.exp(deviation * z - deviation**2 / 2)
            value = MILLION * (growth - 1)
            if hedged:
                value += quantity * (put_value(250 * growth, 240, 4) - put_value(250, 240, 14))
            return float(value**power * stats.norm.pdf(z))

        return float(integrate.quad(integrand, -9, 9, limit=200)[0])

    variances = [
        moment(2, hedged=hedged) - moment(1, hedged=hedged) ** 2 for hedged in (False, True)
    ]
    assert hedge.effectiveness[0] == pytest.approx(1 - variances[1] / variances[0], rel=1e-6)


@settings(max_examples=15)
@given(st.floats(1e3, 1e9))
def test_money_scales_with_the_notional(notional: float) -> None:
    pair = [HEDGES[2], HEDGES[5]]
    one = compare_hedges(pair, notional=1.0, annual_volatility=0.48, moves=[-0.1], horizons=[5])
    many = compare_hedges(
        pair, notional=notional, annual_volatility=0.48, moves=[-0.1], horizons=[5]
    )
    for small, large in zip(one.hedges, many.hedges, strict=True):
        assert_allclose(large.profit, notional * small.profit, rtol=1e-9)
        assert_allclose(large.capital, notional * small.capital, rtol=1e-9)
        assert_allclose(large.effectiveness, small.effectiveness, rtol=1e-9)


def test_an_instant_rise_of_a_third_wipes_the_fund_out_and_says_so() -> None:
    bear = compare_hedges(
        HEDGES[2:3], notional=MILLION, annual_volatility=0.48, moves=[0.4], horizons=[1, 5]
    ).hedges[0]
    assert bear.wiped_out[0, :, 0].tolist() == [True, False]
    assert bear.profit[0, 0, 0] == pytest.approx(-MILLION / 3)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"notional": 0.0}, "notional must be positive"),
        ({"annual_volatility": -0.1}, "annual_volatility must be positive"),
        ({"horizons": [0]}, "horizons must be an integer"),
        ({"moves": [-1.0]}, "must be positive"),
        ({"short_margin": -0.5}, "short_margin must be zero or positive"),
        ({"instruments": [HedgeInstrument(name="long", legs=(FundPosition(value=1.0),))]},
         "needs a negative one"),
        ({"instruments": [HedgeInstrument(name="both", legs=(*HEDGES[2].legs, *HEDGES[3].legs))]},
         "no closed-form effectiveness"),
    ],
)  # fmt: skip
def test_comparisons_that_make_no_sense_are_refused(
    changed: dict[str, object], message: str
) -> None:
    usual = {"instruments": HEDGES, "notional": MILLION, "annual_volatility": 0.48}
    with pytest.raises(InvalidInputError, match=message):
        compare_hedges(**(usual | changed))  # type: ignore[arg-type]  # wrong on purpose


def test_strikes_out_of_order_and_unknown_names_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="must increase"):
        standard_hedges(250, 0.48, 0.1, rate=0.04, put_strike=0.8)
    found = compare_hedges(HEDGES[:1], notional=1.0, annual_volatility=0.4, horizons=[1])
    with pytest.raises(InvalidInputError, match="no hedge named 'put'"):
        found.hedge("put")


def test_sizing_keeps_the_proportions_of_legs() -> None:
    spread = sized_legs(HEDGES[4].legs, MILLION)
    quantities: FloatArray = np.array(
        [leg.quantity for leg in spread if isinstance(leg, OptionPosition)]
    )
    assert quantities[0] == pytest.approx(-quantities[1])
    assert quantities[0] > 0
