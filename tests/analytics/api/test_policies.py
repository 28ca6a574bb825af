"""The policy of a portfolio: proposed by one key, approved by another, taken by the analyses."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from analytics.models import Unit
from portfolios.models import ApiKey, AuditEvent, Instrument, Policy, Portfolio
from portfolios.services.access_tokens import access_token_create
from portfolios.services.api_keys import api_key_create
from portfolios.tenancy import client_scope, operator_scope
from tests.callers import Answer, Caller, caller_create

BETA, HEDGE, TAIL = (
    f"/v1/analyses/{kind}" for kind in ("semiconductor-beta", "hedge-effectiveness", "tail-risk")
)
CHANGE = {
    "benchmark": "NYSESEMI",
    "window": 120,
    "on_stale": "warn",
    "thresholds": {"coverage_band": 0.05, "effectiveness_policy": "economic-90-111"},
}


@pytest.fixture
def path(portfolio: Portfolio) -> str:
    with operator_scope():
        Instrument.objects.get_or_create(client=None, symbol="NYSESEMI", defaults={"kind": "index"})
    return f"/v1/portfolios/{portfolio.public_id}/policy"


@pytest.fixture
def checker(caller: Caller) -> Caller:
    return caller.with_key()


def _propose(caller: Caller, path: str, change: Any) -> Answer:
    return caller.patch(path, change, If_Match=caller.get(path).headers["ETag"])


def _decide(caller: Caller, path: str, version: int, how: str = "approve") -> Answer:
    return caller.post(f"{path}/{how}", {"version": version})


def _approved(caller: Caller, checker: Caller, path: str, change: Any) -> None:
    proposed = _propose(caller, path, change)
    assert proposed.status == 202, proposed.content
    assert _decide(checker, path, proposed.body["pending"]["version"]).status == 200


def test_without_a_policy_nothing_is_set(caller: Caller, path: str) -> None:
    body = caller.get(path).body
    assert (body["version"], body["state"], body["pending"]) == (0, "default", None)
    assert body["benchmark"] is None
    assert body["thresholds"] == {"coverage_band": None, "effectiveness_policy": None}
    assert caller.get(f"{path}/versions").body["data"] == []


def test_change_waits_until_another_key_approves_it(
    caller: Caller, checker: Caller, path: str
) -> None:
    proposed = _propose(caller, path, CHANGE)
    assert proposed.status == 202
    assert (proposed.body["version"], proposed.body["pending"]["version"]) == (0, 1)
    assert proposed.body["pending"]["state"] == "pending_approval"
    own = _decide(caller, path, 1)
    assert (own.status, own.code) == (403, "second-person-required")
    assert caller.get(path).body["version"] == 0
    approved = _decide(checker, path, 1)
    assert approved.status == 200
    body = caller.get(path).body
    assert body == approved.body
    assert (body["version"], body["state"], body["pending"]) == (1, "approved", None)
    assert body["benchmark"]["symbol"] == "NYSESEMI"
    assert (body["window"], body["on_stale"]) == (120, "warn")
    assert body["thresholds"] == CHANGE["thresholds"]
    assert body["created_by"] != body["decided_by"]
    with client_scope(caller.client.id):
        actions = AuditEvent.objects.filter(action__startswith="policy.").order_by("id")
        assert [event.action for event in actions] == ["policy.propose", "policy.approve"]


@pytest.mark.parametrize("kind", ApiKey.Kind.values)
@pytest.mark.parametrize("name", ["test", " Test "])
def test_further_key_of_the_holder_is_no_second_person(
    caller: Caller, checker: Caller, path: str, kind: str, name: str
) -> None:
    """Neither the key to change over to nor an OAuth client of the name."""
    _propose(caller, path, CHANGE)
    with operator_scope():
        key, text = api_key_create(caller.client, name, kind=kind)
        if kind == ApiKey.Kind.OAUTH:
            text = access_token_create(key, key.scopes)[1]
    second = Caller(caller.client, key, text)
    answer = _decide(second, path, 1)
    assert (answer.status, answer.code) == (403, "second-person-required")
    assert "of another name" in answer.body["detail"]
    assert caller.get(path).body["pending"]["version"] == 1
    assert _decide(second, path, 1, "reject").status == 200


def test_change_builds_on_the_approved_one(caller: Caller, checker: Caller, path: str) -> None:
    _approved(caller, checker, path, CHANGE)
    _approved(checker, caller, path, {"window": None, "thresholds": {"coverage_band": 0.2}})
    body = caller.get(path).body
    assert (body["version"], body["window"], body["on_stale"]) == (2, None, "warn")
    assert body["thresholds"] == {"coverage_band": 0.2, "effectiveness_policy": "economic-90-111"}
    versions = caller.get(f"{path}/versions").body["data"]
    assert [(row["version"], row["window"]) for row in versions] == [(2, None), (1, 120)]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"thresholds": {}},
        {"window": None},
        {"benchmark": "NYSESEMI", "on_stale": "warn", "thresholds": {"coverage_band": 0.05}},
    ],
)
def test_change_of_nothing_makes_no_version(
    caller: Caller, checker: Caller, path: str, change: Any
) -> None:
    _approved(caller, checker, path, {name: CHANGE[name] for name in CHANGE if name != "window"})
    before = caller.get(path)
    answer = _propose(caller, path, change)
    assert (answer.status, answer.body["pending"]) == (200, None)
    assert answer.headers["ETag"] == before.headers["ETag"]
    assert answer.body == before.body
    assert len(caller.get(f"{path}/versions").body["data"]) == 1
    with client_scope(caller.client.id):
        assert AuditEvent.objects.filter(action="policy.propose").count() == 1


def test_change_of_nothing_where_nothing_was_approved(caller: Caller, path: str) -> None:
    answer = _propose(caller, path, {"window": None, "benchmark": None})
    assert (answer.status, answer.body["version"], answer.body["pending"]) == (200, 0, None)


def test_rejected_change_leaves_the_policy_and_makes_room(
    caller: Caller, checker: Caller, path: str
) -> None:
    _propose(caller, path, CHANGE)
    second = _propose(checker, path, {"window": 90})
    assert (second.status, second.code) == (409, "policy-pending")
    assert second.body["pending_version"] == 1
    assert _decide(checker, path, 2).code == "policy-not-pending"
    withdrawn = _decide(caller, path, 1, "reject")
    assert (withdrawn.status, withdrawn.body["version"]) == (200, 0)
    assert _decide(checker, path, 1).code == "policy-not-pending"
    assert _propose(checker, path, {"window": 90}).body["pending"]["version"] == 2


def test_change_names_the_version_it_is_based_on(
    caller: Caller, checker: Caller, path: str
) -> None:
    missing = caller.patch(path, CHANGE)
    assert (missing.status, missing.code) == (428, "precondition-required")
    tag = caller.get(path).headers["ETag"]
    assert missing.body["current_etag"] == tag
    assert caller.get(path, If_None_Match=tag).status == 304
    _approved(caller, checker, path, CHANGE)
    assert caller.patch(path, {"window": 90}, If_Match=tag).code == "stale-version"


@pytest.mark.parametrize(
    ("change", "refusal", "pointer"),
    [
        ({"windwo": 90}, (400, "unknown-field"), "/windwo"),
        ({"window": 59}, (400, "validation-error"), "/window"),
        ({"window": "90"}, (400, "validation-error"), "/window"),
        ({"on_stale": "ignore"}, (400, "validation-error"), "/on_stale"),
        ({"method_versions": {"beta": "1"}}, (400, "validation-error"), "/method_versions"),
        ({"benchmark": "SOXZ"}, (422, "unknown-instrument"), "/benchmark"),
        (
            {"method_versions": {"semiconductor-beta": "semi-beta/0.1.0"}},
            (422, "method-not-served"),
            "/method_versions/semiconductor-beta",
        ),
        (
            {"thresholds": {"effectiveness_policy": "mine"}},
            (422, "unknown-policy"),
            "/thresholds/effectiveness_policy",
        ),
    ],
)
def test_senseless_change_is_refused(
    caller: Caller, path: str, change: Any, refusal: tuple[int, str], pointer: str
) -> None:
    answer = _propose(caller, path, change)
    assert (answer.status, answer.code) == refusal
    assert answer.body["errors"][0]["pointer"] == pointer
    with operator_scope():
        assert not Policy.objects.exists()


def test_outsider_and_key_without_the_scope(caller: Caller, path: str) -> None:
    _propose(caller, path, CHANGE)
    outsider = caller_create("omega")
    assert outsider.get(path).code == "not-found"
    assert outsider.patch(path, CHANGE, If_Match="*").code == "not-found"
    assert outsider.get(f"{path}/versions").code == "not-found"
    assert _decide(outsider, path, 1).code == "not-found"
    reader = caller.with_key(scopes=["portfolios:read"])
    assert reader.get(path).status == 200
    assert _decide(reader, path, 1).code == "insufficient-scope"


def test_database_itself_asks_for_two_people(
    caller: Caller, portfolio: Portfolio, path: str
) -> None:
    with (
        pytest.raises(IntegrityError, match="policy_two_people"),
        transaction.atomic(),
        client_scope(caller.client.id),
    ):
        Policy.objects.create(
            client=caller.client, portfolio=portfolio, version=1, state="approved",
            created_by="key:a", created_by_holder="risk desk",
            decided_by="oauth:b", decided_by_holder="risk desk", decided_at=Now(),
        )  # fmt: skip


def _params(caller: Caller, kind: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = caller.post(kind, body)
    assert answer.status == 202, answer.content
    with operator_scope():
        unit = Unit.objects.select_related("run").order_by("-run__created_at", "-id")[0]
    params: dict[str, Any] = unit.params
    return params


def test_analyses_take_the_policy_where_the_request_says_nothing(
    caller: Caller, checker: Caller, portfolio: Portfolio, path: str
) -> None:
    _approved(caller, checker, path, CHANGE)
    body: dict[str, Any] = {"portfolio": portfolio.public_id}
    with operator_scope():
        index = Instrument.objects.get(symbol="NYSESEMI").public_id
    taken = _params(caller, BETA, body)
    assert (taken["benchmark"], taken["window"], taken["on_stale"]) == (index, 120, "warn")
    said = _params(caller, BETA, {**body, "units": {"main": {"benchmark": "SOX", "window": 90}}})
    assert (said["benchmark"] != index, said["window"], said["on_stale"]) == (True, 90, "warn")
    hedging = {"hedging": [{"instrument": "SOXS"}]}
    hedge = _params(caller, HEDGE, {**body, "units": {"main": hedging}})
    assert (hedge["window"], hedge["coverage_band"]) == (120, 0.05)
    assert hedge["policy"] == "economic-90-111"
    tail = _params(caller, TAIL, body)
    assert (tail["window"], tail["on_stale"]) == (504, "warn")


def test_run_of_an_earlier_time_takes_the_policy_of_then(
    caller: Caller, checker: Caller, portfolio: Portfolio, path: str
) -> None:
    _approved(caller, checker, path, CHANGE)
    first = caller.get(path).body
    _approved(checker, caller, path, {"window": 90})
    then = first["decided_at"]
    assert caller.get(f"{path}?known_at={then}").body["window"] == 120
    assert caller.get(f"{path}?known_at=2020-01-01T00:00:00Z").body["version"] == 0
    body = {"portfolio": portfolio.public_id, "known_at": then}
    assert _params(caller, BETA, body)["window"] == 120


def test_pin_refuses_what_a_later_release_would_compute_otherwise(
    caller: Caller,
    checker: Caller,
    portfolio: Portfolio,
    path: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from analytics.calculations.registry import MEASURES

    version = MEASURES["semiconductor-beta"].method_version
    _approved(caller, checker, path, {"method_versions": {"semiconductor-beta": version}})
    body = {"portfolio": portfolio.public_id}
    assert caller.post(BETA, body).status == 202
    monkeypatch.setattr(MEASURES["semiconductor-beta"], "method_version", "semi-beta/9.0.0")
    refused = caller.post(BETA, body)
    assert (refused.status, refused.code) == (422, "method-not-served")
    assert (refused.body["pinned"], refused.body["served"]) == (version, "semi-beta/9.0.0")
