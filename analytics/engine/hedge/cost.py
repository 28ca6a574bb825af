"""Cost of a hedge per unit of risk removed."""

from __future__ import annotations

from dataclasses import dataclass

from analytics.engine.checks import finite, not_negative, positive
from analytics.engine.errors import DegenerateInputError


@dataclass(frozen=True, slots=True)
class HedgeCost:
    """Cost of a hedge per unit of risk removed.

    Attributes
    ----------
    per_variance : float
        Annual cost per unit of annual variance removed.
    per_volatility : float
        Annual cost per unit of annual volatility removed.
    per_expected_shortfall : float or None
        Annual cost per unit of expected shortfall removed, when both shortfalls are given.
    """

    per_variance: float
    per_volatility: float
    per_expected_shortfall: float | None


def hedge_cost(
    annual_cost: float,
    annual_volatility_unhedged: float,
    annual_volatility_hedged: float,
    *,
    expected_shortfall_unhedged: float | None = None,
    expected_shortfall_hedged: float | None = None,
) -> HedgeCost:
    """Cost per unit of variance, volatility and expected shortfall removed.

    Parameters
    ----------
    annual_cost : float
        Carry, fee, borrow, expected compounding and turnover times spread, decimal of the hedged
        value a year; a cost is positive.
    annual_volatility_unhedged, annual_volatility_hedged : float
        Decimals.
    expected_shortfall_unhedged, expected_shortfall_hedged : float, optional

    Returns
    -------
    HedgeCost

    Raises
    ------
    DegenerateInputError
        If the hedge removes no risk: a cost per nothing is no number.
    """
    cost = finite(annual_cost, "annual_cost")
    before = positive(annual_volatility_unhedged, "annual_volatility_unhedged")
    after = not_negative(annual_volatility_hedged, "annual_volatility_hedged")
    if after >= before:
        raise DegenerateInputError(
            "the hedge removes no volatility, so it has no cost per unit removed",
            unhedged=before,
            hedged=after,
        )
    per_shortfall = None
    if expected_shortfall_unhedged is not None and expected_shortfall_hedged is not None:
        removed = finite(expected_shortfall_unhedged, "expected_shortfall_unhedged") - finite(
            expected_shortfall_hedged, "expected_shortfall_hedged"
        )
        per_shortfall = cost / removed if removed > 0.0 else None
    return HedgeCost(
        per_variance=cost / (before**2 - after**2),
        per_volatility=cost / (before - after),
        per_expected_shortfall=per_shortfall,
    )
