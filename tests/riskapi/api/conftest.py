"""Callers for the tests of the edge."""

from __future__ import annotations

import pytest

from tests.callers import Caller, caller_create


@pytest.fixture
def caller(db: None) -> Caller:
    """A client's key with every scope."""
    return caller_create("alpha")


@pytest.fixture
def outsider(db: None) -> Caller:
    """Another client's key with every scope."""
    return caller_create("omega")
