"""The database and the broker of the suite: private servers, tests connected as role `app`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from riskapi.embedded import testing

if TYPE_CHECKING:
    from pytest_django import DjangoDbBlocker

    from riskapi.embedded.servers import Servers


@pytest.fixture(scope="session")
def servers() -> Servers:
    """The session's PostgreSQL and Valkey, running; their addresses are in the environment."""
    return testing.servers()


@pytest.fixture(scope="session")
def django_db_setup(servers: Servers, django_db_blocker: DjangoDbBlocker) -> None:
    """Tables made by role `owner`; every test then works as `app`, under row-level security."""
    from riskapi.embedded.migrations import migrate

    with django_db_blocker.unblock():
        migrate()
    if servers.postgres is not None:
        # The flush between transactional tests; `app` has no such right anywhere else.
        servers.postgres.execute("GRANT TRUNCATE ON ALL TABLES IN SCHEMA public TO app")
