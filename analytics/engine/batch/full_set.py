"""The full set of measures of many portfolios: prepare once a run, then chunk by chunk.

::

    panel = panel_tiles(returns)                                         # once a data version
    run = prepare(panel, benchmark=semis, market=market, hedges=hedges)  # once a run
    for first, chunk in positions.chunks():                              # in any process
        store(first, full_set(run, chunk))
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.engine.batch import statistics
from analytics.engine.batch.compiling import contiguous
from analytics.engine.batch.factor_samples import (
    Factors,
    HedgeBlocks,
    Sides,
    Windows,
    factors,
    hedge_blocks,
    sides,
    tails,
    windows,
)
from analytics.engine.batch.panel_tiles import PanelTiles, panel_tiles
from analytics.engine.batch.portfolio_returns import BookReturns, Books, book_returns, books
from analytics.engine.batch.rolling_kernels import ragged_rolling_betas
from analytics.engine.checks import at_least, enough, masked_rows, masked_vector, open_unit
from analytics.engine.errors import EngineError, InvalidInputError
from analytics.engine.regression import common_samples, resolve_lags
from analytics.engine.tail_risk import tail_size
from analytics.engine.types import BoolArray, FailureReason, FloatArray, IntArray

Table = NDArray[np.void]
Codes = NDArray[np.int8]

STATUS: tuple[FailureReason | None, ...] = (
    None,
    FailureReason.INSUFFICIENT_DATA,
    FailureReason.DEGENERATE,
    FailureReason.NON_FINITE,
)
"""What the status codes of `FullSet` stand for; None is an answer."""

_ERRORS = ("standard_error", "hac_standard_error")
ONE_FACTOR = (
    "alpha",
    "beta",
    *(f"{name}_{error}" for error in _ERRORS for name in ("alpha", "beta")),
    "r_squared",
)
TWO_FACTOR = (
    "alpha",
    "market_beta",
    "semiconductor_beta",
    *(
        f"{name}_{error}"
        for error in _ERRORS
        for name in ("alpha", "market_beta", "semiconductor_beta")
    ),
    "r_squared",
)
UP_DOWN = (
    "down",
    "up",
    "difference",
    "down_standard_error",
    "up_standard_error",
    "difference_standard_error",
    "lower_partial",
    "upper_partial",
)
HEDGE = (
    "hedge_ratio",
    "standard_error",
    "intercept",
    "variance_reduction",
    "dollar_offset",
    "shortfall_reduction",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What is asked for.

    Attributes
    ----------
    hac_lags : int or "auto"
    windows : tuple of int
        Sessions of the rolling betas.
    decay : float
        Of the exponentially weighted beta.
    confidence_levels : tuple of float
        Of VaR and ES, ascending.
    component_level : float
        One of them: whose ES is split among positions.
    horizons : tuple of int
        Sessions of the blocks of the hedge regressions.
    hedge_level : float
        Confidence level of the ES reduction.
    min_coverage : float
    min_obs, min_obs_per_side : int
        Fewest observations, of the sample and of each side of the benchmark.
    target : float
        Of the co-partial moments.
    """

    hac_lags: int | str = 10
    windows: tuple[int, ...] = (60, 252)
    decay: float = 0.94
    confidence_levels: tuple[float, ...] = (0.95, 0.975, 0.99)
    component_level: float = 0.975
    horizons: tuple[int, ...] = (1, 5, 10, 15)
    hedge_level: float = 0.95
    min_coverage: float = 0.5
    min_obs: int = 60
    min_obs_per_side: int = 30
    target: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class FullSet:
    """Every measure of a batch of portfolios.

    Tables have one record a portfolio (`table["beta"]` is a column); where the status is not 0
    they hold the placeholder 0, which is not a value.

    Attributes
    ----------
    returns : BookReturns
    n_obs : int64 array of shape (n_portfolios,)
        Observations common to portfolio, benchmark and market.
    risk_status, beta_status, side_status : int8 array of shape (n_portfolios,)
        Index into `STATUS`: of `risk` and `components`; of the regressions and rolling betas; of
        `up_down`.
    hedge_status : int8 array of shape (n_portfolios, n_hedges, n_horizons)
        Likewise.
    one_factor : structured array, fields `ONE_FACTOR`
        Regression on the benchmark.
    two_factor : structured array, fields `TWO_FACTOR`
        On market and benchmark (semiconductors) jointly.
    up_down : structured array, fields `UP_DOWN`
        By the benchmark's mean over the sample; partial moments about the target.
    risk : structured array
        ``mean``, ``standard_deviation`` (daily, divisor n - 1), ``drawdown`` (deepest fall from
        the highest value, positive), ``value_at_risk_95`` ..., ``expected_shortfall_95`` ...: the
        k-th worst loss and the mean of the k worst, k = ceil(n (1 - level)), positive is a loss.
    rolling : float32 array of shape (n_portfolios, n_windows + 1, 2, n_obs)
        Beta and standard error on each window, and exponentially weighted last.
    rolling_valid : bool array of shape (n_portfolios, n_windows + 1, n_obs)
    hedges : structured array of shape (n_portfolios, n_hedges, n_horizons), fields `HEDGE`
        Minimum-variance hedge on non-overlapping blocks that end at the last observation.
    offset_defined, shortfall_defined : bool array of shape (n_portfolios, n_hedges, n_horizons)
        Whether the item's changes leave a sum, and whether its ES is a loss.
    components : float64 array of shape (n_positions,)
        Each position's part of ES at the component level; they add up to it.
    """

    returns: BookReturns
    n_obs: IntArray
    risk_status: Codes
    beta_status: Codes
    side_status: Codes
    hedge_status: Codes
    one_factor: Table
    two_factor: Table
    up_down: Table
    risk: Table
    rolling: NDArray[np.float32]
    rolling_valid: BoolArray
    hedges: Table
    offset_defined: BoolArray
    shortfall_defined: BoolArray
    components: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class BetaSample:
    """Benchmark and market on the sessions that some portfolios share.

    Attributes
    ----------
    n_obs, lags : int
    one, two : Factors
        Benchmark; market and benchmark.
    windows : Windows
    sides : Sides or None
        None where a side of the benchmark has too few observations.
    side_status : int
        Index into `STATUS`.
    """

    n_obs: int
    lags: int
    one: Factors
    two: Factors
    windows: Windows
    sides: Sides | None
    side_status: int


