"""The engine on real prices, against statsmodels and against figures known beforehand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose

from analytics.engine import beta, hedge, leverage
from analytics.engine.returns import aligned_returns
from analytics.engine.types import FloatArray

Levels = Callable[[str], tuple[list[str], FloatArray]]


@pytest.mark.parametrize(
    ("fund", "slope", "correlation"), [("SOXL", 2.97, 0.997), ("SOXS", -3.01, -0.998)]
)
def test_leveraged_funds_move_by_their_multiple_of_soxx(
    market_levels: Levels, fund: str, slope: float, correlation: float
) -> None:
    pair = aligned_returns(market_levels(fund)[1], market_levels("SOXX")[1])
    result = beta.semiconductor_beta(pair.returns_y, pair.returns_x).at(0)
    assert result.beta.value == pytest.approx(slope, abs=0.005)
    assert result.lead_lag_correlation[1] == pytest.approx(correlation, abs=5e-4)
    assert result.n_obs == 3892
    oracle = sm.OLS(pair.returns_y, sm.add_constant(pair.returns_x)).fit(
        cov_type="HAC", cov_kwds={"maxlags": result.hac_lags, "use_correction": True}
    )
    assert_allclose(result.beta.value, oracle.params[1], rtol=1e-9)
    assert_allclose(result.beta.standard_error, oracle.bse[1], rtol=1e-9)
    assert_allclose(result.r_squared, oracle.rsquared, rtol=1e-9)


def test_soxl_in_2023_made_less_than_three_times_soxx_reset_daily(market_levels: Levels) -> None:
    dates, soxl = market_levels("SOXL")
    rows = [i for i, date in enumerate(dates) if "2022-12-30" <= date <= "2023-12-29"]
    pair = aligned_returns(soxl[rows], market_levels("SOXX")[1][rows])
    parts = leverage.return_decomposition(pair.returns_x, pair.returns_y, 3.0).at(0)
    assert parts.fund_return == pytest.approx(2.270, abs=5e-4)
    ideal = leverage.daily_reset_return(3.0, pair.returns_x)
    assert ideal == pytest.approx(2.687, abs=5e-4)
    assert parts.simple + parts.compounding == pytest.approx(ideal, rel=1e-12)
    assert parts.residual == pytest.approx(parts.fund_return - ideal, rel=1e-12)


def test_two_factor_beta_of_nvidia_agrees_with_statsmodels(market_levels: Levels) -> None:
    dates, nvda = market_levels("NVDA")
    start = market_levels("SPY")[0].index(dates[0])
    spy, soxx = (market_levels(name)[1][start:] for name in ("SPY", "SOXX"))
    y, market, semis = (np.diff(levels) / levels[:-1] for levels in (nvda, spy, soxx))
    result = beta.two_factor_beta(y, market, semis).at(0)
    oracle = sm.OLS(y, sm.add_constant(np.stack([market, semis], axis=1))).fit(
        cov_type="HAC", cov_kwds={"maxlags": result.hac_lags, "use_correction": True}
    )
    assert_allclose(
        [result.market.value, result.semiconductors.value], oracle.params[1:], rtol=1e-9
    )
    errors = [result.market.standard_error, result.semiconductors.standard_error]
    assert_allclose(errors, oracle.bse[1:], rtol=1e-9)


def test_soxs_hedges_soxx_worse_the_longer_it_is_left_alone(market_levels: Levels) -> None:
    pair = aligned_returns(market_levels("SOXX")[1], market_levels("SOXS")[1])
    results = hedge.horizon_blocks(pair.returns_y, pair.returns_x, hedge_notional=1 / 3)
    values = [result.designated.value for result in results if result.designated]
    assert len(values) == 6
    assert values[0] > 0.99
    assert values[-1] < values[1] < values[0]
