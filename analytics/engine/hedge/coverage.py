"""How much of the index a static holding of a reset fund still covers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.engine.checks import (
    finite,
    finite_array,
    finite_vector,
    not_negative,
    open_unit,
    positive,
    returns_above_ruin,
)
from analytics.engine.errors import DegenerateInputError, InvalidInputError
from analytics.engine.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class CoveragePath:
    """Coverage of an unadjusted hedge relative to its start.

    Attributes
    ----------
    exact : float64 array of shape (n_obs,)
        prod(1 + m r)/prod(1 + r) after each session.
    approximate : float64 array of shape (n_obs,)
        (S_t/S_0)^(m - 1) exp((m - m^2)/2 V_t), V the sum of squared log returns.
    first_breach : int or None
        Row of the first session outside 1 +/- band.
    band : float
    """

    exact: FloatArray
    approximate: FloatArray
    first_breach: int | None
    band: float


def coverage_path(
    multiple: float | FloatArray, index_returns: FloatArray, *, band: float = 0.10
) -> CoveragePath:
    """Follow how much of the index a static holding of a reset fund still covers.

    Parameters
    ----------
    multiple : float or float64 array of shape (n_obs,)
        Daily multiple of the fund, of each day where it changed.
    index_returns : float64 array of shape (n_obs,)
        Simple daily returns since the hedge was sized, oldest first; each day of the index that
        the fund followed then.
    band : float
        Tolerated drift either way, decimal.

    Returns
    -------
    CoveragePath

    Raises
    ------
    DegenerateInputError
        If a day's move wipes the fund out.

    References
    ----------
    Avellaneda, M. and Zhang, S. (2010), SIAM Journal on Financial Mathematics 1, eq. 10.
    Hill, J. and Teller, S. (2010), Journal of Indexes (rebalancing at a 10 % band).
    """
    positive(band, "band")
    exact = np.cumprod(_coverage_factors(multiple, index_returns))
    log_returns = np.log1p(np.asarray(index_returns, dtype=np.float64))
    multiples = np.asarray(multiple, dtype=np.float64)
    approximate = np.exp(
        np.cumsum(
            (multiples - 1.0) * log_returns + (multiples - multiples**2) / 2.0 * log_returns**2
        )
    )
    outside = np.abs(exact - 1.0) > band
    return CoveragePath(
        exact=finite_array(exact, "coverage"),
        approximate=finite_array(approximate, "approximate coverage"),
        first_breach=int(np.argmax(outside)) if outside.any() else None,
        band=band,
    )


@dataclass(frozen=True, slots=True, eq=False)
class CoverageBand:
    """Trades that keep coverage inside a band.

    Attributes
    ----------
    coverage : float64 array of shape (n_obs,)
        Relative to the target, after each session and before any trade at its close.
    trade_rows : int64 array of shape (n_trades,)
        Sessions at whose close the hedge was traded back to its target.
    trades : float64 array of shape (n_trades,)
        Bought (negative: sold) of the fund at each, decimal of the target holding then.
    n_trades : int
    turnover : float
        Sum of sizes of the trades, each decimal of the target holding then.
    cost : float
        Turnover times spread, decimal of the target holding.
    expected_sessions_between : float or None
        Sessions followed over trades; None without trades.
    band : float
    """

    coverage: FloatArray
    trade_rows: IntArray
    trades: FloatArray
    n_trades: int
    turnover: float
    cost: float
    expected_sessions_between: float | None
    band: float


def coverage_band(
    multiple: float,
    index_returns: FloatArray,
    *,
    band: float = 0.10,
    spread: float = 0.0005,
) -> CoverageBand:
    """Trade a reset fund back to its target whenever coverage has left a band.

    Parameters
    ----------
    multiple : float
        Daily multiple of the fund.
    index_returns : float64 array of shape (n_obs,)
        Simple daily returns of the hedged index, oldest first.
    band : float
        Tolerated drift of coverage either way, decimal.
    spread : float
        Half the bid-ask spread and other costs, decimal of what is traded.

    Returns
    -------
    CoverageBand

    Raises
    ------
    DegenerateInputError
        If a day's move wipes the fund out.

    Notes
    -----
    Between trades coverage is ``prod(1 + m r)/prod(1 + r)`` since the last one. A trade at coverage
    c buys ``1 - c`` of the target: after a rise of the index, when an inverse fund covers less,
    it buys.

    References
    ----------
    Hill, J. and Teller, S. (2010), Journal of Indexes (rebalancing at a 10 % band).
    """
    factors = _coverage_factors(multiple, index_returns)
    positive(band, "band")
    not_negative(spread, "spread")
    coverage = np.empty_like(factors)
    rows: list[int] = []
    current = 1.0
    for row, factor in enumerate(factors.tolist()):
        current *= factor
        coverage[row] = current
        if abs(current - 1.0) > band:
            rows.append(row)
            current = 1.0
    trade_rows = np.array(rows, dtype=np.int64)
    trades = 1.0 - coverage[trade_rows]
    turnover = float(np.abs(trades).sum())
    return CoverageBand(
        coverage=finite_array(coverage, "coverage"),
        trade_rows=trade_rows,
        trades=trades,
        n_trades=len(rows),
        turnover=turnover,
        cost=turnover * spread,
        expected_sessions_between=factors.size / len(rows) if rows else None,
        band=band,
    )


@dataclass(frozen=True, slots=True)
class TradeBackPoints:
    """Index moves at which coverage leaves its band.

    Attributes
    ----------
    up, down : float or None
        Index return since the last trade, decimal; None where no move of that sign does it.
    band : float
    """

    up: float | None
    down: float | None
    band: float


def trade_back_points(
    multiple: float, *, band: float = 0.10, realized_variance: float = 0.0
) -> TradeBackPoints:
    """Index moves at which a static holding of a reset fund is due to be traded back.

    Parameters
    ----------
    multiple : float
        Daily multiple, not 1.
    band : float
        Tolerated drift either way, decimal below 1.
    realized_variance : float
        Sum of squared log returns on the way; 0 for a smooth move.

    Returns
    -------
    TradeBackPoints

    Notes
    -----
    Solves ``(1 + R)^(m - 1) exp((m - m^2)/2 V) = 1 -/+ band`` for R.

    Examples
    --------
    >>> points = trade_back_points(-3)
    >>> round(points.up, 4), round(points.down, 4)
    (0.0267, -0.0235)
    """
    if finite(multiple, "multiple") == 1.0:
        raise InvalidInputError("multiple is 1, so coverage does not drift", argument="multiple")
    open_unit(band, "band")
    variance_term = (
        (multiple - multiple**2) / 2.0 * not_negative(realized_variance, "realized_variance")
    )
    moves = sorted(
        _representable((np.log1p(side) - variance_term) / (multiple - 1.0), "the move") - 1.0
        for side in (band, -band)
    )
    # Variance alone may have carried coverage past one side: then every move is beyond it.
    return TradeBackPoints(
        up=moves[1] if moves[1] > 0.0 else None,
        down=moves[0] if moves[0] < 0.0 else None,
        band=band,
    )


def _coverage_factors(multiple: float | FloatArray, index_returns: FloatArray) -> FloatArray:
    """Daily factors of coverage, (1 + m r)/(1 + r)."""
    returns = finite_vector(index_returns, "index_returns")
    returns_above_ruin(returns, "index_returns")
    multiples = finite_array(multiple, "multiple")
    if multiples.shape not in {(), returns.shape}:
        raise InvalidInputError(
            f"multiple has shape {multiples.shape} where one value or {returns.size} are needed",
            argument="multiple",
        )
    fund = 1.0 + multiples * returns
    if (fund <= 0.0).any():
        row = int(np.argmax(fund <= 0.0))
        raise DegenerateInputError(
            f"the move in row {row} wipes out a fund of multiple "
            f"{np.broadcast_to(multiples, returns.shape)[row]:g}",
            row=row,
        )
    factors: FloatArray = fund / (1.0 + returns)
    return factors


def coverage_after_move(
    multiple: float, index_return: float, realized_variance: float = 0.0
) -> float:
    """Coverage relative to its start after a move and a realized variance.

    Parameters
    ----------
    multiple : float
    index_return : float
        Since the hedge was sized, decimal, above -1.
    realized_variance : float
        Sum of squared log returns on the way; 0 for a smooth move.

    Returns
    -------
    float
        ``(1 + R)^(m - 1) exp((m - m^2)/2 V)``.

    Examples
    --------
    >>> round(coverage_after_move(-3, 0.10), 3), round(coverage_after_move(-3, -0.10), 3)
    (0.683, 1.524)
    """
    finite(multiple, "multiple")
    growth = positive(1.0 + finite(index_return, "index_return"), "1 + index_return")
    variance = not_negative(realized_variance, "realized_variance")
    exponent = (multiple - 1.0) * np.log(growth) + (multiple - multiple**2) / 2.0 * variance
    return _representable(exponent, "coverage")


def _representable(exponent: float, name: str) -> float:
    if exponent > 700.0:
        raise InvalidInputError(f"{name} overflows for these inputs; check their scale")
    return float(np.exp(exponent))