class HedgeGroup(NamedTuple):
    """Hedges that miss the same sessions.

    Attributes
    ----------
    columns : int64 array
        Rows of `Run.hedges`.
    observed : bool array of shape (n_obs,)
    blocks : HedgeBlocks or EngineError
        For portfolios that miss no session, or why there are none.
    """

    columns: IntArray
    observed: BoolArray
    blocks: HedgeBlocks | EngineError


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What all portfolios of a run share; made by `prepare`.

    Attributes
    ----------
    panel : PanelTiles
    benchmark, market : float64 array of shape (n_obs,)
        NaN where missing.
    hedges : float64 array of shape (n_hedges, n_obs)
    settings : Settings
    beta_sample : BetaSample
        Of portfolios that miss no session.
    hedge_groups : tuple of HedgeGroup
        Hedges that miss the same sessions are one group.
    """

    panel: PanelTiles
    benchmark: FloatArray
    market: FloatArray
    hedges: FloatArray
    settings: Settings
    beta_sample: BetaSample
    hedge_groups: tuple[HedgeGroup, ...]

    @property
    def factors_observed(self) -> BoolArray:
        """Return the sessions with benchmark and market, shape (n_obs,)."""
        return ~(np.isnan(self.benchmark) | np.isnan(self.market))


def prepare(
    panel: PanelTiles,
    *,
    benchmark: FloatArray,
    market: FloatArray,
    hedges: FloatArray,
    settings: Settings | None = None,
) -> Run:
    """Factorise once what every portfolio of a run is regressed on.

    Parameters
    ----------
    panel : PanelTiles
    benchmark, market : float64 array of shape (n_obs,)
        Simple returns as decimals on the panel's sessions; NaN where missing.
    hedges : float64 array of shape (n_hedges, n_obs)
        Likewise.
    settings : Settings, optional

    Returns
    -------
    Run

    Raises
    ------
    InvalidInputError
        If shapes disagree, a return is infinite, or a setting is out of range.
    InsufficientDataError, DegenerateInputError
        If benchmark and market cannot be regressed on, whatever the portfolio. A hedge that cannot
        be is told by `FullSet.hedge_status`.
    """
    chosen = settings or Settings()
    _check(chosen)
    x = contiguous(masked_vector(benchmark, "benchmark", length=panel.n_obs), np.float64)
    m = contiguous(masked_vector(market, "market", length=panel.n_obs), np.float64)
    instruments = contiguous(masked_rows(hedges, "hedges", length=panel.n_obs), np.float64)
    both = ~(np.isnan(x) | np.isnan(m))
    groups: list[HedgeGroup] = []
    for columns, sessions in common_samples(~np.isnan(instruments)):
        observed = np.zeros(panel.n_obs, dtype=np.bool_)
        observed[sessions] = True
        try:
            blocks = _hedge_blocks(instruments[np.ix_(columns, sessions)], chosen)
        except EngineError as error:
            groups.append(HedgeGroup(columns, observed, error))
        else:
            groups.append(HedgeGroup(columns, observed, blocks))
    return Run(
        panel, x, m, instruments, chosen, _beta_sample(x[both], m[both], chosen), tuple(groups)
    )


def _check(settings: Settings) -> None:
    for level in (*settings.confidence_levels, settings.hedge_level, settings.decay):
        open_unit(level, "a confidence level or the decay")
    for length in settings.windows:
        at_least(length, 3, "windows")
    for horizon in settings.horizons:
        at_least(horizon, 1, "horizons")
    at_least(settings.min_obs, 4, "min_obs")
    at_least(settings.min_obs_per_side, 3, "min_obs_per_side")
    if list(settings.confidence_levels) != sorted(settings.confidence_levels):
        raise InvalidInputError(
            "confidence_levels must ascend; sort them", argument="confidence_levels"
        )
    if settings.component_level not in settings.confidence_levels:
        raise InvalidInputError(
            f"component_level {settings.component_level} must be one of the confidence_levels",
            argument="component_level",
        )


def _hedge_blocks(returns: FloatArray, settings: Settings) -> HedgeBlocks:
    return hedge_blocks(
        returns,
        settings.horizons,
        level=settings.hedge_level,
        min_blocks=max(settings.min_obs // max(settings.horizons), 3),
    )


def _beta_sample(x: FloatArray, m: FloatArray, settings: Settings) -> BetaSample:
    n_obs = x.shape[0]
    one, two = factors(x), factors(m, x)
    side, side_status = None, 0
    try:
        side = sides(x, target=settings.target, min_obs_per_side=settings.min_obs_per_side)
    except EngineError as error:
        side_status = STATUS.index(error.reason)
    return BetaSample(
        n_obs,
        resolve_lags(settings.hac_lags, n_obs),
        one,
        two,
        windows(x, settings.windows, settings.decay, settings.min_obs),
        side,
        side_status,
    )


def full_set(run: Run, batch: Books) -> FullSet:
    """Compute every measure of a batch of portfolios.

    Parameters
    ----------
    run : Run
    batch : Books
        Some hundred portfolios at a time; one is served too.

    Returns
    -------
    FullSet

    Notes
    -----
    A portfolio's numbers do not depend on the batch it is in. Portfolios that miss no session share
    one sample with its factors; the others, few, have samples of their own.
    """
    result = _empty(run, batch)
    for group in _groups(result.returns, run.factors_observed):
        _betas(run, result, group)
    for hedges in run.hedge_groups:
        for group in _groups(result.returns, hedges.observed):
            _hedges(run, result, group, hedges)
    for group in _groups(result.returns, np.ones(run.panel.n_obs, dtype=np.bool_)):
        _risk(run, result, group)
    _components(run, result, batch)
    return result


def _empty(run: Run, batch: Books) -> FullSet:
    n, settings = batch.n_portfolios, run.settings
    grid = (n, run.hedges.shape[0], len(settings.horizons))
    rolling = (n, len(settings.windows) + 1, run.panel.n_obs)
    return FullSet(
        returns=book_returns(run.panel, batch, min_coverage=settings.min_coverage),
        n_obs=np.zeros(n, dtype=np.int64),
        risk_status=np.zeros(n, dtype=np.int8),
        beta_status=np.zeros(n, dtype=np.int8),
        side_status=np.zeros(n, dtype=np.int8),
        hedge_status=np.zeros(grid, dtype=np.int8),
        one_factor=_table(ONE_FACTOR, n),
        two_factor=_table(TWO_FACTOR, n),
        up_down=_table(UP_DOWN, n),
        risk=_table(risk_fields(settings), n),
        rolling=np.zeros((*rolling[:2], 2, rolling[2]), dtype=np.float32),
        rolling_valid=np.zeros(rolling, dtype=np.bool_),
        hedges=_table(HEDGE, *grid),
        offset_defined=np.zeros(grid, dtype=np.bool_),
        shortfall_defined=np.zeros(grid, dtype=np.bool_),
        components=np.zeros(batch.exposures.shape[0]),
    )


def risk_fields(settings: Settings) -> tuple[str, ...]:
    """Return the fields of `FullSet.risk`, in order."""
    levels = [f"{100 * level:g}".replace(".", "_") for level in settings.confidence_levels]
    return (
        "mean",
        "standard_deviation",
        "drawdown",
        *(f"value_at_risk_{level}" for level in levels),
        *(f"expected_shortfall_{level}" for level in levels),
    )


def _table(names: tuple[str, ...], *shape: int) -> Table:
    return np.zeros(shape, dtype=[(name, np.float64) for name in names])


def _columns(table: Table) -> FloatArray:
    """Return the same memory as numbers, one column for each field."""
    return table.view(np.float64).reshape((*table.shape, -1))


class _Group(NamedTuple):
    """Portfolios that share a sample.

    `targets` are their places in the batch, `sources` those in `series`, which has the sessions of
    the sample alone; `complete` ones miss no session of their own.
    """

    targets: IntArray
    sources: IntArray
    sessions: IntArray
    series: FloatArray
    complete: bool

    @property
    def n_obs(self) -> int:
        return int(self.sessions.size)


def _groups(returns: BookReturns, available: BoolArray) -> Iterator[_Group]:
    """Group portfolios by sample: their observed sessions among the available ones."""
    complete = np.flatnonzero(returns.n_excluded == 0)
    if complete.size:
        yield _group(returns, complete, np.flatnonzero(available), complete=True)
    ragged = np.flatnonzero(returns.n_excluded)
    if not ragged.size:
        return
    for members, sessions in common_samples(returns.observed[ragged] & available):
        yield _group(returns, ragged[members], sessions, complete=False)


def _group(
    returns: BookReturns, targets: IntArray, sessions: IntArray, *, complete: bool
) -> _Group:
    if sessions.size == returns.series.shape[1]:
        return _Group(targets, targets, sessions, returns.series, complete)
    series = returns.series[np.ix_(targets, sessions)]
    return _Group(targets, np.arange(targets.size), sessions, series, complete)


def _betas(run: Run, result: FullSet, group: _Group) -> None:
    """Regressions, sides and rolling betas."""
    settings, targets, status = run.settings, group.targets, result.beta_status
    result.n_obs[targets] = group.n_obs
    if group.n_obs < settings.min_obs:
        status[targets] = result.side_status[targets] = statistics.INSUFFICIENT
        return
    try:
        x, market = run.benchmark[group.sessions], run.market[group.sessions]
        sample = run.beta_sample if group.complete else _beta_sample(x, market, settings)
    except EngineError as error:
        status[targets] = result.side_status[targets] = STATUS.index(error.reason)
        return
    rows = (group.series, group.sources, targets, status)
    statistics.screen(*rows)
    for table, shared in ((result.one_factor, sample.one), (result.two_factor, sample.two)):
        statistics.regressions(
            *rows,
            shared.centered,
            shared.means,
            shared.influence,
            shared.unscaled_variance,
            sample.lags,
            _columns(table),
        )
    result.side_status[targets] = np.maximum(status[targets], sample.side_status)
    if sample.sides is not None:
        split, estimates = sample.sides, _columns(result.up_down)
        statistics.sided_betas(
            *rows,
            split.inside,
            split.centered,
            split.influence,
            split.counts,
            split.partial_weights,
            split.partial_constant,
            sample.lags,
            estimates,
        )
    if group.n_obs == run.panel.n_obs:
        _rolling(result, rows, sample.windows)
        result.rolling_valid[targets] = sample.windows.valid
        if status[targets].any():
            result.rolling_valid[targets[status[targets] != 0]] = False
    else:
        _ragged_rolling(run, result, group, sample.windows)


def _rolling(
    result: FullSet, rows: tuple[FloatArray, IntArray, IntArray, Codes], shared: Windows
) -> None:
    statistics.rolling_betas(
        *rows,
        shared.factor,
        shared.centered_factor,
        shared.windows,
        shared.means,
        shared.inverse_squares,
        shared.decay,
        shared.inverse_moments,
        result.rolling,
    )


def _ragged_rolling(run: Run, result: FullSet, group: _Group, shared: Windows) -> None:
    """Windows count sessions of the calendar; declining weights, observations."""
    good = result.beta_status[group.targets] == 0
    targets, n_windows = group.targets[good], len(run.settings.windows)
    rows = np.full((targets.size, run.panel.n_obs), np.nan)
    rows[:, group.sessions] = group.series[group.sources[good]]
    for place, window in enumerate(run.settings.windows):
        betas = ragged_rolling_betas(rows, run.benchmark, window)
        result.rolling[targets, place, 0] = betas.beta
        result.rolling[targets, place, 1] = betas.standard_error
        result.rolling_valid[targets, place] = betas.n_obs > 0
    dense = np.zeros((targets.size, 1, 2, group.n_obs), dtype=np.float32)
    places = np.arange(targets.size)
    statistics.rolling_betas(
        group.series,
        group.sources[good],
        places,
        np.zeros(targets.size, dtype=np.int8),
        shared.factor,
        shared.centered_factor,
        np.zeros(0, dtype=np.int64),
        shared.means,
        shared.inverse_squares,
        shared.decay,
        shared.inverse_moments,
        dense,
    )
    for place in places:
        result.rolling[targets[place], n_windows][:, group.sessions] = dense[place, 0]
        result.rolling_valid[targets[place], n_windows, group.sessions] = shared.valid[-1]


def _hedges(run: Run, result: FullSet, group: _Group, hedges: HedgeGroup) -> None:
    """Hedge regressions on hedges that share a sample with the group."""
    place = np.ix_(group.targets, hedges.columns)
    try:
        enough(group.n_obs, run.settings.min_obs, "the common sample of item and hedge")
        blocks = _blocks_of(run, group, hedges)
    except EngineError as error:
        result.hedge_status[place] = STATUS.index(error.reason)
        return
    flags = np.zeros_like(result.hedge_status)
    statistics.hedge_grid(
        group.series,
        group.sources,
        group.targets,
        blocks.horizons,
        blocks.starts,
        blocks.tail_sizes,
        blocks.quantiles,
        blocks.returns,
        blocks.influence,
        blocks.moments,
        hedges.columns,
        _columns(result.hedges),
        flags,
    )
    answered = flags[place] & 3
    result.hedge_status[place] = answered
    result.offset_defined[place] = (answered == 0) & (flags[place] & 4 == 0)
    result.shortfall_defined[place] = (answered == 0) & (flags[place] & 8 == 0)


def _blocks_of(run: Run, group: _Group, hedges: HedgeGroup) -> HedgeBlocks:
    if not group.complete:
        return _hedge_blocks(run.hedges[np.ix_(hedges.columns, group.sessions)], run.settings)
    if isinstance(hedges.blocks, EngineError):
        raise hedges.blocks
    return hedges.blocks


def _risk(run: Run, result: FullSet, group: _Group) -> None:
    """Deviation, drawdown and tails of the portfolios' own samples."""
    settings = run.settings
    if group.n_obs < settings.min_obs:
        result.risk_status[group.targets] = statistics.INSUFFICIENT
        return
    sizes, quantiles = tails(group.n_obs, settings.confidence_levels)
    rows = (group.series, group.sources, group.targets, result.risk_status)
    statistics.screen(*rows)
    statistics.series_risk(*rows, sizes, quantiles, _columns(result.risk))


