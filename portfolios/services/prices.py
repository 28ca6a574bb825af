"""A client's own prices, exchange rates and corporate actions, a batch at a time.

All or nothing: one row that cannot be right refuses the batch, and every such row is named.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from portfolios.models import Client, CorporateAction, FxRate, Instrument, Price
from portfolios.selectors.calendars import sessions_between
from portfolios.selectors.clock import market_today
from portfolios.selectors.market import closes_around, multiples_of, split_factor, splits_of
from portfolios.services.audit import audit_record
from portfolios.services.data_version import data_version_bump
from portfolios.services.facts import Appended, facts_append
from portfolios.services.instruments import instruments_named
from portfolios.services.row_problems import Problem, refuse_rows, row_problem

#: A change beyond this from one session to the next needs a corporate action or a word;
#: of a leveraged fund, this times its multiple.
JUMP = Fraction(2, 5)
_LOOK_AROUND = timedelta(days=30)
_BAR = ("open", "high", "low", "close")

Row = Mapping[str, Any]


def prices_add(
    *,
    client: Client,
    rows: Sequence[Row],
    source: str = "",
    actor: str,
    request_id: str = "",
) -> Appended:
    """Own prices as traded. What is on file already is left alone, what differs corrects it."""
    named = _instruments(client, rows, "prices")
    problems = [
        *_repeated(rows, lambda row: (named[row["instrument"]].pk, row["session"]), "prices"),
        *_not_priced(rows, named),
        *_not_sessions(client, rows),
        *_bad_bars(rows),
    ]
    refuse_rows(problems)
    refuse_rows(list(_jumps(client, rows, named)))
    outcome = facts_append(
        Price,
        client_id=client.id,
        keys=("instrument_id", "session"),
        values=(*_BAR, "volume"),
        rows=[
            (
                named[row["instrument"]].pk,
                row["session"],
                *(row[name] for name in (*_BAR, "volume")),
            )
            for row in rows
        ],
        source=source,
    )
    _changed(client, outcome, "prices.add", actor, request_id)
    return outcome


def fx_rates_add(
    *,
    client: Client,
    rows: Sequence[Row],
    source: str = "",
    actor: str,
    request_id: str = "",
) -> Appended:
    """Own exchange rates."""
    today = market_today(client)
    problems = list(
        _repeated(rows, lambda row: (row["base"], row["quote"], row["session"]), "rates")
    )
    for index, row in enumerate(rows):
        at = f"/rates/{index}"
        if row["rate"] <= 0:
            problems.append(
                row_problem(f"{at}/rate", "validation-error", "Above zero.", row["rate"])
            )
        if row["base"] == row["quote"]:
            problems.append(
                row_problem(f"{at}/quote", "validation-error", "Two currencies.", row["quote"])
            )
        if row["session"] > today:
            problems.append(
                row_problem(f"{at}/session", "future-date", "In the future.", row["session"])
            )
    refuse_rows(problems)
    outcome = facts_append(
        FxRate,
        client_id=client.id,
        keys=("base", "quote", "session"),
        values=("rate",),
        rows=[(row["base"], row["quote"], row["session"], row["rate"]) for row in rows],
        source=source,
    )
    _changed(client, outcome, "fx_rates.add", actor, request_id)
    return outcome


def corporate_actions_add(
    *,
    client: Client,
    rows: Sequence[Row],
    source: str = "",
    actor: str,
    request_id: str = "",
) -> Appended:
    """Own splits and distributions; they hold for this client's view of the instrument."""
    named = _instruments(client, rows, "actions")
    refuse_rows(
        list(
            _repeated(
                rows,
                lambda row: (named[row["instrument"]].pk, row["ex_date"], row["kind"]),
                "actions",
            )
        )
    )
    values = ("new_shares", "old_shares", "amount")
    outcome = facts_append(
        CorporateAction,
        client_id=client.id,
        keys=("instrument_id", "ex_date", "kind"),
        values=values,
        rows=[
            (
                named[row["instrument"]].pk,
                row["ex_date"],
                row["kind"],
                *(row[name] for name in values),
            )
            for row in rows
        ],
        source=source,
    )
    _changed(client, outcome, "corporate_actions.add", actor, request_id)
    return outcome


def _instruments(client: Client, rows: Sequence[Row], batch: str) -> dict[str, Instrument]:
    pointers: dict[str, list[str]] = {}
    for index, row in enumerate(rows):
        pointers.setdefault(row["instrument"], []).append(f"/{batch}/{index}/instrument")
    return instruments_named(client, pointers, pointers=pointers)


