"""Good price files, and the same files with one known defect each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial

import exchange_calendars
import numpy as np
import pandas as pd

PRICES = ["open", "high", "low", "close", "adj_close"]
COLUMNS = ["date", *PRICES, "volume"]


@dataclass(frozen=True)
class Mutant:
    """A defective file: what must be named, and which dates may not be accepted.

    `bad` None: nothing tells which rows are good, the file must be refused. `refusable`: naming
    the rows and refusing the file are both right answers.
    """

    text: str
    codes: frozenset[str]
    bad: frozenset[date] | None = field(default_factory=frozenset)
    refusable: bool = False


def synthetic(*, n_sessions: int = 420, seed: int = 7) -> pd.DataFrame:
    """A share's prices in cents with quarterly distributions; text as a vendor would print it."""
    generator = np.random.default_rng(seed)
    sessions = exchange_calendars.get_calendar("XNYS").sessions
    days = sessions[sessions >= "2022-01-03"][:n_sessions]
    moves = 0.018 * generator.standard_t(6, n_sessions) / np.sqrt(1.5)
    close = np.round(80 * np.exp(np.cumsum(moves)), 2)
    gap = 0.4 * moves + 0.003 * generator.standard_normal(n_sessions)
    before = np.concatenate(([80.0], close[:-1]))
    open_ = np.round(before * np.exp(gap), 2)
    reach = 0.008 * np.abs(generator.standard_normal((2, n_sessions)))
    high = np.round(np.maximum(open_, close) * (1 + reach[0]), 2)
    low = np.round(np.minimum(open_, close) * (1 - reach[1]), 2)
    factor = np.ones(n_sessions)
    for ex in range(40, n_sessions, 63):
        factor[:ex] *= 1 - 0.35 / close[ex - 1]
    frame = pd.DataFrame(
        {
            "date": [str(d.date()) for d in days],
            "open": open_,
            "high": high,
            "low": low,
            "close": close,
            "adj_close": np.round(close * factor, 4),
            "volume": generator.integers(900_000, 2_500_000, n_sessions),
        }
    )
    return frame.map(str)


def csv_of(frame: pd.DataFrame, **options: object) -> str:
    return str(frame.to_csv(index=False, **options))  # type: ignore[call-overload]


def days_of(frame: pd.DataFrame, rows: slice | list[int]) -> frozenset[date]:
    return frozenset(date.fromisoformat(d) for d in frame["date"].iloc[rows])


def _times(text: str, factor: float) -> str:
    return repr(round(float(text) * factor, 8)) if text else ""


def scaled(frame: pd.DataFrame, rows: slice, factor: float) -> pd.DataFrame:
    frame = frame.copy()
    for name in PRICES:
        texts = frame[name].tolist()
        texts[rows] = [_times(t, factor) for t in texts[rows]]
        frame[name] = texts
    return frame


