"""`private_key_jwt`: an assertion in place of a secret (RFC 7521, RFC 7523)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from joserfc import jws
from pytest_django import Settings

from portfolios.models import AccessToken, ApiKey, AuditEvent, Client, PublicKey, UsedAssertion
from portfolios.services import client_assertions
from portfolios.services.client_assertions import assertion_purge
from portfolios.services.public_keys import public_key_register
from portfolios.tenancy import operator_scope
from tests.callers import Answer, Caller, caller_create
from tests.key_pairs import TYPE, Signer, pem_of
from tests.riskapi.api.test_oauth import Application, application_of, post
from tests.sizes import sized


@dataclass
class Keyed:
    """An OAuth 2.0 client with a key pair."""

    application: Application
    signer: Signer

    def ask(
        self, path: str = "/oauth/token", *, assertion: str | None = None, **more: Any
    ) -> Answer:
        form = {
            "client_assertion_type": TYPE,
            "client_assertion": self.signer.assertion() if assertion is None else assertion,
            **more,
        }
        if path == "/oauth/token":
            form.setdefault("grant_type", "client_credentials")
        return post(path, urlencode(form, doseq=True))

    def signed(self, **changes: Any) -> Answer:
        return self.ask(assertion=self.signer.assertion(**changes))


def keyed_of(caller: Caller, algorithm: str = "ES256", **options: Any) -> Keyed:
    application = application_of(caller, "portfolios:read", **options)
    signer = Signer(application.key.key_id, algorithm)
    register(application.key, signer)
    return Keyed(application, signer)


def register(credential: ApiKey, signer: Signer, **options: Any) -> PublicKey:
    with operator_scope():
        return public_key_register(
            credential, pem_of(signer.key), algorithm=signer.algorithm, kid=signer.kid, **options
        )


def refusal_of(answer: Answer) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status, answer.body["error"]


REFUSED = (401, "invalid_client")


@pytest.fixture
def keyed(caller: Caller) -> Keyed:
    return keyed_of(caller)


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS256", "EdDSA", "Ed25519"])
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # by whoever signs
def test_a_signature_gets_a_token(caller: Caller, algorithm: str) -> None:
    keyed = keyed_of(caller, algorithm)
    answer = keyed.ask(scope="portfolios:read")
    assert answer.status == 200, answer.content
    assert answer.body["scope"] == "portfolios:read"
    bearer = f"Bearer {answer.body['access_token']}"
    assert caller.get("/v1/portfolios", Authorization=bearer).status == 200
    with operator_scope():
        event = AuditEvent.objects.get(action="token.issued")
        assert event.detail == {"scopes": ["portfolios:read"], "kid": "first"}
        assert event.actor == f"oauth:{keyed.signer.client_id}"
        assert PublicKey.objects.get().last_used_at is not None


def test_a_token_is_revoked_with_an_assertion(keyed: Keyed) -> None:
    token = keyed.ask().body["access_token"]
    assert keyed.ask("/oauth/revoke", token=token).status == 200
    caller = keyed.application.caller
    assert caller.get("/v1/me", Authorization=f"Bearer {token}").code == "invalid-api-key"


NOW = int(time.time())
BAD_CLAIMS: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "zzzzzzzz"},
    "another subject": {"sub": "zzzzzzzz"},
    "no issuer": {"iss": None},
    "an issuer that is no text": {"iss": 1, "sub": 1},
    "hostile names": {"iss": "'\"\u2603", "sub": "'\"\u2603"},
    "another audience": {"aud": "https://elsewhere.example.com/oauth/token"},
    "two audiences": {"aud": ["http://testserver/oauth/token", "https://elsewhere.example.com"]},
    "no audience": {"aud": None},
    "an audience with more behind it": {"aud": "http://testserver/oauth/token/"},
    "an audience that is no text": {"aud": {"a": 1}},
    "no expiry": {"exp": None},
    "expired": {"exp": NOW - 31},
    "expiring late": {"exp": NOW + 3600},
    "expiring never": {"exp": 10**300},
    "an expiry that is no number": {"exp": "soon"},
    "an expiry that is true": {"exp": True},
    "issued later": {"iat": NOW + 3600},
    "not yet good": {"nbf": NOW + 3600},
    "no jti": {"jti": None},
    "an empty jti": {"jti": ""},
    "a long jti": {"jti": "j" * 201},
    "a jti that is no text": {"jti": 7},
}


@pytest.mark.parametrize("case", BAD_CLAIMS)
def test_claims_that_are_not_right_are_refused_and_say_why(keyed: Keyed, case: str) -> None:
    answer = keyed.signed(**_by_now(BAD_CLAIMS[case]))
    assert refusal_of(answer) == REFUSED
    named = next(iter(BAD_CLAIMS[case]))
    assert named in answer.body["error_description"]
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="riskapi"'
    with operator_scope():
        assert not AccessToken.objects.exists()
        assert not UsedAssertion.objects.exists()


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": NOW + 290}, {"iat": None}, {"nbf": NOW - 3600}, {"aud": "http://testserver"},
        {"aud": ["http://testserver/oauth/token"]}, {"iat": NOW + 5}, {"exp": NOW + 60.5},
        {"jti": "\u2603" * 200}, {"more": {"of": ["our", "own"]}},
    ],
)  # fmt: skip
def test_what_is_within_the_bounds_is_taken(keyed: Keyed, claims: dict[str, Any]) -> None:
    assert keyed.signed(**_by_now(claims)).status == 200


def _by_now(claims: dict[str, Any]) -> dict[str, Any]:
    """Times around the one when the tests were collected, which may be minutes ago, around now."""
    since = int(time.time()) - NOW
    return {
        name: value + since if type(value) in (int, float) and abs(value - NOW) < 86_400 else value
        for name, value in claims.items()
    }


def _unsigned(signer: Signer, header: dict[str, Any], signature: str = "") -> str:
    parts = (json.dumps(part).encode() for part in (header, signer.claims()))
    return ".".join((*(base64.urlsafe_b64encode(p).decode().rstrip("=") for p in parts), signature))


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "kid": "first"}, {"alg": "None", "kid": "first"}, {"kid": "first"},
        {"alg": "HS256", "kid": "first"}, {"alg": "ES384", "kid": "first"},
        {"alg": ["ES256"], "kid": "first"}, {"alg": "ES256"}, {"alg": "ES256", "kid": 1},
        {"alg": "ES256", "kid": "first", "typ": "at+jwt"},
        {"alg": "ES256", "kid": "first", "crit": ["exp"]},
        {"alg": "ES256", "kid": "first", "b64": False},
    ],
)  # fmt: skip
def test_headers_that_are_not_right_are_refused(keyed: Keyed, header: dict[str, Any]) -> None:
    for signature in ("", "AAAA"):
        answer = keyed.ask(assertion=_unsigned(keyed.signer, header, signature))
        assert refusal_of(answer) == REFUSED


def test_the_public_key_is_no_shared_secret(keyed: Keyed) -> None:
    """An HMAC with the text of the public key, which everybody may know."""
    for secret in (pem_of(keyed.signer.key), json.dumps(keyed.signer.key.as_dict(private=False))):
        text = _unsigned(keyed.signer, {"alg": "HS256", "kid": "first"}).rstrip(".")
        digest = hmac.digest(secret.encode(), text.encode(), hashlib.sha256)
        forged = f"{text}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"
        answer = keyed.ask(assertion=forged)
        assert refusal_of(answer) == REFUSED
        assert "alg" in answer.body["error_description"]


def test_no_key_is_taken_from_the_assertion_itself(keyed: Keyed) -> None:
    """Neither in its header nor at an address that the header names."""
    stranger = Signer(keyed.signer.client_id)
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        address = f"http://127.0.0.1:{theirs.getsockname()[1]}/keys"
        headers: list[dict[str, Any]] = [
            {"jwk": stranger.key.as_dict(private=False)}, {"jku": address}, {"x5u": address},
        ]  # fmt: skip
        for header in headers:
            assert refusal_of(keyed.ask(assertion=stranger.assertion(header=header))) == REFUSED
        theirs.settimeout(0)
        with pytest.raises(BlockingIOError):
            theirs.accept()  # nobody has called


def test_a_key_verifies_by_its_own_algorithm_alone(caller: Caller) -> None:
    keyed = keyed_of(caller, "RS256")
    other = Signer(keyed.signer.client_id, "PS256")
    other.key = keyed.signer.key
    assert refusal_of(keyed.ask(assertion=other.assertion())) == REFUSED
    assert keyed.ask().status == 200


def test_all_that_a_stranger_can_try_is_answered_alike(
    keyed: Keyed, outsider: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the same bytes, and after the same work: one signature is checked each time."""
    checked = []
    genuine = jws.deserialize_compact

    def counted(text: str, *args: Any, **named: Any) -> Any:
        checked.append(text)
        return genuine(text, *args, **named)

    monkeypatch.setattr(client_assertions, "deserialize_compact", counted)
    theirs = keyed_of(outsider)
    us = keyed.signer.client_id
    wrong_key, no_client, no_kid = Signer(us), Signer("zzzzzzzz"), Signer(us, kid="none")
    foreign_key = Signer(us)
    foreign_key.key = theirs.signer.key
    wrong_kind = Signer(us, "EdDSA")
    wrong_kind.algorithm = "Ed25519"
    tries = [wrong_key, no_client, no_kid, foreign_key, wrong_kind]
    answers = [keyed.ask(assertion=signer.assertion()) for signer in tries]
    assert {refusal_of(answer) for answer in answers} == {REFUSED}
    assert len({answer.content for answer in answers}) == 1
    assert len(checked) == len(tries)
    assert len({frozenset(answer.headers) for answer in answers}) == 1


