"""Did stored value-at-risk forecasts hold: Kupiec, Christoffersen and the Basel zones."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.special import bdtr, chdtrc, chdtri, xlogy

from analytics.engine.checks import at_least, enough, finite_vector, open_unit, session_dates
from analytics.engine.errors import InvalidInputError
from analytics.engine.types import BoolArray, DateArray, FloatArray


class BaselZone(StrEnum):
    """Traffic light of the Basel Committee."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True, slots=True)
class LikelihoodRatio:
    """A likelihood-ratio test.

    Attributes
    ----------
    statistic : float
    degrees_of_freedom : int
    p_value : float
        Small speaks against the forecasts.
    """

    statistic: float
    degrees_of_freedom: int
    p_value: float


@dataclass(frozen=True, slots=True)
class BaselLight:
    """Zone of a count of exceptions.

    Attributes
    ----------
    zone : BaselZone
    cumulative_probability : float
        Of at most this many exceptions if the model is right.
    multiplier_addition : float or None
        Added to the capital multiplier of 3; given for the 250 days at 99 % of the framework only.
    """

    zone: BaselZone
    cumulative_probability: float
    multiplier_addition: float | None


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """Tests of stored forecasts against what happened.

    Attributes
    ----------
    n_exceptions, n_obs : int
    exception_rate : float
    unconditional, independence, conditional : LikelihoodRatio
        Kupiec; Christoffersen's independence; both together.
    basel : BaselLight
    exceptions : bool array of shape (n_obs,)
    """

    n_exceptions: int
    n_obs: int
    exception_rate: float
    unconditional: LikelihoodRatio
    independence: LikelihoodRatio
    conditional: LikelihoodRatio
    basel: BaselLight
    exceptions: BoolArray


def _tested(statistic: float, degrees: int) -> LikelihoodRatio:
    value = max(statistic, 0.0)
    return LikelihoodRatio(value, degrees, float(chdtrc(degrees, value)))


def kupiec_test(n_exceptions: int, n_obs: int, exception_probability: float) -> LikelihoodRatio:
    """Proportion-of-failures test.

    Parameters
    ----------
    n_exceptions, n_obs : int
    exception_probability : float
        p, 0.01 for VaR 99.

    Returns
    -------
    LikelihoodRatio
        One degree of freedom.

    Notes
    -----
    ``-2 ln[(1 - p)^(T - N) p^N] + 2 ln[(1 - N/T)^(T - N) (N/T)^N]``, 0 ln 0 being 0.

    References
    ----------
    Kupiec, P. (1995), Journal of Derivatives 3.

    Examples
    --------
    >>> round(kupiec_test(17, 1000, 0.01).statistic, 3)
    4.091
    """
    exceptions, total = _count(n_exceptions, n_obs)
    p = open_unit(exception_probability, "exception_probability")
    observed = exceptions / total
    stayed = total - exceptions
    statistic = 2.0 * (
        float(xlogy(stayed, 1.0 - observed) + xlogy(exceptions, observed))
        - float(xlogy(stayed, 1.0 - p) + xlogy(exceptions, p))
    )
    return _tested(statistic, 1)


def _count(n_exceptions: int, n_obs: int) -> tuple[int, int]:
    total = at_least(n_obs, 1, "n_obs")
    exceptions = at_least(n_exceptions, 0, "n_exceptions")
    if exceptions > total:
        raise InvalidInputError(
            f"n_exceptions {exceptions} exceeds n_obs {total}", argument="n_exceptions"
        )
    return exceptions, total


