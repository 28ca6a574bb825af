"""Real prices: published facts come out, and statsmodels agrees on the same data to 1e-9.

Everything on the left of a comparison went through the product: files, gate, tables, worker, HTTP.
Everything on the right is read from the price files again and computed here.
"""

from __future__ import annotations

import csv
import math
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose

from analytics.engine.beta import semiconductor_beta
from analytics.engine.types import FloatArray
from tests.flows.service import Api, Service

RTOL = 1e-9


class Files:
    """Closes and total returns of a folder, read with the standard library."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def columns(self, symbol: str) -> tuple[list[str], FloatArray, FloatArray]:
        """Sessions, closes and closes adjusted for distributions."""
        with (self.folder / "prices" / f"{symbol}.csv").open() as file:
            rows = [row for row in csv.DictReader(file) if row["adj_close"] or row["close"]]
        close = np.array([float(row["close"] or "nan") for row in rows])
        adjusted = np.array([float(row["adj_close"] or row["close"]) for row in rows])
        return [row["date"] for row in rows], close, adjusted

    def returns(self, symbol: str, n_obs: int | None = None) -> FloatArray:
        _, _, adjusted = self.columns(symbol)
        changes: FloatArray = adjusted[1:] / adjusted[:-1] - 1
        return changes if n_obs is None else changes[-n_obs:]

    def between(self, symbol: str, first: str, last: str) -> FloatArray:
        sessions, _, adjusted = self.columns(symbol)
        levels = adjusted[sessions.index(first) : sessions.index(last) + 1]
        changes: FloatArray = levels[1:] / levels[:-1] - 1
        return changes


def ols(y: FloatArray, x: FloatArray, lags: int | None = None) -> Any:
    design = sm.add_constant(x)
    if lags is None:
        return sm.OLS(y, design).fit()
    return sm.OLS(y, design).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": True}, use_t=True
    )


@pytest.fixture(scope="module")
def files(market_folder: Path) -> Files:
    return Files(market_folder)


@pytest.fixture
def caller(service: Service, demo: dict[str, Any]) -> Api:
    return Api(service.base_url, demo["api_key"])


@pytest.fixture
def held(caller: Api, demo: dict[str, Any]) -> dict[str, float]:
    """Quantities of the demo's book."""
    path = f"/v1/portfolios/{demo['portfolios'][0]['id']}/positions?as_of={demo['as_of']}"
    lines = caller.get(path).json["positions"]
    return {line["instrument"]["symbol"]: float(line["quantity"]) for line in lines}


