"""Which keys may be registered, and as what."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from portfolios.errors import Conflict, InvalidRequest
from portfolios.models import ApiKey, Client, PublicKey
from portfolios.services.api_keys import api_key_create
from portfolios.services.public_keys import public_key_register
from portfolios.tenancy import operator_scope
from tests.key_pairs import key_of, pem_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def credential() -> ApiKey:
    with operator_scope():
        client = Client.objects.create(name="Alpha", slug="alpha")
        return api_key_create(client, "app", kind=ApiKey.Kind.OAUTH)[0]


def register(credential: ApiKey, text: str, **options: object) -> PublicKey:
    with operator_scope():
        return public_key_register(credential, text, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "algorithm", "members"),
    [
        ("ES256", "ES256", {"kty", "crv", "x", "y"}),
        ("RS256", "RS256", {"kty", "n", "e"}),
        ("EdDSA", "EdDSA", {"kty", "crv", "x"}),
    ],
)
def test_pem_and_jwk_are_the_same_key(
    credential: ApiKey, kind: str, algorithm: str, members: set[str]
) -> None:
    key = key_of(kind)
    by_pem = register(credential, pem_of(key))
    by_jwk = register(credential, json.dumps(key.as_dict(private=False, kid="mine")))
    assert by_pem.algorithm == by_jwk.algorithm == algorithm
    assert by_pem.jwk == by_jwk.jwk
    assert set(by_pem.jwk) == members
    assert by_pem.kid == key.thumbprint()
    assert by_jwk.kid == "mine"


def test_rsa_keys_have_the_algorithm_that_is_said(credential: ApiKey) -> None:
    key = key_of("PS256")
    said = register(credential, pem_of(key), algorithm="PS256")
    named = register(credential, json.dumps(key.as_dict(private=False, alg="PS256", kid="jwk")))
    assert said.algorithm == named.algorithm == "PS256"


def test_a_set_of_one_key_is_that_key(credential: ApiKey) -> None:
    keys = [key_of("ES256").as_dict(private=False, use="sig")]
    assert register(credential, json.dumps({"keys": keys})).algorithm == "ES256"


def _weak() -> str:
    key = rsa.generate_private_key(65537, 1024).public_key()  # noqa: S505  # what is to be refused
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _odd_exponent() -> str:
    key = rsa.RSAPublicNumbers(3, 2**2047 + 1).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _members(bits: int) -> dict[str, Any]:
    """Of an RSA key of this size."""
    native = rsa.RSAPublicNumbers(65537, 2 ** (bits - 1) + 1).public_key()
    return dict(RSAKey(native, None).as_dict(private=False))


def _jwk(**about: str) -> str:
    return json.dumps(key_of("ES256").as_dict(private=False, **about))


OFF_CURVE = {**ECKey.generate_key("P-256").as_dict(private=False), "y": "AQ"}
REFUSED: dict[str, tuple[Callable[[], str], str]] = {
    "private pem": (lambda: pem_of(key_of("ES256"), private=True), "private or shared"),
    "private jwk": (lambda: json.dumps(key_of("ES256").as_dict(private=True)), "private or shared"),
    "shared": (lambda: json.dumps(OctKey.generate_key(256).as_dict()), "private or shared"),
    "weak": (_weak, "1024 bits"),
    "huge": (lambda: json.dumps(_members(8192)), "8192 bits"),
    "exponent": (_odd_exponent, "exponent"),
    "curve": (lambda: pem_of(ECKey.generate_key("P-384")), "P-256"),
    "ed448": (lambda: pem_of(OKPKey.generate_key("Ed448")), "Ed25519"),
    "x25519": (lambda: pem_of(OKPKey.generate_key("X25519")), "Ed25519"),
    "off the curve": (lambda: json.dumps(OFF_CURVE), "no key that can be read"),
    "weak jwk": (lambda: json.dumps(_members(1024)), "1024 bits"),
    "for encryption": (lambda: _jwk(use="enc"), "'enc'"),
    "another algorithm": (lambda: _jwk(alg="RS256"), "not by RS256"),
    "an address": (lambda: "https://client.example.com/jwks.json", "no key that can be read"),
    "certificate": (lambda: "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----",
                    "no key that can be read"),
    "two at once": (lambda: json.dumps({"keys": [{}, {}]}), "no key that can be read"),
    "nothing": (lambda: "", "no key that can be read"),
    "deep": (lambda: '{"a":' * 5000, "no key that can be read"),
    "list of kty": (lambda: '{"kty": ["EC"]}', "no key that can be read"),
    "kid": (lambda: _jwk(kid="a b"), "visible ASCII"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_may_not_be_registered_is_refused_with_a_sentence(
    credential: ApiKey, case: str
) -> None:
    make, message = REFUSED[case]
    text = make()
    with pytest.raises(InvalidRequest) as refused:
        register(credential, text)
    assert message in refused.value.message
    with operator_scope():
        assert not PublicKey.objects.exists()


def test_an_api_key_has_no_keys(credential: ApiKey) -> None:
    with operator_scope():
        plain = api_key_create(credential.client, "plain")[0]
    with pytest.raises(InvalidRequest, match="OAuth"):
        register(plain, pem_of(key_of("ES256")))


def test_a_third_live_key_is_refused(credential: ApiKey) -> None:
    first, _ = (register(credential, pem_of(key_of("ES256")), kid=kid) for kid in ("a", "b"))
    with pytest.raises(Conflict, match="2 keys of this client are live"):
        register(credential, pem_of(key_of("ES256")), kid="c")
    with operator_scope():
        past = datetime.now(UTC) - timedelta(seconds=1)
        PublicKey.objects.filter(pk=first.pk).update(expires_at=past)
    assert register(credential, pem_of(key_of("ES256")), kid="c").kid == "c"


def test_an_id_is_never_used_again(credential: ApiKey) -> None:
    made = register(credential, pem_of(key_of("ES256")), kid="a")
    with operator_scope():
        PublicKey.objects.filter(pk=made.pk).update(revoked_at=datetime.now(UTC))
    with pytest.raises(Conflict, match="already"):
        register(credential, pem_of(key_of("ES256")), kid="a")
