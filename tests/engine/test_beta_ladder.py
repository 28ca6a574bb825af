"""Delta and gamma at moves of the benchmark, against repricing and differences."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from analytics.engine import beta
from analytics.engine.errors import DegenerateInputError, InvalidInputError
from analytics.engine.options import OptionTerms, option_batch, option_price
from analytics.engine.types import FloatArray

SD = 0.03
PUTS = option_batch(
    spot=[250.0, 250.0], strike=[240.0, 260.0], years=14 / 365, rate=0.04, dividend_yield=0.005,
    is_call=[False, True],
)  # fmt: skip
VOLATILITY = np.array([0.45, 0.40])
HELD = np.array([400_000.0, 100_000.0, 50_000.0, 450_000.0, 10.0, -4.0])


def book(moves: FloatArray) -> beta.ExposureCurves:
    """NVDA, SOXL, SOXS and cash in currency; puts and calls on SMH in contracts."""
    held = beta.linear_curves([1.0, 3.0, -3.0, 1.0], [1.1, 1.0, 1.0, 0.0], moves)
    return held.beside(beta.option_curves(PUTS, VOLATILITY, 1.05, 100.0, moves))


def test_the_ladder_has_one_to_three_deviations_either_way() -> None:
    assert_allclose(beta.ladder_moves(SD), SD * np.arange(-3, 4))


def test_at_no_move_it_is_the_look_through_beta() -> None:
    terms = [
        OptionTerms(
            spot=250.0, strike=k, years=14 / 365, rate=0.04, dividend_yield=0.005, is_call=call
        )
        for k, call in ((240.0, False), (260.0, True))
    ]
    bump = 1e-4
    deltas = [
        (option_price(_moved(t, 250 + bump), v) - option_price(_moved(t, 250 - bump), v))
        / (2 * bump)
        for t, v in zip(terms, VOLATILITY, strict=True)
    ]
    seen = beta.look_through_beta(
        np.concatenate([HELD[:4] * [1, 3, -3, 1], HELD[4:] * 100 * np.array(deltas) * 250]),
        np.array([1.1, 1.0, 1.0, 0.0, 1.05, 1.05]),
        1e6,
        headline_exposures=np.zeros(6),
    )
    ladder = beta.beta_ladder(HELD, book(np.array([0.0])), 1e6)
    assert_allclose(ladder.beta[0], seen.beta, rtol=1e-6)
    assert_allclose(ladder.profit, 0.0, atol=1e-9)


def _moved(terms: OptionTerms, spot: float) -> OptionTerms:
    return OptionTerms(
        spot=spot, strike=terms.strike, years=terms.years, rate=terms.rate,
        dividend_yield=terms.dividend_yield, is_call=terms.is_call,
    )  # fmt: skip


@pytest.mark.parametrize("move", [-0.09, -0.03, 0.0, 0.06])
def test_exposure_and_gamma_are_the_slopes_of_profit(move: float) -> None:
    bump = 1e-4
    further = np.array([-bump, 0.0, bump])
    # A further return r takes the benchmark from 1 + R to (1 + R)(1 + r).
    ladder = beta.beta_ladder(HELD, book((1 + move) * (1 + further) - 1), 1e6)
    low, middle, high = ladder.profit[0]
    assert_allclose(ladder.exposure[0, 1], (high - low) / (2 * bump), rtol=1e-6)
    assert_allclose(ladder.gamma[0, 1], (high - 2 * middle + low) / bump**2, rtol=1e-4)
    assert_allclose(ladder.beta[0], ladder.exposure[0] / ladder.nav[0], rtol=1e-14)


def test_options_are_repriced_with_their_own_volatility_at_each_move() -> None:
    moves = beta.ladder_moves(SD)
    changes = np.linspace(0.15, -0.05, 7)
    curves = beta.option_curves(PUTS, VOLATILITY, 1.05, 100.0, moves, volatility_changes=changes)
    for row in (0, 6):
        terms = OptionTerms(
            spot=250.0 * (1 + 1.05 * moves[row]), strike=240.0, years=14 / 365, rate=0.04,
            dividend_yield=0.005, is_call=False,
        )  # fmt: skip
        expected = 100 * option_price(terms, 0.45 + changes[row])
        assert_allclose(curves.value[row, 0], expected, rtol=1e-10)


@pytest.mark.parametrize("multiple", [-3.0, -1.0, 2.0, 3.0])
def test_a_reset_fund_drifts_by_the_intraday_multiple(multiple: float) -> None:
    moves = beta.ladder_moves(0.04)
    curves = beta.linear_curves([multiple], [1.0], moves)
    expected = [beta.intraday_multiple(multiple, float(move)) for move in moves]
    assert_allclose((curves.exposure / curves.value)[:, 0], expected, rtol=1e-12)


def test_a_long_put_hedge_gains_short_exposure_as_the_index_falls() -> None:
    moves = beta.ladder_moves(SD)
    hedge = beta.option_curves(PUTS, VOLATILITY, 1.0, 100.0, moves)
    exposure = beta.beta_ladder(np.array([10.0, 0.0]), hedge, 1e6).exposure[0]
    assert (np.diff(exposure) > 0).all()
    assert (hedge.gamma[:, 0] > 0).all()


def test_a_batch_equals_one_by_one_and_keeps_a_failure_apart(rng: np.random.Generator) -> None:
    curves = book(beta.ladder_moves(SD))
    quantities = rng.normal(size=(4, 6)) * [1e5, 1e5, 1e5, 1e5, 5, 5]
    quantities[2] = 0.0
    quantities[2, 1] = 4e6
    batch = beta.beta_ladder(quantities, curves, np.full(4, 1e6))
    assert batch.ok.tolist() == [True, True, False, True]
    for index in (0, 1, 3):
        alone = beta.beta_ladder(quantities[index], curves, 1e6)
        assert_allclose(batch.betas_of(index), alone.beta[0], rtol=1e-12)
    with pytest.raises(DegenerateInputError, match="takes all of the net asset value"):
        batch.betas_of(2)


def test_a_fund_that_is_wiped_out_stays_at_nothing_and_is_flagged() -> None:
    curves = beta.linear_curves([-3.0, 1.0], [1.0, 1.0], [0.2, 0.34])
    assert curves.wiped_out.tolist() == [[False, False], [True, False]]
    assert curves.value[1, 0] == 0.0
    assert curves.exposure[1, 0] == 0.0
    ladder = beta.beta_ladder(np.array([1e5, 9e5]), curves, 1e6)
    assert ladder.any_wiped_out.tolist() == [[False, True]]
    assert_allclose(ladder.profit[0, 1], -1e5 + 9e5 * 0.34, rtol=1e-12)


def test_what_cannot_be_laddered_is_refused() -> None:
    moves = beta.ladder_moves(SD)
    curves = beta.linear_curves([1.0], [1.0], moves)
    with pytest.raises(InvalidInputError, match="-100 % or less"):
        beta.ladder_moves(0.4)
    with pytest.raises(InvalidInputError, match="standard_deviation"):
        beta.ladder_moves(0.0)
    with pytest.raises(InvalidInputError, match="same instruments"):
        beta.linear_curves([1.0, 2.0], [1.0], moves)
    with pytest.raises(InvalidInputError, match="underlying to 0"):
        beta.option_curves(PUTS, VOLATILITY, 12.0, 100.0, moves)
    with pytest.raises(InvalidInputError, match="for options of shape"):
        beta.option_curves(PUTS, np.full(3, 0.4), 1.0, 100.0, moves)
    with pytest.raises(InvalidInputError, match="volatility_changes"):
        beta.option_curves(PUTS, VOLATILITY, 1.0, 100.0, moves, volatility_changes=np.zeros(3))
    with pytest.raises(InvalidInputError, match="different moves"):
        curves.beside(beta.linear_curves([1.0], [1.0], moves[:3]))
    with pytest.raises(InvalidInputError, match="quantities covers 2"):
        beta.beta_ladder(np.ones(2), curves, 1e6)
    with pytest.raises(InvalidInputError, match="nav must be positive"):
        beta.beta_ladder(np.ones(1), curves, -1.0)
    with pytest.raises(InvalidInputError, match="one per portfolio"):
        beta.beta_ladder(np.ones(1), curves, np.ones(2))
