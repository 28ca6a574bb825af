"""Parts that are computed when asked for, and not otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from analytics.engine.beta import dimson_beta, state_space_beta
from analytics.engine.hedge import horizon_bands
from analytics.engine.leverage import forward_distribution
from analytics.models import Run
from portfolios.models import Client, Instrument, Portfolio
from portfolios.services.data_version import data_version_bump
from portfolios.tenancy import operator_scope
from tests import market_facts

pytestmark = pytest.mark.django_db

BETA = Run.Kind.SEMICONDUCTOR_BETA
HEDGE = Run.Kind.HEDGE_EFFECTIVENESS
DRAG = Run.Kind.LEVERAGED_DRAG
Answer = Callable[..., Any]


@pytest.fixture
def portfolio(client: Client, instruments: dict[str, Instrument]) -> Portfolio:
    return market_facts.make_portfolio(client, instruments, {"NVDA": "2000", "SOXS": "5"})


def test_nothing_costly_comes_unasked(answer: Answer, portfolio: Portfolio) -> None:
    beta = answer(BETA, portfolio)["result"]
    assert not {"gamma_ladder", "moving_beta", "late_close"} & set(beta)
    drag = answer(DRAG, None, instrument="SOXS")["result"]
    assert "bootstrap" not in drag["forward"]
    hedge = answer(HEDGE, portfolio, hedging=[{"instrument": "SOXS"}])["result"]
    assert all("band" not in row for row in hedge["horizons"])


def test_moving_beta_is_the_filtered_one_at_the_last_session(
    answer: Answer, client: Client, instruments: dict[str, Instrument]
) -> None:
    book = market_facts.make_portfolio(client, instruments, {"NVDA": "10"}, name="One")
    moving = answer(BETA, book, detail=["moving_beta"])["result"]["moving_beta"]
    returns = market_facts.simulated_returns()
    expected = state_space_beta(returns["NVDA"][-252:], returns["SOX"][-252:]).at(0)
    assert moving["value"] == pytest.approx(expected.beta.value, rel=1e-6)
    assert moving["ci95"][0] < moving["value"] < moving["ci95"][1]
    assert (moving["n_obs"], moving["last"], moving["status"]) == (252, "2025-06-30", "ok")


def test_ladder_passes_through_beta_and_bends_with_the_fund(
    answer: Answer, portfolio: Portfolio
) -> None:
    result = answer(BETA, portfolio, detail=["gamma_ladder"])["result"]
    steps = {row["standard_deviations"]: row for row in result["gamma_ladder"]["steps"]}
    assert sorted(steps) == [-3, -2, -1, 0, 1, 2, 3]
    assert steps[0]["beta"] == pytest.approx(result["beta_nav"]["value"], abs=1e-10)
    assert float(steps[0]["profit"]) == 0
    nav, beta = float(result["nav"]["value"]), result["beta_nav"]["value"]
    for row in steps.values():
        assert float(row["profit"]) == pytest.approx(nav * beta * row["move"], abs=0.01)


@pytest.mark.parametrize(
    ("calendar", "chosen_by", "leads"),
    [("XTAI", "closing-hours", 0), ("XNYS", "lead-lag-correlation", 1)],
)
def test_asset_that_answers_a_session_later_gets_the_summed_beta(
    client: Client,
    instruments: dict[str, Instrument],
    answer: Answer,
    *,
    calendar: str,
    chosen_by: str,
    leads: int,
) -> None:
    returns = market_facts.simulated_returns()
    late = np.concatenate([[0.0], 1.5 * returns["SOX"][:-1]])
    late += np.random.default_rng(5).normal(0.0, 0.004, late.size)
    closes = dict(zip(market_facts.SESSIONS, market_facts.closes_of(late), strict=True))
    with operator_scope():
        instruments["LATE"] = market_facts.add_instrument(
            "LATE", closes, kind="equity", calendar=calendar
        )
        data_version_bump(None)
    book = market_facts.make_portfolio(client, instruments, {"LATE": "10"}, name="Late")
    result = answer(BETA, book)["result"]
    assert result["beta_nav"]["asynchronous"] is True
    summed = result["late_close"]
    expected = dimson_beta(late[-252:], returns["SOX"][-252:], lags=1, leads=leads).at(0)
    assert (summed["lags"], summed["leads"], summed["chosen_by"]) == (1, leads, chosen_by)
    assert "correlation-peak-shifted" in {row["code"] for row in result["warnings"]}
    assert summed["value"] == pytest.approx(expected.beta.value, rel=1e-9)
    assert abs(summed["value"] - 1.5) < 3 * summed["se"]
    assert summed["slopes"]["earlier"] > 1.2 > 0.2 > abs(summed["slopes"]["same"])


def test_venue_with_another_close_gets_its_lag_whether_or_not_the_data_show_it(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    with operator_scope():
        Instrument.objects.filter(pk=instruments["NVDA"].pk).update(calendar="XETR")
        data_version_bump(None)
    book = market_facts.make_portfolio(client, instruments, {"NVDA": "10"}, name="Frankfurt")
    result = answer(BETA, book)["result"]
    assert result["beta_nav"]["asynchronous"] is False
    late = result["late_close"]
    assert (late["lags"], late["leads"], late["venues"]) == (1, 0, ["XETR"])
    assert set(late["slopes"]) == {"earlier", "same"}
    assert "correlation-peak-shifted" not in {row["code"] for row in result["warnings"]}


def test_bootstrap_of_a_fund_is_the_engine_s(
    answer: Answer, instruments: dict[str, Instrument]
) -> None:
    drag = answer(DRAG, None, instrument="SOXS", horizon_sessions=[21, 5], detail=["bootstrap"])[
        "result"
    ]
    bootstrap = drag["forward"]["bootstrap"]
    assert [row["horizon_sessions"] for row in bootstrap["horizons"]] == [5, 21]
    index = market_facts.simulated_returns()["SOX"]
    expected = forward_distribution(
        index, [-3.0], horizons=[5, 21], n_paths=bootstrap["n_paths"], seed=bootstrap["seed"],
        daily_carry=bootstrap["annual_carry"] / 252,
    )  # fmt: skip
    assert bootstrap["block_length"] == pytest.approx(expected.mean_block)
    for at, row in enumerate(bootstrap["horizons"]):
        law = expected.at(0, at)
        assert row["median"] == pytest.approx(law.median_return)
        assert row["interval95"] == pytest.approx([law.interval_low, law.interval_high])
        assert list(row["quantiles"].values()) == sorted(row["quantiles"].values())
    assert bootstrap["n_obs"] == index.size


def test_short_history_has_no_bootstrap_and_says_why(
    answer: Answer, instruments: dict[str, Instrument]
) -> None:
    drag = answer(DRAG, None, instrument="SOXS", horizon_sessions=[252], detail=["bootstrap"])[
        "result"
    ]
    assert drag["forward"]["bootstrap"]["status"] == "insufficient_data"
    assert drag["forward"]["horizons"][0]["median"] < 0


def test_bands_enclose_the_middle_of_their_samples(answer: Answer, portfolio: Portfolio) -> None:
    hedge = answer(HEDGE, portfolio, hedging=[{"instrument": "SOXS"}], detail=["bootstrap"])[
        "result"
    ]
    by_days = {row["horizon_sessions"]: row["band"] for row in hedge["horizons"]}
    assert by_days[63]["status"] == "insufficient_data"
    returns = market_facts.simulated_returns()
    (expected,) = horizon_bands(
        returns["NVDA"][-252:], returns["SOXS"][-252:],
        hedge_notional=hedge["hedge_notional"]["value"], seed=by_days[1]["seed"], horizons=[1],
    )  # fmt: skip
    assert expected.designated is not None
    assert by_days[1]["low"] == pytest.approx(expected.designated.low, rel=1e-6)
    assert by_days[1]["low"] < by_days[1]["median"] < by_days[1]["high"]
