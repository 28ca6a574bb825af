"""Closed laws of a daily-reset fund: growth, drag, grid, break-even and what they imply."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.engine.checks import (
    finite,
    finite_array,
    finite_vector,
    not_negative,
    positive,
    returns_above_ruin,
)
from analytics.engine.errors import DegenerateInputError, InvalidInputError, NonFiniteResultError
from analytics.engine.returns import compound
from analytics.engine.types import FloatArray

# exp of more than this leaves floating point soon after.
_LARGEST_LOG = 700.0


def refuse_ruin(fund_returns: FloatArray) -> None:
    if (fund_returns <= -1.0).any():
        row = int(np.argmax(fund_returns <= -1.0))
        raise DegenerateInputError(
            f"the move in row {row} wipes the fund out; nothing compounds after it", row=row
        )


def daily_reset_return(multiple: float, index_returns: FloatArray) -> float:
    """Compounded return of the ideal daily-reset fund, no fees or financing.

    Parameters
    ----------
    multiple : float
    index_returns : float64 array of shape (n_obs,)

    Returns
    -------
    float

    Raises
    ------
    DegenerateInputError
        If a day's move wipes the fund out.

    Examples
    --------
    >>> round(daily_reset_return(2, np.array([-0.10, 0.10])), 12)
    -0.04
    """
    returns = finite_vector(index_returns, "index_returns")
    fund = finite(multiple, "multiple") * returns
    refuse_ruin(fund)
    return float(compound(fund))


def drag_coefficient(multiple: float) -> float:
    """Annual log drag per unit of annual variance, ``(m - m^2)/2``; -6 for a -3x fund."""
    return (finite(multiple, "multiple") - multiple**2) / 2.0


def growth_ratio(
    multiple: float, index_return: float, realized_variance: float, *, log_carry: float = 0.0
) -> float:
    """Gross return of the fund by the continuous law.

    Parameters
    ----------
    multiple : float
    index_return : float
        Over the window, decimal, above -1.
    realized_variance : float
        Of the path held, not a forecast of volatility.
    log_carry : float
        ((1 - m) rf - f - b n_s) T.

    Returns
    -------
    float
        ``(1 + R)^m exp(carry + (m - m^2)/2 V)``.

    References
    ----------
    Avellaneda, M. and Zhang, S. (2010), eq. 10.
    """
    growth = positive(1.0 + finite(index_return, "index_return"), "1 + index_return")
    variance = not_negative(realized_variance, "realized_variance")
    exponent = (
        finite(multiple, "multiple") * np.log(growth)
        + finite(log_carry, "log_carry")
        + drag_coefficient(multiple) * variance
    )
    return representable_exponential(float(exponent), "the fund's gross return")


def representable_exponential(exponent: float, name: str) -> float:
    if exponent > _LARGEST_LOG:
        raise NonFiniteResultError(
            f"{name} is not representable for these inputs; check their scale", result=name
        )
    return float(np.exp(exponent))


def issuer_grid(
    multiple: float,
    index_returns: FloatArray,
    annual_volatilities: FloatArray,
    *,
    years: float = 1.0,
) -> FloatArray:
    """Fund return over a grid of index returns and volatilities, as issuers print it.

    Parameters
    ----------
    multiple : float
    index_returns : float64 array of shape (n_returns,)
        Over the horizon, decimals above -1.
    annual_volatilities : float64 array of shape (n_volatilities,)
        Decimals.
    years : float

    Returns
    -------
    float64 array of shape (n_returns, n_volatilities)
        Decimals, before fees and financing: ``(1 + R)^m exp(-(m^2 - m)/2 sigma^2 T) - 1``.

    References
    ----------
    Direxion and ProShares prospectuses, tables of hypothetical annual returns.
    """
    moves = finite_vector(index_returns, "index_returns")
    returns_above_ruin(moves, "index_returns")
    volatilities = finite_vector(annual_volatilities, "annual_volatilities")
    if (volatilities < 0).any():
        raise InvalidInputError("annual_volatilities must not be negative")
    log_growth = finite(multiple, "multiple") * np.log1p(moves)
    drag = drag_coefficient(multiple) * volatilities**2 * not_negative(years, "years")
    with np.errstate(over="ignore"):
        grid: FloatArray = np.expm1(log_growth[:, np.newaxis] + drag)
    return finite_array(grid, "issuer grid")


def break_even_index_return(
    multiple: float,
    annual_volatility: float,
    horizon_years: float,
    *,
    annual_carry: float = 0.0,
) -> float:
    """Index return at which the fund neither gains nor loses.

    Parameters
    ----------
    multiple : float
        Not 0.
    annual_volatility : float
        Realized over the horizon, decimal.
    horizon_years : float
    annual_carry : float
        Net carry c of the fund, decimal a year.

    Returns
    -------
    float
        ``exp((m - 1)/2 sigma^2 T - c T/m) - 1``.

    Examples
    --------
    >>> round(break_even_index_return(-3, 0.6, 63 / 252), 4)
    -0.1647
    """
    if finite(multiple, "multiple") == 0.0:
        raise InvalidInputError("multiple must not be 0", argument="multiple")
    sigma = not_negative(annual_volatility, "annual_volatility")
    years = not_negative(horizon_years, "horizon_years")
    exponent = (multiple - 1.0) / 2.0 * sigma**2 * years
    exponent -= finite(annual_carry, "annual_carry") * years / multiple
    if exponent > _LARGEST_LOG:
        raise NonFiniteResultError("the break-even return overflows", result="break_even")
    return float(np.expm1(exponent))


def implied_variance(
    multiple: float, index_return: float, fund_return: float, *, log_carry: float = 0.0
) -> float:
    """Integrated variance that reconciles a fund's return with its index's.

    Parameters
    ----------
    multiple : float
        Neither 0 nor 1, where no variance shows.
    index_return, fund_return : float
        Over the same window, decimals above -1.
    log_carry : float
        Carry c T inside the fund's return.

    Returns
    -------
    float
        ``(m ln(1 + R) + c T - ln(1 + R_fund))/((m^2 - m)/2)``; negative when the fund did better
        than any path allows, which points to carry or data.
    """
    if finite(multiple, "multiple") in {0.0, 1.0}:
        raise DegenerateInputError(
            f"a fund of multiple {multiple} shows no variance", multiple=multiple
        )
    index_log = np.log(positive(1.0 + finite(index_return, "index_return"), "1 + index_return"))
    fund_log = np.log(positive(1.0 + finite(fund_return, "fund_return"), "1 + fund_return"))
    numerator = multiple * index_log + finite(log_carry, "log_carry") - fund_log
    return float(-numerator / drag_coefficient(multiple))


@dataclass(frozen=True, slots=True)
class LossAttribution:
    """What a fund's return says about its index at a given volatility.

    Attributes
    ----------
    index_return : float
        Implied by the continuous law.
    variance_share : float
        Share of the fund's log loss that is variance cost.
    direction_share : float
        1 - variance_share.
    static_return : float
        Multiple times the implied index return: what a position without reset would have made.
    """

    index_return: float
    variance_share: float
    direction_share: float
    static_return: float


def loss_attribution(
    multiple: float,
    fund_return: float,
    annual_volatility: float,
    horizon_years: float,
    *,
    log_carry: float = 0.0,
) -> LossAttribution:
    """Split a fund's loss into direction and variance cost at an assumed volatility.

    Parameters
    ----------
    multiple : float
        Not 0.
    fund_return : float
        Decimal above -1, not 0.
    annual_volatility : float
    horizon_years : float
    log_carry : float

    Returns
    -------
    LossAttribution

    Notes
    -----
    Inverts ``1 + R_fund = (1 + R)^m exp(c T + (m - m^2)/2 V)`` with V = sigma^2 T.
    """
    if finite(multiple, "multiple") == 0.0:
        raise InvalidInputError("multiple must not be 0", argument="multiple")
    fund_log = float(np.log(positive(1.0 + finite(fund_return, "fund_return"), "1 + fund_return")))
    if fund_log == 0.0:
        raise DegenerateInputError("a return of 0 has no loss to attribute", fund_return=0)
    drag = (
        drag_coefficient(multiple)
        * not_negative(annual_volatility, "annual_volatility") ** 2
        * not_negative(horizon_years, "horizon_years")
    )
    index_log = (fund_log - drag - finite(log_carry, "log_carry")) / multiple
    index_return = representable_exponential(index_log, "the index return") - 1.0
    share = drag / fund_log
    return LossAttribution(
        index_return=index_return,
        variance_share=share,
        direction_share=1.0 - share,
        static_return=multiple * index_return,
    )
