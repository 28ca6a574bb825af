"""Keys of OAuth 2.0 clients at the admin: registered, used, revoked, and secrets refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client as Browser

from portfolios.models import ApiKey, AuditEvent, PublicKey
from portfolios.services.api_keys import api_key_create
from portfolios.tenancy import operator_scope
from tests.key_pairs import Signer, pem_of

FormOf = Callable[[str], dict[str, Any]]
ADD = "/admin/portfolios/publickey/add/"


@pytest.fixture
def application(world: dict[str, Any]) -> tuple[ApiKey, str]:
    with operator_scope():
        return api_key_create(world["client"], "app", kind=ApiKey.Kind.OAUTH)


def token_status(**form: str) -> int:
    body = urlencode({"grant_type": "client_credentials", **form})
    form_type = "application/x-www-form-urlencoded"
    return Browser().post("/oauth/token", body, content_type=form_type).status_code


def test_a_key_is_registered_used_and_revoked(
    operator: Browser, application: tuple[ApiKey, str], form_of: FormOf
) -> None:
    credential, _ = application
    signer = Signer(credential.key_id, "PS256")
    data = form_of(ADD) | {"credential": credential.pk, "text": pem_of(signer.key),
                           "algorithm": "PS256", "kid": "first"}  # fmt: skip
    assert operator.post(ADD, data).status_code == 302
    assert token_status(**signer.form()) == 200

    with operator_scope():
        made = PublicKey.objects.get()
    page = operator.get(f"/admin/portfolios/publickey/{made.pk}/change/").content.decode()
    assert made.jwk["n"] in page
    assert "first" in operator.get("/admin/portfolios/publickey/").content.decode()

    act(operator, "publickey", "revoke", made.pk)
    assert token_status(**signer.form()) == 401
    with operator_scope():
        actions = list(AuditEvent.objects.values_list("action", flat=True))
    assert {"publickey.create", "publickey.revoke"} <= set(actions)


def act(operator: Browser, model: str, action: str, pk: object) -> None:
    data = {"action": action, "_selected_action": [str(pk)]}
    assert operator.post(f"/admin/portfolios/{model}/", data).status_code == 302


def test_secrets_of_clients_with_a_key_may_be_refused(
    operator: Browser, application: tuple[ApiKey, str], form_of: FormOf
) -> None:
    credential, secret = application
    by_secret = {"client_id": credential.key_id, "client_secret": secret}
    act(operator, "apikey", "refuse_secret", credential.pk)
    assert token_status(**by_secret) == 200  # without a key nothing else would be left
    signer = Signer(credential.key_id)
    data = form_of(ADD) | {"credential": credential.pk, "text": pem_of(signer.key), "kid": "first"}
    assert operator.post(ADD, data).status_code == 302

    act(operator, "apikey", "refuse_secret", credential.pk)
    assert token_status(**by_secret) == 401
    assert token_status(**signer.form()) == 200
    act(operator, "apikey", "accept_secret", credential.pk)
    assert token_status(**by_secret) == 200
    with operator_scope():
        found = AuditEvent.objects.filter(action__endswith="_secret").order_by("pk")
        assert [event.action for event in found] == ["apikey.refuse_secret", "apikey.accept_secret"]


def test_a_key_is_bound_to_a_certificate(
    operator: Browser, world: dict[str, Any], form_of: FormOf
) -> None:
    path, fingerprint = "/admin/portfolios/apikey/add/", ":".join(["AB"] * 32)
    data = form_of(path) | {"client": world["client"].pk, "name": "bound",
                            "scopes": ["reports:read"]}  # fmt: skip
    refused = operator.post(path, data | {"certificate": "AB:CD"}, follow=True)
    assert "This is no certificate" in refused.content.decode()
    assert operator.post(path, data | {"certificate": fingerprint}).status_code == 200
    with operator_scope():
        made = ApiKey.objects.get(name="bound")
    assert made.certificate_sha256 == "ab" * 32
    page = operator.get(f"/admin/portfolios/apikey/{made.pk}/change/").content.decode()
    assert made.certificate_sha256 in page


def test_what_is_no_key_is_refused_with_a_sentence(
    operator: Browser, application: tuple[ApiKey, str], form_of: FormOf, world: dict[str, Any]
) -> None:
    data = form_of(ADD) | {"credential": application[0].pk, "text": "https://x.example.com/jwks"}
    page = operator.post(ADD, data, follow=True).content.decode()
    assert "This is no key that can be read" in page
    # A bearer key has none.
    data |= {"credential": world["apikey"].pk, "text": pem_of(Signer("x").key)}
    assert "Select a valid choice" in operator.post(ADD, data).content.decode()
    with operator_scope():
        assert not PublicKey.objects.exists()
