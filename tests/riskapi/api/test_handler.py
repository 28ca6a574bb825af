"""Content types as the server hands them over: none chooses how an address is read, or fails."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import RequestFactory
from django.urls import Resolver404, ResolverMatch

from riskapi.api.handler import Handler
from tests.callers import Caller


@contextmanager
def kept_connection() -> Iterator[None]:
    """The connection of the test's transaction outlives the request."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


def send(
    caller: Caller, method: str, path: str, query: str, content_type: str, *, sent: bytes = b""
) -> tuple[int, Any]:
    """Through the whole entry point, as the server calls it."""
    told: list[str] = []

    def start(status: str, _headers: Any, _error: Any = None, /) -> Any:
        told.append(status)

    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(sent)),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_AUTHORIZATION": f"Bearer {caller.text}",
        "wsgi.input": io.BytesIO(sent),
        "wsgi.url_scheme": "http",
    }
    with kept_connection():
        answer = Handler()(environ, start)
        body = json.loads(b"".join(answer))
        answer.close()
    return int(told[0].split()[0]), body


@pytest.mark.parametrize(
    "charset", ["utf-7", "hex", "undefined", "idna", "punycode", "unicode_escape", "utf-16", "?"]
)
@pytest.mark.parametrize("name", ["%2B2AA-", "%2BAAA-", "%5Cud800", "%5Cx00"])
def test_a_charset_does_not_change_how_the_query_is_read(
    caller: Caller, charset: str, name: str
) -> None:
    created = caller.post("/v1/portfolios", {"name": "+2AA-"}).body
    content_type = f"text/plain; charset={charset}"
    status, body = send(caller, "GET", "/v1/portfolios", f"name={name}", content_type)
    assert status == 200
    assert [row["id"] for row in body["data"]] == ([created["id"]] if name == "%2B2AA-" else [])


@pytest.mark.parametrize("path", ["/v1/portfolios", "/v1/imports", "/oauth/token", "/v1/nothing"])
@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data; boundary*=bogus''X", "text/plain; charset*=undefined''%41"],
)
def test_content_types_that_cannot_be_read_are_refused(
    caller: Caller, path: str, content_type: str
) -> None:
    status, body = send(caller, "POST", path, "", content_type)
    assert (status, body["code"]) == (400, "bad-header")


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "hex", "UTF-8"])
def test_forms_are_utf_8_whatever_they_claim(caller: Caller, charset: str) -> None:
    content_type = f"application/x-www-form-urlencoded; charset={charset}"
    form = b"grant_type=client_credentials"
    status, body = send(caller, "POST", "/oauth/token", "", content_type, sent=form)
    assert (status, body["error"]) == (401, "invalid_client")


def test_address_is_looked_up_once_and_leads_where_it_did() -> None:
    def led(path: str) -> ResolverMatch:
        return Handler().resolve_request(RequestFactory().get(path))

    one, again, other = led("/v1/runs/run_1"), led("/v1/runs/run_1"), led("/v1/runs/run_2")
    assert again is one
    assert (one.kwargs, other.kwargs) == ({"run_id": "run_1"}, {"run_id": "run_2"})
    long = "/v1/runs/" + "x" * 1_000
    assert led(long) is not led(long)
    assert led(long).func is one.func
    for _ in range(2):
        with pytest.raises(Resolver404):
            led("/v1/nowhere")
