"""From the tables to arrays: the one place where decimals become floats.

A `Market` is everything a client knew about the market at a time, read as it is asked for and then
kept; a `Book` is one portfolio's positions valued on a day, with the exposures they amount to.
"""

from __future__ import annotations

import contextlib
import math
import uuid
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import Q

from analytics.calculations.outputs import Json, Unanswerable, warning
from analytics.calculations.price_store import PriceBlock, price_block
from analytics.engine.errors import EngineError
from analytics.engine.leverage import realized_variance
from analytics.engine.options import (
    CALENDAR_DAYS_PER_YEAR,
    ParitySpot,
    implied_volatility,
    option_delta,
    option_price,
    parity_implied_spot,
)
from analytics.engine.options import (
    OptionTerms as EngineOption,
)
from analytics.engine.panel import ReturnPanel, return_panel
from analytics.engine.types import BoolArray, FloatArray, IntArray
from analytics.models import Result
from portfolios.identifiers import public_id
from portfolios.models import (
    CorporateAction,
    FxRate,
    Instrument,
    LeverageTerms,
    OptionTerms,
    RateObservation,
)
from portfolios.selectors.calendars import sessions_between
from portfolios.selectors.sharing import seen_by

_SHORT_RATES = ("DTB3", "IRX_13W")
_QUOTE_MAX_AGE = timedelta(days=7)
#: Of a chain: expiries so far ahead, strikes so near the stated spot.
_CHAIN_REACH = timedelta(days=100)
_CHAIN_MONEYNESS = 0.1
_RATE_MAX_AGE = timedelta(days=14)
_YIELD_WINDOW = timedelta(days=365)
#: A pair and its inverse may differ by a spread and by the rounding of four digits.
_FX_TOLERANCE = 0.005
_VOLATILITY_SESSIONS = 63
#: States of the facts that a process keeps, and position sets in each.
_KEPT_STATES = 16
_KEPT_POSITION_SETS = 64


@dataclass(frozen=True)
class Requirements:
    """What must be at hand before a unit is computed."""

    instruments: frozenset[uuid.UUID] = frozenset()
    short_rates_since: date | None = None
    """From when on short rates are needed; a day in the future: the last one alone."""
    chains: frozenset[uuid.UUID] = frozenset()
    """Underlyings whose quoted chains are needed."""


@dataclass(frozen=True)
class Terms:
    """What a daily-reset fund promises from a day on."""

    valid_from: date
    multiple: float
    index_id: int
    expense_ratio: float
    swap_spread: float

    def carry(self, short_rate: float) -> float:
        """Financing less expenses, per year: an inverse fund earns on what it is short."""
        borrowed = -self.multiple if self.multiple < 0 else self.multiple - 1.0
        financing = (1.0 - self.multiple) * short_rate - self.swap_spread * borrowed
        return financing - self.expense_ratio


@dataclass(frozen=True)
class Option:
    """An option's contract; `known_on` is when its terms were written down."""

    underlying_id: int
    is_call: bool
    strike: float
    expiry: date
    multiplier: float
    known_on: date

    def after_split(self, factor: float) -> Option:
        """The contract after so many new shares for an old one."""
        return replace(self, strike=self.strike / factor, multiplier=self.multiplier * factor)


@dataclass(frozen=True)
class Quote:
    """The last quote of an option up to a day."""

    day: date
    price: float | None
    implied_volatility: float | None
    underlying_price: float | None

    def after_split(self, factor: float) -> Quote:
        """Prices after so many new shares for an old one."""
        return replace(
            self,
            price=None if self.price is None else self.price / factor,
            underlying_price=None
            if self.underlying_price is None
            else self.underlying_price / factor,
        )


@dataclass(frozen=True)
class ChainQuotes:
    """The last quotes of an underlying's options up to a day, all of one moment, both sides."""

    day: date
    stated_spot: float | None
    expiry: list[date]
    strike: FloatArray
    is_call: BoolArray
    bid: FloatArray
    ask: FloatArray

    def after_split(self, factor: float) -> ChainQuotes:
        """The same contracts after so many new shares for an old one."""
        return replace(
            self,
            stated_spot=None if self.stated_spot is None else self.stated_spot / factor,
            strike=self.strike / factor, bid=self.bid / factor, ask=self.ask / factor,
        )  # fmt: skip

    def parity(self, rate: float, dividend_yield: float) -> ParitySpot:
        """The spot at which its puts and calls agree; raises an EngineError where none does."""
        return parity_implied_spot(
            [(day - self.day).days / CALENDAR_DAYS_PER_YEAR for day in self.expiry],
            self.strike, self.is_call, self.bid, self.ask,
            rate=rate, dividend_yield=dividend_yield, stated_spot=self.stated_spot,
        )  # fmt: skip


def _option(terms: OptionTerms, known_on: date) -> Option:
    return Option(
        known_on=known_on,
        underlying_id=terms.underlying_id,
        is_call=terms.right == OptionTerms.Right.CALL,
        strike=float(terms.strike),
        expiry=terms.expiry,
        multiplier=float(terms.multiplier),
    )


@dataclass(frozen=True)
class FxSeries:
    """A currency's rate on the block's sessions, NaN where not on file.

    `contradictions` are the sessions on which the pair and its inverse, both on file, say
    different things, with the share by which they differ.
    """

    rates: FloatArray
    contradictions: dict[date, float]


