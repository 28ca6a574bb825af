"""Files made to exhaust the reader: refused after reading little of them."""

from __future__ import annotations

import gzip
import tracemalloc
from io import BytesIO, RawIOBase

import pytest

from portfolios.feeds import FeedHints, Kind, Status, read_file

MEGABYTE = 1 << 20


class Endless(RawIOBase):
    """`size` bytes made of an opening and one repeated unit, produced as they are read."""

    def __init__(self, size: int, unit: bytes, opening: bytes = b"") -> None:
        self._left, self._unit, self._opening = size, unit, opening
        self.given = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        n_bytes = min(size, self._left)
        self._left -= n_bytes
        self.given += n_bytes
        chunk = (self._opening + self._unit * (n_bytes // len(self._unit) + 1))[:n_bytes]
        self._opening = b""
        return chunk


@pytest.mark.parametrize(
    ("unit", "opening", "code"),
    [
        (b"\0", b"", "binary"),
        (b"\0", b"date,close\n", "binary"),
        (b"0\n", b"", "unknown-header"),
        (b"0", b"date,close\n", "line-too-long"),
        (b"0,0\n", b"date,close\n", "too-many-rows"),
    ],
)
def test_200_megabytes_are_refused_after_a_few(unit: bytes, opening: bytes, code: str) -> None:
    source = Endless(200 * MEGABYTE, unit, opening)
    tracemalloc.start()
    verdict = read_file(source, name="zeros.csv")  # type: ignore[arg-type]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert verdict.status is Status.REFUSED
    assert verdict.codes == {code}
    assert source.given <= 8 * MEGABYTE
    assert peak < 64 * MEGABYTE


def test_compression_bomb_is_refused() -> None:
    line = b"2022-01-03," + b"1" * 4000 + b"\n"
    packed = gzip.compress(b"date,close\n" + line * 10_000)
    verdict = read_file(BytesIO(packed), name="bomb.csv.gz")
    assert verdict.codes == {"compression-bomb"}


def test_more_than_20_megabytes_compressed_are_refused() -> None:
    source = Endless(25 * MEGABYTE, b"\xff\xfe\xfd", b"\x1f\x8b\x08\0\0\0\0\0\0\x03\0\0\0\xff\xff")
    verdict = read_file(source, name="large.csv.gz")  # type: ignore[arg-type]
    assert verdict.status is Status.REFUSED


def test_more_than_200_megabytes_are_refused() -> None:
    source = Endless(210 * MEGABYTE, b"2022-01-03," + b"1" * 1000 + b"\n", b"date,close\n")
    verdict = read_file(source, name="large.csv")  # type: ignore[arg-type]
    assert verdict.codes == {"too-large"}


@pytest.mark.parametrize(
    ("opening", "row", "other"),
    [
        (b"date,close\n", b"2022-01-03,40\n", b"2022-01-03,41\n"),
        (
            b"ticker,effective_date,new_shares,old_shares\n",
            b"SOXX,2022-01-03,3,1\n",
            b"SOXX,2022-01-03,2,1\n",
        ),
    ],
)
def test_many_rows_that_disagree_do_not_name_each_other(
    opening: bytes, row: bytes, other: bytes
) -> None:
    good = row.replace(b"2022-01-03", b"2022-01-04")
    content = opening + good + row * 20_000 + other
    tracemalloc.start()
    verdict = read_file(BytesIO(content), name="SOXX.csv")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert verdict.codes == {"conflicting-duplicate"}
    assert verdict.rows_rejected == 20_001
    assert verdict.problems[0].message.startswith(
        "rows 3 and 4 and 5 and 6 and 7 and 19,996 more disagree about"
    )
    assert peak < 64 * MEGABYTE


@pytest.mark.parametrize(
    ("rate", "is_cell"),
    [("1.09", True), ('"1.09"', True), ("[1.09]", False), ("[1]", False), ('{"a": 1}', False)],
)
@pytest.mark.parametrize("form", ["%s\n", "[%s]"])
def test_a_list_of_numbers_is_no_number(rate: str, is_cell: bool, form: str) -> None:
    row = f'{{"base": "EUR", "quote": "USD", "date": "2024-01-02", "rate": {rate}}}'
    hints = FeedHints(kind=Kind.FX_RATES)
    verdict = read_file(BytesIO((form % row).encode()), name="rates.json", hints=hints)
    assert (verdict.status is Status.ACCEPTED) is is_cell
    assert ("bad-cell" in verdict.codes) is not is_cell
