"""Quotas as a client meets them: fields, refusals, what is free, what the operator can set."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from portfolios.models import Client, QuotaWindow
from portfolios.tenancy import operator_scope
from tests.callers import Caller

Fields = dict[str, dict[str, Any]]
_MEMBER = re.compile(r'"([a-z]+)"((?:;[a-z]+=(?:\d+|"[a-z-]+"))*)')
_PARAMETER = re.compile(r';([a-z]+)=(?:(\d+)|"([a-z-]+)")')


def structured(text: str) -> Fields:
    """A list of strings with parameters (RFC 9651, section 3.1), as far as the draft uses it."""
    found: Fields = {}
    for member in re.split(r",[ \t]*", text):
        parsed = _MEMBER.fullmatch(member)
        assert parsed, text
        found[parsed[1]] = {
            name: int(number) if number else token
            for name, number, token in _PARAMETER.findall(parsed[2])
        }
    return found


@pytest.fixture
def limits(settings: Settings) -> Settings:
    settings.REQUESTS_PER_MINUTE, settings.RUNS_PER_MINUTE, settings.MAX_OPEN_RUNS = 5, 2, 3
    return settings


def _later(seconds: int) -> None:
    """Let windows have begun earlier."""
    with operator_scope(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE portfolios_quotawindow SET started_at = started_at - make_interval(secs => %s)",
            [seconds],
        )


def test_answers_say_the_policies_and_what_is_left(caller: Caller, limits: Settings) -> None:
    answers = [caller.get("/v1/portfolios") for _ in range(2)]
    assert structured(answers[0].headers["RateLimit-Policy"]) == {
        "default": {"q": 5, "w": 60},
        "runs": {"q": 2, "w": 60},
        "inflight": {"q": 3, "qu": "concurrent-requests"},
    }
    left = [structured(answer.headers["RateLimit"]) for answer in answers]
    assert [fields.keys() for fields in left] == [{"default"}] * 2
    assert [fields["default"]["r"] for fields in left] == [4, 3]
    assert all(1 <= fields["default"]["t"] <= 60 for fields in left)


def test_beyond_the_quota_the_answer_is_429_until_the_window_ends(
    caller: Caller, limits: Settings
) -> None:
    assert [caller.get("/v1/portfolios").status for _ in range(5)] == [200] * 5
    _later(20)
    answer = caller.get("/v1/portfolios")
    assert (answer.status, answer.code) == (429, "quota-exceeded")
    assert answer.body["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert answer.body["violated-policies"] == ["default"]
    assert answer.body["docs"] == "/v1/errors/quota-exceeded"
    assert 1 <= int(answer.headers["Retry-After"]) <= 40
    assert structured(answer.headers["RateLimit"])["default"]["r"] == 0
    _later(40)
    answer = caller.get("/v1/portfolios")
    assert answer.status == 200
    assert structured(answer.headers["RateLimit"])["default"]["r"] == 4


def test_refused_requests_do_nothing_and_use_nothing(caller: Caller, limits: Settings) -> None:
    for _ in range(7):
        answer = caller.post("/v1/portfolios", {"name": "Book"})
    assert answer.status == 429
    with operator_scope():
        assert QuotaWindow.objects.get(client=caller.client).used == 5
    _later(60)
    assert len(caller.get("/v1/portfolios").body["data"]) == 5


def test_clients_do_not_use_up_one_another(
    caller: Caller, outsider: Caller, limits: Settings
) -> None:
    for _ in range(6):
        caller.get("/v1/portfolios")
    assert caller.get("/v1/portfolios").status == 429
    assert outsider.get("/v1/portfolios").status == 200


def test_keys_of_one_client_share_its_quota(caller: Caller, limits: Settings) -> None:
    second = caller.with_key()
    answers = [who.get("/v1/portfolios").status for who in (caller, second) * 3]
    assert answers == [200] * 5 + [429]


def test_what_has_not_changed_is_free(caller: Caller, limits: Settings) -> None:
    made = caller.post("/v1/portfolios", {"name": "Book"})
    path = f"/v1/portfolios/{made.body['id']}"
    for _ in range(10):
        answer = caller.get(path, If_None_Match=made.headers["ETag"])
        assert answer.status == 304
        assert structured(answer.headers["RateLimit"])["default"]["r"] == 4
    assert structured(caller.get(path).headers["RateLimit"])["default"]["r"] == 3


def test_what_has_not_changed_counts_where_no_tag_is_named(
    caller: Caller, limits: Settings
) -> None:
    made = caller.post("/v1/portfolios", {"name": "Book"})
    for left in (3, 2, 1, 0):
        answer = caller.get(f"/v1/portfolios/{made.body['id']}", If_None_Match="*")
        assert answer.status == 304
        assert structured(answer.headers["RateLimit"])["default"]["r"] == left


def test_analyses_count_twice_and_a_refused_one_not_at_all(
    caller: Caller, limits: Settings
) -> None:
    path, body = "/v1/analyses/semiconductor-beta", {"portfolio": "pf_none"}
    assert [caller.post(path, body).status for _ in range(2)] == [404, 404]
    answer = caller.post(path, body)
    assert (answer.status, answer.body["violated-policies"]) == (429, ["runs"])
    left = structured(answer.headers["RateLimit"])
    assert (left["runs"]["r"], left["default"]["r"]) == (0, 3)
    assert caller.get("/v1/portfolios").status == 200


def test_false_and_foreign_credentials_use_nothing(caller: Caller, limits: Settings) -> None:
    elsewhere = caller.with_key(allowed_networks=["10.0.0.0/8"])
    wrong = caller.text[:-7] + ("A" if caller.text[-7] != "A" else "B") + caller.text[-6:]
    assert elsewhere.get("/v1/me").status == 403
    assert caller.get("/v1/me", Authorization=f"Bearer {wrong}").status == 401
    assert structured(caller.get("/v1/me").headers["RateLimit"])["default"]["r"] == 4


def test_the_operator_gives_a_client_limits_of_its_own(
    caller: Caller, outsider: Caller, limits: Settings
) -> None:
    with operator_scope():
        Client.objects.filter(pk=caller.client.pk).update(requests_per_minute=1, runs_per_minute=0)
        Client.objects.filter(pk=outsider.client.pk).update(requests_per_minute=0)
    assert [caller.get("/v1/portfolios").status for _ in range(2)] == [200, 429]
    answers = [outsider.get("/v1/portfolios") for _ in range(10)]
    assert {answer.status for answer in answers} == {200}
    assert "RateLimit" not in answers[0].headers
    assert "runs" not in structured(caller.get("/v1/portfolios").headers["RateLimit-Policy"])


def test_me_says_what_is_left(caller: Caller, limits: Settings) -> None:
    limits.MAX_OPEN_RUNS = 0
    caller.get("/v1/portfolios")
    found = caller.get("/v1/me").body["limits"]
    assert found["default"]["quota"] == 5
    assert found["default"]["remaining"] == 3
    assert 1 <= found["default"]["reset_seconds"] <= 60
    assert found["runs"] == {
        "quota": 2, "window_seconds": 60, "remaining": 2, "reset_seconds": 60,
    }  # fmt: skip
    assert found["inflight"] is None


def test_where_nothing_is_limited_nothing_is_counted(caller: Caller) -> None:
    answer = caller.get("/v1/me")
    assert not [name for name in answer.headers if name.startswith("RateLimit")]
    with operator_scope():
        assert not QuotaWindow.objects.exists()
