"""Load the sample client: its market, books, API key and admin log-in. Again: only what is new."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Max
from django.db.models.functions import Now

from portfolios.errors import MarketDataMissing, NotFound, Refused
from portfolios.models import (
    ApiKey,
    Client,
    Instrument,
    LeverageTerms,
    OptionTerms,
    Portfolio,
    Price,
)
from portfolios.selectors.calendars import previous_session
from portfolios.selectors.clock import SANDBOX_NOW_TEXT
from portfolios.selectors.instruments import instrument_find
from portfolios.services.api_keys import api_key_create
from portfolios.services.authentication import api_key_authenticate
from portfolios.services.imports import FileOutcome, import_file, import_folder
from portfolios.services.instruments import instrument_create
from portfolios.services.portfolios import portfolio_create
from portfolios.services.positions import position_set_put
from portfolios.services.sandboxes import sandbox_of
from portfolios.tenancy import client_scope, operator_scope
from riskapi.sample import books
from riskapi.sample.books import REAL, SYNTHETIC, Book, Cast
from riskapi.sample.folder import write_market
from riskapi.sample.market import FIRST_SESSION, REFERENCE_SESSION
from riskapi.sample.sandbox import seed

Progress = Callable[[Path, int, int], None]

#: When a day's prices are taken to be there: hours after the latest close of the exchange.
_PUBLISHED_UTC = time(23, 30)
#: Shares of a book of a folder that has none of the demo's.
_LONGS = 5
_ADMIN = "admin"
_FILE = "sample.json"
_ACTOR = "load_sample"
_KEY_NAME = "made by load_sample"


def load_sample(market: Path | None, progress: Progress | None = None) -> dict[str, Any]:
    """Load the synthetic market, or the folder in its place, and say what a caller needs to begin.

    Raises `portfolios.errors.DomainError` where the folder holds no prices of the demo's books.
    """
    cast = SYNTHETIC if market is None else REAL
    client = _client(cast)
    refused = _load_market(client, market, progress)
    with client_scope(client.id):
        asked = cast
        cast = asked if asked.is_synthetic else _cast_of_folder(asked)
        last = _last_session(cast)
        dates = sorted({REFERENCE_SESSION, last}) if cast.is_synthetic else [last]
        portfolios, missing = [], asked.symbols - cast.symbols
        for book in cast.books:
            portfolio = _portfolio(client, cast, book)
            for session in dates:
                missing |= _put_positions(client, portfolio, book, session)
            portfolios.append({"id": portfolio.public_id, "name": portfolio.name})
    since = previous_session("XNYS", last - timedelta(days=365))
    return {
        "client": client.name,
        "slug": client.slug,
        "synthetic": client.is_synthetic,
        "as_of": last.isoformat(),
        "portfolios": portfolios,
        "left_out": sorted(missing),
        "files_refused": refused,
        "analyses": books.first_analyses(cast, portfolios[0]["id"], as_of=last, since=since),
        **_credentials(client),
    }


def load_sandbox(slug: str) -> dict[str, Any]:
    """Complete an institution's sandbox, or make it, and say what a developer needs to begin.

    Raises `portfolios.errors.DomainError` where there is no such institution.
    """
    with operator_scope():
        institution = Client.objects.filter(slug=slug, sandbox_of=None).first()
        if institution is None:
            raise NotFound(f"There is no client {slug!r} that could have a sandbox.")
        client = sandbox_of(institution, actor="load_sandbox")
        seed(client)
    with client_scope(client.id):
        portfolios = [
            {"id": book.public_id, "external_id": book.external_id, "name": book.name}
            for book in Portfolio.objects.filter(client=client).order_by("id")
        ]
    return {
        "client": client.name,
        "sandbox_now": SANDBOX_NOW_TEXT,
        "portfolios": portfolios,
        "api_key": _key(client),
    }


def _client(cast: Cast) -> Client:
    with operator_scope():
        client, _ = Client.objects.get_or_create(
            slug=cast.slug,
            defaults={"name": cast.client_name, "is_synthetic": cast.is_synthetic},
        )
    return client


def _load_market(client: Client, folder: Path | None, progress: Progress | None) -> list[str]:
    """Import what is not on file yet; the names of files that were refused."""
    if folder is not None:
        return _refused(import_folder(folder, progress=progress))
    through = max(_last_published_session(), REFERENCE_SESSION)
    with client_scope(client.id):
        if _latest_price([SYNTHETIC.benchmark]) == through:
            return []
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / "market"
        write_market(made, through)
        # Short rates have no instrument to tell the invented from the real: they stay this
        # client's own, so that no other client's numbers are financed at them.
        rates = (made / "rates.csv").rename(Path(scratch) / "rates.csv")
        outcomes = import_folder(made, is_synthetic=True, progress=progress)
        with client_scope(client.id):
            outcomes.append(import_file(rates, client=client, is_synthetic=True))
    return _refused(outcomes)


def _refused(outcomes: Iterable[FileOutcome]) -> list[str]:
    return [
        outcome.path.name
        for outcome in outcomes
        if outcome.imported.status == outcome.imported.Status.REFUSED
    ]


def _last_published_session() -> date:
    now = datetime.now(UTC)
    today = now.date() if now.time() >= _PUBLISHED_UTC else now.date() - timedelta(days=1)
    return previous_session("XNYS", max(today, FIRST_SESSION))


def _latest_price(symbols: Iterable[str]) -> date | None:
    latest: date | None = Price.objects.filter(
        client=None, instrument__client=None, instrument__symbol__in=symbols, superseded_at=None
    ).aggregate(Max("session"))["session__max"]
    return latest


def _cast_of_folder(cast: Cast) -> Cast:
    """The cast itself, or, where the folder has other funds, the same roles played by those."""
    # Invented prices of an earlier start may lie beside the folder's.
    priced = Price.objects.filter(
        client=None,
        instrument__client=None,
        instrument__is_synthetic=False,
        superseded_at=None,
        close__isnull=False,
    )
    newest = priced.aggregate(Max("session"))["session__max"]
    listed = Instrument.objects.filter(
        client=None, pk__in=priced.filter(session=newest).values("instrument")
    )
    known = {instrument.symbol: instrument for instrument in listed.order_by("symbol")}
    if {cast.benchmark, cast.bull, cast.bear} <= known.keys():
        return cast
    terms = {
        row.instrument.symbol: row
        for row in LeverageTerms.objects.filter(
            client=None, instrument__in=known.values(), valid_from__lte=newest
        )
        .select_related("instrument", "reference_index__proxy")
        .order_by("valid_from")
    }
    by_multiple = sorted(terms, key=lambda symbol: (terms[symbol].multiple, symbol))
    bear = next((symbol for symbol in by_multiple if terms[symbol].multiple < 0), None)
    bulls = [symbol for symbol in reversed(by_multiple) if terms[symbol].multiple > 0]
    index = None if bear is None else terms[bear].reference_index
    same = [symbol for symbol in bulls if terms[symbol].reference_index == index]
    bull = next(iter((*same, *bulls)), None)
    book = cast.books[0]
    familiar = [symbol for symbol in book.longs if symbol in known]
    fund = bear or bull
    if fund is None and not familiar:
        return cast
    shares = [
        symbol
        for symbol, instrument in known.items()
        if instrument.kind in {Instrument.Kind.EQUITY, Instrument.Kind.ETF} and symbol not in terms
    ]
    priced_index = None if fund is None else _priced_index(terms[fund].reference_index, known)
    return books.recast(
        cast,
        benchmark=priced_index or cast.benchmark,
        bull=bull,
        bear=bear,
        longs=familiar or shares[:_LONGS],
        put_underlying=book.put_underlying if book.put_underlying in known else "",
    )


def _priced_index(index: Instrument, known: Mapping[str, Instrument]) -> str | None:
    """The index, or the fund that stands in for it, as long as it has prices."""
    names = (index.symbol, index.proxy.symbol if index.proxy is not None else "")
    return next((name for name in names if name in known), None)


def _last_session(cast: Cast) -> date:
    last = _latest_price(cast.symbols)
    if last is None:
        raise MarketDataMissing(
            f"The folder has prices of none of {', '.join(sorted(cast.symbols))}.",
            code="no-prices",
        )
    return last


def _portfolio(client: Client, cast: Cast, book: Book) -> Portfolio:
    existing = Portfolio.objects.filter(client=client, external_id=book.external_id).first()
    if existing is not None:
        return existing
    known = instrument_find(client, [cast.benchmark, cast.market_benchmark])
    return portfolio_create(
        client=client,
        name=book.name,
        external_id=book.external_id,
        benchmark=cast.benchmark if cast.benchmark in known else None,
        market_benchmark=cast.market_benchmark if cast.market_benchmark in known else None,
        actor=_ACTOR,
    )


def _put_positions(client: Client, portfolio: Portfolio, book: Book, session: date) -> set[str]:
    """File the book's positions of a session; the symbols that have no price then."""
    held = {*book.longs, *book.others, book.put_underlying} - {""}
    closes = {
        symbol: float(close)
        for symbol, close in Price.objects.filter(
            client=None,
            instrument__client=None,
            instrument__symbol__in=held,
            session=session,
            superseded_at=None,
        ).values_list("instrument__symbol", "close")
        if close is not None
    }
    if book.put_underlying in closes:
        _ensure_put(client, books.put_of(book.put_underlying, closes[book.put_underlying], session))
    position_set_put(
        client=client,
        portfolio=portfolio,
        as_of=session,
        positions=books.positions(book, closes, session),
        source=_ACTOR,
        actor=_ACTOR,
    )
    return held - set(closes)


