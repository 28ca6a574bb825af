"""Case 12: rolling beta of 5,000 ragged series, with standard errors."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from statsmodels.regression.rolling import RollingOLS

from analytics.engine.batch.rolling_kernels import ragged_rolling_betas
from analytics.engine.types import FloatArray
from tests.bench.market import INSTRUMENTS, SESSIONS, market
from tests.bench.timing import Goal, interleaved, show

WINDOW, LEAST = 252, 126
FRAME_SAMPLE, OLS_SAMPLE = 250, 10


def run(*, quick: bool) -> list[Goal]:
    """Ours with errors, peers with betas alone."""
    scene = market()
    n_series = 500 if quick else INSTRUMENTS
    rows = np.ascontiguousarray(scene.panel.T[:: INSTRUMENTS // n_series])
    x = scene.benchmark
    frame = pd.DataFrame(rows[:: n_series // FRAME_SAMPLE].T)
    benchmark = pd.Series(x)

    def pandas() -> None:
        # The benchmark is masked where a series is missing, or the ratio would be biased.
        masked = frame.notna().mul(benchmark, axis=0).where(frame.notna())
        for column in frame:
            pairs = masked[column].rolling(WINDOW, min_periods=LEAST)
            _ = frame[column].rolling(WINDOW, min_periods=LEAST).cov(benchmark) / pairs.var()

    def rolling_ols() -> None:
        exog = sm.add_constant(x)
        for row in rows[:: n_series // OLS_SAMPLE]:
            RollingOLS(row, exog, window=WINDOW, min_nobs=LEAST, missing="skip").fit()

    contenders: dict[str, Any] = {
        "engine, betas and errors": lambda: ragged_rolling_betas(rows, x, WINDOW, min_obs=LEAST),
        "pandas rolling cov / var": pandas,
        "statsmodels RollingOLS": rolling_ols,
    }
    work = dict(zip(contenders, (n_series, FRAME_SAMPLE, OLS_SAMPLE), strict=True))
    peer = "numbagg move_cov / move_var"
    if find_spec("numbagg"):
        contenders[peer] = lambda: _numbagg(rows, x)
        work[peer] = n_series
    measured = interleaved(contenders, work=work, unit="series/s")
    show(
        f"12. Rolling beta({WINDOW}), {n_series:,} x {SESSIONS:,} ragged",
        measured,
        baseline="pandas rolling cov / var",
        note="peers give betas alone, RollingOLS errors too; pandas from"
        f" {FRAME_SAMPLE} series, RollingOLS from {OLS_SAMPLE}",
    )
    each = {row.name: row.each for row in measured}
    ours = each["engine, betas and errors"]
    lines = [
        Goal("12b", "rolling beta against pandas", each["pandas rolling cov / var"] / ours, 8, 15),
        Goal(
            "12c", "rolling beta against RollingOLS",
            each["statsmodels RollingOLS"] / ours, 500, 1_000,
        ),
    ]  # fmt: skip
    if peer in each:
        lines.insert(0, Goal("12a", "rolling beta against numbagg", each[peer] / ours, 2, 3))
    return lines


def _numbagg(rows: FloatArray, x: FloatArray) -> FloatArray:
    import numbagg

    masked = np.where(np.isnan(rows), np.nan, x)
    covariance = numbagg.move_cov(rows, masked, window=WINDOW, min_count=LEAST)
    variance = numbagg.move_var(masked, window=WINDOW, min_count=LEAST)
    betas: FloatArray = covariance / variance
    return betas
