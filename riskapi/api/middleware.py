"""Edge middleware: request ids, problem documents for everything, and the operator's admin."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any
from urllib.parse import unquote_to_bytes

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.deprecation import MiddlewareMixin
from django.utils.encoding import escape_uri_path

from portfolios.api.receiving import STRANGERS, Overloaded
from portfolios.correlation import Correlation, correlated
from portfolios.identifiers import public_id, uuid7
from portfolios.page_policies import ADMIN
from portfolios.tenancy import operator_scope
from riskapi.api.exceptions import STATUS_CODES, problem_parts
from riskapi.api.handler import is_media_type
from riskapi.api.problems import CONTENT_TYPE, problem_type
from riskapi.api.renderers import dumps

GetResponse = Callable[[HttpRequest], HttpResponse]

API_RELEASE = "2026-12-01"
_OUTSIDE = "/admin/"
#: Have no content, and must not be measured (RFC 9110, section 8.6).
_BODILESS = (204, 304)
#: These refuse in the form of RFC 6749, so their errors are not made problem documents.
_OAUTH = ("/oauth/token", "/oauth/revoke")
_CREDENTIAL = re.compile(
    r"(?<![0-9A-Za-z])r[kst]_(?:live|test)_|(?:^|[&?])(?:api_?key|access_token|token|client_secret)=",
    re.IGNORECASE,
)
_CLIENT_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,100}")
#: W3C Trace Context. It says that a header of another form, or with an id of zeros alone, is to be
#: treated as if it were not there.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)

logger = logging.getLogger(__name__)


class RequestIdMiddleware:
    """Give every request an id, say it in the answer, and repeat what its caller calls it.

    Requests that their callers have named are logged, one line each.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = public_id("req", uuid7())
        request.request_id = request_id  # type: ignore[attr-defined]  # ours
        theirs = request.META.get("HTTP_CLIENT_REQUEST_ID", "")
        trace = request.META.get("HTTP_TRACEPARENT", "")
        names = Correlation(
            request_id,
            theirs if _CLIENT_REQUEST_ID.fullmatch(theirs) else "",
            trace if _TRACEPARENT.fullmatch(trace) else "",
        )
        with correlated(names):
            response = self.get_response(request)
            if names.client_request_id or names.traceparent:
                path = escape_uri_path(request.path)
                logger.info("%s %s %s", request.method, path, response.status_code)
        response["Request-Id"] = request_id
        if names.client_request_id:
            response["Client-Request-Id"] = names.client_request_id
        if names.traceparent:
            response["traceparent"] = names.traceparent
        return response


class ProblemMiddleware:
    """Look at every request first, and at every answer last.

    It refuses requests that Django has no answer to, cuts a slash from the end of the address
    before the address is looked up, and makes problem documents of errors that some other part
    answered with a page of its own. The admin's pages are left as they are.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(_OUTSIDE):
            return _not_received(request) or self.get_response(request)
        response: HttpResponseBase
        if refusal := _hostile(request):
            code, detail = refusal
            response = _problem(request, code, problem_type(code, 400).status, detail)
        else:
            if len(request.path_info) > 1:
                request.path_info = request.path_info.rstrip("/")
            response = self.get_response(request)
            if response.status_code >= 400 and not _spoken_for(request, response):
                response = _from_plain(request, response)
        response["Api-Release"] = API_RELEASE
        if response.status_code in _BODILESS:
            del response["Content-Length"]
        elif not response.streaming and "Content-Length" not in response.headers:
            response["Content-Length"] = str(len(response.content))
        return response


class OperatorScopeMiddleware:
    """Run the admin's requests in a transaction that sees all clients (staff alone get there), and
    say what its pages may load."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not _is_admin(request):
            return self.get_response(request)
        with operator_scope() if request.user.is_staff else nullcontext():
            response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", ADMIN)
        return response


