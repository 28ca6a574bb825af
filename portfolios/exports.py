"""Tables as files: CSV, Parquet, an Arrow stream or a workbook, written row by row.

Pure: typed columns and rows in, bytes out. Nothing is held but the batch at hand, whatever the
length. Decimals stay exact: CSV writes their digits, Parquet and Arrow hold them as
`DECIMAL` where every value of the column fits and as text where one does not, which the column's
metadata says. A workbook holds 16 significant digits of a number and no more.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from enum import StrEnum
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

Row = Sequence[Any]
#: Rows can be asked for again: a decimal that does not fit is found when it comes.
Rows = Callable[[], Iterator[Row]]

DECIMAL = pa.decimal128(38, 18)
_BATCH = 5_000
_ONE = Decimal(1).scaleb(-18)
_EXACT = Context(prec=38, traps=[Inexact, InvalidOperation])
#: What a spreadsheet program takes for the start of a formula, full-width forms included.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_LONGEST_CELL = 32_767  # of a workbook
_FIRST_DAY = date(1900, 1, 1)  # of a workbook


class Type(StrEnum):
    """What a column holds."""

    TEXT = "text"
    DECIMAL = "decimal"
    INTEGER = "integer"
    REAL = "real"
    TRUTH = "truth"
    DATE = "date"
    INSTANT = "instant"


@dataclass(frozen=True, slots=True)
class Column:
    """A named column; a value is of its type or None."""

    name: str
    type: Type
    description: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns, how to get the rows, and what holds for all of them."""

    columns: Sequence[Column]
    rows: Rows
    facts: Mapping[str, str] = field(default_factory=dict)


class CellTooLong(ValueError):
    """A text that no cell of a workbook holds."""

    def __init__(self, column: str) -> None:
        super().__init__(f"A text of {column!r} is longer than the {_LONGEST_CELL:,} of a cell.")


class _DoesNotFit(Exception):
    """A value of this column is beyond `DECIMAL`."""

    def __init__(self, column: int) -> None:
        self.column = column


def guarded(text: str) -> str:
    """A text cell that no spreadsheet program takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def write_csv(table: Table, file: IO[bytes]) -> None:
    """RFC 4180 in UTF-8; nothing for None."""
    text = io.TextIOWrapper(file, "utf-8", newline="")
    writer = csv.writer(text)
    writer.writerow([column.name for column in table.columns])
    written = [_AS_TEXT[column.type] for column in table.columns]
    for row in table.rows():
        writer.writerow(["" if v is None else put(v) for put, v in zip(written, row, strict=True)])
    text.detach()


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


_AS_TEXT: dict[Type, Callable[[Any], str]] = {
    Type.TEXT: guarded,
    Type.DECIMAL: lambda value: format(value, "f"),
    Type.INTEGER: str,
    Type.REAL: repr,
    Type.TRUTH: lambda value: "true" if value else "false",
    Type.DATE: date.isoformat,
    Type.INSTANT: _instant,
}


def write_parquet(table: Table, file: IO[bytes]) -> None:
    """Typed columns, one row group a batch."""
    _write_arrow(table, file, lambda schema: pq.ParquetWriter(file, schema, compression="zstd"))


def write_arrow(table: Table, file: IO[bytes]) -> None:
    """The streaming format of Arrow's inter-process communication."""
    _write_arrow(table, file, lambda schema: pa.ipc.new_stream(file, schema))


_ARROW_TYPES = {
    Type.TEXT: pa.string(),
    Type.DECIMAL: DECIMAL,
    Type.INTEGER: pa.int64(),
    Type.REAL: pa.float64(),
    Type.TRUTH: pa.bool_(),
    Type.DATE: pa.date32(),
    Type.INSTANT: pa.timestamp("us", "UTC"),
}


