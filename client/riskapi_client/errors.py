"""What can go wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class TransportError(Exception):
    """No answer, however often it was tried. A change was made once or not at all: sending it
    again with the same idempotency key is safe."""


class ApiError(Exception):
    """A refusal. Its problem document says which field, what was expected and what to do."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.problem = problem
        self.code = str(problem.get("code", ""))
        self.request_id = str(problem.get("request_id", ""))
        super().__init__(self._text())

    @property
    def errors(self) -> list[dict[str, Any]]:
        """One entry a culprit: pointer, code, message, value, suggestion."""
        return list(self.problem.get("errors") or [])

    def _text(self) -> str:
        lines = [f"{self.status} {self.code}: {self.problem.get('detail', '')}"]
        for error in self.errors:
            near = error.get("suggestion")
            hint = f" (perhaps {', '.join(map(str, near))})" if near else ""
            lines.append(f"  {error.get('pointer', '')}: {error.get('message', '')}{hint}")
        lines.append(f"  request {self.request_id}")
        return "\n".join(lines)


class RunNotOver(Exception):
    """The run is not over yet; it goes on whatever the caller does."""


class ImportNotOver(Exception):
    """The file is not judged yet; that goes on whatever the caller does."""


class UnitFailed(Exception):
    """A unit has no figures; its problem says why."""

    def __init__(self, unit: str, status: str, problem: Mapping[str, Any]) -> None:
        self.unit = unit
        self.status = status
        self.problem = problem
        super().__init__(f"{unit}: {status}: {problem.get('detail') or problem.get('code', '')}")
