"""Parquet files: typed cells as text, and files made to exhaust or crash the reader."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from portfolios.feeds import FeedHints, FileVerdict, Kind, Status, read_file

DAYS = [date(2024, 1, day) for day in (2, 3, 4)]


def written(table: pa.Table, **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def verdict_on(content: bytes) -> FileVerdict:
    hints = FeedHints(kind=Kind.FX_RATES)
    return read_file(io.BytesIO(content), name="rates.parquet", hints=hints)


def rates(**columns: Any) -> pa.Table:
    plain = {"base": ["EUR"] * 3, "quote": ["USD"] * 3, "date": DAYS, "rate": ["1.1"] * 3}
    return pa.table(plain | columns)


@pytest.mark.parametrize(
    "rate",
    [
        pa.array([1.1, 1.125, 1.0625], pa.float64()),
        pa.array([1.5, 1.125, 1.0625], pa.float32()),
        pa.array([Decimal("1.10"), Decimal("1.12"), Decimal("1.1")], pa.decimal128(38, 18)),
        pa.array(["1.1", "1.12", "1.13"]).dictionary_encode(),
        pa.array([1, 1, 1], pa.int8()),
    ],
)
def test_numbers_of_every_type_are_read_exactly(rate: pa.Array) -> None:
    verdict = verdict_on(written(rates(rate=rate)))
    assert verdict.status is Status.ACCEPTED
    texts = verdict.accepted["rate"].to_pylist()
    assert [Decimal(text) for text in texts] == [Decimal(str(v)) for v in rate.to_pylist()]


def test_a_null_among_the_words_of_a_list_loses_none_of_them() -> None:
    table = pa.table({"instrument": ["A"], "quantity": ["1"], "tags": [["semis", None, "hedge"]]})
    hints = FeedHints(kind=Kind.POSITIONS)
    verdict = read_file(io.BytesIO(written(table)), name="book.parquet", hints=hints)
    assert verdict.status is Status.REFUSED
    assert verdict.codes == {"bad-cell"}


@pytest.mark.parametrize(
    "days",
    [
        pa.array(DAYS),
        pa.array(DAYS, pa.date64()),
        pa.array([str(day) for day in DAYS]),
        pa.array([datetime(d.year, d.month, d.day) for d in DAYS], pa.timestamp("ns")),  # noqa: DTZ001  # as programs write days
    ],
)
def test_days_of_every_type_are_days(days: pa.Array) -> None:
    assert verdict_on(written(rates(date=days))).accepted["date"].to_pylist() == DAYS


def test_instants_are_the_days_of_the_exchange() -> None:
    closes = [datetime(d.year, d.month, d.day, 21, tzinfo=UTC) for d in DAYS]
    verdict = verdict_on(written(rates(date=pa.array(closes, pa.timestamp("us", "UTC")))))
    assert verdict.accepted["date"].to_pylist() == DAYS


def test_nulls_are_missing_values() -> None:
    verdict = verdict_on(written(rates(rate=["1.1", None, "1.1"])))
    [problem] = verdict.problems
    assert (problem.row, problem.column, problem.code) == (2, "rate", "missing-value")


def _words(word: str, count: int) -> pa.Table:
    """One word under the whole of a column: a few bytes in the file."""
    indices = pa.array([0] * count, pa.int32())
    column = pa.DictionaryArray.from_arrays(indices, pa.array([word]))
    return pa.table({"base": column, "quote": column, "date": column, "rate": column})


REFUSED: dict[str, tuple[bytes, str]] = {
    "long words": (written(_words("x" * 70_000, 10)), "cell-too-long"),
    "words of a dictionary": (written(_words("x" * 60_000, 20_000)), "too-large"),
    "rows": (written(_words("x", 500_001)), "too-many-rows"),
    "columns": (written(pa.table({f"c{n}": [1] for n in range(201)})), "too-many-columns"),
    "nested": (written(rates(base=[{"a": 1}] * 3)), "nested-columns"),
    "zeros": (
        written(
            pa.table({"rate": ["0" * 60_000] * 1_000}), use_dictionary=False, compression="zstd"
        ),
        "compression-bomb",
    ),
    "zeros in one group": (
        written(
            pa.table({"rate": ["0" * 60_000] * 2_000}), use_dictionary=False, compression="zstd"
        ),
        "too-large",
    ),
    "cut": (written(rates())[:-9], "unreadable-parquet"),
    "magic alone": (b"PAR1" * 4, "unreadable-parquet"),
    "noise in the footer": (
        written(rates())[:-40] + b"\xff" * 32 + written(rates())[-8:],
        "unreadable-parquet",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_hostile_file_is_refused_with_its_reason(case: str) -> None:
    content, code = REFUSED[case]
    assert len(content) < 1 << 20
    verdict = verdict_on(content)
    assert verdict.status is Status.REFUSED
    assert verdict.codes == {code}
    assert verdict.rows_in == verdict.rows_accepted + verdict.rows_rejected


def test_a_reader_that_dies_costs_the_file_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from portfolios.feeds import parquet

    content = written(rates())
    monkeypatch.setattr(parquet, "_COMMAND", ("-I", "-c", "import os; os.abort()"))
    assert verdict_on(content).codes == {"unreadable-parquet"}
    monkeypatch.setattr(parquet, "SECONDS", 0.5)
    monkeypatch.setattr(parquet, "_COMMAND", ("-I", "-c", "while True: pass"))
    assert verdict_on(content).codes == {"unreadable-parquet"}


def test_the_reader_cannot_take_more_memory_than_its_share() -> None:
    """Not even where the checks before let something through."""
    import subprocess
    import sys

    from portfolios.feeds import parquet

    greedy = (
        "import runpy, sys; child = runpy.run_path(sys.argv[1]); child['limit']();"
        "import pyarrow as pa; pa.allocate_buffer(child['MEMORY'])"
    )
    command = [sys.executable, "-I", "-c", greedy, str(parquet.CHILD)]
    done = subprocess.run(command, capture_output=True, check=False, env={})
    assert b"ArrowMemoryError" in done.stderr
