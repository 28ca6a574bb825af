"""Rows of the option, stress and hedge families under names that the file need not have."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.engine.reference import NotCoveredError, ReferenceRow, evaluate

PUT = {"S": 250, "K": 240, "T": "14/365", "r": 0.043, "sigma": 0.48, "q": 0.004}
HULL = {"S": 49, "K": 50, "T": 0.3846, "r": 0.05, "sigma": 0.2, "q": 0}
EVENT = {
    "sigma_front": 0.55, "T_front": "7/365", "sigma_back": 0.47, "T_back": "35/365",
    "event_days": 1,
}  # fmt: skip
COST = {"annual_cost": 0.062, "es_u": 0.05, "es_h": 0.02}


def answer(row_id: str, inputs: dict[str, object], method: str = "") -> float | None:
    return evaluate(ReferenceRow(row_id, method, inputs, None, 0.0), {})


@pytest.mark.parametrize(
    ("row_id", "inputs", "expected", "tolerance"),
    [
        # Hull, The Greek letters, and section 2.10 and 4 of the methods.
        ("O02-gamma", HULL, 0.066, 5e-4),
        ("O02-rho", HULL, 8.91, 5e-3),
        ("O02-theta-day", HULL, -0.0118, 5e-5),
        ("O05-bleed7", PUT, 2.279, 5e-4),
        ("O05-bleed", {**PUT, "days": 7}, 2.279, 5e-4),
        ("O05-bleed7-linear", PUT, 2.009, 5e-4),
        ("O07-base", EVENT, np.sqrt((0.47**2 * 35 - 0.55**2 * 7) / 28), 1e-12),
        ("O08-iv", {**PUT, "price": 4.911773136586902, "type": "put"}, 0.48, 1e-9),
        ("O09-bear1x", {"notional": 1e6, "m": -1}, 1e6, 1e-6),
        ("O10-put-15", {"R": 0.15, "days": 10, "instrument": "put", "put": "O05"}, -63476, 0.5),
        ("O10-put--15", {"R": -0.15, "days": 10, "instrument": "put", "put": "O05"}, 290983, 0.5),
        ("O10-put-0", {"R": 0, "days": 10, "instrument": "put", "put": "O05"}, -45062, 0.5),
        ("V09-path20-15d", {"m": -3, "R": 0.2, "n": 15}, -0.429, 5e-4),
        ("V09-instant", {"m": -3, "R": 0.4}, -1.0, 0.0),
        ("V09-choppy-index", {"m": -3, "r": [0.08, -0.04] * 7 + [0]}, 0.2878, 5e-5),
        ("H09-third-60-63", {"m": -3, "sigma": 0.6, "n": 63, "h": "1/3"}, 0.220, 5e-4),
        ("H09-drift-he", {"m": -3, "sigma": 0.6, "n": 1, "mu": 0.001}, 1.0, 1e-12),
        ("H10-rebalances", {"m": -3, "r": [0.03, -0.02, 0.04, 0.01, -0.03]}, 3, 0),
        ("H11-cost-es", COST, 0.062 / 0.03, 1e-12),
        ("H03-tailed", {"h": 0.7777, "Qa": 2e6, "S": 1.94, "Qf": 42000, "F": 1.99}, 36.10, 5e-3),
    ],
)
def test_siblings_of_the_rows_are_answered(
    row_id: str, inputs: dict[str, object], expected: float, tolerance: float
) -> None:
    assert answer(row_id, inputs) == pytest.approx(expected, abs=tolerance)


def test_calls_and_puts_are_read_from_name_type_and_text() -> None:
    put, call = answer("O05-put-price", PUT), answer("O05-call-price", PUT)
    assert put == pytest.approx(4.911773136586902, abs=1e-9)
    assert call != put
    assert answer("O03-x", {**PUT, "type": "call"}) == call
    assert answer("O03-x", PUT, "BSM put with dividend yield") == put
    assert answer("O03-x", PUT, "BSM call") == call


@pytest.mark.parametrize(
    ("row_id", "inputs"),
    [
        ("O10-collar-0", {"R": 0, "days": 10, "instrument": "collar", "put": "O05"}),
        ("O09-what", {"notional": 1e6, "S": 250, "delta": -0.3}),
        ("O01-c", {"S": 42, "K": 40}),
    ],
)
def test_what_the_rows_do_not_say_is_not_guessed(row_id: str, inputs: dict[str, object]) -> None:
    with pytest.raises(NotCoveredError):
        answer(row_id, inputs)
