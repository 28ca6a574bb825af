"""The kernels against statsmodels and empyrical, and against the readable forms of the engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import empyrical
import numpy as np
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from analytics.engine.batch.full_set import (
    STATUS,
    FullSet,
    Run,
    Settings,
    full_set,
    prepare,
    warm_up,
)
from analytics.engine.batch.panel_tiles import panel_tiles
from analytics.engine.beta import ewma_beta, rolling_beta, up_down_betas
from analytics.engine.errors import DegenerateInputError, InsufficientDataError, InvalidInputError
from analytics.engine.hedge import dollar_offset, minimum_variance_hedge, tail_reduction
from analytics.engine.regression import design, least_squares
from analytics.engine.returns import block_returns, portfolio_returns
from analytics.engine.tail_components import component_shortfall
from analytics.engine.tail_risk import historical_tail
from analytics.engine.types import BoolArray, FailureReason, FloatArray
from tests.engine.batch.ragged import Market, ragged_market, sparse

SETTINGS = Settings()
PORTFOLIOS = range(12)


@pytest.fixture(scope="module")
def case() -> Market:
    return ragged_market()


@pytest.fixture(scope="module")
def run(case: Market) -> Run:
    return prepare(
        panel_tiles(case.panel),
        benchmark=case.benchmark,
        market=case.market,
        hedges=case.hedges,
    )


@pytest.fixture(scope="module")
def result(run: Run, case: Market) -> FullSet:
    return full_set(run, case.books)


def series_of(case: Market, portfolio: int) -> FloatArray:
    """The portfolio's returns by the readable form, NaN where too little is covered."""
    series: FloatArray = portfolio_returns(case.panel, case.exposures).series[portfolio]
    return series


def sample_of(case: Market, portfolio: int) -> tuple[FloatArray, BoolArray]:
    series = series_of(case, portfolio)
    observed = ~np.isnan(series)
    return series[observed], observed


def test_the_market_has_ragged_and_complete_portfolios(result: FullSet) -> None:
    complete = result.returns.n_excluded == 0
    assert 0 < complete.sum() < complete.size
    assert not result.beta_status.any()
    assert not result.hedge_status.any()


@pytest.mark.parametrize("portfolio", PORTFOLIOS)
def test_statsmodels_finds_the_same_regressions(
    case: Market, result: FullSet, portfolio: int
) -> None:
    y, observed = sample_of(case, portfolio)
    assert result.n_obs[portfolio] == y.size
    kwargs = {"maxlags": 10, "use_correction": True}
    pair = [case.market, case.benchmark]
    tables = (result.one_factor, [case.benchmark]), (result.two_factor, pair)
    for table, factors in tables:
        columns = sm.add_constant(np.stack([factor[observed] for factor in factors], axis=1))
        plain = sm.OLS(y, columns).fit()
        robust = plain.get_robustcov_results("HAC", **kwargs)
        expected = [*plain.params, *plain.bse, *robust.bse, plain.rsquared]
        assert_allclose(list(table[portfolio]), expected, rtol=1e-12)


@pytest.mark.parametrize("portfolio", PORTFOLIOS)
def test_the_sides_are_those_of_the_readable_form_and_of_statsmodels(
    case: Market, result: FullSet, portfolio: int
) -> None:
    y, observed = sample_of(case, portfolio)
    x = case.benchmark[observed]
    got = result.up_down[portfolio]
    plain = up_down_betas(y, x, hac_lags=10)
    assert_allclose(list(got)[:3], plain.beta[:, 0], rtol=1e-12, atol=1e-13)
    assert_allclose(list(got)[3:6], plain.standard_error[:, 0], rtol=1e-12)
    assert_allclose(got["lower_partial"], plain.lower_partial[0], rtol=1e-12)
    assert_allclose(got["upper_partial"], plain.upper_partial[0], rtol=1e-12)
    for name, side in (("down", x < x.mean()), ("up", x > x.mean())):
        slope = sm.OLS(y[side], sm.add_constant(x[side])).fit().params[1]
        assert_allclose(got[name], slope, rtol=1e-12)


