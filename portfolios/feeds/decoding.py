"""Bytes to a table of strings, with caps that keep a hostile file cheap.

Whatever the format, the outcome is one `RawTable`. What the bytes are decides, not the name: CSV
and its kin here, JSON in `records`, Parquet in `parquet`; each may come through gzip.
"""

import codecs
import csv
import hashlib
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from portfolios.feeds.verdict import Note, RowProblem, refuse

CHUNK = 1 << 20
MAX_COMPRESSED_BYTES = 20 * CHUNK
MAX_UNPACKED_BYTES = 200 * CHUNK
MAX_RATIO = 100
RATIO_CHECKED_FROM = 4 * CHUNK  # a small regular file may pack well without being a bomb
MAX_LINE_BYTES = 1 << 16
MAX_ROWS = 500_000  # sixteen times a century of sessions
PREAMBLE_LINES = 10
DELIMITERS = (",", ";", "\t", "|")

_MAGIC = (
    (b"PK\x03\x04", "zip-archive", "a zip archive or spreadsheet (.zip, .xlsx)"),
    (b"PK\x05\x06", "zip-archive", "a zip archive"),
    (b"\xd0\xcf\x11\xe0", "spreadsheet", "an old spreadsheet (.xls)"),
    (b"%PDF", "not-csv", "a PDF document"),
    (b"BZh", "not-csv", "a bzip2 archive"),
    (b"\xfd7zXZ", "not-csv", "an xz archive"),
    (b"7z\xbc\xaf", "not-csv", "a 7z archive"),
    (b"\x28\xb5\x2f\xfd", "not-csv", "a zstd archive"),
    (b"\x89PNG", "not-csv", "a picture"),
    (b"SQLite format", "not-csv", "a database"),
)
_CONTROL = bytes(b for b in range(32) if b not in b"\t\n\r\x1a")


class Form(StrEnum):
    """What the bytes are."""

    CSV = "csv"
    NDJSON = "ndjson"
    JSON = "json"
    PARQUET = "parquet"


@dataclass(slots=True)
class TextFile:
    """Lines of a decoded file. `lines[i]` is line i + 1 of the file.

    A JSON array and a Parquet file have no lines; all of them is in `body`.
    """

    lines: list[bytes]
    sha256: str
    notes: list[Note]
    form: Form = Form.CSV
    body: bytes | bytearray = b""

    def release(self) -> None:
        """Let go of the text, which is a table now; what was noted of it stays."""
        self.lines, self.body = [], b""


@dataclass(slots=True)
class RawTable:
    """Data records below the header, every cell a stripped string (null where empty).

    `rows` are line numbers in the file. `rejected` holds the records that are no records of this
    table (wrong number of fields, bytes that are no text); they count as rows of the file.
    """

    header: list[str]
    header_row: int
    columns: list[pa.Array]
    rows: NDArray[np.int64]
    delimiter: str
    rejected: list[RowProblem] = field(default_factory=list)


def read_text(source: Path | BinaryIO, *, check_opening: Callable[[list[bytes]], None]) -> TextFile:
    """Reads and decodes; `check_opening` may refuse by the first lines, before the rest."""
    if isinstance(source, Path):
        with source.open("rb") as stream:
            return _read_stream(stream, check_opening)
    return _read_stream(source, check_opening)


def _read_stream(stream: BinaryIO, check_opening: Callable[[list[bytes]], None]) -> TextFile:
    digest = hashlib.sha256()
    notes: list[Note] = []
    chunks = _unpacked(stream, digest, notes)
    first = next(chunks, b"")
    if not first.strip():
        raise refuse("empty-file", "the file is empty", suggestion="export it again")
    _refuse_known_formats(first)
    body = bytearray()
    if first.startswith(b"PAR1"):
        for chunk in _chain(first, chunks):
            body += chunk
        return TextFile([], digest.hexdigest(), notes, Form.PARQUET, body)
    encoding = _encoding_of(first, notes)
    decoder = codecs.getincrementaldecoder(encoding)("replace") if encoding else None
    form = Form.CSV
    lines = _Lines()
    for number, chunk in enumerate(_chain(first, chunks)):
        text = decoder.decode(chunk).encode() if decoder else chunk
        _refuse_binary(text)
        if number == 0:
            form = _form_of(text)
            if text.startswith(codecs.BOM_UTF8):
                notes.append(Note("byte-order-mark", "byte-order mark skipped"))
                text = text.removeprefix(codecs.BOM_UTF8)
        if form is Form.JSON:
            body += text
            continue
        if number == 0 and form is Form.CSV:
            opening = _Lines()
            opening.add(text[: 4 * MAX_LINE_BYTES])
            check_opening(opening.finished()[: PREAMBLE_LINES + 5])
        lines.add(text)
        if len(lines.whole) > MAX_ROWS:
            raise refuse(
                "too-many-rows", f"more than {MAX_ROWS:,} lines", suggestion="split the file"
            )
    if form is Form.JSON:
        return TextFile([], digest.hexdigest(), notes, form, body)
    if lines.has_returns:
        notes.append(Note("line-ends", "line ends CR LF or CR read as line ends"))
    return TextFile(lines.finished(), digest.hexdigest(), notes, form)


