"""Books valued on a day in their currency, from positions and what the market was."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np

from analytics.calculations.books import Book, Holding, expose, note_age
from analytics.calculations.facts import PositionRow
from analytics.calculations.kept_panels import Kept
from analytics.calculations.market import Market
from analytics.calculations.option_valuation import value_option
from analytics.calculations.outputs import Json, Unanswerable, warning
from analytics.engine.types import IntArray
from analytics.models import Result
from portfolios.models import Instrument

#: So many of the missing sessions are named.
_LISTED_SESSIONS = 50


def load_books(
    market: Market,
    portfolio_ids: Sequence[uuid.UUID],
    *,
    named: Iterable[uuid.UUID] = (),
    pinned: Json | None = None,
) -> dict[uuid.UUID, Book]:
    """Value portfolios on the market's date; one without positions by then is left out.

    Instruments `named` beside the positions are read in the same queries. `pinned` are the facts
    that `portfolio_input_facts` gave of one portfolio earlier: its settings were those then.
    """
    books: dict[uuid.UUID, Book] = {}
    by_set: dict[uuid.UUID, Book] = {}
    for row in market.first_read(
        "SELECT DISTINCT ON (s.portfolio_id) s.portfolio_id, p.base_currency, s.id, s.checksum,"
        " s.as_of, p.benchmark_id, p.market_benchmark_id FROM portfolios_positionset s"
        " JOIN portfolios_portfolio p ON p.id = s.portfolio_id"
        " WHERE s.portfolio_id = ANY(%s) AND s.client_id = %s AND s.as_of <= %s"
        " AND s.recorded_at <= %s AND (s.superseded_at IS NULL OR s.superseded_at > %s)"
        " ORDER BY s.portfolio_id, s.as_of DESC, s.recorded_at DESC",
        [
            list(portfolio_ids),
            market.client_id,
            market.as_of,
            market.known_at,
            market.known_at,
        ],
    ):
        book = Book(*row)
        for setting, value in (pinned or {}).get("book", {}).items():
            setattr(book, setting, value)
        books[book.portfolio_id] = by_set[book.position_set_id] = book
    positions = market.positions_of(list(by_set))
    market.load_instruments({row[1] for row in positions}, named)
    market.load_quotes({row[1] for row in positions})
    if len(books) == 1 and market.noted() is not None and not market.options:
        return {pk: _valued_once(market, book, positions) for pk, book in books.items()}
    of_set: dict[uuid.UUID, list[PositionRow]] = {pk: [] for pk in by_set}
    for row in positions:
        of_set[row[0]].append(row)
    for pk, book in by_set.items():
        _value(market, book, of_set[pk])
    return books


@dataclass(frozen=True)
class _Valued:
    """A book as it was valued, and what its valuation looked at."""

    book: Book
    noted: Any

    @property
    def size(self) -> int:
        """Positions; a refusal gathers the frames that it is raised in, and is not kept."""
        return _KEPT_POSITIONS if self.book.refusal else len(self.book.holdings)


_KEPT_POSITIONS = 20_000
_valued: Kept[_Valued] = Kept(lambda valued: valued.size, room=_KEPT_POSITIONS)


def _valued_once(market: Market, book: Book, positions: Sequence[PositionRow]) -> Book:
    """The book with its positions, valued or as it was valued before: the kinds of analysis ask
    for the same one. Not of options, whose quotes are read by the moment."""
    key = (
        market.client_id,
        market.block.version,
        market.as_of,
        book.position_set_id,
        book.currency,
    )

    def made() -> _Valued:
        _value(market, book, positions)
        return _Valued(book, market.noted())

    kept = _valued.get(key if market.block.is_current else None, made)
    market.recall(kept.noted)
    return replace(
        book, holdings=[*kept.book.holdings], warnings=[*kept.book.warnings],
        stale=[*kept.book.stale], refusal=kept.book.refusal,
    )  # fmt: skip


def _value(market: Market, book: Book, positions: Sequence[PositionRow]) -> None:
    for _, instrument_id, quantity, tags in positions:
        holding = Holding(market.instrument(instrument_id), quantity, list(tags))
        book.holdings.append(holding)
        value_holding(market, book, holding, since=book.position_date)
    _note_currencies(market, book)


def hypothetical(market: Market, book: Book, instrument: Instrument, quantity: float) -> Holding:
    """A position that the book need not hold, valued like its own; notes go to the book."""
    holding = Holding(instrument, quantity, [])
    value_holding(market, book, holding, since=market.as_of)
    return holding


def value_holding(market: Market, book: Book, holding: Holding, *, since: date) -> None:
    """Fill in value and exposures; what is missing goes to the book's lists."""
    instrument = holding.instrument
    rate = 1.0
    if instrument.currency != book.currency:
        fx = market.fx(instrument.currency, book.currency)
        rate = float(fx[market.last_row - 1]) if market.last_row else math.nan
    if math.isnan(rate):
        return  # the book's currencies are judged together, in one refusal
    if instrument.kind == Instrument.Kind.CASH:
        holding.value = holding.quantity * rate
        return
    if instrument.kind == Instrument.Kind.OPTION:
        value_option(market, book, holding, rate, since=since)
        return
    last = market.last_close(instrument.pk)
    if last is None:
        book.refusal = book.refusal or Unanswerable(
            Result.Status.ERROR,
            "missing-price",
            f"{instrument.symbol} has no price on or before {market.as_of}; load its prices.",
            instruments=[{"id": instrument.public_id, "symbol": instrument.symbol}],
        )
        return
    close, session, age = last
    note_age(book, instrument, session, age)
    factor = market.split_factor(instrument.pk, since)
    if factor != 1.0:
        book.warnings.append(
            warning(
                "split-since-positions",
                f"the quantity of {instrument.symbol}, dated {since}, is multiplied by {factor:g}"
                " for splits since",
                instrument=instrument.public_id,
            )
        )
    holding.quantity *= factor
    # The close is of its own session: a split between it and the date is not in it yet.
    shares = holding.quantity / market.split_factor(instrument.pk, session)
    notional = shares * close * rate
    funded = instrument.kind not in (Instrument.Kind.INDEX, Instrument.Kind.FUTURE)
    holding.value = notional if funded else 0.0
    holding.headline = notional
    expose(market, book, holding, instrument.pk, notional)


