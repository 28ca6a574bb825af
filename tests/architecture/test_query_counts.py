"""No GET asks the database more often because there is more to show.

`RISK_WRITE_QUERY_COUNTS=1 python3 manage.py test tests/architecture/test_query_counts.py` writes
the counts of this version to query_counts.json; a change there is for a reviewer to see.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.architecture import populations
from tests.architecture.test_endpoints import ENDPOINTS
from tests.callers import Caller, caller_create
from tests.switches import is_on

pytestmark = pytest.mark.django_db

BASELINES = Path(__file__).with_name("query_counts.json")
WRITING = is_on("RISK_WRITE_QUERY_COUNTS")
FEW, MANY = 1, 20
#: Query strings of endpoints that do not answer without.
QUERIES = {
    "v1/prices": "instrument=FUND",
    "v1/calendars/<str:calendar>": "from=2025-01-02&to=2025-03-31",
}
#: Names in an address that mean something else there than anywhere else.
NAMES = {"v1/guide/<str:name>": {"name": "getting-started"}}
#: Answered by somebody else's view, from what is in memory.
NOT_OURS = {"v1/openapi.json", "v1/docs"}
READ = sorted(
    path
    for path, view in ENDPOINTS.items()
    if path not in NOT_OURS and "GET" in getattr(view, "required_scopes", ())
)


def _counts(rows: int) -> dict[str, int]:
    """Queries of every GET with so many rows behind it."""
    caller = caller_create(f"holder-of-{rows}")
    parameters = populations.fill(caller, rows)
    return {path: _count(caller, path, parameters) for path in READ}


def _count(caller: Caller, path: str, parameters: populations.Parameters) -> int:
    named = parameters | NAMES.get(path, {})
    address = re.sub(r"<str:(\w+)>", lambda found: named[found[1]], f"/{path}")
    query = QUERIES.get(path)
    address = f"{address}?{query}" if query else address
    caller.get(address)  # what a process keeps is read once
    with CaptureQueriesContext(connection) as asked:
        answer = caller.get(address)
    assert answer.status == 200, (path, answer.content)
    return len(asked)


def test_queries_are_as_many_with_twenty_rows_as_with_one_and_as_many_as_before() -> None:
    few, many = _counts(FEW), _counts(MANY)
    if WRITING:
        BASELINES.write_text(json.dumps(few, indent=4) + "\n")
    assert many == few
    assert few == json.loads(BASELINES.read_text())
