from __future__ import annotations

import csv
import datetime as dt
from dataclasses import dataclass

import numpy as np
import pytest

from analytics.engine.errors import InsufficientDataError, InvalidInputError
from analytics.engine.options import (
    implied_volatilities,
    option_batch,
    option_prices,
    parity_implied_spot,
)
from analytics.engine.types import BoolArray, FloatArray
from tests.switches import MARKET, NO_MARKET

SNAPSHOT = dt.date(2026, 7, 15)
# 13-week bill of the snapshot, continuously compounded.
RATE = float(np.log1p(0.03688))


@dataclass(frozen=True)
class Chain:
    years: FloatArray
    strike: FloatArray
    is_call: BoolArray
    bid: FloatArray
    ask: FloatArray


def read(ticker: str) -> Chain:
    path = MARKET / "options"
    if not path.is_dir():
        pytest.skip(NO_MARKET)
    with (path / f"{ticker}_{SNAPSHOT}.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))

    def column(name: str) -> FloatArray:
        return np.array([float(row[name]) if row[name] else np.nan for row in rows])

    days = [(dt.date.fromisoformat(row["expiration"]) - SNAPSHOT).days for row in rows]
    return Chain(
        np.array(days) / 365,
        column("strike"),
        np.array([row["side"] == "call" for row in rows]),
        column("bid"),
        column("ask"),
    )


def made(spot: float, *, width: float = 0.05) -> Chain:
    """Quotes around model values at 5, 12 and 30 days."""
    years, strike, call = (
        grid.ravel()
        for grid in np.meshgrid(
            np.array([5, 12, 30]) / 365, np.arange(85.0, 116.0), [True, False], indexing="ij"
        )
    )
    batch = option_batch(
        spot=spot, strike=strike, years=years, rate=0.04, dividend_yield=0.01,
        is_call=call.astype(bool),
    )  # fmt: skip
    values = option_prices(batch, 0.5)
    return Chain(years, strike, call.astype(bool), np.maximum(values - width, 0.0), values + width)


@pytest.mark.parametrize(
    ("ticker", "stated", "implied", "tolerance"),
    [("SMH", 585.115, 579.0, 0.4), ("NVDA", 208.115, 206.6, 0.2)],
)
def test_real_chains_were_made_with_another_spot_than_they_state(
    ticker: str, stated: float, implied: float, tolerance: float
) -> None:
    chain = read(ticker)
    found = parity_implied_spot(
        chain.years, chain.strike, chain.is_call, chain.bid, chain.ask,
        rate=RATE, stated_spot=stated,
    )  # fmt: skip
    assert found.spot == pytest.approx(implied, abs=0.05)
    assert found.expiry_years.size == 10
    assert np.abs(found.expiry_spot - implied).max() < tolerance
    assert found.in_step is False
    assert found.gap is not None
    assert found.gap > 0.007


@pytest.mark.parametrize(("ticker", "stated"), [("SMH", 585.115), ("NVDA", 208.115)])
def test_puts_and_calls_imply_one_volatility_at_the_implied_spot_only(
    ticker: str, stated: float
) -> None:
    chain = read(ticker)
    found = parity_implied_spot(
        chain.years, chain.strike, chain.is_call, chain.bid, chain.ask, rate=RATE
    )
    near = (
        (chain.years > 0) & (chain.years < 0.25) & (chain.bid > 0)
        & (np.abs(chain.strike / found.spot - 1) < 0.03)
    )  # fmt: skip

    def disagreement(spot: float) -> float:
        options = option_batch(
            spot=spot, strike=chain.strike[near], years=chain.years[near], rate=RATE,
            is_call=chain.is_call[near],
        )  # fmt: skip
        implied = implied_volatilities(options, (chain.bid + chain.ask)[near] / 2)
        sides: dict[tuple[float, float], list[float]] = {}
        for row in np.flatnonzero(implied.ok):
            key = (float(options.years[row]), float(options.strike[row]))
            sides.setdefault(key, []).append(float(implied.volatility[row]))
        gaps = [abs(both[0] - both[1]) for both in sides.values() if len(both) == 2]
        assert len(gaps) > 20
        return float(np.median(gaps))

    assert disagreement(found.spot) < disagreement(stated) / 4


@pytest.mark.parametrize("spot", [92.3, 100.0, 107.7])
def test_a_chain_gives_back_the_spot_it_was_made_with(spot: float) -> None:
    chain = made(spot)
    found = parity_implied_spot(
        chain.years, chain.strike, chain.is_call, chain.bid, chain.ask,
        rate=0.04, dividend_yield=0.01, stated_spot=spot,
    )  # fmt: skip
    np.testing.assert_allclose(found.expiry_spot, spot, rtol=1e-12)
    assert found.low < spot < found.high
    assert found.high - found.low == pytest.approx(0.2, rel=0.01)
    assert found.in_step is True
    assert found.gap == pytest.approx(0.0, abs=1e-12)


def test_the_order_of_quotes_and_missing_sides_do_not_matter() -> None:
    chain = made(100.0)
    rng = np.random.default_rng(5)
    order = rng.permutation(chain.years.size)
    bid = chain.bid.copy()
    bid[rng.random(bid.size) < 0.2] = np.nan
    bid[rng.random(bid.size) < 0.1] = 0.0
    found = parity_implied_spot(
        chain.years[order], chain.strike[order], chain.is_call[order], bid[order],
        chain.ask[order], rate=0.04, dividend_yield=0.01,
    )  # fmt: skip
    np.testing.assert_allclose(found.spot, 100.0, rtol=1e-12)
    assert found.gap is None
    assert found.in_step is None


def test_a_chain_without_pairs_has_no_spot() -> None:
    chain = made(100.0)
    with pytest.raises(InsufficientDataError, match="3 strikes near the money"):
        parity_implied_spot(
            chain.years, chain.strike, chain.is_call, np.where(chain.is_call, chain.bid, 0.0),
            chain.ask, rate=0.04,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: (c.years, c.strike, c.is_call, c.ask, c.bid), "crossed"),
        (lambda c: (-c.years, c.strike, c.is_call, c.bid, c.ask), "must not be negative"),
        (lambda c: (c.years, c.strike, c.strike, c.bid, c.ask), "must hold booleans"),
        (lambda c: (c.years, c.strike[:5], c.is_call, c.bid, c.ask), "one entry a quote"),
        (lambda c: (c.years, np.full_like(c.strike, 100.0), c.is_call, c.bid + 5, c.ask + 5),
         "quoted twice"),
    ],
)  # fmt: skip
def test_chains_that_cannot_be_right_are_refused(change: object, message: str) -> None:
    assert callable(change)
    with pytest.raises(InvalidInputError, match=message):
        parity_implied_spot(*change(made(100.0)), rate=0.04)
