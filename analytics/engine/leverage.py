"""Daily-reset leveraged funds: where the return came from, what lies ahead, what the reset trades.

A return effect keeps its sign: a gain is positive and a cost negative in the decomposition, so that
the parts sum to the realized return.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.special import ndtr, ndtri

from analytics.engine.checks import (
    SMALLEST_DEVIATION,
    enough,
    finite,
    finite_array,
    finite_result,
    finite_vector,
    not_negative,
    open_unit,
    positive,
    returns_above_ruin,
    same_shape,
)
from analytics.engine.errors import DegenerateInputError, InvalidInputError, NonFiniteResultError
from analytics.engine.regression import constant_rows
from analytics.engine.returns import compound
from analytics.engine.types import TRADING_DAYS_PER_YEAR, Estimate, FloatArray

# Forced trading per 1 % move of the broad index, all leveraged and inverse equity funds of the
# United States, billion dollars: Tuzun (2013), FEDS 2013-48, abstract. Context, not computed here.
AGGREGATE_FLOW_PER_ONE_PERCENT_USD_BILLION = 1.04

# 1 + m r below this is rounding of zero: the fund is gone.
_LARGEST_LOG = 700.0


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
        """Return one fund's parts with normal intervals on the estimated ones."""
        quantile = float(ndtri(0.5 + self.confidence_level / 2.0))

        def estimate(value: FloatArray, error: FloatArray) -> Estimate:
            center, spread = float(value[index]), float(error[index])
            return Estimate(center, spread, center - quantile * spread, center + quantile * spread)

        variance = estimate(self.realized_variance, self.realized_variance_standard_error)
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
            realized_variance=Estimate(
                variance.value,
                variance.standard_error,
                max(variance.ci_low, 0.0),
                variance.ci_high,
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
        realized_variance_standard_error=_realized_variance_error(index),
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
        error = np.abs(m**2 - m) / 2.0 * reset * _realized_variance_error(index)
    return parts, error


def _realized_variance_error(index_returns: FloatArray) -> FloatArray:
    error: FloatArray = np.sqrt(2.0 / 3.0 * np.sum(index_returns**4, axis=-1))
    return error


@dataclass(frozen=True, slots=True)
class RealizedVariance:
    """Realized variance of a path.

    Attributes
    ----------
    variance : Estimate
        Sum of squared log returns over the window; the interval is normal and floored at 0.
    annual_volatility : Estimate
        sqrt(variance x periods per year / n), error by the delta method.
    n_obs : int
    """

    variance: Estimate
    annual_volatility: Estimate
    n_obs: int


def realized_variance(
    index_returns: FloatArray,
    *,
    periods_per_year: int = TRADING_DAYS_PER_YEAR,
    confidence_level: float = 0.95,
) -> RealizedVariance:
    """Realized variance and volatility with their sampling error.

    Parameters
    ----------
    index_returns : float64 array of shape (n_obs,)
        Simple daily returns as decimals.
    periods_per_year : int
    confidence_level : float

    Returns
    -------
    RealizedVariance

    Notes
    -----
    ``V = sum ln^2(1 + r)``, ``se(V) = sqrt(2/3 sum r^4)``.

    References
    ----------
    Barndorff-Nielsen, O. and Shephard, N. (2002), JRSS B 64.
    """
    returns = finite_vector(index_returns, "index_returns")
    returns_above_ruin(returns, "index_returns")
    open_unit(confidence_level, "confidence_level")
    quantile = float(ndtri(0.5 + confidence_level / 2.0))
    logs = np.log1p(returns)
    variance = float(logs @ logs)
    if variance <= SMALLEST_DEVIATION**2:
        raise DegenerateInputError("index_returns is zero throughout", series="index_returns")
    error = float(_realized_variance_error(returns))
    volatility = float(np.sqrt(variance * periods_per_year / returns.shape[0]))
    volatility_error = volatility * error / (2.0 * variance)
    return RealizedVariance(
        variance=Estimate(
            variance, error, max(variance - quantile * error, 0.0), variance + quantile * error
        ),
        annual_volatility=Estimate(
            volatility,
            volatility_error,
            max(volatility - quantile * volatility_error, 0.0),
            volatility + quantile * volatility_error,
        ),
        n_obs=returns.shape[0],
    )


@dataclass(frozen=True, slots=True)
class VarianceRatio:
    """Lo-MacKinlay variance ratio.

    Attributes
    ----------
    ratio : float
        Above 1 the path trends, which favors a reset fund; below 1 it chops.
    z_statistic : float
        Robust to heteroskedasticity, standard normal under no serial correlation.
    p_value : float
        Two-sided.
    holding_days, n_obs : int
    """

    ratio: float
    z_statistic: float
    p_value: float
    holding_days: int
    n_obs: int


def variance_ratio(index_returns: FloatArray, holding_days: int = 5) -> VarianceRatio:
    """Variance ratio of overlapping `holding_days` returns to daily ones.

    Parameters
    ----------
    index_returns : float64 array of shape (n_obs,)
        Simple daily returns as decimals, oldest first.
    holding_days : int
        q, at least 2.

    Returns
    -------
    VarianceRatio

    Raises
    ------
    InsufficientDataError
        With fewer than 2 q observations.
    DegenerateInputError
        If the index does not move.

    Notes
    -----
    On log returns with mean removed: overlapping, unbiased variances
    ``s_q = sum (p_t - p_{t-q} - q mu)^2/(q (n - q + 1)(1 - q/n))`` over ``s_1 = sum(.)^2/(n - 1)``;
    the robust z divides by ``sqrt(sum_j (2 (q - j)/q)^2 delta_j)``.

    References
    ----------
    Lo, A. and MacKinlay, C. (1988), Review of Financial Studies 1, eq. 12-20.
    """
    returns = finite_vector(index_returns, "index_returns")
    returns_above_ruin(returns, "index_returns")
    if isinstance(holding_days, bool) or holding_days < 2:
        raise InvalidInputError(
            f"holding_days must be 2 or more, got {holding_days!r}", argument="holding_days"
        )
    n_obs = returns.shape[0]
    enough(n_obs, 2 * holding_days, "index_returns")
    logs = np.log1p(returns)
    deviations = logs - logs.mean()
    squares = deviations**2
    total = float(squares.sum())
    if constant_rows(np.array([total]), logs[np.newaxis, :])[0]:
        raise DegenerateInputError("index_returns is constant", series="index_returns", std=0)
    prefix = np.concatenate([[0.0], np.cumsum(deviations)])
    long_steps = prefix[holding_days:] - prefix[:-holding_days]
    scale = holding_days * (n_obs - holding_days + 1) * (1.0 - holding_days / n_obs)
    ratio = float(long_steps @ long_steps) / scale / (total / (n_obs - 1))
    theta = 0.0
    for lag in range(1, holding_days):
        delta = n_obs * float(squares[lag:] @ squares[:-lag]) / total**2
        theta += (2.0 * (holding_days - lag) / holding_days) ** 2 * delta
    z = float(np.sqrt(n_obs)) * (ratio - 1.0) / float(np.sqrt(theta)) if theta > 0.0 else 0.0
    return VarianceRatio(
        ratio=ratio,
        z_statistic=z,
        p_value=float(2.0 * ndtr(-abs(z))),
        holding_days=holding_days,
        n_obs=n_obs,
    )


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
    _refuse_ruin(fund)
    second = (multiple - multiple**2) / 2.0 * float(returns @ returns)
    return LogDrag(
        exact=float(np.sum(np.log1p(fund) - multiple * np.log1p(returns))),
        second_order=second,
        third_order=second + (multiple**3 - multiple) / 3.0 * float(np.sum(returns**3)),
    )


def _refuse_ruin(fund_returns: FloatArray) -> None:
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
    _refuse_ruin(fund)
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
    return _exponential(float(exponent), "the fund's gross return")


def _exponential(exponent: float, name: str) -> float:
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


@dataclass(frozen=True, slots=True)
class ForwardOutlook:
    """Distribution of a reset fund's return ahead under geometric Brownian motion.

    Attributes
    ----------
    mean_return, median_return : float
        Decimals; they differ by the whole volatility drag, so both are given.
    probability_of_loss : float
    quantile_levels, quantile_returns : tuple of float
    horizon_years, annual_volatility, annual_drift, annual_carry : float
        The assumptions.
    """

    mean_return: float
    median_return: float
    probability_of_loss: float
    quantile_levels: tuple[float, ...]
    quantile_returns: tuple[float, ...]
    horizon_years: float
    annual_volatility: float
    annual_drift: float
    annual_carry: float


def forward_outlook(
    multiple: float,
    annual_volatility: float,
    horizon_years: float,
    *,
    annual_drift: float = 0.0,
    annual_carry: float = 0.0,
    quantile_levels: Sequence[float] = (0.05, 0.25, 0.5, 0.75, 0.95),
) -> ForwardOutlook:
    """Mean, median, quantiles and probability of loss ahead.

    Parameters
    ----------
    multiple : float
        Not 0.
    annual_volatility : float
        Of the index, decimal, positive.
    horizon_years : float
        Positive; trading days over 252.
    annual_drift : float
        Arithmetic drift mu of the index.
    annual_carry : float
        Financing less expenses of the fund, decimal a year, added to mean and median alike.
    quantile_levels : sequence of float

    Returns
    -------
    ForwardOutlook

    Notes
    -----
    ``ln(L_T/L_0)`` is normal with mean ``(m mu + c - m^2 sigma^2/2) T`` and standard deviation
    ``abs(m) sigma sqrt(T)``; the mean gross return is ``exp((m mu + c) T)``.

    References
    ----------
    Jarrow, R. (2010), Annals of Finance 6; Giese, G. (2010), SSRN 1510344.

    Examples
    --------
    >>> outlook = forward_outlook(-3, 0.6, 1.0)
    >>> outlook.mean_return, round(1 + outlook.median_return, 4)
    (0.0, 0.1979)
    """
    if finite(multiple, "multiple") == 0.0:
        raise InvalidInputError("multiple must not be 0", argument="multiple")
    sigma = positive(annual_volatility, "annual_volatility")
    years = positive(horizon_years, "horizon_years")
    growth = (
        multiple * finite(annual_drift, "annual_drift") + finite(annual_carry, "annual_carry")
    ) * years
    deviation = abs(multiple) * sigma * float(np.sqrt(years))
    center = growth - deviation**2 / 2.0
    levels = tuple(open_unit(level, "quantile_levels") for level in quantile_levels)
    return ForwardOutlook(
        mean_return=_exponential(growth, "the mean return") - 1.0,
        median_return=_exponential(center, "the median return") - 1.0,
        probability_of_loss=float(ndtr(-center / deviation)),
        quantile_levels=levels,
        quantile_returns=tuple(
            _exponential(center + deviation * float(ndtri(level)), "a quantile") - 1.0
            for level in levels
        ),
        horizon_years=years,
        annual_volatility=sigma,
        annual_drift=annual_drift,
        annual_carry=annual_carry,
    )


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
    index_return = _exponential(index_log, "the index return") - 1.0
    share = drag / fund_log
    return LossAttribution(
        index_return=index_return,
        variance_share=share,
        direction_share=1.0 - share,
        static_return=multiple * index_return,
    )


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
