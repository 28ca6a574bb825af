"""Daily price files: cells, dates, duplicates and the shape of each row. Levels: `gate`."""

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolios.feeds import cells, gate
from portfolios.feeds.columns import Header
from portfolios.feeds.decoding import RawTable
from portfolios.feeds.hints import FeedHints
from portfolios.feeds.ledger import Ledger
from portfolios.feeds.sessions import (
    is_session,
    session_number,
    sessions_between,
    zone_of,
)
from portfolios.feeds.verdict import refuse

NUMBERS = ("open", "high", "low", "close", "adj_close", "volume")
ROUNDING = 2e-6  # relative; vendors print float32 prices
SYSTEMATIC = 0.2  # a defect in more than this share of the rows is one of the file


def read_prices(table: RawTable, header: Header, hints: FeedHints) -> tuple[Ledger, str | None]:
    """Parses and checks one instrument's prices, oldest first."""
    columns = _one_column_each(table, header)
    symbol = _one_symbol(table, columns, hints)
    ledger = _parsed(table, columns, hints)
    _reject_bad_rows(ledger, hints)
    _refuse_not_daily(ledger, hints)
    _reject_non_sessions(ledger, hints)
    _reject_duplicates(ledger)
    _note_order(ledger)
    _check_price_bars(ledger)
    _reject_stray_ends(ledger, hints)
    _reject_stale_rows(ledger)
    return ledger, symbol


def _one_column_each(table: RawTable, header: Header) -> dict[str, pa.Array]:
    chosen = {}
    for name, positions in header.columns.items():
        first = table.columns[positions[0]]
        for other in positions[1:]:
            if not first.equals(table.columns[other]):
                differing = pc.sum(pc.not_equal(first, table.columns[other])).as_py()
                raise refuse(
                    "two-instruments",
                    f"columns {positions[0] + 1} and {other + 1} are both headed "
                    f"{header.names[positions[0]]!r} and differ in {differing} of {len(first)} "
                    "rows: two instruments under one header",
                    row=table.header_row,
                    column=name,
                    value=header.names[positions[0]],
                    suggestion="send one file per instrument",
                )
        chosen[name] = first
    return chosen


def _one_symbol(table: RawTable, columns: dict[str, pa.Array], hints: FeedHints) -> str | None:
    if "symbol" not in columns:
        return hints.symbol
    symbols = [s for s in pc.unique(columns["symbol"]).to_pylist() if s]
    if len(symbols) > 1:
        first_other = pc.index(pc.not_equal(columns["symbol"], symbols[0]), True).as_py()
        raise refuse(
            "two-instruments",
            f"{len(symbols)} instruments in one file: {', '.join(symbols[:5])}",
            row=int(table.rows[first_other]),
            column="symbol",
            value=symbols[1],
            suggestion="send one file per instrument",
        )
    if symbols and hints.symbol and symbols[0].upper() != hints.symbol.upper():
        raise refuse(
            "wrong-instrument",
            f"the file is for {symbols[0]}, expected {hints.symbol}",
            row=int(table.rows[0]),
            column="symbol",
            value=symbols[0],
        )
    return hints.symbol or (symbols[0] if symbols else None)