def test_an_assertion_is_good_once(keyed: Keyed, outsider: Caller) -> None:
    claims: dict[str, Any] = {"jti": "one"}
    assertion = keyed.signer.assertion(**claims)
    assert keyed.ask(assertion=assertion).status == 200
    again = keyed.ask(assertion=assertion)
    assert refusal_of(again) == REFUSED
    assert "jti" in again.body["error_description"]
    # Nor does another assertion of that name pass; another client may have its own.
    assert refusal_of(keyed.signed(**claims)) == REFUSED
    assert refusal_of(keyed.ask("/oauth/revoke", assertion=assertion, token="x")) == REFUSED
    assert keyed_of(outsider).signed(**claims).status == 200
    with operator_scope():
        assert AccessToken.objects.filter(client=keyed.application.caller.client).count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_twenty_at_once_one_is_let_in() -> None:
    keyed = keyed_of(caller_create("alpha"))
    for _ in range(sized(1, 20)):
        assertion = keyed.signer.assertion()

        def ask(_: int, assertion: str = assertion) -> int:
            try:
                return keyed.ask(assertion=assertion).status
            finally:
                connection.close()

        with ThreadPoolExecutor(20) as pool:
            statuses = Counter(pool.map(ask, range(20)))
        assert statuses == {200: 1, 401: 19}


