"""Reference rows of the beta methods under ids and outputs that no file has."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from analytics.engine.reference import NotCoveredError, ReferenceRow, evaluate
from analytics.engine.types import FloatArray


def columns() -> dict[str, FloatArray]:
    rng = np.random.default_rng(1)
    x = rng.normal(0, 0.02, 60)
    return {"x": x, "y": 1.2 * x + 0.5 * np.roll(x, 1) + rng.normal(0, 0.01, 60)}


def answer(row_id: str, inputs: dict[str, object]) -> float | None:
    nile = {"volume": sm.datasets.nile.load_pandas().data["volume"].to_numpy()}
    return evaluate(ReferenceRow(row_id, "", inputs, None, 0.0), {"D": columns(), "nile": nile})


PAIR = {"dataset": "D", "y": "y", "x": "x"}
NILE = {"dataset": "nile", "var_eps": 15099, "var_eta": 1469.1}


@pytest.mark.parametrize(
    ("row_id", "inputs", "expected"),
    [
        ("B07-blume-mid", {"beta": 1.0, "a": 0.343, "b": 0.677}, 1.02),
        ("B07-bbg-2", {"beta": 2.0}, 1.67),
        ("B08-weight", {"se": 0.3, "prior_sd": 0.4}, 0.64),
        ("B08-lim0", {"beta": 1.8, "se": 0.0, "prior_mean": 1.3, "prior_sd": 0.25}, 1.8),
        ("B11-lag", {"beta": 1.5, "theta": 0.2}, 1.2),
        ("B11-dimson", {"beta": 1.5, "theta": 0.2}, 1.5),
        ("B14-nile-ll", NILE, -632.5456251156736),
        ("B14-nile-P", NILE, 4032.157941808477),
        ("B14-nile-first", {**NILE, "index": 0}, 1120.0),
    ],
)
def test_closed_forms_of_other_rows(
    row_id: str, inputs: dict[str, object], expected: float
) -> None:
    assert answer(row_id, inputs) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("lags", "leads"), [(1, 0), (2, 1), (0, 1)])
def test_dimson_rows_of_other_spans(lags: int, leads: int) -> None:
    y, x = columns()["y"], columns()["x"]
    rows = np.arange(lags, 60 - leads)
    regressors = sm.add_constant(np.stack([x[rows + k] for k in range(-lags, leads + 1)], axis=1))
    oracle = sm.OLS(y[rows], regressors).fit()
    inputs = {**PAIR, "lags": lags, "leads": leads}
    ones = np.append(0.0, np.ones(lags + leads + 1))
    expected = {
        "B09-lag2": oracle.params[1:].sum(),
        "B09-any-se": np.sqrt(ones @ oracle.cov_params() @ ones),
        "B09-r2": oracle.rsquared,
        "B09-n": rows.size,
        "B09-b0": oracle.params[1 + lags],
        "B09-b-lag1": oracle.params[lags] if lags else None,
    }
    for row_id, value in expected.items():
        if value is not None:
            assert answer(row_id, inputs) == pytest.approx(value, rel=1e-9)


def test_scholes_williams_rows_give_the_parts() -> None:
    y, x = columns()["y"], columns()["x"]
    assert answer("B10-rho1", {**PAIR}) == pytest.approx(np.corrcoef(x[1:], x[:-1])[0, 1])
    slope = np.polyfit(x[:-2], y[1:-1], 1)[0]
    assert answer("B10-b-lag1", {**PAIR}) == pytest.approx(slope)


def test_state_space_rows_take_a_noise_of_their_own() -> None:
    y, x = columns()["y"], columns()["x"]
    fit = sm.OLS(y, sm.add_constant(x)).fit()
    still = {**PAIR, "q_beta": 0, "prior_var": 1e7}
    assert answer("B14-kalman-q0", still) == pytest.approx(0.0, abs=1e-12)
    assert answer("B14-kalman-last", still) == pytest.approx(fit.params[1], rel=1e-10)
    assert answer("B14-kalman-sd", still) == pytest.approx(fit.bse[1], rel=1e-9)
    with pytest.raises(NotCoveredError, match="diffuse"):
        answer("B14-kalman-last", {**still, "prior_var": 1.0})