PositionRow = tuple[uuid.UUID, int, float, list[str]]


@dataclass
class _Facts:
    """What has been read of one state of a client's facts.

    Every change of them gives the state a new name, so what was read once holds for all units
    computed on it. The name is read before the facts: they are never older than it says.
    """

    instruments: dict[int, Instrument] = field(default_factory=dict)
    ids: dict[uuid.UUID, int] = field(default_factory=dict)
    options: dict[int, Option] = field(default_factory=dict)
    splits: dict[int, list[tuple[date, float]]] = field(default_factory=dict)
    distributions: dict[int, list[tuple[date, float]]] = field(default_factory=dict)
    """Cash per share as traded on the ex-date."""
    terms: dict[int, list[Terms]] | None = None
    fx: dict[tuple[str, str, date], FxSeries] = field(default_factory=dict)
    rates: dict[tuple[date, date], tuple[IntArray, FloatArray]] = field(default_factory=dict)
    positions: OrderedDict[uuid.UUID, list[PositionRow]] = field(default_factory=OrderedDict)


_kept: OrderedDict[tuple[uuid.UUID, str], _Facts] = OrderedDict()


def _facts_of(client_id: uuid.UUID, block: PriceBlock) -> _Facts:
    """The facts kept for the state that a block shows; new ones for a look back in time."""
    if not block.is_current:
        return _Facts()
    # By client, even where all is shared: row-level security decided what was read.
    key = (client_id, block.version)
    facts = _kept.setdefault(key, _Facts())
    _kept.move_to_end(key)
    while len(_kept) > _KEPT_STATES:
        _kept.popitem(last=False)
    return facts


