"""Compiled inner loop of the block bootstrap; import it where it is called, not at start."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from analytics.engine.types import FloatArray, IntArray

# SplitMix64 of Steele, Lea and Flood (2014).
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S32 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
# Bits of a draw that pick a row of the guide to block lengths.
GUIDE_BITS = 12
_GUIDE_SHIFT = np.uint64(32 - GUIDE_BITS)


@njit(
    "void(float64[:,::1], int64, int64[::1], uint64[::1], int64[::1], uint64, int64, int64, "
    "float64[:,:,::1])",
    cache=True,
    nogil=True,
)
def stationary_sums(  # noqa: PLR0917 - kernels take no keywords
    prefix: FloatArray,
    n_obs: int,
    horizons: IntArray,
    thresholds: NDArray[np.uint64],
    guide: IntArray,
    seed: np.uint64,
    first: int,
    last: int,
    out: FloatArray,
) -> None:
    """Fill ``out[:, :, first:last]`` with sums over stationary-bootstrap paths.

    `prefix` is (n_obs + longest + 1, n_series), `out` (n_series, n_horizons, n_paths). One 64-bit
    draw makes a block: its upper half the start, its lower half u the length, which is 1 plus the
    number of `thresholds` at or below u; `guide` says where to begin counting.
    """
    n_series = prefix.shape[1]
    n_horizons = horizons.shape[0]
    longest = horizons[n_horizons - 1]
    total = np.empty(n_series)
    state = seed
    for path in range(first, last):
        total[:] = 0.0
        done = 0
        horizon = 0
        while done < longest:
            state += _GOLDEN
            z = (state ^ (state >> _S30)) * _MIX_1
            z = (z ^ (z >> _S27)) * _MIX_2
            z = z ^ (z >> _S31)
            start = np.int64(((z >> _S32) * np.uint64(n_obs)) >> _S32)
            u = z & _LOW
            row = guide[u >> _GUIDE_SHIFT]
            while thresholds[row] <= u:
                row += 1
            length = min(row + 1, longest - done)
            while horizon < n_horizons and horizons[horizon] <= done + length:
                stop = start + horizons[horizon] - done
                for series in range(n_series):
                    out[series, horizon, path] = (
                        total[series] + prefix[stop, series] - prefix[start, series]
                    )
                horizon += 1
            stop = start + length
            for series in range(n_series):
                total[series] += prefix[stop, series] - prefix[start, series]
            done += length
