"""Errors of the domain. The HTTP edge maps them to problem documents; nothing here knows HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class DomainError(Exception):
    """An expected refusal.

    `code` is a stable slug for clients, `message` says what to do about it, `context` becomes
    extra members of the answer and `errors` one entry per culprit (pointer, code, message, value,
    suggestion).
    """

    code = "domain-error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        context: Mapping[str, Any] | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.context = dict(context or {})
        self.errors = [dict(error) for error in errors]


class NotFound(DomainError):
    """The object does not exist, or belongs to someone else: one answer for both."""

    code = "not-found"


class Refused(DomainError):
    """The caller may not do this."""

    code = "refused"


class Conflict(DomainError):
    """The state of the object does not allow it now."""

    code = "conflict"


class InvalidRequest(DomainError):
    """The request is well-formed and makes no sense: the caller has to change it."""

    code = "invalid-request"


class QuotaExceeded(DomainError):
    """The caller has asked too often, or has too much under way, for now."""

    code = "quota-exceeded"

    def __init__(self, message: str, *, policy: str, retry_after: int) -> None:
        super().__init__(message, context={"violated-policies": [policy]})
        self.retry_after = retry_after


class MarketDataMissing(DomainError):
    """A price, rate or term needed for a number is not on file."""

    code = "market-data-missing"
