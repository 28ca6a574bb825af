"""The text of a key."""

from __future__ import annotations

import re
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.db import connection
from pytest_django import Settings

from portfolios.errors import Conflict, InvalidRequest, Refused
from portfolios.models import ApiKey, Client
from portfolios.services.api_keys import api_key_create
from portfolios.services.authentication import api_key_authenticate
from portfolios.services.credentials import credential_parse, pepper_version
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
def test_key_of_another_pepper_is_refused(settings: Settings) -> None:
    _, text = _key()
    settings.KEY_PEPPERS = ["another"]
    with pytest.raises(Refused, match="not a key"):
        api_key_authenticate(text, "127.0.0.1")


@pytest.mark.django_db
def test_key_of_a_former_pepper_works_and_moves_to_the_present_one(settings: Settings) -> None:
    settings.KEY_PEPPERS = ["former"]
    made, text = _key()
    settings.KEY_PEPPERS = ["present", "former"]
    assert api_key_authenticate(text, "").pk == made.pk
    with operator_scope():
        moved = ApiKey.objects.get(pk=made.pk)
    assert bytes(moved.secret_hmac) != bytes(made.secret_hmac)
    assert moved.pepper_version == pepper_version() != made.pepper_version
    settings.KEY_PEPPERS = ["present"]
    assert api_key_authenticate(text, "").pk == made.pk


@pytest.mark.django_db
def test_use_says_which_pepper_a_key_is_under() -> None:
    made, text = _key()
    with operator_scope():
        ApiKey.objects.filter(pk=made.pk).update(pepper_version=1)
    api_key_authenticate(text, "")
    with operator_scope():
        assert ApiKey.objects.get(pk=made.pk).pepper_version == pepper_version()


@pytest.mark.django_db
def test_a_third_live_key_of_one_name_is_refused() -> None:
    first, text = _key()
    with operator_scope():
        second, _ = api_key_create(first.client, "desk", ["prices:read"])
        api_key_create(first.client, "nightly", ["prices:read"])
        api_key_create(first.client, "desk", ["prices:read"], kind=ApiKey.Kind.OAUTH)
        with pytest.raises(Conflict, match="at most 2 may be") as refusal:
            api_key_create(first.client, "desk", ["prices:read"])
        assert {first.key_id, second.key_id} <= set(re.findall(r"\w{8}", refusal.value.message))
        ApiKey.objects.filter(pk=first.pk).update(revoked_at=datetime.now(UTC))
        api_key_create(first.client, "desk", ["prices:read"])
    with pytest.raises(Refused):
        api_key_authenticate(text, "")


@pytest.mark.django_db(transaction=True)
def test_keys_made_together_are_two_of_a_name() -> None:
    with operator_scope():
        client = Client.objects.create(name="Alpha", slug="alpha")

    def make(_: int) -> bool:
        try:
            with operator_scope():
                api_key_create(client, "desk", ["prices:read"])
        except Conflict:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(make, range(8))) == 2


@pytest.mark.django_db
def test_test_keys_are_reserved() -> None:
    _, text = _key()
    parsed = credential_parse(text, "rk")
    assert parsed is not None
    with pytest.raises(Refused, match="not a key"):
        api_key_authenticate(replace(parsed, mode="test").text, "")


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