def kupiec_region(
    n_obs: int, exception_probability: float, *, significance: float = 0.05
) -> tuple[int | None, int | None]:
    """Counts of exceptions next to the region in which the test does not reject.

    Parameters
    ----------
    n_obs : int
    exception_probability : float
    significance : float

    Returns
    -------
    low, high : int or None
        The model stands for low < N < high; None on a side where no count is rejected.

    Examples
    --------
    >>> kupiec_region(1000, 0.01)
    (4, 17)
    """
    total = at_least(n_obs, 1, "n_obs")
    p = open_unit(exception_probability, "exception_probability")
    critical = float(chdtri(1, open_unit(significance, "significance")))
    counts = np.arange(total + 1.0)
    rate = counts / total
    statistic = 2.0 * (
        xlogy(total - counts, 1.0 - rate)
        + xlogy(counts, rate)
        - xlogy(total - counts, 1.0 - p)
        - xlogy(counts, p)
    )
    accepted = np.flatnonzero(statistic <= critical)
    if accepted.size == 0:
        center = round(total * p)
        return center, center + 1
    low, high = int(accepted[0]) - 1, int(accepted[-1]) + 1
    return (low if low >= 0 else None), (high if high <= total else None)


def christoffersen_independence(exceptions: BoolArray) -> LikelihoodRatio:
    """Do exceptions come singly or in clusters?

    Parameters
    ----------
    exceptions : bool array of shape (n_obs,)
        In order of time.

    Returns
    -------
    LikelihoodRatio
        One degree of freedom, against a first-order Markov chain.

    References
    ----------
    Christoffersen, P. (1998), International Economic Review 39, eq. 10-12.
    """
    hits = _hits(exceptions)
    enough(hits.shape[0], 2, "exceptions")
    before, after = hits[:-1], hits[1:]
    return independence_of_counts(
        int(np.sum(~before & ~after)),
        int(np.sum(~before & after)),
        int(np.sum(before & ~after)),
        int(np.sum(before & after)),
    )


def independence_of_counts(
    calm_calm: int, calm_hit: int, hit_calm: int, hit_hit: int
) -> LikelihoodRatio:
    """Christoffersen's independence test from counts of days and the days after them.

    Parameters
    ----------
    calm_calm, calm_hit, hit_calm, hit_hit : int
        n00, n01, n10, n11: pairs of days by whether the first and the second is an exception.

    Returns
    -------
    LikelihoodRatio
        One degree of freedom.

    Raises
    ------
    InsufficientDataError
        If there are no pairs.
    """
    names = ("calm_calm", "calm_hit", "hit_calm", "hit_hit")
    counts = (calm_calm, calm_hit, hit_calm, hit_hit)
    n00, n01, n10, n11 = (
        float(at_least(count, 0, name)) for count, name in zip(counts, names, strict=True)
    )
    enough(sum(counts), 1, "calm_calm")
    pooled = (n01 + n11) / (n00 + n01 + n10 + n11)
    after_calm = n01 / (n00 + n01) if n00 + n01 else 0.0
    after_hit = n11 / (n10 + n11) if n10 + n11 else 0.0
    chain = (
        xlogy(n00, 1.0 - after_calm)
        + xlogy(n01, after_calm)
        + xlogy(n10, 1.0 - after_hit)
        + xlogy(n11, after_hit)
    )
    independent = xlogy(n00 + n10, 1.0 - pooled) + xlogy(n01 + n11, pooled)
    return _tested(2.0 * float(chain - independent), 1)


def _hits(exceptions: BoolArray) -> BoolArray:
    hits = np.asarray(exceptions)
    if hits.dtype != np.bool_ or hits.ndim != 1:
        raise InvalidInputError(
            f"exceptions must be booleans of one dimension, got {hits.dtype} of shape {hits.shape}",
            argument="exceptions",
        )
    return hits


# Basel Committee (1996), table 2: additions to the multiplier at 5 to 9 exceptions in 250 days.
_BASEL_ADDITIONS = {5: 0.40, 6: 0.50, 7: 0.65, 8: 0.75, 9: 0.85}
_YELLOW_FROM, _RED_FROM = 0.95, 0.9999


