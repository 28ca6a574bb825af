"""Bearer keys at the edge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from portfolios.models import ApiKey, Client
from portfolios.services.credentials import Credential
from portfolios.tenancy import operator_scope
from tests.callers import Caller


def _me(caller: Caller, authorization: str) -> tuple[int, str]:
    answer = caller.get("/v1/me", Authorization=authorization)
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="riskapi"')
    return answer.status, answer.code


def test_key_says_who_it_is(caller: Caller) -> None:
    body = caller.get("/v1/me").body
    assert body["client"]["id"] == caller.client.public_id
    assert body["key"]["id"] == caller.key.key_id
    assert body["scopes"] == list(caller.key.scopes)


def test_request_without_a_key_is_challenged(caller: Caller) -> None:
    from django.test import Client as HttpClient

    response = HttpClient().get("/v1/me")
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer realm="riskapi"'
    assert response.json()["code"] == "authentication-required"
    assert "Authorization: Bearer rk_live_" in response.json()["detail"]


@pytest.mark.parametrize(
    "text",
    ["", "x", "rk_live_", "rk_live_a_b_c", "rk_test_" + "a" * 60, "\u00e9", "rk_live_" + "0" * 59],
)
def test_what_is_no_key_is_refused_without_looking_for_it(caller: Caller, text: str) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert _me(caller, f"Bearer {text}") == (401, "invalid-api-key")
    assert not [q for q in queries if "credential_lookup" in q["sql"]]


def test_mistyped_key_is_refused_without_looking_for_it(caller: Caller) -> None:
    swapped = "0" if caller.text[20] != "0" else "1"
    mistyped = caller.text[:20] + swapped + caller.text[21:]
    with CaptureQueriesContext(connection) as queries:
        assert _me(caller, f"Bearer {mistyped}") == (401, "invalid-api-key")
    assert not [q for q in queries if "credential_lookup" in q["sql"]]


def test_other_secret_of_a_known_id_is_refused(caller: Caller) -> None:

    forged = Credential("rk", "live", caller.key.key_id, "A" * 43).text
    assert _me(caller, f"Bearer {forged}") == (401, "invalid-api-key")


def test_basic_credentials_are_refused(caller: Caller) -> None:
    assert _me(caller, "Basic YTpi") == (401, "authentication-required")


def test_revoked_key_is_refused(caller: Caller) -> None:
    with operator_scope():
        ApiKey.objects.filter(pk=caller.key.pk).update(revoked_at=datetime.now(UTC))
    assert _me(caller, f"Bearer {caller.text}") == (401, "invalid-api-key")


def test_key_of_an_inactive_client_is_refused(caller: Caller) -> None:
    with operator_scope():
        Client.objects.filter(pk=caller.client.pk).update(is_active=False)
    assert _me(caller, f"Bearer {caller.text}") == (401, "invalid-api-key")


def test_key_works_until_it_expires(caller: Caller) -> None:
    now = datetime.now(UTC)
    assert caller.with_key(expires_at=now + timedelta(hours=1)).get("/v1/me").status == 200
    expired = caller.with_key(expires_at=now - timedelta(seconds=1))
    assert _me(caller, f"Bearer {expired.text}") == (401, "expired-api-key")


def test_key_bound_to_networks_works_from_there_alone(caller: Caller) -> None:
    assert caller.with_key(allowed_networks=["127.0.0.0/8"]).get("/v1/me").status == 200
    answer = caller.with_key(allowed_networks=["10.0.0.0/8", "::1/128"]).get("/v1/me")
    assert (answer.status, answer.code) == (403, "address-not-allowed")


@pytest.mark.parametrize("query", ["api_key=x", "token=x", "access_token=x", "q=rk_live_abcdefgh"])
def test_credential_in_the_url_is_refused_though_the_header_is_right(
    caller: Caller, query: str
) -> None:
    answer = caller.get(f"/v1/me?{query}")
    assert (answer.status, answer.code) == (400, "credential-in-url")


def test_secret_is_nowhere_in_the_database(caller: Caller) -> None:
    secret = caller.text.split("_")[3]
    with operator_scope(), connection.cursor() as cursor:
        cursor.execute("SELECT k::text FROM portfolios_apikey k")
        rows = " ".join(row[0] for row in cursor.fetchall())
    assert caller.key.key_id in rows
    assert secret not in rows
    assert secret.encode().hex() not in rows


def test_use_is_noted_at_most_once_a_minute(caller: Caller) -> None:
    with CaptureQueriesContext(
        connection,
    ) as first:
        caller.get("/v1/me")
    with CaptureQueriesContext(connection) as second:
        caller.get("/v1/me")
    updates = [
        sum("UPDATE" in query["sql"] for query in queries.captured_queries)
        for queries in (first, second)
    ]
    assert updates == [1, 0]
    with operator_scope():
        assert ApiKey.objects.get(pk=caller.key.pk).last_used_at is not None


def test_authentication_and_counting_cost_one_query(caller: Caller, settings: Settings) -> None:
    settings.REQUESTS_PER_MINUTE = 600
    caller.get("/v1/portfolios/pf_none")
    with CaptureQueriesContext(connection) as queries:
        assert "RateLimit" in caller.get("/v1/portfolios/pf_none").headers
    asked = [q["sql"] for q in queries.captured_queries if "EXECUTE plan_" in q["sql"]]
    assert len(asked) == 1
    # Around it: savepoint, scope set, savepoint rolled back and released.
    assert len(queries) == 5
