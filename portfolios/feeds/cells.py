"""Cells: text to numbers and dates, deciding per column and never guessing per cell."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolios.feeds.verdict import Note, refuse

type_text = pa.string()
MISSING = pa.array(
    ["", "-", "--", "null", "NULL", "None", "NaN", "nan", "NAN", "N/A", "n/a", "NA", "#N/A", "."]
)
MAX_MAGNITUDE = 1e15  # SOXS shows 2e8 in 2010; nothing real is near this
MAX_CELL_LENGTH = 40
_PLAIN = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_VANISHING = r"([eE]-([3-9][0-9]|[0-9]{3})$)|(\.[0-9]{31})"
_GROUPED = re.compile(r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$")
_GROUPED_OTHER = re.compile(r"^[+-]?\d{1,3}(['\u2019 \u00a0\u202f]\d{3})+(\.\d+)?$")
_COMMA = re.compile(r"^[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+$")
_DOTTED_THOUSANDS = re.compile(r"^[+-]?\d{1,3}(\.\d{3})+$")
_SUFFIX = {"K": 3, "M": 6, "B": 9, "T": 12}


@dataclass(slots=True)
class NumberColumn:
    """`text` is plain decimal text or null, `values` the same as float64 or NaN; `bad` cells could
    not be read (index -> code, message) and are null in both."""

    text: pa.Array
    values: NDArray[np.float64]
    bad: dict[int, tuple[str, str]]
    styles: set[str]


def uses_decimal_comma(columns: list[pa.Array], delimiter: str) -> bool:
    """Whether numbers are written 1.234,56: some cell says so and none says otherwise."""
    if delimiter == ",":
        return False
    comma = point = grouped = 0
    for column in columns:
        odd = column.filter(pc.match_substring(column, ","))
        for cell in odd.to_pylist():
            if _GROUPED.match(cell):
                grouped += 1
            elif _COMMA.match(cell):
                comma += 1
        if odd:
            point += pc.sum(pc.match_substring_regex(column, r"^[+-]?[0-9]+\.[0-9]+$")).as_py() or 0
    if comma and point:
        raise refuse(
            "mixed-decimal-marks",
            f"{comma} numbers with a decimal comma and {point} with a decimal point",
            suggestion="export with one decimal mark",
        )
    if grouped and not comma:
        raise refuse(
            "ambiguous-decimal-mark",
            "every number with a comma has three digits after it: 1,234 may be 1.234 or 1234",
            suggestion="export without thousands separators",
        )
    return bool(comma)


def parse_numbers(cells: pa.Array, *, decimal_comma: bool = False) -> NumberColumn:
    cells = pc.if_else(pc.is_in(cells, value_set=MISSING), pa.scalar(None, type_text), cells)
    plain = pc.fill_null(pc.match_substring_regex(cells, _PLAIN), fill_value=True)
    bad: dict[int, tuple[str, str]] = {}
    styles: set[str] = set()
    if decimal_comma or not pc.all(plain).as_py():
        texts = cells.to_pylist()
        odd = range(len(texts)) if decimal_comma else np.flatnonzero(~np.asarray(plain)).tolist()
        for i in odd:
            if texts[i] is None:
                continue
            try:
                texts[i], style = _plain_text(texts[i], decimal_comma=decimal_comma)
                styles |= style
            except ValueError as error:
                bad[i] = ("not-a-number", str(error))
                texts[i] = None
        cells = pa.array(texts, type_text)
    values = np.array(pc.cast(cells, pa.float64()).fill_null(np.nan), dtype=np.float64)
    if pc.any(pc.greater(pc.utf8_length(cells), MAX_CELL_LENGTH)).as_py():
        long = pc.fill_null(pc.greater(pc.utf8_length(cells), MAX_CELL_LENGTH), fill_value=False)
        for i in np.flatnonzero(np.asarray(long)).tolist():
            bad[i] = ("absurd-precision", f"more than {MAX_CELL_LENGTH} characters")
    with np.errstate(invalid="ignore"):
        huge = np.abs(values) > MAX_MAGNITUDE
    for i in np.flatnonzero(huge).tolist():
        bad[i] = ("out-of-range", f"larger than {MAX_MAGNITUDE:.0e}")
    tiny = pc.fill_null(pc.match_substring_regex(cells, _VANISHING), fill_value=False)
    for i in np.flatnonzero(np.asarray(tiny)).tolist():
        bad.setdefault(i, ("absurd-precision", "more than 30 decimals"))
    if bad:
        mask = np.zeros(len(cells), dtype=bool)
        mask[list(bad)] = True
        cells = pc.if_else(pa.array(mask), pa.scalar(None, type_text), cells)
        values = np.where(mask, np.nan, values)
    return NumberColumn(cells, values, bad, styles)


def _plain_text(cell: str, *, decimal_comma: bool) -> tuple[str, set[str]]:
    """Plain decimal text of a number as people and vendors write it, and how it was written."""
    text, styles = cell.strip().replace("\u2212", "-"), set()
    if text[:1] in "$€£" and text:
        text = text[1:].strip()
        styles.add("currency signs")
    if text.startswith("(") and text.endswith(")"):
        text = "-" + text[1:-1]
        styles.add("negatives in parentheses")
    if text.endswith("%"):
        text = text[:-1].rstrip()
        styles.add("percent signs")
    power = _SUFFIX.get(text[-1:].upper(), 0)
    if power:
        text = text[:-1].rstrip()
        styles.add("suffixes K, M, B")
    if decimal_comma:
        if _COMMA.match(text) or _DOTTED_THOUSANDS.match(text):
            text = text.replace(".", "").replace(",", ".")
            styles.add("decimal comma")
        elif "." in text:
            raise ValueError("a decimal point where the file has decimal commas")
    elif _GROUPED.match(text):
        text = text.replace(",", "")
        styles.add("thousands separators")
    elif _GROUPED_OTHER.match(text):
        text = re.sub("['\u2019 \u00a0\u202f]", "", text)
        styles.add("thousands separators")
    if not re.match(_PLAIN, text):
        raise ValueError(f"{cell[:40]!r} is not a number")
    if power:
        text = format(Decimal(text).scaleb(power), "f")
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return text, styles


@dataclass(slots=True)
class DateColumn:
    """datetime64[D], NaT where `bad`."""

    values: NDArray[np.datetime64]
    bad: dict[int, str]
    note: Note | None = None


_ISO = r"^\d{4}-\d{2}-\d{2}$"
_FORMATS: tuple[tuple[str, str, str], ...] = (
    ("year-month-day", r"^\d{4}/\d{1,2}/\d{1,2}$", "%Y/%m/%d"),
    ("YYYYMMDD", r"^(19|20)\d{6}$", "%Y%m%d"),
    ("day.month.year", r"^\d{1,2}\.\d{1,2}\.\d{4}$", "%d.%m.%Y"),
    ("day-month name-year", r"^\d{1,2}-[A-Za-z]{3}-\d{4}$", "%d-%b-%Y"),
    ("day-month name-year", r"^\d{1,2}-[A-Za-z]{3}-\d{2}$", "%d-%b-%y"),
    ("day month name year", r"^\d{1,2} [A-Za-z]{3} \d{4}$", "%d %b %Y"),
    ("month name day, year", r"^[A-Za-z]{3} \d{1,2}, \d{4}$", "%b %d, %Y"),
)
_NUMERIC = re.compile(r"^(\d{1,2})[/-](\d{1,2})[/-](\d{4}|\d{2})$")
_STAMP = re.compile(
    r"^(\d{4}-\d{2}-\d{2})[T ](\d{2}):?(\d{2})(?::?(\d{2})(?:\.\d+)?)?\s*(Z|[+-]\d{2}:?\d{2})?$"
)
SHARE_OF_BAD_DATES = 0.2
SessionShare = Callable[[NDArray[np.datetime64]], float]


def parse_dates(
    cells: pa.Array, rows: NDArray[np.int64], *, zone: ZoneInfo, session_share: SessionShare
) -> DateColumn:
    """Session dates. One format for the whole column, decided over all its cells.

    `session_share`, the share of dates that are sessions, decides 03/04/2024 if digits do not.
    """
    n = len(cells)
    if _share(cells, _ISO) == 1.0:
        try:
            return DateColumn(_as_days(pc.cast(cells, pa.date32())), {})
        except pa.ArrowInvalid:  # a 31 February: told cell by cell below
            pass
    texts: list[str] = cells.to_pylist()
    if sum(bool(re.match(_ISO, t)) for t in texts) >= (1 - SHARE_OF_BAD_DATES) * n:
        return _collected(texts, day_of, rows, None)
    if sum(bool(_STAMP.match(t)) for t in texts) >= (1 - SHARE_OF_BAD_DATES) * n:
        return _timestamps(texts, rows, zone)
    if sum(bool(_NUMERIC.match(t)) for t in texts) >= (1 - SHARE_OF_BAD_DATES) * n:
        return _day_or_month_first(texts, rows, session_share)
    for name, pattern, form in _FORMATS:
        if sum(bool(re.match(pattern, t)) for t in texts) >= (1 - SHARE_OF_BAD_DATES) * n:
            return _collected(
                texts,
                partial(day_of, form=form),
                rows,
                Note("date-format", f"dates read as {name}"),
            )
    kinds = sum(
        any(re.match(p, t) for t in texts)
        for p in [_ISO, _STAMP.pattern, _NUMERIC.pattern, *(f[1] for f in _FORMATS)]
    )
    code = "mixed-date-formats" if kinds > 1 else "unreadable-dates"
    raise refuse(
        code,
        "the dates are in several formats" if kinds > 1 else "the date column holds no dates",
        row=int(rows[0]),
        column="date",
        value=texts[0][:40],
        suggestion="write dates as YYYY-MM-DD",
    )


def day_of(text: str, form: str = "%Y-%m-%d") -> datetime:
    return datetime.strptime(text, form).replace(tzinfo=UTC)


def _share(cells: pa.Array, pattern: str) -> float:
    return float(pc.mean(pc.cast(pc.match_substring_regex(cells, pattern), pa.int8())).as_py() or 0)


def _as_days(dates: pa.Array) -> NDArray[np.datetime64]:
    return np.asarray(dates.cast(pa.int32()), dtype="int64").astype("datetime64[D]")


def _collected(
    texts: list[str],
    parse: Callable[[str], datetime],
    rows: NDArray[np.int64],
    note: Note | None,
) -> DateColumn:
    values = np.full(len(texts), np.datetime64("NaT", "D"))
    bad = {}
    for i, text in enumerate(texts):
        try:
            values[i] = np.datetime64(parse(text).date())
        except ValueError:
            bad[i] = f"{text[:40]!r} is not a date of this file's format"
    if len(bad) > SHARE_OF_BAD_DATES * len(texts):
        first = min(bad)
        raise refuse(
            "mixed-date-formats",
            f"{len(bad)} of {len(texts)} dates do not fit one format",
            row=int(rows[first]),
            column="date",
            value=texts[first][:40],
            suggestion="write dates as YYYY-MM-DD",
        )
    return DateColumn(values, bad, note)


def _day_or_month_first(
    texts: list[str], rows: NDArray[np.int64], session_share: SessionShare
) -> DateColumn:
    parts = [m.groups() if (m := _NUMERIC.match(t)) else None for t in texts]
    month_second = [i for i, p in enumerate(parts) if p and int(p[0]) > 12]
    month_first = [i for i, p in enumerate(parts) if p and int(p[1]) > 12]
    if month_second and month_first:
        raise refuse(
            "mixed-date-formats",
            f"row {rows[month_first[0]]} ({texts[month_first[0]]}) can only be month first, "
            f"row {rows[month_second[0]]} ({texts[month_second[0]]}) only day first",
            row=int(rows[max(month_first[0], month_second[0])]),
            column="date",
            value=texts[max(month_first[0], month_second[0])],
            suggestion="write dates as YYYY-MM-DD",
        )

    def read(*, us: bool) -> DateColumn:
        name = "US dates: month/day/year" if us else "dates read as day/month/year"

        def parse(text: str) -> datetime:
            first, second, year = _NUMERIC.match(text).groups()  # type: ignore[union-attr]  # matched
            full = int(year) if len(year) == 4 else 2000 + int(year) - 100 * (int(year) > 68)
            month, day = (first, second) if us else (second, first)
            return datetime(full, int(month), int(day), tzinfo=UTC)

        return _collected(
            [t if _NUMERIC.match(t) else "0/0/0000" for t in texts],
            parse,
            rows,
            Note("us-dates" if us else "day-first-dates", name),
        )

    if month_first or month_second:
        return read(us=bool(month_first))
    american, european = read(us=True), read(us=False)
    if np.array_equal(american.values, european.values):
        return american
    share_us, share_eu = session_share(american.values), session_share(european.values)
    if max(share_us, share_eu) >= 0.95 and abs(share_us - share_eu) >= 0.15 and len(texts) >= 5:
        return american if share_us > share_eu else european
    raise refuse(
        "ambiguous-dates",
        f"no date has a day above 12, so month/day and day/month both fit: rows {rows[0]} "
        f"({texts[0]}) to {rows[-1]} ({texts[-1]})",
        row=int(rows[0]),
        column="date",
        value=texts[0],
        suggestion="write dates as YYYY-MM-DD",
    )


def _timestamps(texts: list[str], rows: NDArray[np.int64], zone: ZoneInfo) -> DateColumn:
    """Daily rows stamped with a time: the written date at midnight, else the exchange's date when
    every row has the same time of day there. Anything else is not daily data or mixes zones."""
    matches = [_STAMP.match(t) for t in texts]
    zoned = [bool(m and m.group(5)) for m in matches]
    if any(zoned) and not all(z for z, m in zip(zoned, matches, strict=True) if m):
        first = next(i for i, m in enumerate(matches) if m and not m.group(5))
        raise refuse(
            "mixed-time-zones",
            "some timestamps have a zone, some have none",
            row=int(rows[first]),
            column="date",
            value=texts[first],
        )
    written = {(m.group(2), m.group(3), m.group(4) or "00") for m in matches if m}
    if written == {("00", "00", "00")} or (len(written) == 1 and not any(zoned)):
        return _collected(
            [t[:10] if m else t for t, m in zip(texts, matches, strict=True)],
            day_of,
            rows,
            Note("timestamps", "timestamps read as their written date"),
        )
    local = [
        datetime.fromisoformat(t.replace("Z", "+00:00").replace("T", " ")).astimezone(zone)
        if m and any(zoned)
        else None
        for t, m in zip(texts, matches, strict=True)
    ]
    times = {moment.time() for moment in local if moment}
    if len(times) != 1:
        raise refuse(
            "mixed-time-zones" if any(zoned) else "not-daily",
            f"the timestamps have {len(times) or len(written)} different times of day at the "
            "exchange: intraday data, or more than one time zone",
            row=int(rows[0]),
            column="date",
            value=texts[0],
            suggestion="send one row per session with its date",
        )
    days = [moment.date().isoformat() if moment else "" for moment in local]
    return _collected(
        days,
        day_of,
        rows,
        Note("timestamps", f"timestamps read as dates at the exchange ({zone.key})"),
    )
