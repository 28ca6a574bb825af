"""The table of the guide's page on the sandbox, row by row, over HTTP with the work done."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from django.db.models import F

from analytics.calculations import runner, sandbox
from analytics.models import Result, Run, Unit
from analytics.reporting.schedule import ensure_due
from analytics.tasks import KINDS
from portfolios.jobs import sweep
from portfolios.models import FxRate, Instrument, Price
from portfolios.selectors.clock import SANDBOX_NOW, SANDBOX_NOW_TEXT
from portfolios.tenancy import operator_scope
from riskapi.api.guide import guide_pages
from riskapi.sample.books import SYNTHETIC
from riskapi.sample.market import REFERENCE_SESSION
from riskapi.sample.sandbox import MAGIC
from tests.callers import Answer, Caller

Work = Callable[[], int]


class Row(NamedTuple):
    external_id: str
    answer: str
    unit: str
    code: str


def documented() -> Iterator[Row]:
    for line in guide_pages()["sandbox"].splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        if re.match(r"\| `(?!external_id)", line):
            yield Row(*cells[:4])


def ask(caller: Caller, external_id: str, **body: Any) -> Answer:
    (book,) = caller.get(f"/v1/portfolios?external_id={external_id}").body["data"]
    return caller.post("/v1/analyses/semiconductor-beta", {"portfolio": book["id"], **body})


def codes_of(unit: dict[str, Any]) -> set[str]:
    problem = {unit["problem"]["code"]} if "problem" in unit else set()
    return problem | {row["code"] for row in (unit["result"] or {}).get("warnings", ())}


def half_a_minute_passes() -> None:
    with operator_scope():
        Unit.objects.exclude(not_before=None).update(
            not_before=F("not_before") - timedelta(seconds=30)
        )


def test_each_portfolio_has_the_outcome_that_the_guide_names(
    sandbox: Caller, work: Work, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    monkeypatch.setattr(runner, "_RETRY_DELAY", timedelta(0))
    with operator_scope():  # what all others share does not reach into it
        Instrument.objects.create(symbol="SYNSEMI", kind="index")
        FxRate.objects.create(base="TWD", quote="USD", session=REFERENCE_SESSION, rate="0.03")
    rows = list(documented())
    assert {row.external_id for row in rows} == {
        *(magic.book.external_id for magic in MAGIC),
        *(book.external_id for book in SYNTHETIC.books),
    }
    asked = {row.external_id: ask(sandbox, row.external_id) for row in rows}
    work()
    half_a_minute_passes()
    work()
    sweep(KINDS)
    for row in rows:
        with subtests.test(row.external_id):
            answer = asked[row.external_id]
            assert answer.headers["Sandbox-Now"] == SANDBOX_NOW_TEXT
            if row.answer.isdigit():
                assert (str(answer.status), answer.code) == (row.answer, row.code)
                continue
            assert answer.status == 202
            run = sandbox.get(answer.headers["Location"]).body
            unit = run["units"]["main"]
            assert (run["status"], unit["status"]) == (row.answer, row.unit)
            assert run["as_of"] == REFERENCE_SESSION.isoformat()
            assert {row.code} - {""} <= codes_of(unit)
            if row.unit != "ok":
                assert unit["result"] is None

    events = sandbox.get("/v1/events").body["data"]
    assert len(events) == len(rows) - 1, "each run that was accepted is told of"

    # The outcomes come from the data, so data changes them.
    calendar = sandbox.get("/v1/calendars/XNYS?from=2025-01-02&to=2026-10-30").body["sessions"]
    rates = [{"base": "TWD", "quote": "USD", "session": day, "rate": "0.03"} for day in calendar]
    assert sandbox.post("/v1/fx-rates", {"rates": rates}).status == 200
    again = ask(sandbox, "pf_test_missingfx").headers["Location"]
    work()
    assert sandbox.get(again).body["status"] == "succeeded"


def test_a_recorded_answer_stays_right(sandbox: Caller, work: Work) -> None:
    """The same figures to the last digit, whatever is recorded for everybody in the meantime."""
    first = ask(sandbox, "semis")
    work()
    with operator_scope():
        shared = Instrument.objects.create(symbol="CHIPA", kind="equity")
        Price.objects.create(instrument=shared, session="2026-11-20", close=1)
    again = ask(sandbox, "semis")
    assert again.status == 200, "the same request on the same facts is the same run"
    forced = ask(sandbox, "semis", force=True)
    work()
    with operator_scope():
        hashes = set(Result.objects.values_list("content_hash", flat=True))
    assert forced.status == 202
    assert sandbox.get(first.headers["Location"]).body["as_of"] == "2026-10-30"
    assert len(hashes) == 1


def test_the_slow_portfolio_keeps_no_worker(live: Caller, sandbox: Caller, work: Work) -> None:
    """Nobody has taken its job, so whoever waits behind it is served."""
    slow, other = ask(sandbox, "pf_test_slow30s"), ask(sandbox, "semis")
    assert work() == 1
    assert sandbox.get(other.headers["Location"]).body["status"] == "succeeded"
    waiting = sandbox.get(slow.headers["Location"]).body
    assert (waiting["status"], waiting["units"]["main"]["status"]) == ("queued", "queued")
    with operator_scope():
        unit = Unit.objects.select_related("run").get(run__portfolio__external_id="pf_test_slow30s")
    assert unit.attempt == 0
    assert unit.not_before == unit.run.created_at + timedelta(seconds=30)


def test_it_can_be_canceled_while_it_waits(sandbox: Caller, work: Work) -> None:
    location = ask(sandbox, "pf_test_slow30s").headers["Location"]
    assert sandbox.send("DELETE", location).status == 202
    assert sandbox.get(location).body["status"] == "canceled"


def test_no_live_portfolio_is_slow_or_broken(live: Caller, work: Work) -> None:
    """Not by its name, and not by anything in the request: the client's id alone opens the hook."""
    closes = [
        {"instrument": symbol, "session": f"2025-08-{day}", "close": str(day)}
        for symbol in ("OWN", "IDX")
        for day in (27, 28, 29)
    ]
    for symbol, kind in (("OWN", "equity"), ("IDX", "index")):
        assert live.post("/v1/instruments", {"symbol": symbol, "kind": kind}).status == 201
    assert live.post("/v1/prices", {"prices": closes}).status == 200
    for external_id in (sandbox.SLOW, sandbox.BROKEN):
        made = {"name": external_id, "external_id": external_id, "benchmark": "IDX"}
        book = live.post("/v1/portfolios", made).body["id"]
        held = {"positions": [{"instrument": "OWN", "quantity": "1"}]}
        address = f"/v1/portfolios/{book}/positions?as_of=2025-08-29"
        assert live.put(address, held).status == 201
        assert ask(live, external_id, as_of="2025-08-29").status == 202
    assert work() == 2, "none waits"
    with operator_scope():
        units = list(Unit.objects.values_list("state", "attempt", "result__status"))
        assert units == [("done", 1, "insufficient_data")] * 2
        assert set(Run.objects.values_list("status", flat=True)) == {"failed"}


