"""The second wall: row-level security alone keeps clients apart, on kept connections too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection

from portfolios.api import statements
from portfolios.models import Portfolio
from portfolios.selectors import portfolios as selectors
from tests.callers import Caller, caller_create


@pytest.fixture
def unscoped(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The first wall down: selectors that forgot the client."""
    monkeypatch.setattr(
        selectors, "portfolio_list_for_client", lambda client: Portfolio.objects.all()
    )
    statements.forget()
    yield
    statements.forget()


def test_selectors_that_forget_the_client_still_show_nothing_foreign(
    caller: Caller, outsider: Caller, unscoped: None
) -> None:
    mine = caller.post("/v1/portfolios", {"name": "Mine"}).body
    theirs = outsider.post("/v1/portfolios", {"name": "Theirs"}).body
    assert [row["id"] for row in caller.get("/v1/portfolios").body["data"]] == [mine["id"]]
    path = f"/v1/portfolios/{theirs['id']}"
    assert caller.get(path).code == "not-found"
    assert caller.patch(path, {"name": "Taken"}, If_Match="*").code == "not-found"
    assert caller.put(f"{path}/positions?as_of=2026-11-20", {"positions": []}).status == 404
    assert outsider.get(path).body == theirs


@pytest.mark.django_db(transaction=True)
def test_nothing_of_a_request_stays_on_its_connection(unscoped: None) -> None:
    callers = [caller_create(slug) for slug in ("alpha", "omega", "sigma")]
    for caller in callers:
        caller.post("/v1/portfolios", {"name": caller.client.name})
    for round_number in range(100):
        for caller in callers:
            if round_number % 3 == 1:
                assert caller.get("/v1/portfolios?cursor=forged").status == 400
            names = [row["name"] for row in caller.get("/v1/portfolios").body["data"]]
            assert names == [caller.client.name]
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM portfolios_portfolio")
                assert cursor.fetchone() == (0,)