class Market:
    """What a client knew at `known_at`; nothing dated after `as_of` is ever used."""

    def __init__(self, client_id: uuid.UUID, as_of: date, known_at: datetime) -> None:
        self.client_id = client_id
        self.as_of = as_of
        self.known_at = known_at
        self.sealed = False
        self._instruments: dict[int, Instrument] = {}
        self._uids: dict[uuid.UUID, Instrument] = {}
        self.quotes: dict[int, Quote] = {}
        self.options: dict[int, Option] = {}
        self.chains: dict[int, ChainQuotes] = {}
        self._parity: dict[int, ParitySpot | None] = {}
        self._rates: tuple[IntArray, FloatArray] = (np.empty(0, np.int64), np.empty(0))
        self._rates_since: date | None = None

    def prefetch(self, needs: Requirements, books: Iterable[Book]) -> None:
        """Read all that a computation may ask for, so that it can run without the database.

        Afterwards the caller seals the market: outside of a client's scope a query would find
        nothing and say so by an empty answer.
        """
        self.block, self.last_row  # noqa: B018  # read now
        known = self.instruments_by_uid(needs.instruments)
        self.load_quotes(known[uid].pk for uid in needs.instruments)
        if needs.chains:
            self.load_chains(known[uid].pk for uid in needs.chains)
            self.load_instruments(term.index_id for rows in self.terms.values() for term in rows)
        if needs.short_rates_since is not None:
            self.load_short_rates(needs.short_rates_since)
        currencies = {row.currency for row in self._instruments.values()}
        for book in books:
            for currency in currencies:
                self.fx(currency, book.currency)

    def looked_at(
        self, instrument_ids: Sequence[int], rows: IntArray, currency: str | None
    ) -> None:
        """Called with what a panel shows, also where the panel itself was kept from earlier."""

    def reads(self) -> None:
        """Called before every query."""
        if self.sealed:
            raise RuntimeError("a computation asked for facts that its requirements do not name")

    @cached_property
    def block(self) -> PriceBlock:
        self.reads()
        return price_block(self.client_id, self.known_at)

    @cached_property
    def facts(self) -> _Facts:
        return _facts_of(self.client_id, self.block)

    @cached_property
    def last_row(self) -> int:
        """One past the last row of the block that may be used."""
        return self.block.rows_until(self.as_of)

    def load_instruments(self, ids: Iterable[int], uids: Iterable[uuid.UUID] = ()) -> None:
        """Read instruments with their splits and option terms, and those they lead to.

        Those are proxies, underlyings and reference indexes.
        """
        wanted = set(ids) - self._instruments.keys()
        named = set(uids) - self._uids.keys()
        while wanted or named:
            facts = self.facts
            self._read_instruments(wanted - facts.instruments.keys(), named - facts.ids.keys())
            wanted |= {facts.ids[uid] for uid in named if uid in facts.ids}
            named = set()
            found = {pk: facts.instruments[pk] for pk in wanted if pk in facts.instruments}
            self._instruments.update(found)
            self._uids.update((row.uid, row) for row in found.values())
            options = {pk: facts.options[pk] for pk in found if pk in facts.options}
            self.options.update(options)
            wanted = {row.proxy_id for row in found.values() if row.proxy_id}
            wanted |= {option.underlying_id for option in options.values()}
            wanted |= {term.index_id for pk in found for term in self.terms.get(pk, ())}
            wanted -= self._instruments.keys()
        if self.options:
            self.load_short_rates(self.as_of)

    def _read_instruments(self, ids: set[int], uids: set[uuid.UUID]) -> None:
        """Read instruments that are not kept yet, each with all that is kept of it."""
        if not ids and not uids:
            return
        self.reads()
        rows = Instrument.objects.select_related("option_terms")
        found = {row.pk: row for row in rows.filter(Q(pk__in=ids) | Q(uid__in=uids))}
        options = {
            pk: _option(row.option_terms, row.created_at.date())
            for pk, row in found.items()
            if row.kind == Instrument.Kind.OPTION
        }
        self._read_corporate_actions(found)
        self.facts.options.update(options)
        self.facts.instruments.update(found)
        self.facts.ids.update((row.uid, pk) for pk, row in found.items())

    def _read_corporate_actions(self, ids: Iterable[int]) -> None:
        """Splits and distributions; a client's own replaces the shared one of its day."""
        rows = CorporateAction.objects.filter(
            instrument__in=list(ids), recorded_at__lte=self.known_at
        ).exclude(superseded_at__lte=self.known_at)
        found: dict[tuple[str, int, date], float] = {}
        for kind, pk, day, new, old, cash in rows.order_by("client_id").values_list(
            "kind", "instrument", "ex_date", "new_shares", "old_shares", "amount"
        ):
            found.setdefault((kind, pk, day), new / old if new and old else float(cash or 0))
        splits: dict[int, list[tuple[date, float]]] = defaultdict(list)
        distributions: dict[int, list[tuple[date, float]]] = defaultdict(list)
        for (kind, pk, day), value in found.items():
            side = splits if kind == CorporateAction.Kind.SPLIT else distributions
            side[pk].append((day, value))
        self.facts.splits.update(splits)
        self.facts.distributions.update(distributions)

    def positions_of(self, sets: Sequence[uuid.UUID]) -> list[PositionRow]:
        """The rows of position sets, which never change once written."""
        kept = self.facts.positions
        absent = [pk for pk in sets if pk not in kept]
        if absent:
            self.reads()
            read: dict[uuid.UUID, list[PositionRow]] = {pk: [] for pk in absent}
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT position_set_id, instrument_id, quantity::float8, tags"
                    " FROM portfolios_position WHERE position_set_id = ANY(%s) ORDER BY id",
                    [absent],
                )
                for row in cursor.fetchall():
                    read[row[0]].append(row)
            kept.update(read)
        rows = [row for pk in sets for row in kept[pk]]
        while len(kept) > _KEPT_POSITION_SETS:
            kept.popitem(last=False)
        return rows

    def load_quotes(self, instrument_ids: Iterable[int]) -> None:
        """Read the last quote of each option up to the date, none older than a week."""
        ids = list(self.options.keys() & set(instrument_ids))
        if not ids:
            return
        self.reads()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT DISTINCT ON (instrument_id) instrument_id, quoted_at::date,"
                " CASE WHEN bid > 0 AND ask >= bid THEN ((bid + ask) / 2)::float8"
                " ELSE last::float8 END, implied_volatility, underlying_price::float8"
                " FROM portfolios_optionquote WHERE instrument_id = ANY(%s)"
                " AND quoted_at < %s AND quoted_at >= %s AND recorded_at <= %s"
                " AND (superseded_at IS NULL OR superseded_at > %s)"
                " ORDER BY instrument_id, quoted_at DESC, client_id NULLS LAST",
                [
                    ids,
                    self.as_of + timedelta(days=1),
                    self.as_of - _QUOTE_MAX_AGE,
                    self.known_at,
                    self.known_at,
                ],
            )
            self.quotes.update({row[0]: Quote(*row[1:]) for row in cursor.fetchall()})
        self.load_chains(self.options[pk].underlying_id for pk in ids if pk in self.quotes)

    def parity_spot(self, underlying_id: int) -> ParitySpot | None:
        """The spot that a chain on file was quoted at; None where no chain can say."""
        if underlying_id not in self._parity:
            rates = self.short_rate_on(np.array([self.as_of], dtype="datetime64[D]"))
            found = None
            if underlying_id in self.chains:
                with contextlib.suppress(EngineError):
                    found = self.chains[underlying_id].parity(
                        float(rates[0]) if rates is not None else 0.0,
                        self.dividend_yield(underlying_id),
                    )
            self._parity[underlying_id] = found
        return self._parity[underlying_id]

    def load_chains(self, underlying_ids: Iterable[int]) -> None:
        """Read the last quotes near the money of whole chains, none older than a week."""
        ids = list(set(underlying_ids) - self.chains.keys())
        if not ids:
            return
        self.reads()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT DISTINCT ON (q.instrument_id) t.underlying_id, q.quoted_at, t.expiry,"
                " t.strike::float8, t.right = %s, q.bid::float8, q.ask::float8,"
                " q.underlying_price::float8"
                " FROM portfolios_optionterms t"
                " JOIN portfolios_optionquote q ON q.instrument_id = t.instrument_id"
                " WHERE t.underlying_id = ANY(%s) AND t.expiry BETWEEN %s AND %s"
                " AND q.bid > 0 AND q.ask >= q.bid"
                " AND abs(t.strike / coalesce(q.underlying_price, t.strike) - 1) <= %s"
                " AND q.quoted_at < %s AND q.quoted_at >= %s AND q.recorded_at <= %s"
                " AND (q.superseded_at IS NULL OR q.superseded_at > %s)"
                " ORDER BY q.instrument_id, q.quoted_at DESC, q.client_id NULLS LAST",
                [
                    OptionTerms.Right.CALL,
                    ids,
                    self.as_of,
                    self.as_of + _CHAIN_REACH,
                    _CHAIN_MONEYNESS,
                    self.as_of + timedelta(days=1),
                    self.as_of - _QUOTE_MAX_AGE,
                    self.known_at,
                    self.known_at,
                ],
            )
            quotes = cursor.fetchall()
        for pk in ids:
            moment = max((row[1] for row in quotes if row[0] == pk), default=None)
            if moment is None:
                continue
            rows = [row[2:] for row in quotes if row[:2] == (pk, moment)]
            expiry, strike, is_call, bid, ask, stated = zip(*rows, strict=True)
            chain = ChainQuotes(
                day=moment.date(), stated_spot=stated[0], expiry=list(expiry),
                strike=np.array(strike), is_call=np.array(is_call), bid=np.array(bid),
                ask=np.array(ask),
            )  # fmt: skip
            self.chains[pk] = chain.after_split(self.split_factor(pk, chain.day))

    def instrument(self, pk: int) -> Instrument:
        if pk not in self._instruments:
            self.load_instruments([pk])
        return self._instruments[pk]

    def instruments_by_uid(self, uids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Instrument]:
        self.load_instruments([], uids)
        return self._uids

    @cached_property
    def terms(self) -> dict[int, list[Terms]]:
        """Leverage terms of every fund, oldest first; a client's own replace the shared ones."""
        if self.facts.terms is None:
            self.facts.terms = self._read_terms()
        return self.facts.terms

    def _read_terms(self) -> dict[int, list[Terms]]:
        self.reads()
        rows: dict[tuple[int, date], Terms] = {}
        known = LeverageTerms.objects.filter(
            seen_by(self.client_id), recorded_at__lte=self.known_at
        )
        for instrument, day, multiple, index, expense, spread in known.order_by(
            "client_id"
        ).values_list(
            "instrument",
            "valid_from",
            "multiple",
            "reference_index",
            "expense_ratio",
            "swap_spread",
        ):
            terms_of_day = Terms(day, float(multiple), index, float(expense), float(spread))
            rows.setdefault((instrument, day), terms_of_day)
        terms: dict[int, list[Terms]] = defaultdict(list)
        for (instrument_id, _), term in sorted(rows.items(), key=lambda item: item[0]):
            terms[instrument_id].append(term)
        return dict(terms)

    def terms_on(self, instrument_id: int, day: date) -> Terms | None:
        """The terms in force on a day, or None where none had begun."""
        begun = [term for term in self.terms.get(instrument_id, []) if term.valid_from <= day]
        return begun[-1] if begun else None

    def terms_of_days(self, instrument_id: int, days: Sequence[date]) -> list[Terms | None]:
        """The terms in force on each of some ascending days."""
        terms = self.terms.get(instrument_id, [])
        in_force: list[Terms | None] = []
        begun = 0
        for day in days:
            while begun < len(terms) and terms[begun].valid_from <= day:
                begun += 1
            in_force.append(terms[begun - 1] if begun else None)
        return in_force

    def series(self, instrument_id: int) -> int | None:
        """The instrument whose prices tell its returns: itself, else its proxy, else None."""
        if self.block.column(instrument_id) is not None:
            return instrument_id
        proxy = self.instrument(instrument_id).proxy_id
        return proxy if proxy is not None and self.block.column(proxy) is not None else None

    def last_close(self, instrument_id: int) -> tuple[float, date, int] | None:
        """Last close up to the date, its session and its age in sessions; None: never priced."""
        column = self.block.column(instrument_id)
        if column is None:
            return None
        rows, recent = self._last_closes
        row, close = rows[column], recent[column]
        if row < 0:
            priced = np.flatnonzero(~np.isnan(self.block.closes[: self.last_row, column]))
            if not priced.size:
                return None
            row = int(priced[-1])
            close = float(self.block.closes[row, column])
        return close, self.block.sessions[row].item(), self.age(row)

    @cached_property
    def _last_closes(self) -> tuple[list[int], list[float]]:
        """Of each column the row of its last close and the close; -1 where it is long ago."""
        first = max(self.last_row - _SEARCHED_ROWS, 0)
        recent = self.block.closes[first : self.last_row]
        if not recent.size:
            return [-1] * recent.shape[1], [math.nan] * recent.shape[1]
        priced = ~np.isnan(recent)
        at = recent.shape[0] - 1 - np.argmax(priced[::-1], axis=0)
        rows = np.where(priced.any(axis=0), first + at, -1)
        closes: list[float] = recent[at, np.arange(recent.shape[1])].tolist()
        return rows.tolist(), closes

    def last_return(self, instrument_id: int) -> tuple[date, int]:
        """Last session up to the date of the series an instrument moves with, and its age.

        A series without any by then is as old as what is on file.
        """
        column = self.block.column(self.series(instrument_id) or instrument_id)
        priced = np.flatnonzero(~np.isnan(self.block.levels[: self.last_row, column]))
        row = int(priced[-1]) if priced.size else 0
        return self.block.sessions[row].item(), self.age(row)

    def age(self, row: int) -> int:
        """Sessions from a row's to the date asked for."""
        return self.last_row - 1 - row + self._sessions_ahead

    @cached_property
    def _sessions_ahead(self) -> int:
        """Sessions after the newest on file and up to the date asked for."""
        newest: date = self.block.sessions[self.last_row - 1].item()
        if newest >= self.as_of:
            return 0
        return len(sessions_between("XNYS", newest + timedelta(days=1), self.as_of))

    def split_factor(self, instrument_id: int, after: date) -> float:
        """New shares per share held, over the splits after a day and up to the date."""
        factor = 1.0
        for day, ratio in self.facts.splits.get(instrument_id, ()):
            if after < day <= self.as_of:
                factor *= ratio
        return factor

    def dividend_yield(self, instrument_id: int) -> float:
        """Continuous yield of the distributions of the twelve months up to the last close.

        What lies ahead is not on file: the next year is taken to distribute what the last one did.
        """
        last = self.last_close(instrument_id)
        if last is None:
            return 0.0
        close, session, _ = last
        today = close / self.split_factor(instrument_id, session)
        since = session - _YIELD_WINDOW
        paid = sum(
            cash / self.split_factor(instrument_id, day - timedelta(days=1))
            for day, cash in self.facts.distributions.get(instrument_id, ())
            if since < day <= session
        )
        return math.log1p(paid / today)

    def load_short_rates(self, since: date) -> None:
        """Read the short rate from a day on, with the last one before it."""
        since = min(since, self.as_of) - _RATE_MAX_AGE
        if self._rates_since is not None and self._rates_since <= since:
            return
        kept = self.facts.rates
        if (since, self.as_of) not in kept:
            kept[since, self.as_of] = self._read_short_rates(since)
        self._rates_since = since
        self._rates = kept[since, self.as_of]

    def _read_short_rates(self, since: date) -> tuple[IntArray, FloatArray]:
        self.reads()
        rows: dict[date, float] = {}
        known = RateObservation.objects.filter(
            series__in=_SHORT_RATES,
            session__range=(since, self.as_of),
            recorded_at__lte=self.known_at,
        ).exclude(superseded_at__lte=self.known_at)
        # DTB3 comes first in the order and is kept.
        for day, value in known.order_by("series", "client_id").values_list("session", "value"):
            rows.setdefault(day, float(value))
        days = np.array(sorted(rows), dtype="datetime64[D]")
        return (
            days.astype(np.int64),
            np.array([rows[day.item()] for day in days], dtype=np.float64),
        )

    def short_rate_on(self, days: np.typing.NDArray[np.datetime64]) -> FloatArray | None:
        """The latest short rate on file on each day; None where the first comes too late."""
        known, rates = self._rates
        at = np.searchsorted(known, days.astype("datetime64[D]").astype(np.int64), "right") - 1
        if not known.size or (at < 0).any():
            return None
        values: FloatArray = rates[at]
        return values

    def fx(self, base: str, quote: str) -> FloatArray:
        """Units of `quote` per unit of `base` on the block's sessions, NaN where not on file."""
        if base == quote:
            return np.ones(self.block.sessions.size)
        return self.fx_series(base, quote).rates

    def fx_series(self, base: str, quote: str) -> FxSeries:
        """Rates of a pair of two currencies; the inverse stands in where the pair is not on file.

        A client's own rate, either way round, goes before a shared one.
        """
        kept, key = self.facts.fx, (base, quote, self.as_of)
        if key not in kept:
            kept[key] = self._read_fx(base, quote)
        return kept[key]

    def _read_fx(self, base: str, quote: str) -> FxSeries:
        self.reads()
        rows = FxRate.objects.filter(
            Q(base=base, quote=quote) | Q(base=quote, quote=base),
            seen_by(self.client_id),
            recorded_at__lte=self.known_at,
            session__lte=self.as_of,
        ).exclude(superseded_at__lte=self.known_at)
        said: dict[tuple[date, bool], dict[bool, float]] = defaultdict(dict)
        for session, of_client, stated_base, rate in rows.values_list(
            "session", "client", "base", "rate"
        ):
            direct = stated_base == base
            one = float(rate)
            said[session, of_client is None][direct] = one if direct else 1.0 / one
        rates = np.full(self.block.sessions.size, np.nan)
        contradictions: dict[date, float] = {}
        # A client's own come first, and the first is kept.
        for (session, _), both in sorted(said.items()):
            at = int(np.searchsorted(self.block.sessions, np.datetime64(session, "D")))
            if at >= rates.size or self.block.sessions[at] != np.datetime64(session, "D"):
                continue
            if np.isnan(rates[at]):
                rates[at] = both.get(True, both.get(False, math.nan))
                if len(both) > 1 and abs(both[True] / both[False] - 1.0) > _FX_TOLERANCE:
                    contradictions[session] = both[True] / both[False] - 1.0
        return FxSeries(rates, contradictions)

    def rows(self, calendar_of: int, n_obs: int) -> IntArray:
        """Rows of the last `n_obs` + 1 sessions on which an instrument has a price."""
        column = self.block.column(calendar_of)
        start = max(self.last_row - _SEARCHED_ROWS - 2 * n_obs, 0)
        levels = self.block.levels[start : self.last_row, column]
        rows: IntArray = start + np.flatnonzero(~np.isnan(levels))[-(n_obs + 1) :]
        return rows

    def rows_between(self, calendar_of: int, first: date, last: date) -> IntArray:
        """Rows of the sessions from `first` to `last` on which an instrument has a price."""
        column = self.block.column(calendar_of)
        stop = min(self.block.rows_until(last), self.last_row)
        start = self.block.rows_until(first - timedelta(days=1))
        rows: IntArray = start + np.flatnonzero(~np.isnan(self.block.levels[start:stop, column]))
        return rows

    def missing_sessions(self, rows: IntArray) -> list[date]:
        """Sessions of the exchange between rows: a return across them is of several days."""
        if not rows.size:
            return []
        first, last = (self.block.sessions[row].item() for row in rows[[0, -1]])
        held = sessions_between("XNYS", first, last)
        if len(held) == rows.size:
            return []
        return sorted(set(held).difference(self.block.sessions[rows].tolist()))

    def panel(
        self, instrument_ids: Sequence[int], rows: IntArray, currency: str | None = None
    ) -> ReturnPanel:
        """Total returns over the given rows, in `currency` or each in its own.

        With the rows of one calendar, both ends of every return are the same moments for all.
        """
        levels = self.levels(instrument_ids, rows, currency)
        return return_panel(self.block.sessions[rows], [str(pk) for pk in instrument_ids], levels)

    def levels(
        self, instrument_ids: Sequence[int], rows: IntArray, currency: str | None = None
    ) -> FloatArray:
        """Total-return levels on the given rows, one column an instrument, NaN where unpriced."""
        self.looked_at(instrument_ids, rows, currency)
        columns = self.block.columns(instrument_ids)
        if rows.size and rows[-1] - rows[0] + 1 == rows.size:
            levels = self.block.levels[rows[0] : rows[-1] + 1, columns]
        else:
            levels = self.block.levels[np.ix_(rows, columns)]
        if currency is not None:
            for at, pk in enumerate(instrument_ids):
                local = self.instrument(pk).currency
                if local != currency:
                    levels[:, at] *= self.fx(local, currency)[rows]
        return levels

    def sessions_without_rate(self, base: str, quote: str, rows: IntArray) -> list[date]:
        absent = rows[np.isnan(self.fx(base, quote)[rows])]
        return [day.item() for day in self.block.sessions[absent]]


