"""What is kept of a statement holds no value of the request that it was composed for."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.models import QuerySet

from portfolios.api import statements
from portfolios.api.statements import Order, Statements
from portfolios.identifiers import sandbox_id, uuid7
from portfolios.models import Client, Portfolio
from portfolios.plans import Statement
from portfolios.selectors.json_rows import JsonRow, plain, public_id
from portfolios.selectors.portfolios import portfolio_rows_known
from portfolios.tenancy import client_queries
from tests.callers import Caller

ROW = JsonRow(id=public_id("id", "pf"), name=plain("name"))
ORDER = Order("name", "id", descending=False)
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def _asked(client: Client, known_at: datetime | None, **conditions: Any) -> Statements:
    return Statements(
        portfolio_rows_known,
        ROW,
        ORDER,
        client=client,
        given={"known_at": known_at},
        conditions=list(conditions.items()),
    )


def test_same_question_is_composed_once_and_asked_with_its_own_values() -> None:
    statements.forget()
    one, other = Client(pk=uuid7()), Client(pk=uuid7())
    first = _asked(one, NOW, name__exact="a", created_at__gte=NOW).page(10, None)
    second = _asked(other, NOW.replace(year=2025), name__exact="b", created_at__gte=NOW)
    sql, parameters = second.page(20, None)
    assert statements._composed.cache_info().misses == 1
    assert sql == first[0]
    assert set(parameters) == {other.pk, NOW.replace(year=2025), "b", NOW, 20, 21}
    assert set(first[1]) == {one.pk, NOW, "a", 10, 11}


def test_first_use_by_many_at_once_gives_each_its_own_values() -> None:
    statements.forget()
    clients = [Client(pk=uuid7()) for _ in range(20)]
    together = threading.Barrier(len(clients))

    def ask(client: Client) -> Statement:
        together.wait()
        return _asked(client, NOW, name__exact=str(client.pk)).page(7, None)

    with ThreadPoolExecutor(len(clients)) as pool:
        found = list(pool.map(ask, clients))
    assert len({sql for sql, _ in found}) == 1
    for client, (_, parameters) in zip(clients, found, strict=True):
        assert set(parameters) == {client.pk, NOW, str(client.pk), 7, 8}


def test_each_way_to_ask_is_a_statement_of_its_own() -> None:
    client = Client(pk=uuid7())
    asked = [
        _asked(client, None),
        _asked(client, NOW),
        _asked(client, None, name__exact="a"),
        _asked(client, None, name__in=["a", "b"]),
        _asked(client, None, name__in=["a", "b", "c"]),
        _asked(client, None, is_active__exact=True),
        _asked(client, None, is_active__exact=False),
    ]
    assert len({one.page(10, None)[0] for one in asked}) == len(asked)
    assert asked[3].count()[1] == [client.pk, "a", "b", None]


def test_sandbox_asks_by_statements_of_its_own() -> None:
    """A shared table's condition is another for it."""
    live, sandbox = _asked(Client(pk=uuid7()), None), _asked(Client(pk=sandbox_id()), None)
    assert live._question != sandbox._question


@pytest.mark.parametrize(
    "fixed", [uuid.UUID(int=5), date(2026, 1, 2), datetime(2026, 1, 2, tzinfo=UTC)]
)
def test_rows_with_a_value_of_their_own_are_not_kept(fixed: Any) -> None:
    column = "id" if isinstance(fixed, uuid.UUID) else "created_at__date"
    column = "created_at" if isinstance(fixed, datetime) else column

    def rows(client: Client) -> QuerySet[Any]:
        return Portfolio.objects.filter(client=client, **{column: fixed})

    asked = Statements(rows, ROW, ORDER, client=Client(pk=uuid7()), given={}, conditions=[])
    with pytest.raises(AssertionError, match="not to be kept"):
        asked.count()


def test_rows_that_leave_out_what_was_given_are_not_kept() -> None:
    def rows(client: Client, *, name: str) -> QuerySet[Any]:  # that is the mistake
        return Portfolio.objects.filter(client=client)

    client = Client(pk=uuid7())
    asked = Statements(rows, ROW, ORDER, client=client, given={"name": "a"}, conditions=[])
    with pytest.raises(AssertionError, match="not to be kept"):
        asked.count()


@pytest.mark.django_db(transaction=True)
def test_trip_of_its_own_ends_a_statement_that_takes_too_long() -> None:
    slow = [("SELECT 1", []), ("SELECT pg_sleep(%s)", [5])]
    with pytest.raises(OperationalError, match="statement timeout"):
        client_queries(uuid7(), slow, statement_timeout="20ms")
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)  # for the next on this connection


@pytest.mark.django_db
def test_answer_says_when_by_the_databases_clock(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        [before] = cursor.fetchone()
    monkeypatch.setattr("portfolios.api.listing.datetime", _Wrong)
    told = caller.get("/v1/portfolios").body["resolved_from"]["known_at"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        [after] = cursor.fetchone()
    assert before <= datetime.fromisoformat(told) <= after


class _Wrong(datetime):
    """The clock of a server that is years behind."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return datetime(2020, 1, 1, tzinfo=tz)
