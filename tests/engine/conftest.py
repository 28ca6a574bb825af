"""Series for the engine's tests; none of them needs a database."""

from __future__ import annotations

import csv
from collections.abc import Callable

import numpy as np
import pytest

from analytics.engine.types import FloatArray
from tests.switches import MARKET, NO_MARKET


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20100311)


@pytest.fixture
def pair(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """A portfolio with serially correlated residuals, and its benchmark."""
    benchmark = rng.standard_t(5, 300) * 0.015
    noise = rng.normal(0.0, 0.006, 300)
    noise[1:] += 0.4 * noise[:-1]
    return 0.0003 + 1.3 * benchmark + noise, benchmark


@pytest.fixture(scope="session")
def market_levels() -> Callable[[str, str], tuple[list[str], FloatArray]]:
    """Reader of the market folder: dates and one column of a ticker, NaN where blank."""
    folder = MARKET / "prices"
    if not folder.is_dir():
        pytest.skip(NO_MARKET)

    def read(ticker: str, column: str = "adj_close") -> tuple[list[str], FloatArray]:
        with (folder / f"{ticker}.csv").open(newline="") as lines:
            rows = list(csv.DictReader(lines))
        values = [float(row[column]) if row[column] else np.nan for row in rows]
        return [row["date"] for row in rows], np.array(values)

    return read
