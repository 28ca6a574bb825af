"""Keys bound to a client certificate that a proxy vouches for (RFC 8705, RFC 9440)."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.test import Client as Browser
from pytest_django import Settings

from portfolios.errors import InvalidRequest
from portfolios.models import AccessToken, ApiKey, AuditEvent
from portfolios.services.api_keys import api_key_create
from portfolios.services.certificates import thumbprint_of_header, thumbprint_of_text
from portfolios.services.public_keys import public_key_register
from portfolios.tenancy import operator_scope
from tests.callers import Answer, Caller
from tests.certificates import Shown, certificate_of
from tests.key_pairs import Signer, pem_of

#: From where Django's test client asks.
PROXY = "127.0.0.1/32"


@pytest.fixture(scope="module")
def ours() -> Shown:
    return certificate_of("ours")


@pytest.fixture(scope="module")
def other() -> Shown:
    return certificate_of("other")


@pytest.fixture(autouse=True)
def proxied(settings: Settings) -> None:
    settings.CERTIFICATE_PROXIES = [PROXY]


@pytest.fixture
def bound(caller: Caller, ours: Shown) -> str:
    """The text of a key that is good beside our certificate alone."""
    with operator_scope():
        return api_key_create(caller.client, "bound", certificate=ours.pem)[1]


def ask(text: str, header: str | None = None, path: str = "/v1/portfolios", **extra: Any) -> Answer:
    headers = {"Authorization": f"Bearer {text}"}
    if header is not None:
        headers["Client-Cert"] = header
    response = Browser().get(path, headers=headers, **extra)
    return Answer(response.status_code, dict(response.headers), response.content)


@pytest.mark.parametrize("form", ["rfc9440", "nginx"])
def test_a_bound_key_is_good_beside_its_certificate(bound: str, ours: Shown, form: str) -> None:
    assert ask(bound, getattr(ours, form)).status == 200


def test_without_it_or_beside_another_the_key_is_refused_in_clear(bound: str, other: Shown) -> None:
    without, wrong = ask(bound), ask(bound, other.rfc9440)
    for answer, why in ((without, "none was shown"), (wrong, "another one was shown")):
        assert (answer.status, answer.code) == (401, "certificate-required")
        assert why in answer.body["detail"]
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    # A false key learns nothing of certificates.
    assert ask(f"{bound[:-1]}x").code == "invalid-api-key"


@pytest.mark.parametrize("proxies", [[], ["10.0.0.0/8"]])
def test_the_header_is_believed_from_the_proxies_alone(
    bound: str, ours: Shown, settings: Settings, proxies: list[str]
) -> None:
    settings.CERTIFICATE_PROXIES = proxies
    settings.TRUSTED_PROXIES = [PROXY]  # believed of addresses is another thing
    answer = ask(bound, ours.rfc9440, HTTP_X_FORWARDED_FOR="10.0.0.1")
    assert answer.code == "certificate-required"
    assert "none was shown" in answer.body["detail"]
    assert ask(bound, ours.rfc9440, REMOTE_ADDR="10.0.0.7").status == (200 if proxies else 401)


@pytest.mark.parametrize(
    "header",
    [
        "", ":", "::", ":AAAA", ":====:", ":not base64:", "%", "%00", "%FF%FE", "x" * 7000,
        "-----BEGIN%20CERTIFICATE-----", "-----BEGIN CERTIFICATE-----A-----END CERTIFICATE-----",
        "\u00e9", ":AAAA:, :AAAA:",
    ],
)  # fmt: skip
def test_what_is_no_certificate_is_none(bound: str, caller: Caller, header: str) -> None:
    assert ask(bound, header).code == "certificate-required"
    assert ask(caller.text, header).status == 200


def test_of_two_certificates_none_is_taken(bound: str, ours: Shown, other: Shown) -> None:
    """As a server joins what a caller has smuggled past a proxy that adds its own."""
    for pair in (f"{ours.rfc9440}, {other.rfc9440}", f"{ours.nginx}, {other.nginx}"):
        assert ask(bound, pair).code == "certificate-required"
    both = quote(ours.pem + other.pem, safe="")
    assert ask(bound, both).code == "certificate-required"


def test_refusals_count_as_failures_and_not_against_the_quota(
    bound: str, ours: Shown, settings: Settings
) -> None:
    settings.AUTH_FAILURES_PER_MINUTE = 2
    settings.REQUESTS_PER_MINUTE = 1
    assert [ask(bound).status for _ in range(3)] == [401, 401, 429]
    assert ask(bound, ours.rfc9440).status == 200


@pytest.mark.parametrize("way", ["secret", "assertion"])
def test_tokens_of_a_bound_client_carry_its_certificate(
    caller: Caller, ours: Shown, other: Shown, way: str
) -> None:
    with operator_scope():
        key, secret = api_key_create(
            caller.client, "app", ["portfolios:read"], kind=ApiKey.Kind.OAUTH,
            certificate=ours.thumbprint,
        )  # fmt: skip
        signer = Signer(key.key_id)
        public_key_register(key, pem_of(signer.key), kid=signer.kid)

    def token(header: str | None) -> Answer:
        shown = {"client_id": key.key_id, "client_secret": secret}
        form = shown if way == "secret" else signer.form()
        response = Browser().post(
            "/oauth/token", urlencode({"grant_type": "client_credentials", **form}),
            content_type="application/x-www-form-urlencoded",
            headers={"Client-Cert": header} if header else {},
        )  # fmt: skip
        return Answer(response.status_code, dict(response.headers), response.content)

    for header in (None, other.nginx):
        refused = token(header)
        assert (refused.status, refused.body["error"]) == (401, "invalid_client")
        assert "bound to a client certificate" in refused.body["error_description"]
    text = token(ours.nginx).body["access_token"]
    with operator_scope():
        assert AccessToken.objects.get().certificate_sha256 == ours.thumbprint
        assert AuditEvent.objects.filter(action="token.issued").count() == 1
    assert ask(text, ours.rfc9440).status == 200
    for header in (None, other.rfc9440):
        assert ask(text, header).code == "certificate-required"


def test_the_thumbprint_is_what_openssl_says(ours: Shown, tmp_path: Path) -> None:
    file = tmp_path / "ours.pem"
    file.write_text(ours.pem)
    said = subprocess.run(
        ["openssl", "x509", "-in", str(file), "-noout", "-fingerprint", "-sha256"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert thumbprint_of_text(said) == thumbprint_of_text(ours.pem) == ours.thumbprint
    assert thumbprint_of_header(ours.rfc9440) == thumbprint_of_header(ours.nginx) == ours.thumbprint
    assert thumbprint_of_text(ours.thumbprint.upper()) == ours.thumbprint
    assert thumbprint_of_text(" ") == ""


@pytest.mark.parametrize(
    "text",
    ["abc", "AB:CD", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "g" * 64],
)
def test_what_a_key_cannot_be_bound_to_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="no certificate in PEM"):
        thumbprint_of_text(text)


def test_the_metadata_say_so_where_a_proxy_vouches(caller: Caller, settings: Settings) -> None:
    path, name = (
        "/.well-known/oauth-authorization-server",
        "tls_client_certificate_bound_access_tokens",
    )
    assert caller.get(path).body[name] is True
    settings.CERTIFICATE_PROXIES = []
    assert caller.get(path).body[name] is False
