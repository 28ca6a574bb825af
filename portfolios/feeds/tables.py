"""Files that are not prices: splits, distributions, rates, fund facts, holdings and options."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from pathlib import PurePath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolios.feeds import books, cells
from portfolios.feeds.columns import Header
from portfolios.feeds.decoding import RawTable
from portfolios.feeds.hints import FeedHints
from portfolios.feeds.ledger import Ledger
from portfolios.feeds.sessions import is_session, zone_of
from portfolios.feeds.verdict import Kind, refuse

MAX_DISTRIBUTION_SHARE = 0.25  # of the close before; the largest real one in a fund here is 5 %
_TICKER = re.compile(r"^[A-Z0-9][A-Z0-9.\-^/]{0,11}$")
_CONTRACT = re.compile(r"^[A-Z0-9][A-Z0-9.\-^=/ ]{0,39}\Z")
_OCC = re.compile(r"^([A-Z0-9.]{1,6})\s*(\d{6})([CP])(\d{8})$")


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns of a kind in output order; `needed` must be present in each row; `key` is unique."""

    dates: tuple[str, ...]
    texts: tuple[str, ...]
    numbers: tuple[str, ...]
    needed: tuple[str, ...]
    key: tuple[str, ...]
    check: Callable[[Ledger, FeedHints], None] = field(default=lambda _ledger, _hints: None)
    optional_dates: tuple[str, ...] = ()
    whole_rows: bool = False
    """Whether a number that cannot be read costs its row, needed or not."""


def read_table(
    table: RawTable, header: Header, hints: FeedHints, name: str
) -> tuple[Ledger, str | None]:
    layout = LAYOUTS[header.kind]
    columns = {n: table.columns[p[0]] for n, p in header.columns.items()}
    for canon, positions in header.columns.items():
        for other in positions[1:]:
            if not columns[canon].equals(table.columns[other]):
                raise refuse(
                    "two-columns",
                    f"two columns are headed {header.names[positions[0]]!r} and differ",
                    row=table.header_row,
                    column=canon,
                    value=header.names[positions[0]],
                )
    ledger = _parsed(table, columns, layout, hints)
    for column in layout.needed:
        missing = _missing(ledger, column)
        for i in np.flatnonzero(missing & ledger.kept).tolist():
            ledger.reject(i, "missing-value", f"{column} is missing", column=column)
    for column in layout.dates:
        if hints.today is not None and column not in {"expiration", "effective_date", "ex_date"}:
            later = ledger.days[column] > np.datetime64(hints.today)
            for i in np.flatnonzero(later & ledger.kept).tolist():
                ledger.reject(i, "future-date", f"after {hints.today}", column=column)
    layout.check(ledger, hints)
    _reject_repeated_keys(ledger, layout)
    return ledger, _instrument(header.kind, ledger, hints, name)


def _parsed(
    table: RawTable, columns: dict[str, pa.Array], layout: Layout, hints: FeedHints
) -> Ledger:
    n_rows = len(table.rows)
    empty = pa.nulls(n_rows, pa.string())
    numbers = [n for n in layout.numbers if n in columns]
    comma = cells.uses_decimal_comma([columns[n] for n in numbers], table.delimiter)
    parsed = {n: cells.parse_numbers(columns[n], decimal_comma=comma) for n in numbers}
    texts = {
        n: pc.if_else(pc.equal(columns[n], ""), pa.scalar(None, pa.string()), columns[n])
        for n in layout.texts
        if n in columns
    }
    dates = {
        n: _dates(columns[n], table.rows, hints)
        for n in (*layout.dates, *layout.optional_dates)
        if n in columns
    }
    ledger = Ledger(
        table.rows,
        {n: texts.get(n, empty) for n in layout.texts}
        | {n: parsed[n].text if n in parsed else empty for n in layout.numbers},
        {n: parsed[n].values if n in parsed else np.full(n_rows, np.nan) for n in layout.numbers},
        {n: column.values for n, column in dates.items()},
        [column.note for column in dates.values() if column.note],
    )
    for n, day_column in dates.items():
        for i, message in day_column.bad.items():
            if ledger.kept[i]:
                value = columns[n][i].as_py()[:80]
                ledger.reject(i, "bad-date", message, column=n, value=value)
    for n, column in parsed.items():
        for i, (code, message) in column.bad.items():
            value = columns[n][i].as_py()[:80]
            if ledger.kept[i] and (n in layout.needed or layout.whole_rows):
                ledger.reject(i, code, f"{n} {value}: {message}", column=n, value=value)
            elif ledger.kept[i]:
                ledger.drop_cell(i, n, code, message, value=value)
        for style in sorted(column.styles):
            ledger.note("number-style", f"{style} read in {n}")
    return ledger


