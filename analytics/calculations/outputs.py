"""Where floats become JSON: each with its unit and what it rests on. The only such place."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Any

from analytics.engine.types import Estimate, Failure, FailureReason, Sample
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
    FailureReason.DEGENERATE: "zero-variance",
    FailureReason.INVALID_INPUT: "invalid-input",
    FailureReason.NON_FINITE: "not-representable",
}


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
    """The outcome for an engine's refusal."""
    context = dict(failure.context)
    renamed = {
        "required_obs": context.pop("required", None),
        "available_obs": context.pop("available", None),
    }
    given = {name: value for name, value in renamed.items() if value is not None}
    return Outcome(
        status=_STATUS_OF_REASON[failure.reason],
        problem=problem(
            _CODE_OF_REASON[failure.reason], failure.message, **context, **given, **members
        ),
    )


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
