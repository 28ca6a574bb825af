"""Assets that close at another hour: Dimson, Scholes-Williams and the choice of lags."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from analytics.engine import beta
from analytics.engine.errors import (
    DegenerateInputError,
    InsufficientDataError,
    InvalidInputError,
)
from analytics.engine.types import FloatArray
from tests.engine.dense import multiplier

Pair = tuple[FloatArray, FloatArray]


def late_rows(rng: np.random.Generator, n_rows: int, n_obs: int, late: float) -> Pair:
    """Assets of beta 1.5 that show a share of the benchmark's move a session later."""
    x = rng.normal(0, 0.02, n_obs + 1)
    rows = 1.5 * ((1 - late) * x[1:] + late * x[:-1]) + rng.normal(0, 0.01, (n_rows, n_obs))
    return rows, x[1:]


@pytest.mark.parametrize(("lags", "leads"), [(1, 0), (1, 1), (2, 1), (0, 1), (0, 0)])
def test_dimson_agrees_with_statsmodels(pair: Pair, lags: int, leads: int) -> None:
    y, x = pair
    rows = np.arange(lags, 300 - leads)
    columns = sm.add_constant(np.stack([x[rows + k] for k in range(-lags, leads + 1)], axis=1))
    oracle = sm.OLS(y[rows], columns).fit()
    robust = oracle.get_robustcov_results("HAC", maxlags=5, use_correction=True)
    contrast = np.append(0.0, np.ones(lags + leads + 1))
    result = beta.dimson_beta(y, x, lags=lags, leads=leads, hac_lags=5).at(0)
    assert result.n_obs == rows.size
    assert_allclose(result.slopes, oracle.params[1:], rtol=1e-10)
    assert_allclose(result.beta.value, oracle.params[1:].sum(), rtol=1e-11)
    naive = np.sqrt(contrast @ oracle.cov_params() @ contrast)
    assert_allclose(result.ols_standard_error, naive, rtol=1e-11)
    error = np.sqrt(contrast @ robust.cov_params() @ contrast)
    assert_allclose(result.beta.standard_error, error, rtol=1e-11)
    half_width = multiplier(contrast @ np.linalg.pinv(columns), columns, 5) * error
    assert_allclose(result.beta.ci_high, result.beta.value + half_width, rtol=1e-10)


def test_dimson_without_neighbors_is_the_plain_beta(pair: Pair) -> None:
    plain = beta.semiconductor_beta(*pair).at(0)
    result = beta.dimson_beta(*pair, lags=0, leads=0).at(0)
    assert_allclose(result.beta.value, plain.beta.value, rtol=1e-12)
    assert_allclose(result.beta.ci_low, plain.beta.ci_low, rtol=1e-11)
    assert_allclose(result.same_session_beta, plain.beta.value, rtol=1e-12)


@pytest.mark.parametrize("late", [0.25, 0.5, 1.0])
def test_late_trading_is_undone_on_average_and_in_the_intervals(
    rng: np.random.Generator, late: float
) -> None:
    covered, means = [], []
    for _ in range(40):
        rows, x = late_rows(rng, 10, 252, late)
        result = beta.dimson_beta(rows, x, lags=1, leads=0)
        covered.append(np.mean((result.ci_low <= 1.5) & (result.ci_high >= 1.5)))
        means.append(result.beta.mean())
    assert np.mean(means) == pytest.approx(1.5, abs=0.02)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.03)


def test_slopes_of_late_trading_follow_the_population(rng: np.random.Generator) -> None:
    rows, x = late_rows(rng, 1, 200_000, 0.4)
    expected = beta.asynchronous_slopes(1.5, 0.6)
    result = beta.dimson_beta(rows, x, lags=1, leads=0).at(0)
    assert_allclose(result.same_session_beta, expected.same_session, atol=0.01)
    assert_allclose(result.slopes, [expected.next_session, expected.same_session], atol=0.01)
    assert expected.dimson == 1.5


def test_scholes_williams_follows_its_definition(pair: Pair) -> None:
    y, x = pair
    inside = slice(1, -1)
    slopes = [np.polyfit(z, y[inside], 1)[0] for z in (x[:-2], x[inside], x[2:])]
    rho = np.corrcoef(x[1:], x[:-1])[0, 1]
    result = beta.scholes_williams_beta(y, x).at(0)
    assert_allclose(result.slopes, slopes, rtol=1e-10)
    assert_allclose(result.autocorrelation, rho, rtol=1e-12)
    assert_allclose(result.beta.value, sum(slopes) / (1 + 2 * rho), rtol=1e-11)
    assert result.n_obs == 298