#: So many of the missing sessions are named.
_LISTED_SESSIONS = 50
#: A close is looked for in this many latest rows before the whole history is.
_SEARCHED_ROWS = 64


@dataclass
class Holding:
    """One position on the date: what it is worth and what it moves with."""

    instrument: Instrument
    quantity: float
    """In shares of the market's date once valued: splits since the positions are in it."""
    tags: list[str]
    value: float = 0.0
    """Market value in the portfolio's currency, signed."""
    exposure: float = 0.0
    """Value of what it moves with: fund times multiple, option times delta."""
    headline: float = 0.0
    """Exposure as a plain list of market values shows it; none for an option."""
    series: int | None = None
    """Instrument whose returns the exposure has; None for cash."""
    multiple: float | None = None
    delta: float | None = None
    spot: float | None = None
    """Price of the underlying that an option is valued at."""
    volatility: float | None = None
    """Of an option that has time left."""
    dividend_yield: float | None = None
    """Of its underlying, continuous, a year."""
    option: Option | None = None
    """An option's contract, splits of the underlying since it was written down in it."""
    exposure_looked_at: float = 0.0
    """Exposure in the instrument's own series, funds not looked through."""
    own_series: int | None = None

    @property
    def public_id(self) -> str:
        return self.instrument.public_id