@pytest.mark.parametrize("wrong", ["address", "certificate", "quota"])
def test_an_assertion_that_is_let_in_nowhere_is_not_spent(
    keyed: Keyed, settings: Settings, wrong: str
) -> None:
    assertion = keyed.signer.assertion()
    wall: dict[str, dict[str, Any]] = {
        "address": {"allowed_networks": ["10.0.0.0/8"]},
        "certificate": {"certificate_sha256": "0" * 64},
        "quota": {},
    }
    open_door: dict[str, Any] = {"allowed_networks": [], "certificate_sha256": ""}
    credential = ApiKey.objects.filter(pk=keyed.application.key.pk)
    with operator_scope():
        credential.update(**wall[wrong], last_used_at=None)
    if wrong == "quota":
        settings.REQUESTS_PER_MINUTE = 1
        assert keyed.application.caller.get("/v1/me").status == 200
    refused = [keyed.ask(assertion=assertion).status for _ in range(2)]
    assert refused == ([429] * 2 if wrong == "quota" else [401] * 2)
    with operator_scope():
        assert not UsedAssertion.objects.exists()
        credential.update(**open_door)
    settings.REQUESTS_PER_MINUTE = 0
    assert keyed.ask(assertion=assertion).status == 200
    assert refusal_of(keyed.ask(assertion=assertion)) == REFUSED


