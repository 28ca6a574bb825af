"""A small ragged market and portfolios in it, for the kernels' tests."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analytics.engine.batch.portfolio_returns import Books, books
from analytics.engine.types import FloatArray


class Market(NamedTuple):
    """Panel of shape (n_obs, n_instruments), factors, hedges and dense exposures."""

    panel: FloatArray
    benchmark: FloatArray
    market: FloatArray
    hedges: FloatArray
    exposures: FloatArray

    @property
    def books(self) -> Books:
        return sparse(self.exposures)


def sparse(exposures: FloatArray) -> Books:
    held = exposures != 0
    offsets = np.concatenate([[0], np.cumsum(held.sum(axis=1))])
    return books(offsets, np.nonzero(held)[1], exposures[held], n_instruments=exposures.shape[1])


def ragged_market(seed: int = 7, n_obs: int = 700, n_portfolios: int = 12) -> Market:
    """Late starters, early ends, single gaps; portfolios that lose half their coverage."""
    rng = np.random.default_rng(seed)
    n_instruments = 40
    volatility = np.exp(0.3 * np.sin(np.arange(n_obs) / 40.0))
    market = 0.01 * volatility * rng.standard_t(5, n_obs)
    benchmark = 1.3 * market + 0.012 * rng.standard_t(5, n_obs)
    own = 0.02 * rng.standard_t(4, (n_obs, n_instruments))
    own[1:] += 0.1 * own[:-1]
    panel = benchmark[:, np.newaxis] * rng.uniform(0.3, 1.8, n_instruments) + own
    for instrument in range(8):
        panel[: rng.integers(30, n_obs // 2), instrument] = np.nan
    panel[n_obs - 90 :, 8:11] = np.nan
    panel[rng.random(panel.shape) < 0.004] = np.nan
    noise = 0.002 * rng.standard_normal((4, n_obs))
    multiples = np.array([[1.0], [1.0], [3.0], [-3.0]])
    hedges = multiples * np.stack([market, benchmark, benchmark, benchmark]) + noise
    exposures = rng.normal(0.05, 0.05, (n_portfolios, n_instruments))
    exposures[rng.random(exposures.shape) < 0.4] = 0.0
    exposures[0, 8:] = 0.0  # late starters alone
    exposures[1, 8:] = exposures[1, 0:8].sum() / 40.0  # half of it, on some days
    return Market(panel, benchmark, market, hedges, exposures)
