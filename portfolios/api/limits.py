"""How much one request may hold."""

from __future__ import annotations

from typing import Final

MAX_JSON_NODES: Final = 10_000
MAX_JSON_DEPTH: Final = 32
#: How many digits a number may be written with.
MAX_DIGITS: Final = 40
#: How large the power of ten may be: that written behind the `e`, and that of the first digit.
MAX_EXPONENT: Final = 30
#: A body that is no upload holds `DATA_UPLOAD_MAX_MEMORY_SIZE` (Django's setting).
BODY_TOO_LARGE: Final = "The body is larger than 1 MB."
#: A file, without what a form puts around it.
MAX_UPLOAD_BYTES: Final = 20_000_000
#: How long one statement of a request may take, in the words of PostgreSQL: so long at the most
#: does a slow one hold a thread of the web server, a connection and its locks.
STATEMENT_TIMEOUT: Final = "5s"