def test_an_assertion_shown_again_takes_nothing_from_its_client(
    keyed: Keyed, settings: Settings
) -> None:
    settings.REQUESTS_PER_MINUTE = 2
    assertion = keyed.signer.assertion()
    assert keyed.ask(assertion=assertion).status == 200
    with operator_scope():
        ApiKey.objects.filter(pk=keyed.application.key.pk).update(last_used_at=None)
    assert [keyed.ask(assertion=assertion).status for _ in range(4)] == [401] * 4
    with operator_scope():
        assert ApiKey.objects.get(pk=keyed.application.key.pk).last_used_at is None
    assert keyed.ask().status == 200


def test_used_assertions_are_forgotten_once_they_are_too_old(keyed: Keyed) -> None:
    assert keyed.ask().status == 200
    with operator_scope():
        assert assertion_purge() == 0
        kept = UsedAssertion.objects.get().expires_at - datetime.now(UTC)
        assert kept > timedelta(seconds=60)
        UsedAssertion.objects.update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
        assert assertion_purge() == 1


def test_two_keys_live_while_one_replaces_the_other(keyed: Keyed) -> None:
    second = Signer(keyed.signer.client_id, kid="second")
    made = register(keyed.application.key, second)
    assert keyed.ask().status == keyed.ask(assertion=second.assertion()).status == 200
    with operator_scope():
        PublicKey.objects.filter(kid="first").update(revoked_at=datetime.now(UTC))
    assert refusal_of(keyed.ask()) == REFUSED
    assert keyed.ask(assertion=second.assertion()).status == 200
    with operator_scope():
        past = datetime.now(UTC) - timedelta(seconds=1)
        PublicKey.objects.filter(pk=made.pk).update(expires_at=past)
    assert refusal_of(keyed.ask(assertion=second.assertion())) == REFUSED


@pytest.mark.parametrize("end", ["revoke", "expire", "deactivate", "network"])
def test_with_its_client_a_key_ends(keyed: Keyed, end: str) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    changes: dict[str, dict[str, Any]] = {
        "revoke": {"revoked_at": past},
        "expire": {"expires_at": past},
        "network": {"allowed_networks": ["10.0.0.0/8"]},
    }
    with operator_scope():
        if end == "deactivate":
            Client.objects.update(is_active=False)
        else:
            ApiKey.objects.filter(pk=keyed.application.key.pk).update(**changes[end])
    assert refusal_of(keyed.ask()) == REFUSED
    with operator_scope():
        assert not AccessToken.objects.exists()


def test_a_client_may_be_set_to_refuse_its_secret(keyed: Keyed) -> None:
    application = keyed.application
    assert application.send().status == 200
    unknown = Application(application.caller, application.key, "rs_live_wrong").send()
    with operator_scope():
        ApiKey.objects.filter(pk=application.key.pk).update(secret_refused=True)
    for basic in (False, True):
        answer = application.send(basic=basic)
        assert refusal_of(answer) == REFUSED
        assert answer.content == unknown.content
    assert keyed.ask().status == 200


def test_failures_count_like_those_of_secrets(keyed: Keyed, settings: Settings) -> None:
    settings.AUTH_FAILURES_PER_MINUTE = 3
    wrong = [
        keyed.ask(assertion="x"), keyed.ask(client_assertion_type="saml"),
        keyed.ask(assertion=Signer(keyed.signer.client_id).assertion()), keyed.ask(assertion="x"),
    ]  # fmt: skip
    assert [answer.status for answer in wrong] == [401, 401, 401, 429]
    assert keyed.ask().status == 200


