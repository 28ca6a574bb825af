"""From the tables to arrays: the one place where decimals become floats.

A `Market` is everything a client knew about the market at a time, read as it is asked for and then
kept.
"""

from __future__ import annotations

import contextlib
import math
import uuid
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import Q

from analytics.calculations.facts import (
    ChainQuotes,
    FxSeries,
    Option,
    PositionRow,
    Quote,
    Requirements,
    Terms,
    option_of,
)
from analytics.calculations.kept_facts import KEPT_POSITION_SETS, KeptFacts, facts_kept_of
from analytics.calculations.kept_panels import kept_levels, kept_panels
from analytics.calculations.price_store import PriceBlock, changes_of, price_block
from analytics.engine.errors import EngineError
from analytics.engine.options import ParitySpot
from analytics.engine.panel import ReturnPanel, return_panel
from analytics.engine.types import FloatArray, IntArray
from portfolios.models import (
    CorporateAction,
    FxRate,
    Instrument,
    LeverageTerms,
    OptionTerms,
    RateObservation,
)
from portfolios.plans import planned
from portfolios.selectors.calendars import sessions_between
from portfolios.selectors.sharing import seen_by
from portfolios.tenancy import queries

_SHORT_RATES = ("DTB3", "IRX_13W")
QUOTE_MAX_AGE = timedelta(days=7)
#: Of a chain: expiries so far ahead, strikes so near the stated spot.
_CHAIN_REACH = timedelta(days=100)
_CHAIN_MONEYNESS = 0.1
_RATE_MAX_AGE = timedelta(days=14)
_YIELD_WINDOW = timedelta(days=365)
#: A pair and its inverse may differ by a spread and by the rounding of four digits.
_FX_TOLERANCE = 0.005
#: A close is looked for in this many latest rows before the whole history is.
_SEARCHED_ROWS = 64


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

    def prefetch(self, needs: Requirements, into: Iterable[str]) -> None:
        """Read all that a computation may ask for, so that it can run without the database; rates
        `into` the currencies of the books.

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
        held = {row.currency for row in self._instruments.values()}
        for quote in set(into):
            for base in held:
                self.fx(base, quote)

    def looked_at(
        self, instrument_ids: Sequence[int], rows: IntArray, currency: str | None
    ) -> None:
        """Called with what a panel shows, also where the panel itself was kept from earlier."""

    def noted(self) -> Any:
        """A copy of all that was noted of what was looked at; None where nothing ever is."""
        return None

    def recall(self, noted: Any) -> None:
        """Take what `noted` gave for what was looked at."""

    def reads(self) -> None:
        """Called before every query."""
        if self.sealed:
            raise RuntimeError("a computation asked for facts that its requirements do not name")

    @cached_property
    def block(self) -> PriceBlock:
        self.reads()
        return price_block(self.client_id, self.known_at)

    def first_read(self, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows of a statement, in one trip with the name of the facts' state, which is read
        before them."""
        self.reads()
        with planned([changes_of(self.client_id), (statement, parameters)]) as by_plan:
            changes, rows = queries(by_plan)
        self.block = price_block(self.client_id, self.known_at, changes)
        return rows

    @cached_property
    def facts(self) -> KeptFacts:
        return facts_kept_of(self.client_id, self.block)

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
            pk: option_of(row.option_terms, row.created_at.date())
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
        while len(kept) > KEPT_POSITION_SETS:
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
                    self.as_of - QUOTE_MAX_AGE,
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
                    self.as_of - QUOTE_MAX_AGE,
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
        key, levels = self._look(instrument_ids, rows, currency)

        def made() -> ReturnPanel:
            names = [str(pk) for pk in instrument_ids]
            return return_panel(self.block.sessions[rows], names, levels())

        return kept_panels.get(key, made)

    def levels(
        self, instrument_ids: Sequence[int], rows: IntArray, currency: str | None = None
    ) -> FloatArray:
        """Total-return levels on the given rows, one column an instrument, NaN where unpriced.

        Read-only.
        """
        _, levels = self._look(instrument_ids, rows, currency)
        return levels()

    def _look(
        self, instrument_ids: Sequence[int], rows: IntArray, currency: str | None
    ) -> tuple[Hashable | None, Callable[[], FloatArray]]:
        """What levels are made of, None for those of the past, which are not kept; and they."""
        self.looked_at(instrument_ids, rows, currency)
        local = [self.instrument(pk).currency for pk in instrument_ids] if currency else []
        rates = {
            at: self.fx(base, currency)
            for at, base in enumerate(local)
            if currency is not None and base != currency
        }

        def made() -> FloatArray:
            columns = self.block.columns(instrument_ids)
            if rows.size and rows[-1] - rows[0] + 1 == rows.size:
                levels = self.block.levels[rows[0] : rows[-1] + 1, columns]
            else:
                levels = self.block.levels[np.ix_(rows, columns)]
            for at, rate in rates.items():
                levels[:, at] *= rate[rows]
            levels.flags.writeable = False
            return levels

        # By client and date, as rates of exchange are.
        key = (
            self.client_id, self.block.version, self.as_of, tuple(instrument_ids), rows.tobytes(),
            currency,
        )  # fmt: skip
        known = key if self.block.is_current else None
        return known, lambda: kept_levels.get(known, made)

    def sessions_without_rate(self, base: str, quote: str, rows: IntArray) -> list[date]:
        absent = rows[np.isnan(self.fx(base, quote)[rows])]
        return [day.item() for day in self.block.sessions[absent]]
