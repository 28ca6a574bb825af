"""A corpus of hostile requests against every operation: none is answered with a server error.

Each valid body is taken apart: every value in it is replaced by each hostile one, every member is
taken away, doubled or joined by a stranger. Parameters of lists and headers get hostile texts. An
answer of 400 and above has to be a whole problem document, 5xx is never one of them, and no status
is one that the schema does not tell of. The suite asks a part of them, the long form (see
`tests.sizes`) all.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from drf_spectacular.generators import SchemaGenerator

from tests.architecture.test_access_matrix import (
    BODIES,
    CELLS,
    PAGED,
    _address,
    _list_address,
    _undone,
)
from tests.architecture.two_clients import Side, side_create
from tests.callers import Answer
from tests.sizes import every, sized

pytestmark = pytest.mark.django_db

#: JSON texts, as they stand in a body.
VALUES = (
    "null", "true", "0", "-1", "1e30", "1e400", "-1e-400", "NaN", "Infinity", "9" * 41, "1.5",
    "0.1e1", '""', '" "', '"\\u0000"', '"a\\u0000b"', '"\\ud800"', '"\\ufeff"', '"\\u202e"',
    '"' + "x" * 5_000 + '"', '"\' OR 1=1 --"', '"$(id)"', '"{{7*7}}"',
    '"../../etc/passwd"', '"a\\r\\nb: c"', '"\\u001b[31m"', '"<script>"',
    '"=1+1"', '"2025-02-30"', '"0001-01-01"', '"9999-12-31"', '"1e5"', '"\u0661"', "[]", "{}",
    "[[]]", '[null]', '{"": null}', "[" * 40 + "]" * 40, '{"a":1,"a":2}', '{"$ne": null}',
    "[" + "0," * 300 + "0]",
)  # fmt: skip
#: Texts of query parameters, percent-encoded.
TEXTS = (
    "", "%20", "-1", "0", "1e9", "99999999999999999999", "NaN", "null", "true", "%00", "%FF",
    "%C0%AF", "%ED%A0%80", "%F0%9F%92%A9", "a,b", ",,,", ",".join("x" * 101), "x" * 3_000,
    "%27%20OR%201=1--", "0001-01-01", "9999-12-31", "2025-02-30", "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00%2B23:59", "pf_0", "pf_" + "f" * 32, "in_" + "0" * 32, "%D9%A1",
    "..%2F..", "%7B%7D", "a%0D%0Ab:c", "evt_" + "f" * 32, "a.b.c.d", "..", "%E2%80%AE", "__class__",
)  # fmt: skip
HEADERS = (
    "Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Client-Request-Id",
    "Content-Encoding", "Content-Type", "Cookie", "Forwarded", "If-Match", "If-Modified-Since",
    "If-None-Match", "Idempotency-Key", "Origin", "Prefer", "Range", "traceparent",
    "X-Forwarded-For", "X-HTTP-Method-Override",
)  # fmt: skip
HEADER_TEXTS = (
    "", " ", "*", ",", ";", '"', '"a', 'W/"', "W/", "a" * 8_000, "gzip", "wait=99999999999",
    "wait=-1", "bytes=0-", "application/json;q=nan", "*/*;q=1e999", "text/html;version=",
    "Bearer", "Bearer \x7f", "Basic Og==", "Bearer rk_live_",
    "00-" + "0" * 32 + "-" + "0" * 16 + "-00", "\xff\xfe", "\x0b",
)  # fmt: skip


@pytest.fixture
def ours() -> Side:
    return side_create("alpha", "ALPHAOWN")


def test_no_body_is_a_server_error(ours: Side, subtests: pytest.Subtests) -> None:
    total = 0
    for method, path in BODIES:
        valid = _valid(ours, method, path)
        with subtests.test(f"{method} {path}"):
            for body in every(_mutants(valid), 9):
                with _undone():
                    answer = ours.caller.send(
                        method, _address(ours, method, path), raw=body.encode("utf-8", "replace"),
                        If_Match="*",
                    )  # fmt: skip
                    _fair(method, path, answer, body)
                total += 1
    assert total >= sized(250, 2_000)


def _valid(side: Side, method: str, path: str) -> Any:
    body = BODIES.get((method, path))
    return body(side.names["instrument"], side) if body else None


def _mutants(valid: Any) -> Iterator[str]:
    """The body with one thing wrong."""
    for place in _places(valid):
        for value in VALUES:
            yield _with(valid, place, value)
    for place in _places(valid):
        holder = _at(valid, place[:-1])
        if isinstance(holder, dict):
            yield _with(
                valid, place[:-1], json.dumps({k: v for k, v in holder.items() if k != place[-1]})
            )
            yield _with(valid, place[:-1], json.dumps({**holder, "stranger": 1}))
            doubled = json.dumps(holder)[:-1] + f", {json.dumps(place[-1])}: 1}}"
            yield _with(valid, place[:-1], doubled)


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value)
    for step, inner in steps:
        yield (*place, step)
        if isinstance(inner, (dict, list)):
            yield from _places(inner, (*place, step))


def _at(value: Any, place: tuple[Any, ...]) -> Any:
    for step in place:
        value = value[step]
    return value


def _with(valid: Any, place: tuple[Any, ...], text: str) -> str:
    """The body's text with `text` at one place."""
    if not place:
        return text
    changed = json.loads(json.dumps(valid))
    _at(changed, place[:-1])[place[-1]] = "@here@"
    return json.dumps(changed).replace('"@here@"', text, 1)


