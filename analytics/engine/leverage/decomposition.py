"""Where a reset fund's return came from, exactly and to second order.

A return effect keeps its sign: a gain is positive and a cost negative, so that the parts sum to the
realized return.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from analytics.engine.checks import (
    enough,
    finite,
    finite_array,
    finite_result,
    finite_vector,
    open_unit,
    positive,
    returns_above_ruin,
    same_shape,
)
from analytics.engine.errors import DegenerateInputError, InvalidInputError
from analytics.engine.leverage.laws import refuse_ruin
from analytics.engine.leverage.realized_variance import realized_variance_error
from analytics.engine.returns import compound
from analytics.engine.types import TRADING_DAYS_PER_YEAR, Estimate, FloatArray


@dataclass(frozen=True, slots=True)
class Decomposition:
    """Parts of one fund's realized return; see `DecompositionBatch`."""

    fund_return: float
    index_return: float
    simple: float
    convexity: float
    variance_cost: Estimate
    compounding: float
    financing: float
    expense: float
    residual: float
    realized_variance: Estimate
    n_obs: int


@dataclass(frozen=True, slots=True, eq=False)
class DecompositionBatch:
    """Exact parts of realized returns of daily-reset funds, each of shape (n_funds,).

    Attributes
    ----------
    fund_return, index_return : float64 array
        Compounded over the window.
    simple : float64 array
        Multiple times index return.
    convexity : float64 array
        (1 + R)^m - 1 - m R; a gain, never negative for m > 1 or m < 0.
    variance_cost : float64 array
        prod(1 + m r) - (1 + R)^m; a cost, never positive for m > 1 or m < 0.
    variance_cost_standard_error : float64 array
        From the sampling error of realized variance.
    compounding : float64 array
        convexity + variance_cost.
    financing, expense, residual : float64 array
        Financing may be a credit; the residual holds premium or discount, index fixing and
        distributions.
    realized_variance, realized_variance_standard_error : float64 array
        Sum of squared log index returns over the window, and sqrt(2/3 sum r^4).
    n_obs : int
    """

    fund_return: FloatArray
    index_return: FloatArray
    simple: FloatArray
    convexity: FloatArray
    variance_cost: FloatArray
    variance_cost_standard_error: FloatArray
    compounding: FloatArray
    financing: FloatArray
    expense: FloatArray
    residual: FloatArray
    realized_variance: FloatArray
    realized_variance_standard_error: FloatArray
    confidence_level: float
    n_obs: int

    @property
    def sum_of_parts(self) -> FloatArray:
        """Return the sum of the six parts; equal to `fund_return` up to rounding."""
        total: FloatArray = (
            self.simple
            + self.convexity
            + self.variance_cost
            + self.financing
            + self.expense
            + self.residual
        )
        return total

    def at(self, index: int) -> Decomposition:
        """Return one fund's parts with normal intervals on the estimated ones.

        The sign of both is certain, so an interval ends at zero.
        """
        quantile = float(ndtri(0.5 + self.confidence_level / 2.0))

        def estimate(value: FloatArray, error: FloatArray) -> Estimate:
            center, spread = float(value[index]), float(error[index])
            low, high = center - quantile * spread, center + quantile * spread
            if center < 0.0:
                return Estimate(center, spread, low, min(high, 0.0))
            return Estimate(center, spread, max(low, 0.0), high)

        return Decomposition(
            fund_return=float(self.fund_return[index]),
            index_return=float(self.index_return[index]),
            simple=float(self.simple[index]),
            convexity=float(self.convexity[index]),
            variance_cost=estimate(self.variance_cost, self.variance_cost_standard_error),
            compounding=float(self.compounding[index]),
            financing=float(self.financing[index]),
            expense=float(self.expense[index]),
            residual=float(self.residual[index]),
            realized_variance=estimate(
                self.realized_variance, self.realized_variance_standard_error
            ),
            n_obs=self.n_obs,
        )


