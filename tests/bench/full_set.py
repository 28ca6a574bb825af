"""Cases 1 to 9, 22 and 24: the full set of the night, against its peers and its bounds."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pandas as pd
from numba import njit
from scipy.sparse import csr_array

from analytics.engine.batch import statistics
from analytics.engine.batch.factor_samples import tails
from analytics.engine.batch.full_set import FullSet, Run, full_set, prepare, warm_up
from analytics.engine.batch.panel_tiles import panel_tiles
from analytics.engine.batch.portfolio_returns import (
    Books,
    book_returns,
    renormalize,
    tiled_product,
)
from analytics.engine.errors import EngineError
from analytics.engine.tail_risk import tail_size
from analytics.engine.types import FloatArray, IntArray
from tests.bench import peers
from tests.bench.market import POSITIONS, SESSIONS, Market, market, portfolios, ragged
from tests.bench.timing import Goal, Row, interleaved, show, show_table

BATCH, SAMPLE, NIGHT = 1_000, 20, 10_000
_ACCURACY_ROWS = 10
OURS, ALONE = "engine, batch", "engine, return series"
STATSMODELS, PANDAS = "statsmodels composite", "pandas-rolling composite"
EMPYRICAL, SERIES = "empyrical's subset", "pandas, return series"
ONE = "engine, one on demand"


def run(*, quick: bool) -> list[Goal]:
    """Time everything in one interleaved run; say where each stage stands."""
    n_portfolios, sample = (250, 4) if quick else (BATCH, SAMPLE)
    scene = market()
    batch = portfolios(n_portfolios)
    prepared = prepare(
        panel_tiles(scene.panel),
        benchmark=scene.benchmark,
        market=scene.market,
        hedges=scene.hedges,
    )
    warm_up()
    accuracy = _accuracy(scene, prepared, batch)
    rows = interleaved(
        _contenders(scene, prepared, batch, sample),
        work=_work(n_portfolios, sample),
        unit="portfolios/s",
    )
    show(
        f"1-5. Full set, {POSITIONS} positions x {SESSIONS:,} sessions of 5,000 instruments",
        [row for row in rows if row.name in {OURS, ONE, STATSMODELS, PANDAS, EMPYRICAL, SERIES}],
        baseline=STATSMODELS,
        note="peers measured on a sample; their rolling betas come without standard errors",
    )
    show(
        "6-9, 24. Return series and batches",
        [row for row in rows if row.name not in {ONE, STATSMODELS, PANDAS, EMPYRICAL, SERIES}],
        baseline="scipy CSR @ dense f64",
    )
    bounds = _bounds(scene, prepared, batch)
    return [*_goals({row.name: row for row in rows}, bounds), accuracy]


def _work(n_portfolios: int, sample: int) -> dict[str, int]:
    return {
        OURS: n_portfolios,
        ALONE: n_portfolios,
        ONE: sample,
        STATSMODELS: sample,
        PANDAS: sample,
        EMPYRICAL: sample,
        SERIES: sample,
        "scipy CSR @ dense f64": n_portfolios,
        "dense dgemm": n_portfolios,
        "engine, twice the portfolios": 2 * n_portfolios,
        "engine, twice the positions": n_portfolios,
    }


def _contenders(
    scene: Market, prepared: Run, batch: Books, sample: int
) -> dict[str, Callable[[], object]]:
    # One block with contiguous columns is the layout that pandas picks columns from fastest.
    frame = pd.DataFrame(np.asfortranarray(scene.panel), copy=False)
    composite = peers.Composite(frame, scene.benchmark, scene.market, scene.hedges)
    benchmark = pd.Series(scene.benchmark)
    held = [
        (part.instruments.astype(np.int64), part.exposures)
        for part in (batch.part(row, row + 1) for row in range(sample))
    ]
    filled = np.ascontiguousarray(np.nan_to_num(scene.panel).T)
    weights = csr_array(
        (batch.exposures, batch.instruments, batch.offsets),
        shape=(batch.n_portfolios, filled.shape[0]),
    )
    dense = weights.toarray()
    twice, heavy = (
        portfolios(2 * batch.n_portfolios),
        portfolios(batch.n_portfolios, 2 * POSITIONS),
    )

    def each(work: Callable[[IntArray, FloatArray], object]) -> Callable[[], None]:
        def loop() -> None:
            for columns, exposures in held:
                work(columns, exposures)

        return loop

    def subset(columns: IntArray, exposures: FloatArray) -> None:
        y = peers.return_series(frame, columns, exposures)
        peers.empyrical_subset(y, benchmark.loc[y.index])

    return {
        OURS: functools.partial(_night, prepared, batch),
        ALONE: functools.partial(_series, prepared, batch),
        ONE: lambda: [full_set(prepared, batch.part(row, row + 1)) for row in range(sample)],
        STATSMODELS: each(functools.partial(composite.full_set, rolling=peers.rolling_ols)),
        PANDAS: each(functools.partial(composite.full_set, rolling=peers.rolling_covariance)),
        EMPYRICAL: each(subset),
        SERIES: each(functools.partial(peers.return_series, frame)),
        "scipy CSR @ dense f64": lambda: weights @ filled,
        "dense dgemm": lambda: dense @ filled,
        "engine, twice the portfolios": functools.partial(_night, prepared, twice),
        "engine, twice the positions": functools.partial(_night, prepared, heavy),
    }


def _night(prepared: Run, batch: Books) -> None:
    for _, chunk in batch.chunks():
        full_set(prepared, chunk)


def _series(prepared: Run, batch: Books) -> None:
    for _, chunk in batch.chunks():
        book_returns(prepared.panel, chunk)


def _goals(rows: dict[str, Row], bounds: dict[str, float]) -> list[Goal]:
    each = {name: row.each for name, row in rows.items()}
    ours, alone, one = each[OURS], each[ALONE], each[ONE]
    twice = rows["engine, twice the portfolios"].median / rows[OURS].median
    return [
        Goal("1", "batch against the statsmodels composite", each[STATSMODELS] / ours, 150, 300),
        Goal("2", "batch against the pandas-rolling composite", each[PANDAS] / ours, 60, 120),
        Goal("3", "batch against empyrical's subset", each[EMPYRICAL] / ours, 10, 20),
        Goal("4", "batch against pandas' return series alone", each[SERIES] / ours, 6, 12),
        Goal("5a", "one on demand against statsmodels", each[STATSMODELS] / one, 60, 120),
        Goal("5b", "one on demand against pandas-rolling", each[PANDAS] / one, 20, 40),
        Goal("6a", "return series against scipy", each["scipy CSR @ dense f64"] / alone, 3, 4),
        Goal("6b", "return series against dgemm", each["dense dgemm"] / alone, 2, 3),
        Goal("7", "return series over the last-cache bound", bounds["product"], 3, 2),
        Goal("8", "coverage as a share of the product", 100 * bounds["coverage"], 15, 7, " %"),
        Goal("9", "whole batch over return series alone", ours / alone, 5, 3.5),
        Goal("24a", "twice the portfolios", twice, 2.2, 2.0),
        Goal("24b", "twice the positions", each["engine, twice the positions"] / ours, 1.7, 1.4),
    ]


@njit("float64(float64[::1], int64)", fastmath=True)
def _read(values: FloatArray, times: int) -> float:
    total = 0.0
    for _ in range(times):
        for i in range(values.size):
            total += values[i]
        total *= 0.5
    return total


def _bounds(scene: Market, prepared: Run, batch: Books) -> dict[str, float]:
    """Time each stage beside what the machine can do, and print both for a night."""
    done = full_set(prepared, batch)
    sizes = {"L1": 3 << 10, "L3": 1 << 20, "memory": 1 << 25}
    sets = {name: np.ones(size) for name, size in sizes.items()}
    traffic = 1 << 25
    square = np.random.default_rng(0).standard_normal((1_024, 1_024))
    stages = _stages(prepared, batch, done)
    contenders: dict[str, Callable[[], object]] = {
        **stages,
        **{
            f"read {name}": functools.partial(_read, values, max(traffic // values.size, 1))
            for name, values in sets.items()
        },
        "matrix product": lambda: square @ square,
    }
    seconds = {row.name: row.median for row in interleaved(contenders, work=1, unit="/s")}
    rates = {name: traffic * 8 / seconds[f"read {name}"] / 1e9 for name in sets}
    flops = 2 * 1_024**3 / seconds["matrix product"] / 1e9
    positions, n, sessions = batch.exposures.size, batch.n_portfolios, SESSIONS
    tail = tail_size(sessions, 0.975)
    # Bytes that a stage must move at the least, and from where.
    moved = {
        "product": ("L3", positions * sessions * 8.0),
        "coverage": ("memory", n * sessions * 33.0),
        "regressions": ("L1", n * sessions * 8.0 * (2 + 3 + 5 + 11 * 2 * 5)),
        "sides": ("L1", n * sessions * 8.0 * (8 + 11 * 2 * 3)),
        "rolling": ("L1", n * sessions * 8.0 * (6 + 3 * 12)),
        "risk": ("L1", n * sessions * 8.0 * 4),
        "hedges": ("L1", n * sessions * 8.0 * 4 * 7),
        "components": ("L1", positions * tail * 20.0),
    }
    note = {
        "product": "sums pass through L1 once for four positions; each row starts cold",
        "coverage": "one running sum: an addition waits for the one before",
        "regressions": "Bartlett products at odd offsets cross cache lines",
        "sides": "as above",
        "rolling": "running sums wait for one another; square roots",
        "risk": "wealth and its peak wait for one another; a division a day",
        "hedges": "the tail filter keeps one value a cycle, it is not a vector operation",
        "components": "gathers: one load for each position and day",
    }
    scale = NIGHT / n
    rows = []
    for name, (level, size) in moved.items():
        bound = size / rates[level] / 1e9
        share = bound / seconds[name]
        rows.append(
            [name, f"{1e3 * scale * seconds[name]:,.0f}", f"{1e3 * scale * bound:,.0f}",
             f"{level} {rates[level]:,.0f} GB/s", f"{share:.0%}", note[name]]
        )  # fmt: skip
    dense = 2.0 * n * scene.panel.size / flops / 1e9
    rows.append(
        ["the product, dense", f"{1e3 * scale * dense:,.0f}", "", f"dgemm {flops:,.0f} GFLOP/s",
         "", "by scaling: what the sparse product avoids"]
    )  # fmt: skip
    show_table(
        f"Where each stage stands, {NIGHT:,} portfolios, one thread",
        ("stage", "ms", "bound ms", "of", "reached", "what keeps it from the bound"),
        rows,
        note=f"memory reads {rates['memory']:,.0f} GB/s; stages timed apart in one interleaved run",
    )
    product = seconds["product"]
    return {
        "product": product / (moved["product"][1] / rates["L3"] / 1e9),
        "coverage": seconds["coverage"] / product,
    }


def _stages(prepared: Run, batch: Books, done: FullSet) -> dict[str, Callable[[], object]]:
    """The kernels one by one on the portfolios that miss no session."""
    panel, returns, sample = prepared.panel, done.returns, prepared.beta_sample
    members = np.flatnonzero(returns.n_excluded == 0)
    status = np.zeros(batch.n_portfolios, dtype=np.int8)
    places = (returns.series, members, members)
    rows = (*places, status)
    scratch = np.empty_like(returns.series)
    tail_sizes, quantiles = tails(SESSIONS, prepared.settings.confidence_levels)
    assert sample.sides is not None
    sides, windows = sample.sides, sample.windows
    blocks = prepared.hedge_groups[0].blocks
    assert not isinstance(blocks, EngineError)
    held = (batch.offsets, batch.instruments, batch.exposures)
    tables = {
        name: np.zeros((batch.n_portfolios, columns))
        for name, columns in (("one", 7), ("two", 10), ("sides", 8), ("risk", 9))
    }
    grid = np.zeros((batch.n_portfolios, 4, 4, 6))

    def regressions() -> None:
        for factors, table in ((sample.one, "one"), (sample.two, "two")):
            statistics.regressions(
                *rows, factors.centered, factors.means, factors.influence,
                factors.unscaled_variance, sample.lags, tables[table],
            )  # fmt: skip

    coverage = (np.empty_like(scratch), returns.observed.copy(), np.zeros(batch.n_portfolios, int))
    lines = (panel.first, panel.stop, panel.gap_offsets, panel.gaps)
    worst = np.ascontiguousarray(done.risk["value_at_risk_97_5"])
    counts = np.full(batch.n_portfolios, tail_sizes[1])
    complete = np.where(returns.n_excluded == 0, 0, 1).astype(np.int8)
    return {
        "product": lambda: tiled_product(panel.tiles, *held, scratch),
        "coverage": lambda: renormalize(*lines, *held, 0.5, scratch, *coverage),
        "regressions": regressions,
        "sides": lambda: statistics.sided_betas(
            *rows, sides.inside, sides.centered, sides.influence, sides.counts,
            sides.partial_weights, sides.partial_constant, sample.lags, tables["sides"],
        ),
        "rolling": lambda: statistics.rolling_betas(
            *rows, windows.factor, windows.centered_factor, windows.windows, windows.means,
            windows.inverse_squares, windows.decay, windows.inverse_moments, done.rolling,
        ),
        "risk": lambda: statistics.series_risk(
            *rows, tail_sizes, quantiles, tables["risk"]
        ),
        "hedges": lambda: statistics.hedge_grid(
            *places, blocks.horizons, blocks.starts, blocks.tail_sizes, blocks.quantiles,
            blocks.returns, blocks.influence, blocks.moments, np.arange(4), grid,
            np.zeros((batch.n_portfolios, 4, 4), dtype=np.int8),
        ),
        "components": lambda: statistics.shortfall_components(
            returns.series, returns.coverage, returns.observed, *held, panel.by_session,
            complete, worst, counts, np.zeros(batch.exposures.size),
        ),
    }  # fmt: skip


def _accuracy(scene: Market, prepared: Run, batch: Books) -> Goal:
    """Largest relative difference to statsmodels, ragged portfolios included."""
    composite = peers.Composite(
        pd.DataFrame(scene.panel), scene.benchmark, scene.market, scene.hedges
    )
    rows = [row for row in range(batch.n_portfolios) if row < _ACCURACY_ROWS or ragged(row)]
    worst = 0.0
    for row in rows:
        part = batch.part(row, row + 1)
        columns = part.instruments.astype(np.int64)
        expected = composite.full_set(columns, part.exposures, lambda *_: None)
        ours = peers.compared(full_set(prepared, part), 0)
        worst = max(worst, float(np.max(np.abs(ours / expected - 1))))
    case = (
        "relative difference to statsmodels: betas, errors, hedges;"
        f" {sum(map(ragged, rows))} of {len(rows)} ragged"
    )
    return Goal("22", case, worst, 1e-10, 1e-13, "")
