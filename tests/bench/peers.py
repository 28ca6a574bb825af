"""The full set as one composes it from statsmodels, pandas and empyrical, one portfolio at a time.

Each makes what the engine makes, except that rolling betas come without standard errors.
"""

from __future__ import annotations

from collections.abc import Callable

import empyrical
import numpy as np
import pandas as pd
import statsmodels.api as sm
from statsmodels.regression.rolling import RollingOLS

from analytics.engine.batch.full_set import FullSet
from analytics.engine.types import FloatArray, IntArray

HORIZONS, WINDOWS, DECAY = (1, 5, 10, 15), (60, 252), 0.94
_HAC = {"maxlags": 10, "use_correction": True}

Rolling = Callable[[pd.Series, pd.Series, int], object]


def rolling_ols(y: pd.Series, x: pd.Series, window: int) -> object:
    """Rolling betas by statsmodels, its fastest way."""
    return RollingOLS(y, sm.add_constant(x), window=window).fit(params_only=True).params


def rolling_covariance(y: pd.Series, x: pd.Series, window: int) -> object:
    """Rolling betas by pandas."""
    return y.rolling(window).cov(x) / x.rolling(window).var()


def return_series(panel: pd.DataFrame, columns: IntArray, weights: FloatArray) -> pd.Series:
    """Renormalized by available gross weight, sessions below half of it left out."""
    held = panel.iloc[:, columns]
    gross = np.abs(weights)
    share = held.notna() @ gross / gross.sum()
    series: pd.Series = (held.fillna(0.0) @ weights) / share
    enough: pd.Series = series.loc[share >= 0.5]
    return enough


class Composite:
    """Everything for one portfolio after another."""

    def __init__(
        self, panel: pd.DataFrame, benchmark: FloatArray, market: FloatArray, hedges: FloatArray
    ) -> None:
        self.panel = panel
        self.factors = pd.DataFrame({"market": market, "benchmark": benchmark})
        self.hedges = pd.DataFrame(hedges.T)

    def full_set(self, columns: IntArray, weights: FloatArray, rolling: Rolling) -> FloatArray:
        """Return what `compared` picks from ours; the rest is computed and dropped."""
        y = return_series(self.panel, columns, weights)
        factors = self.factors.loc[y.index]
        x = factors["benchmark"]
        one = sm.OLS(y, sm.add_constant(x)).fit()
        robust = one.get_robustcov_results("HAC", **_HAC)
        two = sm.OLS(y, sm.add_constant(factors)).fit()
        robust_two = two.get_robustcov_results("HAC", **_HAC)
        slopes = []
        for side in (x < x.mean(), x > x.mean()):
            fit = sm.OLS(y[side], sm.add_constant(x[side])).fit()
            fit.get_robustcov_results("HAC", **_HAC)
            slopes.append(fit.params.iloc[1])
        for window in WINDOWS:
            rolling(y, x, window)
        _ = (y * x).ewm(alpha=1 - DECAY).mean() / (x * x).ewm(alpha=1 - DECAY).mean()
        self._tails(y, columns, weights)
        return np.array(
            [
                *(one.params.iloc[1], *one.bse, *robust.bse, one.rsquared),
                *(*two.params.iloc[1:], *two.bse, *robust_two.bse, two.rsquared),
                *(*slopes, *self._hedges(y)),
            ]
        )

    def _tails(self, y: pd.Series, columns: IntArray, weights: FloatArray) -> None:
        ordered = np.sort(y.to_numpy())
        for level in (0.95, 0.975, 0.99):
            k = int(np.ceil(y.size * (1 - level) - 1e-9))
            _ = -ordered[k - 1], -ordered[:k].mean()
        _ = y.std(), empyrical.max_drawdown(y)
        worst = y.nsmallest(int(np.ceil(y.size * 0.025 - 1e-9))).index
        _ = -self.panel.iloc[worst, columns].fillna(0.0).mean() * weights

    def _hedges(self, y: pd.Series) -> list[float]:
        found = []
        for horizon in HORIZONS:
            item = _blocks(y.to_numpy(), horizon)
            k = int(np.ceil(item.size * 0.05 - 1e-9))
            shortfall = np.partition(item, k)[:k].mean()
            for place in self.hedges:
                hedge = _blocks(self.hedges[place].loc[y.index].to_numpy(), horizon)
                fit = sm.OLS(item, sm.add_constant(hedge)).fit()
                ratio = fit.params[1]
                found += [ratio, fit.bse[1]]
                _ = fit.rsquared, fit.params[0], ratio * hedge.sum() / item.sum()
                _ = 1 - np.partition(item - ratio * hedge, k)[:k].mean() / shortfall
        return found


def compared(done: FullSet, row: int) -> FloatArray:
    """Return betas and all errors of one portfolio, in the order of `Composite.full_set`.

    Intercepts are left out: where they are near zero their last digits are rounding of the mean.
    """
    hedges = done.hedges[row].T
    pairs = np.stack([hedges["hedge_ratio"], hedges["standard_error"]], axis=-1)
    return np.array(
        [
            *list(done.one_factor[row])[1:],
            *list(done.two_factor[row])[1:],
            *(done.up_down["down"][row], done.up_down["up"][row], *pairs.ravel()),
        ]
    )


def _blocks(returns: FloatArray, days: int) -> FloatArray:
    count = returns.size // days
    recent = returns[returns.size - count * days :].reshape(count, days)
    blocks: FloatArray = np.prod(1 + recent, axis=1) - 1
    return blocks


def empyrical_subset(y: pd.Series, x: pd.Series) -> None:
    """What empyrical has of it."""
    empyrical.alpha_beta(y, x)
    empyrical.up_alpha_beta(y, x)
    empyrical.down_alpha_beta(y, x)
    for level in (0.05, 0.025, 0.01):
        empyrical.value_at_risk(y, level)
        empyrical.conditional_value_at_risk(y, level)
    empyrical.max_drawdown(y)
    empyrical.annual_volatility(y)
