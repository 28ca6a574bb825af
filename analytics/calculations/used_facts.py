"""Which facts a computation went by, as ranges: enough to find each row again, and small.

The rows themselves are not copied. Facts are append-only, so what was known at the run's
`known_at` can be read again at any later time; see `analytics.models.RunInput`.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from copy import copy
from datetime import date, datetime
from typing import Any

import numpy as np

from analytics.calculations.facts import Terms
from analytics.calculations.market import Market
from analytics.calculations.outputs import Json
from analytics.engine.types import BoolArray, DateArray, FloatArray, IntArray


class RecordingMarket(Market):
    """A market that notes what it is asked for."""

    def __init__(self, client_id: uuid.UUID, as_of: date, known_at: datetime) -> None:
        super().__init__(client_id, as_of, known_at)
        self._priced: dict[int, list[IntArray]] = defaultdict(list)
        self._converted: dict[tuple[str, str], list[IntArray]] = defaultdict(list)
        self._rate_days: list[DateArray] = []
        self._terms_used: set[tuple[int, date]] = set()
        self._splits_after: dict[int, date] = {}
        self._rows_of_days: dict[date, IntArray] = {}

    def noted(self) -> Any:
        return (
            {pk: [*rows] for pk, rows in self._priced.items()},
            {pair: [*rows] for pair, rows in self._converted.items()},
            [*self._rate_days],
            {*self._terms_used},
            {**self._splits_after},
            {**self._rows_of_days},
        )

    def recall(self, noted: Any) -> None:
        priced, converted, self._rate_days, self._terms_used, splits_after, rows_of_days = (
            copy(part) for part in noted
        )
        self._priced = defaultdict(list, {pk: [*rows] for pk, rows in priced.items()})
        self._converted = defaultdict(list, {pair: [*rows] for pair, rows in converted.items()})
        self._splits_after, self._rows_of_days = splits_after, rows_of_days

    def looked_at(
        self, instrument_ids: Sequence[int], rows: IntArray, currency: str | None
    ) -> None:
        for pk in instrument_ids:
            self._priced[pk].append(rows)
            local = self.instrument(pk).currency
            if currency is not None and local != currency:
                self._converted[local, currency].append(rows)

    def last_close(self, instrument_id: int) -> tuple[float, date, int] | None:
        found = super().last_close(instrument_id)
        if found is not None:
            self._priced[instrument_id].append(self._row_of(found[1]))
        return found

    def last_return(self, instrument_id: int) -> tuple[date, int]:
        found = super().last_return(instrument_id)
        series = self.series(instrument_id) or instrument_id
        self._priced[series].append(self._row_of(found[0]))
        return found

    def _row_of(self, session: date) -> IntArray:
        """One session's row; the same array each time, so that alike is seen at once."""
        if session not in self._rows_of_days:
            row = self.block.rows_until(session) - 1
            self._rows_of_days[session] = np.array([row], dtype=np.int64)
        return self._rows_of_days[session]

    def fx(self, base: str, quote: str) -> FloatArray:
        rates = super().fx(base, quote)
        if base != quote and self.last_row:
            # Values are converted at the last session; a panel notes the others.
            self._converted[base, quote].append(np.array([self.last_row - 1], dtype=np.int64))
        return rates

    def short_rate_on(self, days: np.typing.NDArray[np.datetime64]) -> FloatArray | None:
        rates = super().short_rate_on(days)
        if rates is not None:
            known = self._rates[0].astype("datetime64[D]")
            at = np.searchsorted(known, days.astype("datetime64[D]"), "right") - 1
            self._rate_days.append(known[np.unique(at)])
        return rates

    def terms_on(self, instrument_id: int, day: date) -> Terms | None:
        terms = super().terms_on(instrument_id, day)
        if terms is not None:
            self._terms_used.add((instrument_id, terms.valid_from))
        return terms

    def terms_of_days(self, instrument_id: int, days: Sequence[date]) -> list[Terms | None]:
        in_force = super().terms_of_days(instrument_id, days)
        self._terms_used |= {(instrument_id, term.valid_from) for term in in_force if term}
        return in_force

    def split_factor(self, instrument_id: int, after: date) -> float:
        first = min(after, self._splits_after.get(instrument_id, after))
        self._splits_after[instrument_id] = first
        return super().split_factor(instrument_id, after)

    def used(self) -> Json:
        """What was looked at; `analytics_runinput` reads it."""
        return {
            "prices": self._price_spans(),
            "fx": [
                {"base": base, "quote": quote, "spans": self._spans(rows, None)}
                for (base, quote), rows in sorted(self._converted.items())
            ],
            "rates": _day_spans(self._rates[0].astype("datetime64[D]"), self._rate_days),
            "terms": [
                {"instrument": pk, "valid_from": day.isoformat()}
                for pk, day in sorted(self._terms_used)
            ],
            "splits": [
                {"instrument": pk, "after": day.isoformat()}
                for pk, day in sorted(self._splits_after.items())
            ],
            "quotes": sorted(self.quotes),
            "chains": sorted(self.chains),
        }

    def _price_spans(self) -> list[Json]:
        """Spans of sessions, each with the instruments whose prices of all of them were used."""
        spans_of: dict[tuple[frozenset[int], int], list[list[str]]] = {}
        alike: dict[tuple[tuple[str, str], ...], list[int]] = defaultdict(list)
        for pk in sorted(self._priced):
            column = self.block.column(pk)
            if column is None:
                continue
            # Most of a book is asked for the same rows and has prices on the same sessions.
            key = (frozenset(map(id, self._priced[pk])), self.block.histories[column])
            if key not in spans_of:
                spans_of[key] = self._spans(self._priced[pk], self.block.present[:, column])
            alike[tuple((first, last) for first, last in spans_of[key])].append(pk)
        return [
            {"instruments": pks, "spans": [list(span) for span in spans]}
            for spans, pks in alike.items()
        ]

    def _spans(self, rows: Iterable[IntArray], there: BoolArray | None) -> list[list[str]]:
        """Stretches of the rows, over the sessions that are there."""
        used = np.zeros(self.block.sessions.size, dtype=np.bool_)
        for part in rows:
            used[part] = True
        if there is None:
            return _runs_of(self.block.sessions, used)
        return _runs_of(self.block.sessions[there], used[there])


def _day_spans(known: DateArray, used: Iterable[DateArray]) -> list[list[str]]:
    days = list(used)
    return _runs_of(known, np.isin(known, np.concatenate(days))) if days else []


def _runs_of(days: DateArray, used: BoolArray) -> list[list[str]]:
    """First and last day of each stretch of days that were all used."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], used, [False]]).astype(np.int8)))
    return [[str(days[a]), str(days[b - 1])] for a, b in edges.reshape(-1, 2)]