def test_no_parameter_is_a_server_error(ours: Side, subtests: pytest.Subtests) -> None:
    total = 0
    for path, view in PAGED.items():
        with subtests.test(path):
            for name in view.listing.parameters():
                for text in every(TEXTS, 9):
                    address = _list_address(ours, path, f"{name}={text}")
                    _fair("GET", path, ours.caller.get(address), address)
                    total += 1
    assert total >= sized(150, 1_500)


def test_no_header_is_a_server_error(ours: Side, subtests: pytest.Subtests) -> None:
    asked = [("GET", "v1/portfolios/<str:portfolio_id>"), ("POST", "v1/portfolios")]
    for method, path in asked:
        body = _valid(ours, method, path)
        for name in HEADERS:
            with subtests.test(f"{method} {path}", header=name):
                for text in every(HEADER_TEXTS, 4):
                    with _undone():
                        named: dict[str, Any] = {name.replace("-", "_"): text}
                        answer = ours.caller.send(
                            method, _address(ours, method, path), body, **named
                        )
                        _fair(method, path, answer, f"{name}: {text}")


def test_no_bytes_are_a_server_error(ours: Side, subtests: pytest.Subtests) -> None:
    """Bodies that are no JSON at all, under every content type that may be claimed."""
    bodies = (
        b"",
        b"\x00",
        b"\xff" * 100,
        b"PK\x03\x04",
        b"\x1f\x8b\x08\x00",
        b"%PDF-",
        b"<a/>",
        b"a=1&b=2",
    )
    types = (
        "application/json",
        "text/csv",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "application/x-www-form-urlencoded",
        "application/xml",
        "application/json; charset=utf-7",
        "x",
    )
    for method, path in CELLS:
        if method not in ("POST", "PUT", "PATCH"):
            continue
        with subtests.test(f"{method} {path}"):
            for body, content_type in every(itertools.product(bodies, types), 9):
                with _undone():
                    answer = ours.caller.send(
                            method, _address(ours, method, path), raw=body,
                            content_type=content_type, If_Match="*", Idempotency_Key="k",
                        )  # fmt: skip
                    _fair(method, path, answer, f"{content_type}: {body!r}")


@functools.cache
def _told() -> dict[tuple[str, str], set[int]]:
    """The statuses that the schema tells of, by method and path."""
    document = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # of a library without types
    return {
        (method.upper(), path): set(map(int, operation["responses"]))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


def _fair(method: str, path: str, answer: Answer, sent: str) -> None:
    """No server error, no answer the schema keeps quiet about, every refusal a whole problem
    document."""
    assert answer.status < 500, (sent[:300], answer.content[:300])
    pattern = "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)
    assert answer.status in _told()[method, pattern], (answer.status, sent[:300])
    if answer.status >= 400:
        assert answer.code, sent[:300]
        assert answer.body["detail"]
    # A statement that failed would have broken the test's transaction for good.
    assert not connection.needs_rollback