def test_its_future_begins_after_its_clock(sandbox: Caller) -> None:
    after = "2026-11-02"
    (book,) = sandbox.get("/v1/portfolios?external_id=semis").body["data"]
    held = {"positions": [{"instrument": "CHIPA", "quantity": "1"}]}
    refusals = [
        sandbox.put(f"/v1/portfolios/{book['id']}/positions?as_of={after}", held),
        sandbox.post(
            "/v1/prices", {"prices": [{"instrument": "CHIPA", "session": after, "close": "180"}]}
        ),
        sandbox.post(
            "/v1/fx-rates",
            {"rates": [{"base": "TWD", "quote": "USD", "session": after, "rate": "0.03"}]},
        ),
        sandbox.post(
            "/v1/positions:batch",
            {"positions": [{"portfolio": book["id"], "as_of": after, "instrument": "CHIPA",
                            "quantity": "1"}]},
            Idempotency_Key="once",
        ),
    ]  # fmt: skip
    assert [refusal.code for refusal in refusals] == ["future-date"] * 4


def test_a_sandbox_has_one_night(live: Caller, sandbox: Caller) -> None:
    """Reports of the session before its clock and of no later one."""
    night = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
    ensure_due(night)
    assert ensure_due(night + timedelta(days=1))
    reports = sandbox.get("/v1/reports").body["data"]
    assert [row["business_date"] for row in reports] == [REFERENCE_SESSION.isoformat()]
    assert len(live.get("/v1/reports").body["data"]) == 2


def test_the_clock_stands_after_the_close_of_the_last_session_there_is(sandbox: Caller) -> None:
    assert SANDBOX_NOW.date() == REFERENCE_SESSION
    status = sandbox.get("/v1/status").body
    assert status["prices"]["last_session"] == REFERENCE_SESSION.isoformat()
