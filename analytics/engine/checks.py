"""Checks at the engine's door; every text names the argument and the remedy."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from analytics.engine.errors import (
    InsufficientDataError,
    InvalidInputError,
    NonFiniteResultError,
)
from analytics.engine.types import DateArray, FloatArray

# Squares and fourth powers of what passes stay far from overflow; no market moves by this much.
LARGEST_MAGNITUDE = 1e60
# A series that deviates by less is still: its squares would run out of digits.
SMALLEST_DEVIATION = 1e-60

_REMEDY_FINITE = "remove or correct those entries"
_REMEDY_MISSING = "infinite values are refused; mark missing ones as NaN"


def _as_float(values: ArrayLike, name: str) -> FloatArray:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{name} must hold numbers only, of one length: {error}", argument=name
        ) from error
    return array


def finite_vector(values: ArrayLike, name: str, *, min_length: int = 1) -> FloatArray:
    """Return `values` as float64 of shape (n,), every entry finite."""
    array = _as_float(values, name)
    if array.ndim != 1:
        raise InvalidInputError(
            f"{name} must have one dimension, got shape {array.shape}", argument=name
        )
    _refuse_non_finite(array, name)
    enough(array.shape[0], min_length, name)
    return array


def finite_array(values: ArrayLike, name: str) -> FloatArray:
    """Return `values` as float64 of any shape, every entry finite."""
    array = _as_float(values, name)
    _refuse_non_finite(array, name)
    return array


def masked_vector(values: ArrayLike, name: str, *, length: int | None = None) -> FloatArray:
    """Return `values` as float64 of shape (n,); NaN marks a missing entry, infinity is refused."""
    array = _as_float(values, name)
    if array.ndim != 1:
        raise InvalidInputError(
            f"{name} must have one dimension, got shape {array.shape}", argument=name
        )
    if length is not None and array.shape[0] != length:
        raise InvalidInputError(
            f"{name} has {array.shape[0]} entries where {length} are needed; "
            "align the dates of the series first",
            argument=name,
            required=length,
            available=array.shape[0],
        )
    _refuse_infinite(array, name)
    _refuse_magnitude(array, name)
    return array


def masked_rows(values: ArrayLike, name: str, *, length: int | None = None) -> FloatArray:
    """Return `values` as float64 of shape (n_rows, n_obs); a vector is one row; NaN is missing.

    A row of absurd magnitude passes: it is for the caller to fail that row and answer the others.
    """
    array = _as_float(values, name)
    if array.ndim == 1:
        array = array[np.newaxis, :]
    if array.ndim != 2:
        raise InvalidInputError(
            f"{name} must have one or two dimensions, got shape {array.shape}", argument=name
        )
    if length is not None and array.shape[1] != length:
        raise InvalidInputError(
            f"{name} has {array.shape[1]} observations where {length} are needed; "
            "align the dates of the series first",
            argument=name,
            required=length,
            available=array.shape[1],
        )
    _refuse_infinite(array, name)
    return array


def _refuse_non_finite(array: FloatArray, name: str) -> None:
    # A comparison with NaN is false, so one pass finds everything.
    if array.size and not np.abs(array).max() <= LARGEST_MAGNITUDE:
        count = int(np.count_nonzero(~np.isfinite(array)))
        if count:
            raise InvalidInputError(
                f"{name} has {count} entries that are not finite; {_REMEDY_FINITE}",
                argument=name,
                count=count,
            )
        _refuse_magnitude(array, name)


def _refuse_infinite(array: FloatArray, name: str) -> None:
    infinite = np.isinf(array)
    if infinite.any():
        count = int(np.count_nonzero(infinite))
        raise InvalidInputError(
            f"{name} has {count} infinite entries; {_REMEDY_MISSING}", argument=name, count=count
        )


def _refuse_magnitude(array: FloatArray, name: str) -> None:
    if (np.abs(array) > LARGEST_MAGNITUDE).any():
        raise InvalidInputError(
            f"{name} holds a magnitude above {LARGEST_MAGNITUDE:.0e}; check its unit and scale",
            argument=name,
        )


def same_shape(array: FloatArray, other: FloatArray, name: str, other_name: str) -> None:
    """Refuse two arrays of different shapes."""
    if array.shape != other.shape:
        raise InvalidInputError(
            f"{name} has shape {array.shape} and {other_name} {other.shape}; "
            "they must cover the same dates",
            argument=name,
        )


def enough(available: int, required: int, name: str) -> None:
    """Refuse fewer than `required` observations."""
    if available < required:
        raise InsufficientDataError(
            f"{name} has {available} observations where {required} are needed; "
            "widen the window or supply more history",
            argument=name,
            required=required,
            available=available,
        )


def bounded(array: FloatArray, name: str) -> FloatArray:
    """Return `array` if no magnitude in it is absurd (NaN passes)."""
    _refuse_magnitude(array, name)
    return array


def positive(value: float, name: str) -> float:
    """Return `value` if it is finite and above zero."""
    if not 0 < value <= LARGEST_MAGNITUDE:
        raise InvalidInputError(f"{name} must be positive and finite, got {value}", argument=name)
    return float(value)


def not_negative(value: float, name: str) -> float:
    """Return `value` if it is finite and not below zero."""
    if not 0 <= value <= LARGEST_MAGNITUDE:
        raise InvalidInputError(
            f"{name} must be zero or positive and finite, got {value}", argument=name
        )
    return float(value)


def finite(value: float, name: str) -> float:
    """Return `value` if it is finite."""
    if not abs(value) <= LARGEST_MAGNITUDE:
        raise InvalidInputError(f"{name} must be finite, got {value}", argument=name)
    return float(value)


def at_least(value: int, least: int, name: str) -> int:
    """Return `value` if it is an integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InvalidInputError(
            f"{name} must be an integer of at least {least}, got {value!r}", argument=name
        )
    return int(value)