@dataclass
class Book:
    """A portfolio on a date."""

    portfolio_id: uuid.UUID
    currency: str
    position_set_id: uuid.UUID
    position_set_checksum: str
    position_date: date
    benchmark_id: int | None
    market_benchmark_id: int | None
    holdings: list[Holding] = field(default_factory=list)
    warnings: list[Json] = field(default_factory=list)
    stale: list[Json] = field(default_factory=list)
    """Instruments whose last close is older than the date."""
    refusal: Unanswerable | None = None
    """Why there is no net asset value, where there is none."""

    @property
    def nav(self) -> float:
        return float(sum(holding.value for holding in self.holdings))

    @property
    def public_position_set(self) -> str:
        return public_id("ps", self.position_set_id)

    def check(self, *, max_price_age: int, on_stale: str) -> None:
        """Raise Unanswerable where the book cannot be valued as the request demands."""
        if self.refusal is not None:
            raise self.refusal
        old = [row for row in self.stale if row["age_sessions"] > max_price_age]
        if old and on_stale == "fail":
            raise Unanswerable(
                Result.Status.STALE,
                "stale-price",
                f"{len(old)} of {len(self.holdings)} positions have no recent price; load the "
                "missing sessions, raise max_price_age_sessions, or take on_stale: warn.",
                instruments=[{**row, "limit": max_price_age} for row in old],
            )

    def stale_warnings(self, max_price_age: int) -> list[Json]:
        return [
            warning(
                "stale-price",
                f"{row['symbol']} was last priced on {row['last_session']}",
                **row,
            )
            for row in self.stale
            if row["age_sessions"] > max_price_age
        ]


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
    market.facts  # noqa: B018  # the name of their state is read before them
    with connection.cursor() as cursor:
        cursor.execute(
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
        )
        for row in cursor.fetchall():
            book = Book(*row)
            for setting, value in (pinned or {}).get("book", {}).items():
                setattr(book, setting, value)
            books[book.portfolio_id] = by_set[book.position_set_id] = book
    positions = market.positions_of(list(by_set))
    market.load_instruments({row[1] for row in positions}, named)
    market.load_quotes({row[1] for row in positions})
    for set_id, instrument_id, quantity, tags in positions:
        book = by_set[set_id]
        holding = Holding(market.instrument(instrument_id), quantity, list(tags))
        book.holdings.append(holding)
        value_holding(market, book, holding, since=book.position_date)
    for book in books.values():
        _note_currencies(market, book)
    return books


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
        _value_option(market, book, holding, rate, since=since)
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
    _note_age(book, instrument, session, age)
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
    _expose(market, book, holding, instrument.pk, notional)


