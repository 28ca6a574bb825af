"""Tail risk as served: right on the book's own returns, additive, and open about what failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from analytics.models import Run
from portfolios.models import Client, Instrument, Portfolio
from portfolios.services.data_version import data_version_bump
from portfolios.tenancy import operator_scope
from tests import market_facts

pytestmark = pytest.mark.django_db

TAIL = Run.Kind.TAIL_RISK
WINDOW = 252
METHODS = ("historical", "time_weighted", "filtered", "parametric", "cornish_fisher")
Answer = Callable[..., Any]


@pytest.fixture
def portfolio(client: Client, instruments: dict[str, Instrument]) -> Portfolio:
    quantities = {"NVDA": "2000", "SOXS": "5", "CASH.USD": "10000"}
    return market_facts.make_portfolio(client, instruments, quantities)


@pytest.fixture
def result(answer: Answer, portfolio: Portfolio) -> Any:
    unit = answer(TAIL, portfolio, window=WINDOW)
    assert unit["status"] == "ok", unit
    return unit["result"]


def book_returns() -> np.ndarray:
    """Of the book at its last exposures, SOXS as minus three times its index."""
    returns = market_facts.simulated_returns()
    worth = {
        name: quantity * market_facts.closes_of(returns[name])[-1]
        for name, quantity in (("NVDA", 2000), ("SOXS", 5))
    }
    nav = sum(worth.values()) + 10_000
    held = worth["NVDA"] * returns["NVDA"] - 3 * worth["SOXS"] * returns["SOX"]
    return np.asarray(held / nav)[-WINDOW:]


def test_historical_figures_are_those_of_the_worst_days(result: Any) -> None:
    worst = np.sort(-book_returns())[::-1]
    for level, k in zip(result["levels"], (13, 3), strict=True):
        assert level["historical"]["n_tail"] == k
        assert level["historical"]["value_at_risk"]["value"] == pytest.approx(worst[k - 1])
        assert level["historical"]["expected_shortfall"]["value"] == pytest.approx(worst[:k].mean())
        low, high = level["historical"]["value_at_risk"]["ci95"]
        assert low < worst[k - 1] < high


def test_parametric_figure_is_the_normal_quantile(result: Any) -> None:
    parametric = result["levels"][0]["parametric"]
    assert parametric["value_at_risk"]["value"] == pytest.approx(
        1.6448536269514722 * book_returns().std(ddof=1)
    )
    nav = float(result["nav"]["value"])
    assert float(parametric["value_at_risk"]["money"]["value"]) == pytest.approx(
        parametric["value_at_risk"]["value"] * nav, abs=0.01
    )


def test_every_method_says_what_it_rests_on(result: Any) -> None:
    for level in result["levels"]:
        for name in METHODS:
            block = level[name]
            assert (block["status"], block["n_obs"]) == ("ok", WINDOW)
            assert block["last"] == "2025-06-30"
            assert block["expected_shortfall"]["value"] >= block["value_at_risk"]["value"] > 0


def test_components_sum_to_their_measure(result: Any) -> None:
    for level in result["levels"]:
        for name, total in (
            ("value_at_risk", level["historical"]["value_at_risk"]),
            ("expected_shortfall", level["historical"]["expected_shortfall"]),
            ("parametric_value_at_risk", level["parametric"]["value_at_risk"]),
        ):
            split = level["components"][name]
            parts = {row["symbol"]: row["value"] for row in split["positions"]}
            assert sum(parts.values()) == pytest.approx(split["total"]["value"], abs=1e-12)
            assert split["total"]["value"] == pytest.approx(total["value"], abs=1e-12)
            assert parts["SOXS"] < 0 < parts["NVDA"]


def test_drawdown_volatility_and_concentration(result: Any) -> None:
    returns = book_returns()
    wealth = np.cumprod(np.concatenate([[1.0], 1.0 + returns]))
    deepest = max(1 - value / wealth[: at + 1].max() for at, value in enumerate(wealth))
    assert result["drawdown"]["value"] == pytest.approx(deepest)
    assert result["drawdown"]["peak"] < result["drawdown"]["trough"]
    assert result["volatility"]["value"] == pytest.approx(
        np.sqrt(252 * np.mean(np.log1p(returns) ** 2))
    )
    concentration = result["concentration"]
    assert concentration["n_positions"] == 2
    assert concentration["effective_number"]["value"] == pytest.approx(
        1 / concentration["herfindahl"]["value"]
    )


def test_a_fold_in_the_expansion_falls_back_and_says_so(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    """A single crash among quiet days has a skewness no Cornish-Fisher quantile can carry."""
    quiet = np.random.default_rng(3).normal(0.0, 0.005, len(market_facts.SESSIONS) - 1)
    quiet[-50] = -0.40
    closes = dict(zip(market_facts.SESSIONS, market_facts.closes_of(quiet), strict=True))
    with operator_scope():
        instruments["CRASH"] = market_facts.add_instrument("CRASH", closes, kind="equity")
        data_version_bump(None)
    book = market_facts.make_portfolio(client, instruments, {"CRASH": "10"}, name="Crash")
    result = answer(TAIL, book, confidence_levels=[0.99])["result"]
    (level,) = result["levels"]
    assert level["cornish_fisher"]["method"] == "historical"
    assert "domain" in level["cornish_fisher"]["reason"]
    assert level["cornish_fisher"]["value_at_risk"] == level["historical"]["value_at_risk"]
    (note,) = [row for row in result["warnings"] if row["code"] == "tail-fallback"]
    assert (note["method"], note["confidence_level"]) == ("cornish_fisher", 0.99)


def test_cash_alone_cannot_lose(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    book = market_facts.make_portfolio(client, instruments, {"CASH.USD": "100"}, name="Cash")
    unit = answer(TAIL, book)
    assert (unit["status"], unit["problem"]["code"]) == ("degenerate", "no-exposure")