def open_unit(value: float, name: str) -> float:
    """Return `value` if it lies strictly between 0 and 1."""
    if not 0 < value < 1:
        raise InvalidInputError(
            f"{name} must lie strictly between 0 and 1, got {value}", argument=name
        )
    return float(value)


def returns_above_ruin(returns: FloatArray, name: str) -> None:
    """Refuse simple returns of -100 % or less (NaN passes as missing)."""
    if (returns <= -1.0).any():
        raise InvalidInputError(
            f"{name} holds a return of -100 % or less; returns are decimals (0.01 is 1 %), "
            "check for percent or for a price that is not positive",
            argument=name,
        )


def finite_result(value: FloatArray, name: str) -> FloatArray:
    """Return `value` if every entry is finite, else say that it overflowed."""
    if not np.isfinite(value).all():
        raise NonFiniteResultError(
            f"{name} is not representable for these inputs; check their scale", result=name
        )
    return value


def session_dates(values: ArrayLike | Sequence[dt.date], name: str) -> DateArray:
    """Return exchange-local session dates as datetime64[D], strictly increasing.

    Daily data is keyed by the session's date on its exchange; there is no time zone arithmetic.
    Aware timestamps are refused, mixed or not, because converting them may move a session by a day.
    """
    array = np.asarray(values)
    if array.dtype == object:
        if any(getattr(value, "tzinfo", None) is not None for value in array.ravel()):
            raise InvalidInputError(
                f"{name} holds timestamps with a time zone; pass the exchange-local session dates",
                argument=name,
            )
        if not all(isinstance(value, dt.date) for value in array.ravel()):
            raise InvalidInputError(f"{name} must hold dates", argument=name)
    elif array.dtype.kind not in "MU":
        raise InvalidInputError(f"{name} must hold dates, got {array.dtype}", argument=name)
    try:
        dates: DateArray = array.astype("datetime64[D]")
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"{name} must hold dates: {error}", argument=name) from error
    if dates.ndim != 1:
        raise InvalidInputError(f"{name} must have one dimension", argument=name)
    if np.isnat(dates).any():
        raise InvalidInputError(f"{name} holds a missing date", argument=name)
    steps = np.diff(dates).astype(np.int64)
    if (steps == 0).any():
        repeated = str(dates[1:][steps == 0][0])
        raise InvalidInputError(
            f"{name} repeats {repeated}; keep one row per session", argument=name, date=repeated
        )
    if (steps < 0).any():
        raise InvalidInputError(f"{name} must increase; sort oldest first", argument=name)
    return dates
