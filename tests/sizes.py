"""How much a test with a long form does: the short form is part of every run of the suite."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from tests.switches import is_on

#: `RISK_LONG_TESTS=1 python3 manage.py test ...` runs the long forms.
LONG = is_on("RISK_LONG_TESTS")

T = TypeVar("T")


def sized(short: T, full: T) -> T:
    """The figure of the form that is run."""
    return full if LONG else short


def every(items: Iterable[T], step: int) -> Iterator[T]:
    """All items in the long form; in the short one every so manieth, the same each time."""
    return islice(items, 0, None, 1 if LONG else step)
