"""Mean, median and quantiles ahead under geometric Brownian motion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from analytics.engine.checks import finite, open_unit, positive
from analytics.engine.errors import InvalidInputError
from analytics.engine.leverage.laws import representable_exponential


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
        mean_return=representable_exponential(growth, "the mean return") - 1.0,
        median_return=representable_exponential(center, "the median return") - 1.0,
        probability_of_loss=float(ndtr(-center / deviation)),
        quantile_levels=levels,
        quantile_returns=tuple(
            representable_exponential(center + deviation * float(ndtri(level)), "a quantile") - 1.0
            for level in levels
        ),
        horizon_years=years,
        annual_volatility=sigma,
        annual_drift=annual_drift,
        annual_carry=annual_carry,
    )