def scale_break(frame: pd.DataFrame, factor: float) -> Mutant:
    rows = slice(0, len(frame) // 3)
    text = csv_of(scaled(frame, rows, factor))
    codes = frozenset({"scale-break", "unexplained-jump"})
    return Mutant(text, codes, days_of(frame, rows), refusable=True)


def scale_block(frame: pd.DataFrame, factor: float) -> Mutant:
    rows = slice(len(frame) // 2, len(frame) // 2 + 6)
    return Mutant(
        csv_of(scaled(frame, rows, factor)),
        frozenset({"scale-break", "price-spike"}),
        days_of(frame, rows),
    )


def scaled_last_row(frame: pd.DataFrame) -> Mutant:
    rows = slice(len(frame) - 1, len(frame))
    return Mutant(csv_of(scaled(frame, rows, 10)), frozenset({"scale-break"}), days_of(frame, rows))


def phantom_weekends(frame: pd.DataFrame, factor: float) -> Mutant:
    rows = []
    bad = set()
    for k, day in enumerate(frame["date"]):
        rows.append(frame.iloc[[k]])
        when = date.fromisoformat(day)
        if when.weekday() == 4 and k % 3 == 0:
            phantom = scaled(frame.iloc[[k]], slice(0, 1), factor)
            phantom["date"] = str(when + timedelta(days=1))
            phantom["volume"] = "0"
            rows.append(phantom)
            bad.add(when + timedelta(days=1))
    return Mutant(csv_of(pd.concat(rows)), frozenset({"not-a-session"}), frozenset(bad))


def filled_holiday(frame: pd.DataFrame) -> Mutant:
    days = [date.fromisoformat(d) for d in frame["date"]]
    gap = next(
        k
        for k in range(1, len(days))
        if days[k].weekday() == 1 and (days[k] - days[k - 1]).days > 3
    )
    holiday = days[gap] - timedelta(days=1)
    copy = frame.iloc[[gap - 1]].assign(date=str(holiday))
    text = csv_of(pd.concat([frame.iloc[:gap], copy, frame.iloc[gap:]]))
    return Mutant(text, frozenset({"not-a-session"}), frozenset({holiday}))


def filled_session(frame: pd.DataFrame) -> Mutant:
    """A session whose row repeats the one before."""
    frame, k = frame.copy(), len(frame) // 2
    frame.iloc[k, 1:] = frame.iloc[k - 1, 1:]
    return Mutant(csv_of(frame), frozenset({"repeated-row"}), days_of(frame, [k]))


def shifted_dates(frame: pd.DataFrame, by: int) -> Mutant:
    moved = frame.assign(
        date=[str(date.fromisoformat(d) + timedelta(days=by)) for d in frame["date"]]
    )
    return Mutant(csv_of(moved), frozenset({"dates-shifted"}), None)


def partly_shifted_dates(frame: pd.DataFrame) -> Mutant:
    """The last third is dated a day early, from a Monday on."""
    start = next(
        k
        for k in range(2 * len(frame) // 3, len(frame))
        if date.fromisoformat(frame["date"].iloc[k]).weekday() == 0
    )
    days = list(frame["date"])
    moved = [str(date.fromisoformat(d) - timedelta(days=1)) for d in days[start:]]
    return Mutant(
        csv_of(frame.assign(date=days[:start] + moved)),
        frozenset({"dates-shifted"}),
        frozenset(map(date.fromisoformat, moved)),
        refusable=True,
    )


def swapped_high_low(frame: pd.DataFrame) -> Mutant:
    text = csv_of(frame.rename(columns={"high": "low", "low": "high"}))
    return Mutant(text, frozenset({"columns-shifted"}), None)


def rotated_columns(frame: pd.DataFrame) -> Mutant:
    names = ["date", "volume", "open", "high", "low", "close", "adj_close"]
    text = csv_of(frame[COLUMNS].set_axis(names, axis=1))
    return Mutant(text, frozenset({"columns-shifted", "unexplained-jump", "two-instruments"}), None)


def interleaved(frame: pd.DataFrame) -> Mutant:
    """Another instrument's row after each row, same dates."""
    other = scaled(frame, slice(None), 2.37)
    text = csv_of(pd.concat([frame, other]).sort_values("date", kind="stable"))
    return Mutant(text, frozenset({"two-instruments"}), None)


def alternating(frame: pd.DataFrame) -> Mutant:
    """Every second session belongs to another instrument."""
    other = scaled(frame, slice(None), 2.37)
    mixed = frame.copy()
    mixed.iloc[1::2] = other.iloc[1::2]
    return Mutant(csv_of(mixed), frozenset({"two-instruments"}), None)


def twice_under_one_header(frame: pd.DataFrame) -> Mutant:
    other = scaled(frame, slice(None), 0.7)
    both = pd.concat([frame, other["close"]], axis=1)
    return Mutant(csv_of(both), frozenset({"two-instruments"}), None)


def currency_change(frame: pd.DataFrame, rate: float) -> Mutant:
    rows = slice(0, len(frame) // 2)
    text = csv_of(scaled(frame, rows, rate))
    codes = frozenset({"unexplained-jump", "scale-break"})
    return Mutant(text, codes, days_of(frame, rows), refusable=True)


def stray_first_row(frame: pd.DataFrame) -> Mutant:
    first = frame.iloc[[0]].assign(date="2004-06-01", volume="200")
    return Mutant(
        csv_of(pd.concat([first, frame])), frozenset({"stray-row"}), frozenset({date(2004, 6, 1)})
    )


def conflicting_duplicate(frame: pd.DataFrame) -> Mutant:
    k = len(frame) // 2
    other = scaled(frame.iloc[[k]], slice(0, 1), 1.01)
    text = csv_of(pd.concat([frame, other]))
    return Mutant(text, frozenset({"conflicting-duplicate"}), days_of(frame, [k]))


def cell(frame: pd.DataFrame, column: str, value: str, code: str) -> Mutant:
    k = len(frame) // 2
    texts = frame[column].tolist()
    texts[k] = value
    changed = frame.assign(**{column: texts})
    return Mutant(csv_of(changed), frozenset({code}), days_of(frame, [k]))


def stale_closes(frame: pd.DataFrame) -> Mutant:
    """A close repeated on eight sessions, in a file of closes alone."""
    k = len(frame) // 2
    closes = frame["close"].tolist()
    closes[k : k + 8] = [closes[k - 1]] * 8
    filled = frame[["date"]].assign(close=closes)
    return Mutant(csv_of(filled), frozenset({"stale-run"}), days_of(frame, slice(k, k + 8)))


MUTATIONS: dict[str, Callable[[pd.DataFrame], Mutant]] = {
    **{
        f"scale_break_{k:g}": partial(scale_break, factor=k)
        for k in (0.01, 1 / 12, 0.1, 0.25, 0.5, 2, 4, 10, 12, 15, 25, 100)
    },
    **{f"scale_block_{k:g}": partial(scale_block, factor=k) for k in (0.1, 0.5, 3, 10, 15, 100)},
    "scaled_last_row": scaled_last_row,
    "phantom_weekends": lambda f: phantom_weekends(f, 1.0),
    "phantom_weekends_x15": lambda f: phantom_weekends(f, 15.0),
    "filled_holiday": filled_holiday,
    "filled_session": filled_session,
    "dates_a_day_early": lambda f: shifted_dates(f, -1),
    "dates_a_day_late": lambda f: shifted_dates(f, 1),
    "partly_shifted_dates": partly_shifted_dates,
    "swapped_high_low": swapped_high_low,
    "rotated_columns": rotated_columns,
    "interleaved": interleaved,
    "alternating": alternating,
    "twice_under_one_header": twice_under_one_header,
    "currency_0.0067": lambda f: currency_change(f, 0.0067),
    "currency_1.37": lambda f: currency_change(f, 1.37),
    "stray_first_row": stray_first_row,
    "conflicting_duplicate": conflicting_duplicate,
    "zero_close": lambda f: cell(f, "close", "0", "non-positive"),
    "negative_close": lambda f: cell(f, "close", "-1.5", "non-positive"),
    "infinite_close": lambda f: cell(f, "close", "inf", "not-a-number"),
    "huge_close": lambda f: cell(f, "close", "1e400", "out-of-range"),
    "word_close": lambda f: cell(f, "close", "n.v.t.", "not-a-number"),
    "long_close": lambda f: cell(f, "close", "80." + "1" * 60, "absurd-precision"),
    "close_outside": lambda f: cell(f, "close", "7777", "close-outside-range"),
    "stale_closes": stale_closes,
}
