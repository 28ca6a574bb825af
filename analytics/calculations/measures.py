"""What every measure is: its name, its parameters, its needs, its computation."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NoReturn, Protocol

from analytics.calculations.books import Book
from analytics.calculations.facts import Requirements
from analytics.calculations.market import Market
from analytics.calculations.outputs import Json, Outcome
from portfolios.errors import InvalidRequest
from portfolios.models import Client, Instrument, Policy, Portfolio
from portfolios.selectors.instruments import instrument_resolve

MIN_OBS = 60
MAX_WINDOW = 2520


@dataclass(frozen=True)
class Submission:
    """What a measure may look at when a request comes in."""

    client: Client
    portfolio: Portfolio | None
    as_of: date
    pointer: str
    """Where the unit stands in the request, for refusals."""

    def resolve(self, names: Mapping[str, str]) -> dict[str, Instrument]:
        """Instruments by the pointers below the unit that name them."""
        found = instrument_resolve(
            self.client,
            names.values(),
            pointers={
                name: [f"{self.pointer}/{at}" for at, other in names.items() if other == name]
                for name in names.values()
            },
        )
        return {at: found[name] for at, name in names.items()}

    def check_book_and_window(self, kind: str, window: int) -> Portfolio:
        """The portfolio asked about, for a window of sessions that can be served."""
        if self.portfolio is None:
            self.refuse("", "invalid-request", f"{kind} needs a portfolio.")
        if not MIN_OBS <= window <= MAX_WINDOW:
            self.refuse(
                "window", "bad-window", f"window is {MIN_OBS} to {MAX_WINDOW} sessions.", window
            )
        return self.portfolio

    def refuse(self, at: str, code: str, message: str, value: Any = None, **more: Any) -> NoReturn:
        """Raise for one member of the unit."""
        raise InvalidRequest(
            message,
            code=code,
            context=more.pop("context", None),
            errors=[
                {
                    "pointer": f"{self.pointer}/{at}" if at else self.pointer,
                    "code": code,
                    "message": message,
                    "value": value,
                    **more,
                }
            ],
        )


@dataclass(frozen=True)
class Request:
    """One unit ready to compute: parameters as stored at submission, and the book they are for."""

    params: Json
    book: Book | None


class Measure(Protocol):
    """One kind of analysis."""

    kind: str
    method_version: str

    def normalize(self, submission: Submission, params: Mapping[str, Any]) -> Json:
        """Fill in defaults and resolve names; raises InvalidRequest. The result is stored."""

    def requirements(self, params: Json) -> Requirements:
        """What the unit needs."""

    def compute(self, market: Market, requests: Sequence[Request]) -> list[Outcome]:
        """One outcome per request, all in one pass over the panel."""


#: Parameters that a portfolio's policy gives where a request does not, by kind.
_FROM_POLICY: dict[str, dict[str, str]] = {
    "semiconductor-beta": {
        "benchmark": "benchmark",
        "window": "window",
        "on_stale": "on_stale",
        "max_price_age_sessions": "max_price_age_sessions",
    },
    "hedge-effectiveness": {
        "window": "window",
        "on_stale": "on_stale",
        "max_price_age_sessions": "max_price_age_sessions",
        "coverage_band": "coverage_band",
        "policy": "effectiveness_policy",
    },
    # Its window is a length of history for quantiles, not of a regression.
    "tail-risk": {
        "on_stale": "on_stale",
        "max_price_age_sessions": "max_price_age_sessions",
    },
    "hedge-comparison": {"underlying": "benchmark"},
}


def under_policy(measure: Measure, policy: Policy | None, given: Mapping[str, Any]) -> Json:
    """The parameters of a unit, with the policy's where it names none; raises InvalidRequest where
    the policy is pinned to another version of the method."""
    asked = {name: value for name, value in given.items() if value is not None}
    if policy is None:
        return asked
    settings = {**policy.settings, **policy.settings.get("thresholds", {})}
    pinned = settings.get("method_versions", {}).get(measure.kind)
    if pinned not in (None, measure.method_version):
        raise InvalidRequest(
            f"The portfolio's policy is pinned to {pinned}; this release computes"
            f" {measure.method_version}. Have the new version approved in its policy.",
            code="method-not-served",
            context={"pinned": pinned, "served": measure.method_version},
        )
    if policy.benchmark is not None:
        settings["benchmark"] = policy.benchmark.public_id
    taken = {
        name: settings[source]
        for name, source in _FROM_POLICY.get(measure.kind, {}).items()
        if settings.get(source) is not None
    }
    return taken | asked


def details_of(given: Mapping[str, Any]) -> list[str]:
    """The parts asked for beside the usual answer, each once."""
    return sorted(set(given["detail"]))


def uid_of(public: str) -> uuid.UUID:
    """The UUID of a public id that was stored by `normalize`."""
    return uuid.UUID(hex=public.partition("_")[2])
