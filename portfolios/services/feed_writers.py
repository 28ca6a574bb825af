"""Accepted rows of a judged file -> facts. One writer a kind of file."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from portfolios.errors import InvalidRequest
from portfolios.feeds import (
    ACTION_KINDS,
    Basis,
    BasisChange,
    FileVerdict,
    Kind,
    Split,
    stem_of,
)
from portfolios.models import (
    Client,
    CorporateAction,
    FundFact,
    FundHolding,
    FxRate,
    Import,
    Instrument,
    OptionQuote,
    OptionTerms,
    Price,
    RateObservation,
)
from portfolios.services.client_rows import Prepared
from portfolios.services.facts import facts_append
from portfolios.services.feed_hints import (
    instrument_named,
    splits_of,
    stored_series,
    symbol_in,
    traded_factor,
)
from portfolios.services.positions import Book, position_sets_put

#: Underlying, time of the quotes, stated price of the underlying.
Snapshot = tuple[str, datetime, Decimal | None]

#: Columns of a rates file: the series each becomes, and what turns its unit into a fraction.
_RATE_SERIES = {
    "irx_13w_pct": ("IRX_13W", 100),
    "dtb3_pct": ("DTB3", 100),
    "ff_rf_daily_pct": ("FF_RF_DAILY", 100),
    "ff_mkt_rf_daily_pct": ("FF_MKT_RF_DAILY", 100),
    "vixcls": ("VIXCLS", 1),
}
#: Columns of a chain file and of the quote table.
_QUOTE_COLUMNS = {
    **{name: name for name in ("bid", "ask", "last", "volume", "open_interest")},
    **{name: name for name in ("delta", "gamma", "theta", "vega")},
    "iv": "implied_volatility",
}
#: Total-return levels of a file and of the store may differ by one factor; beyond this relative
#: spread of that factor they are different histories.
_CHAIN_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Target:
    """Where rows go: shared facts or one client's own, and what to do about unknown names."""

    client: Client | None
    source: str
    create_missing: bool
    is_synthetic: bool
    snapshots: Mapping[str, Snapshot] = field(default_factory=dict)
    known: dict[str, Instrument] = field(default_factory=dict)
    books: Sequence[Book] = ()
    actor: str = ""
    request_id: str = ""

    @property
    def client_id(self) -> uuid.UUID | None:
        return self.client.id if self.client else None

    def instrument(self, symbol: str, **defaults: Any) -> Instrument:
        """The instrument of that symbol; made where the caller allows it."""
        if symbol not in self.known:
            self.known[symbol] = instrument_named(self.client, symbol) or self._new(
                symbol, **defaults
            )
        return self.known[symbol]

    def _new(self, symbol: str, **defaults: Any) -> Instrument:
        if not self.create_missing:
            raise InvalidRequest(
                f"No instrument {symbol!r} is on file. Create it first, or name another one.",
                code="unknown-instrument",
                errors=[{"pointer": "/instrument", "code": "unknown-instrument", "value": symbol}],
            )
        return Instrument.objects.create(
            client=self.client, symbol=symbol.upper(), is_synthetic=self.is_synthetic, **defaults
        )


def write(
    prepared: Prepared,
    imported: Import,
    *,
    create_missing: bool = False,
    is_synthetic: bool = False,
    snapshots: Mapping[str, Snapshot] | None = None,
) -> int:
    """Append what a verdict accepted; the number of rows that changed something."""
    verdict = prepared.verdict
    if verdict.kind is None or verdict.rows_accepted == 0:
        return 0
    target = Target(
        imported.client,
        imported.filename,
        create_missing,
        is_synthetic,
        snapshots or {},
        dict(prepared.instruments),
        prepared.books,
        actor=f"import:{imported.public_id}",
        request_id=imported.request_id,
    )
    return _WRITERS[verdict.kind](verdict, target)


def instrument_symbol(verdict: FileVerdict) -> str:
    """Whose prices or holdings a file carries: as it says itself, else as it is named."""
    return verdict.instrument or symbol_in(verdict.name)


def _write_prices(verdict: FileVerdict, target: Target) -> int:
    columns = _columns(verdict)
    is_level = _all_null(columns.get("adj_close")) and _all_null(columns.get("volume"))
    instrument = target.instrument(
        instrument_symbol(verdict),
        kind=Instrument.Kind.INDEX if is_level else Instrument.Kind.EQUITY,
    )
    splits = splits_of(instrument, target.client)
    dates: list[date] = columns["date"]
    factors = _file_factors(verdict, dates, splits)
    empty = [None] * len(dates)
    prices = [
        [
            _scaled(text, factor)
            for text, factor in zip(columns.get(name, empty), factors, strict=True)
        ]
        for name in ("open", "high", "low", "close")
    ]
    volumes = [
        _scaled(text, 1 / factor)
        for text, factor in zip(columns.get("volume", empty), factors, strict=True)
    ]
    levels = _chained_levels(verdict, instrument, target.client)
    return facts_append(
        Price,
        client_id=target.client_id,
        keys=("instrument_id", "session"),
        values=("open", "high", "low", "close", "volume", "total_return_index"),
        rows=zip([instrument.id] * len(dates), dates, *prices, volumes, levels, strict=True),
        source=target.source,
    ).changed


