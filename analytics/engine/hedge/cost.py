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


def cost_per_shortfall(
    annual_cost: float, expected_shortfall_unhedged: float, expected_shortfall_hedged: float
) -> float:
    """Annual cost per unit of expected shortfall removed.

    Parameters
    ----------
    annual_cost : float
        As in `hedge_cost`.
    expected_shortfall_unhedged, expected_shortfall_hedged : float
        Same unit, a loss is positive.

    Returns
    -------
    float

    Raises
    ------
    DegenerateInputError
        If the hedge removes none.
    """
    before = finite(expected_shortfall_unhedged, "expected_shortfall_unhedged")
    after = finite(expected_shortfall_hedged, "expected_shortfall_hedged")
    if after >= before:
        raise DegenerateInputError(
            "the hedge removes no expected shortfall, so it has no cost per unit removed",
            unhedged=before,
            hedged=after,
        )
    return finite(annual_cost, "annual_cost") / (before - after)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnualCost:
    """What a hedge costs a year, part by part; decimals of the hedged value, a cost is positive.

    Attributes
    ----------
    carry, fee, borrow : float
    expected_compounding : float
        Mean loss to daily resetting; 0 without drift although the median is a loss.
    turnover : float
        Traded a year, decimal of the hedged value.
    spread : float
        Half the bid-ask spread, decimal of what is traded.
    """

    carry: float = 0.0
    fee: float = 0.0
    borrow: float = 0.0
    expected_compounding: float = 0.0
    turnover: float = 0.0
    spread: float = 0.0

    @property
    def total(self) -> float:
        """Sum of the parts."""
        return (
            self.carry
            + self.fee
            + self.borrow
            + self.expected_compounding
            + self.turnover * self.spread
        )
