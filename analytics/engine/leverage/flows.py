"""What daily resets trade at the close, by fund, in sum and by constituent."""

from __future__ import annotations

from analytics.engine.checks import finite, not_negative

# Forced trading per 1 % move of the broad index, all leveraged and inverse equity funds of the
# United States, billion dollars: Tuzun (2013), FEDS 2013-48, abstract. Context, not computed here.
AGGREGATE_FLOW_PER_ONE_PERCENT_USD_BILLION = 1.04


def rebalancing_multiplier(multiple: float) -> float:
    """Trade at the reset per unit of assets and index return, ``m (m - 1)``; 12 for -3x."""
    return finite(multiple, "multiple") * (multiple - 1.0)


def rebalancing_flow(
    multiple: float, assets: float, index_return: float, *, net_creations: float = 0.0
) -> float:
    """Index exposure a fund must buy at the close.

    Parameters
    ----------
    multiple : float
    assets : float
        At the previous close, currency.
    index_return : float
        Of the day, decimal.
    net_creations : float
        Same currency; negative for redemptions.

    Returns
    -------
    float
        ``m (m - 1) A r + m F``; positive is a purchase.

    References
    ----------
    Cheng, M. and Madhavan, A. (2009); Ivanov, I. and Lenkey, S. (2018), Journal of Financial
    Markets 41 (creations that offset).
    """
    trade = rebalancing_multiplier(multiple) * not_negative(assets, "assets")
    return trade * finite(index_return, "index_return") + multiple * finite(
        net_creations, "net_creations"
    )


def neutralizing_creations(multiple: float, assets: float, index_return: float) -> float:
    """Net creations that cancel the rebalancing trade, ``-(m - 1) A r``."""
    finite(multiple, "multiple")
    return -(multiple - 1.0) * not_negative(assets, "assets") * finite(index_return, "index_return")