def _write_arrow(table: Table, file: IO[bytes], open_writer: Callable[[pa.Schema], Any]) -> None:
    as_text: set[int] = set()
    while True:
        file.seek(0)
        file.truncate()
        schema = _schema(table, as_text)
        try:
            with open_writer(schema) as writer:
                for batch in _batches(table, schema, as_text):
                    writer.write_batch(batch)
        except _DoesNotFit as misfit:
            as_text.add(misfit.column)
        else:
            return


def _schema(table: Table, as_text: set[int]) -> pa.Schema:
    fields = []
    for at, column in enumerate(table.columns):
        facts = {"description": column.description} if column.description else {}
        if at in as_text:
            facts["decimal"] = "exact digits as text: a value is beyond decimal128(38, 18)"
        kind = pa.string() if at in as_text else _ARROW_TYPES[column.type]
        fields.append(pa.field(column.name, kind, metadata=facts or None))
    return pa.schema(fields, metadata=dict(table.facts) or None)


def _batches(table: Table, schema: pa.Schema, as_text: set[int]) -> Iterator[pa.RecordBatch]:
    rows = table.rows()
    while taken := list(itertools.islice(rows, _BATCH)):
        arrays = []
        for at, values in enumerate(zip(*taken, strict=True)):
            cells: Iterable[Any] = values
            if at in as_text:
                cells = [None if v is None else format(v, "f") for v in values]
            elif table.columns[at].type is Type.DECIMAL:
                cells = _fitting(values, at)
            arrays.append(pa.array(cells, schema.field(at).type))
        yield pa.record_batch(arrays, schema=schema)


def _fitting(values: Row, at: int) -> list[Decimal | None]:
    try:
        return [None if v is None else _EXACT.quantize(v, _ONE) for v in values]
    except (Inexact, InvalidOperation):
        raise _DoesNotFit(at) from None


def write_workbook(table: Table, file: IO[bytes]) -> None:
    """One sheet of typed cells, and a second one with what holds for all rows. Never a formula."""
    book = xlsxwriter.Workbook(file, {"constant_memory": True, "default_date_format": "yyyy-mm-dd"})
    bold = book.add_format({"bold": True})
    moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"})
    sheet = book.add_worksheet("data")
    sheet.freeze_panes(1, 0)
    for at, column in enumerate(table.columns):
        sheet.write_string(0, at, column.name, bold)
    for line, row in enumerate(table.rows(), start=1):
        for at, (column, value) in enumerate(zip(table.columns, row, strict=True)):
            if value is not None:
                _write_cell(sheet, (line, at), column, value, moment)
    about = book.add_worksheet("about")
    facts = [*table.facts.items(), *((c.name, c.description) for c in table.columns)]
    for line, (name, text) in enumerate((n, t) for n, t in facts if t):
        about.write_string(line, 0, name, bold)
        about.write_string(line, 1, text[:_LONGEST_CELL])
    book.close()


def _write_cell(
    sheet: Any, place: tuple[int, int], column: Column, value: Any, moment: Any
) -> None:
    if column.type is Type.TEXT:
        if len(value) > _LONGEST_CELL:
            raise CellTooLong(column.name)
        sheet.write_string(*place, value)
    elif column.type is Type.TRUTH:
        sheet.write_boolean(*place, value)
    elif column.type is Type.DATE:
        if value < _FIRST_DAY:
            sheet.write_string(*place, value.isoformat())
        else:
            sheet.write_datetime(*place, value)
    elif column.type is Type.INSTANT:
        sheet.write_datetime(*place, value.astimezone(UTC).replace(tzinfo=None), moment)
    else:
        sheet.write_number(*place, value)


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file, and how long one may get: what writes it at 100,000 rows in seconds."""

    name: str
    media_type: str
    max_rows: int
    write: Callable[[Table, IO[bytes]], None]


FORMATS = (
    Format("csv", "text/csv", 100_000, write_csv),
    Format("parquet", "application/vnd.apache.parquet", 100_000, write_parquet),
    Format("arrow", "application/vnd.apache.arrow.stream", 100_000, write_arrow),
    Format(
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        50_000,
        write_workbook,
    ),
)