@pytest.mark.parametrize("portfolio", PORTFOLIOS)
def test_tails_components_and_drawdown(case: Market, result: FullSet, portfolio: int) -> None:
    y, observed = sample_of(case, portfolio)
    got = result.risk[portfolio]
    for level, name in ((0.95, "95"), (0.975, "97_5"), (0.99, "99")):
        tail = historical_tail(y, confidence_level=level)
        assert_allclose(got[f"value_at_risk_{name}"], tail.value_at_risk.value, rtol=1e-13)
        assert_allclose(
            got[f"expected_shortfall_{name}"], tail.expected_shortfall.value, rtol=1e-13
        )
    assert_allclose(got["standard_deviation"], y.std(ddof=1), rtol=1e-13)
    assert_allclose(got["mean"], y.mean(), rtol=1e-12)
    assert_allclose(got["drawdown"], -empyrical.max_drawdown(y), rtol=1e-11)
    begin, end = case.books.offsets[portfolio : portfolio + 2]
    coverage = result.returns.coverage[portfolio, observed]
    held = case.books.instruments[begin:end]
    legs = np.nan_to_num(case.panel[observed][:, held]).T / coverage
    weights = case.books.exposures[begin:end]
    parts = component_shortfall(legs, weights, confidence_level=0.975)
    assert_allclose(result.components[begin:end], parts.components, rtol=1e-11, atol=1e-16)
    total = got["expected_shortfall_97_5"]
    assert_allclose(result.components[begin:end].sum(), total, rtol=1e-13)


