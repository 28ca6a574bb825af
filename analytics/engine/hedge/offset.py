"""Dollar offset, per period and cumulative."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.engine.checks import finite_array
from analytics.engine.errors import InvalidInputError
from analytics.engine.hedge.samples import series_pair
from analytics.engine.types import BoolArray, FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class DollarOffset:
    """Dollar-offset ratios.

    Attributes
    ----------
    cumulative : float or None
        -sum(hedge)/sum(item); None when the item's changes cancel.
    cumulative_passes : bool or None
    per_period : float64 array of shape (n_periods,)
        -hedge/item; the placeholder 0, which is not a value, where `defined` is False.
    defined : bool array of shape (n_periods,)
        False where the item did not change.
    n_passed, n_failed, n_undefined : int
    low, high : float
        Range that passes, ends included.
    """

    cumulative: float | None
    cumulative_passes: bool | None
    per_period: FloatArray
    defined: BoolArray
    n_passed: int
    n_failed: int
    n_undefined: int
    low: float
    high: float


def dollar_offset(
    item_changes: FloatArray,
    hedge_changes: FloatArray,
    *,
    low: float = 0.80,
    high: float = 1.25,
) -> DollarOffset:
    """Dollar offset per period and cumulative.

    Parameters
    ----------
    item_changes, hedge_changes : float64 array of shape (n_periods,)
        Changes in value of item and of the hedge as held, same currency.
    low, high : float
        Range that passes.

    Returns
    -------
    DollarOffset

    Notes
    -----
    Small denominators make single periods fail by chance: see `offset_pass_probability`.

    References
    ----------
    FAS 133 paragraph 62; IAS 39 AG105.
    """
    item, hedge = series_pair(item_changes, hedge_changes, 1, "changes")
    if not 0 < low < high:
        raise InvalidInputError(f"the range {low} to {high} is empty", argument="low")
    defined = item != 0.0
    ratios = np.divide(-hedge, item, out=np.zeros_like(item), where=defined)
    passed = defined & (ratios >= low) & (ratios <= high)
    total_item, scale = float(item.sum()), float(np.abs(item).sum())
    cancels = abs(total_item) <= 1e-12 * scale
    cumulative = None if cancels else -float(hedge.sum()) / total_item
    return DollarOffset(
        cumulative=cumulative,
        cumulative_passes=None if cumulative is None else low <= cumulative <= high,
        per_period=finite_array(ratios, "per-period offset"),
        defined=defined,
        n_passed=int(passed.sum()),
        n_failed=int((defined & ~passed).sum()),
        n_undefined=int((~defined).sum()),
        low=low,
        high=high,
    )


def offset_pass_probability(r_squared: float, *, low: float = 0.80, high: float = 1.25) -> float:
    """Probability that one period's dollar offset lies in the passing range.

    Parameters
    ----------
    r_squared : float
        Of item and hedge, bivariate normal with equal volatilities, 0 to 1.
    low, high : float

    Returns
    -------
    float
        By the Cauchy law of a ratio of normals, location rho and scale sqrt(1 - rho^2).

    References
    ----------
    Canabarro, E. (1999), A note on the assessment of hedge effectiveness using the dollar offset
    ratio under FAS 133, Goldman Sachs.
    """
    if not 0.0 <= r_squared <= 1.0:
        raise InvalidInputError(f"r_squared must lie in 0 to 1, got {r_squared}")
    correlation, scale = np.sqrt(r_squared), np.sqrt(1.0 - r_squared)
    if scale == 0.0:
        return 1.0 if low <= 1.0 <= high else 0.0
    angles = np.arctan((np.array([low, high]) - correlation) / scale)
    return float((angles[1] - angles[0]) / np.pi)
