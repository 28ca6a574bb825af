"""A run computed again: the same bytes whatever has come since, or what differs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from analytics.calculations.registry import MEASURES
from analytics.calculations.replay import differences
from analytics.models import Replay, Result, Run
from portfolios import leases
from portfolios.models import AuditEvent, Instrument, Portfolio, Price
from portfolios.services.data_version import data_version_bump
from portfolios.services.facts import facts_append
from portfolios.tenancy import client_scope, operator_scope
from tests.analytics.api.test_result_shapes import UNITS
from tests.callers import Caller, caller_create
from tests.market_facts import LAST, SESSIONS
from tests.result_shapes import complaints

Work = Callable[[], int]


@pytest.fixture
def done(caller: Caller, portfolio: Portfolio, work: Work) -> Callable[..., str]:
    """Ask for one kind with everything in it; the run's address once it is over."""

    def ask(kind: str = "semiconductor-beta", **params: Any) -> str:
        body = {
            "portfolio": portfolio.public_id,
            "as_of": LAST.isoformat(),
            "units": {"main": {**UNITS[kind], **params}},
        }
        accepted = caller.post(f"/v1/analyses/{kind}", body)
        assert accepted.status == 202, accepted.body
        work()
        return str(accepted.headers["Location"])

    return ask


def replay(caller: Caller, work: Work, run: str) -> dict[str, Any]:
    asked = caller.post(f"{run}/replay")
    assert asked.status == 202, asked.body
    assert complaints("ReplayRequested", asked.body) == []
    assert asked.headers["Location"] == f"{run}/replay"
    work()
    answer = caller.get(asked.headers["Location"])
    assert complaints("Replay", answer.body) == []
    assert (answer.status, answer.body["status"]) == (200, "done")
    found: dict[str, Any] = answer.body
    return found


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", UNITS)
def test_later_facts_do_not_change_what_comes_out(
    kind: str, caller: Caller, portfolio: Portfolio, work: Work, done: Callable[..., str]
) -> None:
    run = done(kind)
    day = SESSIONS[-2].isoformat()
    price = {"instrument": "NVDA", "session": day, "close": "1", "confirm_jump": True}
    assert caller.post("/v1/prices", {"prices": [price]}).body["new"] == 1
    split = {"instrument": "AMD", "ex_date": day, "kind": "split", "new_shares": 2, "old_shares": 1}
    assert caller.post("/v1/corporate-actions", {"actions": [split]}).body["new"] == 1
    positions = {"positions": [{"instrument": "NVDA", "quantity": "1"}]}
    address = f"/v1/portfolios/{portfolio.public_id}"
    assert caller.put(f"{address}/positions?as_of={LAST}", positions).status == 201
    tag = caller.get(address).headers["ETag"]
    changes = {"base_currency": "EUR", "benchmark": "AMD", "market_benchmark": None}
    assert caller.patch(address, changes, If_Match=tag).status == 200
    found = replay(caller, work, run)
    assert found["units"]["main"]["differences"] == []
    assert (found["identical"], found["units"]["main"]["identical"]) == (True, True)
    assert found["method_version"]["stored"] == found["method_version"]["current"]


def test_a_fact_changed_behind_its_back_is_seen(
    caller: Caller, work: Work, done: Callable[..., str]
) -> None:
    """An edit of history, which no part of the product makes."""
    run = done()
    before = caller.get(f"{run}/units/main")
    with operator_scope():
        last = Price.objects.get(instrument__symbol="NVDA", session=LAST)
        Price.objects.filter(pk=last.pk).update(close=last.close * 2)
        data_version_bump(None)
    found = replay(caller, work, run)
    unit = found["units"]["main"]
    assert (found["identical"], unit["identical"]) == (False, False)
    by_pointer = {row["pointer"]: row for row in unit["differences"]}
    nav = by_pointer["/result/nav/value"]
    assert nav["stored"] == before.body["result"]["nav"]["value"] != nav["recomputed"]
    assert unit["n_differences"] >= len(unit["differences"])
    assert unit["stored_hash"] == f"sha256:{before.headers['ETag'][1:-1]}"
    assert unit["recomputed_hash"] != unit["stored_hash"]
    assert caller.get(f"{run}/units/main").content == before.content, "a replay changes nothing"