@pytest.mark.parametrize("portfolio", PORTFOLIOS)
def test_rolling_betas_are_those_of_the_readable_form(
    case: Market, result: FullSet, portfolio: int
) -> None:
    for place, window in enumerate(SETTINGS.windows):
        plain = rolling_beta(series_of(case, portfolio), case.benchmark, window)
        assert_array_equal(result.rolling_valid[portfolio, place], plain.valid[0])
        beta, error = result.rolling[portfolio, place]
        assert_allclose(beta, plain.beta[0], rtol=1e-6, atol=1e-7)
        assert_allclose(error, plain.standard_error[0], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("portfolio", PORTFOLIOS)
def test_declining_weights_are_those_of_the_readable_form_at_any_session(
    case: Market, result: FullSet, portfolio: int
) -> None:
    y, observed = sample_of(case, portfolio)
    x, days = case.benchmark[observed], np.flatnonzero(observed)
    valid = result.rolling_valid[portfolio, -1]
    assert_array_equal(np.flatnonzero(valid), days[SETTINGS.min_obs - 1 :])
    for place in (60, 111, y.size - 1):
        plain = ewma_beta(y[: place + 1], x[: place + 1]).beta
        beta, error = result.rolling[portfolio, -1, :, days[place]]
        assert_allclose([beta, error], [plain.value, plain.standard_error], rtol=1e-6)


@pytest.mark.parametrize("portfolio", PORTFOLIOS)
def test_hedges_at_every_horizon(case: Market, result: FullSet, portfolio: int) -> None:
    y, observed = sample_of(case, portfolio)
    for place in range(4):
        for column, horizon in enumerate(SETTINGS.horizons):
            item = block_returns(y, horizon)
            hedge = block_returns(case.hedges[place, observed], horizon)
            got = result.hedges[portfolio, place, column]
            fit = sm.OLS(item, sm.add_constant(hedge)).fit()
            plain = minimum_variance_hedge(item, hedge).at(0)
            notional = -got["hedge_ratio"]
            offset = dollar_offset(item, notional * hedge).cumulative
            tail = tail_reduction(item, hedge, hedge_notional=notional)
            reduction = tail.expected_shortfall
            assert offset is not None
            assert reduction is not None
            assert_allclose(got["hedge_ratio"], fit.params[1], rtol=1e-12, atol=1e-14)
            assert_allclose(got["standard_error"], fit.bse[1], rtol=1e-12)
            assert_allclose(got["intercept"], fit.params[0], rtol=1e-11, atol=1e-15)
            assert_allclose(got["variance_reduction"], fit.rsquared, rtol=1e-11, atol=1e-13)
            assert_allclose(
                got["variance_reduction"], plain.effectiveness.value, rtol=1e-11, atol=1e-13
            )
            assert_allclose(got["dollar_offset"], offset, rtol=1e-10)
            assert_allclose(got["shortfall_reduction"], reduction, rtol=1e-11, atol=1e-13)


def test_portfolio_beta_is_the_exposure_weighted_beta_on_a_common_sample() -> None:
    case = ragged_market(n_obs=300)
    panel = np.nan_to_num(case.panel, nan=0.001)
    run = prepare(
        panel_tiles(panel), benchmark=case.benchmark, market=case.market, hedges=case.hedges
    )
    got = full_set(run, case.books).one_factor["beta"]
    single = least_squares(design(case.benchmark[:, np.newaxis]), panel.T).coefficients[:, 1]
    assert_allclose(got, case.exposures @ single, rtol=1e-11, atol=1e-13)


def test_a_portfolio_does_not_depend_on_its_batch(run: Run, case: Market, result: FullSet) -> None:
    for first, chunk in case.books.chunks(5):
        part = full_set(run, chunk)
        rows = slice(first, first + chunk.n_portfolios)
        for name in ("one_factor", "two_factor", "up_down", "risk", "rolling", "hedges"):
            assert_array_equal(getattr(part, name), getattr(result, name)[rows])
        begin, end = case.books.offsets[[rows.start, rows.stop]]
        assert_array_equal(part.components, result.components[begin:end])


def test_exactly_k_sessions_count_when_losses_tie(case: Market) -> None:
    panel = np.zeros((400, 2))
    panel[::4, 0], panel[1::4, 0] = -0.02, 0.03
    panel[2::4, 1] = 0.01
    run = prepare(
        panel_tiles(panel),
        benchmark=case.benchmark[:400],
        market=case.market[:400],
        hedges=case.hedges[:, :400],
    )
    got = full_set(run, sparse(np.array([[0.5, 0.5]])))
    assert got.risk["value_at_risk_97_5"] == 0.01
    assert_allclose(got.risk["expected_shortfall_97_5"], 0.01, rtol=1e-14)
    assert_allclose(got.components, [0.01, 0.0], rtol=1e-14)


def test_what_has_no_answer_is_flagged_and_the_others_go_on(case: Market, run: Run) -> None:
    exposures = case.exposures.copy()
    exposures[2] = 0.0
    exposures[4] = 1e70 * (np.arange(40) == 20)
    with pytest.raises(InvalidInputError, match="exposures must be finite"):
        sparse(exposures)
    exposures[4] = 1e59 * (np.arange(40) == 20)
    got = full_set(run, sparse(exposures))
    assert STATUS[got.beta_status[4]] == STATUS[got.risk_status[4]] == FailureReason.NON_FINITE
    assert {STATUS[code] for code in got.hedge_status[4].ravel()} == {FailureReason.NON_FINITE}
    assert STATUS[got.beta_status[2]] == STATUS[got.risk_status[2]] == FailureReason.DEGENERATE
    assert {STATUS[code] for code in got.hedge_status[2].ravel()} == {FailureReason.DEGENERATE}
    assert not got.rolling_valid[2].any()
    assert not got.offset_defined[2].any()
    for table in (got.one_factor, got.risk, got.hedges, got.up_down):
        assert not table[2:3].view(np.float64).any()
    finite: list[NDArray[Any]] = [got.rolling, got.components, got.returns.series]
    finite += [table.view(np.float64) for table in (got.one_factor, got.two_factor, got.hedges)]
    assert all(np.isfinite(values).all() for values in finite)
    expected = full_set(run, case.books).one_factor
    assert_array_equal(got.one_factor[5:], expected[5:])


def test_too_short_a_sample_is_insufficient(case: Market) -> None:
    panel = case.panel[:90].copy()
    panel[:60, 20] = np.nan
    run = prepare(
        panel_tiles(panel),
        benchmark=case.benchmark[:90],
        market=case.market[:90],
        hedges=case.hedges[:, :90],
        settings=Settings(horizons=(1, 5), min_obs=60),
    )
    got = full_set(run, sparse((np.arange(40) == 20)[np.newaxis] * 1.0))
    for codes in (got.beta_status, got.side_status, got.risk_status, got.hedge_status.ravel()):
        assert {STATUS[code] for code in codes} == {FailureReason.INSUFFICIENT_DATA}
    assert not got.components.any()


def test_factors_with_gaps_leave_their_sessions_out(case: Market) -> None:
    benchmark, hedges = case.benchmark.copy(), case.hedges.copy()
    benchmark[[100, 333]] = np.nan
    hedges[2, :200] = np.nan
    hedges[3, 40:] = np.nan
    run = prepare(panel_tiles(case.panel), benchmark=benchmark, market=case.market, hedges=hedges)
    got = full_set(run, case.books)
    for portfolio in PORTFOLIOS:
        series = series_of(case, portfolio)
        common = ~np.isnan(series) & ~np.isnan(benchmark)
        slope = sm.OLS(series[common], sm.add_constant(benchmark[common])).fit().params[1]
        assert_allclose(got.one_factor["beta"][portfolio], slope, rtol=1e-12)
        plain = rolling_beta(series, benchmark, 60)
        assert_allclose(got.rolling[portfolio, 0, 0], plain.beta[0], rtol=1e-6, atol=1e-7)
        late = ~np.isnan(series) & ~np.isnan(hedges[2])
        item, hedge = block_returns(series[late], 10), block_returns(hedges[2, late], 10)
        slope = sm.OLS(item, sm.add_constant(hedge)).fit().params[1]
        assert_allclose(got.hedges["hedge_ratio"][portfolio, 2, 2], slope, rtol=1e-12)
    assert {STATUS[code] for code in got.hedge_status[:, 3].ravel()} == {
        FailureReason.INSUFFICIENT_DATA
    }
    assert not got.hedge_status[:, :3].any()


def test_a_one_sided_benchmark_has_no_sides_and_all_else(case: Market) -> None:
    benchmark = np.where(np.arange(700) % 40 == 0, -0.2, 0.001 + 0.001 * (case.market > 0))
    run = prepare(
        panel_tiles(case.panel), benchmark=benchmark, market=case.market, hedges=case.hedges
    )
    got = full_set(run, case.books)
    assert {STATUS[code] for code in got.side_status} == {FailureReason.INSUFFICIENT_DATA}
    assert not got.beta_status.any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(confidence_levels=(0.99, 0.95)), "ascend"),
        (Settings(component_level=0.9), "component_level 0.9"),
        (Settings(decay=1.0), "strictly between 0 and 1"),
        (Settings(windows=(2,)), "windows must be an integer of at least 3"),
        (Settings(horizons=(0,)), "horizons must be an integer of at least 1"),
        (Settings(min_obs=3), "min_obs must be"),
    ],
)
def test_settings_out_of_range_are_refused(case: Market, settings: Settings, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        prepare(
            panel_tiles(case.panel),
            benchmark=case.benchmark,
            market=case.market,
            hedges=case.hedges,
            settings=settings,
        )


def test_factors_that_cannot_be_regressed_on_are_refused(case: Market) -> None:
    tiles = panel_tiles(case.panel)

    def against(benchmark: FloatArray) -> Run:
        return prepare(tiles, benchmark=benchmark, market=case.market, hedges=case.hedges)

    with pytest.raises(DegenerateInputError, match="constant"):
        against(np.full(700, 0.01))
    with pytest.raises(DegenerateInputError, match="collinear"):
        against(2 * case.market)
    with pytest.raises(InsufficientDataError, match="needs at least"):
        against(np.full(700, np.nan))
    with pytest.raises(InvalidInputError, match="benchmark has 5 entries where 700"):
        against(np.zeros(5))


def test_warming_up_compiles_everything_a_batch_needs(run: Run, case: Market) -> None:
    warm_up()
    full_set(run, case.books)
    from analytics.engine.batch import portfolio_returns, rolling_kernels, statistics

    kernels: list[Any] = [
        statistics.screen,
        statistics.regressions,
        statistics.hedge_grid,
        statistics.rolling_betas,
        portfolio_returns.tiled_product,
        rolling_kernels.rolling_windows,
    ]
    assert {len(kernel.signatures) for kernel in kernels} == {1}


def test_the_engine_loads_without_the_compiler() -> None:
    script = (
        "import sys, analytics.engine.batch, analytics.engine.beta, analytics.engine.hedge,"
        " analytics.engine.leverage; sys.exit('numba' in sys.modules)"
    )
    root = Path(__file__).resolve().parents[3]
    assert subprocess.run([sys.executable, "-c", script], cwd=root, check=False).returncode == 0
