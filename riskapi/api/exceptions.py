"""From exceptions to problem documents: the one place that knows HTTP statuses."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import psycopg
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest
from rest_framework import exceptions
from rest_framework.response import Response

from portfolios import errors
from portfolios.api.limits import BODY_TOO_LARGE
from riskapi.api.authentication import HOW_TO_SEND
from riskapi.api.problems import CONTENT_TYPE, RETRY_AFTER, problem_document, problem_type
from riskapi.api.renderers import JsonRenderer

logger = logging.getLogger(__name__)

_DOMAIN_STATUS: tuple[tuple[type[errors.DomainError], int], ...] = (
    (errors.NotFound, 404),
    (errors.Refused, 403),
    (errors.Conflict, 409),
    (errors.QuotaExceeded, 429),
    (errors.DomainError, 422),
)
_PROTOCOL_CODES: tuple[tuple[type[exceptions.APIException], str], ...] = (
    (exceptions.NotAuthenticated, "authentication-required"),
    (exceptions.NotFound, "not-found"),
    (exceptions.MethodNotAllowed, "method-not-allowed"),
    (exceptions.NotAcceptable, "not-acceptable"),
    (exceptions.UnsupportedMediaType, "unsupported-media-type"),
    (exceptions.ParseError, "malformed-request"),
    (exceptions.PermissionDenied, "refused"),
)
_NO_CULPRIT = dict.fromkeys(("pointer", "code", "message"), "") | dict.fromkeys(
    ("value", "suggestion")
)
STATUS_CODES = {
    400: "malformed-request",
    403: "refused",
    404: "not-found",
    405: "method-not-allowed",
    413: "payload-too-large",
    503: "service-degraded",
}


def problem_handler(error: Exception, context: Mapping[str, Any]) -> Response:
    """Django REST framework's exception handler: every exception becomes a problem document."""
    request = context["request"]
    # A problem is JSON, whatever the view renders.
    request.accepted_renderer = JsonRenderer()
    request.accepted_media_type = JsonRenderer.media_type
    status, code, detail = 500, "internal-error", ""
    extra: dict[str, Any] = {}
    if isinstance(error, errors.DomainError):
        status = next(s for kind, s in _DOMAIN_STATUS if isinstance(error, kind))
        code, detail = error.code, error.message
        extra = {
            "errors": [
                {**_NO_CULPRIT, "code": code, "message": detail, **entry} for entry in error.errors
            ],
            "context": error.context,
        }
    elif isinstance(error, exceptions.ValidationError):
        found = list(_field_errors(error.detail, ""))
        for entry in found:
            if entry["value"] is None:
                entry["value"] = _sent(request, entry["pointer"])
        codes = {entry["code"] for entry in found}
        code = "unknown-field" if codes == {"unknown-field"} else "validation-error"
        detail = f"{len(found)} problem{'s' * (len(found) > 1)} with the fields sent."
        extra = {"errors": found}
    elif isinstance(error, exceptions.APIException):
        status, detail = error.status_code, _text(error)
        if isinstance(error, exceptions.NotAuthenticated):
            detail = HOW_TO_SEND
        code = str(error.get_codes())
        if code == error.default_code:
            code = next((c for kind, c in _PROTOCOL_CODES if type(error) is kind), code)
        extra = {"context": getattr(error, "context", None)}
    else:
        code, detail = _of_framework(error, request)
    headers: dict[str, str] = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if retry_after := getattr(error, "retry_after", None):
        headers["Retry-After"] = str(retry_after)
    if isinstance(error, exceptions.MethodNotAllowed):
        headers["Allow"] = ", ".join(context["view"].allowed_methods)
    return _response(request, code, status, detail, headers, **extra)