def _dates(texts: pa.Array, rows: NDArray[np.int64], hints: FeedHints) -> cells.DateColumn:
    """Dates of a column that may have empty cells."""

    def session_share(days: NDArray[np.datetime64]) -> float:
        return float(np.mean(is_session(days[~np.isnat(days)], hints.calendar)))

    values = np.full(len(texts), np.datetime64("NaT", "D"))
    present = np.flatnonzero(np.asarray(pc.not_equal(texts, "")))
    if not len(present):
        return cells.DateColumn(values, {})
    column = cells.parse_dates(
        texts.take(pa.array(present)),
        rows[present],
        zone=zone_of(hints.calendar),
        session_share=session_share,
    )
    values[present] = column.values
    bad = {int(present[i]): message for i, message in column.bad.items()}
    return cells.DateColumn(values, bad, column.note)


def _missing(ledger: Ledger, column: str) -> NDArray[np.bool_]:
    if column in ledger.days:
        return np.isnat(ledger.days[column])
    return np.asarray(pc.is_null(ledger.text[column]))


def _reject_repeated_keys(ledger: Ledger, layout: Layout) -> None:
    kept = np.flatnonzero(ledger.kept)
    keys: dict[tuple[str | None, ...], list[int]] = {}
    parts = [
        ledger.days[k][kept].astype(str).tolist()
        if k in ledger.days
        else ledger.text[k].take(pa.array(kept)).to_pylist()
        for k in layout.key
        if k in ledger.days or k in ledger.text
    ]
    for i, key in zip(kept.tolist(), zip(*parts, strict=True), strict=True):
        keys.setdefault(key, []).append(i)
    for group in keys.values():
        if len(group) == 1:
            continue
        conflict = f"rows {ledger.named(group)} disagree about one {', '.join(layout.key)}"
        same = all(
            ledger.text[n][i].as_py() == ledger.text[n][group[0]].as_py()
            for n in ledger.text
            for i in group
        )
        for i in group[1:] if same else group:
            if same:
                message = f"the same as row {ledger.rows[group[0]]}"
                ledger.reject(i, "duplicate-row", message, column=layout.key[0])
            else:
                ledger.reject(i, "conflicting-duplicate", conflict, column=layout.key[0])


def _instrument(kind: Kind, ledger: Ledger, hints: FeedHints, name: str) -> str | None:
    if hints.symbol:
        return hints.symbol
    stem = PurePath(name).name.split(".")[0]
    if kind is Kind.HOLDINGS:
        return stem.split("_")[0] or None
    if kind is Kind.OPTION_CHAIN:
        first = next((c for c in ledger.text["contract"].to_pylist() if c), None)
        match = _OCC.match(first or "")
        return match.group(1) if match else stem.split("_")[0] or None
    return None


def _check_tickers(ledger: Ledger, column: str) -> None:
    for i, ticker in enumerate(ledger.text[column].to_pylist()):
        if ledger.kept[i] and not _TICKER.match(ticker or ""):
            ledger.reject(i, "bad-ticker", "not a ticker", column=column)


def _check_splits(ledger: Ledger, hints: FeedHints) -> None:
    _check_tickers(ledger, "ticker")
    new, old = ledger.values["new_shares"], ledger.values["old_shares"]
    with np.errstate(invalid="ignore", divide="ignore"):
        ledger.reject_where(
            (new <= 0) | (old <= 0), "non-positive", "shares must be positive", "new_shares"
        )
        factor = new / old
        texts = (ledger.text[n].to_pylist() for n in ("new_shares", "old_shares"))
        inexact = [
            kept and max(Fraction(Fraction(a) / Fraction(b)).as_integer_ratio()) > books.MAX_SHARES
            for kept, a, b in zip(ledger.kept, *texts, strict=True)
        ]
        ledger.reject_where(
            np.array(inexact, dtype=bool), "bad-ratio", "no ratio of whole shares", "new_shares"
        )
        extreme = (factor > books.MAX_SPLIT_FACTOR) | (factor < 1 / books.MAX_SPLIT_FACTOR)
        ledger.reject_where(extreme, "extreme-split", "a split by more than 1000", "new_shares")
        ledger.reject_where(factor == 1, "no-split", "one share for one is no split", "new_shares")
    for i, kind in enumerate(ledger.text["kind"].to_pylist()):
        if not ledger.kept[i] or kind is None:
            continue
        stated = kind.strip().lower()
        if (stated == "reverse" and factor[i] > 1) or (stated == "forward" and factor[i] < 1):
            ledger.reject(
                i,
                "split-direction",
                f"{ledger.cell(i, 'new_shares')} new for {ledger.cell(i, 'old_shares')} old is no "
                f"{stated} split",
                column="kind",
                suggestion="new_shares and old_shares may be swapped",
            )
    _reject_not_sessions(ledger, "effective_date", hints)


