"""The market and the portfolios that the numeric cases share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.engine.batch.portfolio_returns import Books, books
from analytics.engine.types import FloatArray

INSTRUMENTS, SESSIONS, POSITIONS = 5_000, 2_519, 200


@dataclass(frozen=True)
class Market:
    """Panel of shape (n_obs, n_instruments), NaN where missing; factors; four hedges."""

    panel: FloatArray
    benchmark: FloatArray
    market: FloatArray
    hedges: FloatArray


def market(n_instruments: int = INSTRUMENTS) -> Market:
    """35 % of instruments start late, 5 % end early, 0.1 % of returns are single gaps."""
    rng = np.random.default_rng(2)
    broad = 0.008 * rng.standard_t(5, SESSIONS)
    semis = 1.3 * broad + 0.01 * rng.standard_t(5, SESSIONS)
    panel = 0.02 * rng.standard_normal((SESSIONS, n_instruments))
    panel += semis[:, np.newaxis] * rng.uniform(0.2, 1.4, n_instruments)
    panel += broad[:, np.newaxis] * rng.uniform(0.1, 1.0, n_instruments)
    for instrument in range(n_instruments * 35 // 100):
        panel[: rng.integers(1, 2_000), instrument] = np.nan
    for instrument in range(n_instruments - n_instruments // 20, n_instruments):
        panel[rng.integers(1_500, SESSIONS) :, instrument] = np.nan
    gaps = panel.size // 1_000
    panel[rng.integers(0, SESSIONS, gaps), rng.integers(0, n_instruments, gaps)] = np.nan
    noise = 0.001 * rng.standard_normal((4, SESSIONS))
    hedges = np.stack([broad, semis, 3 * semis, -3 * semis]) + noise
    return Market(panel, semis, broad, hedges)


def ragged(row: int) -> bool:
    """Whether a portfolio loses half its coverage: one in 150, as in a real night."""
    return row % 150 == 149


def portfolios(
    n_portfolios: int, n_positions: int = POSITIONS, n_instruments: int = INSTRUMENTS
) -> Books:
    """Books of equal size, 5 % of positions short; `ragged` ones hold late starters alone."""
    rng = np.random.default_rng(3)
    late = n_instruments * 35 // 100
    chosen = np.empty((n_portfolios, n_positions), dtype=np.int64)
    for row in range(n_portfolios):
        pool = late if ragged(row) else n_instruments
        chosen[row] = np.sort(rng.choice(pool, n_positions, replace=False, shuffle=False))
    exposures = rng.uniform(0.2, 1.8, chosen.shape) / n_positions
    exposures[rng.random(chosen.shape) < 0.05] *= -1.0
    offsets = np.arange(n_portfolios + 1) * n_positions
    return books(offsets, chosen.ravel(), exposures.ravel(), n_instruments=n_instruments)
