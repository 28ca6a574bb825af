"""What is on file about the instrument of an incoming file: the gate's background knowledge."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from portfolios.feeds import (
    Distribution,
    FeedHints,
    Kind,
    LeverageHint,
    Split,
    StoredSeries,
    stem_of,
)
from portfolios.models import Client, CorporateAction, Instrument, LeverageTerms, Price
from portfolios.selectors.clock import market_today
from portfolios.selectors.sharing import seen_by

#: By ticker, the days of which a person says that their jump is real.
Confirmed = Mapping[str, frozenset[date]]


def hints_for(
    *,
    client: Client | None,
    filename: str,
    kind: Kind | None,
    symbol: str,
    confirmed: Confirmed = MappingProxyType({}),
) -> FeedHints:
    """Hints for a file: by the instrument the caller named, else by the file's name."""
    today = market_today(client)
    if kind not in (None, Kind.PRICES):
        return FeedHints(symbol=symbol or None, today=today, kind=kind)
    named = symbol or symbol_in(filename)
    days = confirmed.get(named.upper(), frozenset())
    instrument = instrument_named(client, named)
    if instrument is None:
        return FeedHints(symbol=symbol or None, today=today, kind=kind, confirmed_days=days)
    splits = splits_of(instrument, client)
    return FeedHints(
        symbol=instrument.symbol,
        calendar=instrument.calendar,
        today=today,
        splits=splits,
        distributions=_distributions(instrument, client, splits),
        leverage=_leverage(instrument, client),
        stored=stored_series(instrument, client, splits),
        kind=kind,
        confirmed_days=days,
    )


def symbol_in(filename: str) -> str:
    """The instrument a file is named after: SOXX.csv, SOXX_month_end.csv, SOXX_export.csv.gz."""
    return stem_of(filename).split("_")[0].upper()


def instrument_named(client: Client | None, symbol: str) -> Instrument | None:
    """The client's own instrument of that symbol, else the shared one."""
    return (
        Instrument.objects.filter(seen_by(client), symbol=symbol.upper())
        .order_by("client")  # nulls last: the client's own first
        .first()
    )


def splits_of(instrument: Instrument, client: Client | None) -> tuple[Split, ...]:
    """Current splits, oldest first; a client's own one replaces the shared one of the same day."""
    actions = CorporateAction.objects.filter(
        seen_by(client),
        instrument=instrument,
        kind=CorporateAction.Kind.SPLIT,
        superseded_at=None,
    ).order_by("ex_date", "client")
    by_date: dict[date, Split] = {}
    for action in actions:
        by_date.setdefault(
            action.ex_date, Split(action.ex_date, action.new_shares or 1, action.old_shares or 1)
        )
    return tuple(by_date.values())


def traded_factor(session: date, splits: tuple[Split, ...]) -> Fraction:
    """What a price adjusted for these splits is multiplied with to become the price as traded."""
    factor = Fraction(1)
    for split in splits:
        if session < split.effective_date:
            factor *= Fraction(split.new_shares) / Fraction(split.old_shares)
    return factor


def traded_factors(dates: NDArray[np.datetime64], splits: tuple[Split, ...]) -> NDArray[np.float64]:
    """`traded_factor` of each date."""
    factors = np.ones(len(dates))
    for split in splits:
        factors[dates < np.datetime64(split.effective_date)] *= split.new_shares / split.old_shares
    return factors


def stored_series(
    instrument: Instrument, client: Client | None, splits: tuple[Split, ...]
) -> StoredSeries | None:
    """What is on file, adjusted for all splits on file; None where nothing is."""
    rows = list(
        Price.objects.filter(instrument=instrument, client=client, superseded_at=None)
        .order_by("session")
        .values_list("session", "close", "total_return_index", "volume")
    )
    if not rows:
        return None
    sessions, *columns = zip(*rows, strict=True)
    dates = np.array(sessions, dtype="datetime64[D]")
    # A Decimal and None become a float and NaN.
    close, adjusted, volume = (np.array(column, dtype=np.float64) for column in columns)
    factors = traded_factors(dates, splits)
    return StoredSeries(
        dates=dates, close=close / factors, adj_close=adjusted, volume=volume * factors
    )


def _distributions(
    instrument: Instrument, client: Client | None, splits: tuple[Split, ...]
) -> tuple[Distribution, ...]:
    """Cash distributions in the share basis of adjusted closes."""
    actions = CorporateAction.objects.filter(
        seen_by(client),
        instrument=instrument,
        kind=CorporateAction.Kind.DISTRIBUTION,
        superseded_at=None,
    ).order_by("ex_date")
    return tuple(
        Distribution(
            action.ex_date, float(action.amount or 0) / float(traded_factor(action.ex_date, splits))
        )
        for action in actions
    )


def _leverage(instrument: Instrument, client: Client | None) -> LeverageHint | None:
    """The latest terms of a fund, with its index's levels (or those of the index's proxy)."""
    terms = list(
        LeverageTerms.objects.filter(seen_by(client), instrument=instrument)
        .select_related("reference_index__proxy")
        .order_by("valid_from")
    )
    if not terms:
        return None
    multiple = float(terms[-1].multiple)
    for candidate in (terms[-1].reference_index.proxy, terms[-1].reference_index):
        if candidate is None:
            continue
        stored = stored_series(candidate, None, splits_of(candidate, None))
        if stored is not None and stored.close is not None:
            known = np.isfinite(stored.close)
            return LeverageHint(multiple, stored.dates[known], stored.close[known])
    return LeverageHint(multiple)
