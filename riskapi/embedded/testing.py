"""`manage.py test`: pytest against private servers that start when a test first needs them."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

from riskapi.embedded.bootstrap import ROOT
from riskapi.embedded.servers import Servers, TestServers

#: Loading whatever plugin happens to be installed doubles the start of a run.
_PLUGINS = (
    "pytest_django.plugin",
    "pytest_randomly",
    "_hypothesis_pytestplugin",
    "schemathesis.pytest.plugin",
    "time_machine",
)

_session: TestServers | None = None


def run(arguments: Sequence[str]) -> int:
    """Run the suite from the checkout's root; arguments go to pytest."""
    global _session  # noqa: PLW0603 - pytest offers no way to hand an object to conftest.py
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    plugins = [word for name in _PLUGINS for word in ("-p", name)]
    _session = TestServers()
    try:
        return int(pytest.main([*plugins, f"--rootdir={ROOT}", *arguments]))
    finally:
        _session.close()


def servers() -> Servers:
    """The session's servers, running."""
    if _session is None:
        raise pytest.UsageError("this test needs the database: run `python3 manage.py test`")
    return _session.start()
