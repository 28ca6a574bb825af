"""What was freed goes back to the system."""

from __future__ import annotations

import os
import weakref
from pathlib import Path

import pytest

from portfolios import memory

_MEGABYTE = 1 << 20


def held() -> float:
    """Megabytes of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MEGABYTE


@pytest.mark.skipif(memory._trim is None, reason="a C library that needs no asking")
def test_holes_are_given_back() -> None:
    # Too small for pages of their own; the last one keeps the heap from shrinking by itself.
    blocks = [bytearray(b"x" * 50_000) for _ in range(2_000)]
    full = held()
    with memory.memory_given_back(0):
        del blocks[:-1]
    assert full - held() > 60
    assert len(blocks) == 1


class _Circle:
    """What is freed by a look for garbage alone."""

    def __init__(self) -> None:
        self.itself = self


@pytest.mark.parametrize(("n_bytes", "is_there"), [(5_000_000, False), (5_000, True)])
def test_garbage_goes_before_much_is_read(n_bytes: int, is_there: bool) -> None:
    garbage = weakref.ref(_Circle())
    with memory.memory_given_back(n_bytes):
        assert (garbage() is not None) == is_there