def _reject_not_sessions(ledger: Ledger, column: str, hints: FeedHints) -> None:
    off = ~is_session(ledger.days[column], hints.calendar) & ~np.isnat(ledger.days[column])
    ledger.reject_where(
        off, "not-a-session", f"{hints.calendar} had no session on this day", column
    )


def _check_distributions(ledger: Ledger, hints: FeedHints) -> None:
    _check_tickers(ledger, "ticker")
    amounts = ledger.values["amount_per_share"]
    with np.errstate(invalid="ignore"):
        ledger.reject_where(
            amounts <= 0, "non-positive", "an amount must be positive", "amount_per_share"
        )
    _reject_not_sessions(ledger, "ex_date", hints)
    tickers = np.array(ledger.text["ticker"].fill_null("").to_pylist(), dtype=object)
    for ticker, stored in hints.closes.items():
        mine = np.flatnonzero((tickers == ticker) & ledger.kept)
        days = stored.dates.astype("datetime64[D]")
        if not len(mine) or not len(days):
            continue
        place = np.searchsorted(days, ledger.days["ex_date"][mine]) - 1
        inside = (place >= 0) & (place < len(days) - 1)
        before = stored.close[np.maximum(place, 0)]
        with np.errstate(invalid="ignore"):
            share = np.where(inside, amounts[mine] / before, np.nan)
            too_much = share > MAX_DISTRIBUTION_SHARE
        typical = float(np.nanmedian(share)) if np.isfinite(share).any() else 0.0
        if typical > MAX_DISTRIBUTION_SHARE / 5:
            ledger.reject_where(
                tickers == ticker,
                "distributions-misscaled",
                f"the amounts of {ticker} are {typical:.1%} of the close in the middle case: in "
                "cents, or in another share basis",
                "amount_per_share",
            )
        for i, part in zip(mine[too_much].tolist(), share[too_much].tolist(), strict=True):
            if ledger.kept[i]:
                ledger.reject(
                    i,
                    "distributions-misscaled",
                    f"{part:.0%} of the close before: in cents, or in another share basis",
                    column="amount_per_share",
                )
    _check_amount_runs(ledger, tickers, amounts)


def _check_amount_runs(
    ledger: Ledger, tickers: NDArray[np.object_], amounts: NDArray[np.float64]
) -> None:
    """One amount 50 times or more those on both sides, themselves alike, is a slip of scale."""
    for ticker in dict.fromkeys(tickers[ledger.kept].tolist()):
        mine = np.flatnonzero((tickers == ticker) & ledger.kept)
        mine = mine[np.argsort(ledger.days["ex_date"][mine], kind="stable")]
        if len(mine) < 5:
            continue
        log = np.log(amounts[mine])
        around = np.array(
            [
                np.sort(np.delete(log[max(0, k - 2) : k + 3], min(k, 2)))[[0, -1]]
                for k in range(len(log))
            ]
        )
        alike = around[:, 1] - around[:, 0] < np.log(3)
        far = (log > around[:, 1] + np.log(50)) | (log < around[:, 0] - np.log(50))
        for i in mine[alike & far].tolist():
            ledger.reject(
                i,
                "distributions-misscaled",
                "50 times off the amounts before and after",
                column="amount_per_share",
            )


