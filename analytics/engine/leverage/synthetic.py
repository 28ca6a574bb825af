"""Funds before they were there: splits, slippage and histories rebuilt from an index."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from analytics.engine.checks import (
    enough,
    finite,
    finite_array,
    finite_vector,
    masked_vector,
    not_negative,
    positive,
    returns_above_ruin,
    same_shape,
    session_dates,
)
from analytics.engine.errors import DegenerateInputError, InvalidInputError
from analytics.engine.types import TRADING_DAYS_PER_YEAR, BoolArray, DateArray, FloatArray


def daily_carry(
    multiple: FloatArray | float,
    *,
    risk_free_annual: FloatArray | float = 0.0,
    expense_annual: FloatArray | float = 0.0,
    swap_spread_annual: FloatArray | float = 0.0,
    swap_factor: float = 1.0,
    periods_per_year: int = TRADING_DAYS_PER_YEAR,
) -> FloatArray:
    """What a reset fund earns a day besides its multiple of the index.

    Parameters
    ----------
    multiple, risk_free_annual, expense_annual, swap_spread_annual : float or array
        Broadcast against one another.
    swap_factor : float
        c; a bull fund finances c (m - 1) of its assets, an inverse fund's swaps cost the spread
        on c abs(m).
    periods_per_year : int

    Returns
    -------
    float64 array
        ``((1 - m) rf - b n_s - f)/252``; with c other than 1 a bull fund pays
        ``c (m - 1) (rf + b)``. An inverse fund earns interest on its assets and its short: a
        credit.
    """
    m = finite_array(np.asarray(multiple, dtype=np.float64), "multiple")
    rf = finite_array(np.asarray(risk_free_annual, dtype=np.float64), "risk_free_annual")
    fee = finite_array(np.asarray(expense_annual, dtype=np.float64), "expense_annual")
    spread = finite_array(np.asarray(swap_spread_annual, dtype=np.float64), "swap_spread_annual")
    c = positive(swap_factor, "swap_factor")
    financing = np.where(m < 0, (1.0 - m) * rf + m * c * spread, -(m - 1.0) * c * (rf + spread))
    carry: FloatArray = (financing - fee) / positive(periods_per_year, "periods_per_year")
    return carry


def annual_slippage(
    multiple: float,
    *,
    risk_free_annual: float,
    swap_spread_annual: float = 0.0,
    expense_annual: float = 0.0,
    swap_factor: float = 1.0,
) -> float:
    """Yearly cost of financing and fee of a reset fund.

    Parameters
    ----------
    multiple : float
    risk_free_annual, swap_spread_annual, expense_annual : float
        Decimals a year.
    swap_factor : float
        c, about 1.1 in practice.

    Returns
    -------
    float
        ``c (m - 1) (rf + b) + f`` of a bull fund; ``c abs(m) b + f - (1 - m) rf`` of an inverse
        fund, negative when its interest exceeds its costs.

    References
    ----------
    testfol.io, announcement of the slippage model (UPRO, 10.04 %).

    Examples
    --------
    >>> round(annual_slippage(3, risk_free_annual=0.0365, swap_spread_annual=0.005,
    ...     expense_annual=0.0091, swap_factor=1.1), 4)
    0.1004
    """
    carry = daily_carry(
        finite(multiple, "multiple"),
        risk_free_annual=risk_free_annual,
        expense_annual=not_negative(expense_annual, "expense_annual"),
        swap_spread_annual=swap_spread_annual,
        swap_factor=swap_factor,
        periods_per_year=1,
    )
    return -float(carry)


def linked_index_returns(
    dates: DateArray,
    earlier_returns: FloatArray,
    later_returns: FloatArray,
    change_date: dt.date,
) -> FloatArray:
    """Returns of the index a fund followed, across a change of index.

    Parameters
    ----------
    dates : datetime64[D] array of shape (n_obs,)
        Sessions of the returns, strictly increasing.
    earlier_returns : float64 array of shape (n_obs,)
        Of the index followed before the change; NaN is allowed from the change on.
    later_returns : float64 array of shape (n_obs,)
        Of the one followed from `change_date` on; NaN is allowed before.
    change_date : datetime.date
        First session whose return is measured against the later index.

    Returns
    -------
    float64 array of shape (n_obs,)

    Raises
    ------
    InvalidInputError
        If a return is missing on the side on which it counts.
    """
    days = session_dates(dates, "dates")
    before = masked_vector(earlier_returns, "earlier_returns", length=days.shape[0])
    after = masked_vector(later_returns, "later_returns", length=days.shape[0])
    linked = np.where(days < np.datetime64(change_date, "D"), before, after)
    missing = np.isnan(linked)
    if missing.any():
        raise InvalidInputError(
            f"no index return on {days[missing][0]}; supply the index followed on that day",
            argument="earlier_returns",
            date=str(days[missing][0]),
        )
    return linked


def synthetic_fund_returns(
    index_returns: FloatArray,
    multiple: FloatArray | float,
    *,
    carry: FloatArray | float = 0.0,
) -> FloatArray:
    """Daily returns of the fund that its terms describe.

    Parameters
    ----------
    index_returns : float64 array of shape (n_obs,)
        Of the index followed on each day; see `linked_index_returns`.
    multiple : float or float64 array of shape (n_obs,)
        May change inside the window.
    carry : float or float64 array of shape (n_obs,)
        A day, from `daily_carry`.

    Returns
    -------
    float64 array of shape (n_obs,)
        ``m r + carry``.

    Raises
    ------
    DegenerateInputError
        If a day wipes the fund out.
    """
    index = finite_vector(index_returns, "index_returns")
    returns_above_ruin(index, "index_returns")
    m = np.broadcast_to(finite_array(np.asarray(multiple, np.float64), "multiple"), index.shape)
    earned = np.broadcast_to(finite_array(np.asarray(carry, np.float64), "carry"), index.shape)
    fund: FloatArray = m * index + earned
    if (fund <= -1.0).any():
        row = int(np.argmax(fund <= -1.0))
        raise DegenerateInputError(
            f"the move in row {row} wipes the fund out; nothing compounds after it", row=row
        )
    return fund


@dataclass(frozen=True, slots=True)
class Tracking:
    """How well the synthetic fund follows the real one while both are there.

    Attributes
    ----------
    slope : float
        Of real on synthetic daily returns.
    correlation : float
    tracking_error_annual : float
        Standard deviation of the daily difference, annualized.
    tracking_difference_annual : float
        Mean daily difference, real less synthetic, annualized.
    tracking_difference_standard_error : float
    n_obs : int
    """

    slope: float
    correlation: float
    tracking_error_annual: float
    tracking_difference_annual: float
    tracking_difference_standard_error: float
    n_obs: int


@dataclass(frozen=True, slots=True, eq=False)
class FundHistory:
    """A fund's returns, real where there are any.

    Attributes
    ----------
    returns : float64 array of shape (n_obs,)
    is_synthetic : bool array of shape (n_obs,)
    tracking : Tracking
        Over the sessions with both.
    """

    returns: FloatArray
    is_synthetic: BoolArray
    tracking: Tracking


def extended_history(
    synthetic_returns: FloatArray,
    fund_returns: FloatArray,
    *,
    min_overlap: int = 60,
    min_correlation: float = 0.95,
    periods_per_year: int = TRADING_DAYS_PER_YEAR,
) -> FundHistory:
    """Put synthetic returns before a fund's inception.

    Parameters
    ----------
    synthetic_returns : float64 array of shape (n_obs,)
    fund_returns : float64 array of shape (n_obs,)
        NaN before inception; none missing after it.
    min_overlap : int
        Sessions with both that the check needs.
    min_correlation : float
        Below it the terms or the index are not the fund's, and nothing is joined.
    periods_per_year : int

    Returns
    -------
    FundHistory

    Raises
    ------
    InvalidInputError
        If a return is missing after inception.
    DegenerateInputError
        If the two do not move together.
    """
    built = finite_vector(synthetic_returns, "synthetic_returns")
    real = masked_vector(fund_returns, "fund_returns", length=built.shape[0])
    missing = np.isnan(real)
    first = int(np.argmin(missing)) if not missing.all() else real.shape[0]
    if missing[first:].any():
        row = first + int(np.argmax(missing[first:]))
        raise InvalidInputError(
            f"fund_returns is missing in row {row}, after inception; correct the prices first",
            argument="fund_returns",
            row=row,
        )
    enough(real.shape[0] - first, max(min_overlap, 3), "fund_returns")
    tracking = _tracking(built[first:], real[first:], periods_per_year)
    if tracking.correlation < min_correlation:
        raise DegenerateInputError(
            f"synthetic and real returns correlate by {tracking.correlation:.3f} only, below "
            f"{min_correlation}; check the index, the multiple and the dates",
            correlation=tracking.correlation,
        )
    return FundHistory(
        returns=np.where(missing, built, real), is_synthetic=missing, tracking=tracking
    )


def _tracking(built: FloatArray, real: FloatArray, periods_per_year: int) -> Tracking:
    same_shape(built, real, "synthetic_returns", "fund_returns")
    difference = real - built
    spread = float(difference.std(ddof=1))
    covariance = np.cov(real, built)
    if min(covariance[0, 0], covariance[1, 1]) <= 0.0:
        raise DegenerateInputError("the fund or its index does not move", std=0)
    scale = float(np.sqrt(covariance[0, 0]) * np.sqrt(covariance[1, 1]))
    return Tracking(
        slope=float(covariance[0, 1] / covariance[1, 1]),
        correlation=float(covariance[0, 1]) / scale,
        tracking_error_annual=spread * float(np.sqrt(periods_per_year)),
        tracking_difference_annual=float(difference.mean()) * periods_per_year,
        tracking_difference_standard_error=spread
        / float(np.sqrt(real.shape[0]))
        * periods_per_year,
        n_obs=real.shape[0],
    )


def cumulative_split_factor(ratios: Sequence[int | Fraction]) -> Fraction:
    """Exact product of split ratios.

    Parameters
    ----------
    ratios : sequence of int or Fraction
        Old shares per new share of each reverse split, positive.

    Returns
    -------
    Fraction
        Never rounded: SOXS's is 96,000,000.

    Examples
    --------
    >>> int(cumulative_split_factor([5, 4, 4, 5, 10, 12, 10, 10, 20]))
    96000000
    """
    product = Fraction(1)
    for ratio in ratios:
        if ratio <= 0:
            raise InvalidInputError(f"split ratios must be positive, got {ratio}")
        product *= Fraction(ratio)
    return product
