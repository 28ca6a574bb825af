"""Rows of these tests are planted, with bodies that no worker writes."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def results_are_as_published() -> None:
    """In place of the room's check: what is planted is not what is published."""
