from __future__ import annotations

import json

import numpy as np
import pytest

from analytics.engine.reference import (
    Outcome,
    ReferenceFormatError,
    ReferenceRow,
    check,
    evaluate,
    parse_rows,
    summarize,
)

HEADER = "id,method,inputs(json),expected,tolerance,source\n"
INDEX = [0.021, -0.034, 0.045, 0.012, -0.028, 0.037, -0.019, 0.026, 0.031, -0.022]
HULL = {
    "dS": [0.029, 0.02, -0.044, 0.008, 0.026, -0.019, -0.01, -0.007, 0.043, 0.011, -0.036],
    "dF": [0.021, 0.035, -0.046, 0.001, 0.044, -0.029, -0.026, -0.029, 0.048, -0.006, -0.036],
}
ITEM = {"item": [-120, 80, -60, 45, -200, 150], "hedge": [110, -85, 20, -48, 190, -140]}


def line(row_id: str, inputs: object, expected: object, tolerance: float = 1e-9) -> str:
    quoted = json.dumps(inputs).replace('"', '""')
    return f'{row_id},any,"{quoted}",{expected},{tolerance},here\n'


def answer(row_id: str, inputs: dict[str, object]) -> float | None:
    return evaluate(ReferenceRow(row_id, "", inputs, None, 0.0), {"D": _columns()})


def _columns() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    x = rng.normal(0, 0.02, 60)
    m = 0.5 * x + rng.normal(0, 0.01, 60)
    return {"x": x, "m": m, "y": 1.2 * x + rng.normal(0, 0.01, 60), "f": -3 * x}


def test_rows_pass_fail_and_stay_open() -> None:
    rows = parse_rows(
        [
            HEADER,
            line("L10-mult", {"m": 3}, 6, 0.0),
            line("L10-wrong", {"m": 3}, 7, 0.5),
            line("L10-broken", {"m": "many"}, 7),
            line("Z99-what", {}, 1),
            line("B06-null", {"y": [1, 2, 4, 3], "x": [1, 2, 3, 4], "window": 3, "index": 1}, ""),
        ]
    )
    checked = check(rows, {})
    outcomes = [result.outcome for result in checked]
    assert outcomes == [
        Outcome.PASSED, Outcome.FAILED, Outcome.FAILED, Outcome.NOT_COVERED, Outcome.PASSED
    ]  # fmt: skip
    first = summarize(checked)[0]
    assert (first.family, first.rows, first.passed, first.failed) == ("L10", 3, 1, 2)
    assert (first.max_error, first.max_error_in_tolerances) == (1.0, 2.0)


def test_a_null_answer_where_a_number_is_expected_fails() -> None:
    (row,) = parse_rows([HEADER, line("H06-cum", {"item": [1, -1], "hedge": [1, 2]}, 0.5)])
    (result,) = check([row], {})
    assert result.outcome is Outcome.FAILED
    assert result.note == "expected 0.5, answered None"


def test_rows_reuse_inputs_but_not_outputs_of_others() -> None:
    rows = parse_rows(
        [
            HEADER,
            line("H06-first", {**ITEM, "output": "cum"}, 47 / 105),
            line("H06-per-fail", {"data": "as H06-first"}, 1, 0.0),
            line("H06-cum", {"data": "as H06-gone"}, 0.4),
        ]
    )
    outcomes = [result.outcome for result in check(rows, {})]
    assert outcomes == [Outcome.PASSED, Outcome.PASSED, Outcome.NOT_COVERED]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (["id,method\n"], "columns missing: inputs"),
        ([HEADER, "A1,m,{not json,1,1,s\n"], "line 2, row 'A1'"),
        ([HEADER, line("A1", {}, 1), line("A1", {}, 1)], "used twice"),
    ],
)
def test_files_of_another_form_are_refused(text: list[str], message: str) -> None:
    with pytest.raises(ReferenceFormatError, match=message):
        parse_rows(text)


@pytest.mark.parametrize(
    ("row_id", "inputs", "expected"),
    [
        ("B04-lag-rule", {"n": 252}, 4),
        ("B05-neff", {"lambda": 0.94}, 1.94 / 0.06),
        ("B15-meff", {"m": -3, "r": 0.05}, -3 * 1.05 / 0.85),
        ("B18-meff", {"m": 3, "r": -0.02}, 3 * 0.98 / 0.94),
        ("H04-idx", {"beta": 1.5, "V": 5050000, "F": 1010, "mult": 250}, 30),
        ("H10-up10", {"m": -3, "R": 0.1, "V": 0}, 1.1**-4),
        ("L04-60-21", {"m": -3, "sigma": 0.6, "T": 1 / 12}, -0.18),
        ("L05-expense", {"index_r": INDEX, "m": -3, "expense_annual": 0.0}, 0.0),
        ("L06-rv", {"index_r": INDEX, "m": -3}, float(np.sum(np.log1p(INDEX) ** 2))),
        ("L06-trendchop", {"index_r": INDEX, "m": -3},
         6 * (sum(INDEX) ** 2 - sum(r * r for r in INDEX))),
        ("L06-logdrag", {"index_r": INDEX, "m": -3},
         float(np.sum(np.log1p(-3 * np.array(INDEX)) + 3 * np.log1p(INDEX)))),
        ("L11-flow", {"m": -3, "A": 1e9, "r": 0.01, "F": 0}, 1.2e8),
        ("H06-verdict", ITEM, 0),
        ("H01-rho", HULL, float(np.corrcoef(HULL["dS"], HULL["dF"])[0, 1])),
        ("H05-verdict-sized", HULL, 1),
        ("H09-mu-21", {"m": -3, "sigma": 0.6, "n": 1, "mu": 0.001, "output": "he"}, 1.0),
    ],
)  # fmt: skip
def test_rows_of_the_same_methods_under_other_names_are_answered(
    row_id: str, inputs: dict[str, object], expected: float
) -> None:
    assert answer(row_id, inputs) == pytest.approx(expected, rel=1e-10, abs=1e-14)


@pytest.mark.parametrize(
    ("row_id", "inputs"),
    [
        ("B04-two", {"y": [0.01, 0.02], "x": [0.02, 0.01]}),
        ("B04-beta", {"y": INDEX * 4, "x": [0.01] * 40}),
        ("B06-i18", {"y": INDEX * 4, "x": INDEX * 4, "window": 20}),
        ("H06-cum", {"item": [1, -1], "hedge": [1, 2]}),
    ],
)
def test_rows_without_an_answer_are_null(row_id: str, inputs: dict[str, object]) -> None:
    assert answer(row_id, inputs) is None


def test_column_expressions_compute_and_nothing_else() -> None:
    inputs = {"dataset": "D", "y": "100*diff(log(1+y))", "X": ["const", "x[:-1]"]}
    x, y = _columns()["x"][:-1], 100 * np.diff(np.log(1 + _columns()["y"]))
    slope = np.polyfit(x, y, 1)[0]
    assert answer("B02-b_x", {**inputs, "output": "b_x"}) == pytest.approx(slope, rel=1e-10)
    (row,) = parse_rows([HEADER, line("B02-b_x", {**inputs, "y": "__import__('os').getcwd()"}, 1)])
    assert check([row], {"D": _columns()})[0].outcome is Outcome.NOT_COVERED
