from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from analytics.engine import checks
from analytics.engine.errors import (
    EngineError,
    InsufficientDataError,
    InvalidInputError,
    NonFiniteResultError,
    error_from,
)
from analytics.engine.types import FailureReason

DAYS = [dt.date(2024, 3, 1), dt.date(2024, 3, 4), dt.date(2024, 3, 5)]


@pytest.mark.parametrize(
    "values",
    [
        DAYS,
        ["2024-03-01", "2024-03-04", "2024-03-05"],
        pd.DatetimeIndex(DAYS),
        np.array(DAYS, dtype="datetime64[ns]"),
        [dt.datetime.fromisoformat(str(day)) for day in DAYS],
    ],
)
def test_session_dates_are_read_from_any_form_without_a_zone(values: Sequence[dt.date]) -> None:
    dates = checks.session_dates(values, "sessions")
    assert dates.dtype == np.dtype("datetime64[D]")
    assert dates.tolist() == DAYS


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pd.DatetimeIndex(DAYS, tz="America/New_York"), "with a time zone"),
        ([DAYS[0], dt.datetime(2024, 3, 4, tzinfo=dt.UTC)], "with a time zone"),
        ([DAYS[0], DAYS[0]], "repeats 2024-03-01"),
        (DAYS[::-1], "sort oldest first"),
        (["2024-03-01", "NaT"], "missing date"),
        ([1, 2, 3], "must hold dates"),
        (["first", "second"], "must hold dates"),
        ([None, DAYS[0]], "must hold dates"),
    ],
)
def test_dates_that_may_shift_a_session_are_refused(
    values: Sequence[dt.date], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        checks.session_dates(values, "sessions")


def test_errors_name_the_argument_the_requirement_and_the_remedy() -> None:
    with pytest.raises(InsufficientDataError, match=r"window has 17 .* 60 are needed; widen") as e:
        checks.enough(17, 60, "window")
    assert (e.value.context["required"], e.value.context["available"]) == (60, 17)


@pytest.mark.parametrize("reason", list(FailureReason))
def test_a_failure_and_its_error_carry_the_same_facts(reason: FailureReason) -> None:
    (kind,) = [error for error in EngineError.__subclasses__() if error.reason is reason]
    raised = kind("why", required=3)
    again = error_from(raised.failure)
    assert type(again) is kind
    assert (again.message, again.context) == ("why", {"required": 3})


@pytest.mark.parametrize("values", [["a"], [[1.0], [1.0, 2.0]], [1j]])
def test_values_that_are_no_numbers_are_refused(values: object) -> None:
    with pytest.raises(InvalidInputError, match="prices must hold numbers only"):
        checks.finite_vector(values, "prices")  # type: ignore[arg-type]  # wrong on purpose


def test_an_overflowing_result_is_not_served() -> None:
    with pytest.raises(NonFiniteResultError, match="growth is not representable"):
        checks.finite_result(np.array([1.0, np.inf]), "growth")
