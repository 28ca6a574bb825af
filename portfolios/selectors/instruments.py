"""Instruments as a client sees them: the shared ones, overlaid by its own."""

from __future__ import annotations

import difflib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import F, Q, QuerySet

from portfolios.errors import InvalidRequest, NotFound
from portfolios.identifiers import parse_public_id
from portfolios.models import Client, Instrument, InstrumentRevision
from portfolios.plans import rows_planned
from portfolios.selectors.positions import known_then
from portfolios.selectors.rows import columns, instance
from portfolios.selectors.sharing import OWN_FIRST, seen_by

MAX_SUGGESTIONS = 3
_SUGGESTION_POOL = 20_000


def instrument_list_for_client(client: Client) -> QuerySet[Instrument]:
    return Instrument.objects.filter(seen_by(client))


def instrument_rows_known(client: Client, known_at: datetime | None) -> QuerySet[Any]:
    """Instruments as they were known then; the columns have the names they have now."""
    if known_at is None:
        return instrument_list_for_client(client)
    return InstrumentRevision.objects.filter(seen_by(client), known_then(known_at)).annotate(
        id=F("instrument_id")
    )


def instrument_get_for_client(client: Client, name: str, *, for_update: bool = False) -> Instrument:
    """By symbol or public id; raises NotFound. Only a row of the client's own can be locked."""
    found = instrument_find(client, [name])
    if name not in found:
        raise NotFound("There is no such instrument.")
    instrument = found[name]
    if for_update and instrument.client_id == client.pk:
        return Instrument.objects.select_for_update(of=("self",)).get(pk=instrument.pk)
    return instrument


def instrument_find(client: Client, names: Iterable[str]) -> dict[str, Instrument]:
    """The instruments known by these symbols or public ids; the client's own before the shared."""
    wanted = set(names)
    if not wanted:
        return {}
    uids = {uid: name for name in wanted if (uid := parse_public_id(Instrument.ID_PREFIX, name))}
    symbols = list(wanted - set(uids.values()))
    rows = rows_planned(_FIND, [client.pk, client.is_sandbox, symbols, list(uids)])
    found: dict[str, Instrument] = {}
    for instrument in (instance(Instrument, row) for row in rows):
        if instrument.symbol in wanted:
            found[instrument.symbol] = instrument
        if instrument.uid in uids:
            found[uids[instrument.uid]] = instrument
    return found


#: A client's own come last, so that they are the ones found.
_FIND = (
    f"SELECT {columns(Instrument, 'i')} FROM portfolios_instrument i"
    " WHERE (i.client_id = %s OR (i.client_id IS NULL AND NOT %s))"
    " AND (i.symbol = ANY(%s) OR i.uid = ANY(%s::uuid[])) ORDER BY i.client_id NULLS FIRST"
)


def instrument_named(client: Client, name: str | uuid.UUID) -> QuerySet[Instrument]:
    """The one that `instrument_find` finds by a symbol or by the id inside of a public id."""
    by = Q(uid=name) if isinstance(name, uuid.UUID) else Q(symbol=name)
    rows = Instrument.objects.filter(seen_by(client)).filter(by)
    return rows.order_by(OWN_FIRST)[:1]


def instrument_identity(client: Client, name: str | uuid.UUID) -> tuple[str, list[Any]]:
    """What finds id, symbol, currency and whether it is synthetic, of the same one."""
    column = "uid" if isinstance(name, uuid.UUID) else "symbol"
    return _IDENTITY.format(column), [client.pk, client.is_sandbox, name]


_IDENTITY = (
    "SELECT i.uid, i.symbol, i.currency, i.is_synthetic FROM portfolios_instrument i"
    " WHERE (i.client_id = %s OR (i.client_id IS NULL AND NOT %s)) AND i.{} = %s"
    " ORDER BY i.client_id NULLS LAST LIMIT 1"
)


def instrument_resolve(
    client: Client,
    names: Iterable[str],
    *,
    pointers: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Instrument]:
    """Like `instrument_find`, but raises InvalidRequest naming every unknown one.

    `pointers` says where in the request each name stands, for the entries of the refusal.
    """
    names = list(dict.fromkeys(names))
    found = instrument_find(client, names)
    unknown = [name for name in names if name not in found]
    if unknown:
        raise unknown_instruments(client, unknown, known=len(found), pointers=pointers)
    return found


def unknown_instruments(
    client: Client,
    unknown: Sequence[str],
    *,
    known: int = 0,
    pointers: Mapping[str, Sequence[str]] | None = None,
) -> InvalidRequest:
    """The refusal of names nobody knows, with the nearest symbols."""
    suggestions = instrument_suggestions(client, unknown)
    errors = [
        {
            "pointer": pointer,
            "code": "unknown-instrument",
            "message": "No instrument has this symbol or id.",
            "value": name,
            "suggestion": suggestions[name],
        }
        for name in unknown
        for pointer in ((pointers or {}).get(name) or [""])
    ]
    total = known + len(unknown)
    verb = "is" if len(unknown) == 1 else "are"
    return InvalidRequest(
        f"{len(unknown)} of {total} instrument{'s' * (total > 1)} {verb} unknown.",
        code="unknown-instrument",
        errors=errors,
    )


def instrument_suggestions(client: Client, names: Iterable[str]) -> dict[str, list[str]]:
    """Up to three near symbols for each name."""
    symbols = list(
        instrument_list_for_client(client)
        .order_by("symbol")
        .values_list("symbol", flat=True)
        .distinct()[:_SUGGESTION_POOL]
    )
    cash = [symbol for symbol in symbols if symbol.startswith("CASH.")]
    suggestions = {}
    for name in names:
        near = difflib.get_close_matches(name.upper()[:40], symbols, n=MAX_SUGGESTIONS, cutoff=0.5)
        if name.isalpha() and len(name) == 3:
            near = [s for s in cash if s == f"CASH.{name.upper()}"] + near
        suggestions[name] = near[:MAX_SUGGESTIONS]
    return suggestions