def test_another_method_version_is_told_beside_what_differs(
    caller: Caller, work: Work, done: Callable[..., str]
) -> None:
    run = done()
    with operator_scope():
        Run.objects.update(method_version="semi-beta/0.9.0")
        stored = Result.objects.get()
        body = json.loads(stored.body)
        body["result"]["beta_nav"]["n_obs"] = 250
        del body["result"]["nav"]
        text = json.dumps(body, sort_keys=True, separators=(",", ":"))
        Result.objects.update(body=text)
    found = replay(caller, work, run)
    current = MEASURES["semiconductor-beta"].method_version
    assert found["method_version"] == {"stored": "semi-beta/0.9.0", "current": current}
    rows = {row["pointer"]: row for row in found["units"]["main"]["differences"]}
    assert (rows["/result/beta_nav/n_obs"]["stored"], rows["/result/nav"]["stored"]) == (250, None)
    assert rows["/result/nav"]["absent_from"] == "stored"
    with operator_scope():
        Result.objects.all().delete()  # what a test wrote is of no published shape


def test_a_warning_of_a_later_build_is_one_difference(
    caller: Caller, work: Work, done: Callable[..., str]
) -> None:
    """A window longer than the history, as it was stored before that was told."""
    run = done(window=2520)
    with operator_scope():
        stored = Result.objects.get()
        body = json.loads(stored.body)
        warnings = body["result"]["warnings"]
        [told] = [one for one in warnings if one["code"] == "incomplete-history"]
        place = warnings.index(told)
        del warnings[place]
        text = json.dumps(body, sort_keys=True, separators=(",", ":"))
        Result.objects.update(body=text)
    unit = replay(caller, work, run)["units"]["main"]
    with operator_scope():
        Result.objects.all().delete()  # what a test wrote is of no published shape
    assert unit["differences"] == [
        {
            "pointer": f"/result/warnings/{place}",
            "stored": None,
            "recomputed": told,
            "absent_from": "stored",
        }
    ]


def test_lists_of_different_lengths_differ_in_what_one_lacks() -> None:
    told = list(differences({"a": [1, 2, 3, 4]}, {"a": [0, 2, 4, 5]}))
    assert [row["pointer"] for row in told] == ["/a/0", "/a/2", "/a/3"]
    told = list(differences([1, 2, 3, 4], [2, 9, 4, 5, 6]))
    assert [(row["pointer"], row["stored"], row["recomputed"]) for row in told] == [
        ("/0", 1, None), ("/1", 3, 9), ("/3", None, 5), ("/4", None, 6),
    ]  # fmt: skip
    assert list(differences([{"a": 1}], [])) == [
        {"pointer": "/0", "stored": {"a": 1}, "recomputed": None, "absent_from": "recomputed"}
    ]


def test_refusals_are_replayed_too(caller: Caller, portfolio: Portfolio, work: Work) -> None:
    body = {"portfolio": portfolio.public_id, "units": {"a": {"hedging": [{"instrument": "SPY"}]}}}
    accepted = caller.post("/v1/analyses/hedge-effectiveness", body)
    work()
    run = str(accepted.headers["Location"])
    assert caller.get(run).body["status"] == "failed"
    assert replay(caller, work, run)["identical"] is True