def test_it_counts_against_the_clients_quota(keyed: Keyed, settings: Settings) -> None:
    settings.REQUESTS_PER_MINUTE = 1
    assert keyed.ask().headers["RateLimit"].startswith('"default";r=0;')
    assert keyed.ask().code == "quota-exceeded"


def test_one_way_at_a_time(keyed: Keyed) -> None:
    application = keyed.application
    pair = f"{application.key.key_id}:{application.secret}".encode()
    header = {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    form = {"grant_type": "client_credentials", **keyed.signer.form()}
    assert post("/oauth/token", urlencode(form), **header).body["error"] == "invalid_request"
    both = keyed.ask(client_id=application.key.key_id, client_secret=application.secret)
    assert both.body["error"] == "invalid_request"
    twice = [keyed.signer.assertion(), keyed.signer.assertion()]
    assert keyed.ask(client_assertion=twice).body["error"] == "invalid_request"


def test_a_client_id_beside_it_is_that_of_the_assertion(keyed: Keyed) -> None:
    assert keyed.ask(client_id=keyed.signer.client_id).status == 200
    assert refusal_of(keyed.ask(client_id="zzzzzzzz")) == REFUSED
    alone = post("/oauth/token", f"grant_type=client_credentials&client_assertion_type={TYPE}")
    assert refusal_of(alone) == REFUSED
    untyped = {"grant_type": "client_credentials", "client_assertion": keyed.signer.assertion()}
    assert refusal_of(post("/oauth/token", urlencode(untyped))) == REFUSED


@pytest.mark.parametrize(
    "assertion",
    [
        "", ".", "..", "a.b.c", "e30.e30.e30", "e30.e30.", "\x00", "\u2603.\u2603.\u2603",
        "W10.W10.AA", "bnVsbA.bnVsbA.AA", "a.a.a", "x" * 5000, "e30." + "x" * 4090 + ".AA",
        "....", "e30=.e30=.AA",
    ],
)  # fmt: skip
def test_what_is_no_assertion_is_refused(keyed: Keyed, assertion: str) -> None:
    answer = keyed.ask(assertion=assertion)
    assert refusal_of(answer) == REFUSED
    assert len(answer.content) < 500


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 2500, b'{"a":' * 500, b"NaN", b'{"exp": NaN}', b'{"exp": 1e999, "iss": "a"}',
        b"\xff", b'{"iss": "a", "iss": "b"}', b"[]", b"null", b'"text"',
        b'{"exp": ' + b"9" * 2500 + b"}",
    ],
)  # fmt: skip
def test_claims_that_are_no_object_are_refused(keyed: Keyed, payload: bytes) -> None:
    assert refusal_of(keyed.signed(payload=payload)) == REFUSED


def test_surrogates_and_endless_numbers_meet_no_error(keyed: Keyed) -> None:
    claims = keyed.signer.claims()
    for change in ('"jti": "\\ud800"', '"exp": 1e999', '"exp": -1e999', '"iat": ' + "9" * 400):
        name = change.split(":")[0].strip('"')
        rest = json.dumps({key: value for key, value in claims.items() if key != name})
        payload = f"{rest[:-1]}, {change}}}".encode()
        answer = keyed.signed(payload=payload)
        assert answer.status in (200, 401), answer.content


def test_the_service_is_known_by_the_name_its_operator_gives_it(
    keyed: Keyed, settings: Settings
) -> None:
    settings.PUBLIC_URL = "https://risk.example.com"
    assert refusal_of(keyed.ask()) == REFUSED
    for audience in ("https://risk.example.com/oauth/token", "https://risk.example.com"):
        assert keyed.signed(aud=audience).status == 200


def test_where_any_host_is_answered_the_operator_has_to_say_its_name(
    keyed: Keyed, settings: Settings
) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    answer = keyed.ask()
    assert refusal_of(answer) == REFUSED
    assert "RISK_PUBLIC_URL" in answer.body["error_description"]
    settings.PUBLIC_URL = "https://risk.example.com"
    assert keyed.signed(aud="https://risk.example.com").status == 200