def basel_zone(
    n_exceptions: int, n_obs: int = 250, exception_probability: float = 0.01
) -> BaselLight:
    """Traffic light of a count of exceptions.

    Parameters
    ----------
    n_exceptions, n_obs : int
    exception_probability : float

    Returns
    -------
    BaselLight

    Notes
    -----
    Yellow begins where the probability of at most that many exceptions reaches 95 %, red where it
    reaches 99.99 %; for 250 days at 99 % that is 5 and 10.

    References
    ----------
    Basel Committee on Banking Supervision (1996), Supervisory framework for the use of
    backtesting, tables 1 and 2.

    Examples
    --------
    >>> basel_zone(4).zone.value, round(100 * basel_zone(4).cumulative_probability, 2)
    ('green', 89.22)
    """
    exceptions, total = _count(n_exceptions, n_obs)
    p = open_unit(exception_probability, "exception_probability")
    probability = float(bdtr(exceptions, total, p))
    zone = BaselZone.GREEN
    if probability >= _RED_FROM:
        zone = BaselZone.RED
    elif probability >= _YELLOW_FROM:
        zone = BaselZone.YELLOW
    addition = None
    if (total, p) == (250, 0.01):
        addition = 0.0 if zone is BaselZone.GREEN else _BASEL_ADDITIONS.get(exceptions, 1.0)
    return BaselLight(zone, probability, addition)


def value_at_risk_backtest(
    realized_returns: FloatArray,
    value_at_risk: FloatArray,
    *,
    forecast_dates: DateArray,
    return_dates: DateArray,
    confidence_level: float = 0.99,
    min_obs: int = 60,
) -> BacktestResult:
    """Backtest stored forecasts.

    Parameters
    ----------
    realized_returns : float64 array of shape (n_obs,)
        Decimals; losses negative.
    value_at_risk : float64 array of shape (n_obs,)
        As stored when it was made, losses positive; never recomputed with later data.
    forecast_dates : datetime64[D] array of shape (n_obs,)
        Last session each forecast had seen.
    return_dates : datetime64[D] array of shape (n_obs,)
        Session of each return, strictly increasing.
    confidence_level : float
        Of the forecasts.
    min_obs : int

    Returns
    -------
    BacktestResult

    Raises
    ------
    InvalidInputError
        If a forecast had seen the session it is held against.

    Notes
    -----
    An exception is a loss larger than its forecast. Christoffersen's joint test adds Kupiec's
    statistic and that of independence, with two degrees of freedom.
    """
    returns = finite_vector(realized_returns, "realized_returns", min_length=max(min_obs, 2))
    limits = finite_vector(value_at_risk, "value_at_risk")
    days = session_dates(return_dates, "return_dates")
    made = session_dates(forecast_dates, "forecast_dates")
    for name, length in (
        ("value_at_risk", limits.shape[0]),
        ("return_dates", days.shape[0]),
        ("forecast_dates", made.shape[0]),
    ):
        if length != returns.shape[0]:
            raise InvalidInputError(
                f"{name} has {length} entries where {returns.shape[0]} returns are given",
                argument=name,
            )
    late = made >= days
    if late.any():
        raise InvalidInputError(
            f"the forecast for {days[late][0]} was made on {made[late][0]}; store forecasts before "
            "the session they are for",
            argument="forecast_dates",
        )
    p = 1.0 - open_unit(confidence_level, "confidence_level")
    exceptions = -returns > limits
    count, n_obs = int(exceptions.sum()), returns.shape[0]
    unconditional = kupiec_test(count, n_obs, p)
    independence = christoffersen_independence(exceptions)
    return BacktestResult(
        n_exceptions=count,
        n_obs=n_obs,
        exception_rate=count / n_obs,
        unconditional=unconditional,
        independence=independence,
        conditional=_tested(unconditional.statistic + independence.statistic, 2),
        basel=basel_zone(count, n_obs, round(p, 12)),
        exceptions=exceptions,
    )
