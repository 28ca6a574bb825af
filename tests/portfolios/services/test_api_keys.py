"""The text of a key."""

from __future__ import annotations

import re
import zlib

import pytest

from portfolios.errors import InvalidRequest, Refused
from portfolios.models import ApiKey, Client
from portfolios.services.api_keys import api_key_create
from portfolios.services.authentication import api_key_authenticate
from portfolios.tenancy import operator_scope

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _key(**options: object) -> tuple[ApiKey, str]:
    with operator_scope():
        client = Client.objects.create(name="Alpha", slug="alpha")
        return api_key_create(client, "desk", ["prices:read"], **options)  # type: ignore[arg-type]


@pytest.mark.django_db
def test_key_has_its_form_and_checksum() -> None:
    _, text = _key()
    assert re.fullmatch(r"rk_live_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}", text)
    body, _, check = text.rpartition("_")
    value = 0
    for digit in check:
        value = value * 62 + DIGITS.index(digit)
    assert value == zlib.crc32(body.encode())


@pytest.mark.django_db
def test_key_is_found_with_its_client_and_scopes() -> None:
    made, text = _key()
    found = api_key_authenticate(text, "127.0.0.1")
    assert (found.pk, found.client, found.scopes) == (made.pk, made.client, ["prices:read"])


@pytest.mark.django_db
def test_key_of_another_pepper_is_refused(settings: object) -> None:
    _, text = _key()
    settings.KEY_PEPPERS = ["another"]  # type: ignore[attr-defined]  # the fixture takes any
    with pytest.raises(Refused, match="not a key"):
        api_key_authenticate(text, "127.0.0.1")


@pytest.mark.django_db
def test_two_keys_of_a_client_live_side_by_side() -> None:
    first, text = _key()
    with operator_scope():
        _, second_text = api_key_create(first.client, "next", ["prices:read"])
    assert api_key_authenticate(text, "").client == api_key_authenticate(second_text, "").client


@pytest.mark.django_db
def test_scope_that_does_not_exist_is_refused() -> None:
    with operator_scope():
        client = Client.objects.create(name="Alpha", slug="alpha")
        with pytest.raises(InvalidRequest, match="prices:rule"):
            api_key_create(client, "desk", ["prices:rule"])


@pytest.mark.django_db
@pytest.mark.parametrize("network", ["10.0.0.1/8", "x", "10.0.0.0/33"])
def test_network_that_is_none_is_refused(network: str) -> None:
    with operator_scope():
        client = Client.objects.create(name="Alpha", slug="alpha")
        with pytest.raises(InvalidRequest, match="network"):
            api_key_create(client, "desk", ["prices:read"], allowed_networks=[network])
