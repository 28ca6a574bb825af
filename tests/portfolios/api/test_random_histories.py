"""Lists of facts against an oracle: drawn histories of shared and own rows, asked in every way."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest

from portfolios.models import Client, CorporateAction, FxRate, Instrument, Price
from portfolios.tenancy import operator_scope
from tests.callers import Caller
from tests.sizes import sized

FIRST = date(2026, 3, 2)
BEGAN = datetime(2026, 4, 1, tzinfo=UTC)
MOMENTS = 12
SYMBOLS = ("NVDA", "AMD")
PAIRS = (("EUR", "USD"), ("TWD", "USD"))


@dataclass(frozen=True)
class Fact:
    """A row of a history: whose, of what, when known, and its value in the answer."""

    client: Client | None
    key: tuple[Any, ...]
    day: date
    recorded_at: datetime
    superseded_at: datetime | None
    value: str

    def is_known(self, known_at: datetime | None) -> bool:
        if known_at is None:
            return self.superseded_at is None
        over = self.superseded_at is not None and self.superseded_at <= known_at
        return self.recorded_at <= known_at and not over


def _moment(at: int) -> datetime:
    # Two that follow each other are a microsecond apart.
    return BEGAN + timedelta(days=at // 2, microseconds=at % 2)


def _histories(
    draw: random.Random, owners: Sequence[Client | None], keys: Sequence[tuple[Any, ...]]
) -> list[Fact]:
    facts = []
    for owner in owners:
        for key in keys:
            for offset in range(14):
                if draw.random() < 0.4:
                    continue
                moments = sorted(draw.sample(range(MOMENTS), draw.choice((1, 1, 2, 3))))
                ends = [*moments[1:], MOMENTS if draw.random() < 0.2 else None]
                for begin, end in zip(moments, ends, strict=True):
                    facts.append(
                        Fact(
                            owner,
                            key,
                            FIRST + timedelta(days=offset),
                            _moment(begin),
                            None if end is None else _moment(end),
                            f"{draw.randrange(1, 10**6)}.{draw.randrange(10**4):04}",
                        )
                    )
    return facts


def _seen(
    facts: Sequence[Fact], client: Client, known_at: datetime | None, keep: Callable[[Fact], bool]
) -> dict[tuple[Any, ...], tuple[str, bool]]:
    """By key and day: the value, and whether it is the client's own."""
    found: dict[tuple[Any, ...], tuple[str, bool]] = {}
    for owner in (None, client):
        for fact in facts:
            if fact.client == owner and fact.is_known(known_at) and keep(fact):
                found[*fact.key, fact.day] = (fact.value, owner is not None)
    return found


def _walked(caller: Caller, url: str | None, total: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while url:
        answer = caller.get(url)
        assert answer.status == 200, (url, answer.content)
        assert answer.body["count"] == total, url
        rows += answer.body["data"]
        url = answer.body["next_url"]
    return rows


@pytest.mark.parametrize("kind", ["prices", "fx-rates", "corporate-actions"])
@pytest.mark.parametrize("seed", range(sized(1, 6)))
def test_list_shows_what_a_simple_reading_of_the_history_does(
    caller: Caller, outsider: Caller, market: dict[str, Instrument], kind: str, seed: int
) -> None:
    draw = random.Random(f"{kind} {seed}")  # noqa: S311  # the same in every run
    keys = PAIRS if kind == "fx-rates" else [(symbol,) for symbol in SYMBOLS]
    facts = _histories(draw, (None, caller.client, outsider.client), keys)
    draw.shuffle(facts)
    with operator_scope():
        _written(kind, facts, market)
    for _ in range(sized(12, 40)):
        asker = draw.choice((caller, outsider))
        key = draw.choice(keys)
        known_at = _moment(draw.randrange(-1, MOMENTS + 1)) if draw.random() < 0.7 else None
        bounds = {
            name: FIRST + timedelta(days=draw.randrange(-1, 15))
            for name in ("from", "to", "as_of")
            if draw.random() < 0.3
        }
        named = _named(kind, key) if kind == "prices" or draw.random() < 0.5 else {}
        column = "ex_date" if kind == "corporate-actions" else "session"
        way = draw.choice(("", "-"))
        asked = {
            **named,
            **bounds,
            **({"known_at": known_at.isoformat()} if known_at else {}),
            "sort": f"{way}{column}",
            "limit": draw.choice((2, 5, 100)),
            "count": "true",
        }
        url = f"/v1/{kind}?" + "&".join(f"{k}={quote(str(v))}" for k, v in asked.items())

        last = min(bounds.get("to", date.max), bounds.get("as_of", date.max))
        wanted = _seen(
            facts,
            asker.client,
            known_at,
            lambda fact, key=key, named=named, bounds=bounds, last=last: (  # type: ignore[misc]  # mypy takes no defaults
                (not named or fact.key == key) and bounds.get("from", date.min) <= fact.day <= last
            ),
        )
        rows = _walked(asker, url, len(wanted))
        shown = {_key(kind, key, row): (_value(kind, row), row["own"]) for row in rows}
        assert shown == wanted, url
        assert len(rows) == len(wanted), url
        days = [row[column] for row in rows]
        assert days == sorted(days, reverse=way == "-"), url


def _written(kind: str, facts: Sequence[Fact], market: dict[str, Instrument]) -> None:
    for fact in facts:
        common = {
            "client": fact.client,
            "recorded_at": fact.recorded_at,
            "superseded_at": fact.superseded_at,
        }
        value = Decimal(fact.value)
        if kind == "prices":
            of = market[fact.key[0]]
            Price.objects.create(instrument=of, session=fact.day, close=value, **common)
        elif kind == "fx-rates":
            base, other = fact.key
            FxRate.objects.create(base=base, quote=other, session=fact.day, rate=value, **common)
        else:
            CorporateAction.objects.create(
                instrument=market[fact.key[0]],
                ex_date=fact.day,
                kind=CorporateAction.Kind.DISTRIBUTION,
                amount=value,
                **common,
            )


def _named(kind: str, key: tuple[Any, ...]) -> dict[str, str]:
    if kind == "fx-rates":
        return {"base": key[0], "quote": key[1]}
    return {"instrument": key[0]}


def _key(kind: str, asked: tuple[Any, ...], row: dict[str, Any]) -> tuple[Any, ...]:
    if kind == "prices":
        return (*asked, date.fromisoformat(row["session"]))
    if kind == "fx-rates":
        return (row["base"], row["quote"], date.fromisoformat(row["session"]))
    return (row["instrument"]["symbol"], date.fromisoformat(row["ex_date"]))


def _value(kind: str, row: dict[str, Any]) -> str:
    return str(row[{"prices": "close", "fx-rates": "rate"}.get(kind, "amount")])
