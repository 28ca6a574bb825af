"""A run: wait for it, read its figures, take it as a table."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from riskapi_client.errors import RunNotOver, UnitFailed
from riskapi_client.figures import Figure, at, figure_of, is_figure
from riskapi_client.transport import Transport

if TYPE_CHECKING:
    import pandas as pd

_OVER = frozenset(("succeeded", "partial", "failed", "canceled"))
_UNDER_WAY = frozenset(("queued", "running"))
#: The longest that the service lets one request wait.
_LONGEST_POLL = 20
#: What pandas would not see by itself: exact digits, words, whole numbers that may be missing.
_COLUMNS = {
    **dict.fromkeys(("value_decimal", "text", "reason"), "str"),
    **dict.fromkeys(("n_obs", "horizon_sessions"), "Int64"),
}


def _double(text: str) -> float:
    """Exactly the double that was written; the reader's own way may be off by its last digit."""
    return float(text) if text else float("nan")


class Run:
    """What the service knows of one requested analysis, as of the last look."""

    def __init__(self, transport: Transport, body: Mapping[str, Any]) -> None:
        self._transport = transport
        self._body = body

    @property
    def id(self) -> str:
        return str(self._body["id"])

    @property
    def status(self) -> str:
        """queued, running, succeeded, partial, failed or canceled."""
        return str(self._body["status"])

    @property
    def body(self) -> Mapping[str, Any]:
        """The whole answer."""
        return self._body

    def __repr__(self) -> str:
        return f"<Run {self.id} {self.status}>"

    def refresh(self, *, wait: int = 0) -> Run:
        """Look again; with `wait`, once something has changed or the seconds are over."""
        query = {"wait": wait, "since_version": self._body.get("version")} if wait else {}
        self._body = self._transport.send("GET", f"/v1/runs/{self.id}", query=query).json
        return self

    def wait(self, timeout: float = 300.0) -> Run:
        """Wait until it is over; `RunNotOver` after `timeout` seconds, while it goes on."""
        deadline = time.monotonic() + timeout
        while self.status not in _OVER:
            left = deadline - time.monotonic()
            if left <= 0:
                raise RunNotOver(f"{self.id} is {self.status} after {timeout:g} seconds")
            self.refresh(wait=max(1, min(_LONGEST_POLL, int(left))))
        return self

    def cancel(self) -> Run:
        self._body = self._transport.send("DELETE", f"/v1/runs/{self.id}").json
        return self

    @property
    def units(self) -> list[str]:
        return list(self._body.get("units", {}))

    def result(self, unit: str | None = None) -> Mapping[str, Any]:
        """A unit's result as JSON; the only unit's unless one is named."""
        name = unit if unit is not None else self._only()
        answer = self._body.get("units", {}).get(name)
        if answer is None:
            raise KeyError(f"there is no unit {name!r}, but {', '.join(self.units)}")
        if answer["status"] in _UNDER_WAY:
            raise RunNotOver(f"unit {name} of {self.id} has no result yet")
        if answer.get("result") is None:
            raise UnitFailed(name, str(answer["status"]), answer.get("problem") or {})
        result: Mapping[str, Any] = answer["result"]
        return result

    def figure(self, path: str, unit: str | None = None) -> Figure | None:
        """The figure at a dotted path, `beta_nav` or `horizons.0.empirical`; None where it has no
        value."""
        node = at(self.result(unit), path)
        if not is_figure(node):
            raise KeyError(f"{path} is no figure, but {type(node).__name__}: see result()")
        return figure_of(node)

    def to_pandas(self) -> pd.DataFrame:
        """All figures of all units, a row each: unit, measure, value, unit_of_measure, se,
        ci95_low, ci95_high, n_obs, first, last, status.

        What is not available is a row with a reason and no value; nothing is filled in.
        """
        import pandas as pd

        answer = self._transport.send("GET", f"/v1/runs/{self.id}", query={"format": "csv"})
        table = pd.read_csv(
            io.BytesIO(answer.content),
            dtype=_COLUMNS,
            converters=dict.fromkeys(("value", "se", "ci95_low", "ci95_high"), _double),
            parse_dates=["first", "last"],
        )
        table.attrs |= {
            "run": self.id,
            "as_of": self._body.get("as_of"),
            "method_version": self._body.get("method_version"),
        }
        return table

    def _only(self) -> str:
        if len(self.units) != 1:
            raise KeyError(f"name one of the units: {', '.join(self.units)}")
        return self.units[0]