def test_scholes_williams_undoes_late_trading_and_its_intervals_cover(
    rng: np.random.Generator,
) -> None:
    covered, means = [], []
    for _ in range(400):
        rows, x = late_rows(rng, 1, 252, 0.5)
        result = beta.scholes_williams_beta(rows, x).at(0).beta
        covered.append(result.ci_low <= 1.5 <= result.ci_high)
        means.append(result.value)
    assert np.mean(means) == pytest.approx(1.5, abs=0.02)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.04)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 50), st.floats(-0.1, 0.1))
def test_both_scale_with_leverage_and_ignore_shifts(seed: int, scale: float, shift: float) -> None:
    y, x = np.random.default_rng(seed).normal(0, 0.02, (2, 90))
    for plain, moved in (
        (beta.dimson_beta(y, x, lags=1, leads=1).at(0).beta,
         beta.dimson_beta(scale * y + shift, x - shift, lags=1, leads=1).at(0).beta),
        (beta.scholes_williams_beta(y, x).at(0).beta,
         beta.scholes_williams_beta(scale * y + shift, x - shift).at(0).beta),
    ):  # fmt: skip
        assert_allclose(moved.value, scale * plain.value, rtol=1e-8, atol=1e-11)
        assert_allclose(moved.standard_error, scale * plain.standard_error, rtol=1e-8)


def test_a_gap_costs_every_session_that_needs_it(pair: Pair) -> None:
    y, x = pair[0].copy(), pair[1].copy()
    y[40] = x[100] = np.nan
    batch = beta.dimson_beta(np.stack([y, pair[0], np.full(300, 0.01)]), x, lags=1, leads=1)
    assert batch.n_obs.tolist() == [294, 295, 295]
    assert batch.ok.tolist() == [True, True, False]
    assert beta.scholes_williams_beta(y, x).n_obs.tolist() == [294]
    alone = beta.dimson_beta(pair[0], x, lags=1, leads=1).at(0)
    assert_allclose(batch.at(1).beta.value, alone.beta.value, rtol=1e-13)


@pytest.mark.parametrize(
    ("venue", "benchmark", "lags", "leads"),
    [
        ("XTAI", "XNYS", 1, 0),
        ("XTKS", "XNAS", 1, 0),
        ("XKRX", "XNYS", 1, 0),
        ("XAMS", "XNYS", 1, 0),
        ("XETR", "XNAS", 1, 0),
        ("XNAS", "XNYS", 0, 0),
        ("XTSE", "XNYS", 0, 0),
        ("XPAR", "XLON", 0, 0),
        ("XNYS", "XTAI", 0, 1),
        ("XETR", "XTKS", 0, 1),
        ("XTAI", "XTAI", 0, 0),
    ],
)
def test_lags_follow_the_closing_hours(venue: str, benchmark: str, lags: int, leads: int) -> None:
    chosen = beta.closing_lags(venue, benchmark)
    assert (chosen.lags, chosen.leads) == (lags, leads)
    if venue == "XTAI" and benchmark == "XNYS":
        assert chosen.hours_before_benchmark == 15.5
        assert chosen.same_session_share == pytest.approx(8.5 / 24)


def test_a_venue_without_a_known_close_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="venue 'XXXX' has no known closing hour"):
        beta.closing_lags("XXXX", "XNYS")


@pytest.mark.parametrize("share", [-0.1, 1.1, np.nan])
def test_a_share_of_the_session_lies_between_none_and_all(share: float) -> None:
    with pytest.raises(InvalidInputError, match="same_session_share"):
        beta.asynchronous_slopes(1.5, share)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lags": -1, "leads": 0}, "lags must be an integer of at least 0"),
        ({"lags": 0, "leads": 1.5}, "leads must be an integer"),
        ({"lags": 3, "leads": 3, "min_obs": 8}, "min_obs must be an integer of at least 9"),
        ({"lags": 1, "leads": 0, "hac_lags": -2}, "hac_lags"),
    ],
)
def test_bad_parameters_are_refused(pair: Pair, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        beta.dimson_beta(*pair, **arguments)


def test_what_cannot_be_answered_says_why(pair: Pair) -> None:
    with pytest.raises(InsufficientDataError, match="39 observations where 60"):
        beta.dimson_beta(pair[0][:40], pair[1][:40], lags=1, leads=0).at(0)
    with pytest.raises(InsufficientDataError, match="38 observations where 60"):
        beta.scholes_williams_beta(pair[0][:40], pair[1][:40]).at(0)
    with pytest.raises(DegenerateInputError, match="constant"):
        beta.dimson_beta(pair[0], np.zeros(300), lags=1, leads=0).at(0)
    swinging = 0.02 * (-1.0) ** np.arange(300) + 0.003 * pair[1]
    with pytest.raises(DegenerateInputError, match=r"1 \+ 2 rho leaves nothing"):
        beta.scholes_williams_beta(pair[0], swinging).at(0)
