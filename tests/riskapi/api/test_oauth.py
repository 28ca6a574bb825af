"""OAuth 2.0 client credentials: tokens, what they open, and how soon they stop."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from django.db import connection
from django.test import Client as Browser
from pytest_django import Settings

from portfolios.models import AccessToken, ApiKey, AuditEvent, Client
from portfolios.services.access_tokens import access_token_purge
from portfolios.services.api_keys import SCOPES, api_key_create
from portfolios.tenancy import operator_scope
from tests.callers import Answer, Caller

FORM = "application/x-www-form-urlencoded"


@dataclass
class Application:
    """An OAuth 2.0 client of a caller's client."""

    caller: Caller
    key: ApiKey
    secret: str

    def send(self, path: str = "/oauth/token", *, basic: bool = False, **form: Any) -> Answer:
        headers = {}
        if basic:
            pair = f"{self.key.key_id}:{self.secret}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        else:
            form = {"client_id": self.key.key_id, "client_secret": self.secret, **form}
        if path == "/oauth/token":
            form.setdefault("grant_type", "client_credentials")
        return post(path, urlencode(form, doseq=True), **headers)

    def token(self, **form: Any) -> str:
        return str(self.send(**form).body["access_token"])


def post(path: str, body: str, content_type: str = FORM, **headers: str) -> Answer:
    response = Browser().generic("POST", path, body, content_type, headers=headers)
    return Answer(response.status_code, dict(response.headers), response.content)


def application_of(caller: Caller, *scopes: str, **options: Any) -> Application:
    with operator_scope():
        key, secret = api_key_create(
            caller.client, "app", scopes or SCOPES, kind=ApiKey.Kind.OAUTH, **options
        )
    return Application(caller, key, secret)


@pytest.fixture
def application(caller: Caller) -> Application:
    return application_of(caller, "portfolios:read", "portfolios:write")


def test_token_has_the_form_of_the_protocol(application: Application) -> None:
    for basic in (False, True):
        answer = application.send(basic=basic)
        assert answer.status == 200, answer.content
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Pragma"] == "no-cache"
        body = answer.body
        assert body.pop("access_token").startswith("rt_live_")
        assert body == {
            "token_type": "Bearer",
            "expires_in": 900,
            "scope": "portfolios:read portfolios:write",
        }


def test_token_opens_what_its_client_may_open(application: Application, outsider: Caller) -> None:
    bearer = f"Bearer {application.token()}"
    caller = application.caller
    made = caller.post("/v1/portfolios", {"name": "Book"}, Authorization=bearer)
    assert made.status == 201
    outsider.post("/v1/portfolios", {"name": "Foreign"})
    listed = caller.get("/v1/portfolios", Authorization=bearer).body["data"]
    assert [row["name"] for row in listed] == ["Book"]
    me = caller.get("/v1/me", Authorization=bearer).body
    assert me["client"]["id"] == caller.client.public_id
    assert me["key"]["id"] == application.key.key_id
    with operator_scope():
        event = AuditEvent.objects.get(action="portfolio.create", client=caller.client)
    assert event.actor == f"oauth:{application.key.key_id}"


def test_token_carries_the_scopes_asked_for_and_no_more(application: Application) -> None:
    answer = application.send(scope="portfolios:read portfolios:read")
    assert answer.body["scope"] == "portfolios:read"
    bearer = f"Bearer {answer.body['access_token']}"
    caller = application.caller
    assert caller.get("/v1/me", Authorization=bearer).body["scopes"] == ["portfolios:read"]
    refused = caller.post("/v1/portfolios", {"name": "Book"}, Authorization=bearer)
    assert (refused.status, refused.code) == (403, "insufficient-scope")
    assert refused.headers["WWW-Authenticate"] == (
        'Bearer realm="riskapi", error="insufficient_scope", scope="portfolios:write"'
    )


def test_what_a_client_loses_its_tokens_lose_at_once(application: Application) -> None:
    bearer, caller = f"Bearer {application.token()}", application.caller
    assert caller.post("/v1/portfolios", {"name": "Book"}, Authorization=bearer).status == 201
    with operator_scope():
        ApiKey.objects.filter(pk=application.key.pk).update(
            scopes=["portfolios:read", "audit:read"]
        )
    refused = caller.post("/v1/portfolios", {"name": "Late"}, Authorization=bearer)
    assert (refused.status, refused.code) == (403, "insufficient-scope")
    # And what it is given later they were not made for.
    assert caller.get("/v1/me", Authorization=bearer).body["scopes"] == ["portfolios:read"]


