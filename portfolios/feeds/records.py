"""JSON to a table of strings: an object a line, or an array of objects.

Numbers keep the digits they are written with. An object is a row, its members are cells; what is
no cell (an object, a list of anything but text) rejects the row.
"""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from portfolios.feeds.decoding import MAX_ROWS, RawTable, TextFile, stripped
from portfolios.feeds.verdict import RowProblem, refuse

MAX_COLUMNS = 200
_CHUNK = 10_000
_CONTROL = r"[\x00-\x08\x0a-\x1f]"


class _Broken:
    """An object that cannot be read, in its place: what follows it still can."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message


def _object(pairs: list[tuple[str, Any]]) -> Any:
    members = dict(pairs)
    if len(members) != len(pairs):
        return _Broken("duplicate-key", "a member is named twice")
    return members


class _Number(str):
    """A number's literal, which is a cell but no text."""

    __slots__ = ()


#: Literals stay text; NaN and Infinity, which are no JSON, are judged as the words they are.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_Number, parse_int=_Number, parse_constant=_Number
)
_ROW = "write each row as one JSON object of plain values"


def read_ndjson(file: TextFile) -> RawTable:
    """One object a line; rows are numbered by line."""
    table = _Table()
    for number, line in enumerate(file.lines, start=1):
        if not line.strip():
            continue
        try:
            value = _DECODER.decode(line.decode())
        except UnicodeDecodeError:
            table.reject(number, "not-utf8", "the row is not UTF-8 text", "save the file as UTF-8")
        except json.JSONDecodeError as error:
            table.reject(number, "malformed-json", f"{error.msg} at column {error.colno}", _ROW)
        except RecursionError:
            table.reject(number, "malformed-json", "nested too deeply", _ROW)
        else:
            table.add(number, value)
    return table.finished()


def read_json(file: TextFile) -> RawTable:
    """An array of objects; rows are numbered by element, from 1."""
    try:
        text = file.body.decode()
    except UnicodeDecodeError as error:
        raise refuse(
            "not-utf8", f"byte {error.start} is not UTF-8", suggestion="save the file as UTF-8"
        ) from None
    file.release()
    table = _Table()
    for number, value in enumerate(_elements(text), start=1):
        if number > MAX_ROWS:
            raise refuse(
                "too-many-rows", f"more than {MAX_ROWS:,} rows", suggestion="split the file"
            )
        table.add(number, value)
    return table.finished()


def _elements(text: str) -> Iterator[Any]:
    """The elements one by one: the array as a whole is never built."""
    at = _next(text, text.index("[") + 1)
    number = 0
    while text[at : at + 1] != "]" or number:
        number += 1
        try:
            value, end = _DECODER.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise _malformed(number, f"{error.msg} at line {error.lineno}") from None
        except RecursionError:
            raise _malformed(number, "nested too deeply") from None
        yield value
        at = _next(text, end)
        if text[at : at + 1] == "]":
            break
        if text[at : at + 1] != ",":
            raise _malformed(number, "no comma and no end of the array after this element")
        at = _next(text, at + 1)
    if text[at + 1 :].strip():
        raise _malformed(number, "something follows the array")


def _next(text: str, at: int) -> int:
    """The place of the next sign that is not a space."""
    while text[at : at + 1] in (" ", "\t", "\n", "\r"):
        at += 1
    return at


def _malformed(number: int, message: str) -> Exception:
    return refuse("malformed-json", message, row=number, suggestion="send one JSON array")


class _Table:
    """Rows on their way into columns; only the last few thousand are Python objects."""

    def __init__(self) -> None:
        self._names: dict[str, int] = {}
        self._waiting: list[dict[str, str]] = []
        self._chunks: list[list[pa.Array]] = []
        self._rows: list[int] = []
        self._rejected: list[RowProblem] = []

    def reject(self, row: int, code: str, message: str, suggestion: str | None = None) -> None:
        self._rejected.append(RowProblem(row, None, code, None, message, suggestion))

    def add(self, row: int, value: Any) -> None:
        if isinstance(value, _Broken):
            self.reject(row, value.code, value.message)
            return
        if not isinstance(value, dict):
            self.reject(row, "not-an-object", "the row is no JSON object", _ROW)
            return
        cells = {}
        for name, member in value.items():
            try:
                cells[_text(name)] = _cell(member)
            except ValueError as error:
                shown = _shown(name)
                message = f"{shown}: {error}"
                self._rejected.append(RowProblem(row, shown, "bad-cell", None, message, _ROW))
                return
        for name in cells:
            self._names.setdefault(name, len(self._names))
        if len(self._names) > MAX_COLUMNS:
            raise refuse("too-many-columns", f"more than {MAX_COLUMNS} members", row=row)
        self._rows.append(row)
        self._waiting.append(cells)
        if len(self._waiting) == _CHUNK:
            self._flush()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._chunks.append(
            [pa.array([cells.get(n, "") for cells in waiting], pa.string()) for n in self._names]
        )

    def finished(self) -> RawTable:
        self._flush()
        lengths = [len(chunk[0]) if chunk else 0 for chunk in self._chunks]
        columns = []
        for at in range(len(self._names)):
            # A member that turned up late is empty in the rows before.
            parts = [
                chunk[at] if at < len(chunk) else pa.array([""] * length, pa.string())
                for chunk, length in zip(self._chunks, lengths, strict=True)
            ]
            columns.append(pa.concat_arrays(parts))
        return clean_table(list(self._names), columns, np.array(self._rows), self._rejected)


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair") from None
    return value


def _shown(name: str) -> str:
    return name[:40].encode("utf-8", "replace").decode()


def _cell(member: Any) -> str:
    if isinstance(member, str):
        return _text(member)
    if member is None:
        return ""
    if isinstance(member, bool):
        return "true" if member else "false"
    if isinstance(member, list) and all(type(item) is str for item in member):
        return _text(";".join(member))
    raise ValueError("an object or a list where a plain value belongs")


def clean_table(
    names: list[str], columns: list[pa.Array], rows: np.ndarray, rejected: list[RowProblem]
) -> RawTable:
    """The table of stripped cells, without the rows that hold control characters."""
    columns = [stripped(column) for column in columns]
    bad = np.zeros(len(rows), dtype=bool)
    for name, column in zip(names, columns, strict=True):
        found = np.asarray(pc.match_substring_regex(column, _CONTROL)) & ~bad
        for i in np.flatnonzero(found).tolist():
            message = "a cell holds a line break or another control character"
            rejected.append(RowProblem(int(rows[i]), name[:40], "nul-byte", None, message))
        bad |= found
    if bad.any():
        keep = pa.array(~bad)
        columns, rows = [column.filter(keep) for column in columns], rows[~bad]
    return RawTable(names, 0, columns, rows.astype(np.int64), ",", rejected)