def _parsed(table: RawTable, columns: dict[str, pa.Array], hints: FeedHints) -> Ledger:
    def session_share(days: NDArray[np.datetime64]) -> float:
        return float(np.mean(is_session(days[~np.isnat(days)], hints.calendar)))

    days = cells.parse_dates(
        columns["date"], table.rows, zone=zone_of(hints.calendar), session_share=session_share
    )
    numbers = [name for name in (*NUMBERS, "change_pct") if name in columns]
    comma = cells.uses_decimal_comma([columns[n] for n in numbers], table.delimiter)
    parsed = {n: cells.parse_numbers(columns[n], decimal_comma=comma) for n in numbers}
    n_rows = len(table.rows)
    empty = pa.nulls(n_rows, pa.string())
    ledger = Ledger(
        table.rows,
        {n: parsed[n].text if n in parsed else empty for n in NUMBERS},
        {n: parsed[n].values if n in parsed else np.full(n_rows, np.nan) for n in NUMBERS},
        {"date": days.values},
    )
    if "change_pct" in parsed:
        ledger.values["change_pct"] = parsed["change_pct"].values
    if days.note:
        ledger.notes.append(days.note)
    styles = set().union(*(p.styles for p in parsed.values())) if parsed else set()
    for style in sorted(styles):
        ledger.note("number-style", f"{style} read")
    for index, message in days.bad.items():
        value = columns["date"][index].as_py()[:80]
        ledger.reject(index, "bad-date", message, column="date", value=value)
    for name, column in parsed.items():
        for index, (code, message) in column.bad.items():
            value = columns[name][index].as_py()[:80]
            if name == "close" and ledger.kept[index]:
                told = f"close {value}: {message}"
                ledger.reject(index, code, told, column="close", value=value)
            elif name != "change_pct" and ledger.kept[index]:
                ledger.drop_cell(index, name, code, message, value=value)
    return ledger


def _each(ledger: Ledger, mask: NDArray[np.bool_]) -> list[int]:
    return np.flatnonzero(mask & ledger.kept).tolist()


def _reject_bad_rows(ledger: Ledger, hints: FeedHints) -> None:
    days, values = ledger.days["date"], ledger.values
    with np.errstate(invalid="ignore"):
        for name in ("close", "adj_close", "open", "high", "low"):
            for i in _each(ledger, values[name] <= 0):
                if name == "close":
                    ledger.reject(i, "non-positive", "a price must be positive", column=name)
                else:
                    ledger.drop_cell(i, name, "non-positive", "a price must be positive")
        for i in _each(ledger, values["volume"] < 0):
            ledger.drop_cell(i, "volume", "negative-volume", "a volume can not be negative")
    nothing = np.all([np.isnan(values[n]) for n in ("close", "adj_close")], axis=0)
    for i in _each(ledger, nothing):
        ledger.reject(i, "no-price", "neither close nor adjusted close", column="close")
    if hints.today is not None:
        for i in _each(ledger, days > np.datetime64(hints.today)):
            ledger.reject(i, "future-date", f"after {hints.today}", column="date")


def _refuse_not_daily(ledger: Ledger, hints: FeedHints) -> None:
    days = np.unique(ledger.days["date"][ledger.kept])
    if len(days) < 5:
        return
    step = float(np.median(np.diff(session_number(days, hints.calendar))))
    if step > 2:
        raise refuse(
            "not-daily",
            f"rows are {step:.0f} sessions apart (median): weekly or monthly data",
            column="date",
            suggestion="export daily prices",
        )


def _reject_non_sessions(ledger: Ledger, hints: FeedHints) -> None:
    days, kept = ledger.days["date"], ledger.kept
    off = kept & ~is_session(days, hints.calendar)
    if not off.any():
        return
    shifted = _weeks_shifted(days[kept], hints.calendar)
    for by, weeks in shifted.items():
        in_weeks = kept & np.isin(_week(days, by), weeks)
        if in_weeks.sum() >= 0.9 * kept.sum():
            first = int(np.flatnonzero(off)[0])
            raise refuse(
                "dates-shifted",
                f"{int(off.sum())} of {int(kept.sum())} rows are on days without a session and "
                f"all are once the dates are moved by {by:+d} day",
                row=int(ledger.rows[first]),
                column="date",
                value=str(days[first]),
                suggestion="export with the exchange's own dates",
            )
        for i in np.flatnonzero(in_weeks).tolist():
            ledger.reject(
                i, "dates-shifted", f"the dates of this week are off by {-by:+d} day", column="date"
            )
    order = np.argsort(days, kind="stable")
    close = ledger.values["close"]
    good = order[(kept & ~off)[order]]
    for i in _each(ledger, off):
        place = np.searchsorted(days[good], days[i])
        before = close[good[place - 1]] if place else np.nan
        ratio = close[i] / before
        level = ""
        if np.isfinite(ratio) and abs(np.log(ratio)) > 0.3:
            level = f"; its close is {ratio:.4g} times the one before"
        elif ratio == 1:
            level = "; it repeats the close before"
        name = days[i].astype(date).strftime("%A")
        ledger.reject(
            i,
            "not-a-session",
            f"{hints.calendar} had no session on this {name}{level}",
            column="date",
        )


