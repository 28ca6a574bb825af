"""How the beta of a daily-reset fund moves within a day and over several."""

from __future__ import annotations

import numpy as np

from analytics.engine.checks import (
    at_least,
    finite,
    finite_result,
    not_negative,
)
from analytics.engine.errors import (
    DegenerateInputError,
    InvalidInputError,
)
from analytics.engine.types import (
    TRADING_DAYS_PER_YEAR,
)


def horizon_beta(
    multiple: float,
    annual_volatility: float,
    n_days: int,
    *,
    periods_per_year: int = TRADING_DAYS_PER_YEAR,
) -> float:
    """n-day beta of a daily-reset fund on its own index.

    Parameters
    ----------
    multiple : float
        Daily multiple, -3 for an inverse triple fund.
    annual_volatility : float
        Of the index, decimal.
    n_days : int
        Holding period in trading days.
    periods_per_year : int

    Returns
    -------
    float
        The multiple itself for one day or zero volatility.

    Notes
    -----
    ``((1 + m v)^n - 1)/((1 + v)^n - 1)`` with v = sigma^2/252; exact for any independent,
    identically distributed daily return of mean zero. Derived in methodology/semiconductor_beta.md.

    Examples
    --------
    >>> round(horizon_beta(-3, 0.6, 252), 4)
    -1.5271
    """
    finite(multiple, "multiple")
    not_negative(annual_volatility, "annual_volatility")
    at_least(n_days, 1, "n_days")
    daily_variance = annual_volatility**2 / periods_per_year
    if 1.0 + multiple * daily_variance <= 0.0:
        raise InvalidInputError(
            f"annual_volatility {annual_volatility} is beyond the formula for a multiple of "
            f"{multiple}; volatility is a decimal (0.6 is 60 %)",
            argument="annual_volatility",
        )
    if daily_variance == 0.0:
        return float(multiple)
    growth = np.expm1(n_days * np.log1p(np.array([multiple, 1.0]) * daily_variance))
    finite_result(growth, "horizon beta")
    return float(growth[0] / growth[1])


def intraday_multiple(multiple: float, index_return: float) -> float:
    """Multiple of a daily-reset fund part way through the session.

    Parameters
    ----------
    multiple : float
        At the last reset.
    index_return : float
        Of the index since the last reset, decimal.

    Returns
    -------
    float
        ``m (1 + r)/(1 + m r)``.

    Raises
    ------
    DegenerateInputError
        If the move has wiped the fund out.
    """
    finite(multiple, "multiple")
    finite(index_return, "index_return")
    remaining = 1.0 + multiple * index_return
    if index_return <= -1.0 or remaining <= 0.0:
        raise DegenerateInputError(
            f"an index return of {index_return} wipes out a fund of multiple {multiple}",
            index_return=index_return,
            multiple=multiple,
        )
    return multiple * (1.0 + index_return) / remaining