@pytest.mark.parametrize("scope", ["prices:read", "portfolios:read audit:read", "no:such", "\x00"])
def test_more_than_the_client_has_is_refused(application: Application, scope: str) -> None:
    answer = application.send(scope=scope)
    assert (answer.status, answer.body["error"]) == (400, "invalid_scope")
    assert answer.headers["Cache-Control"] == "no-store"
    with operator_scope():
        assert not AccessToken.objects.exists()


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ("x=1", 400, "unsupported_grant_type"),
        ("grant_type=password", 400, "unsupported_grant_type"),
        ("grant_type=%22%00%FF%E2%98%83", 400, "unsupported_grant_type"),
        ("grant_type=client_credentials", 401, "invalid_client"),
        ("grant_type=client_credentials&client_id=x", 401, "invalid_client"),
        ("grant_type=client_credentials&client_id=x&client_secret=y", 401, "invalid_client"),
        ("grant_type=client_credentials&client_id=%00&client_secret=%00", 401, "invalid_client"),
        ("grant_type=client_credentials&scope=a&scope=b", 400, "invalid_request"),
    ],
)
def test_what_is_against_the_protocol_is_said_in_its_words(
    db: None, body: str, status: int, error: str
) -> None:
    answer = post("/oauth/token", body)
    assert (answer.status, answer.body["error"]) == (status, error)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Basic /w==", "Basic \u00e9", "Basic eDp5"])
def test_header_that_is_no_credential_is_refused(db: None, header: str) -> None:
    answer = post("/oauth/token", "grant_type=client_credentials", Authorization=header)
    assert (answer.status, answer.body["error"]) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="riskapi"'


def test_secret_in_header_and_body_at_once_is_refused(application: Application) -> None:
    answer = application.send(basic=True, client_secret=application.secret)
    assert (answer.status, answer.body["error"]) == (400, "invalid_request")


def test_secrets_of_others_and_keys_are_no_secrets(
    application: Application, outsider: Caller
) -> None:
    foreign = application_of(outsider)
    for secret in (foreign.secret, application.caller.text, application.secret[:-1] + "x"):
        answer = Application(application.caller, application.key, secret).send()
        assert (answer.status, answer.body["error"]) == (401, "invalid_client")
    # Nor does a secret open the API itself.
    answer = application.caller.get("/v1/me", Authorization=f"Bearer {application.secret}")
    assert (answer.status, answer.code) == (401, "invalid-api-key")


def test_other_media_types_and_methods_are_problems(application: Application) -> None:
    assert post("/oauth/token", "{}", "application/json").code == "unsupported-media-type"
    form = "--x\r\nContent-Disposition: form-data\r\n"
    assert post("/oauth/token", form, "multipart/form-data; boundary=x").status == 415
    assert application.caller.get("/oauth/token").code == "method-not-allowed"
    assert post("/oauth/token", "a=" + "x" * 1_100_000).code == "payload-too-large"
    assert post("/oauth/token", "&".join(f"a{n}=1" for n in range(2_000))).status == 400
    assert post("/oauth/token?client_secret=rs_live_x", "").code == "credential-in-url"


def test_token_expires(application: Application) -> None:
    token = application.token()
    with operator_scope():
        AccessToken.objects.update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    answer = application.caller.get("/v1/me", Authorization=f"Bearer {token}")
    assert (answer.status, answer.code) == (401, "expired-access-token")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_token_lasts_a_quarter_of_an_hour(application: Application) -> None:
    with time_machine.travel(datetime(2026, 11, 20, 12, tzinfo=UTC), tick=False):
        application.token()
    with operator_scope():
        token = AccessToken.objects.get()
    assert token.expires_at == datetime(2026, 11, 20, 12, 15, tzinfo=UTC)


def test_revoked_token_is_dead_at_once(application: Application) -> None:
    token, other = application.token(), application.token()
    answer = application.send("/oauth/revoke", token=token, token_type_hint="access_token")
    assert (answer.status, answer.body) == (200, {})
    caller = application.caller
    assert caller.get("/v1/me", Authorization=f"Bearer {token}").code == "invalid-api-key"
    assert caller.get("/v1/me", Authorization=f"Bearer {other}").status == 200
    with operator_scope():
        actions = list(
            AuditEvent.objects.filter(client=caller.client).values_list("action", flat=True)
        )
    assert sorted(actions) == ["token.issued", "token.issued", "token.revoked"]


