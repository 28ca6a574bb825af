"""Numbers as text, whatever their size."""

from __future__ import annotations

import pytest

from analytics.calculations.outputs import amount, weight


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.005, "0.00"),
        (-1e-30, "0.00"),
        (-0.0, "0.00"),
        (1234.567, "1234.57"),
        (-1234.567, "-1234.57"),
        (1.5e40, "15" + "0" * 39 + ".00"),
        (1e300, "1" + "0" * 300 + ".00"),
    ],
)
def test_amounts_have_two_decimals_at_every_size(value: float, written: str) -> None:
    assert amount(value) == written


def test_weights_have_six() -> None:
    assert weight(-1e-9) == "0.000000"
    assert weight(1e25) == "1" + "0" * 25 + ".000000"
