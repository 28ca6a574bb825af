"""What every measure is: its name, its parameters, its needs, its computation."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NoReturn, Protocol

from analytics.calculations.inputs import Book, Market, Requirements
from analytics.calculations.outputs import Json, Outcome
from portfolios.errors import InvalidRequest
from portfolios.models import Client, Instrument, Portfolio
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


def details_of(given: Mapping[str, Any]) -> list[str]:
    """The parts asked for beside the usual answer, each once."""
    return sorted(set(given["detail"]))


def uid_of(public: str) -> uuid.UUID:
    """The UUID of a public id that was stored by `normalize`."""
    return uuid.UUID(hex=public.partition("_")[2])
