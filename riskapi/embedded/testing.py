"""`manage.py test`: pytest against private servers that start when a test first needs them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from riskapi.embedded.bootstrap import ROOT
from riskapi.embedded.servers import Servers, TestServers

_session: TestServers | None = None


def run(arguments: Sequence[str]) -> int:
    """Run the suite from the checkout's root; arguments go to pytest."""
    global _session  # noqa: PLW0603 - pytest offers no way to hand an object to conftest.py
    _session = TestServers()
    try:
        return int(pytest.main([f"--rootdir={ROOT}", *arguments]))
    finally:
        _session.close()


def servers() -> Servers:
    """The session's servers, running."""
    if _session is None:
        raise pytest.UsageError("this test needs the database: run `python3 manage.py test`")
    return _session.start()
