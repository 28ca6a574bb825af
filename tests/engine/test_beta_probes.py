"""The seven probes on which the usual libraries differ; true beta 1.5 in each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose

from analytics.engine import beta
from analytics.engine.errors import DegenerateInputError, InsufficientDataError, InvalidInputError
from analytics.engine.panel import return_panel
from analytics.engine.returns import aligned_returns
from analytics.engine.types import FloatArray

N_OBS = 1260
SESSIONS = np.arange(np.datetime64("2020-01-01"), np.datetime64("2020-01-01") + N_OBS + 1)


@pytest.fixture
def probe() -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(5)
    x = rng.normal(0.0005, 0.02, N_OBS)
    return 1.5 * x + rng.normal(0, 0.012, N_OBS), x


def levels(returns: FloatArray) -> FloatArray:
    return 100 * np.concatenate([[1.0], np.cumprod(1 + returns)])


def test_missing_prices_are_met_by_intersecting_price_dates(
    probe: tuple[FloatArray, FloatArray],
) -> None:
    y, x = probe
    asset, index = levels(y), levels(x)
    gone = np.random.default_rng(6).random(N_OBS + 1) < 0.1
    asset[gone] = np.nan
    pair = aligned_returns(asset, index)
    result = beta.semiconductor_beta(pair.returns_y, pair.returns_x).at(0)
    assert abs(result.beta.value - 1.5) < 2 * result.beta.standard_error
    assert result.r_squared > 0.85
    assert result.n_obs == N_OBS - gone.sum()
    # Own-calendar returns joined by date pair two days with one.
    own = np.diff(asset[~gone]) / asset[~gone][:-1]
    joined = sm.OLS(own, sm.add_constant(x[np.flatnonzero(~gone)[1:] - 1])).fit()
    assert joined.rsquared < result.r_squared - 0.04


def test_missing_returns_are_dropped_in_pairs_and_counted(
    probe: tuple[FloatArray, FloatArray],
) -> None:
    y, x = probe[0].copy(), probe[1]
    y[::10] = np.nan
    kept = ~np.isnan(y)
    result = beta.semiconductor_beta(y, x).at(0)
    assert_allclose(result.beta.value, np.polyfit(x[kept], y[kept], 1)[0], rtol=1e-11)
    panel = return_panel(SESSIONS, ("asset",), levels(probe[0])[:, np.newaxis])
    sample = panel.sample(y)
    assert (sample.n_obs, sample.requested) == (result.n_obs, N_OBS)
    assert sample.missing_share == pytest.approx(0.1, abs=1e-3)


@pytest.mark.parametrize("zone", [dt.UTC, dt.timezone(dt.timedelta(hours=-5))])
def test_sessions_with_a_time_zone_are_refused(zone: dt.tzinfo) -> None:
    aware = [dt.datetime(2024, 1, day, tzinfo=zone) for day in (2, 3, 4)]
    mixed = [dt.datetime(2024, 1, 2), *aware[1:]]  # noqa: DTZ001 - the mixture is the probe
    for sessions in (aware, mixed):
        with pytest.raises(InvalidInputError, match="timestamps with a time zone"):
            return_panel(sessions, ("asset",), np.full((3, 1), 100.0))


def test_a_constant_benchmark_is_degenerate(probe: tuple[FloatArray, FloatArray]) -> None:
    with pytest.raises(DegenerateInputError, match="constant over 1260 observations"):
        beta.semiconductor_beta(probe[0], np.full(N_OBS, 0.0004)).at(0)


def test_two_observations_are_too_few(probe: tuple[FloatArray, FloatArray]) -> None:
    with pytest.raises(InsufficientDataError, match="2 observations where 60 are needed") as caught:
        beta.semiconductor_beta(probe[0][:2], probe[1][:2]).at(0)
    assert caught.value.context == {
        "argument": "the common sample of portfolio and benchmark",
        "required": 60,
        "available": 2,
    }


def test_an_asset_that_reacts_half_a_day_late_recovers_its_beta() -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(0, 0.02, N_OBS + 1)
    late = 0.75 * (x[1:] + x[:-1]) + rng.normal(0, 0.012, N_OBS)
    plain = beta.semiconductor_beta(late, x[1:]).at(0)
    assert plain.asynchronous
    assert plain.beta.value < 0.9
    hours = beta.closing_lags("XTAI", "XNYS")
    dimson = beta.dimson_beta(late, x[1:], lags=hours.lags, leads=hours.leads).at(0).beta
    assert abs(dimson.value - 1.5) < 2 * dimson.standard_error
    scholes = beta.scholes_williams_beta(late, x[1:]).at(0).beta
    assert abs(scholes.value - 1.5) < 2 * scholes.standard_error


def test_the_monthly_beta_of_an_inverse_triple_fund_is_not_its_multiple() -> None:
    fund = -3.0 * np.random.default_rng(8).normal(0, 0.6 / np.sqrt(252), (1, N_OBS))
    index = fund[0] / -3.0
    assert_allclose(beta.n_day_beta(fund, index, 1).at(0).beta.value, -3.0, rtol=1e-12)
    monthly = beta.n_day_beta(fund, index, 21).at(0)
    blocks = N_OBS - 20
    compounded = [
        np.array([np.prod(1 + series[t : t + 21]) - 1 for t in range(blocks)])
        for series in (fund[0], index)
    ]
    oracle = sm.OLS(compounded[0], sm.add_constant(compounded[1])).fit(
        cov_type="HAC", cov_kwds={"maxlags": 20, "use_correction": True}
    )
    assert_allclose(monthly.beta.value, oracle.params[1], rtol=1e-10)
    assert_allclose(monthly.beta.standard_error, oracle.bse[1], rtol=1e-9)
    assert monthly.hac_lags == 20
    assert monthly.beta.ci_low <= beta.horizon_beta(-3.0, 0.6, 21) <= monthly.beta.ci_high
    assert abs(monthly.beta.value + 3.0) > 0.1
    assert monthly.degrees_of_freedom < 60


def test_over_a_long_time_the_realized_monthly_beta_is_the_closed_form() -> None:
    index = np.random.default_rng(9).normal(0, 0.6 / np.sqrt(252), 150_000)
    monthly = beta.n_day_beta(-3.0 * index, index, 21).at(0).beta
    assert monthly.standard_error < 0.04
    assert abs(monthly.value - beta.horizon_beta(-3.0, 0.6, 21)) < 2.5 * monthly.standard_error


def test_an_n_day_beta_needs_blocks_and_returns_above_ruin() -> None:
    with pytest.raises(InsufficientDataError, match="100 observations where 126"):
        beta.n_day_beta(np.zeros(100), np.zeros(100), 21)
    with pytest.raises(InvalidInputError, match="-100 % or less"):
        beta.n_day_beta(np.full(200, -1.0), np.zeros(200), 5)


def test_real_funds_lose_their_multiple_over_a_month(
    market_levels: Callable[[str], tuple[list[str], FloatArray]],
) -> None:
    soxs, soxx = market_levels("SOXS")[1][-2521:], market_levels("SOXX")[1][-2521:]
    pair = aligned_returns(soxs, soxx)
    daily = beta.n_day_beta(pair.returns_y, pair.returns_x, 1).at(0).beta
    monthly = beta.n_day_beta(pair.returns_y, pair.returns_x, 21).at(0).beta
    assert daily.value == pytest.approx(-3.0, abs=0.05)
    assert monthly.value > daily.value + 2 * daily.standard_error
