"""Compiled inner loop of the block bootstrap; import it where it is called, not at start."""

from __future__ import annotations

import numpy as np
from numba import njit

from analytics.engine.types import FloatArray, IntArray

# SplitMix64 of Steele, Lea and Flood (2014).
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_TO_UNIT = 1.0 / 9007199254740992.0


@njit("float64(uint64)", cache=True, inline="always")
def _unit(state: np.uint64) -> float:
    """Uniform in [0, 1) with 53 bits from a counter."""
    z = (state ^ (state >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    z = z ^ (z >> _S31)
    return np.float64(z >> _S11) * _TO_UNIT


@njit(
    "void(float64[:,::1], int64, int64[::1], float64, uint64, int64, int64, float64[:,:,::1])",
    cache=True,
    nogil=True,
)
def stationary_sums(  # noqa: PLR0917 - kernels take no keywords
    prefix: FloatArray,
    n_obs: int,
    horizons: IntArray,
    restart_probability: float,
    seed: np.uint64,
    first: int,
    last: int,
    out: FloatArray,
) -> None:
    """Fill ``out[:, :, first:last]`` with sums over stationary-bootstrap paths.

    `prefix` is (n_obs + longest + 1, n_series), `out` (n_series, n_horizons, n_paths).
    """
    n_series = prefix.shape[1]
    n_horizons = horizons.shape[0]
    longest = horizons[n_horizons - 1]
    always = restart_probability >= 1.0
    scale = 0.0 if always else 1.0 / np.log1p(-restart_probability)
    total = np.empty(n_series)
    state = seed
    for path in range(first, last):
        total[:] = 0.0
        done = 0
        horizon = 0
        while done < longest:
            state += _GOLDEN
            start = np.int64(_unit(state) * n_obs)
            length = longest - done
            if always:
                length = 1
            else:
                state += _GOLDEN
                drawn = 1.0 + np.floor(np.log(1.0 - _unit(state)) * scale)
                if drawn < length:
                    length = np.int64(drawn)
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