def return_decomposition(
    index_returns: FloatArray,
    fund_returns: FloatArray,
    multiple: FloatArray | float,
    *,
    risk_free_annual: FloatArray | float = 0.0,
    expense_annual: FloatArray | float = 0.0,
    swap_spread_annual: FloatArray | float = 0.0,
    swap_notional_multiple: FloatArray | float | None = None,
    periods_per_year: int = TRADING_DAYS_PER_YEAR,
    confidence_level: float = 0.95,
) -> DecompositionBatch:
    """Decompose realized fund returns exactly.

    Parameters
    ----------
    index_returns, fund_returns : float64 array of shape (n_funds, n_obs) or (n_obs,)
        Simple daily returns as decimals, oldest first, no gaps. Net asset value rather than price
        where there is one.
    multiple : float, or float64 array broadcast to (n_funds, n_obs)
        Daily multiple; it may change inside the window.
    risk_free_annual, expense_annual, swap_spread_annual : float or array, likewise broadcast
        Decimals a year on each day; they may change inside the window.
    swap_notional_multiple : float or array, optional
        n_s; by default abs(m) of an inverse fund and m - 1 of a bull fund.
    periods_per_year : int
    confidence_level : float

    Returns
    -------
    DecompositionBatch

    Raises
    ------
    InvalidInputError
        If shapes disagree or a value is not finite.
    DegenerateInputError
        If a day's move wipes the ideal fund out.

    Notes
    -----
    With R the index return, ``k = ((1 - m) rf - b n_s)/252`` and ``e = f/252``, in this order,
    which is part of the definition::

        simple         m R
        convexity      (1 + R)^m - 1 - m R
        variance cost  prod(1 + m r) - (1 + R)^m
        financing      prod(1 + m r + k) - prod(1 + m r)
        expense        prod(1 + m r + k - e) - prod(1 + m r + k)
        residual       R_fund - (prod(1 + m r + k - e) - 1)

    The sum telescopes to the realized return. Where the multiple changes, each stretch of one
    multiple is decomposed and its parts are scaled by the fund's realized growth up to it.
    The error of the variance cost is ``abs(m^2 - m)/2 prod(1 + m r) se(V)``.

    References
    ----------
    Cheng, M. and Madhavan, A. (2009), Journal of Investment Management 7.
    Avellaneda, M. and Zhang, S. (2010), SIAM Journal on Financial Mathematics 1, eq. 10.
    Barndorff-Nielsen, O. and Shephard, N. (2002), JRSS B 64 (error of realized variance).

    Examples
    --------
    >>> parts = return_decomposition(np.array([0.10, -0.10]), np.array([-0.30, 0.30]), -3)
    >>> round(parts.sum_of_parts.item(), 12)
    -0.09
    """
    index = np.atleast_2d(finite_array(index_returns, "index_returns"))
    fund = np.atleast_2d(finite_array(fund_returns, "fund_returns"))
    same_shape(index, fund, "index_returns", "fund_returns")
    enough(index.shape[1], 1, "index_returns")
    returns_above_ruin(index, "index_returns")
    returns_above_ruin(fund, "fund_returns")
    open_unit(confidence_level, "confidence_level")
    m = _daily(multiple, index.shape, "multiple")
    rf = _daily(risk_free_annual, index.shape, "risk_free_annual")
    expense = _daily(expense_annual, index.shape, "expense_annual")
    spread = _daily(swap_spread_annual, index.shape, "swap_spread_annual")
    notional = (
        np.where(m < 0, -m, m - 1.0)
        if swap_notional_multiple is None
        else _daily(swap_notional_multiple, index.shape, "swap_notional_multiple")
    )
    carry = ((1.0 - m) * rf - spread * notional) / positive(periods_per_year, "periods_per_year")
    fee = expense / periods_per_year
    if (1.0 + m * index + np.minimum(carry - fee, np.minimum(carry, 0.0)) <= 0.0).any():
        raise DegenerateInputError(
            "a day's index move wipes out a fund of this multiple, so nothing compounds after it; "
            "check the returns and the multiple",
            series="index_returns",
        )
    parts = np.zeros((len(_PARTS), index.shape[0]))
    variance_error = np.zeros(index.shape[0])
    # Changes of multiple cut the window; without any there is one stretch for all funds.
    changes = np.flatnonzero((np.diff(m, axis=1) != 0).any(axis=0)) + 1
    reached = np.ones(index.shape[0])
    for start, stop in zip([0, *changes], [*changes, index.shape[1]], strict=True):
        days = slice(start, stop)
        stretch, error = _stretch(
            m[:, start], index[:, days], fund[:, days], carry[:, days], fee[:, days]
        )
        with np.errstate(over="ignore", invalid="ignore"):
            parts += reached * stretch
            variance_error += (reached * error) ** 2
        with np.errstate(over="ignore"):
            reached = reached * np.prod(1.0 + fund[:, days], axis=1)
    log_returns = np.log1p(index)
    named = dict(zip(_PARTS, parts, strict=True))
    finite_result(np.vstack([parts, variance_error]), "a part of the return")
    return DecompositionBatch(
        fund_return=compound(fund),
        index_return=compound(index),
        **named,
        compounding=named["convexity"] + named["variance_cost"],
        variance_cost_standard_error=np.sqrt(variance_error),
        realized_variance=np.einsum("ft,ft->f", log_returns, log_returns),
        realized_variance_standard_error=realized_variance_error(index),
        confidence_level=confidence_level,
        n_obs=index.shape[1],
    )


