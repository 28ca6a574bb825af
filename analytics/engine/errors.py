"""What the engine raises in place of returning NaN."""

from __future__ import annotations

from typing import ClassVar

from analytics.engine.types import Failure, FailureReason


class EngineError(Exception):
    """No number can be given; `reason` is a stable slug and `context` holds the figures."""

    reason: ClassVar[FailureReason]

    def __init__(self, message: str, **context: float | int | str) -> None:
        super().__init__(message)
        self.message = message
        self.context = context

    @property
    def failure(self) -> Failure:
        """Return the same facts as a record, for a batch that goes on without this member."""
        return Failure(self.reason, self.message, self.context)


class InvalidInputError(EngineError, ValueError):
    """The argument is not what the signature asks for."""

    reason = FailureReason.INVALID_INPUT


class InsufficientDataError(EngineError):
    """Too few observations."""

    reason = FailureReason.INSUFFICIENT_DATA


class DegenerateInputError(EngineError):
    """The formula divides by nothing: a constant series, a wiped-out fund, collinear factors."""

    reason = FailureReason.DEGENERATE


class NonFiniteResultError(EngineError):
    """Finite inputs overflowed."""

    reason = FailureReason.NON_FINITE


ERROR_BY_REASON: dict[FailureReason, type[EngineError]] = {
    error.reason: error
    for error in (
        InvalidInputError,
        InsufficientDataError,
        DegenerateInputError,
        NonFiniteResultError,
    )
}


def error_from(failure: Failure) -> EngineError:
    """Return the error that a failure record stands for."""
    return ERROR_BY_REASON[failure.reason](failure.message, **failure.context)


def raise_failure(failure: Failure | None) -> None:
    """Raise what a failure record stands for, if there is one."""
    if failure is not None:
        raise error_from(failure)
