"""Memory that a large file took, given back to the system.

The C library keeps what was freed, in case it is asked for again; a hole below something that
lives stays a hole. A process that reads a large file now and then would hold its size for good.
Arrow has a pool of its own, which keeps too.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

# glibc has it, others give back by themselves.
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)


#: From so many bytes on a look for garbage, a tenth of a second, is little beside the reading.
_MUCH = 1_000_000


@contextmanager
def memory_given_back(n_bytes: int) -> Iterator[None]:
    """Give back what the body took and freed; milliseconds, so for work that takes longer.

    `n_bytes`: how much is about to be read. Before much is, what is garbage by now goes: Python
    looks for it once there is a quarter more of everything than there was the last time.
    """
    if n_bytes >= _MUCH:
        gc.collect()
    try:
        yield
    finally:
        pa.default_memory_pool().release_unused()
        if _trim is not None:
            _trim(0)
