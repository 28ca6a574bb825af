from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from analytics.engine import backtest
from analytics.engine.errors import InsufficientDataError, InvalidInputError

DAYS = np.arange("2024-01-01", "2026-06-19", dtype="datetime64[D]")[:600]


# Kupiec (1995), non-rejection regions at 95 %; lower bound at 1 % and 255 days is not printed.
@pytest.mark.parametrize(
    ("p", "regions"),
    [
        (0.01, [(0, 7), (1, 11), (4, 17)]),
        (0.025, [(2, 12), (6, 21), (15, 36)]),
        (0.05, [(6, 21), (16, 36), (37, 65)]),
        (0.075, [(11, 28), (27, 51), (59, 92)]),
        (0.10, [(16, 36), (38, 65), (81, 120)]),
    ],
)
def test_published_regions(p: float, regions: list[tuple[int, int]]) -> None:
    assert [backtest.kupiec_region(n, p) for n in (255, 510, 1000)] == regions


def test_a_region_may_have_no_bound() -> None:
    assert backtest.kupiec_region(50, 0.01) == (None, 3)
    with pytest.raises(InvalidInputError, match="n_obs"):
        backtest.kupiec_region(0, 0.01)


def test_the_test_agrees_with_the_binomial_likelihood() -> None:
    for count in (0, 3, 17, 250):
        law = stats.binom(250, 0.05)
        best = stats.binom(250, count / 250)
        expected = 2 * (best.logpmf(count) - law.logpmf(count))
        found = backtest.kupiec_test(count, 250, 0.05)
        assert_allclose(found.statistic, expected, rtol=1e-9, atol=1e-9)
        assert_allclose(found.p_value, stats.chi2(1).sf(expected), rtol=1e-7)


def test_independence_follows_the_transition_counts() -> None:
    hits = np.zeros(100, dtype=bool)
    hits[[10, 11, 12, 50, 51]] = True
    n00, n01, n10, n11 = 92, 2, 2, 3
    free = (
        n00 * np.log(n00 / 94) + n01 * np.log(n01 / 94) + n10 * np.log(2 / 5) + n11 * np.log(3 / 5)
    )
    tied = 94 * np.log(94 / 99) + 5 * np.log(5 / 99)
    found = backtest.christoffersen_independence(hits)
    assert found.statistic == pytest.approx(2 * (free - tied), rel=1e-12)
    spread = np.zeros(100, dtype=bool)
    spread[::20] = True
    assert backtest.christoffersen_independence(spread).statistic < found.statistic


def test_the_independence_test_has_its_size() -> None:
    rng = np.random.default_rng(2)
    rejected = [
        backtest.christoffersen_independence(rng.random(1000) < 0.05).p_value < 0.05
        for _ in range(400)
    ]
    assert 0.02 < np.mean(rejected) < 0.10


def test_published_traffic_light() -> None:
    zones = [backtest.basel_zone(k).zone.value for k in range(11)]
    assert zones == ["green"] * 5 + ["yellow"] * 5 + ["red"]
    percent = [round(100 * backtest.basel_zone(k).cumulative_probability, 2) for k in range(10)]
    assert percent == [8.11, 28.58, 54.32, 75.81, 89.22, 95.88, 98.63, 99.60, 99.89, 99.97]
    additions = [backtest.basel_zone(k).multiplier_addition for k in (4, 5, 6, 7, 8, 9, 10)]
    assert additions == [0.0, 0.40, 0.50, 0.65, 0.75, 0.85, 1.0]
    assert backtest.basel_zone(5, 500, 0.01).multiplier_addition is None


def _backtest(returns: np.ndarray, limits: np.ndarray, lag: int = 1) -> backtest.BacktestResult:
    n_obs = returns.shape[0]
    return backtest.value_at_risk_backtest(
        returns,
        limits,
        forecast_dates=DAYS[2 - lag : n_obs + 2 - lag],
        return_dates=DAYS[2 : n_obs + 2],
    )


def test_stored_forecasts_are_held_against_what_happened(rng: np.random.Generator) -> None:
    returns = rng.normal(0, 0.01, 250)
    limits = np.full(250, 0.0233)
    result = _backtest(returns, limits)
    assert result.n_exceptions == int((returns < -0.0233).sum())
    assert result.exception_rate == result.n_exceptions / 250
    joint = result.unconditional.statistic + result.independence.statistic
    assert result.conditional.statistic == pytest.approx(joint)
    assert result.conditional.degrees_of_freedom == 2
    assert result.basel == backtest.basel_zone(result.n_exceptions)


def test_a_loss_equal_to_its_forecast_is_no_exception() -> None:
    assert _backtest(np.full(100, -0.02), np.full(100, 0.02)).n_exceptions == 0


def test_later_days_change_no_earlier_exception(rng: np.random.Generator) -> None:
    returns, limits = rng.normal(0, 0.01, 300), np.full(300, 0.015)
    whole = _backtest(returns, limits)
    part = _backtest(returns[:200], limits[:200])
    assert (whole.exceptions[:200] == part.exceptions).all()


def test_forecasts_that_saw_their_day_are_refused(rng: np.random.Generator) -> None:
    returns = rng.normal(0, 0.01, 100)
    with pytest.raises(InvalidInputError, match="store forecasts before"):
        _backtest(returns, np.full(100, 0.02), lag=0)
    with pytest.raises(InsufficientDataError, match="realized_returns has 20"):
        _backtest(returns[:20], np.full(20, 0.02))
    with pytest.raises(InvalidInputError, match="value_at_risk has 99 entries"):
        _backtest(returns, np.full(99, 0.02))
    with pytest.raises(InvalidInputError, match="n_exceptions 5 exceeds"):
        backtest.kupiec_test(5, 4, 0.01)
    with pytest.raises(InvalidInputError, match="booleans"):
        backtest.christoffersen_independence(np.zeros(10))  # type: ignore[arg-type]
