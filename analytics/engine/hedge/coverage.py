"""How much of the index a static holding of a reset fund still covers."""

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
from analytics.engine.errors import DegenerateInputError, InvalidInputError
from analytics.engine.types import FloatArray


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
    multiple: float, index_returns: FloatArray, *, band: float = 0.10
) -> CoveragePath:
    """Follow how much of the index a static holding of a reset fund still covers.

    Parameters
    ----------
    multiple : float
        Daily multiple of the fund.
    index_returns : float64 array of shape (n_obs,)
        Simple daily returns of the index since the hedge was sized, oldest first.
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
    returns = finite_vector(index_returns, "index_returns")
    returns_above_ruin(returns, "index_returns")
    positive(band, "band")
    fund = 1.0 + finite(multiple, "multiple") * returns
    if (fund <= 0.0).any():
        raise DegenerateInputError(
            f"the move in row {int(np.argmax(fund <= 0.0))} wipes out a fund of multiple "
            f"{multiple}",
            row=int(np.argmax(fund <= 0.0)),
        )
    exact = np.cumprod(fund / (1.0 + returns))
    log_returns = np.log1p(returns)
    approximate = np.exp(
        (multiple - 1.0) * np.cumsum(log_returns)
        + (multiple - multiple**2) / 2.0 * np.cumsum(log_returns**2)
    )
    outside = np.abs(exact - 1.0) > band
    return CoveragePath(
        exact=finite_array(exact, "coverage"),
        approximate=finite_array(approximate, "approximate coverage"),
        first_breach=int(np.argmax(outside)) if outside.any() else None,
        band=band,
    )


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