def test_one_replay_at_a_time_and_one_effect_a_key(
    caller: Caller, work: Work, done: Callable[..., str]
) -> None:
    run = done()
    assert caller.get(f"{run}/replay").code == "not-found"
    first = caller.post(f"{run}/replay", Idempotency_Key="once")
    again = caller.post(f"{run}/replay", Idempotency_Key="once")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.content == first.content
    beside = caller.post(f"{run}/replay")
    assert (beside.body["id"], beside.body["deduplicated"]) == (first.body["id"], True)
    assert caller.get(f"{run}/replay").body["status"] == "queued"
    work()
    later = caller.post(f"{run}/replay")
    assert later.body["id"] != first.body["id"]
    with operator_scope():
        actions = list(AuditEvent.objects.filter(action__startswith="run.repla").order_by("id"))
    assert [row.action for row in actions] == [
        "run.replay_requested", "run.replayed", "run.replay_requested",
    ]  # fmt: skip
    assert actions[1].detail["identical"] is True


def test_a_replay_whose_worker_died_is_done_by_another(
    caller: Caller, work: Work, done: Callable[..., str]
) -> None:
    run = done()
    caller.post(f"{run}/replay")
    with operator_scope():
        pk = Replay.objects.get().pk
        token = leases.claim(Replay, pk)
        assert token is not None
        Replay.objects.update(lease_until="2020-01-01T00:00:00Z")
    work()
    assert caller.get(f"{run}/replay").body["identical"] is True
    with operator_scope():
        assert leases.finish(Replay, pk, token) is False, "the dead one comes too late"


def test_what_is_not_over_or_has_no_result_is_refused(caller: Caller, portfolio: Portfolio) -> None:
    accepted = caller.post("/v1/analyses/tail-risk", {"portfolio": portfolio.public_id})
    run = str(accepted.headers["Location"])
    refused = caller.post(f"{run}/replay")
    assert (refused.status, refused.code) == (409, "run-not-finished")
    assert refused.headers["Retry-After"] == "1"
    caller.send("DELETE", run)
    refused = caller.post(f"{run}/replay")
    assert (refused.status, refused.code) == (410, "run-canceled")
    with operator_scope():
        assert not Replay.objects.exists()


def test_outsider_and_key_without_the_scope_are_refused(
    caller: Caller, done: Callable[..., str]
) -> None:
    run = done()
    outsider = caller_create("omega")
    assert outsider.post(f"{run}/replay").code == outsider.get(f"{run}/replay").code == "not-found"
    reader = caller.with_key(scopes=["analyses:read"])
    assert reader.post(f"{run}/replay").code == "insufficient-scope"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("shared", [True, False])
def test_facts_on_their_way_when_a_run_was_accepted_are_waited_for(
    caller: Caller, portfolio: Portfolio, work: Work, *, shared: bool
) -> None:
    """An import that began before the run and commits after it: both computations see it."""
    written, accepted, committed = threading.Event(), threading.Event(), threading.Event()

    def import_slowly() -> None:
        owner = None if shared else caller.client
        scope = operator_scope() if owner is None else client_scope(owner.pk)
        try:
            with scope:
                nvda = Instrument.objects.get(symbol="NVDA")
                facts_append(
                    Price, client_id=owner.pk if owner else None, keys=("instrument_id", "session"),
                    values=("close",), rows=[(nvda.pk, SESSIONS[-30], Decimal(1))], source="late",
                )  # fmt: skip
                data_version_bump(owner)
                written.set()
                assert accepted.wait(30)
                time.sleep(0.3)  # the worker has begun; without the wait it would be over
                committed.set()
        finally:
            connection.close()

    with ThreadPoolExecutor() as threads:
        slow = threads.submit(import_slowly)
        assert written.wait(30)
        body = {"portfolio": portfolio.public_id, "as_of": LAST.isoformat()}
        run = str(caller.post("/v1/analyses/semiconductor-beta", body).headers["Location"])
        accepted.set()
        work()
        assert committed.is_set()
        slow.result()
    assert caller.get(run).body["status"] == "succeeded"
    found = replay(caller, work, run)
    assert found["units"]["main"]["differences"] == []
    assert found["identical"] is True
    rows = caller.get(f"{run}/inputs?kind=price&instrument=NVDA&date={SESSIONS[-30]}").body["data"]
    assert [row["source"] for row in rows] == ["late"]