def _check_rates(ledger: Ledger, _hints: FeedHints) -> None:
    for name, low, high in (
        ("irx_13w_pct", -5, 30),
        ("dtb3_pct", -5, 30),
        ("ff_rf_daily_pct", -0.1, 0.2),
        ("ff_mkt_rf_daily_pct", -35, 35),
        ("vixcls", 0, 250),
    ):
        values = ledger.values[name]
        with np.errstate(invalid="ignore"):
            outside = (values < low) | (values > high)
        for i in np.flatnonzero(outside & ledger.kept).tolist():
            ledger.drop_cell(i, name, "out-of-range", f"outside {low} to {high}")
    for name in ("irx_13w_pct", "dtb3_pct", "ff_rf_daily_pct"):
        known = ledger.values[name][np.isfinite(ledger.values[name])]
        if len(known) > 20 and 0 < float(np.quantile(np.abs(known), 0.99)) < 1e-4:
            raise refuse("wrong-unit", f"{name} looks like a fraction, not per cent", column=name)


def _check_holdings(ledger: Ledger, _hints: FeedHints) -> None:
    weight = ledger.values["weight_pct"]
    with np.errstate(invalid="ignore"):
        ledger.reject_where(
            (weight < -100) | (weight > 100),
            "out-of-range",
            "a weight is -100 to 100 %",
            "weight_pct",
        )
    kept = ledger.kept
    for day in np.unique(ledger.days["date"][kept]):
        rows = np.flatnonzero(kept & (ledger.days["date"] == day))
        total = float(weight[rows].sum())
        if total > 105:
            message = f"the weights of {day} sum to {total:.2f} %"
            ledger.reject_where(ledger.days["date"] == day, "weights-sum", message, "weight_pct")
        elif total <= 1.05 and len(rows) > 2:
            message = f"the weights of {day} sum to {total:.4f}: fractions, not per cent"
            ledger.reject_where(ledger.days["date"] == day, "wrong-unit", message, "weight_pct")


def _check_fund_facts(ledger: Ledger, _hints: FeedHints) -> None:
    _check_tickers(ledger, "ticker")
    for name, low, high in (
        ("expense_ratio_pct", 0, 20),
        ("nav", 0, 1e12),
        ("total_assets_usd", 0, 1e14),
        ("yield_frac", 0, 5),
    ):
        with np.errstate(invalid="ignore"):
            outside = (ledger.values[name] < low) | (ledger.values[name] > high)
        for i in np.flatnonzero(outside & ledger.kept).tolist():
            ledger.drop_cell(i, name, "out-of-range", f"outside {low} to {high:g}")


def _check_chain(ledger: Ledger, _hints: FeedHints) -> None:
    v = ledger.values
    with np.errstate(invalid="ignore"):
        ledger.reject_where(v["strike"] <= 0, "non-positive", "a strike must be positive", "strike")
        ledger.reject_where(v["bid"] > v["ask"], "crossed-quote", "bid is above ask", "bid")
        for name in ("bid", "ask"):
            ledger.reject_where(v[name] < 0, "negative-price", "a quote can not be negative", name)
        for name in ("last", "volume", "open_interest", "iv", "gamma", "vega"):
            for i in np.flatnonzero((v[name] < 0) & ledger.kept).tolist():
                ledger.drop_cell(i, name, "negative-value", f"{name} can not be negative")
        for i in np.flatnonzero((np.abs(v["delta"]) > 1.0001) & ledger.kept).tolist():
            ledger.drop_cell(i, "delta", "out-of-range", "a delta is between -1 and 1")
        none = int((v["iv"] <= 0.01).sum())
        empty_bid = int((v["bid"] == 0).sum())
    if none:
        ledger.note("iv-means-none", f"{none} quotes have an implied volatility of 0.01 or less")
    if empty_bid:
        ledger.note("no-bid", f"{empty_bid} quotes have a bid of 0")
    _check_contracts(ledger)


def _check_contracts(ledger: Ledger) -> None:
    sides = [s.strip().lower()[:1] if s else "" for s in ledger.text["side"].to_pylist()]
    roots = set()
    for i, contract in enumerate(ledger.text["contract"].to_pylist()):
        if not ledger.kept[i]:
            continue
        if sides[i] not in {"c", "p"}:
            ledger.reject(i, "bad-side", "side is neither call nor put", column="side")
            continue
        match = _OCC.match(contract or "")
        if match is None:
            if contract is not None and not _CONTRACT.match(contract):
                ledger.reject(i, "bad-contract", "not the name of a contract", column="contract")
            continue
        root, expiry, side, strike = match.groups()
        roots.add(root)
        try:
            same_day = bool(
                np.datetime64(cells.day_of(expiry, "%y%m%d").date()) == ledger.days["expiration"][i]
            )
        except ValueError:
            same_day = False
        stated = abs(int(strike) / 1000 - ledger.values["strike"][i]) < 5e-4
        if not same_day or side.lower() != sides[i] or not stated:
            ledger.reject(
                i,
                "contract-contradicts",
                f"{contract} is not this expiration, side and strike",
                column="contract",
            )
    if len({root.rstrip("0123456789") for root in roots}) > 1:
        raise refuse(
            "two-instruments",
            f"options on several underlyings: {', '.join(sorted(roots)[:5])}",
            column="contract",
            value=sorted(roots)[1],
            suggestion="send one file per underlying",
        )