def _note_age(book: Book, instrument: Instrument, session: date, age: int) -> None:
    row = {
        "id": instrument.public_id,
        "symbol": instrument.symbol,
        "last_session": session.isoformat(),
        "age_sessions": age,
    }
    if age > 0 and row not in book.stale:
        book.stale.append(row)


def _expose(
    market: Market, book: Book, holding: Holding, instrument_id: int, notional: float
) -> None:
    """Lay a notional on the series it moves with: a fund's index, else the instrument itself."""
    holding.own_series = market.series(instrument_id)
    holding.exposure_looked_at = notional
    if instrument_id in market.terms:
        terms = market.terms_on(instrument_id, market.as_of)
        symbol = market.instrument(instrument_id).symbol
        if terms is None:
            book.refusal = book.refusal or Unanswerable(
                Result.Status.ERROR,
                "leverage-terms-gap",
                f"no multiple and index are on file for {symbol} on {market.as_of}.",
                instruments=[{"id": market.instrument(instrument_id).public_id, "symbol": symbol}],
                dates=[market.as_of.isoformat()],
            )
            return
        holding.multiple = terms.multiple
        holding.exposure = terms.multiple * notional
        holding.series = _series_or_refuse(market, book, terms.index_id)
        return
    holding.exposure = notional
    holding.series = _series_or_refuse(market, book, instrument_id)


