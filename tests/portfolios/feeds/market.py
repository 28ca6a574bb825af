"""The real market folder, where it is present."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from portfolios.feeds import (
    Distribution,
    FeedHints,
    LeverageHint,
    Split,
    StoredSeries,
    distributions_of,
    read_file,
    splits_of,
)
from tests.switches import MARKET, NO_MARKET

needs_market = pytest.mark.skipif(not (MARKET / "prices").is_dir(), reason=NO_MARKET)
FUNDS = {"SOXL": (3.0, "SOXX"), "SOXS": (-3.0, "SOXX"), "NVDS": (-1.5, "NVDA")}


@cache
def series(ticker: str) -> StoredSeries:
    frame = pd.read_csv(MARKET / "prices" / f"{ticker}.csv")
    return StoredSeries(
        frame["date"].to_numpy(dtype="datetime64[D]"),
        frame["close"].to_numpy(dtype=np.float64),
        frame["adj_close"].to_numpy(dtype=np.float64),
        frame["volume"].to_numpy(dtype=np.float64),
    )


@cache
def _actions() -> tuple[dict[str, tuple[Split, ...]], dict[str, tuple[Distribution, ...]]]:
    splits = read_file(MARKET / "splits.csv", name="splits.csv")
    paid = read_file(MARKET / "distributions.csv", name="distributions.csv")
    return splits_of(splits), distributions_of(paid)


def hints_for(ticker: str, *, stored: bool = False) -> FeedHints:
    splits, paid = _actions()
    leverage = None
    if ticker in FUNDS:
        multiple, index = FUNDS[ticker]
        leverage = LeverageHint(multiple, series(index).dates, series(index).close)
    return FeedHints(
        symbol=ticker,
        splits=splits.get(ticker, ()),
        distributions=paid.get(ticker, ()),
        leverage=leverage,
        stored=series(ticker) if stored else None,
    )


def frame_of(ticker: str) -> pd.DataFrame:
    path = MARKET / "prices" / f"{ticker}.csv"
    return pd.read_csv(path, dtype=str, keep_default_na=False)
