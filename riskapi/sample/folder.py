"""The synthetic market as a folder in the form that `import_market` takes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from riskapi.sample import options
from riskapi.sample.market import (
    FIRST_SESSION,
    FUND,
    INDEX,
    LISTINGS,
    REFERENCE_SESSION,
    SWAP_SPREAD,
    Market,
    generate,
)


def write_market(folder: Path, through: date) -> Market:
    """Write all sessions to `through`, adjusted as of the last one; return what happened."""
    market = generate(max(through, REFERENCE_SESSION))
    (folder / "prices").mkdir(parents=True, exist_ok=True)
    (folder / "options").mkdir(exist_ok=True)
    for column, listing in enumerate(LISTINGS):
        _write_prices(folder / "prices" / f"{listing.symbol}.csv", market, column)
    _write(
        folder / "splits.csv",
        "ticker,effective_date,new_shares,old_shares,kind,how_known",
        (
            f"{s.symbol},{s.effective_date},{s.new_shares},{s.old_shares},"
            f"{'reverse' if s.new_shares < s.old_shares else 'forward'},synthetic"
            for s in market.splits
        ),
    )
    _write(
        folder / "distributions.csv",
        "ticker,ex_date,amount_per_share",
        (
            f"{d.symbol},{d.ex_date},{d.amount * _basis(market, d.symbol, d.ex_date):.10g}"
            for d in market.distributions
        ),
    )
    _write_terms(folder, market)
    _write_rates(folder / "rates.csv", market)
    _write_options(folder / "options", market)
    return market


def _write(path: Path, header: str, rows: Iterable[str]) -> None:
    path.write_text("\n".join([header, *rows]) + "\n")


def _basis(market: Market, symbol: str, session: date) -> float:
    """What a price as traded on that session is multiplied by, for the splits after it."""
    factor = 1.0
    for split in market.splits:
        if split.symbol == symbol and split.effective_date > session:
            factor *= split.old_shares / split.new_shares
    return factor


def _write_prices(path: Path, market: Market, column: int) -> None:
    symbol = LISTINGS[column].symbol
    basis = np.array([_basis(market, symbol, session) for session in market.sessions])
    opened, high, low, close = (
        (prices[:, column] * basis).tolist()
        for prices in (market.open, market.high, market.low, market.close)
    )
    lines = [
        f"{session},{o:.10g},{h:.10g},{lo:.10g},{c:.10g}"
        for session, o, h, lo, c in zip(market.sessions, opened, high, low, close, strict=True)
    ]
    if symbol == INDEX:
        lines = [f"{line},," for line in lines]
    else:
        paid = {
            d.ex_date: d.amount * _basis(market, symbol, d.ex_date)
            for d in market.distributions
            if d.symbol == symbol
        }
        volume = np.rint(market.volume[:, column] / basis).astype(np.int64).tolist()
        lines = [
            f"{line},{adjusted:.10g},{shares}"
            for line, adjusted, shares in zip(
                lines, _adjusted(market.sessions, close, paid), volume, strict=True
            )
        ]
    _write(path, "date,open,high,low,close,adj_close,volume", lines)


def _adjusted(sessions: list[date], close: list[float], paid: dict[date, float]) -> list[float]:
    """Closes whose changes are total returns, equal to the close on the last day."""
    adjusted = list(close)
    for t in range(len(close) - 2, -1, -1):
        adjusted[t] = adjusted[t + 1] * close[t] / (close[t + 1] + paid.get(sessions[t + 1], 0.0))
    return adjusted


def _write_terms(folder: Path, market: Market) -> None:
    funds = [listing for listing in LISTINGS if listing.multiple is not None]
    _write(
        folder / "instruments.csv",
        "symbol,kind,name,currency,proxy",
        (f"{listing.symbol},{listing.kind},{listing.name},USD," for listing in LISTINGS),
    )
    _write(
        folder / "leverage_terms.csv",
        "ticker,valid_from,multiple,reference_index,expense_ratio,swap_spread,source",
        (
            f"{f.symbol},{FIRST_SESSION},{f.multiple:g},{INDEX},{f.expense_ratio},{SWAP_SPREAD},synthetic"
            for f in funds
            if f.multiple != 1
        ),
    )
    last = market.sessions[-1]
    _write(
        folder / "fund_facts.csv",
        "ticker,name,as_of,total_assets_usd,expense_ratio_pct,nav,yield_frac,inception",
        (
            f"{f.symbol},{f.name},{last},{assets:.0f},{100 * f.expense_ratio:g},"
            f"{market.close_of(f.symbol, last)},{f.yield_annual},{FIRST_SESSION}"
            for f, assets in zip(funds, (20e9, 12e9, 1.5e9), strict=True)
        ),
    )


def _write_rates(path: Path, market: Market) -> None:
    bill = market.bill_yield_pct
    excess = 100 * market.market_return - bill / 252
    _write(
        path,
        "date,irx_13w_pct,dtb3_pct,ff_rf_daily_pct,ff_mkt_rf_daily_pct,vixcls",
        (
            f"{day},{y:.3f},{y:.2f},{y / 252:.3f},{e:.2f},{v:.2f}"
            for day, y, e, v in zip(
                market.sessions, bill, excess, 110 * market.market_volatility, strict=True
            )
        ),
    )


def quoted_sessions(market: Market) -> list[date]:
    """Sessions with an option chain: that of the examples, and the last one."""
    return sorted({REFERENCE_SESSION, market.sessions[-1]})


def _write_options(folder: Path, market: Market) -> None:
    snapshots = []
    for session in quoted_sessions(market):
        t = market.sessions.index(session)
        spot = market.close_of(FUND, session)
        rate = market.bill_yield_pct[t]
        name = f"{FUND}_{session}.csv"
        rows = options.chain(spot, session, float(market.index_volatility[t]), float(rate) / 100)
        _write(folder / name, options.COLUMNS, rows)
        quoted_at = datetime.combine(session, time(15, 59), ZoneInfo("America/New_York"))
        snapshots.append(
            f"{FUND},{quoted_at.isoformat()},{spot},{len(rows)},{len(options.expiries(session))},"
            f"{len(options.strikes(spot))},{name},{rate}"
        )
    _write(
        folder / "snapshots.csv",
        "symbol,quoted_at,underlying_price,quotes,expirations,strikes,file,irx_13w_pct",
        snapshots,
    )