def _file_factors(
    verdict: FileVerdict, dates: list[date], splits: tuple[Split, ...]
) -> list[Fraction]:
    """Per row, what makes the file's price the price as traded.

    A file of adjusted prices carries the splits known when it was made: those up to its last
    session, or, where it overlaps what is on file, the ones that the overlap shows.
    """
    if verdict.basis is Basis.AS_TRADED:
        return [Fraction(1)] * len(dates)
    off = _basis_factor(verdict.basis_change, splits)
    return [traded_factor(day, splits) / off for day in dates]


def _basis_factor(change: BasisChange | None, splits: tuple[Split, ...]) -> Fraction:
    """The exact ratio behind the measured one: the file's prices over those with all splits."""
    if change is None:
        return Fraction(1)
    ratio = Fraction(1)
    for split in splits:
        if split.effective_date in change.splits:
            ratio *= Fraction(split.old_shares) / Fraction(split.new_shares)
    return ratio if (ratio > 1) == (change.factor > 1) else 1 / ratio


def _scaled(text: str | None, factor: Fraction) -> Decimal | None:
    if text is None:
        return None
    value = Decimal(text)
    if factor == 1:
        return value
    return value * factor.numerator / factor.denominator


def _chained_levels(
    verdict: FileVerdict, instrument: Instrument, client: Client | None
) -> list[float | None]:
    """The file's adjusted closes on the scale of the levels on file, joined at the last overlap."""
    adjusted = verdict.numbers.get("adj_close")
    n_rows = verdict.rows_accepted
    if adjusted is None or np.isnan(adjusted).all():
        return [None] * n_rows
    stored = stored_series(instrument, client, ())
    factor = 1.0
    if stored is not None and stored.adj_close is not None:
        dates = np.array(_columns(verdict)["date"], dtype="datetime64[D]")
        _, theirs, ours = np.intersect1d(dates, stored.dates, return_indices=True)
        ratio = stored.adj_close[ours] / adjusted[theirs]
        known = np.isfinite(ratio)
        if known.any():
            ratio = ratio[known]
            factor = float(ratio[-1])
            spread = float(ratio.max() / ratio.min() - 1)
            if spread > _CHAIN_TOLERANCE and stored.dates[0] < dates.min():
                raise InvalidRequest(
                    "The adjusted closes of this file and those on file are different histories"
                    f" (their ratio moves by {spread:.2%} over the overlap), and the file does not"
                    " reach back to the first session on file. Upload the whole history.",
                    code="total-return-basis-conflict",
                )
    return [None if np.isnan(level) else level * factor for level in adjusted.tolist()]


def _write_splits(verdict: FileVerdict, target: Target) -> int:
    columns = _columns(verdict)
    rows = [
        (
            target.instrument(ticker, kind=Instrument.Kind.EQUITY).id,
            day,
            CorporateAction.Kind.SPLIT,
            *Fraction(Fraction(new) / Fraction(old)).as_integer_ratio(),
        )
        for ticker, day, new, old in zip(
            columns["ticker"],
            columns["effective_date"],
            columns["new_shares"],
            columns["old_shares"],
            strict=True,
        )
    ]
    return facts_append(
        CorporateAction,
        client_id=target.client_id,
        keys=("instrument_id", "ex_date", "kind"),
        values=("new_shares", "old_shares"),
        rows=rows,
        source=target.source,
    ).changed


def _write_distributions(verdict: FileVerdict, target: Target) -> int:
    columns = _columns(verdict)
    splits: dict[int, tuple[Split, ...]] = {}
    rows = []
    for ticker, day, amount in zip(
        columns["ticker"], columns["ex_date"], columns["amount_per_share"], strict=True
    ):
        instrument = target.instrument(ticker, kind=Instrument.Kind.EQUITY)
        if instrument.id not in splits:
            splits[instrument.id] = splits_of(instrument, target.client)
        paid = _scaled(amount, traded_factor(day, splits[instrument.id]))
        rows.append((instrument.id, day, CorporateAction.Kind.DISTRIBUTION, paid))
    return facts_append(
        CorporateAction,
        client_id=target.client_id,
        keys=("instrument_id", "ex_date", "kind"),
        values=("amount",),
        rows=rows,
        source=target.source,
    ).changed


