"""How much one request may hold."""

from __future__ import annotations

from typing import Final

MAX_JSON_NODES: Final = 10_000
MAX_JSON_DEPTH: Final = 32
#: Of a number: digits written, and the power of ten of its first digit.
MAX_DIGITS: Final = 40
MAX_EXPONENT: Final = 30
MAX_UPLOAD_BYTES: Final = 20_000_000
#: No request holds a web thread or a lock for longer.
STATEMENT_TIMEOUT = "5s"
