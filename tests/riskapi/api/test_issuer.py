"""`/.well-known/oauth-authorization-server` (RFC 8414)."""

from __future__ import annotations

from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from pytest_django import Settings

from portfolios.services.api_keys import SCOPES
from tests.callers import Caller

PATH = "/.well-known/oauth-authorization-server"


def test_the_document_is_valid_where_libraries_look_for_it(
    caller: Caller, settings: Settings
) -> None:
    settings.PUBLIC_URL = "https://risk.example.com"
    answer = caller.get(PATH, Authorization="")
    assert answer.status == 200
    AuthorizationServerMetadata(answer.body).validate()
    assert get_well_known_url(answer.body["issuer"]) == PATH
    assert answer.body["token_endpoint"] == "https://risk.example.com/oauth/token"
    assert answer.body["scopes_supported"] == list(SCOPES)
    assert "private_key_jwt" in answer.body["token_endpoint_auth_methods_supported"]


def test_its_name_is_the_address_asked_unless_the_operator_says_another(caller: Caller) -> None:
    assert caller.get(PATH).body["issuer"] == "http://testserver"


def test_it_offers_no_assertions_that_would_be_refused(caller: Caller, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    body = caller.get(PATH).body
    assert body["token_endpoint_auth_methods_supported"] == [
        "client_secret_basic", "client_secret_post"
    ]  # fmt: skip
    assert not any("signing_alg" in name for name in body)


def test_it_takes_no_parameters(caller: Caller) -> None:
    assert caller.get(f"{PATH}?x=1").code == "unknown-parameter"
    assert caller.post(PATH, {}).code == "method-not-allowed"