def _series_or_refuse(market: Market, book: Book, instrument_id: int) -> int | None:
    series = market.series(instrument_id)
    if series is None:
        symbol = market.instrument(instrument_id).symbol
        book.refusal = book.refusal or Unanswerable(
            Result.Status.ERROR,
            "missing-price",
            f"{symbol} has no prices of its own and no proxy that has; load its prices.",
            instruments=[{"id": market.instrument(instrument_id).public_id, "symbol": symbol}],
        )
    elif series != instrument_id:
        note = proxy_warning(market, instrument_id, series)
        if note not in book.warnings:
            book.warnings.append(note)
    return series


def proxy_warning(market: Market, instrument_id: int, series: int) -> Json:
    wanted, used = market.instrument(instrument_id), market.instrument(series)
    return warning(
        "proxy-series",
        f"{wanted.symbol} has no prices on file; the returns of {used.symbol} stand in",
        instrument=wanted.public_id,
        proxy=used.public_id,
    )


def _contract(
    market: Market, book: Book, holding: Holding, since: date
) -> tuple[Option, Quote | None]:
    """Terms and last quote of an option in shares of the date.

    Both were written down before a split that came after the quote, or where there is no quote
    after the positions and the terms.
    """
    pk, instrument = holding.instrument.pk, holding.instrument
    option, quote = market.options[pk], market.quotes.get(pk)
    factor = market.split_factor(
        option.underlying_id, quote.day if quote else min(since, option.known_on)
    )
    if factor == 1.0:
        return option, quote
    option, quote = option.after_split(factor), quote.after_split(factor) if quote else None
    book.warnings.append(
        warning(
            "option-adjusted-for-split",
            f"the underlying of {instrument.symbol} split {factor:g} for 1 after its terms were"
            f" quoted; the strike is {option.strike:g} and a contract {option.multiplier:g} shares",
            instrument=instrument.public_id,
        )
    )
    return option, quote


def _value_option(
    market: Market, book: Book, holding: Holding, rate: float, *, since: date
) -> None:
    option, quote = _contract(market, book, holding, since)
    holding.option = option
    symbol = holding.instrument.symbol
    shares = holding.quantity * option.multiplier
    if option.expiry < market.as_of:
        book.warnings.append(
            warning("expired-option", f"{symbol} expired on {option.expiry} and counts as nothing")
        )
        return
    last = market.last_close(option.underlying_id)
    if last is None:
        book.refusal = book.refusal or Unanswerable(
            Result.Status.ERROR,
            "missing-price",
            f"the underlying of {symbol} has no price on or before {market.as_of}.",
            instruments=[{"id": holding.public_id, "symbol": symbol}],
        )
        return
    spot, session, age = last
    _note_age(book, market.instrument(option.underlying_id), session, age)
    sign = 1.0 if option.is_call else -1.0
    if option.expiry == market.as_of:
        per_share = max(sign * (spot - option.strike), 0.0)
        holding.delta = sign if per_share > 0 else 0.0
    else:
        quoted_spot = _spot_of_quotes(market, book, option)
        if quoted_spot is not None and market.chains[option.underlying_id].day == market.as_of:
            spot = quoted_spot
        holding.dividend_yield = market.dividend_yield(option.underlying_id)
        per_share, holding.delta, holding.volatility, notes = _option_price_and_delta(
            market, holding, quote, spot, quoted_spot
        )
        holding.spot = spot
        book.warnings.extend(notes)
    holding.value = shares * per_share * rate
    _expose(market, book, holding, option.underlying_id, shares * holding.delta * spot * rate)


