"""What a sandbox holds: the synthetic market up to its clock, its books, and one for each outcome.

All of it is the sandbox's own, so nothing that happens to other clients or to what all share moves
an answer. Each outcome but two comes from the data below by the ordinary way; the two, a run that
is slow and one that breaks, are in `analytics/calculations/sandbox.py`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from analytics.calculations.sandbox import BROKEN, SLOW
from portfolios.feeds import Kind
from portfolios.feeds.reading import read_folder
from portfolios.models import Client, Import, Instrument, LeverageTerms, Portfolio
from portfolios.selectors.clock import SANDBOX_NOW
from portfolios.services import feed_writers
from portfolios.services.imports import import_file
from portfolios.services.portfolios import portfolio_create
from portfolios.services.positions import position_set_put
from portfolios.tenancy import client_scope
from riskapi.sample import books, options
from riskapi.sample.books import SYNTHETIC, Book
from riskapi.sample.folder import write_market
from riskapi.sample.market import (
    BEAR,
    BULL,
    FIRST_SESSION,
    FUND,
    INDEX,
    LISTINGS,
    SWAP_SPREAD,
    SYMBOLS,
    Market,
)

LAST_SESSION = SANDBOX_NOW.date()
YOUNG, HALTED, FOREIGN, FLAT, UNDATED, ASKEW = (
    "TESTYOUNG", "TESTHALTED", "TESTTAIPEI", "TESTFLAT", "TESTUNDATED", "TESTASKEW",
)  # fmt: skip
#: Sessions since one listing began, and since another was last priced.
_YOUNG_SESSIONS, _HALTED_SESSIONS = 15, 10
#: What the options of one share were quoted at, over the price stated beside them.
_OUT_OF_STEP = 1.03
_ACTOR = "sandbox"


@dataclass(frozen=True)
class Oddity:
    """A listing whose prices follow another's, with something missing."""

    symbol: str
    name: str
    follows: str
    kind: str = Instrument.Kind.EQUITY
    currency: str = "USD"
    scale: float = 1.0


@dataclass(frozen=True)
class Magic:
    """A portfolio that forces an outcome, and what that is."""

    book: Book
    outcome: str
    benchmark: str | None = INDEX


ODDITIES = (
    Oddity(YOUNG, f"Synthetic: listed {_YOUNG_SESSIONS} sessions ago", "CHIPE"),
    Oddity(HALTED, f"Synthetic: not priced for {_HALTED_SESSIONS} sessions", "CHIPF"),
    Oddity(FOREIGN, "Synthetic: in a currency without rates", "CHIPG", currency="TWD"),
    Oddity(FLAT, "Synthetic: an index that stands still", INDEX, Instrument.Kind.INDEX),
    Oddity(UNDATED, "Synthetic: a fund whose terms begin later", FUND, Instrument.Kind.ETF),
    Oddity(ASKEW, "Synthetic: options quoted at another price", "CHIPI", scale=0.1),
)


def _magic(external_id: str, outcome: str, *holdings: str, **options: str | None) -> Magic:
    """A million, nine tenths of it in equal parts in what is named."""
    put = options.pop("put", None)
    book = Book(
        external_id,
        f"Sandbox: {outcome}",
        1_000_000,
        longs=dict.fromkeys(holdings, 0.9 / len(holdings)),
        put_underlying=put or "",
        put=0.2 if put else 0.0,
    )
    return Magic(book, outcome, **options)


MAGIC = (
    _magic("pf_test_insufficient", "too short a history", YOUNG),
    _magic("pf_test_stale", "an old price", "CHIPA", HALTED),
    _magic("pf_test_missingfx", "a currency without a rate", "CHIPA", FOREIGN),
    _magic("pf_test_zerovariance", "a benchmark that stands still", "CHIPA", benchmark=FLAT),
    _magic("pf_test_nobenchmark", "no benchmark", "CHIPA", "CHIPB", benchmark=None),
    _magic("pf_test_termsgap", "a fund without terms", "CHIPA", UNDATED),
    _magic("pf_test_outofstep", "an option out of step", "CHIPA", put=ASKEW),
    _magic(SLOW, "half a minute of waiting", "CHIPA", "CHIPB"),
    _magic(BROKEN, "a computation that breaks", "CHIPA", "CHIPB"),
)


def seed(client: Client) -> None:
    """Complete a sandbox: what is there already, changed or not, is left as it is."""
    wanted: list[tuple[Book, str | None]] = [
        *((book, SYNTHETIC.benchmark) for book in SYNTHETIC.books),
        *((magic.book, magic.benchmark) for magic in MAGIC),
    ]
    with client_scope(client.pk), tempfile.TemporaryDirectory() as scratch:
        known = set(Portfolio.objects.filter(client=client).values_list("external_id", flat=True))
        missing = [(book, of) for book, of in wanted if book.external_id not in known]
        if not missing:
            return
        folder = Path(scratch)
        market = write_market(folder, LAST_SESSION)
        if not Instrument.objects.filter(client=client, symbol=INDEX).exists():
            _write_oddities(folder, market)
            _record_instruments(client)
            _import(client, folder)
        closes = dict(zip(SYMBOLS, market.close[-1].tolist(), strict=True))
        closes |= {oddity.symbol: _closes(market, oddity)[-1] for oddity in ODDITIES}
        for book, benchmark in missing:
            _portfolio(client, book, closes, benchmark)


