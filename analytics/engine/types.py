"""Array aliases and the small records that every measure shares."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
DateArray = NDArray[np.datetime64]

TRADING_DAYS_PER_YEAR = 252


class FailureReason(StrEnum):
    """Why there is no number; the slug is what clients see."""

    INVALID_INPUT = "invalid_input"
    INSUFFICIENT_DATA = "insufficient_data"
    DEGENERATE = "degenerate"
    NON_FINITE = "non_finite"


class Verdict(StrEnum):
    """Outcome of a hedge test; inconclusive means the interval straddles a threshold."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Failure:
    """One member of a batch that could not be answered.

    Attributes
    ----------
    reason : FailureReason
        Stable slug.
    message : str
        What was needed, what was there, and what to do about it.
    context : mapping of str to number or text
        For example ``required`` and ``available`` observations.
    """

    reason: FailureReason
    message: str
    context: Mapping[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its uncertainty.

    Attributes
    ----------
    value : float
    standard_error : float
        In the unit of the value.
    ci_low, ci_high : float
        Interval at the confidence level of the call that made it.
    """

    value: float
    standard_error: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True, slots=True)
class Sample:
    """The data a statistic rests on.

    Attributes
    ----------
    n_obs : int
        Observations used.
    first_date, last_date : datetime.date or None
        First and last observation used; None if there is none.
    missing_share : float
        Share of the requested observations that were missing, 0 to 1.
    requested : int
        Observations in the window asked for.
    """

    n_obs: int
    first_date: dt.date | None
    last_date: dt.date | None
    missing_share: float
    requested: int
