"""What cannot be answered is said, with what would be needed, and never as a number."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from analytics.models import Result, Run
from analytics.services.runs import run_request
from analytics.tasks import KINDS
from portfolios.errors import InvalidRequest
from portfolios.jobs import drain
from portfolios.models import (
    Client,
    CorporateAction,
    FxRate,
    Instrument,
    LeverageTerms,
    OptionTerms,
    Portfolio,
    Price,
)
from portfolios.services.data_version import data_version_bump
from portfolios.tenancy import client_scope, operator_scope
from tests import market_facts
from tests.market_facts import LAST, SESSIONS

pytestmark = pytest.mark.django_db

BETA = Run.Kind.SEMICONDUCTOR_BETA
HEDGE = Run.Kind.HEDGE_EFFECTIVENESS
DRAG = Run.Kind.LEVERAGED_DRAG


@pytest.fixture
def client(db: None) -> Client:
    return market_facts.make_client()


@pytest.fixture
def instruments(db: None) -> dict[str, Instrument]:
    return market_facts.make_market()


Answer = Callable[..., Any]


@pytest.fixture
def answer(client: Client) -> Answer:
    """Ask for one unit, have it computed, and give its stored answer."""

    def ask(kind: str, portfolio: Portfolio | None, **params: Any) -> Any:
        with client_scope(client.pk):
            outcome = run_request(
                client=client,
                kind=kind,
                portfolio_id=portfolio.public_id if portfolio else None,
                as_of=LAST,
                units={"main": params},
            )
        drain(KINDS)
        with client_scope(client.pk):
            run = Run.objects.get(pk=outcome.run.pk)
            result = Result.objects.get(unit__run=run)
            answered = result.status == Result.Status.OK
            assert run.status == (Run.Status.SUCCEEDED if answered else Run.Status.FAILED)
            return json.loads(result.body)

    return ask


def book(client: Client, instruments: dict[str, Instrument], **quantities: str) -> Portfolio:
    named = {name.replace("_", "."): quantity for name, quantity in quantities.items()}
    return market_facts.make_portfolio(client, instruments, named)


def add_short_history(instruments: dict[str, Instrument], symbol: str, days: int) -> None:
    with operator_scope():
        closes = {day: 50.0 + n for n, day in enumerate(SESSIONS[-days:])}
        instruments[symbol] = market_facts.add_instrument(symbol, closes, kind="equity")
        data_version_bump(None)


def test_seventeen_observations_are_too_few(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    add_short_history(instruments, "IPO", 18)
    unit = answer(BETA, book(client, instruments, IPO="100"))
    assert (unit["status"], unit["result"]) == ("insufficient_data", None)
    assert unit["problem"]["code"] == "insufficient-history"
    assert (unit["problem"]["required_obs"], unit["problem"]["available_obs"]) == (60, 17)
    assert unit["problem"]["first_session"] == SESSIONS[-17].isoformat()


def test_constant_benchmark_is_degenerate(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    with operator_scope():
        market_facts.add_instrument("FLAT", dict.fromkeys(SESSIONS, 100.0), kind="index")
        data_version_bump(None)
    unit = answer(BETA, book(client, instruments, NVDA="100"), benchmark="FLAT")
    assert (unit["status"], unit["result"]) == ("degenerate", None)
    assert unit["problem"]["code"] == "zero-variance"
    assert unit["problem"]["n_obs"] == 252


@pytest.mark.parametrize(
    ("benchmarks", "status"),
    [
        (("SOX", "SOX"), Run.Status.SUCCEEDED),
        (("SOX", "FLAT"), Run.Status.PARTIAL),
        (("FLAT", "FLAT"), Run.Status.FAILED),
    ],
)
def test_run_succeeds_only_if_every_unit_has_its_numbers(
    client: Client,
    instruments: dict[str, Instrument],
    benchmarks: tuple[str, str],
    status: Run.Status,
) -> None:
    with operator_scope():
        market_facts.add_instrument("FLAT", dict.fromkeys(SESSIONS, 100.0), kind="index")
        data_version_bump(None)
    held = book(client, instruments, NVDA="100").public_id
    units = {f"unit{at}": {"benchmark": name} for at, name in enumerate(benchmarks)}
    with client_scope(client.pk):
        run = run_request(client=client, kind=BETA, portfolio_id=held, as_of=LAST, units=units).run
    drain(KINDS)
    with client_scope(client.pk):
        run.refresh_from_db()
        assert (run.status, run.units.count()) == (status, 2)
        assert Result.objects.filter(unit__run=run).count() == 2


def test_stale_price_fails_or_warns_as_asked(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    with operator_scope():
        Price.objects.filter(instrument=instruments["AMD"], session__gt=SESSIONS[-4]).delete()
        data_version_bump(None)
    portfolio = book(client, instruments, NVDA="100", AMD="100")
    unit = answer(BETA, portfolio)
    assert (unit["status"], unit["result"]) == ("stale", None)
    (old,) = unit["problem"]["instruments"]
    assert (old["symbol"], old["age_sessions"], old["limit"]) == ("AMD", 3, 1)
    assert old["last_session"] == SESSIONS[-4].isoformat()
    warned = answer(BETA, portfolio, on_stale="warn")
    assert warned["status"] == "ok"
    assert "stale-price" in {row["code"] for row in warned["result"]["warnings"]}


def test_missing_rate_leaves_no_net_asset_value(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    with operator_scope():
        closes = dict.fromkeys(SESSIONS, 1000.0)
        closes |= {day: 1000.0 + n % 7 for n, day in enumerate(SESSIONS)}
        instruments["2330"] = market_facts.add_instrument(
            "2330", closes, kind="equity", currency="TWD"
        )
        FxRate.objects.create(base="TWD", quote="USD", session=SESSIONS[-9], rate="0.03")
        data_version_bump(None)
    portfolio = market_facts.make_portfolio(client, instruments, {"NVDA": "100", "2330": "10"})
    unit = answer(BETA, portfolio)
    problem = unit["problem"]
    assert (unit["status"], problem["code"], problem["pair"]) == ("error", "missing-fx", "TWDUSD")
    assert problem["nav"] is None
    assert problem["positions_affected"] == 1
    value = 10 * (1000 + (len(SESSIONS) - 1) % 7) * 0.03
    rest = 100 * market_facts.closes_of(market_facts.simulated_returns()["NVDA"])[-1]
    assert float(problem["nav_affected"]) == pytest.approx(value / (value + rest), abs=1e-6)


def test_foreign_position_is_measured_in_the_portfolios_currency(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    """A price that never moves at home has the rate's returns in dollars."""
    index = market_facts.closes_of(market_facts.simulated_returns()["SOX"])
    with operator_scope():
        instruments["BOND"] = market_facts.add_instrument(
            "BOND", dict.fromkeys(SESSIONS, 10.0), kind="equity", currency="EUR"
        )
        FxRate.objects.bulk_create(
            FxRate(base="EUR", quote="USD", session=day, rate=Decimal(repr(float(level))))
            for day, level in zip(SESSIONS, index, strict=True)
        )
        data_version_bump(None)
    unit = answer(BETA, book(client, instruments, BOND="3"))
    assert unit["result"]["beta_nav"]["value"] == pytest.approx(1.0, rel=1e-9)
    assert unit["result"]["nav"] == {"value": f"{30 * index[-1]:.2f}", "unit": "USD"}


