"""Numbers as people read them."""

from __future__ import annotations

import pytest

from analytics.reporting.formats import interval, long_date, number, percent

MINUS = "\u2212"


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [
        (None, 2, "-"),
        ("12500000.00", 0, "12,500,000"),
        (-1234.5, 1, f"{MINUS}1,234.5"),
        (0.125, 2, "0.12"),
        (-0.0004, 2, "0.00"),
        (6e11, 0, "600,000,000,000"),
        (0, 2, "0.00"),
    ],
)
def test_number_is_written_with_separators_and_a_true_minus(
    value: float | str | None, places: int, text: str
) -> None:
    assert number(value, places) == text


def test_signed_numbers_carry_their_plus() -> None:
    assert number(0.5, 1, signed=True) == "+0.5"
    assert percent(-0.107257, 2, signed=True) == f"{MINUS}10.73"


def test_nothing_is_never_zero() -> None:
    assert percent(None) == number(None) == interval(None) == interval([None, 1.0]) == "-"


def test_interval_and_date() -> None:
    assert interval([-0.4443, 0.5357]) == f"[{MINUS}0.44, 0.54]"
    assert long_date("2026-11-05") == "5 November 2026"
