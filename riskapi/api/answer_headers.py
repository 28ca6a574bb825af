"""Header fields of answers: what each is, and which answers have it.

Most follow from what an operation is: keyed, authenticated, a list. What a view adds by itself it
declares in `sends`, by method. `tests/architecture/test_answer_headers.py` holds real answers
against what is said here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from portfolios.api.base import KEYED_METHODS, ApiView

_TEXT, _NUMBER = {"type": "string"}, {"type": "integer", "minimum": 0}

#: Components of the OpenAPI document, by name.
HEADERS: dict[str, dict[str, Any]] = {
    name: {"description": description, "schema": schema}
    for name, description, schema in (
        ("Request-Id", "Names the request in the log and the audit.",
         {"type": "string", "pattern": "^req_[0-9a-f]{32}$"}),
        ("Client-Request-Id", "As the caller named the request.", _TEXT),
        ("traceparent", "As the caller sent it (W3C Trace Context).", _TEXT),
        ("Api-Release", "The release of the contract.", {"type": "string", "format": "date"}),
        ("Vary", "What else than the address the answer depends on.", _TEXT),
        ("RateLimit-Policy", "Every limit of the client: quota `q` in a window of `w` seconds.",
         _TEXT),
        ("RateLimit", "Of the limits the request counted against: `r` left, for `t` seconds.",
         _TEXT),
        ("Sandbox-Now", "Of a sandbox: when its clock stands still.",
         {"type": "string", "format": "date-time"}),
        ("Idempotency-Replayed", "The first answer to this Idempotency-Key, repeated.",
         {"const": "true"}),
        ("Retry-After", "Seconds after which asking again is worth while.", _NUMBER),
        ("ETag", "The version of what is answered: for If-None-Match and If-Match.", _TEXT),
        ("Location", "Where what was made is to be read.",
         {"type": "string", "format": "uri-reference"}),
        ("Link", 'The next page, as `<...>; rel="next"`.', _TEXT),
        ("Preference-Applied", "What of `Prefer` was followed.", _TEXT),
        ("Content-Disposition", "The name of a file.", _TEXT),
        ("Cache-Control", "Whether the answer may be kept.", _TEXT),
        ("Pragma", "The same for old caches.", _TEXT),
        ("Content-Security-Policy", "What a page may load.", _TEXT),
        ("WWW-Authenticate", "How to authenticate, and what was wrong.", _TEXT),
        ("Allow", "The methods there are.", _TEXT),
    )
}  # fmt: skip
_ALWAYS = ("Request-Id", "Client-Request-Id", "traceparent", "Api-Release")
_QUOTAS = ("RateLimit-Policy", "RateLimit", "Sandbox-Now")
_OF_STATUS = {
    "401": ("WWW-Authenticate",),
    "403": ("WWW-Authenticate",),
    "405": ("Allow",),
    "409": ("Retry-After",),
    "412": ("ETag",),
    "429": ("Retry-After",),
    "503": ("Retry-After",),
}


def header_names(view: Any, method: str, status: str) -> list[str]:
    """Those that this operation's answers of this status may have."""
    return list(dict.fromkeys(_names(view, method, status)))


def references(view: Any, method: str, status: str) -> dict[str, Any]:
    """The `headers` of an answer in the OpenAPI document."""
    names = header_names(view, method, status)
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _names(view: Any, method: str, status: str) -> Iterator[str]:
    yield from _ALWAYS
    yield from _OF_STATUS.get(status, ())
    if not isinstance(view, ApiView):
        return
    yield "Vary"
    sent = view.sends.get(method, ())
    if status != "401" and (view.authentication_classes or "RateLimit" in sent):
        yield from _QUOTAS
    if "Pragma" in sent:  # OAuth: whatever is answered is not to be kept
        yield from ("Cache-Control", "Pragma")
    if status == "304":
        yield from (name for name in sent if name in ("ETag", "Cache-Control"))
    if not "200" <= status < "300":
        return
    yield from sent
    if method in KEYED_METHODS and view.authentication_classes:
        yield "Idempotency-Replayed"
    if method == "GET" and getattr(view, "listing", None) is not None:
        yield "Link"
    if method == "GET" and view.exported_row() is not None:
        yield "Content-Disposition"
