"""Figures follow the date, the shares held and what was known: properties, and errors mended."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from django.db.models import F
from django.utils import timezone

from analytics.models import Result, Run
from analytics.services.runs import run_request
from analytics.tasks import KINDS
from portfolios.jobs import drain
from portfolios.models import (
    Client,
    CorporateAction,
    DataVersion,
    Instrument,
    LeverageTerms,
    OptionQuote,
    OptionTerms,
    Portfolio,
    PositionSet,
    Price,
    RateObservation,
)
from portfolios.services.data_version import data_version_bump
from portfolios.services.facts import facts_append
from portfolios.tenancy import client_scope, operator_scope
from tests import market_facts
from tests.market_facts import LAST, SESSIONS

pytestmark = pytest.mark.django_db

BETA = Run.Kind.SEMICONDUCTOR_BETA
HEDGE = Run.Kind.HEDGE_EFFECTIVENESS
DRAG = Run.Kind.LEVERAGED_DRAG
BOOK = {"NVDA": "500", "AMD": "300", "SOXL": "20", "SOXS": "30", "CASH.USD": "1000"}


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

    def ask(
        kind: str,
        portfolio: Portfolio | None,
        *,
        as_of: date = LAST,
        known_at: datetime | None = None,
        **params: Any,
    ) -> Any:
        with client_scope(client.pk):
            outcome = run_request(
                client=client,
                kind=kind,
                portfolio_id=portfolio.public_id if portfolio else None,
                as_of=as_of,
                known_at=known_at,
                units={"main": params},
                force=True,
            )
        drain(KINDS)
        with client_scope(client.pk):
            return json.loads(Result.objects.get(unit__run=outcome.run).body)

    return ask


@pytest.fixture
def portfolio(client: Client, instruments: dict[str, Instrument]) -> Portfolio:
    return market_facts.make_portfolio(client, instruments, BOOK)


def beta_of(unit: Mapping[str, Any]) -> float:
    value: float = unit["result"]["beta_nav"]["value"]
    return value


def codes(unit: Mapping[str, Any]) -> set[str]:
    return {row["code"] for row in unit["result"]["warnings"]}


def forget_prices(instrument: Instrument, *, after: date) -> None:
    with operator_scope():
        Price.objects.filter(instrument=instrument, session__gt=after).delete()
        data_version_bump(None)


def let_an_hour_pass(client: Client) -> datetime:
    """Move what is on file an hour back, and give a time between then and now.

    A test is one transaction, and all it records has the time of its beginning.
    """
    hour = timedelta(hours=1)
    with operator_scope():
        for facts in (Price, LeverageTerms, OptionQuote):
            facts.objects.update(recorded_at=F("recorded_at") - hour)
        DataVersion.objects.update(changed_at=F("changed_at") - hour)
    with client_scope(client.pk):
        PositionSet.objects.update(recorded_at=F("recorded_at") - hour)
    return timezone.now() - hour / 2


def test_rows_after_the_date_change_nothing(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    day = SESSIONS[-20]
    book = market_facts.make_portfolio(client, instruments, BOOK, as_of=day)

    def answers() -> list[Any]:
        hedging = [{"instrument": "SOXS"}]
        return [
            answer(BETA, book, as_of=day),
            answer(HEDGE, book, as_of=day, hedging=hedging, inception=SESSIONS[-60]),
            answer(DRAG, book, as_of=day),
        ]

    with_future = answers()
    for symbol in ("NVDA", "AMD", "SOX", "SPY", "SOXL", "SOXS"):
        forget_prices(instruments[symbol], after=day)
    assert answers() == with_future


def test_correction_changes_only_what_is_known_later(
    client: Client,
    instruments: dict[str, Instrument],
    portfolio: Portfolio,
    answer: Answer,
) -> None:
    before = answer(BETA, portfolio)
    known_before = let_an_hour_pass(client)
    with operator_scope():
        appended = facts_append(
            Price,
            client_id=None,
            keys=("instrument_id", "session"),
            values=("close",),
            rows=[(instruments["NVDA"].pk, SESSIONS[-30], Decimal(999))],
            source="correction",
        )
        assert appended.corrected == 1
        data_version_bump(None)
    assert answer(BETA, portfolio, known_at=known_before) == before
    assert beta_of(answer(BETA, portfolio)) != pytest.approx(beta_of(before), rel=1e-3)


def test_two_halves_add_up_to_the_whole(
    client: Client,
    instruments: dict[str, Instrument],
    portfolio: Portfolio,
    answer: Answer,
) -> None:
    whole = answer(BETA, portfolio)["result"]
    halves = [{"NVDA": "500", "SOXS": "30"}, {"AMD": "300", "SOXL": "20", "CASH.USD": "1000"}]
    parts = [
        answer(BETA, market_facts.make_portfolio(client, instruments, held, name=f"Half {at}"))
        for at, held in enumerate(halves)
    ]
    values = [float(part["result"]["nav"]["value"]) for part in parts]
    assert sum(values) == pytest.approx(float(whole["nav"]["value"]), abs=0.02)
    weighted = sum(nav * beta_of(part) for nav, part in zip(values, parts, strict=True))
    assert weighted == pytest.approx(sum(values) * whole["beta_nav"]["value"], rel=1e-8)


def test_ten_times_the_book_has_the_same_beta_and_ten_times_the_dollars(
    client: Client,
    instruments: dict[str, Instrument],
    portfolio: Portfolio,
    answer: Answer,
) -> None:
    tenfold = market_facts.make_portfolio(
        client, instruments, {name: f"{quantity}0" for name, quantity in BOOK.items()}, name="Ten"
    )
    one, ten = answer(BETA, portfolio)["result"], answer(BETA, tenfold)["result"]
    for name in ("value", "se", "r2"):
        assert ten["beta_nav"][name] == pytest.approx(one["beta_nav"][name], rel=1e-12)
    for name in ("nav", "usd_per_1pct_index", "gross_exposure"):
        assert float(ten[name]["value"]) == pytest.approx(10 * float(one[name]["value"]), abs=0.06)
    hedging = [{"instrument": "SOXS"}]
    one, ten = (
        answer(HEDGE, book, hedging=hedging)["result"]["minimum_variance_hedge"]
        for book in (portfolio, tenfold)
    )
    assert ten["hedge_notional"]["value"] == pytest.approx(one["hedge_notional"]["value"])
    (small,), (large,) = one["quantities"], ten["quantities"]
    assert float(large["quantity"]) == pytest.approx(10 * float(small["quantity"]), abs=0.06)


def test_drag_of_a_fund_without_recent_prices_is_stale(
    instruments: dict[str, Instrument], portfolio: Portfolio, answer: Answer
) -> None:
    for symbol in ("SOXL", "SOXS"):
        forget_prices(instruments[symbol], after=SESSIONS[-30])
    unit = answer(DRAG, None, instrument="SOXL")
    assert (unit["status"], unit["problem"]["code"]) == ("stale", "stale-price")
    (old,) = unit["problem"]["instruments"]
    assert (old["last_session"], old["age_sessions"]) == (SESSIONS[-30].isoformat(), 29)
    assert answer(DRAG, portfolio)["status"] == "stale"
    ended = answer(DRAG, None, instrument="SOXL", to=SESSIONS[-30])
    assert ended["status"] == "ok"


def test_one_stale_fund_does_not_silence_the_other(
    instruments: dict[str, Instrument], portfolio: Portfolio, answer: Answer
) -> None:
    forget_prices(instruments["SOXL"], after=SESSIONS[-30])
    unit = answer(DRAG, portfolio)
    assert unit["status"] == "ok"
    seen = {fund["symbol"]: fund["windows"]["month"]["status"] for fund in unit["result"]["funds"]}
    assert seen == {"SOXL": "stale", "SOXS": "ok"}


def test_benchmark_without_recent_prices_is_stale(
    instruments: dict[str, Instrument], portfolio: Portfolio, answer: Answer
) -> None:
    with operator_scope():
        index = market_facts.closes_of(market_facts.simulated_returns()["SOX"])
        closes = dict(zip(SESSIONS[:-80], index[:-80], strict=True))
        market_facts.add_instrument("ENDED", closes, kind="index")
        data_version_bump(None)
    unit = answer(BETA, portfolio, benchmark="ENDED")
    assert (unit["status"], unit["problem"]["code"]) == ("stale", "stale-price")
    assert unit["problem"]["instruments"][0]["age_sessions"] == 80
    warned = answer(BETA, portfolio, benchmark="ENDED", on_stale="warn")
    assert warned["result"]["beta_nav"]["last"] == SESSIONS[-81].isoformat()
    assert "stale-price" in codes(warned)


def add_put(instruments: dict[str, Instrument], strike: str = "100") -> None:
    with operator_scope():
        put = Instrument.objects.create(symbol="NVDA250919P100", kind="option")
        OptionTerms.objects.create(
            instrument=put, underlying=instruments["NVDA"], right="put", strike=Decimal(strike),
            expiry=date(2025, 9, 19),
        )  # fmt: skip
    instruments["PUT"] = put


def test_option_on_a_stale_underlying_is_stale(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    add_put(instruments)
    forget_prices(instruments["NVDA"], after=SESSIONS[-10])
    unit = answer(
        BETA, market_facts.make_portfolio(client, instruments, {"AMD": "100", "PUT": "5"})
    )
    assert (unit["status"], unit["problem"]["instruments"][0]["symbol"]) == ("stale", "NVDA")


def test_corrected_quote_counts_from_its_time_on(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    add_put(instruments)
    quoted_at = datetime.combine(LAST, time(19), tzinfo=UTC)

    def quote(price: int) -> None:
        with operator_scope():
            facts_append(
                OptionQuote,
                client_id=None,
                keys=("instrument_id", "quoted_at"),
                values=("bid", "ask", "implied_volatility"),
                rows=[(instruments["PUT"].pk, quoted_at, Decimal(price), Decimal(price), 0.5)],
                source="chain",
            )
            data_version_bump(None)

    book = market_facts.make_portfolio(client, instruments, {"NVDA": "100", "PUT": "1"})
    quote(7)
    known_before = let_an_hour_pass(client)
    quote(9)

    def value(**asked: Any) -> str:
        rows = answer(BETA, book, **asked)["result"]["contributions"]
        return str(rows[1]["market_value"])

    assert value(known_at=known_before) == "700.00"
    assert value() == "900.00"


def test_quantities_are_in_shares_of_the_date(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    """Ten old shares of the fund became one on the last session but ten."""
    day = SESSIONS[-10]
    held = market_facts.make_portfolio(
        client, instruments, {"NVDA": "500", "SOXS": "30"}, as_of=SESSIONS[-40]
    )
    same = market_facts.make_portfolio(client, instruments, {"NVDA": "500", "SOXS": "3"})
    with operator_scope():
        CorporateAction.objects.create(
            instrument=instruments["SOXS"], ex_date=day, kind="split", new_shares=1, old_shares=10
        )
        for row in Price.objects.filter(instrument=instruments["SOXS"], session__gte=day):
            assert row.close is not None
            Price.objects.filter(pk=row.pk).update(close=row.close * 10)
        data_version_bump(None)
    hedging = [{"instrument": "SOXS"}]
    item = {"instruments": ["NVDA"]}
    old, new = (
        answer(HEDGE, book, hedging=hedging, hedged_item=item)["result"] for book in (held, same)
    )
    for block in ("hedging", "minimum_variance_hedge"):
        assert old[block] == new[block]
    old, new = (answer(DRAG, book)["result"]["funds"][0] for book in (held, same))
    assert old["windows"]["quarter"]["dollars"] == new["windows"]["quarter"]["dollars"]
    ended = answer(DRAG, held, to=SESSIONS[-11])["result"]["funds"][0]
    assert ended["quantity"] == "30.0"


def test_position_with_gaps_beside_it_keeps_its_own_beta(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    """A late starter scales up the others' part of the portfolio's beta, not their betas."""
    with operator_scope():
        closes = {day: 50.0 + n % 7 for n, day in enumerate(SESSIONS[-150:])}
        instruments["LATE"] = market_facts.add_instrument("LATE", closes, kind="equity")
        data_version_bump(None)
    held = {"NVDA": "500", "SOXS": "30", "LATE": "100"}
    unit = answer(BETA, market_facts.make_portfolio(client, instruments, held))
    rows = {row["symbol"]: row for row in unit["result"]["contributions"]}
    assert rows["SOXS"]["beta"] == pytest.approx(-3.0, abs=1e-12)
    alone = answer(BETA, market_facts.make_portfolio(client, instruments, {"NVDA": "1"}))
    assert rows["NVDA"]["beta"] == pytest.approx(beta_of(alone), rel=1e-12)
    assert rows["LATE"]["status"] == "partial_history"
    late = answer(BETA, market_facts.make_portfolio(client, instruments, {"LATE": "100"}))
    year = late["result"]["rolling"]["252"]
    assert (year["n_obs"], year["first"]) == (149, SESSIONS[-149].isoformat())
    assert sum(row["contribution"] for row in rows.values()) == pytest.approx(beta_of(unit))


def test_leverage_is_ignored_whether_looked_through_or_not(
    instruments: dict[str, Instrument], portfolio: Portfolio, answer: Answer
) -> None:
    through, at = (answer(BETA, portfolio, look_through=on)["result"] for on in (True, False))
    name = "beta_ignoring_leverage"
    assert at[name]["value"] == pytest.approx(through[name]["value"], rel=1e-12)


def test_exact_fit_has_no_durbin_watson(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    book = market_facts.make_portfolio(client, instruments, {"SOXS": "30", "CASH.USD": "10"})
    assert answer(BETA, book)["result"]["beta_nav"]["durbin_watson"] is None


def test_outlook_takes_carry_and_volatility_of_the_date(
    instruments: dict[str, Instrument], answer: Answer
) -> None:
    with operator_scope():
        for day, rate in ((SESSIONS[0], 0.01), (LAST, 0.05)):
            RateObservation.objects.create(series="DTB3", session=day, value=rate)
        data_version_bump(None)
    window = {"instrument": "SOXS", "from": SESSIONS[5], "to": SESSIONS[40]}
    forward = answer(DRAG, None, **window)["result"]["forward"]
    carry = 4 * 0.05 - 0.0095 - 3 * 0.004
    assert forward["assumptions"]["annual_carry_of_with_carry"] == pytest.approx(carry)
    assert forward["horizons"][0]["with_carry"]["mean"] == pytest.approx(
        np.expm1(carry * 5 / 252), rel=1e-12
    )


def test_cost_is_the_loss_of_the_mean_and_of_the_median_year(
    portfolio: Portfolio, answer: Answer
) -> None:
    result = answer(HEDGE, portfolio, hedging=[{"instrument": "SOXS"}])["result"]
    cost, held = result["cost"], result["hedge_notional"]["value"]
    carry = -0.0095 - 3 * 0.004
    volatility = cost["assumptions"]["annual_volatility"]
    assert cost["mean"]["annual_cost"]["value"] == pytest.approx(-held * np.expm1(carry))
    median = np.expm1(carry - 4.5 * volatility**2)
    assert cost["median"]["annual_cost"]["value"] == pytest.approx(-held * median)
    assert 0 < cost["median"]["annual_cost"]["value"] < held


def test_verdict_is_of_the_horizon_asked_for(portfolio: Portfolio, answer: Answer) -> None:
    asked = {"hedging": [{"instrument": "SOXS"}], "tests": ["variance_reduction"]}
    for sessions in (15, 63):
        result = answer(HEDGE, portfolio, horizon_sessions=sessions, **asked)["result"]
        (row,) = [row for row in result["horizons"] if row["horizon_sessions"] == sessions]
        assert result["verdict"] == row["verdict"]
        blocks = row["empirical"]
        assert blocks["n_obs"] == blocks["n_blocks"] * sessions


def test_closed_form_alone_never_passes_a_hedge(
    client: Client, instruments: dict[str, Instrument], answer: Answer
) -> None:
    """One share against a whole book, over a horizon of which history shows four blocks."""
    book = market_facts.make_portfolio(client, instruments, {"NVDA": "5000", "SOXS": "1"})
    result = answer(HEDGE, book, hedging=[{"instrument": "SOXS"}])["result"]
    quarter = result["horizons"][-1]
    assert quarter["empirical"]["status"] == "insufficient_data"
    assert quarter["closed_form"]["at_minimum_variance"]["value"] > 0.8
    assert quarter["verdict"] == "inconclusive"


def test_a_window_longer_than_the_history_is_told(portfolio: Portfolio, answer: Answer) -> None:
    on_file = len(SESSIONS) - 1
    asked: dict[str, dict[str, Any]] = {
        BETA: {}, HEDGE: {"hedging": [{"instrument": "SOXS"}]}, Run.Kind.TAIL_RISK: {},
    }  # fmt: skip
    for kind, params in asked.items():
        whole = answer(kind, portfolio, window=on_file, **params)
        assert "incomplete-history" not in codes(whole), kind
        longer = answer(kind, portfolio, window=2520, **params)
        assert longer["status"] == "ok"
        (note,) = [n for n in longer["result"]["warnings"] if n["code"] == "incomplete-history"]
        assert note["n_sessions"] == on_file
        assert f"2520 sessions and there are returns of {on_file};" in note["message"]


@pytest.mark.parametrize("held", [21, 40, 62, 63])
def test_a_fund_younger_than_a_quarter_is_told(
    instruments: dict[str, Instrument], portfolio: Portfolio, answer: Answer, held: int
) -> None:
    with operator_scope():
        Price.objects.filter(
            instrument=instruments["SOXS"], session__lt=SESSIONS[-1 - held]
        ).delete()
        data_version_bump(None)
    [fund] = [f for f in answer(DRAG, portfolio)["result"]["funds"] if f["symbol"] == "SOXS"]
    for name, sessions in (("month", 21), ("quarter", 63)):
        window = fund["windows"][name]
        assert window["n_sessions"] == min(held, sessions)
        told = [n for n in window["warnings"] if n["code"] == "incomplete-history"]
        assert [n["n_sessions"] for n in told] == ([held] if held < sessions else [])


def test_a_first_day_before_the_fund_is_told(
    instruments: dict[str, Instrument], portfolio: Portfolio, answer: Answer
) -> None:
    day_of = {"from": SESSIONS[-101], "to": LAST}
    whole = answer(DRAG, None, instrument="SOXS", **day_of)
    assert "incomplete-history" not in codes(whole)
    with operator_scope():
        fund = Price.objects.filter(instrument=instruments["SOXS"])
        fund.filter(session__lt=SESSIONS[-51]).delete()
        data_version_bump(None)
    late = answer(DRAG, None, instrument="SOXS", **day_of)
    assert late["result"]["from"] == SESSIONS[-51].isoformat()
    (note,) = [n for n in late["result"]["warnings"] if n["code"] == "incomplete-history"]
    assert "100 sessions and there are returns of 50;" in note["message"]


def test_sessions_between_prices_are_named_and_no_fund_compounds_across_them(
    instruments: dict[str, Instrument], portfolio: Portfolio, answer: Answer
) -> None:
    gap = SESSIONS[-40:-37]
    with operator_scope():
        for symbol in ("SOX", "SOXS"):
            Price.objects.filter(instrument=instruments[symbol], session__in=gap).delete()
        data_version_bump(None)
    for unit in (
        answer(BETA, portfolio),
        answer(HEDGE, portfolio, hedging=[{"instrument": "SOXS"}]),
    ):
        (note,) = [row for row in unit["result"]["warnings"] if row["code"] == "missing-sessions"]
        assert note["sessions"] == [day.isoformat() for day in gap]
    drag = answer(DRAG, None, instrument="SOXS")
    assert drag["status"] == "insufficient_data"
    assert drag["problem"]["missing_sessions"] == [day.isoformat() for day in gap]
    assert drag["problem"]["required_obs"] == drag["problem"]["available_obs"] + 3
    assert answer(DRAG, None, instrument="SOXS", **{"from": SESSIONS[-30]})["status"] == "ok"
