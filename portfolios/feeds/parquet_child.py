"""Reads a Parquet file on standard input under limits; run by path, without the rest of us.

Answers an Arrow stream of strings and exits 0, or a JSON object {code, message, suggestion} and
exits 3. Anything else that happens is the file's doing, and the parent's to tell.
"""

import contextlib
import io
import json
import resource
import sys
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

MEGABYTE = 1 << 20
MEMORY = 192 * MEGABYTE  # beyond what the loaded library takes
SECONDS = 25
MAX_ROWS = 500_000
MAX_COLUMNS = 200
MAX_ROW_GROUPS = 5_000
MAX_UNPACKED = 200 * MEGABYTE
MAX_ROW_GROUP = 64 * MEGABYTE
MAX_RATIO, RATIO_CHECKED_FROM = 100, 4 * MEGABYTE
MAX_CELL = 1 << 16
BATCH = 8_192


class Refused(Exception):
    """The file can be read and is not taken."""

    def __init__(self, code: str, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.answer = {"code": code, "message": message, "suggestion": suggestion}


def limit() -> None:
    """No more memory, time, files or core dumps than one file is worth."""
    pages = 0
    with contextlib.suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    limits = [
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ]
    if pages:
        limits.append((resource.RLIMIT_AS, pages * resource.getpagesize() + MEMORY))
    for kind, value in limits:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (value, value))


def check_declared(metadata: Any, n_bytes: int) -> None:
    """Refuse by what the file says of itself, before anything is unpacked."""
    if metadata.num_rows > MAX_ROWS:
        raise Refused("too-many-rows", f"more than {MAX_ROWS:,} rows", "split the file")
    if metadata.num_columns > MAX_COLUMNS:
        raise Refused("too-many-columns", f"more than {MAX_COLUMNS} columns")
    if metadata.num_row_groups > MAX_ROW_GROUPS:
        raise Refused("too-many-row-groups", f"more than {MAX_ROW_GROUPS:,} row groups")
    total = 0
    for at in range(metadata.num_row_groups):
        group = metadata.row_group(at)
        size = sum(
            max(0, group.column(c).total_uncompressed_size) for c in range(group.num_columns)
        )
        if size > MAX_ROW_GROUP:
            message = f"a row group of more than {MAX_ROW_GROUP // MEGABYTE} MB unpacked"
            raise Refused("too-large", message, "write smaller row groups")
        total += size
    if total > MAX_UNPACKED:
        raise Refused("too-large", f"more than {MAX_UNPACKED // MEGABYTE} MB unpacked")
    if total > RATIO_CHECKED_FROM and total > MAX_RATIO * n_bytes:
        raise Refused("compression-bomb", f"unpacks to more than {MAX_RATIO} times its size")


def check_flat(schema: Any) -> None:
    """Plain columns, and lists of text."""
    for field in schema:
        kind = field.type
        nested = pa.types.is_nested(kind)
        if nested and not (pa.types.is_list(kind) and pa.types.is_string(kind.value_type)):
            raise Refused(
                "nested-columns",
                f"the column {field.name[:40]!r} is of type {str(kind)[:80]}",
                "write plain columns",
            )


def as_text(column: Any) -> Any:
    """The cells as text, "" for null; dates as YYYY-MM-DD."""
    kind = column.type
    if pa.types.is_list(kind):
        if column.flatten().null_count:
            raise Refused("bad-cell", "a list of text holds a null", "leave the element out")
        column = pc.binary_join(column, ";")
    elif pa.types.is_dictionary(kind):
        check_cells(column)
        column = column.dictionary_decode()
    elif pa.types.is_timestamp(kind) and kind.tz is None:
        days = pc.floor_temporal(column, unit="day")
        if pc.all(pc.equal(days, column), min_count=0).as_py():
            column = column.cast(pa.date32())
    text = column.cast(pa.string())
    text.validate(full=True)
    return pc.fill_null(text, "")


def check_cells(column: Any) -> None:
    """Refuse a dictionary whose words, written out, are more than a file may hold."""
    words = column.dictionary
    if not (pa.types.is_string(words.type) or pa.types.is_binary(words.type)):
        return
    lengths = pc.fill_null(pc.binary_length(words), 0)
    longest = pc.max(lengths).as_py() or 0
    if longest > MAX_CELL:
        raise Refused("cell-too-long", f"a cell of more than {MAX_CELL:,} bytes")
    indices = column.indices
    if longest * len(indices) > MAX_ROW_GROUP:
        written = pc.sum(lengths.cast(pa.int64()).take(indices)).as_py() or 0
        if written > MAX_ROW_GROUP:
            raise Refused("too-large", "a word of a dictionary is repeated too often")


def texts(content: bytes) -> bytes:
    """The Arrow stream."""
    source = pa.BufferReader(content)
    metadata = pq.read_metadata(source)
    check_declared(metadata, len(content))
    schema = metadata.schema.to_arrow_schema()
    check_flat(schema)
    words = [f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_binary(f.type)]
    source.seek(0)
    file = pq.ParquetFile(source, read_dictionary=words, pre_buffer=False)
    written = rows = 0
    plain = pa.schema([pa.field(field.name, pa.string()) for field in schema])
    made = io.BytesIO()
    with pa.ipc.new_stream(made, plain) as stream:
        for batch in file.iter_batches(batch_size=BATCH, use_threads=False):
            rows += batch.num_rows
            if rows > MAX_ROWS:
                raise Refused("too-many-rows", f"more than {MAX_ROWS:,} rows", "split the file")
            columns = [as_text(column) for column in batch.columns]
            for column in columns:
                if (pc.max(pc.binary_length(column)).as_py() or 0) > MAX_CELL:
                    raise Refused("cell-too-long", f"a cell of more than {MAX_CELL:,} bytes")
                written += column.nbytes
            if written > MAX_UNPACKED:
                raise Refused("too-large", f"more than {MAX_UNPACKED // MEGABYTE} MB of text")
            stream.write_batch(pa.record_batch(columns, schema=plain))
    return made.getvalue()


def main() -> NoReturn:
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    content = sys.stdin.buffer.read()
    limit()
    try:
        answer = texts(content)
    except Refused as refusal:
        refuse(refusal.answer)
    except pa.ArrowMemoryError:
        sys.exit(1)
    except (pa.ArrowException, OSError, ValueError, OverflowError, KeyError) as error:
        message = f"not a readable Parquet file: {str(error).splitlines()[0][:200]}"
        refuse({"code": "unreadable-parquet", "message": message, "suggestion": None})
    sys.stdout.buffer.write(answer)
    sys.stdout.flush()
    sys.exit(0)


def refuse(answer: dict[str, str | None]) -> NoReturn:
    sys.stdout.write(json.dumps(answer))
    sys.exit(3)


if __name__ == "__main__":
    main()
