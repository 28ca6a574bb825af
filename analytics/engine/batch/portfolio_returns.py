"""Return series of many portfolios: a sparse product in tiles, made up for missing instruments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from analytics.engine.batch.compiling import (
    contiguous,
    flags2,
    floats,
    floats3,
    integers,
    integers_out,
    kernel,
    narrow,
    out2,
    prefetch,
    real,
)
from analytics.engine.batch.panel_tiles import SESSIONS_PER_TILE, PanelTiles
from analytics.engine.checks import LARGEST_MAGNITUDE
from analytics.engine.errors import InvalidInputError
from analytics.engine.types import BoolArray, FloatArray, IntArray

CHUNK = 500

_RETURNS_PER_LINE = 8  # of 64 bytes

# Coverage is a sum in another order than the total: what differs by rounding is equal.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Books:
    """Positions of many portfolios, one portfolio after another.

    Attributes
    ----------
    offsets : int64 array of shape (n_portfolios + 1,)
        Positions of portfolio p are ``offsets[p]`` to ``offsets[p + 1]``.
    instruments : int32 array of shape (n_positions,)
        Columns of the panel; ascending order within a portfolio is fastest.
    exposures : float64 array of shape (n_positions,)
        Signed exposure over net asset value.
    """

    offsets: IntArray
    instruments: np.typing.NDArray[np.int32]
    exposures: FloatArray

    @property
    def n_portfolios(self) -> int:
        """Number of portfolios."""
        return int(self.offsets.shape[0]) - 1

    def part(self, begin: int, end: int) -> Books:
        """Return portfolios `begin` to `end`."""
        low, high = self.offsets[begin], self.offsets[end]
        return Books(
            self.offsets[begin : end + 1] - low,
            self.instruments[low:high],
            self.exposures[low:high],
        )

    def chunks(self, size: int = CHUNK) -> Iterator[tuple[int, Books]]:
        """Yield the portfolios in parts of `size`, each with the number of its first one."""
        for begin in range(0, self.n_portfolios, size):
            yield begin, self.part(begin, min(begin + size, self.n_portfolios))


def books(
    offsets: IntArray, instruments: IntArray, exposures: FloatArray, *, n_instruments: int
) -> Books:
    """Check positions and give them the types that the kernels read.

    Parameters
    ----------
    offsets, instruments, exposures
        As in `Books`, of any integer type.
    n_instruments : int
        Columns of the panel.

    Raises
    ------
    InvalidInputError
        If the offsets do not ascend from 0 to the number of positions, an instrument is not in the
        panel, or an exposure is not finite.
    """
    result = Books(
        contiguous(offsets, np.int64),
        contiguous(instruments, np.int32),
        contiguous(exposures, np.float64),
    )
    n_positions = result.exposures.shape[0]
    if (
        result.offsets.ndim != 1
        or result.offsets.shape[0] == 0
        or result.offsets[0] != 0
        or result.offsets[-1] != n_positions
        or (np.diff(result.offsets) < 0).any()
        or result.instruments.shape != result.exposures.shape
    ):
        raise InvalidInputError(
            f"offsets must ascend from 0 to the {n_positions} positions, one instrument and one "
            "exposure each",
            argument="offsets",
        )
    if n_positions and not 0 <= result.instruments.min() <= result.instruments.max() < (
        n_instruments
    ):
        raise InvalidInputError(
            f"instruments must be columns of the panel, 0 to {n_instruments - 1}",
            argument="instruments",
        )
    if n_positions and not np.abs(result.exposures).max() <= LARGEST_MAGNITUDE:
        raise InvalidInputError(
            "exposures must be finite; drop a position or give it an exposure",
            argument="exposures",
        )
    return result


class BookReturns(NamedTuple):
    """Return series of a batch of portfolios.

    Attributes
    ----------
    series : float64 array of shape (n_portfolios, n_obs)
        Simple returns as decimals of net asset value; the placeholder 0 where not `observed`.
    coverage : float64 array of shape (n_portfolios, n_obs)
        Share of gross exposure with a return on the session, 0 to 1.
    observed : bool array of shape (n_portfolios, n_obs)
        False where coverage is below the least.
    n_excluded : int64 array of shape (n_portfolios,)
        Sessions that are not `observed`.
    """

    series: FloatArray
    coverage: FloatArray
    observed: BoolArray
    n_excluded: IntArray


def book_returns(panel: PanelTiles, batch: Books, *, min_coverage: float = 0.5) -> BookReturns:
    """Return series of portfolios held at fixed exposures.

    Parameters
    ----------
    panel : PanelTiles
    batch : Books
        About 500 portfolios or more at a time: each call reads the whole panel once.
    min_coverage : float
        Smallest share of gross exposure that must have a return for a session to count.

    Returns
    -------
    BookReturns

    Notes
    -----
    The numbers of `analytics.engine.returns.portfolio_returns`. Each history is described by
    events: a position is unavailable before its inception, after its end and on its gaps, so the
    unavailable exposure of a session is one running sum over the events before it. That costs
    little where a second product, on the mask, would cost as much as the first.
    """
    shape = (batch.n_portfolios, panel.n_obs)
    series, coverage = np.empty(shape), np.empty(shape)
    observed = np.empty(shape, dtype=np.bool_)
    n_excluded = np.zeros(batch.n_portfolios, dtype=np.int64)
    tiled_product(panel.tiles, batch.offsets, batch.instruments, batch.exposures, series)
    renormalize(
        panel.first,
        panel.stop,
        panel.gap_offsets,
        panel.gaps,
        batch.offsets,
        batch.instruments,
        batch.exposures,
        min_coverage,
        series,
        coverage,
        observed,
        n_excluded,
    )
    return BookReturns(series, coverage, observed, n_excluded)


@kernel(floats3, integers, narrow, floats, out2)
def tiled_product(
    tiles: FloatArray,
    offsets: IntArray,
    instruments: np.typing.NDArray[np.int32],
    exposures: FloatArray,
    series: FloatArray,
) -> None:
    """Write exposures times returns, zeros for missing ones, tile by tile.

    Four positions are added at a time: the running sums are then read and written a quarter as
    often, and what is left is reading returns from the last cache. The next four are asked for
    meanwhile: their rows lie apart, so the processor does not foresee them.
    """
    last = instruments.size - 1
    n_obs = series.shape[1]
    sums = np.empty(SESSIONS_PER_TILE)
    for number in range(tiles.shape[0]):
        tile = tiles[number]
        start = number * SESSIONS_PER_TILE
        length = min(SESSIONS_PER_TILE, n_obs - start)
        for portfolio in range(series.shape[0]):
            begin, end = offsets[portfolio], offsets[portfolio + 1]
            fours = begin + (end - begin) // 4 * 4
            sums[:] = 0.0
            for position in range(begin, fours, 4):
                a, b, c, d = (
                    instruments[position],
                    instruments[position + 1],
                    instruments[position + 2],
                    instruments[position + 3],
                )
                u, v, w, x = (
                    exposures[position],
                    exposures[position + 1],
                    exposures[position + 2],
                    exposures[position + 3],
                )
                for ahead in range(position + 4, position + 8):
                    row = instruments[min(ahead, last)]
                    for line in range(0, SESSIONS_PER_TILE, _RETURNS_PER_LINE):
                        prefetch(tile, row, line)
                for day in range(SESSIONS_PER_TILE):
                    sums[day] += (
                        u * tile[a, day] + v * tile[b, day] + w * tile[c, day] + x * tile[d, day]
                    )
            for position in range(fours, end):
                a, u = instruments[position], exposures[position]
                for day in range(SESSIONS_PER_TILE):
                    sums[day] += u * tile[a, day]
            for day in range(length):
                series[portfolio, start + day] = sums[day]


@kernel(
    integers,
    integers,
    integers,
    integers,
    integers,
    narrow,
    floats,
    real,
    out2,
    out2,
    flags2,
    integers_out,
)
def renormalize(  # noqa: PLR0917 - numba takes arguments by place
    first: IntArray,
    stop: IntArray,
    gap_offsets: IntArray,
    gaps: IntArray,
    offsets: IntArray,
    instruments: np.typing.NDArray[np.int32],
    exposures: FloatArray,
    min_coverage: float,
    series: FloatArray,
    coverage: FloatArray,
    observed: BoolArray,
    n_excluded: IntArray,
) -> None:
    """Divide by the share of gross exposure that has a return; exclude what has too little."""
    n_obs = series.shape[1]
    events = np.empty(n_obs + 1)
    for portfolio in range(series.shape[0]):
        events[:] = 0.0
        gross, eventful = 0.0, False
        for position in range(offsets[portfolio], offsets[portfolio + 1]):
            instrument, weight = instruments[position], abs(exposures[position])
            gross += weight
            begin, end = first[instrument], stop[instrument]
            first_gap, last_gap = gap_offsets[instrument], gap_offsets[instrument + 1]
            eventful |= begin > 0 or end < n_obs or last_gap > first_gap
            if begin > 0:
                events[0] += weight
                events[begin] -= weight
            if end < n_obs:
                events[end] += weight
            for gap in range(first_gap, last_gap):
                events[gaps[gap]] += weight
                events[gaps[gap] + 1] -= weight
            eventful |= (
                begin > 0 or end < n_obs or gap_offsets[instrument + 1] > gap_offsets[instrument]
            )
        coverage[portfolio, :] = 1.0
        observed[portfolio, :] = True
        if not eventful or gross == 0.0:
            continue
        shares, returns, usable = coverage[portfolio], series[portfolio], observed[portfolio]
        unavailable, inverse = 0.0, 1.0 / gross
        for session in range(n_obs):
            unavailable += events[session]
            shares[session] = unavailable * inverse
        excluded = 0
        for session in range(n_obs):
            missing = shares[session]
            share = max(1.0 - missing, 0.0) if missing > _ROUNDING else 1.0
            enough = share >= min_coverage - _ROUNDING
            shares[session] = share
            usable[session] = enough
            returns[session] = returns[session] / share if enough else 0.0
            excluded += 0 if enough else 1
        n_excluded[portfolio] = excluded
