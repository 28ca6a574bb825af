"""Where floats become JSON: each with its unit and what it rests on. The only such place."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field, replace
from decimal import Context, Decimal
from typing import Any

from analytics.engine.types import (
    BoolArray,
    DateArray,
    Estimate,
    Failure,
    FailureReason,
    Sample,
)
from analytics.models import Result

Json = dict[str, Any]

_STATUS_OF_REASON = {
    FailureReason.INSUFFICIENT_DATA: Result.Status.INSUFFICIENT_DATA,
    FailureReason.DEGENERATE: Result.Status.DEGENERATE,
    FailureReason.INVALID_INPUT: Result.Status.ERROR,
    FailureReason.NON_FINITE: Result.Status.ERROR,
}
_CODE_OF_REASON = {
    FailureReason.INSUFFICIENT_DATA: "insufficient-history",
    FailureReason.DEGENERATE: "degenerate-input",
    FailureReason.INVALID_INPUT: "invalid-input",
    FailureReason.NON_FINITE: "not-representable",
}
#: What an insufficient history is told with, beside the counts.
_HISTORY = ("requested_obs", "first_session", "missing_sessions", "series")
#: So many of the missing sessions are named.
_LISTED_SESSIONS = 50


@dataclass(frozen=True)
class Outcome:
    """What a unit came to: a result, or the status and problem that stand in its place.

    `inputs` records what was read.
    """

    status: str
    result: Json | None = None
    problem: Json | None = None
    inputs: Json = field(default_factory=dict)

    @property
    def body(self) -> str:
        """Canonical JSON, the text that is stored, hashed and served."""
        answer: Json = {"status": self.status, "result": self.result}
        if self.problem is not None:
            answer["problem"] = self.problem
        return canonical(answer)


class Unanswerable(Exception):
    """A calculation's expected refusal: the outcome to store in place of numbers."""

    def __init__(self, status: str, code: str, detail: str, **members: Any) -> None:
        super().__init__(detail)
        self.outcome = Outcome(status=status, problem=problem(code, detail, **members))


#: Holds the cents of the largest float.
_WIDE = Context(prec=330)


def canonical(data: Any) -> str:
    """One text per content: members sorted, no spaces, never NaN (ValueError)."""
    return json.dumps(
        data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def content_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def problem(code: str, detail: str, **members: Any) -> Json:
    """A problem of a unit, in the shape of the API's errors."""
    return {"type": f"/v1/errors/{code}", "code": code, "detail": detail, **members}


def failed(failure: Failure, **members: Any) -> Outcome:
    """The outcome for an engine's refusal; what a code has no member for goes to `context`."""
    figures = {**failure.context, **members}
    code = _CODE_OF_REASON[failure.reason]
    if failure.reason is FailureReason.INSUFFICIENT_DATA:
        named: Json = {
            "required_obs": figures.pop("required", 0),
            "available_obs": figures.pop("available", 0),
            "first_session": None,
            "missing_sessions": [],
            **{name: figures[name] for name in _HISTORY if name in figures},
        }
    elif figures.get("std") == 0 and {"series", "n_obs"} <= figures.keys():
        named = {name: figures[name] for name in ("series", "n_obs", "std")}
        code = "zero-variance"
    else:
        named = {"context": figures}
    return Outcome(
        status=_STATUS_OF_REASON[failure.reason], problem=problem(code, failure.message, **named)
    )


def renamed(failure: Failure, regressor: str, series: str) -> Failure:
    """A failure in the client's words: the engine numbers its regressors."""
    if failure.context.get("series") != 0:
        return failure
    return replace(
        failure,
        message=failure.message.replace("regressor 0", regressor),
        context={**failure.context, "series": series},
    )


def too_short(
    detail: str, *, required: int, available: int, dates: DateArray, used: BoolArray
) -> Unanswerable:
    """The refusal of a sample with too few returns, and which of its sessions have none."""
    return Unanswerable(
        Result.Status.INSUFFICIENT_DATA,
        "insufficient-history",
        detail,
        required_obs=required,
        available_obs=available,
        **absence(dates, used),
    )


def absence(dates: DateArray, used: BoolArray) -> Json:
    """Where a sample begins, and the sessions that it lacks."""
    return {
        "first_session": str(dates[used][0]) if used.any() else None,
        "missing_sessions": [str(day) for day in dates[~used]][:_LISTED_SESSIONS],
    }


def unavailable(failure: Failure) -> Json:
    """A part of a result that has no number, and why."""
    return {
        "value": None,
        "status": str(_STATUS_OF_REASON[failure.reason]),
        "reason": failure.message,
    }


def number(value: float, unit: str = "1") -> Json:
    return {"value": finite(value), "unit": unit}


def estimate(value: Estimate, unit: str = "1") -> Json:
    return {
        "value": finite(value.value),
        "unit": unit,
        "se": finite(value.standard_error),
        "ci95": [finite(value.ci_low), finite(value.ci_high)],
    }


def finite(value: float) -> float:
    """The plain float; ValueError where it is no number: a bug, since the engine refuses first."""
    plain = float(value)
    if not math.isfinite(plain):
        raise ValueError("a number on its way out is not finite")
    return plain


def money(value: float, currency: str) -> Json:
    return {"value": amount(value), "unit": currency}


def amount(value: float) -> str:
    """Currency with two decimals, as text."""
    return _fixed(value, Decimal("0.01"))


def weight(value: float) -> str:
    """A share of net asset value with six decimals, as text."""
    return _fixed(value, Decimal("0.000001"))


def _fixed(value: float, step: Decimal) -> str:
    rounded = Decimal(repr(finite(value))).quantize(step, context=_WIDE)
    return format(abs(rounded) if rounded.is_zero() else rounded, "f")


def sample(of: Sample) -> Json:
    return {
        "n_obs": of.n_obs,
        "first": of.first_date.isoformat() if of.first_date else None,
        "last": of.last_date.isoformat() if of.last_date else None,
    }


def warning(code: str, message: str, **members: Any) -> Json:
    return {"code": code, "message": message, **members}
