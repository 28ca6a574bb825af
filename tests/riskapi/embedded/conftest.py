"""A state folder that the server's account can reach; pytest's own folders are closed to it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from riskapi.embedded.processes import Guard
from riskapi.embedded.state import StateFolder, server_account


@pytest.fixture
def state() -> Iterator[StateFolder]:
    folder = StateFolder(Path(tempfile.mkdtemp(prefix="riskapi-")), server_account())
    folder.create()
    yield folder
    shutil.rmtree(folder.path)


@pytest.fixture
def guard() -> Iterator[Guard]:
    guard = Guard()
    yield guard
    guard.close()
