"""Public keys of OAuth 2.0 clients: what an operator may register, and as what.

A key is registered as itself. An address of keys (`jwks_uri`) is not taken: the service would have
to call what a client names, from inside of the operator's network.
"""

from __future__ import annotations

import json
import re
import warnings
from datetime import datetime
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.db.models import Q
from django.db.models.functions import Now
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key

from portfolios.errors import Conflict, InvalidRequest
from portfolios.models import ApiKey, PublicKey

#: One in use, and one to change over to.
MAX_LIVE = 2
_KID = re.compile(r"[!-~]{1,100}")
#: Bits. Beyond them a signature takes longer than is worth it.
_RSA_SIZES = (2048, 4096)
_RSA_EXPONENT = 65537
_EC, _RSA = PublicKey.Algorithm.ES256, (PublicKey.Algorithm.RS256, PublicKey.Algorithm.PS256)
_HOW = (
    "Send one public key: PEM that begins with -----BEGIN PUBLIC KEY-----, as"
    " `openssl pkey -pubout` writes it, or a JWK"
)


def public_key_register(
    credential: ApiKey,
    text: str,
    *,
    algorithm: str = "",
    kid: str = "",
    expires_at: datetime | None = None,
) -> PublicKey:
    """A key by which assertions of an OAuth 2.0 client are verified from now on.

    `algorithm` matters to RSA keys alone, which have two; without it and without `alg` in the JWK
    it is RS256. Without `kid` a key is called by its thumbprint (RFC 7638). Needs the client's or
    an operator's scope.
    """
    if credential.kind != ApiKey.Kind.OAUTH:
        raise InvalidRequest("Public keys belong to OAuth 2.0 clients: an API key proves itself.")
    key, named = _read(text.strip())
    chosen = _algorithm(key, algorithm or str(named.get("alg") or ""))
    kid = kid or str(named.get("kid") or "") or key.thumbprint()
    if _KID.fullmatch(kid) is None:
        raise InvalidRequest("The key id (kid) has 1 to 100 visible ASCII characters.")
    _refuse_third(credential, kid)
    return PublicKey.objects.create(
        client=credential.client,
        credential=credential,
        kid=kid,
        algorithm=chosen,
        jwk=public_members(key),
        expires_at=expires_at,
    )


def public_members(key: Key) -> dict[str, Any]:
    """A key by what it is, without what is said about it."""
    names = {"kty", *(name for name, about in key.value_registry.items() if about.required)}
    return {name: value for name, value in key.as_dict(private=False).items() if name in names}


def _read(text: str) -> tuple[Key, dict[str, Any]]:
    """The key, and what a JWK says about it."""
    if "PRIVATE KEY-----" in text:
        raise _private()
    try:
        if text.startswith("{"):
            named = json.loads(text)
            if set(named) == {"keys"} and len(named["keys"]) == 1:
                named = named["keys"][0]
            if named.get("kty") == "oct" or "d" in named:
                raise _private()
            with warnings.catch_warnings(category=SecurityWarning, action="ignore"):
                key = import_key(named)  # too short a key is refused below
            key.public_key  # noqa: B018  # a point that is not on its curve shows here
            key.check_use("sig")
            return key, named
        return _from_pem(text.encode()), {}
    except (
        AttributeError, JoseError, LookupError, OverflowError, RecursionError, TypeError,
        UnsupportedAlgorithm, ValueError,
    ) as error:  # fmt: skip
        raise InvalidRequest(f"This is no key that can be read ({error}). {_HOW}.") from None


def _from_pem(pem: bytes) -> Key:
    native = serialization.load_pem_public_key(pem)
    if isinstance(native, EllipticCurvePublicKey):
        return ECKey.import_key(pem)
    if isinstance(native, RSAPublicKey):
        return RSAKey(native, None)  # `import_key` warns of short ones, which are refused below
    return OKPKey.import_key(pem)


def _algorithm(key: Key, wanted: str) -> PublicKey.Algorithm:
    """By what the key verifies; refuses keys that are too weak, or of a kind not verified here."""
    native = key.public_key
    possible: tuple[PublicKey.Algorithm, ...] = ()
    if isinstance(native, RSAPublicKey):
        smallest, largest = _RSA_SIZES
        if not smallest <= native.key_size <= largest:
            raise InvalidRequest(
                f"This RSA key has {native.key_size} bits; {smallest} to {largest} are taken."
            )
        if native.public_numbers().e != _RSA_EXPONENT:
            raise InvalidRequest(f"The exponent of an RSA key is {_RSA_EXPONENT}.")
        possible = _RSA
    elif isinstance(native, EllipticCurvePublicKey) and isinstance(native.curve, SECP256R1):
        possible = (_EC,)
    elif isinstance(native, Ed25519PublicKey):
        possible = (PublicKey.Algorithm.EDDSA,)
    if not possible:
        raise InvalidRequest(
            "Keys are on the curve P-256 (ES256), Ed25519 (EdDSA), or RSA (RS256, PS256)."
        )
    wanted = PublicKey.Algorithm.EDDSA if wanted == "Ed25519" else wanted
    if wanted and wanted not in possible:
        raise InvalidRequest(f"This key verifies by {' or '.join(possible)}, not by {wanted[:20]}.")
    return PublicKey.Algorithm(wanted) if wanted else possible[0]


def _private() -> InvalidRequest:
    return InvalidRequest(
        "This is a private or shared key. Nobody but the client may ever see it: have a new pair"
        f" made and its public half sent. {_HOW}."
    )


def _refuse_third(credential: ApiKey, kid: str) -> None:
    """Refuse a key while two of this OAuth client are live; its row is locked for the count."""
    ApiKey.objects.select_for_update(no_key=True).get(pk=credential.pk)
    keys = PublicKey.objects.filter(credential=credential)
    if keys.filter(kid=kid).exists():
        raise Conflict(
            f"A key of this client has the id {kid!r} already, perhaps a revoked one.",
            code="too-many-keys",
        )
    live = keys.filter(Q(expires_at=None) | Q(expires_at__gt=Now()), revoked_at=None)
    ids = list(live.values_list("kid", flat=True))
    if len(ids) >= MAX_LIVE:
        raise Conflict(
            f"{MAX_LIVE} keys of this client are live ({', '.join(ids)}), and at most {MAX_LIVE}"
            " may be, so that one can replace the other: revoke one of them first.",
            code="too-many-keys",
        )