def _write_corporate_actions(verdict: FileVerdict, target: Target) -> int:
    columns = _columns(verdict)

    def actions() -> Iterator[tuple[Any, ...]]:
        names = ("instrument", "ex_date", "kind", "new_shares", "old_shares", "amount")
        for name, day, kind, new, old, amount in zip(*(columns[n] for n in names), strict=True):
            instrument = target.instrument(name, kind=Instrument.Kind.EQUITY)
            action = ACTION_KINDS[kind.strip().lower()]
            ratio: tuple[int | None, int | None] = (None, None)
            if action == CorporateAction.Kind.SPLIT:
                ratio = (Fraction(new) / Fraction(old)).as_integer_ratio()
            yield instrument.id, day, action, *ratio, amount

    return facts_append(
        CorporateAction,
        client_id=target.client_id,
        keys=("instrument_id", "ex_date", "kind"),
        values=("new_shares", "old_shares", "amount"),
        rows=actions(),
        source=target.source,
    ).changed


def _write_fx_rates(verdict: FileVerdict, target: Target) -> int:
    columns = _columns(verdict)
    return facts_append(
        FxRate,
        client_id=target.client_id,
        keys=("base", "quote", "session"),
        values=("rate",),
        rows=zip(*(columns[n] for n in ("base", "quote", "date", "rate")), strict=True),
        source=target.source,
    ).changed


def _write_positions(_verdict: FileVerdict, target: Target) -> int:
    if target.client is None:
        raise InvalidRequest("Positions belong to a client.", code="kind-not-importable")
    outcomes = position_sets_put(
        client=target.client,
        books=target.books,
        instruments=target.known,
        source=target.source[:100],
        actor=target.actor,
        request_id=target.request_id,
    )
    pairs = zip(target.books, outcomes, strict=True)
    return sum(len(book.positions) for book, (_, is_new) in pairs if is_new)


def _write_rates(verdict: FileVerdict, target: Target) -> int:
    columns = _columns(verdict)

    def observations() -> Iterator[tuple[str, date, Decimal]]:
        for name, (series, divisor) in _RATE_SERIES.items():
            for day, text in zip(columns["date"], columns.get(name, ()), strict=False):
                if text is not None:
                    yield series, day, Decimal(text) / divisor

    return facts_append(
        RateObservation,
        client_id=target.client_id,
        keys=("series", "session"),
        values=("value",),
        rows=observations(),
        source=target.source,
    ).changed


def _write_fund_facts(verdict: FileVerdict, target: Target) -> int:
    _operator_only(target, "Fund facts")
    changed = 0
    for row in _records(verdict):
        fund = target.instrument(row["ticker"], kind=Instrument.Kind.ETF, name=row["name"] or "")
        if target.create_missing and fund.kind == Instrument.Kind.EQUITY:
            fund.kind = Instrument.Kind.ETF
            fund.name = fund.name or row["name"] or ""
            fund.save(update_fields=["kind", "name"])
        ratio = row.get("expense_ratio_pct")
        _, created = FundFact.objects.get_or_create(
            instrument=fund,
            as_of=row["as_of"],
            defaults={
                "total_assets_usd": row.get("total_assets_usd"),
                "expense_ratio": None if ratio is None else Decimal(ratio) / 100,
                "nav": row.get("nav"),
                "distribution_yield": row.get("yield_frac"),
                "inception": row.get("inception"),
                "source": target.source[:200],
            },
        )
        changed += created
    return changed


def _write_holdings(verdict: FileVerdict, target: Target) -> int:
    _operator_only(target, "Fund holdings")
    fund = target.instrument(instrument_symbol(verdict), kind=Instrument.Kind.ETF)
    before = FundHolding.objects.filter(fund=fund).count()
    FundHolding.objects.bulk_create(
        (
            FundHolding(
                fund=fund,
                as_of=row["date"],
                holding=row["holding"],
                weight=Decimal(row["weight_pct"]) / 100,
                source=target.source[:200],
            )
            for row in _records(verdict)
        ),
        batch_size=1_000,
        ignore_conflicts=True,
    )
    return FundHolding.objects.filter(fund=fund).count() - before


