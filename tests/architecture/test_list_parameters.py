"""Every list by every parameter that it declares is what the ORM itself finds with those values.

Statements are composed once and filled with the values of each request: here each question is
asked with many values in turn, so that one left behind, mixed up or written into what is kept
would be seen in the rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from pytest_django import Settings

from portfolios.api import listing as listings
from portfolios.api import statements
from portfolios.api.listing import Listing
from portfolios.tenancy import client_scope, queries
from riskapi.api.renderers import dumps
from tests.architecture import populations
from tests.architecture.test_access_matrix import PAGED, RECEIVER, _list_address
from tests.architecture.test_sandbox_walls import caller_of_sandbox
from tests.architecture.two_clients import DAY, Side, side_create, side_of
from tests.callers import caller_create
from tests.sizes import every, sized

pytestmark = pytest.mark.django_db
TEXTS = (
    "", " ", "%", "%s", "%%s", "%(a)s", "$1", "'", "''", "\\", "\\'; SELECT 1; --", '"', "a;b",
    "E'\\x41'", "\u2028", "\U0001f0a1", "a\nb", "x" * 200, "x" * 201, "None", "{}", "1" * 25,
    "-1", str(2**63), "NaN", "0001-01-01", "9999-12-31", "2025-02-30", "2025-08-29",
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2025-08-29T00:00:00+14:00",
    "2025-08-29T00:00:00.000001-11:30", "pf_" + "0" * 32, "pf_" + "F" * 32, "evt_" + "f" * 32,
    "true", "false",
)  # fmt: skip


class _Noted(statements.Statements):
    """Statements that can be asked of the ORM as well."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.args, self.named = args, named

    def by_the_orm(self) -> list[bytes]:
        rows, row, order = self.args
        found = rows(self.named["client"], **self.named["given"])
        for lookup, value in self.named["conditions"]:
            found = found.filter(**{lookup: value})
        sign = "-" if order.descending else ""
        found = found.order_by(*(sign + name for name in order.columns))
        return [dumps(row.of_values(one)) for one in found.values(*row.columns)]

    def by_what_is_kept(self) -> list[bytes]:
        [texts, [[count]]] = queries([self.all(), self.count()])
        assert count == len(texts)
        return [dumps(orjson.loads(text)) for (text,) in texts]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[_Noted]:
    noted: list[_Noted] = []

    def note(*args: Any, **named: Any) -> _Noted:
        noted.append(_Noted(*args, **named))
        return noted[-1]

    monkeypatch.setattr(listings, "Statements", note)
    return noted


@pytest.mark.parametrize("in_sandbox", [False, True])
def test_list_is_what_the_orm_finds(
    in_sandbox: bool, asked: list[_Noted], settings: Settings, subtests: pytest.Subtests
) -> None:
    settings.SANDBOX_SEED = "builtins.repr"  # no market is needed
    settings.WEBHOOK_PRIVATE_TARGETS = [RECEIVER]
    statements.forget()
    ours = side_create("alpha", "ALPHAOWN")
    if in_sandbox:
        ours = side_of(caller_of_sandbox(ours.caller), "ALPHAOWN")
    found = compared = 0
    for path, view in PAGED.items():
        for name in view.listing.parameters():
            with subtests.test(path, parameter=name):
                for text in _texts(view.listing, name, ours):
                    asked.clear()
                    address = _list_address(ours, path, f"{name}={quote(text, safe='')}")
                    answer = ours.caller.get(address)
                    assert answer.status < 500, (address, answer.content[:300])
                    if answer.status >= 400 or name == "format":
                        continue
                    [one] = asked
                    with client_scope(ours.caller.client.pk):
                        rows = one.by_the_orm()
                        assert one.by_what_is_kept() == rows, address
                    if name != "limit":
                        assert len(answer.body["data"]) == len(rows), address
                    compared += 1
                    found += bool(rows)
    assert compared >= sized(150, 1_500)
    assert found >= compared / 20


def _texts(listing: Listing, name: str, side: Side) -> Iterator[str]:
    """Values of a parameter: of the rows that there are, awkward ones, several of them at once."""
    base, _, suffix = name.partition("__")
    declared = listing.filters.get(base)
    parse = declared.parse if declared else listing.extra.get(base)
    named = [side.names[kind] for kind in ("instrument", "portfolio_id", "event_id")]
    own = [*getattr(parse, "choices", ()), *named, DAY, f"{DAY}T00:00:00Z", "true"]
    texts = [*every(own, 6), *every(TEXTS, 19)]
    if suffix != "in":
        yield from texts
        return
    yield from (f"{one},{one}" for one in texts)
    yield ",".join(getattr(parse, "choices", named))
    yield ",".join(["a"] * 100)


def test_pages_put_together_are_the_list(asked: list[_Noted], subtests: pytest.Subtests) -> None:
    caller = caller_create("holder")
    side = Side(caller, {"instrument": "FUND", **populations.fill(caller, 5)})
    turned = 0
    for path, view in PAGED.items():
        sorts = [f"&sort={sign}{name}" for name in view.listing.sorts for sign in ("", "-")]
        for sort in sorts or [""]:
            with subtests.test(path, sort=sort):
                if "known_at" in view.listing.extra:  # a first page says what is so now
                    told = caller.get(_list_address(side, path, "limit=1")).body["resolved_from"]
                    sort += f"&known_at={told['known_at']}"  # noqa: PLW2901  # one state for all
                whole = caller.get(_list_address(side, path, f"limit=1000{sort}")).body["data"]
                with client_scope(caller.client.pk):
                    assert len(asked[-1].by_the_orm()) == len(whole)
                    assert asked[-1].by_the_orm() == asked[-1].by_what_is_kept()
                address, pages = _list_address(side, path, f"limit=2{sort}"), []
                while address:
                    answer = caller.get(address)
                    assert answer.status == 200, answer.content[:300]
                    pages += answer.body["data"]
                    address = answer.body["next_url"]
                    turned += address is not None
                assert [*map(dumps, pages)] == [*map(dumps, whole)]
    assert turned >= len(PAGED)