def _ensure_put(client: Client, put: books.Put) -> None:
    """A contract of no imported chain becomes the client's own instrument."""
    if instrument_find(client, [put.symbol]):
        return
    instrument_create(
        client=client,
        symbol=put.symbol,
        kind=Instrument.Kind.OPTION,
        option_terms={
            "underlying": put.underlying,
            "right": OptionTerms.Right.PUT,
            "strike": put.strike,
            "expiry": put.expiry,
        },
        actor=_ACTOR,
    )


def _credentials(client: Client) -> dict[str, Any]:
    """The key and the log-in of the first start, as long as both still open the door."""
    key = _key(client)
    kept = _kept()
    password = _admin_password(kept.get(_ADMIN))
    _keep(kept | ({_ADMIN: password} if password else {}))
    return {"api_key": key, "admin": {"username": _ADMIN, "password": password}}


def _key(client: Client) -> str:
    """The key of the first start, as long as it opens the door."""
    kept = _kept()
    key = kept.get(client.slug)
    if key is None or not _is_live(key):
        with operator_scope():
            ApiKey.objects.filter(client=client, name=_KEY_NAME, revoked_at=None).update(
                revoked_at=Now()
            )
            _, key = api_key_create(client, _KEY_NAME)
    _keep(kept | {client.slug: key})
    return key


def _kept() -> dict[str, str]:
    path = settings.STATE_DIR / _FILE
    kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return kept


def _keep(content: dict[str, str]) -> None:
    if content != _kept():
        _write_private(settings.STATE_DIR / _FILE, json.dumps(content))


def _is_live(key: str) -> bool:
    try:
        api_key_authenticate(key, "127.0.0.1")
    except Refused:
        return False
    return True


def _admin_password(kept: str | None) -> str | None:
    """The password of the log-in; None where somebody has chosen another one since."""
    users = get_user_model().objects
    admin = users.filter(username=_ADMIN).first()
    if admin is None:
        made = secrets.token_urlsafe(12)
        users.create_superuser(_ADMIN, password=made)
        return made
    return kept if kept is not None and admin.check_password(kept) else None


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".new")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(text)
    scratch.replace(path)