def test_foreign_and_missing_tokens_are_revoked_alike(
    application: Application, outsider: Caller
) -> None:
    foreign = application_of(outsider).token()
    sibling = application_of(application.caller).token()
    for token in (foreign, sibling, "rt_live_none", "", "\x00"):
        answer = application.send("/oauth/revoke", token=token)
        assert (answer.status, answer.body) == (200, {}), token
    caller = application.caller
    for token in (foreign, sibling):
        assert caller.get("/v1/me", Authorization=f"Bearer {token}").status == 200


def test_revoking_asks_for_credentials_and_a_token(application: Application) -> None:
    assert post("/oauth/revoke", "token=x").body["error"] == "invalid_client"
    assert application.send("/oauth/revoke").body["error"] == "invalid_request"


@pytest.mark.parametrize("hint", ["refresh_token", "id_token", "\x00"])
def test_no_hint_keeps_a_token_alive(application: Application, hint: str) -> None:
    token = application.token()
    answer = application.send("/oauth/revoke", token=token, token_type_hint=hint)
    assert (answer.status, answer.body) == (200, {})
    caller = application.caller
    assert caller.get("/v1/me", Authorization=f"Bearer {token}").code == "invalid-api-key"


@pytest.mark.parametrize("end", ["revoke", "expire", "deactivate"])
def test_with_its_credential_a_token_ends(application: Application, end: str) -> None:
    bearer = f"Bearer {application.token()}"
    past = datetime.now(UTC) - timedelta(seconds=1)
    with operator_scope():
        keys = ApiKey.objects.filter(pk=application.key.pk)
        if end == "revoke":
            keys.update(revoked_at=past)
        elif end == "expire":
            keys.update(expires_at=past)
        else:
            Client.objects.filter(pk=application.key.client_id).update(is_active=False)
    assert application.caller.get("/v1/me", Authorization=bearer).status == 401
    assert application.send().body["error"] == "invalid_client"


def test_networks_of_the_credential_bind_its_tokens(caller: Caller) -> None:
    application = application_of(caller, allowed_networks=["127.0.0.0/8"])
    bearer = f"Bearer {application.token()}"
    with operator_scope():
        ApiKey.objects.filter(pk=application.key.pk).update(allowed_networks=["10.0.0.0/8"])
    answer = caller.get("/v1/me", Authorization=bearer)
    assert (answer.status, answer.code) == (403, "address-not-allowed")
    assert application.send().body["error"] == "invalid_client"


def test_neither_secret_nor_token_is_in_the_database(application: Application) -> None:
    texts = (application.secret, application.token())
    with operator_scope(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(string_agg(t::text, ' '), '') FROM portfolios_accesstoken t"
            " UNION ALL SELECT string_agg(k::text, ' ') FROM portfolios_apikey k"
            " UNION ALL SELECT string_agg(a::text, ' ') FROM portfolios_auditevent a"
        )
        rows = " ".join(row[0] for row in cursor.fetchall())
    for text in texts:
        _, _, shown, secret, _ = text.split("_")
        assert shown in rows
        assert secret not in rows
        assert secret.encode().hex() not in rows


def test_tokens_are_deleted_a_day_after_they_expired(application: Application) -> None:
    application.token()
    with operator_scope():
        assert access_token_purge() == 0
        AccessToken.objects.update(expires_at=datetime.now(UTC) - timedelta(hours=25))
        assert access_token_purge() == 1


def test_tokens_and_their_use_count_against_the_clients_quota(
    application: Application, settings: Settings
) -> None:
    settings.REQUESTS_PER_MINUTE = 3
    answer = application.send()
    assert answer.headers["RateLimit"].startswith('"default";r=2;')
    bearer = f"Bearer {answer.body['access_token']}"
    caller = application.caller
    answers = [caller.get("/v1/portfolios", Authorization=bearer).status for _ in range(3)]
    assert answers == [200, 200, 429]
    assert application.send().code == "quota-exceeded"


def test_bad_secrets_are_limited_by_address(application: Application, settings: Settings) -> None:
    settings.AUTH_FAILURES_PER_MINUTE = 2
    wrong = Application(application.caller, application.key, "rs_live_wrong")
    assert [wrong.send().status for _ in range(4)] == [401, 401, 429, 429]
    assert application.send().status == 200
