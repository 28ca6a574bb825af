"""What can be read right is read right; what can not is refused by name."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import date
from io import BytesIO

import pandas as pd
import pytest

from portfolios.feeds import Effect, FeedHints, FileVerdict, Kind, Status, read_file
from tests.portfolios.feeds.mutations import PRICES, csv_of, synthetic

FRAME = synthetic(n_sessions=60)
GOOD = csv_of(FRAME)
LINES = GOOD.splitlines()


def _verdict(content: str | bytes, hints: FeedHints | None = None) -> FileVerdict:
    data = content.encode() if isinstance(content, str) else content
    verdict = read_file(BytesIO(data), name="file.csv", hints=hints or FeedHints())
    assert verdict.rows_in == verdict.rows_accepted + verdict.rows_rejected
    return verdict


def _with_row(number: int, line: str) -> str:
    """The good file with one line replaced; `number` counts the header as 1."""
    return "\n".join([*LINES[: number - 1], line, *LINES[number:]]) + "\n"


def _dates(form: str) -> str:
    return csv_of(FRAME.assign(date=pd.to_datetime(FRAME["date"]).dt.strftime(form)))


def _decimal_comma() -> str:
    frame = FRAME.copy()
    for name in PRICES:
        frame[name] = frame[name].str.replace(".", ",")
    return csv_of(frame, sep=";")


def _yfinance() -> str:
    body = FRAME[["date", "close", "high", "low", "open", "adj_close", "volume"]]
    head = "Price,Close,High,Low,Open,Adj Close,Volume\nTicker" + ",XYZ" * 6 + "\nDate,,,,,,\n"
    return head + csv_of(body, header=False)


READABLE: dict[str, tuple[Callable[[], str | bytes], str | None]] = {
    "plain": (lambda: GOOD, None),
    "US dates": (lambda: _dates("%m/%d/%Y"), "us-dates"),
    "European dates": (lambda: _dates("%d/%m/%Y"), "day-first-dates"),
    "dotted dates": (lambda: _dates("%d.%m.%Y"), "date-format"),
    "month names": (lambda: _dates("%b %d, %Y"), "date-format"),
    "compact dates": (lambda: _dates("%Y%m%d"), "date-format"),
    "midnight with zone": (lambda: _dates("%Y-%m-%d 00:00:00-05:00"), "timestamps"),
    "decimal comma": (_decimal_comma, "number-style"),
    "semicolons": (lambda: csv_of(FRAME, sep=";"), None),
    "tabs": (lambda: csv_of(FRAME, sep="\t"), None),
    "quotes": (lambda: csv_of(FRAME, quoting=1), None),
    "UTF-16": (lambda: GOOD.encode("utf-16"), "utf-16"),
    "byte-order mark": (lambda: "\ufeff" + GOOD, "byte-order-mark"),
    "gzip": (lambda: gzip.compress(GOOD.encode()), "gzip"),
    "CR LF": (lambda: GOOD.replace("\n", "\r\n"), "line-ends"),
    "blank lines": (lambda: GOOD.replace("\n", "\n\n"), "blank-lines"),
    "newest first": (lambda: csv_of(FRAME.iloc[::-1]), "newest-first"),
    "unsorted": (lambda: csv_of(FRAME.sample(frac=1, random_state=1)), "unsorted"),
    "three header rows": (_yfinance, "second-header-row"),
    "lines above the header": (lambda: "Symbol: XYZ\n\n" + GOOD, "preamble"),
    "thousands separators": (
        lambda: csv_of(FRAME.assign(volume=[f"{int(v):,}" for v in FRAME["volume"]])),
        "number-style",
    ),
    "spaces around": (lambda: GOOD.replace(",", " , "), None),
    "vendor names": (
        lambda: GOOD.replace(LINES[0], "Date,Open,High,Low,Price,Adj Close,Vol."),
        None,
    ),
}


@pytest.mark.parametrize("name", READABLE)
def test_same_prices_in_another_writing_are_read_the_same(name: str) -> None:
    make, note = READABLE[name]
    verdict = _verdict(make())
    assert verdict.status is Status.ACCEPTED, verdict.problems
    assert verdict.kind is Kind.PRICES
    columns = verdict.accepted.to_pydict()
    assert [str(d) for d in columns["date"]] == FRAME["date"].tolist()
    for column in (*PRICES, "volume"):
        assert columns[column] == FRAME[column].tolist()
    if note is not None:
        assert note in {n.code for n in verdict.notes}


def test_numbers_go_with_the_text() -> None:
    verdict = _verdict(GOOD)
    assert verdict.numbers["close"].tolist() == [float(t) for t in FRAME["close"]]


def test_rows_are_numbered_as_in_the_file() -> None:
    verdict = _verdict(GOOD.replace("\n", "\n\n", 3))
    assert verdict.accepted["row"].to_pylist()[:4] == [3, 5, 7, 8]


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "empty-file"),
    "white": (" \n\n", "empty-file"),
    "header only": (LINES[0] + "\n", "header-only"),
    "junk": (bytes(range(256)) * 400, "binary"),
    "zip or xlsx": (b"PK\x03\x04" + bytes(100), "zip-archive"),
    "web page": ("<!DOCTYPE html><html></html>", "not-csv"),
    "gzip in gzip": (gzip.compress(gzip.compress(GOOD.encode())), "nested-archive"),
    "cut gzip": (gzip.compress(GOOD.encode())[:-20], "truncated-gzip"),
    "unknown header": ("foo,bar\n1,2\n", "unknown-header"),
    "ambiguous dates": ("date,close\n01/03/2022,1\n01/04/2022,1.1\n", "ambiguous-dates"),
    "both date orders": ("date,close\n01/13/2022,1\n14/01/2022,1.1\n", "mixed-date-formats"),
    "intraday": ("date,close\n2022-01-03 10:00,1\n2022-01-03 11:00,1\n", "not-daily"),
    "mixed zones": (
        "date,close\n2022-01-03 05:00:00+00:00,1\n2022-01-04 00:00:00+00:00,1\n",
        "mixed-time-zones",
    ),
    "some zones": (
        "date,close\n2022-01-03 05:00:00+00:00,1\n2022-01-04 00:00:00,1\n",
        "mixed-time-zones",
    ),
    "weekly": (csv_of(synthetic().iloc[::5]), "not-daily"),
    "both decimal marks": (
        "date;open;close\n2022-01-03;1,5;1.5\n2022-01-04;1,6;1.75\n2022-01-05;1,7;1,7\n",
        "mixed-decimal-marks",
    ),
    "two symbols": (
        csv_of(pd.concat([FRAME.assign(symbol="AAA"), FRAME.assign(symbol="BBB")])),
        "two-instruments",
    ),
    "all rows bad": ("date,close\n2022-01-03,x\n2022-01-04,y\n", "no-good-rows"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_unreadable_file_is_refused_by_name(name: str) -> None:
    content, code = REFUSED[name]
    verdict = _verdict(content)
    assert verdict.status is Status.REFUSED
    assert verdict.problems[0].code == code
    assert verdict.problems[0].effect is Effect.FILE
    assert verdict.rows_accepted == 0


def test_unknown_header_shows_what_was_seen_and_suggests() -> None:
    (problem,) = _verdict(GOOD.replace(",close,", ",closse,")).problems
    assert "'closse'" in problem.message
    assert problem.suggestion is not None
    assert "rename 'closse' to 'close'" in problem.suggestion


def test_ambiguous_dates_name_the_rows() -> None:
    (problem,) = _verdict("date,close\n01/03/2022,1\n01/04/2022,1.1\n").problems
    assert "rows 2 (01/03/2022) to 3 (01/04/2022)" in problem.message


def test_sessions_decide_dates_that_digits_do_not() -> None:
    early = FRAME[pd.to_datetime(FRAME["date"]).dt.day <= 12]
    written = pd.to_datetime(early["date"]).dt.strftime("%m/%d/%Y")
    verdict = _verdict(csv_of(early.assign(date=written)))
    assert [str(d) for d in verdict.accepted["date"].to_pylist()] == early["date"].tolist()


BAD_ROWS: dict[str, tuple[str | bytes, str]] = {
    "NUL byte": (_with_row(6, LINES[5][:14] + "\0" + LINES[5][14:]), "nul-byte"),
    "lone surrogate": (
        _with_row(6, "@").encode().replace(b"@", b"2022-01-07,\xed\xb0\x80,1,1,1,1,1"),
        "not-utf8",
    ),
    "too many fields": (_with_row(6, LINES[5] + ",9"), "wrong-field-count"),
    "too few fields": (_with_row(6, "2022-01-07,1,2"), "wrong-field-count"),
    "open quote": (_with_row(6, '"' + LINES[5]), "open-quote"),
    "no such day": (_with_row(6, "2022-02-31" + LINES[5][10:]), "bad-date"),
    "no values": (_with_row(6, LINES[5][:10] + ",NaN,null,N/A,-,,"), "no-price"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_bad_row_is_rejected_alone(name: str) -> None:
    content, code = BAD_ROWS[name]
    verdict = _verdict(content)
    assert verdict.status is Status.ACCEPTED_WITH_QUARANTINE
    assert verdict.codes == {code}
    assert verdict.rejected_rows.tolist() == [6]
    assert verdict.problems[0].row == 6
    assert verdict.rows_accepted == 59
    assert verdict.missing_sessions == (date(2022, 1, 7),)


def test_missing_cells_are_null_and_never_zero() -> None:
    day = LINES[5].split(",")
    verdict = _verdict(_with_row(6, ",".join([day[0], "N/A", "-", "null", day[4], "", "NaN"])))
    row = verdict.accepted.to_pylist()[4]
    assert [row[n] for n in ("open", "high", "low", "adj_close", "volume")] == [None] * 5
    assert row["close"] == day[4]


def test_unreadable_cell_is_left_out_and_its_row_kept() -> None:
    verdict = _verdict(GOOD.replace(LINES[5].split(",")[6], "many", 1))
    (problem,) = verdict.problems
    assert (problem.effect, problem.column, problem.value) == (Effect.CELL, "volume", "many")
    assert verdict.rows_accepted == 60


def test_repeated_row_is_rejected_once() -> None:
    verdict = _verdict("\n".join([*LINES, LINES[9]]))
    assert verdict.codes == {"duplicate-row"}
    assert verdict.rejected_rows.tolist() == [62]


def test_dates_after_today_are_rejected() -> None:
    verdict = _verdict(GOOD, FeedHints(today=date(2022, 3, 20)))
    assert verdict.codes == {"future-date"}
    assert max(verdict.accepted["date"].to_pylist()) <= date(2022, 3, 20)


def test_file_for_another_instrument_is_refused() -> None:
    verdict = _verdict(csv_of(FRAME.assign(symbol="AAA")), FeedHints(symbol="BBB"))
    assert verdict.codes == {"wrong-instrument"}


def test_stated_change_that_the_closes_contradict_costs_the_row() -> None:
    change = pd.to_numeric(FRAME["close"]).pct_change().map("{:.2%}".format)
    changed = FRAME.assign(**{"Change %": change.replace("nan%", "-88.87%")})
    assert _verdict(csv_of(changed)).status is Status.ACCEPTED
    wrong = changed.copy()
    for name in PRICES:
        wrong.loc[30, name] = f"{float(str(wrong.loc[30, name])) * 1.1:.2f}"
    verdict = _verdict(csv_of(wrong))
    assert verdict.codes >= {"change-mismatch"}
    assert verdict.rejected_rows.tolist() == [32]


def test_zoned_timestamps_become_exchange_dates() -> None:
    stamped = [
        f"{d} {'04' if '2022-03-13' < d < '2022-11-06' else '05'}:00:00+00:00"
        for d in FRAME["date"]
    ]
    verdict = _verdict(csv_of(FRAME.assign(date=stamped)))
    assert [str(d) for d in verdict.accepted["date"].to_pylist()] == FRAME["date"].tolist()


@pytest.mark.parametrize(
    ("line", "column", "value"),
    [
        ("soon,10,11,9,10,10,100", "date", "soon"),
        ("2024-02-30,10,11,9,10,10,100", "date", "2024-02-30"),
        ("{date},10,11,9,abc,10,100", "close", "abc"),
        ("{date},10,11,9,1e99,10,100", "close", "1e99"),
        ("{date},10,11,9,-3,10,100", "close", "-3"),
        ("{date},many,11,9,10,10,100", "open", "many"),
        ("{date},10,11,9,,,100", "close", None),
    ],
)
def test_a_problem_of_a_cell_has_the_cell_as_it_was_sent(
    line: str, column: str, value: str | None
) -> None:
    verdict = _verdict(_with_row(30, line.format(date=FRAME["date"][28])))
    assert (30, column, value) in [(p.row, p.column, p.value) for p in verdict.problems]


@pytest.mark.parametrize(
    ("content", "code", "value"),
    [
        ("Day,Rate of A\n2024-01-02,1\n", "unknown-header", "Day, Rate of A"),
        ("date,close\n13/01/2024,1\n01/14/2024,1\n", "mixed-date-formats", "01/14/2024"),
    ],
)
def test_a_refusal_that_names_cells_has_one_of_them(content: str, code: str, value: str) -> None:
    [problem] = _verdict(content).problems
    assert (problem.code, problem.value) == (code, value)