def _not_received(request: HttpRequest) -> HttpResponse | None:
    """Why the form of a log-in or of an operator did not arrive; None where it did."""
    if request.method != "POST":
        return None
    try:
        STRANGERS.receive(lambda: request.body)
    except UnreadablePostError:
        return HttpResponse("The form was cut off.", status=400, content_type="text/plain")
    except Overloaded as refusal:
        return HttpResponse(
            str(refusal.detail), status=refusal.status_code, content_type="text/plain"
        )
    return None


def _is_admin(request: HttpRequest) -> bool:
    """Whether the admin answers it. `path_info` is what Django looks addresses up by; `path` would
    begin with the prefix under which a server may have mounted the service."""
    return request.path_info.startswith("/admin/")


class _AdminOnly(MiddlewareMixin):
    """Skips what is not the admin: callers of the API have keys, no cookies and no sessions."""

    def __call__(self, request: HttpRequest) -> Any:
        if _is_admin(request):
            return super().__call__(request)
        return self.get_response(request)


class AdminSessionMiddleware(_AdminOnly, SessionMiddleware):
    pass


class AdminCommonMiddleware(_AdminOnly, CommonMiddleware):
    """For the API, `ProblemMiddleware` checks the host and sets `Content-Length`."""


class AdminCsrfMiddleware(_AdminOnly, CsrfViewMiddleware):
    """`process_view` is called outside of the admin too. It passes over the views of the API, which
    are all exempt; any other view there asks for a CSRF token as everywhere in Django."""


class AdminAuthenticationMiddleware(_AdminOnly, AuthenticationMiddleware):
    pass


class AdminMessageMiddleware(_AdminOnly, MessageMiddleware):
    pass


def _spoken_for(request: HttpRequest, response: HttpResponseBase) -> bool:
    kind = response.headers.get("Content-Type")
    return kind == CONTENT_TYPE or (request.path_info in _OAUTH and kind == "application/json")


def _hostile(request: HttpRequest) -> tuple[str, str] | None:
    if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
        # WSGI shows such a body as none at all: better refused than taken for empty.
        return "length-required", "Send the body with Content-Length, not in chunks."
    try:
        request.get_host()
    except DisallowedHost:
        return "unknown-host", "The Host header names no host of this service."
    if not is_media_type(request.META.get("CONTENT_TYPE", "")):
        return "bad-header", "Content-Type is a media type, for example application/json."
    query = request.META.get("QUERY_STRING", "")
    if _CREDENTIAL.search(query) or _CREDENTIAL.search(request.path):
        return "credential-in-url", (
            "A key in a URL ends up in logs: send it in the Authorization header and revoke it."
        )
    if "\x00" in request.path or "%" in request.path or "%00" in query or "\x00" in query:
        # Django leaves a percent sign only before bytes that are not UTF-8.
        return "bad-encoding", "The address holds bytes that are not text."
    try:
        unquote_to_bytes(query.encode("latin-1").replace(b"+", b" ")).decode()
    except UnicodeError:
        return "bad-encoding", "The query is not UTF-8."
    return None


def _from_plain(request: HttpRequest, response: HttpResponseBase) -> HttpResponse:
    code = STATUS_CODES.get(response.status_code)
    if code is None:
        code = "internal-error" if response.status_code >= 500 else "malformed-request"
    status = problem_type(code, response.status_code).status
    detail = f"{response.reason_phrase}."
    if code == "not-found":
        detail = "There is no such address; /v1/docs shows those there are."
    document = _problem(request, code, status, detail)
    for name in ("Allow", "Retry-After", "WWW-Authenticate"):
        if name in response.headers:
            document[name] = response.headers[name]
    return document


def _problem(request: HttpRequest, code: str, status: int, detail: str) -> HttpResponse:
    return HttpResponse(
        dumps(problem_parts(request, code, status, detail)),
        status=status,
        content_type=CONTENT_TYPE,
    )
