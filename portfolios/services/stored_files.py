"""The bytes of an upload in the database, written and read piece by piece.

A connection keeps a buffer as large as the largest message it ever sent or received, twice that
while it grows, for as long as it lives. So no message holds a file, neither on its way in nor out.
"""

from __future__ import annotations

import io
import uuid
from typing import Any, BinaryIO, cast

import psycopg
from django.db import connection

#: A little less than a power of two, so that with its message's head it fits into a buffer of one.
PIECE = (4 << 20) - 4_096

_WRITE = "UPDATE portfolios_import SET content = %b WHERE id = %s"
_APPEND = "UPDATE portfolios_import SET content = content || %b WHERE id = %s"
_READ = "SELECT substring(content FROM %s FOR %s) FROM portfolios_import WHERE id = %s"


def keep(import_id: uuid.UUID, content: bytes) -> None:
    """Write the bytes as bytes: in the text of a statement, which Django's cursor writes them into,
    they would take eight times their size."""
    with memoryview(content) as whole, psycopg.Cursor(connection.connection) as cursor:
        for start in range(0, max(len(content), 1), PIECE):
            piece = whole[start : start + PIECE]
            cursor.execute(_APPEND if start else _WRITE, [piece, import_id])


def opened(import_id: uuid.UUID) -> BinaryIO:
    """The bytes as a file, which is read in the scope and transaction of who reads it: a read is
    a query, and gives what was asked for but for the last."""
    return cast(BinaryIO, _StoredFile(import_id))


class _StoredFile(io.RawIOBase):
    def __init__(self, import_id: uuid.UUID) -> None:
        self._import_id = import_id
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), PIECE)
        # As bytes here too: as text every byte takes two signs.
        with psycopg.Cursor(connection.connection) as cursor:
            cursor.execute(_READ, [self._given + 1, size, self._import_id], binary=True)
            row = cursor.fetchone()
        piece = (row and row[0]) or b""
        buffer[: len(piece)] = piece
        self._given += len(piece)
        return len(piece)
