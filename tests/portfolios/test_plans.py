"""A connection makes the plan of a statement once, and begins anew after an error."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection

from portfolios import plans
from portfolios.plans import planned, rows_planned
from portfolios.tenancy import queries

pytestmark = pytest.mark.django_db(transaction=True)

SUM = "SELECT %s::int + %s::int"


@pytest.fixture(autouse=True)
def anew() -> None:
    connection.close()  # to the pool, or for good: what is noted is beside each connection
    plans._names.clear()


def _prepared() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_prepared_statements")
        return {name for (name,) in cursor.fetchall()}


def _asked(*statements: tuple[str, list[object]]) -> tuple[str, list[list[tuple[object, ...]]]]:
    with planned(statements) as by_plan:
        return ";".join(sql for sql, _ in by_plan), queries(by_plan)


def test_statement_is_prepared_in_the_trip_that_first_needs_it() -> None:
    sent, found = _asked((SUM, [1, 2]))
    assert "PREPARE" in sent
    assert found == [[(3,)]]
    assert _asked((SUM, [3, 4]), (SUM, [5, 6])) == (
        "EXECUTE plan_0(%s, %s);EXECUTE plan_0(%s, %s)",
        [[(7,)], [(11,)]],
    )
    assert _prepared() == {"plan_0"}


def test_percent_signs_stay() -> None:
    statement = "SELECT %s::text || '100 %%'"
    assert _asked((statement, ["%s "]))[1] == _asked((statement, ["%s "]))[1] == [[("%s 100 %",)]]


@pytest.mark.parametrize("failing", [("SELECT 1 / %s::int", [0]), ("SELECT %s::text", ["\0"])])
def test_connection_begins_anew_after_an_error(failing: tuple[str, list[object]]) -> None:
    _asked((SUM, [1, 2]))
    for _ in range(2):
        with pytest.raises(DatabaseError):
            _asked(failing)
    sent, found = _asked((SUM, [1, 2]))
    assert sent.startswith("DEALLOCATE ALL;PREPARE")
    assert found == [[(3,)]]
    assert _prepared() == {"plan_0"}


def test_connection_keeps_so_many_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "MAX_PLANS", 3)
    statements: list[tuple[str, list[object]]] = [
        (f"SELECT %s::int + {at}", [at]) for at in range(5)
    ]
    for _ in range(3):
        for at, statement in enumerate(statements):
            assert _asked(statement)[1] == [[(2 * at,)]]
            assert len(_prepared()) <= 3
    assert _asked(*statements)[1] == [[(2 * at,)] for at in range(5)]


def test_rows_are_those_of_the_planned_statement() -> None:
    ahead = ("SELECT set_config('app.client_id', %s, false);", ["somebody"])
    for _ in range(2):
        rows = rows_planned(
            "SELECT current_setting('app.client_id') || %s::text", ["!"], before=ahead
        )
        assert rows == [("somebody!",)]
    assert rows_planned("UPDATE portfolios_client SET name = %s WHERE false", ["x"]) == []
    assert len(_prepared()) == 2
    with connection.cursor() as cursor:
        cursor.execute("RESET app.client_id")