@pytest.mark.parametrize(("inverse", "flagged"), [("0.80", False), ("0.90", True)])
def test_rate_that_its_inverse_contradicts_is_used_and_flagged(
    client: Client,
    instruments: dict[str, Instrument],
    answer: Answer,
    inverse: str,
    *,
    flagged: bool,
) -> None:
    with operator_scope():
        closes = {day: 10.0 + n % 7 for n, day in enumerate(SESSIONS)}
        instruments["BOND"] = market_facts.add_instrument(
            "BOND", closes, kind="equity", currency="EUR"
        )
        for day in SESSIONS:
            FxRate.objects.create(base="EUR", quote="USD", session=day, rate="1.25")
        FxRate.objects.create(base="USD", quote="EUR", session=LAST, rate=inverse)
        data_version_bump(None)
    result = answer(BETA, book(client, instruments, BOND="3"))["result"]
    assert result["nav"]["value"] == f"{3 * closes[LAST] * 1.25:.2f}"
    found = [row for row in result["warnings"] if row["code"] == "fx-contradiction"]
    assert bool(found) is flagged
    if flagged:
        assert found[0]["sessions"] == [LAST.isoformat()]
        assert found[0]["largest_difference"] == pytest.approx(1.25 * 0.90 - 1)


def test_fund_without_terms_on_the_day_has_no_exposure(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    with operator_scope():
        LeverageTerms.objects.filter(instrument=instruments["SOXS"]).update(
            valid_from=date(2025, 7, 1)
        )
    unit = answer(BETA, book(client, instruments, NVDA="100", SOXS="10"))
    assert (unit["status"], unit["problem"]["code"]) == ("error", "leverage-terms-gap")
    assert unit["problem"]["dates"] == [LAST.isoformat()]


def test_drag_across_a_gap_in_the_terms_is_refused(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    with operator_scope():
        LeverageTerms.objects.filter(instrument=instruments["SOXS"]).update(
            valid_from=SESSIONS[-10]
        )
    unit = answer(DRAG, None, instrument="SOXS", **{"from": SESSIONS[-15]})
    assert unit["problem"]["code"] == "leverage-terms-gap"
    assert unit["problem"]["dates"] == [day.isoformat() for day in SESSIONS[-14:-10]]


def test_drag_follows_a_change_of_index(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    with operator_scope():
        LeverageTerms.objects.create(
            instrument=instruments["SOXS"], valid_from=SESSIONS[-10], multiple=-3,
            reference_index=instruments["SPY"], expense_ratio="0.01",
        )  # fmt: skip
    unit = answer(DRAG, None, instrument="SOXS", **{"from": SESSIONS[-21]})
    returns = market_facts.simulated_returns()
    stitched = np.concatenate([returns["SOX"][-20:-10], returns["SPY"][-10:]])
    result = unit["result"]
    assert result["index_return"] == pytest.approx(np.prod(1 + stitched) - 1)
    assert result["decomposition"]["abs_error"] < 1e-12
    assert result["leverage_terms"]["changes"] == [SESSIONS[-10].isoformat()]
    assert "leverage-terms-changed" in {row["code"] for row in result["warnings"]}


@pytest.mark.parametrize("recorded_by_both", [False, True])
def test_split_since_the_positions_changes_the_quantity(
    client: Client, instruments: dict[str, Instrument], answer: Answer, *, recorded_by_both: bool
) -> None:
    """Positions are of Friday; on Monday one share became four, at a quarter of the price."""
    with operator_scope():
        for owner in (None, client) if recorded_by_both else (None,):
            CorporateAction.objects.create(
                instrument=instruments["NVDA"], client=owner, ex_date=LAST, kind="split",
                new_shares=4, old_shares=1,
            )  # fmt: skip
        last = Price.objects.get(instrument=instruments["NVDA"], session=LAST)
        assert last.close is not None
        quarter = last.close / 4
        Price.objects.filter(pk=last.pk).update(close=quarter)
        data_version_bump(None)
    portfolio = market_facts.make_portfolio(
        client, instruments, {"NVDA": "100"}, as_of=SESSIONS[-2]
    )
    unit = answer(BETA, portfolio)
    assert unit["result"]["nav"]["value"] == f"{400 * quarter:.2f}"
    codes = {row["code"] for row in unit["result"]["warnings"]}
    assert {"split-since-positions", "positions-older-than-as-of"} <= codes


def test_put_counts_with_its_delta(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    with operator_scope():
        put = Instrument.objects.create(symbol="NVDA250919P100", kind="option")
        spot = market_facts.closes_of(market_facts.simulated_returns()["NVDA"])[-1]
        OptionTerms.objects.create(
            instrument=put, underlying=instruments["NVDA"], right="put",
            strike=Decimal(repr(round(float(spot), 2))), expiry=date(2025, 9, 19),
        )  # fmt: skip
    instruments["PUT"] = put
    unit = answer(BETA, book(client, instruments, NVDA="1000", PUT="5"))
    by_symbol = {row["symbol"]: row for row in unit["result"]["contributions"]}
    row = by_symbol["NVDA250919P100"]
    assert -0.6 < row["delta"] < -0.4
    assert float(row["exposure"]) == pytest.approx(500 * row["delta"] * spot, abs=0.01)
    assert row["beta"] == pytest.approx(by_symbol["NVDA"]["beta"])
    codes = {row["code"] for row in unit["result"]["warnings"]}
    assert {"realized-volatility", "model-price"} <= codes


def test_position_without_any_price_is_named(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    with operator_scope():
        instruments["NEW"] = Instrument.objects.create(symbol="NEW", kind="equity")
    unit = answer(BETA, book(client, instruments, NVDA="1", NEW="1"))
    assert unit["problem"]["code"] == "missing-price"
    assert unit["problem"]["instruments"][0]["symbol"] == "NEW"


def test_book_in_debt_has_no_beta(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    unit = answer(BETA, book(client, instruments, NVDA="1", CASH_USD="-100000"))
    assert (unit["status"], unit["problem"]["code"]) == ("degenerate", "nav-not-positive")


def test_hedge_that_is_not_held_is_named(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    portfolio = book(client, instruments, NVDA="1")
    unit = answer(HEDGE, portfolio, hedging=[{"instrument": "SOXS"}])
    assert (unit["status"], unit["problem"]["code"]) == ("error", "hedge-not-held")


def test_index_without_prices_is_stood_in_for_by_its_proxy(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    with operator_scope():
        Instrument.objects.create(symbol="NYSESEMI", kind="index", proxy=instruments["SOX"])
    unit = answer(BETA, book(client, instruments, NVDA="1"), benchmark="NYSESEMI")
    assert unit["result"]["beta_nav"]["benchmark"]["series"] == "SOX"
    assert "proxy-series" in {row["code"] for row in unit["result"]["warnings"]}


def test_refusals_name_the_benchmark_and_not_its_column(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    with operator_scope():
        market_facts.add_instrument("FLAT", dict.fromkeys(SESSIONS, 100.0), kind="index")
        data_version_bump(None)
    unit = answer(BETA, book(client, instruments, NVDA="100"), benchmark="FLAT")
    assert unit["problem"]["series"] == "FLAT"
    assert unit["problem"]["detail"].startswith("the benchmark FLAT is constant")


def test_huge_positions_are_answered(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    unit = answer(BETA, book(client, instruments, NVDA="1e30"))
    assert unit["status"] == "ok"
    assert len(unit["result"]["nav"]["value"]) > 30


def test_synthetic_prices_of_a_hedge_are_said_to_be(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    portfolio = book(client, instruments, NVDA="100")
    for said in (False, True):
        with operator_scope():
            Instrument.objects.filter(symbol="AMD").update(is_synthetic=said)
            data_version_bump(None)
        unit = answer(HEDGE, portfolio, hedging=[{"instrument": "AMD", "quantity": Decimal(-10)}])
        codes = {warning["code"] for warning in unit["result"]["warnings"]}
        assert ("synthetic-data" in codes) is said


def test_a_hedging_instrument_is_named_once(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    portfolio = book(client, instruments, NVDA="100")
    row = {"instrument": "AMD", "quantity": Decimal(-10)}
    with pytest.raises(InvalidRequest) as refusal:
        answer(HEDGE, portfolio, hedging=[row, row])
    assert refusal.value.code == "duplicate-instrument"
    assert refusal.value.errors[0]["pointer"] == "/units/main/hedging/1/instrument"