def _week(days: NDArray[np.datetime64], by: int) -> NDArray[np.int64]:
    """Number of the Monday-to-Sunday week of the day the row belongs to when moved by `by`."""
    return (days.astype(np.int64) + by + 3) // 7


def _weeks_shifted(days: NDArray[np.datetime64], calendar: str) -> dict[int, NDArray[np.int64]]:
    """Weeks in which the rows are no sessions as dated, and exactly the sessions moved by a day."""
    found = {}
    for by in (1, -1):
        moved = days + by
        weeks = _week(days, by)
        good_moved = is_session(moved, calendar)
        sessions = sessions_between(moved.min() - 7, moved.max() + 7, calendar)
        absent = np.unique(_week(sessions[~np.isin(sessions, days)], 0))
        wrong = np.unique(weeks[~is_session(days, calendar)])
        full = [
            w
            for w in wrong
            if w in absent and good_moved[weeks == w].all() and (weeks == w).sum() > 1
        ]
        if len(full) >= 2 or (full and len(np.unique(weeks)) == 1):
            found[by] = np.array(full)
    return found


def _reject_duplicates(ledger: Ledger) -> None:
    days, kept = ledger.days["date"], ledger.kept
    alive = np.flatnonzero(kept)
    _, inverse, counts = np.unique(days[alive], return_inverse=True, return_counts=True)
    repeated = counts[inverse] > 1
    if not repeated.any():
        return
    groups: dict[int, list[int]] = {}
    for i, group in zip(alive[repeated].tolist(), inverse[repeated].tolist(), strict=True):
        groups.setdefault(group, []).append(i)
    conflicting = [g for g in groups.values() if not _same_rows(ledger, g)]
    if len(conflicting) >= 3 and len(conflicting) > SYSTEMATIC * len(counts):
        first = conflicting[0]
        raise refuse(
            "two-instruments",
            f"{len(conflicting)} of {len(counts)} dates occur twice with different prices, first "
            f"{days[first[0]]} in rows {ledger.rows[first[0]]} and {ledger.rows[first[1]]}: two "
            "instruments, or two versions, in one file",
            row=int(ledger.rows[first[1]]),
            column="date",
            value=str(days[first[0]]),
            suggestion="send one file per instrument",
        )
    for group in groups.values():
        if group in conflicting:
            conflict = f"rows {ledger.named(group)} disagree about this date"
            for i in group:
                ledger.reject(i, "conflicting-duplicate", conflict, column="date")
        else:
            for i in group[1:]:
                ledger.reject(
                    i, "duplicate-row", f"the same as row {ledger.rows[group[0]]}", column="date"
                )


def _same_rows(ledger: Ledger, group: list[int]) -> bool:
    return all(
        np.array_equal(
            ledger.values[n][group], np.full(len(group), ledger.values[n][group[0]]), equal_nan=True
        )
        for n in NUMBERS
    )


def _note_order(ledger: Ledger) -> None:
    steps = np.diff(ledger.days["date"][ledger.kept].astype(np.int64))
    if len(steps) and (steps < 0).all():
        ledger.note("newest-first", "newest row first: reversed")
    elif (steps < 0).any():
        ledger.note("unsorted", f"{int((steps < 0).sum())} rows out of date order: sorted")