def unit_of(caller: Api, kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """The result of a request's one unit."""
    answer = caller.post(f"/v1/analyses/{kind}", body, Prefer="wait=20")
    assert answer.status == 200, answer.content
    [unit] = answer.json["units"].values()
    assert unit["status"] == "ok", unit
    result: dict[str, Any] = unit["result"]
    return result


@pytest.mark.parametrize(
    ("fund", "slope", "correlation"), [("SOXL", 2.97, 0.997), ("SOXS", -3.01, -0.998)]
)
def test_fifteen_years_of_the_funds_on_their_index(
    files: Files, fund: str, slope: float, correlation: float
) -> None:
    y, x = files.returns(fund), files.returns("SOXX")

    estimate = semiconductor_beta(y, x).at(0)

    assert estimate.beta.value == pytest.approx(slope, abs=0.005)
    signed = math.copysign(math.sqrt(estimate.r_squared), estimate.beta.value)
    assert signed == pytest.approx(correlation, abs=0.0005)
    oracle = ols(y, x, estimate.hac_lags)
    assert_allclose(estimate.beta.value, oracle.params[1], rtol=RTOL)
    assert_allclose(estimate.beta.standard_error, oracle.bse[1], rtol=RTOL)


def test_soxl_made_227_percent_of_an_ideal_269_in_2023(
    caller: Api, demo: dict[str, Any], files: Files
) -> None:
    first, last = "2022-12-30", "2023-12-29"
    result = unit_of(
        caller,
        "leveraged-drag",
        {
            "as_of": demo["as_of"],
            "units": {"soxl": {"instrument": "SOXL", "from": first, "to": last}},
        },
    )
    index = files.between("SOXX", first, last)
    fund = files.between("SOXL", first, last)

    assert round(result["fund_return"], 3) == 2.270
    assert_allclose(result["fund_return"], np.prod(1 + fund) - 1, rtol=RTOL)
    terms = result["decomposition"]
    ideal = terms["simple"] + terms["convexity"] + terms["variance_cost"]
    assert round(ideal, 3) == 2.687
    assert_allclose(ideal, np.prod(1 + 3 * index) - 1, rtol=RTOL)
    whole = np.prod(1 + index) - 1
    assert_allclose(terms["simple"], 3 * whole, rtol=RTOL)
    assert_allclose(terms["convexity"], (1 + whole) ** 3 - 1 - 3 * whole, rtol=RTOL)
    assert {note["code"] for note in result["warnings"]} >= {"proxy-series"}


def test_a_window_across_the_change_of_index_follows_each_in_its_time(
    caller: Api, demo: dict[str, Any], files: Files
) -> None:
    first, change, last = "2021-06-30", "2021-08-24", "2021-12-31"
    result = unit_of(
        caller,
        "leveraged-drag",
        {
            "as_of": demo["as_of"],
            "units": {"soxs": {"instrument": "SOXS", "from": first, "to": last}},
        },
    )
    index = np.concatenate(
        [files.between("SOX", first, change), files.between("SOXX", change, last)]
    )

    assert_allclose(result["index_return"], np.prod(1 + index) - 1, rtol=RTOL)
    assert result["leverage_terms"]["changes"] == ["2021-08-25"]


def test_portfolio_beta_is_the_slope_of_its_looked_through_returns(
    caller: Api, demo: dict[str, Any], files: Files, held: dict[str, float]
) -> None:
    result = unit_of(caller, "semiconductor-beta", demo["analyses"]["semiconductor-beta"])
    beta = result["beta_nav"]
    [put] = [line for line in result["contributions"] if "delta" in line]
    spot = {s: files.columns(s)[1][-1] for s in ("NVDA", "AMD", "SMH", "SOXL", "SOXS")}
    nav = held["CASH.USD"] + float(put["market_value"])
    nav += sum(held[symbol] * price for symbol, price in spot.items())
    exposure = {symbol: held[symbol] * spot[symbol] / nav for symbol in ("NVDA", "AMD", "SMH")}
    exposure["SMH"] += held[put["symbol"]] * 100 * put["delta"] * spot["SMH"] / nav
    exposure["SOXX"] = (3 * held["SOXL"] * spot["SOXL"] - 3 * held["SOXS"] * spot["SOXS"]) / nav
    n = beta["n_obs"]
    y = sum(share * files.returns(symbol, n) for symbol, share in exposure.items())
    assert isinstance(y, np.ndarray)
    oracle = ols(y, files.returns("SOXX", n), beta["hac_lags"])

    assert n == 252
    assert beta["hac_lags"] == math.floor(4 * (n / 100) ** (2 / 9))
    # The value of the put is served in cents, and the weights here are made from it.
    assert float(result["nav"]["value"]) == pytest.approx(nav, abs=0.011)
    assert_allclose(beta["value"], oracle.params[1], rtol=RTOL)
    assert_allclose(beta["se"], oracle.bse[1], rtol=RTOL)
    assert_allclose(np.mean(beta["ci95"]), beta["value"], rtol=RTOL)
    # The product allows for the estimation of the standard error itself, statsmodels does not.
    assert np.diff(beta["ci95"]).item() >= np.diff(oracle.conf_int()[1]).item()
    assert_allclose(beta["r2"], oracle.rsquared, rtol=RTOL)
    durbin_watson = sm.stats.durbin_watson(oracle.resid)
    assert_allclose(beta["durbin_watson"], durbin_watson, rtol=RTOL)


def test_two_factor_betas_are_those_of_the_joint_regression(
    caller: Api, demo: dict[str, Any], files: Files
) -> None:
    portfolio = caller.post(
        "/v1/portfolios",
        {"name": "NVDA alone", "benchmark": "SOXX", "market_benchmark": "SPY"},
    ).json["id"]
    lines = [{"instrument": "NVDA", "quantity": "100"}]
    caller.put(f"/v1/portfolios/{portfolio}/positions?as_of={demo['as_of']}", {"positions": lines})
    result = unit_of(
        caller,
        "semiconductor-beta",
        {"portfolio": portfolio, "as_of": demo["as_of"], "units": {"main": {}}},
    )
    both = result["two_factor"]
    n = both["n_obs"]
    x = np.column_stack([files.returns("SPY", n), files.returns("SOXX", n)])
    oracle = ols(files.returns("NVDA", n), x, result["beta_nav"]["hac_lags"])

    assert_allclose(both["beta_market"]["value"], oracle.params[1], rtol=RTOL)
    assert_allclose(both["beta_semiconductors"]["value"], oracle.params[2], rtol=RTOL)
    assert_allclose(both["beta_market"]["se"], oracle.bse[1], rtol=RTOL)
    assert_allclose(both["beta_semiconductors"]["se"], oracle.bse[2], rtol=RTOL)
    assert_allclose(both["r2"], oracle.rsquared, rtol=RTOL)


def test_hedge_effectiveness_is_that_of_the_regression(
    caller: Api, demo: dict[str, Any], files: Files, held: dict[str, float]
) -> None:
    result = unit_of(caller, "hedge-effectiveness", demo["analyses"]["hedge-effectiveness"])
    regression = result["regression"]
    n = regression["n_obs"]
    value = {s: held[s] * files.columns(s)[1][-1] for s in ("NVDA", "AMD", "SMH", "SOXS")}
    gross = value["NVDA"] + value["AMD"] + value["SMH"]
    item = sum(value[s] / gross * files.returns(s, n) for s in ("NVDA", "AMD", "SMH"))
    assert isinstance(item, np.ndarray)
    notional = value["SOXS"] / gross
    hedge = notional * files.returns("SOXS", n)
    oracle = ols(item, hedge)

    assert_allclose(result["hedge_notional"]["value"], notional, rtol=RTOL)
    assert_allclose(regression["slope"]["value"], oracle.params[1], rtol=RTOL)
    assert_allclose(regression["slope"]["ols_se"], oracle.bse[1], rtol=RTOL)
    robust = ols(item, hedge, lags=int(4 * (n / 100) ** (2 / 9)))
    assert_allclose(regression["slope"]["se"], robust.bse[1], rtol=RTOL)
    assert_allclose(regression["r2"], oracle.rsquared, rtol=RTOL)
    assert_allclose(
        result["variance_reduction"]["daily"]["value"],
        1 - np.var(item + hedge) / np.var(item),
        rtol=RTOL,
    )


def test_prices_are_served_as_they_traded(caller: Api) -> None:
    # The news of those days: SOXS at 4.95 and 4.19 (February 2022), 40.28 on its first day.
    for session, close in (("2022-02-23", 4.95), ("2022-02-25", 4.19), ("2010-03-11", 40.28)):
        answer = caller.get(f"/v1/prices?instrument=SOXS&from={session}&to={session}")
        [row] = answer.json["data"]
        assert float(row["close"]) == pytest.approx(close, abs=0.005), session
        assert date.fromisoformat(row["session"]).isoformat() == session
