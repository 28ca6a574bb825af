"""What our pages may load and run (Content-Security-Policy), said by whoever makes the page.

Answers to programs carry none: nothing in them is run, and it would be bytes in each.
"""

from __future__ import annotations

_EVERYWHERE = "base-uri 'none'; object-src 'none'"

#: Pages that bring their style and their drawings: nothing else runs or loads.
READING = (
    f"default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; {_EVERYWHERE};"
    " frame-ancestors 'self'"
)
#: The operations: scripts of our own files, which call the service itself.
OPERATIONS = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    f" img-src 'self' data:; connect-src 'self'; form-action 'none'; {_EVERYWHERE};"
    " frame-ancestors 'none'"
)
#: The admin: its theme evaluates the expressions in its own attributes. Scripts within a page do
#: not run, so that what a name brings in does not either.
ADMIN = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self';"
    f" {_EVERYWHERE}; frame-ancestors 'self'"
)