def _components(run: Run, result: FullSet, batch: Books) -> None:
    settings, returns = run.settings, result.returns
    level = settings.confidence_levels.index(settings.component_level)
    name = risk_fields(settings)[3 + level]
    sizes = [
        tail_size(n_obs, settings.component_level)
        for n_obs in (run.panel.n_obs - returns.n_excluded).tolist()
    ]
    statistics.shortfall_components(
        returns.series,
        returns.coverage,
        returns.observed,
        batch.offsets,
        batch.instruments,
        batch.exposures,
        run.panel.by_session,
        result.risk_status,
        contiguous(result.risk[name], np.float64),
        contiguous(sizes, np.int64),
        result.components,
    )


def warm_up() -> None:
    """Load every kernel from the cache, or compile it, and run it once; for a worker's start."""
    rng = np.random.default_rng(0)
    returns = 0.01 * rng.standard_normal((300, 6))
    returns[:80, 5] = np.nan
    run = prepare(
        panel_tiles(returns),
        benchmark=returns[:, 0],
        market=returns[:, 1],
        hedges=returns[:, 2:4].T,
    )
    batch = books(
        np.array([0, 2, 3]), np.array([3, 4, 5]), np.array([0.5, 0.5, 1.0]), n_instruments=6
    )
    full_set(run, batch)
