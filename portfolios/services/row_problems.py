"""What is wrong with rows of a request, and the refusal of all of them for the sake of those."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from portfolios.errors import InvalidRequest

Problem = dict[str, Any]


def row_problem(
    pointer: str, code: str, message: str, value: Any = None, suggestion: list[str] | None = None
) -> Problem:
    """One entry of the `errors` of a refusal; `value` is what was sent, shown as text."""
    return {
        "pointer": pointer,
        "code": code,
        "message": message,
        "value": None if value is None else str(value),
        "suggestion": suggestion,
    }


def refuse_rows(problems: Sequence[Mapping[str, Any]]) -> None:
    """Raise InvalidRequest with every problem, if there is one; then no row is taken."""
    if not problems:
        return
    codes = {problem["code"] for problem in problems}
    raise InvalidRequest(
        f"{len(problems)} problem{'s' * (len(problems) > 1)} with the rows; none was taken.",
        code=codes.pop() if len(codes) == 1 else None,
        errors=problems,
    )