def _write_oddities(folder: Path, market: Market) -> None:
    kept = {YOUNG: slice(-_YOUNG_SESSIONS, None), HALTED: slice(-_HALTED_SESSIONS)}
    for oddity in ODDITIES:
        rows = zip(market.sessions, _closes(market, oddity), strict=True)
        lines = [f"{day},{close}" for day, close in rows][kept.get(oddity.symbol, slice(None))]
        path = folder / "prices" / f"{oddity.symbol}.csv"
        path.write_text("\n".join(["date,close", *lines]) + "\n")
    _write_chain_out_of_step(folder / "options", market)


def _write_chain_out_of_step(folder: Path, market: Market) -> None:
    (stated,) = (_closes(market, oddity)[-1] for oddity in ODDITIES if oddity.symbol == ASKEW)
    rows = options.chain(
        round(stated * _OUT_OF_STEP, 2),
        LAST_SESSION,
        float(market.index_volatility[-1]),
        float(market.bill_yield_pct[-1]) / 100,
        ASKEW,
    )
    name = f"{ASKEW}_{LAST_SESSION}.csv"
    (folder / name).write_text("\n".join([options.COLUMNS, *rows]) + "\n")
    quoted_at = datetime.combine(LAST_SESSION, time(15, 59), ZoneInfo("America/New_York"))
    with (folder / "snapshots.csv").open("a") as snapshots:
        snapshots.write(f"{ASKEW},{quoted_at.isoformat()},{stated},{len(rows)},,,{name},\n")


def _closes(market: Market, oddity: Oddity) -> list[float]:
    closes = (market.close[:, SYMBOLS.index(oddity.follows)] * oddity.scale).round(2).tolist()
    return [100.0] * len(closes) if oddity.symbol == FLAT else closes


def _record_instruments(client: Client) -> None:
    currencies = {oddity.symbol: oddity.currency for oddity in ODDITIES}
    made = [
        Instrument(
            client=client,
            symbol=row.symbol,
            name=row.name,
            kind=row.kind,
            currency=currencies.get(row.symbol, "USD"),
            is_synthetic=True,
        )
        for row in (*LISTINGS, *ODDITIES)
    ]
    Instrument.objects.bulk_create(made)
    known = {instrument.symbol: instrument for instrument in made}
    terms = [
        (row.symbol, FIRST_SESSION, row.multiple, row.expense_ratio)
        for row in LISTINGS
        if row.multiple not in (None, 1)
    ]
    terms.append((UNDATED, LAST_SESSION + timedelta(days=3), 3.0, 0.0095))
    LeverageTerms.objects.bulk_create(
        LeverageTerms(
            client=client,
            instrument=known[symbol],
            valid_from=valid_from,
            multiple=Decimal(f"{multiple:g}"),
            reference_index=known[INDEX],
            expense_ratio=Decimal(f"{expense_ratio:g}"),
            swap_spread=Decimal(f"{SWAP_SPREAD:g}"),
            source="synthetic",
        )
        for symbol, valid_from, multiple, expense_ratio in terms
    )


def _import(client: Client, folder: Path) -> None:
    """Import the folder's files as the client's own; facts of funds are for operators alone."""
    snapshots: dict[str, feed_writers.Snapshot] = {}
    for path, kind in read_folder(folder, after=frozenset({FUND, BULL, BEAR})):
        if kind is Kind.FUND_FACTS:
            continue
        outcome = import_file(
            path, client=client, kind=kind, is_synthetic=True, snapshots=snapshots
        )
        if outcome.imported.status == Import.Status.REFUSED:
            raise RuntimeError(f"the sandbox's own {path.name} was refused: {outcome.verdict}")
        if kind is Kind.OPTION_SNAPSHOTS:
            snapshots = feed_writers.snapshots_of(outcome.verdict)


def _portfolio(
    client: Client, book: Book, closes: Mapping[str, float], benchmark: str | None
) -> None:
    portfolio = portfolio_create(
        client=client,
        name=book.name,
        external_id=book.external_id,
        benchmark=benchmark,
        market_benchmark=benchmark and SYNTHETIC.market_benchmark,
        actor=_ACTOR,
    )
    position_set_put(
        client=client,
        portfolio=portfolio,
        as_of=LAST_SESSION,
        positions=books.positions(book, closes, LAST_SESSION),
        source=_ACTOR,
        actor=_ACTOR,
    )