_PARTS = ("simple", "convexity", "variance_cost", "financing", "expense", "residual")


def _daily(values: FloatArray | float, shape: tuple[int, ...], name: str) -> FloatArray:
    array = finite_array(np.asarray(values), name)
    if array.ndim == 1 and array.shape[0] == shape[0] != shape[1]:
        array = array[:, np.newaxis]
    try:
        return np.broadcast_to(array, shape)
    except ValueError as error:
        raise InvalidInputError(
            f"{name} has shape {array.shape}, which does not spread over {shape}", argument=name
        ) from error


def _stretch(
    m: FloatArray, index: FloatArray, fund: FloatArray, carry: FloatArray, fee: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Parts over days of one multiple, shape (6, n_funds), and the variance cost's error."""
    leveraged = m[:, np.newaxis] * index
    with np.errstate(over="ignore", invalid="ignore"):
        index_growth = np.prod(1.0 + index, axis=1)
        simple = m * (index_growth - 1.0)
        power = index_growth**m
        reset = np.prod(1.0 + leveraged, axis=1)
        financed = np.prod(1.0 + leveraged + carry, axis=1)
        net = np.prod(1.0 + leveraged + carry - fee, axis=1)
        realized = np.prod(1.0 + fund, axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        parts = np.stack(
            [
                simple,
                power - 1.0 - simple,
                reset - power,
                financed - reset,
                net - financed,
                realized - net,
            ]
        )
        error = np.abs(m**2 - m) / 2.0 * reset * realized_variance_error(index)
    return parts, error


def trend_minus_chop(multiple: float, index_returns: FloatArray) -> float:
    """Second-order compounding effect: a gain from trend less a loss from chop.

    Parameters
    ----------
    multiple : float
    index_returns : float64 array of shape (n_obs,)

    Returns
    -------
    float
        ``(m^2 - m)/2 [(sum r)^2 - sum r^2]``, decimal.

    References
    ----------
    Hsieh, C., Chang, C. and Chen, Y. (2025), arXiv:2504.20116.
    """
    returns = finite_vector(index_returns, "index_returns")
    finite(multiple, "multiple")
    trend, chop = float(returns.sum()) ** 2, float(returns @ returns)
    return (multiple**2 - multiple) / 2.0 * (trend - chop)


@dataclass(frozen=True, slots=True)
class LogDrag:
    """Log growth of the ideal fund less multiple times log growth of the index.

    Attributes
    ----------
    exact : float
        sum[ln(1 + m r) - m ln(1 + r)].
    second_order : float
        (m - m^2)/2 sum r^2.
    third_order : float
        second_order + (m^3 - m)/3 sum r^3.
    """

    exact: float
    second_order: float
    third_order: float


def log_drag(multiple: float, index_returns: FloatArray) -> LogDrag:
    """Log drag of the daily reset, exact and by its expansion.

    Parameters
    ----------
    multiple : float
    index_returns : float64 array of shape (n_obs,)
        Simple daily returns as decimals.

    Returns
    -------
    LogDrag
        Negative is a drag.

    Raises
    ------
    DegenerateInputError
        If a day's move wipes the fund out.
    """
    returns = finite_vector(index_returns, "index_returns")
    returns_above_ruin(returns, "index_returns")
    fund = finite(multiple, "multiple") * returns
    refuse_ruin(fund)
    second = (multiple - multiple**2) / 2.0 * float(returns @ returns)
    return LogDrag(
        exact=float(np.sum(np.log1p(fund) - multiple * np.log1p(returns))),
        second_order=second,
        third_order=second + (multiple**3 - multiple) / 3.0 * float(np.sum(returns**3)),
    )
