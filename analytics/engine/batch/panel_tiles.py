"""The return panel as kernels read it: in tiles of sessions that stay in cache."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.engine.batch.compiling import (
    contiguous,
    flags2,
    floats2,
    integer,
    integers,
    integers_out,
    kernel,
    out2,
    out3,
)
from analytics.engine.checks import masked_rows
from analytics.engine.errors import InvalidInputError
from analytics.engine.types import BoolArray, FloatArray, IntArray

# 128 sessions of 5,000 instruments are 5 MB, which stay in the last cache while portfolios pass.
SESSIONS_PER_TILE = 128
_STRIPE = 16  # instruments whose lines are written together while a tile is turned


@dataclass(frozen=True, slots=True, eq=False)
class PanelTiles:
    """Returns of all instruments in both orders, and where they are missing.

    Attributes
    ----------
    tiles : float64 array of shape (n_tiles, n_instruments, SESSIONS_PER_TILE)
        Simple returns as decimals; 0 where missing and after the last session.
    by_session : float64 array of shape (n_obs, n_instruments)
        The same in session order.
    first, stop : int64 array of shape (n_instruments,)
        First session with a return and the one after the last; both 0 where there is none.
    gap_offsets : int64 array of shape (n_instruments + 1,)
    gaps : int64 array
        Sessions without a return between `first` and `stop`; those of instrument i are
        ``gaps[gap_offsets[i]:gap_offsets[i + 1]]``.
    """

    tiles: FloatArray
    by_session: FloatArray
    first: IntArray
    stop: IntArray
    gap_offsets: IntArray
    gaps: IntArray

    @property
    def n_obs(self) -> int:
        """Number of sessions."""
        return int(self.by_session.shape[0])

    @property
    def n_instruments(self) -> int:
        """Number of instruments."""
        return int(self.by_session.shape[1])


def panel_tiles(panel_returns: FloatArray) -> PanelTiles:
    """Arrange a return panel for the kernels, once for each version of the data.

    Parameters
    ----------
    panel_returns : float64 array of shape (n_obs, n_instruments)
        Simple returns as decimals, oldest first; NaN where the instrument has none.

    Returns
    -------
    PanelTiles

    Raises
    ------
    InvalidInputError
        If a return is infinite.
    """
    panel = masked_rows(panel_returns, "panel_returns")
    return _arranged(np.array(panel, dtype=np.float64, order="C"))


def panel_tiles_from_levels(total_return_levels: FloatArray) -> PanelTiles:
    """Arrange the returns of total-return levels without a copy of the panel in between.

    Parameters
    ----------
    total_return_levels : float64 array of shape (n_sessions, n_instruments)
        Positive, oldest first; NaN where there is no price. A read-only mapped file is welcome.

    Returns
    -------
    PanelTiles
        Of n_sessions - 1 returns; a return over a gap is missing, as in `simple_returns`.

    Raises
    ------
    InvalidInputError
        If a level is infinite or not positive, or a return is.
    """
    levels = contiguous(total_return_levels, np.float64)
    if levels.ndim != 2 or levels.shape[0] < 2:
        raise InvalidInputError(
            f"total_return_levels must have two sessions or more, got shape {levels.shape}",
            argument="total_return_levels",
        )
    returns = np.empty((levels.shape[0] - 1, levels.shape[1]))
    if _growth(levels, returns):
        raise InvalidInputError(
            "levels must be positive and finite, with NaN for a missing price; zero is not a price",
            argument="total_return_levels",
        )
    return _arranged(returns)


def _arranged(returns: FloatArray) -> PanelTiles:
    """Take over `returns` as `by_session`."""
    n_obs, n_instruments = returns.shape
    n_tiles = -(-n_obs // SESSIONS_PER_TILE)
    tiles = np.zeros((n_tiles, n_instruments, SESSIONS_PER_TILE))
    first, stop = np.zeros((2, n_instruments), dtype=np.int64)
    _history(returns, first, stop)
    missing = np.zeros((n_instruments, n_obs), dtype=np.bool_)
    _turn(returns, first, stop, tiles, missing)
    gap_offsets = np.zeros(n_instruments + 1, dtype=np.int64)
    np.cumsum(missing.sum(axis=1), out=gap_offsets[1:])
    gaps = contiguous(np.nonzero(missing)[1], np.int64)
    return PanelTiles(tiles, returns, first, stop, gap_offsets, gaps)


@kernel(floats2, out2, returns=integer)
def _growth(levels: FloatArray, returns: FloatArray) -> int:
    """Write simple returns; return how many levels are no prices."""
    refused = 0
    for session in range(levels.shape[0]):
        for instrument in range(levels.shape[1]):
            level = levels[session, instrument]
            refused += level <= 0.0 or level == np.inf
    for session in range(returns.shape[0]):
        for instrument in range(returns.shape[1]):
            growth = levels[session + 1, instrument] / levels[session, instrument]
            returns[session, instrument] = growth - 1.0
    return refused


@kernel(floats2, integers_out, integers_out)
def _history(returns: FloatArray, first: IntArray, stop: IntArray) -> None:
    """Find each instrument's first return and the session after its last."""
    for session in range(returns.shape[0]):
        for instrument in range(returns.shape[1]):
            value = returns[session, instrument]
            if value == value:  # false for NaN alone
                if stop[instrument] == 0:
                    first[instrument] = session
                stop[instrument] = session + 1


@kernel(out2, integers, integers, out3, flags2)
def _turn(
    returns: FloatArray, first: IntArray, stop: IntArray, tiles: FloatArray, missing: BoolArray
) -> None:
    """Fill the tiles, put 0 for NaN, and mark the gaps inside each history."""
    n_obs, n_instruments = returns.shape
    for tile in range(tiles.shape[0]):
        begin = tile * SESSIONS_PER_TILE
        length = min(SESSIONS_PER_TILE, n_obs - begin)
        for stripe in range(0, n_instruments, _STRIPE):
            for offset in range(length):
                session = begin + offset
                for instrument in range(stripe, min(stripe + _STRIPE, n_instruments)):
                    value = returns[session, instrument]
                    if value != value:  # true for NaN alone
                        returns[session, instrument] = value = 0.0
                        if first[instrument] <= session < stop[instrument]:
                            missing[instrument, session] = True
                    tiles[tile, instrument, offset] = value