def _check_snapshots(ledger: Ledger, _hints: FeedHints) -> None:
    _check_tickers(ledger, "symbol")
    with np.errstate(invalid="ignore"):
        bad = ledger.values["underlying_price"] <= 0
    ledger.reject_where(bad, "non-positive", "a price must be positive", "underlying_price")
    for i, text in enumerate(ledger.text["quoted_at"].to_pylist()):
        if not ledger.kept[i]:
            continue
        try:
            naive = datetime.fromisoformat(text).tzinfo is None
        except ValueError:
            ledger.reject(i, "bad-date", "not an ISO 8601 time", column="quoted_at")
            continue
        if naive:
            ledger.reject(i, "no-time-zone", "the time has no zone", column="quoted_at")


_CHAIN_NUMBERS = (
    "strike", "bid", "ask", "last", "volume", "open_interest", "iv", "delta", "gamma",
    "theta", "vega",
)  # fmt: skip
LAYOUTS = {
    Kind.POSITIONS: Layout(
        (),
        ("portfolio", "instrument", "tags"),
        ("quantity", "cost"),
        ("instrument", "quantity"),
        ("portfolio", "as_of", "instrument"),
        books.check_positions,
        ("as_of",),
        whole_rows=True,
    ),
    Kind.FX_RATES: Layout(
        ("date",),
        ("base", "quote"),
        ("rate",),
        ("base", "quote", "date", "rate"),
        ("base", "quote", "date"),
        books.check_fx_rates,
        whole_rows=True,
    ),
    Kind.CORPORATE_ACTIONS: Layout(
        ("ex_date",),
        ("instrument", "kind"),
        ("new_shares", "old_shares", "amount"),
        ("instrument", "ex_date", "kind"),
        ("instrument", "ex_date", "kind"),
        books.check_corporate_actions,
        whole_rows=True,
    ),
    Kind.SPLITS: Layout(
        ("effective_date",),
        ("ticker", "kind", "how_known"),
        ("new_shares", "old_shares"),
        ("ticker", "effective_date", "new_shares", "old_shares"),
        ("ticker", "effective_date"),
        _check_splits,
    ),
    Kind.DISTRIBUTIONS: Layout(
        ("ex_date",),
        ("ticker",),
        ("amount_per_share",),
        ("ticker", "ex_date", "amount_per_share"),
        ("ticker", "ex_date"),
        _check_distributions,
    ),
    Kind.RATES: Layout(
        ("date",),
        (),
        ("irx_13w_pct", "dtb3_pct", "ff_rf_daily_pct", "ff_mkt_rf_daily_pct", "vixcls"),
        ("date",),
        ("date",),
        _check_rates,
    ),
    Kind.FUND_FACTS: Layout(
        ("as_of",),
        ("ticker", "name"),
        ("total_assets_usd", "expense_ratio_pct", "nav", "yield_frac"),
        ("ticker", "as_of"),
        ("ticker", "as_of"),
        _check_fund_facts,
        ("inception",),
    ),
    Kind.HOLDINGS: Layout(
        ("date",),
        ("holding",),
        ("weight_pct",),
        ("date", "holding", "weight_pct"),
        ("date", "holding"),
        _check_holdings,
    ),
    Kind.OPTION_CHAIN: Layout(
        ("expiration",),
        ("contract", "side"),
        _CHAIN_NUMBERS,
        ("expiration", "side", "strike"),
        ("contract", "expiration", "side", "strike"),
        _check_chain,
    ),
    Kind.OPTION_SNAPSHOTS: Layout(
        (),
        ("symbol", "quoted_at", "file"),
        ("underlying_price", "quotes", "expirations", "strikes", "irx_13w_pct"),
        ("symbol", "quoted_at", "underlying_price"),
        ("symbol", "quoted_at"),
        _check_snapshots,
    ),
}