def _of_framework(error: Exception, request: Any) -> tuple[str, str]:
    """Code and detail of what Django and the database raise; the rest is ours and logged."""
    if isinstance(error, Http404):
        return "not-found", "There is nothing here."
    if isinstance(error, PermissionDenied):
        return "refused", "Not allowed."
    if isinstance(error, RequestDataTooBig):
        return "payload-too-large", BODY_TOO_LARGE
    if isinstance(error, SuspiciousOperation):
        return "malformed-request", "The request could not be understood."
    if isinstance(error.__cause__, psycopg.errors.QueryCanceled):
        logger.warning("statement timeout in %s %s", request.method, request.path)
        return "statement-timeout", "The database took too long."
    if isinstance(error, (OperationalError, InterfaceError, psycopg.OperationalError)):
        logger.error("database away in %s %s: %s", request.method, request.path, error)
        return "service-degraded", "The database cannot be reached."
    if isinstance(error.__cause__, psycopg.errors.CheckViolation):
        logger.warning("value against a rule in %s %s: %s", request.method, request.path, error)
        return "value-out-of-range", "A value breaks a rule of what can be stored."
    if isinstance(error, IntegrityError):
        logger.warning("lost race in %s %s: %s", request.method, request.path, error)
        return "conflict", "Another request changed the same object at the same time."
    if isinstance(error, DataError):
        logger.warning("unstorable value in %s %s: %s", request.method, request.path, error)
        return "value-out-of-range", "A value is larger than can be stored."
    if isinstance(error, DatabaseError) and isinstance(error.__cause__, psycopg.Error):
        logger.error("database error %s", error.__cause__.sqlstate)
    logger.error(
        "unhandled exception in %s %s (%s)",
        request.method,
        request.path,
        getattr(request, "request_id", ""),
        exc_info=error,
    )
    return "internal-error", "Something went wrong on our side; it has been logged."


def problem_parts(request: HttpRequest, code: str, status: int, detail: str) -> dict[str, Any]:
    """The document for answers made outside of Django REST framework."""
    return problem_document(
        problem_type(code, status),
        detail=detail,
        instance=request.path,
        request_id=getattr(request, "request_id", ""),
    )


def _response(
    request: Any,
    code: str,
    status: int,
    detail: str,
    headers: dict[str, str],
    *,
    errors: Sequence[Mapping[str, Any]] = (),
    context: Mapping[str, Any] | None = None,
) -> Response:
    kind = problem_type(code, status)
    instance = request.path
    if code == "not-found" and request.resolver_match is not None:
        # The address as the schema has it, without the id: a foreign object's refusal equals a
        # missing one's byte for byte.
        instance = "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", request.resolver_match.route)
    document = problem_document(
        kind,
        detail=detail,
        instance=instance,
        request_id=getattr(request, "request_id", ""),
        errors=errors,
        context=context,
    )
    if code in RETRY_AFTER:
        headers["Retry-After"] = RETRY_AFTER[code]
    if kind.status == 412 and context and "current_etag" in context:
        headers["ETag"] = context["current_etag"]
    return Response(document, status=kind.status, headers=headers, content_type=CONTENT_TYPE)


def _text(error: exceptions.APIException) -> str:
    return str(error.detail) if isinstance(error.detail, str) else "The request is not valid."


def _field_errors(detail: Any, pointer: str) -> Any:
    """Flatten the tree of field messages into entries with JSON pointers."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            step = "" if name == "non_field_errors" else "/" + _escaped(str(name))
            yield from _field_errors(inner, pointer + step)
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            if isinstance(inner, Mapping):
                yield from _field_errors(inner, f"{pointer}/{index}")
            else:
                yield from _field_errors(inner, pointer)
    else:
        code = getattr(detail, "code", "invalid")
        yield {
            "pointer": pointer,
            "code": str(code).replace("_", "-"),
            "message": str(detail),
            "value": getattr(code, "value", None),
            "suggestion": getattr(code, "suggestion", None),
        }


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


def _sent(request: Any, pointer: str) -> str | None:
    """What the body says at a pointer, as text cut to a line; None for objects and lists."""
    value = getattr(request, "_full_data", None)
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)[:100] if isinstance(value, (str, int, float, Decimal)) else None
