"""Whatever a test of this room has computed is of the shape that the API publishes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from analytics.models import Result
from portfolios.tenancy import operator_scope
from tests.result_shapes import unit_complaints


@pytest.fixture(autouse=True)
def results_are_as_published(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hold every result that the test leaves behind against its published shape."""
    used = request.node.get_closest_marker("django_db") is not None
    names = request.fixturenames
    if not used and not {"db", "transactional_db"} & set(names):
        yield
        return
    request.getfixturevalue("transactional_db" if "transactional_db" in names else "db")
    yield
    with operator_scope():
        stored = list(Result.objects.values_list("unit__run__kind", "body"))
    found = {text for kind, body in stored for text in unit_complaints(kind, body)}
    assert not found
