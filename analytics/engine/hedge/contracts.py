"""From a hedge ratio to contracts."""

from __future__ import annotations

from analytics.engine.checks import finite, positive


def hedge_contracts(hedge_ratio: float, item_value: float, contract_value: float) -> float:
    """Contracts of the hedging instrument, hedge ratio times item over contract size.

    Parameters
    ----------
    hedge_ratio : float
        cov/var; the result is the number to sell when positive.
    item_value, contract_value : float
        Same unit: quantities for price changes, values for percentage changes (tailed).

    References
    ----------
    Hull, J., Options, Futures and Other Derivatives, section 3.4.
    """
    return (
        finite(hedge_ratio, "hedge_ratio")
        * finite(item_value, "item_value")
        / positive(contract_value, "contract_value")
    )


def index_futures_contracts(
    beta: float,
    portfolio_value: float,
    futures_price: float,
    contract_multiplier: float,
    *,
    target_beta: float = 0.0,
) -> float:
    """Index futures to sell to bring a portfolio's beta to a target; negative is to buy.

    References
    ----------
    Hull, J., Options, Futures and Other Derivatives, section 3.5.
    """
    return (
        (finite(beta, "beta") - finite(target_beta, "target_beta"))
        * finite(portfolio_value, "portfolio_value")
        / (
            positive(futures_price, "futures_price")
            * positive(contract_multiplier, "contract_multiplier")
        )
    )