def _form_of(opening: bytes) -> Form:
    """JSON by its first signs; a header may be bracketed, so one sign is not enough."""
    signs = opening[:1_000].removeprefix(codecs.BOM_UTF8).split()
    start = b"".join(signs[:2])[:2]
    if start in (b"[{", b"[]"):
        return Form.JSON
    return Form.NDJSON if start in (b'{"', b"{}") else Form.CSV


class _Lines:
    """Lines of a text that comes in chunks: nowhere is the text in one piece beside them."""

    def __init__(self) -> None:
        self.whole: list[bytes] = []
        self.has_returns = False
        self._rest = b""

    def add(self, chunk: bytes) -> None:
        text = self._rest + chunk
        if (overlong := _overlong_line(text)) is not None:
            before = len(re.findall(rb"\r\n|\r|\n", text[:overlong]))
            raise refuse(
                "line-too-long",
                f"a line is longer than {MAX_LINE_BYTES} bytes",
                row=len(self.whole) + before + 1,
                suggestion="send one row per line",
            )
        held = b""
        if b"\r" in text:
            self.has_returns = True
            if text.endswith(b"\r"):  # its LF may be the first sign of the next chunk
                text, held = text[:-1], b"\r"
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = text.split(b"\n")
        self._rest = lines.pop() + held
        self.whole += lines

    def finished(self) -> list[bytes]:
        """All of them, the last one too if it has no end."""
        rest, self._rest = self._rest, b""
        if rest.endswith(b"\r"):
            self.whole.append(rest[:-1])
        elif rest := rest.rstrip(b"\x1a"):  # 0x1A: end of file of old exports
            self.whole.append(rest)
        return self.whole


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _unpacked(stream: BinaryIO, digest: "hashlib._Hash", notes: list[Note]) -> Iterator[bytes]:
    """Chunks of the plain content; counts what comes in and what goes out."""
    first = stream.read(CHUNK)
    packed = first.startswith(b"\x1f\x8b")
    if packed:
        notes.append(Note("gzip", "gzip unpacked"))
    unpacker = zlib.decompressobj(wbits=31)
    taken = given = 0
    chunk = first
    while chunk:
        digest.update(chunk)
        taken += len(chunk)
        if packed and taken > MAX_COMPRESSED_BYTES:
            raise refuse("too-large", f"more than {MAX_COMPRESSED_BYTES:,} bytes compressed")
        for plain in _inflate(unpacker, chunk) if packed else (chunk,):
            given += len(plain)
            if given > MAX_UNPACKED_BYTES:
                raise refuse("too-large", f"more than {MAX_UNPACKED_BYTES:,} bytes unpacked")
            if packed and given > RATIO_CHECKED_FROM and given > MAX_RATIO * taken:
                raise refuse("compression-bomb", f"unpacks to more than {MAX_RATIO} times its size")
            yield plain
        chunk = stream.read(CHUNK)
    if packed and not unpacker.eof:
        raise refuse("truncated-gzip", "the gzip data end early", suggestion="send it again")


