"""The real market folder, where it is present."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from portfolios.feeds import Distribution, FeedHints, LeverageHint, Split, StoredSeries

_BESIDE = Path(__file__).resolve().parents[4] / "shared" / "market"
MARKET = Path(os.environ.get("RISK_MARKET_DATA", str(_BESIDE)))
needs_market = pytest.mark.skipif(
    not (MARKET / "prices").is_dir(), reason="no market folder: set RISK_MARKET_DATA"
)
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
def _actions() -> tuple[dict[str, list[Split]], dict[str, list[Distribution]]]:
    splits, paid = defaultdict(list), defaultdict(list)
    with (MARKET / "splits.csv").open() as lines:
        for row in csv.DictReader(lines):
            day = date.fromisoformat(row["effective_date"])
            split = Split(day, float(row["new_shares"]), float(row["old_shares"]))
            splits[row["ticker"]].append(split)
    with (MARKET / "distributions.csv").open() as lines:
        for row in csv.DictReader(lines):
            amount = Distribution(
                date.fromisoformat(row["ex_date"]), float(row["amount_per_share"])
            )
            paid[row["ticker"]].append(amount)
    return splits, paid


def hints_for(ticker: str, *, stored: bool = False) -> FeedHints:
    splits, paid = _actions()
    leverage = None
    if ticker in FUNDS:
        multiple, index = FUNDS[ticker]
        leverage = LeverageHint(multiple, series(index).dates, series(index).close)
    return FeedHints(
        symbol=ticker,
        splits=tuple(splits.get(ticker, ())),
        distributions=tuple(paid.get(ticker, ())),
        leverage=leverage,
        stored=series(ticker) if stored else None,
    )


def frame_of(ticker: str) -> pd.DataFrame:
    path = MARKET / "prices" / f"{ticker}.csv"
    return pd.read_csv(path, dtype=str, keep_default_na=False)
