"""The synthetic market keeps the promises of its docstring."""

from __future__ import annotations

import csv
import hashlib
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from portfolios.feeds import Status, read_file, read_folder
from riskapi.sample.folder import write_market
from riskapi.sample.market import (
    BEAR,
    BULL,
    FUND,
    INDEX,
    LISTINGS,
    REFERENCE_SESSION,
    SWAP_SPREAD,
    SYMBOLS,
    Floats,
    Market,
    generate,
)


@pytest.fixture(scope="module")
def market() -> Market:
    return generate(REFERENCE_SESSION)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("market")
    write_market(path, REFERENCE_SESSION)
    return path


def _adjusted(folder: Path, symbol: str) -> tuple[list[date], Floats]:
    with (folder / "prices" / f"{symbol}.csv").open() as file:
        rows = list(csv.DictReader(file))
    closes = [float(row["adj_close"] or row["close"]) for row in rows]
    return [date.fromisoformat(row["date"]) for row in rows], np.array(closes)


def test_the_market_is_the_same_on_every_machine(folder: Path) -> None:
    digest = hashlib.sha256((folder / "prices" / f"{BEAR}.csv").read_bytes()).hexdigest()

    # Recorded once; another value means that published examples no longer hold.
    assert digest == "e186e88ac2aa493e6b4261bde40e854b060511910704a4d5a60fe3b113142b40"


def test_a_longer_sample_continues_the_shorter_one(market: Market) -> None:
    longer = generate(date(2027, 6, 30))

    n = len(market.sessions)
    assert longer.sessions[:n] == market.sessions
    for name in ("open", "high", "low", "close", "volume", "bill_yield_pct"):
        np.testing.assert_array_equal(getattr(longer, name)[:n], getattr(market, name))
    assert longer.splits[: len(market.splits)] == market.splits


def test_every_session_trades_between_its_low_and_its_high(market: Market) -> None:
    assert (market.low > 0).all()
    assert (market.low <= np.minimum(market.open, market.close)).all()
    assert (market.high >= np.maximum(market.open, market.close)).all()


def test_variance_clusters_and_tails_are_fat(market: Market) -> None:
    moves = np.diff(np.log(market.close[:, SYMBOLS.index(INDEX)]))
    moves -= moves.mean()
    squares = moves**2

    assert np.corrcoef(squares[1:], squares[:-1])[0, 1] > 0.2
    assert (moves**4).mean() / squares.mean() ** 2 > 5.0


@pytest.mark.parametrize(("symbol", "multiple", "fee"), [(BULL, 3, 0.0075), (BEAR, -3, 0.0102)])
def test_funds_reset_daily_with_financing_and_fee(
    folder: Path, market: Market, symbol: str, multiple: int, fee: float
) -> None:
    _, index = _adjusted(folder, INDEX)
    _, fund = _adjusted(folder, symbol)
    rate = market.bill_yield_pct[:-1] / 100
    swapped = 2 if multiple > 0 else 3
    promised = np.prod(
        1
        + multiple * (index[1:] / index[:-1] - 1)
        + ((1 - multiple) * rate - SWAP_SPREAD * swapped - fee) / 252
    )

    # Left over: cents, and the premium at either end.
    np.testing.assert_allclose(fund[-1] / fund[0], promised, rtol=3e-3)


def test_the_inverse_fund_has_had_reverse_splits(market: Market, folder: Path) -> None:
    ratios = [(s.new_shares, s.old_shares) for s in market.splits if s.symbol == BEAR]
    _, adjusted = _adjusted(folder, BEAR)

    assert ratios
    assert set(ratios) == {(1, 10)}
    assert np.abs(np.diff(adjusted) / adjusted[:-1]).max() < 0.5


def test_names_follow_the_index_with_their_betas(folder: Path) -> None:
    returns = {s: np.diff(np.log(_adjusted(folder, s)[1])) for s in SYMBOLS}
    x = returns[INDEX]

    for listing in LISTINGS:
        if listing.kind == "equity":
            slope = np.cov(returns[listing.symbol], x)[0, 1] / x.var(ddof=1)
            # The market factor adds to the index's: at most cov(m, x)/var(x) < 1/1.45 of its beta.
            low, high = sorted((0.0, listing.market_beta / 1.45))
            se = listing.own_volatility_annual / np.sqrt(252 * len(x) * x.var())
            assert listing.semis_beta + low - 4 * se < slope < listing.semis_beta + high + 4 * se


def test_puts_and_calls_are_at_parity(folder: Path) -> None:
    with (folder / "options" / f"{FUND}_{REFERENCE_SESSION}.csv").open() as file:
        quotes = {(q["expiration"], q["strike"], q["side"]): q for q in csv.DictReader(file)}
    with (folder / "options" / "snapshots.csv").open() as file:
        snapshot = next(csv.DictReader(file))
    spot, rate = float(snapshot["underlying_price"]), float(snapshot["irx_13w_pct"]) / 100

    assert len(quotes) == int(snapshot["quotes"]) > 100
    for (expiry, strike, side), call in quotes.items():
        if side == "call":
            put = quotes[expiry, strike, "put"]
            years = (date.fromisoformat(expiry) - REFERENCE_SESSION).days / 365
            forward = spot - float(strike) * np.exp(-rate * years)
            assert abs(float(call["last"]) - float(put["last"]) - forward) < 0.011


def test_the_gate_takes_every_file_whole(folder: Path) -> None:
    files = list(read_folder(folder))

    assert len(files) >= len(LISTINGS) + 6
    for path, _ in files:
        with path.open("rb") as stream:
            verdict = read_file(stream, name=path.name)
        assert verdict.status is not Status.REFUSED, (path.name, verdict.problems[:3])
        assert verdict.rows_rejected == 0, (path.name, verdict.problems[:3])
