"""Parquet to a table of strings, in a process of its own.

The reader is a large native library, and a file made for it can have it take all memory or crash.
A child of limited memory and time reads instead (`parquet_child`); whatever becomes of it, the
worker lives and the file is refused.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa

from portfolios.feeds.decoding import RawTable, TextFile
from portfolios.feeds.records import clean_table
from portfolios.feeds.verdict import refuse

SECONDS = 30.0
CHILD = Path(__file__).with_name("parquet_child.py")
_COMMAND = ("-I", str(CHILD))
_MAGIC = b"PAR1"
_REFUSED = 3


def read_parquet(file: TextFile) -> RawTable:
    """Rows are numbered from 1."""
    _refuse_cut(file.body)
    try:
        done = subprocess.run(  # noqa: S603  # our own interpreter and file
            [sys.executable, *_COMMAND],
            input=file.body,
            capture_output=True,
            timeout=SECONDS,
            check=False,
            env={"ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired:
        raise refuse("unreadable-parquet", f"not read within {SECONDS:.0f} seconds") from None
    if done.returncode == _REFUSED:
        reason = json.loads(done.stdout)
        raise refuse(reason["code"], reason["message"], suggestion=reason["suggestion"])
    if done.returncode != 0:
        # Killed by a limit or a crash of the library: the file, not the service, is at fault.
        raise refuse(
            "unreadable-parquet",
            "the reader could not finish with this file",
            suggestion="write it anew, with small row groups",
        )
    table = pa.ipc.open_stream(pa.py_buffer(done.stdout)).read_all()
    columns = [
        column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
        for column in table.columns
    ]
    rows = np.arange(1, table.num_rows + 1)
    return clean_table(list(table.schema.names), columns, rows, [])


def _refuse_cut(body: bytes | bytearray) -> None:
    """What the last bytes give away, without a process: the file ends early or lies of itself."""
    footer = int.from_bytes(body[-8:-4], "little")
    if len(body) < 12 or not body.endswith(_MAGIC) or footer > len(body) - 12:
        raise refuse(
            "unreadable-parquet", "the file ends early or is damaged", suggestion="send it again"
        )
