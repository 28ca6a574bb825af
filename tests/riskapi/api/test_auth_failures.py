"""Bad credentials from one address, and which address that is."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import RequestFactory
from pytest_django import Settings

from portfolios.models import AuditEvent, AuthFailureWindow
from portfolios.services.authentication import auth_failure_purge, auth_failure_record
from portfolios.services.credentials import Credential
from portfolios.tenancy import operator_scope
from riskapi.api.addresses import client_address
from tests.callers import Answer, Caller


@pytest.fixture
def limited(settings: Settings) -> Settings:
    settings.AUTH_FAILURES_PER_MINUTE = 20
    return settings


def bad(caller: Caller, **headers: str) -> Answer:
    return caller.get("/v1/me", Authorization="Bearer rk_live_nonsense", **headers)


def test_after_twenty_bad_keys_the_answer_is_429(caller: Caller, limited: Settings) -> None:
    assert [bad(caller).status for _ in range(20)] == [401] * 20
    answer = bad(caller)
    assert (answer.status, answer.code) == (429, "too-many-bad-keys")
    assert answer.body["type"].endswith("http-problem-types#abnormal-usage-detected")
    assert answer.body["violated-policies"] == ["bad-keys"]
    assert 1 <= int(answer.headers["Retry-After"]) <= 61


def test_a_good_key_from_there_still_works(caller: Caller, limited: Settings) -> None:
    for _ in range(22):
        bad(caller)
    assert bad(caller).status == 429
    assert caller.get("/v1/me").status == 200


def test_the_limit_ends_with_the_minute(caller: Caller, limited: Settings) -> None:
    for _ in range(21):
        bad(caller)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE portfolios_authfailurewindow SET started_at = started_at - interval '60 s'"
        )
    assert bad(caller).status == 401


def test_failures_are_logged_and_the_limit_is_audited_once(
    caller: Caller, limited: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = Credential("rk", "live", caller.key.key_id, "A" * 43)
    secret = wrong.secret
    with caplog.at_level(logging.WARNING, logger="portfolios.services.authentication"):
        for _ in range(30):
            caller.get("/v1/me", Authorization=f"Bearer {wrong.text}")
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 21  # the flood is not logged line by line
    failed = "authentication failed address=127.0.0.1 reason=invalid-api-key"
    assert lines[0] == f"{failed} key={caller.key.key_id}"
    assert lines[-1].startswith("authentication failures limited address=127.0.0.1")
    assert secret not in caplog.text
    with operator_scope():
        event = AuditEvent.objects.get(action="authentication.limited")
    assert (event.client, event.actor) == (None, "address:127.0.0.1")


def test_expired_keys_and_foreign_addresses_count_too(caller: Caller, limited: Settings) -> None:
    elsewhere = caller.with_key(allowed_networks=["10.0.0.0/8"])
    assert [elsewhere.get("/v1/me").status for _ in range(21)] == [403] * 20 + [429]


def test_requests_without_credentials_do_not_count(caller: Caller, limited: Settings) -> None:
    answers = [caller.get("/v1/me", Authorization="Basic YTpi").status for _ in range(30)]
    assert answers == [401] * 30


def test_each_address_is_counted_by_itself_and_ipv6_by_subscriber(
    caller: Caller, limited: Settings
) -> None:
    limited.TRUSTED_PROXIES, limited.AUTH_FAILURES_PER_MINUTE = ["127.0.0.1/32"], 2
    answers = [
        bad(caller, X_Forwarded_For=address).status
        for address in ("198.51.100.1", "198.51.100.1", "198.51.100.2", "198.51.100.1",
                        "2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1")
    ]  # fmt: skip
    assert answers == [401, 401, 401, 429, 401, 401, 429, 401]


def test_windows_that_are_over_are_forgotten(caller: Caller, limited: Settings) -> None:
    bad(caller)
    assert auth_failure_purge() == 0
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE portfolios_authfailurewindow SET started_at = started_at - interval '3 min'"
        )
    assert auth_failure_purge() == 1
    assert not AuthFailureWindow.objects.exists()


@pytest.mark.parametrize(
    ("proxies", "nearest", "forwarded", "expected"),
    [
        ([], "10.0.0.1", "198.51.100.7", "10.0.0.1"),
        (["10.0.0.0/8"], "10.0.0.1", "198.51.100.7", "198.51.100.7"),
        (["10.0.0.0/8"], "10.0.0.1", "6.6.6.6, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
        (["10.0.0.0/8"], "192.0.2.1", "198.51.100.7", "192.0.2.1"),
        (["10.0.0.0/8"], "10.0.0.1", "", "10.0.0.1"),
        (["10.0.0.0/8"], "10.0.0.1", "198.51.100.7, nonsense", "10.0.0.1"),
        (["10.0.0.0/8"], "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        (["10.0.0.0/8"], "::ffff:10.0.0.1", "198.51.100.7:1234", "198.51.100.7"),
        (["fd00::/8"], "fd00::1", "[2001:db8::9]:443", "2001:db8::9"),
    ],
)
def test_the_address_is_the_nearest_that_is_no_proxy_of_ours(
    settings: Settings, proxies: list[str], nearest: str, forwarded: str, expected: str
) -> None:
    settings.TRUSTED_PROXIES = proxies
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    request = RequestFactory().get("/", headers=headers, REMOTE_ADDR=nearest)
    assert client_address(request) == expected


@pytest.mark.django_db(transaction=True)
def test_failures_that_arrive_together_are_counted_one_by_one(limited: Settings) -> None:
    def fail(_: int) -> bool:
        try:
            return auth_failure_record("198.51.100.9", "invalid-api-key", "") == 0
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(fail, range(100))) == 20
    with operator_scope():
        assert AuditEvent.objects.filter(action="authentication.limited").count() == 1
