"""Beta of net asset value with funds and options seen through."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.engine.checks import (
    finite,
    finite_array,
    finite_vector,
    positive,
)
from analytics.engine.errors import (
    InvalidInputError,
)
from analytics.engine.types import (
    FloatArray,
)


def fund_exposure(market_value: FloatArray | float, multiple: FloatArray | float) -> FloatArray:
    """Index exposure of a daily-reset fund: market value times its multiple, sign kept."""
    return finite_array(np.multiply(market_value, multiple), "market_value times multiple")


def option_exposure(
    contracts: FloatArray | float,
    contract_multiplier: FloatArray | float,
    delta: FloatArray | float,
    spot: FloatArray | float,
) -> FloatArray:
    """Delta-equivalent exposure in the underlying; contracts are negative when short."""
    product = np.asarray(contracts, dtype=np.float64) * contract_multiplier * delta * spot
    return finite_array(product, "contracts x multiplier x delta x spot")


def option_beta(delta: float, spot: float, value: float, underlying_beta: float) -> float:
    """Beta of an option's own return: elasticity delta S/V times the underlying's beta.

    References
    ----------
    Black, F. and Scholes, M. (1973), Journal of Political Economy 81, eq. 15.
    """
    return (
        finite(delta, "delta")
        * positive(spot, "spot")
        / positive(value, "value")
        * finite(underlying_beta, "underlying_beta")
    )


@dataclass(frozen=True, slots=True, eq=False)
class LookThroughBeta:
    """Beta of net asset value with funds and options seen through.

    Attributes
    ----------
    beta : float64 array of shape (n_portfolios,)
        Sum of the contributions.
    beta_ignoring_leverage : float64 array of shape (n_portfolios,)
        What a list of market values shows: multiples and options left out.
    contributions : float64 array of shape (n_portfolios, n_positions)
        effective exposure x beta / nav.
    effective_weights : float64 array of shape (n_portfolios, n_positions)
        Signed effective exposure over nav.
    gross_exposure, net_exposure : float64 array of shape (n_portfolios,)
        Sum of absolute and of signed effective weights.
    """

    beta: FloatArray
    beta_ignoring_leverage: FloatArray
    contributions: FloatArray
    effective_weights: FloatArray
    gross_exposure: FloatArray
    net_exposure: FloatArray


def look_through_beta(
    effective_exposures: FloatArray,
    betas: FloatArray,
    nav: FloatArray | float,
    *,
    headline_exposures: FloatArray,
) -> LookThroughBeta:
    """Beta of net asset value from position exposures.

    Parameters
    ----------
    effective_exposures : float64 array of shape (n_portfolios, n_positions) or (n_positions,)
        Currency of nav, signed: market value of a share, `fund_exposure` of a reset fund,
        `option_exposure` of an option, market value of cash.
    betas : float64 array of shape (n_positions,)
        Of the share, of the fund's index, of the option's underlying; 0 for cash.
    nav : float64 array of shape (n_portfolios,) or float
        Net asset value, positive.
    headline_exposures : float64 array, same shape as `effective_exposures`
        Plain market value of shares and funds, 0 for options.

    Returns
    -------
    LookThroughBeta

    Raises
    ------
    InvalidInputError
        If shapes disagree, a value is not finite or nav is not positive.

    Notes
    -----
    ``beta_NAV = [sum MV_i b_i + sum MV_j m_j b_idx(j) + sum N_k mult_k delta_k S_k b_k] / NAV``.

    Examples
    --------
    >>> book = look_through_beta(np.array([50_000 * -3.0]), np.array([1.0]), 1_000_000.0,
    ...                          headline_exposures=np.array([50_000.0]))
    >>> book.beta.item(), book.beta_ignoring_leverage.item()
    (-0.15, 0.05)
    """
    exposures = np.atleast_2d(finite_array(effective_exposures, "effective_exposures"))
    headline = np.atleast_2d(finite_array(headline_exposures, "headline_exposures"))
    sensitivities = finite_vector(betas, "betas")
    values = np.atleast_1d(finite_array(np.asarray(nav), "nav"))
    if exposures.shape != headline.shape or exposures.shape[1] != sensitivities.shape[0]:
        raise InvalidInputError(
            f"effective_exposures {exposures.shape}, headline_exposures {headline.shape} and "
            f"betas {sensitivities.shape} must cover the same positions"
        )
    if values.shape[0] not in {1, exposures.shape[0]}:
        raise InvalidInputError("nav must have one value, or one per portfolio", argument="nav")
    if (values <= 0).any():
        raise InvalidInputError(
            "nav must be positive; a beta of net asset value is undefined without it",
            argument="nav",
        )
    weights = exposures / values[:, np.newaxis]
    contributions = weights * sensitivities
    return LookThroughBeta(
        beta=contributions.sum(axis=1),
        beta_ignoring_leverage=(headline / values[:, np.newaxis]) @ sensitivities,
        contributions=contributions,
        effective_weights=weights,
        gross_exposure=np.abs(weights).sum(axis=1),
        net_exposure=weights.sum(axis=1),
    )
