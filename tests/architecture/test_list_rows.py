"""A row of a list says what the object says of itself."""

from __future__ import annotations

import pytest

from tests.architecture import populations
from tests.callers import caller_create

pytestmark = pytest.mark.django_db

#: Lists whose rows can be read by themselves, by their id.
LISTS = (
    "/v1/portfolios",
    "/v1/instruments",
    "/v1/portfolios/{portfolio_id}/position-sets",
    "/v1/runs",
    "/v1/reports",
    "/v1/imports",
    "/v1/webhook-endpoints",
    "/v1/webhook-endpoints/{endpoint_id}/deliveries",
)


def test_row_is_the_object() -> None:
    caller = caller_create("holder")
    names = populations.fill(caller, 3)
    for path in LISTS:
        address = path.format(**names)
        rows = caller.get(address).body["data"]
        found = [caller.get(f"{address}/{row['id']}") for row in rows]
        pairs = [(row, one.body) for row, one in zip(rows, found, strict=True) if one.status == 200]
        assert pairs, path
        for row, alone in pairs:  # of three runs of the population one alone has units
            assert [*row.items()] == [(n, v) for n, v in alone.items() if n in row], path