def _write_option_chain(verdict: FileVerdict, target: Target) -> int:
    """Contracts that are new become instruments; every quote is kept with the time it was taken."""
    underlying_symbol, quoted_at, underlying_price = _snapshot_of(verdict, target)
    underlying = target.instrument(underlying_symbol, kind=Instrument.Kind.EQUITY)
    records = [_contract(row, underlying) for row in _records(verdict)]
    contracts = _contracts(records, underlying, target)
    return facts_append(
        OptionQuote,
        client_id=target.client_id,
        keys=("instrument_id", "quoted_at"),
        values=("underlying_price", *_QUOTE_COLUMNS.values()),
        rows=(
            (
                contracts[row["contract"]],
                quoted_at,
                underlying_price,
                *(row.get(name) for name in _QUOTE_COLUMNS),
            )
            for row in records
        ),
        source=target.source,
    ).changed


def _contract(row: dict[str, Any], underlying: Instrument) -> dict[str, Any]:
    """The row with its side in full, and with the contract's standard name where it has none."""
    right = OptionTerms.Right.CALL if row["side"][:1] in "cC" else OptionTerms.Right.PUT
    name = row["contract"]
    if name is None:
        mills = int(Decimal(row["strike"]) * 1000)
        name = f"{underlying.symbol}{row['expiration']:%y%m%d}{right[0].upper()}{mills:08d}"
    return {**row, "side": right, "contract": name}


def _contracts(
    records: list[dict[str, Any]], underlying: Instrument, target: Target
) -> dict[str, int]:
    """Instrument ids by contract name."""
    named = Instrument.objects.filter(
        client=target.client, symbol__in=[row["contract"] for row in records]
    )
    known = dict(named.values_list("symbol", "id"))
    new = [row for row in records if row["contract"] not in known]
    Instrument.objects.bulk_create(
        (
            Instrument(
                client=target.client,
                symbol=row["contract"],
                kind=Instrument.Kind.OPTION,
                currency=underlying.currency,
                calendar=underlying.calendar,
                is_synthetic=target.is_synthetic,
            )
            for row in new
        ),
        batch_size=1_000,
    )
    known = dict(named.values_list("symbol", "id"))
    OptionTerms.objects.bulk_create(
        (
            OptionTerms(
                client=target.client,
                instrument_id=known[row["contract"]],
                underlying=underlying,
                right=row["side"],
                strike=Decimal(row["strike"]),
                expiry=row["expiration"],
            )
            for row in new
        ),
        batch_size=1_000,
    )
    return known


def _snapshot_of(verdict: FileVerdict, target: Target) -> Snapshot:
    """Underlying, time and stated price of a chain: from its snapshots file, else from its name."""
    stem = stem_of(verdict.name)
    if stem in target.snapshots:
        return target.snapshots[stem]
    symbol, _, day = stem.partition("_")
    try:
        quoted_at = datetime.fromisoformat(day)
    except ValueError:
        raise InvalidRequest(
            f"When were the quotes of {verdict.name!r} taken? Name the file SYMBOL_YYYY-MM-DD.csv,"
            " or send a snapshots.csv with columns symbol, quoted_at, underlying_price, file.",
            code="quote-time-unknown",
        ) from None
    return symbol, quoted_at.replace(tzinfo=UTC), None


def snapshots_of(verdict: FileVerdict) -> dict[str, Snapshot]:
    """What a snapshots file says of its chains, by the chain file's stem."""
    return {
        str(row.get("file") or row["symbol"]).removesuffix(".csv"): (
            row["symbol"],
            datetime.fromisoformat(row["quoted_at"]),
            Decimal(row["underlying_price"]),
        )
        for row in _records(verdict)
    }


def _operator_only(target: Target, what: str) -> None:
    if target.client is not None:
        raise InvalidRequest(
            f"{what} are shared reference data and loaded by the operator.",
            code="kind-not-importable",
        )


def _columns(verdict: FileVerdict) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = verdict.accepted.to_pydict()
    return columns


def _records(verdict: FileVerdict) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = verdict.accepted.to_pylist()
    return records


def _all_null(values: list[Any] | None) -> bool:
    return values is None or all(value is None for value in values)


_WRITERS: dict[Kind, Callable[[FileVerdict, Target], int]] = {
    Kind.PRICES: _write_prices,
    Kind.POSITIONS: _write_positions,
    Kind.FX_RATES: _write_fx_rates,
    Kind.CORPORATE_ACTIONS: _write_corporate_actions,
    Kind.SPLITS: _write_splits,
    Kind.DISTRIBUTIONS: _write_distributions,
    Kind.RATES: _write_rates,
    Kind.FUND_FACTS: _write_fund_facts,
    Kind.HOLDINGS: _write_holdings,
    Kind.OPTION_CHAIN: _write_option_chain,
    # Nothing of its own to keep: it dates the chains that come with it.
    Kind.OPTION_SNAPSHOTS: lambda _verdict, _target: 0,
}
