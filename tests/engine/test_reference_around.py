"""Rows of the same methods under names, outputs and parameters that the file does not have."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analytics.engine.reference import ReferenceRow, evaluate

FUNDS = {"funds": [{"m": 3, "A": 1e10}, {"m": -3, "A": 1e9}], "r": 0.01, "adv": 3e10}
JORION = {"w": [2e6, 1e6], "sigma": [0.05, 0.12], "rho": 0, "z": 1.65}
HULL = {
    "n": 500,
    "worst_losses_usd": [477841, 345435, 282204, 277041, 253385],
    "scenario": [494, 339, 349, 329, 487],
    "alpha": 0.99,
    "lambda": 0.995,
}
CLOSES = [float(value) for value in 50 + np.cumsum(np.sin(np.arange(40.0)))]
FILTER = {"r": [0.005, -0.04], "P": [[0.95, 0.1], [0.05, 0.9]], "sigma": [0.01, 0.03]}
GNP: dict[str, object] = {"dataset": "Hamilton 1989 GNP (statsmodels test data rgnp)"}
SAMPLE = np.random.default_rng(4).normal(0, 0.01, 60)
LEGS = {"dataset": "D", "weights": {"a": 0.6, "b": 0.4}, "alpha": 0.95}


def answer(row_id: str, inputs: dict[str, object]) -> float | None:
    columns = {"D": {"a": SAMPLE, "b": SAMPLE[::-1].copy()}}
    return evaluate(ReferenceRow(row_id, "", inputs, None, 0.0), columns)


@pytest.mark.parametrize(
    ("row_id", "inputs", "expected"),
    [
        ("L12-share-1pct", {**FUNDS, "close_share": 0.2}, 0.01 * (6e10 + 1.2e10) / 6e9),
        ("L12-dtc", {"Q": 6e9, "ADV": 3e10, "participation": 0.1}, 2.0),
        ("L12-flow", FUNDS, 0.01 * (6e10 + 1.2e10)),
        ("L13-slip-bear", {"L": -3, "ffr": 0.04, "spread": 0.005, "er": 0.01}, 0.025 - 0.16),
        ("L14-sb20", {"p": 0.05}, 20.0),
        ("V01-z0.999", {"alpha": 0.999}, stats.norm.ppf(0.999)),
        ("V01-es0.99", {"alpha": 0.99}, stats.norm.pdf(stats.norm.ppf(0.99)) / 0.01),
        ("V02-var", {**HULL, "alpha": 0.994}, 282204.0),
        ("V03-w339", {**HULL, "i": 339}, 0.995**161 * 0.005 / (1 - 0.995**500)),
        ("V03-w", {"lambda": 0.99, "n": 100, "i": 100}, 0.01 / (1 - 0.99**100)),
        ("V04-euler", JORION, 0.0),
        ("V04-undiv", JORION, 1.65 * (1e5 + 1.2e5)),
        ("V04-ind_EUR", JORION, 1.65 * 1.2e5),
        ("V04-marg_CAD", JORION, 1.65 * 0.05**2 * 2e6 / np.hypot(1e5, 1.2e5)),
        ("V05-kupiec-0.05-510-lo", {"p": 0.05, "T": 510}, 16),
        ("V05-lr", {"p": 0.01, "T": 1000, "N": 10}, 0.0),
        (
            "V05-christoffersen",
            {"n00": 90, "n01": 5, "n10": 5, "n11": 0},
            2 * (90 * np.log(90 / 95) + 5 * np.log(5 / 95) - 95 * np.log(0.95) - 5 * np.log(0.05)),
        ),
        ("V05-ind", {"hits": [0, 1, 0, 1, 0]}, 2 * -4 * np.log(0.5)),
        ("V06-basel-0", {"k": 0, "n": 250, "p": 0.01}, 100 * 0.99**250),
        ("V07-hs-99", {"dataset": "D", "x": "a", "alpha": 0.99}, -SAMPLE.min()),
        ("V07-hs-lin", {"dataset": "D", "x": "a"}, -float(np.quantile(SAMPLE, 0.05))),
        ("V08-cf95", {"alpha": 0.05, "skew": 0, "ex_kurt": 0}, stats.norm.ppf(0.05)),
        ("T03-bb-up-25", {"close": CLOSES}, np.mean(CLOSES[6:26]) + 2 * np.std(CLOSES[6:26])),
        ("T04-sma-9", {"close": CLOSES}, np.mean(CLOSES[:10])),
        ("C01-nent", {"w": [0.5, 0.5]}, 2.0),
        ("C02-top1", {"contrib": [3.0, 1.0, 1.0]}, 0.6),
        ("R02-low", {**FILTER, "i": 0}, None),
        ("S01-sum", {"sum": 5.8}, 5.8 / np.sqrt(5.8**2 + 15)),
        ("S01-vader-9", {"text": "The book was good."}, 0.44043357),
        ("S03-finbert", {"pos": 0.7, "neg": 0.1}, 0.6),
    ],
)
def test_siblings_of_rows_are_answered(
    row_id: str, inputs: dict[str, object], expected: float | None
) -> None:
    if row_id == "R02-low":
        calm, loud = stats.norm(0, 0.01).pdf(0.005), stats.norm(0, 0.03).pdf(0.005)
        expected = 0.525 * calm / (0.525 * calm + 0.475 * loud)
    assert answer(row_id, inputs) == pytest.approx(expected, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize(
    ("output", "expected", "tolerance"),
    [("mu1", 1.163516, 1e-4), ("sigma2", np.exp(-0.262658) ** 2, 1e-4), ("phi3", -0.246983, 1e-4)],
)
def test_every_parameter_of_hamiltons_model_is_answered(
    output: str, expected: float, tolerance: float
) -> None:
    assert answer(f"R01-{output}", GNP) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize(
    ("row_id", "inputs"),
    [
        ("T01-rsi-13", {"close": CLOSES}),
        ("T02-atr-12", {"high": CLOSES, "low": CLOSES, "close": CLOSES}),
        ("T03-bb-lo", {"close": CLOSES, "i": 18}),
        ("T04-ema-8", {"close": CLOSES}),
        ("T04-macd-24", {"close": CLOSES}),
        ("S02-lm0", {"P": 0, "N": 0}),
        ("S01-none", {"text": "Nothing rated here."}),
    ],
)
def test_warm_up_and_no_evidence_are_null(row_id: str, inputs: dict[str, object]) -> None:
    assert answer(row_id, inputs) is None


def test_legs_sum_to_the_shortfall() -> None:
    total = answer("V04b-es", LEGS)
    parts = [answer("V04b-c1", {**LEGS, "leg": "a"}), answer("V04b-c2", {**LEGS, "leg": "b"})]
    assert total is not None
    assert parts[0] is not None
    assert parts[1] is not None
    assert parts[0] + parts[1] == pytest.approx(total, abs=1e-15)