def _note_currencies(market: Market, book: Book) -> None:
    """Refuse the book where a rate is missing: no value is better than a wrong one.

    A pair that its inverse contradicts is used and flagged.
    """
    last = np.array([market.last_row - 1])
    for currency in sorted({holding.instrument.currency for holding in book.holdings}):
        if market.sessions_without_rate(currency, book.currency, last):
            book.refusal = missing_fx(market, book, currency, [market.as_of])
            return
        if currency != book.currency:
            book.warnings += _fx_contradiction(market, currency, book.currency)


def _fx_contradiction(market: Market, base: str, quote: str) -> list[Json]:
    against = market.fx_series(base, quote).contradictions
    if not against:
        return []
    worst = max(against, key=lambda day: abs(against[day]))
    return [
        warning(
            "fx-contradiction",
            f"{base}{quote} and the inverse of {quote}{base} differ on {len(against)} session(s),"
            f" by {against[worst]:.2%} on {worst}; {base}{quote} is used. Correct one of them.",
            pair=f"{base}{quote}",
            inverse=f"{quote}{base}",
            sessions=[day.isoformat() for day in sorted(against)[-_LISTED_SESSIONS:]],
            largest_difference=against[worst],
        )
    ]


def missing_fx(market: Market, book: Book, currency: str, sessions: Sequence[date]) -> Unanswerable:
    """The refusal of a book for want of a rate, with the share of gross value it concerns."""
    affected = [row for row in book.holdings if row.instrument.currency == currency]
    rates = market.fx(currency, book.currency)[: market.last_row]
    known = rates[~np.isnan(rates)]
    share = None
    if known.size:
        # At the latest rate there is: an order of magnitude, not a valuation.
        part = sum(abs(_local_value(market, row)) for row in affected) * float(known[-1])
        rest = sum(abs(row.value) for row in book.holdings if row not in affected)
        share = format(part / (part + rest), ".6f") if part + rest else None
    return Unanswerable(
        Result.Status.ERROR,
        "missing-fx",
        f"no rate {currency}{book.currency} is on file for {len(sessions)} session(s); net asset"
        " value would be wrong without it. Load the rate.",
        pair=f"{currency}{book.currency}",
        sessions=[day.isoformat() for day in sessions[:_LISTED_SESSIONS]],
        positions_affected=len(affected),
        nav_affected=share,
        nav=None,
    )


def _local_value(market: Market, holding: Holding) -> float:
    if holding.instrument.kind == Instrument.Kind.CASH:
        return holding.quantity
    last = market.last_close(holding.instrument.pk)
    return holding.quantity * last[0] if last else 0.0


def window_warnings(window: int, rows: IntArray) -> list[Json]:
    """What to say where the history, in rows of sessions, begins inside the window."""
    held = max(rows.size - 1, 0)
    if held >= window:
        return []
    return [
        warning(
            "incomplete-history",
            f"the window is {window} sessions and there are returns of {held}; the figures rest on"
            " these",
            n_sessions=held,
        )
    ]


def gap_warnings(market: Market, instrument_id: int, rows: IntArray) -> list[Json]:
    """What to say where the series whose sessions make the sample lacks some between."""
    missing = market.missing_sessions(rows)
    if not missing:
        return []
    return [
        warning(
            "missing-sessions",
            f"{market.instrument(instrument_id).symbol} has no price on {len(missing)} sessions"
            f" from {missing[0]} to {missing[-1]}; each gap counts as one return",
            n_sessions=len(missing),
            sessions=[day.isoformat() for day in missing[:_LISTED_SESSIONS]],
        )
    ]