def _inflate(unpacker: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    try:
        while data and not unpacker.eof:
            plain = unpacker.decompress(data, CHUNK)
            if plain:
                yield plain
            data = unpacker.unconsumed_tail
    except zlib.error as error:
        raise refuse("damaged-gzip", f"the gzip data are damaged ({error})") from error
    if unpacker.eof and unpacker.unused_data.strip(b"\0"):
        raise refuse("damaged-gzip", "data follow the end of the gzip stream")


def _refuse_known_formats(first: bytes) -> None:
    for magic, code, what in _MAGIC:
        if first.startswith(magic):
            raise refuse(code, f"this is {what}", suggestion="save it as CSV (UTF-8)")
    if first.startswith(b"\x1f\x8b"):
        raise refuse("nested-archive", "a gzip inside a gzip", suggestion="compress it once")
    opening = first[:512].lstrip().lower()
    if opening.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise refuse("not-csv", "this is a web page or XML", suggestion="download the CSV itself")


def _encoding_of(first: bytes, notes: list[Note]) -> str | None:
    """None for UTF-8, which is kept as bytes; rows that are not UTF-8 are rejected one by one."""
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if first.startswith(mark):
            notes.append(Note("utf-16", "UTF-16 read by its byte-order mark"))
            return encoding
    return None


def _refuse_binary(text: bytes) -> None:
    control = len(text) - len(text.translate(None, _CONTROL))
    if control > max(16, len(text) // 100):
        raise refuse(
            "binary",
            f"not text: {control:,} control bytes in {len(text):,}",
            suggestion="save it as CSV (UTF-8)",
        )


def _overlong_line(text: bytes) -> int | None:
    """Where a line begins that is too long."""
    start = 0
    while len(text) - start > MAX_LINE_BYTES:
        end = text.rfind(b"\n", start, start + MAX_LINE_BYTES)
        end = end if end >= 0 else text.rfind(b"\r", start, start + MAX_LINE_BYTES)
        if end < 0:
            return start
        start = end + 1
    return None


def split_line(line: bytes, delimiter: str) -> list[str]:
    text = line.decode("utf-8", "replace")
    return [cell.strip() for cell in next(csv.reader([text], delimiter=delimiter), [])]


def parse_table(text: TextFile, header_index: int, delimiter: str, skipped: set[int]) -> RawTable:
    """The records below the header at `lines[header_index]`, without `skipped` line indexes."""
    header = split_line(text.lines[header_index], delimiter)
    body = text.lines[header_index + 1 :]
    numbers = np.arange(header_index + 2, header_index + 2 + len(body))
    blank = [not line.strip() for line in body]
    keep = np.array([not b for b in blank], dtype=bool) if any(blank) else np.ones(len(body), bool)
    if any(blank[: len(body) - 1]):
        text.notes.append(Note("blank-lines", f"{sum(blank)} blank lines skipped"))
    for index in skipped:
        keep[index - header_index - 1] = False
    unreadable = _unreadable_lines(body, numbers, keep)
    for index, _ in unreadable:
        keep[index] = False
    rejected = [problem for _, problem in unreadable]
    rows = numbers[keep]
    good = body if keep.all() else [line for line, k in zip(body, keep, strict=True) if k]
    if not good:
        return RawTable(header, header_index + 1, [], rows, delimiter, rejected)
    columns, ragged = _parse(good, len(header), delimiter, rows)
    if ragged:
        bad = {problem.row for problem in ragged}
        rows = np.array([row for row in rows if int(row) not in bad], dtype=np.int64)
    return RawTable(header, header_index + 1, columns, rows, delimiter, rejected + ragged)


def _unreadable_lines(
    body: list[bytes], numbers: NDArray[np.int64], keep: NDArray[np.bool_]
) -> list[tuple[int, RowProblem]]:
    """Lines with an open quote, a NUL byte or bytes that are not UTF-8, if there are any."""
    problems = []
    odd, is_utf8 = False, True
    for start in range(0, len(body), _LINES_JOINED):
        joined = b"\n".join(body[start : start + _LINES_JOINED])
        odd = odd or b"\0" in joined or b'"' in joined
        is_utf8 = is_utf8 and _is_utf8(joined)
    if not odd and is_utf8:
        return []
    for index in np.flatnonzero(keep).tolist():
        line = body[index]
        if b"\0" in line:
            code, message, suggestion = "nul-byte", "the row holds a NUL byte", None
        elif line.count(b'"') % 2:
            code, message, suggestion = "open-quote", "a quote is not closed", None
        elif not is_utf8 and not _is_utf8(line):
            code, message = "not-utf8", "the row is not UTF-8 text"
            suggestion = "save the file as UTF-8"
        else:
            continue
        row = int(numbers[index])
        problem = RowProblem(row, None, code, _excerpt(line), message, suggestion)
        problems.append((index, problem))
    return problems


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _excerpt(line: bytes) -> str:
    return line[:80].decode("utf-8", "replace").replace("\0", "\N{SYMBOL FOR NULL}")


#: Looked at together, which is faster than one by one and takes less than all at once.
_LINES_JOINED = 10_000
_STRIPPED = " \t\u00a0\u202f"


def _parse(
    good: list[bytes], width: int, delimiter: str, rows: NDArray[np.int64]
) -> tuple[list[pa.Array], list[RowProblem]]:
    ragged: list[RowProblem] = []

    def on_ragged(row: pa_csv.InvalidRow) -> str:
        ragged.append(
            RowProblem(
                int(rows[row.number - 1]),
                None,
                "wrong-field-count",
                row.text[:80],
                f"{row.actual_columns} fields where the header has {row.expected_columns}",
            )
        )
        return "skip"

    names = [f"c{i}" for i in range(width)]
    table = pa_csv.read_csv(
        pa.BufferReader(b"\n".join((*good, b""))),
        read_options=pa_csv.ReadOptions(column_names=names, use_threads=False),
        parse_options=pa_csv.ParseOptions(
            delimiter=delimiter, invalid_row_handler=on_ragged, ignore_empty_lines=False
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=False,
            quoted_strings_can_be_null=False,
        ),
    )
    return [stripped(column.combine_chunks()) for column in table.columns], ragged


def stripped(column: pa.Array) -> pa.Array:
    """Cells without the spaces around them."""
    return pc.utf8_trim(column, characters=_STRIPPED)


def delimiter_candidates(line: bytes) -> list[str]:
    """Delimiters that occur outside quotes in a line, most frequent first."""
    plain = re.sub(rb'"[^"]*"', b"", line).decode("utf-8", "replace")
    counts = {d: plain.count(d) for d in DELIMITERS}
    return sorted((d for d in counts if counts[d]), key=lambda d: -counts[d])
