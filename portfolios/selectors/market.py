"""Market facts as a client sees them: its own rows in place of the shared ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet

from portfolios.models import Client, CorporateAction, FxRate, Instrument, LeverageTerms, Price
from portfolios.selectors.positions import known_then
from portfolios.selectors.sharing import OWN_FIRST, seen_by

#: Of which there is one price.
PRICE_KEY = ("instrument_id", "session")
_DIGITS = Context(prec=20)


def overlaid(
    model: type[Any], client: Client, same: Sequence[str], known_at: datetime | None
) -> QuerySet[Any]:
    """Rows known then: the client's own, and shared ones that no own row stands in for."""
    own = model.objects.filter(
        known_then(known_at), client=client, **{name: OuterRef(name) for name in same}
    )
    return model.objects.filter(known_then(known_at), seen_by(client)).filter(  # type: ignore[no-any-return]  # any model
        Q(client=client) | ~Exists(own)
    )


def price_list_for_client(
    client: Client,
    instrument: Instrument | QuerySet[Instrument, Any],
    *,
    known_at: datetime | None = None,
) -> QuerySet[Price]:
    """One row per session of one instrument, or of the one that a query finds; to be narrowed by
    session alone.

    What `overlaid` finds, but of two rows of a session the first by the index that they are read
    from: it does not look at all own prices for those that stand in on a page.
    """
    of = Q(instrument=instrument)
    rows = Price.objects.filter(known_then(known_at), seen_by(client), of)
    return rows.order_by("session", OWN_FIRST).distinct("session")


def last_priced_session(client: Client) -> date | None:
    """The latest session of which the client sees a price; None where there are no prices."""
    rows = Price.objects.filter(seen_by(client), superseded_at=None)
    found: date | None = rows.aggregate(last=Max("session"))["last"]
    return found


def closes_around(
    client: Client, instruments: Iterable[Instrument], first: date, last: date
) -> dict[int, list[tuple[date, Decimal]]]:
    """Closes by instrument, oldest first."""
    rows = (
        overlaid(Price, client, PRICE_KEY, None)
        .filter(instrument__in=instruments, session__range=(first, last), close__isnull=False)
        .order_by("instrument_id", "session")
        .values_list("instrument_id", "session", "close")
    )
    closes: dict[int, list[tuple[date, Decimal]]] = {}
    for instrument_id, session, close in rows:
        closes.setdefault(instrument_id, []).append((session, close))
    return closes


def fx_rate_list_for_client(
    client: Client, *, known_at: datetime | None = None
) -> QuerySet[FxRate]:
    return overlaid(FxRate, client, ("base", "quote", "session"), known_at)


def corporate_action_list_for_client(
    client: Client, *, known_at: datetime | None = None
) -> QuerySet[CorporateAction]:
    return overlaid(CorporateAction, client, ("instrument_id", "ex_date", "kind"), known_at)


def splits_of(
    client: Client, instruments: Iterable[Instrument], *, known_at: datetime | None = None
) -> dict[int, list[tuple[date, Fraction]]]:
    """Ex-dates and old shares per new one, by instrument, oldest first."""
    rows = (
        corporate_action_list_for_client(client, known_at=known_at)
        .filter(instrument__in=instruments, kind=CorporateAction.Kind.SPLIT)
        .order_by("ex_date")
        .values_list("instrument_id", "ex_date", "old_shares", "new_shares")
    )
    splits: dict[int, list[tuple[date, Fraction]]] = {}
    for instrument_id, ex_date, old, new in rows:
        if old is None or new is None:
            continue  # the table's constraint gives a split both
        splits.setdefault(instrument_id, []).append((ex_date, Fraction(old, new)))
    return splits


def split_factor(splits: Iterable[tuple[date, Fraction]], session: date) -> Fraction:
    """What a price of this session is multiplied by to stand in today's shares."""
    factor = Fraction(1)
    for ex_date, ratio in splits:
        if ex_date > session:
            factor *= ratio
    return factor


def scaled(value: Decimal | None, factor: Fraction) -> Decimal | None:
    """A decimal times an exact ratio, to 20 digits; untouched where the ratio is one."""
    if value is None or factor == 1:
        return value
    numerator = Decimal(factor.numerator)
    return _DIGITS.divide(_DIGITS.multiply(value, numerator), Decimal(factor.denominator))


def last_total_return(
    client: Client,
    instrument: Instrument,
    *,
    as_of: date | None = None,
    known_at: datetime | None = None,
) -> tuple[Decimal, float] | None:
    """The latest close, until `as_of`, with its total-return level."""
    rows = overlaid(Price, client, PRICE_KEY, known_at).filter(instrument=instrument)
    if as_of is not None:
        rows = rows.filter(session__lte=as_of)
    row = (
        rows.filter(close__isnull=False, total_return_index__isnull=False)
        .order_by("-session")
        .values_list("close", "total_return_index")
        .first()
    )
    if row is None or row[0] is None or row[1] is None:
        return None
    return row[0], row[1]


def leverage_terms_of(
    client: Client,
    instrument: Instrument,
    *,
    as_of: date | None = None,
    known_at: datetime | None = None,
) -> QuerySet[LeverageTerms]:
    """Oldest first; with `as_of` those that began by then, with `known_at` those on file then."""
    rows = LeverageTerms.objects.filter(seen_by(client), instrument=instrument)
    if as_of is not None:
        rows = rows.filter(valid_from__lte=as_of)
    if known_at is not None:
        rows = rows.filter(recorded_at__lte=known_at)
    return rows.select_related("reference_index").order_by(
        "valid_from", F("client").asc(nulls_first=True)
    )


def multiples_of(client: Client, instruments: Iterable[Instrument]) -> dict[int, Decimal]:
    """The latest multiple on file, by instrument; nothing for what is not leveraged."""
    return dict(
        LeverageTerms.objects.filter(seen_by(client), instrument__in=instruments)
        .order_by("valid_from")
        .values_list("instrument_id", "multiple")
    )