def _spot_of_quotes(market: Market, book: Book, option: Option) -> float | None:
    """The spot implied by parity where the one stated beside the quotes does not fit them."""
    parity = market.parity_spot(option.underlying_id)
    if parity is None or parity.in_step is not False or parity.stated_spot is None:
        return None
    symbol = market.instrument(option.underlying_id).symbol
    note = warning(
        "quotes-out-of-step",
        f"the price of {symbol} stated beside its options, {parity.stated_spot:g}, does not fit"
        f" them; they are valued at {parity.spot:.4f}, at which puts and calls agree",
        instrument=market.instrument(option.underlying_id).public_id,
        stated=parity.stated_spot,
        implied=parity.spot,
        quoted_on=market.chains[option.underlying_id].day.isoformat(),
    )
    if note not in book.warnings:
        book.warnings.append(note)
    return parity.spot


def _option_price_and_delta(
    market: Market,
    holding: Holding,
    quote: Quote | None,
    spot: float,
    quoted_spot: float | None,
) -> tuple[float, float, float, list[Json]]:
    """Price per share, delta, volatility, and what had to stand in for a quote.

    `quoted_spot` is given where the price stated beside the quotes is out of step with them; a
    volatility that was computed from it is then not used.

    Volatility is the quoted one, else the one implied by the quoted price, else the underlying's
    realized volatility.
    """
    rates = market.short_rate_on(np.array([market.as_of], dtype="datetime64[D]"))
    instrument, option = holding.instrument, holding.option
    assert option is not None  # noqa: S101  # set by the caller
    notes: list[Json] = []

    def contract(underlying_price: float) -> EngineOption:
        return EngineOption(
            spot=underlying_price,
            strike=option.strike,
            years=(option.expiry - market.as_of).days / 365.0,
            rate=float(rates[0]) if rates is not None else 0.0,
            dividend_yield=holding.dividend_yield or 0.0,
            is_call=option.is_call,
        )

    quoted = quote.price if quote else None
    volatility = quote.implied_volatility if quote else None
    if quoted_spot is not None and quoted is not None:
        volatility = None
    if volatility is None and quoted is not None:
        beside = quoted_spot or (quote.underlying_price if quote else None) or spot
        try:
            volatility = implied_volatility(contract(beside), quoted)
        except EngineError as error:
            notes.append(
                warning(
                    "quote-not-used",
                    f"{instrument.symbol}: {error.message}",
                    instrument=instrument.public_id,
                )
            )
    if not volatility:
        volatility = _realized_volatility(market, option.underlying_id)
        notes.append(
            warning(
                "realized-volatility",
                f"{instrument.symbol} has no usable quote; its delta uses the underlying's"
                f" realized volatility of {volatility:.1%}",
                instrument=instrument.public_id,
            )
        )
    if quoted is None:
        own = market.last_close(instrument.pk)
        quoted = own[0] if own and own[2] <= _QUOTE_MAX_AGE.days else None
    if quoted is None:
        quoted = option_price(contract(spot), volatility)
        notes.append(
            warning(
                "model-price",
                f"{instrument.symbol} has no quoted price; its value is the Black-Scholes one",
                instrument=instrument.public_id,
            )
        )
    return quoted, option_delta(contract(spot), volatility), volatility, notes


def _realized_volatility(market: Market, underlying_id: int) -> float:
    series = market.series(underlying_id)
    if series is None:
        underlying = market.instrument(underlying_id)
        raise Unanswerable(
            Result.Status.ERROR,
            "missing-price",
            f"the underlying {underlying.symbol} of an option has no price history",
            instruments=[{"id": underlying.public_id, "symbol": underlying.symbol}],
        )
    panel = market.panel([series], market.rows(series, _VOLATILITY_SESSIONS))
    returns = panel.returns[:, 0]
    return realized_variance(returns[~np.isnan(returns)]).annual_volatility.value


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


def no_positions(market: Market) -> Unanswerable:
    return Unanswerable(
        Result.Status.ERROR,
        "no-positions",
        f"the portfolio has no positions on or before {market.as_of}",
    )


#: What a portfolio says of itself, which may be another tomorrow.
_SETTINGS = ("currency", "benchmark_id", "market_benchmark_id")


def portfolio_input_facts(book: Book, market: Market) -> dict[str, Any]:
    """What a result of the book rests on, for the record."""
    return {
        "position_set": book.public_position_set,
        "position_set_checksum": book.position_set_checksum,
        "positions_as_of": book.position_date.isoformat(),
        "data_version": market.block.version,
        "book": {name: getattr(book, name) for name in _SETTINGS},
    }