def _repeated(rows: Sequence[Row], key: Callable[[Row], object], batch: str) -> Iterator[Problem]:
    first: dict[object, int] = {}
    for index, row in enumerate(rows):
        earlier = first.setdefault(key(row), index)
        if earlier != index:
            yield row_problem(
                f"/{batch}/{index}",
                "conflicting-rows",
                f"Speaks of the same as /{batch}/{earlier}.",
            )


def _not_priced(rows: Sequence[Row], named: Mapping[str, Instrument]) -> Iterator[Problem]:
    for index, row in enumerate(rows):
        if named[row["instrument"]].kind == Instrument.Kind.CASH:
            yield row_problem(
                f"/prices/{index}/instrument",
                "invalid-request",
                "Cash is worth its quantity; exchange rates go to POST /v1/fx-rates.",
                row["instrument"],
            )


def _not_sessions(client: Client, rows: Sequence[Row]) -> Iterator[Problem]:
    days = [row["session"] for row in rows]
    today = market_today(client)
    known = set(sessions_between("XNYS", min(days), min(max(days), today)))
    for index, day in enumerate(days):
        pointer = f"/prices/{index}/session"
        if day > today:
            yield row_problem(pointer, "future-date", "In the future.", day)
        elif day not in known:
            before = sessions_between("XNYS", date.min, day)[-1:]
            yield row_problem(
                pointer,
                "not-a-session",
                "The exchange was closed.",
                day,
                [session.isoformat() for session in before],
            )


def _bad_bars(rows: Sequence[Row]) -> Iterator[Problem]:
    for index, row in enumerate(rows):
        given = {name: row[name] for name in _BAR if row[name] is not None}
        for name, value in given.items():
            if value <= 0:
                yield row_problem(
                    f"/prices/{index}/{name}", "validation-error", "A price is above zero.", value
                )
        low, high = given.get("low"), given.get("high")
        if (low is not None and low > min(given.values())) or (
            high is not None and high < max(given.values())
        ):
            yield row_problem(
                f"/prices/{index}",
                "inconsistent-bar",
                "low is not the lowest or high not the highest.",
            )


def _jumps(
    client: Client, rows: Sequence[Row], named: Mapping[str, Instrument]
) -> Iterator[Problem]:
    """Rows that leave the session before, or lead to the one after, by more than `JUMP`."""
    days = [row["session"] for row in rows]
    instruments = list(named.values())
    stored = closes_around(client, instruments, min(days) - _LOOK_AROUND, max(days) + _LOOK_AROUND)
    splits = splits_of(client, instruments)
    multiples = multiples_of(client, instruments)
    posted: dict[int, dict[date, tuple[int, Row]]] = {}
    for index, row in enumerate(rows):
        posted.setdefault(named[row["instrument"]].pk, {})[row["session"]] = (index, row)
    for pk, given in posted.items():
        closes = dict(stored.get(pk, ())) | {day: row["close"] for day, (_, row) in given.items()}
        limit = JUMP * max(Fraction(1), abs(Fraction(multiples.get(pk, Decimal(1)))))
        line = sorted(closes.items())
        for (day, close), (next_day, next_close) in itertools.pairwise(line):
            change = _change(splits.get(pk, ()), day, close, next_day, next_close)
            culprit = given.get(next_day) or given.get(day)
            if abs(change) > limit and culprit is not None and not culprit[1]["confirm_jump"]:
                index, row = culprit
                yield row_problem(
                    f"/prices/{index}/close",
                    "implausible-jump",
                    f"{float(change):+.1%} from {day} to {next_day} without a corporate action.",
                    row["close"],
                    ["record the split first", "confirm_jump: true"],
                )


def _change(
    splits: Sequence[tuple[date, Fraction]],
    day: date,
    close: Decimal,
    next_day: date,
    next_close: Decimal,
) -> Fraction:
    before = Fraction(close) * split_factor(splits, day)
    after = Fraction(next_close) * split_factor(splits, next_day)
    return after / before - 1


def _changed(client: Client, outcome: Appended, action: str, actor: str, request_id: str) -> None:
    if not outcome.changed:
        return
    data_version_bump(client)
    audit_record(
        client=client,
        actor=actor,
        action=action,
        object_id=client.public_id,
        request_id=request_id,
        detail={"new": outcome.new, "corrected": outcome.corrected},
    )