def _check_price_bars(ledger: Ledger) -> None:
    """Prices outside their day's range cost the cells that are wrong; a close outside, the row."""
    o, h, l, c = (ledger.values[n] for n in ("open", "high", "low", "close"))  # noqa: E741  # field terms
    slack = ROUNDING * np.nan_to_num(np.maximum(c, h), nan=0.0)
    with np.errstate(invalid="ignore"):
        crossed = ledger.kept & (h < l - slack)
        close_out = ledger.kept & ~crossed & ((c > h + slack) | (c < l - slack))
        open_out = ledger.kept & ~crossed & ~close_out & ((o > h + slack) | (o < l - slack))
    n_kept = int(ledger.kept.sum())
    for mask, what in ((crossed, "high is below low"), (close_out, "close is outside low to high")):
        if mask.sum() >= 3 and mask.sum() > SYSTEMATIC * n_kept:
            first = int(np.flatnonzero(mask)[0])
            raise refuse(
                "columns-shifted",
                f"{what} in {int(mask.sum())} of {n_kept} rows: the columns are not what the "
                "header says",
                row=int(ledger.rows[first]),
                column="high" if mask is crossed else "close",
                value=ledger.cell(first, "high" if mask is crossed else "close"),
                suggestion="check that high and low are not swapped and no column is shifted",
            )
    for i in np.flatnonzero(crossed).tolist():
        text = f"high {ledger.cell(i, 'high')} is below low {ledger.cell(i, 'low')}"
        inside = h[i] <= c[i] <= l[i]
        if not inside:
            ledger.reject(i, "high-below-low", text, column="high")
            continue
        for name in ("high", "low"):
            ledger.drop_cell(
                i, name, "high-below-low", text, suggestion="high and low look swapped"
            )
    for i in np.flatnonzero(close_out).tolist():
        span = f"{ledger.cell(i, 'low')} to {ledger.cell(i, 'high')}"
        ledger.reject(i, "close-outside-range", f"close is outside {span}", column="close")
    for i in np.flatnonzero(open_out).tolist():
        span = f"{ledger.cell(i, 'low')} to {ledger.cell(i, 'high')}"
        ledger.drop_cell(i, "open", "open-outside-range", f"open is outside {span}")


def _reject_stray_ends(ledger: Ledger, hints: FeedHints) -> None:
    """One or two rows more than a month of sessions apart from all the others."""
    order = gate.in_order(ledger)
    if len(order) < 10:
        return
    days = ledger.days["date"][order]
    gaps = np.diff(session_number(days, hints.calendar))
    for place, stray in ((0, order[:1]), (1, order[:2]), (-1, order[-1:]), (-2, order[-2:])):
        if gaps[place] > 21:
            for i in stray.tolist():
                ledger.reject(
                    i,
                    "stray-row",
                    f"{int(gaps[place])} sessions apart from the other rows, "
                    f"{days[1] if place == 0 else days[2] if place == 1 else days[0]} on",
                    column="date",
                )
            return


def _reject_stale_rows(ledger: Ledger) -> None:
    order = gate.in_order(ledger)
    if len(order) < 5:
        return
    values = {n: ledger.values[n][order] for n in NUMBERS}
    close = values["close"]

    def same(name: str) -> NDArray[np.bool_]:
        return np.asarray(values[name][1:] == values[name][:-1])

    volume = values["volume"]
    bar = same("open") & same("high") & same("low") & same("close")
    unknown = np.isnan(volume[1:]) & (values["high"][1:] > values["low"][1:])
    repeated = bar & (same("volume") | (volume[1:] == 0) | unknown)
    moves = np.abs(np.diff(np.log(close)))
    moves = moves[np.isfinite(moves)]
    if not len(moves) or np.median(moves) < 0.002:  # cash-like: repeated closes are its nature
        if repeated.any():
            ledger.note("repeated-rows", f"{int(repeated.sum())} rows repeat the session before")
        return
    for i in order[1:][repeated].tolist():
        ledger.reject(
            i, "repeated-row", "repeats the session before in every price", column="close"
        )
    run = np.zeros(len(order), dtype=np.int64)
    for k in np.flatnonzero(same("close")):
        run[k + 1] = run[k] + 1
    ends = np.flatnonzero((run >= 4) & (np.append(run[1:], 0) == 0))
    for end in ends.tolist():
        n_same = int(run[end])
        for i in order[end - n_same + 1 : end + 1].tolist():
            if ledger.kept[i]:
                ledger.reject(
                    i, "stale-run", f"one close repeated on {n_same + 1} sessions", column="close"
                )
