"""Assertions that OAuth 2.0 clients sign in place of showing a secret (RFC 7521, RFC 7523).

What can be said of an assertion without knowing whose it is is said in full, and first: it tells a
developer what to mend and a stranger nothing. After that there is one answer, whether there is no
such client, no such key, or another signature; a signature is checked in each of these cases.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from django.db.models.functions import Now
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key
from joserfc.jws import JWSRegistry, deserialize_compact

from portfolios.errors import Refused
from portfolios.models import PublicKey, UsedAssertion
from portfolios.services.authentication import (
    Admission,
    assertion_admit,
    assertion_noted,
    first_query,
)
from portfolios.services.quotas import quota_return
from portfolios.tenancy import client_query

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = tuple(PublicKey.Algorithm.values)
#: Bytes; with the largest signature taken such a text has less than half of them.
MAX_LENGTH = 4096
#: How far ahead an assertion may expire.
LONGEST_SECONDS = 300
#: How far the clocks of a client and of the service may be apart.
SKEW_SECONDS = 30
_MAX_JTI = 200
_TYPES = ("jwt", "client-authentication+jwt")
_PART = re.compile(r"[A-Za-z0-9_-]+")
_USE = """
WITH used AS (
    INSERT INTO portfolios_usedassertion (client_id, credential_id, jti_sha256, expires_at)
    VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING id
)
UPDATE portfolios_publickey SET last_used_at = clock_timestamp()
WHERE id = %s AND EXISTS (SELECT FROM used) RETURNING id
"""


class BadAssertion(Refused):
    """Not an assertion that says who its sender is."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """What an assertion says of itself; nobody has vouched for it yet."""

    text: str
    client_id: str
    kid: str
    algorithm: str
    jti: str
    expires_at: float


def assertion_authenticate(
    text: str,
    address: str,
    policies: Sequence[str],
    *,
    audiences: Sequence[str],
    client_id: str | None = None,
    certificate: str = "",
) -> tuple[Admission, str]:
    """The live OAuth 2.0 client that signed this assertion, which is good for this one time, and
    the id of the key.

    It is spent last: what is refused for its address or certificate, or is beyond its quota (which
    the caller refuses), leaves it good for the sender's next try.

    `client_id` as the request names it beside the assertion, where it does. Raises BadAssertion,
    and Refused where the client itself may not come in.
    """
    shown = assertion_read(text, audiences, now=datetime.now(UTC).timestamp())
    if client_id is not None and client_id != shown.client_id:
        raise BadAssertion("`client_id` is not the client of the assertion.")
    row = first_query("SELECT * FROM public_key_lookup(%s, %s)", [shown.client_id, shown.kid])
    if row is not None and row[4] == shown.algorithm:
        genuine = _is_signed_by(shown, import_key(json.loads(row[5])))
    else:
        _is_signed_by(shown, _nobodys(shown.algorithm))
        genuine = False
    if row is None or not genuine:
        raise BadAssertion(
            "No such client, or no live key of it with this `kid` and `alg` verifies the signature."
        )
    public_key, owner, credential, secret_hmac = row[:4]
    admission = assertion_admit(
        shown.client_id, bytes(secret_hmac), address, policies, certificate=certificate
    )
    if admission.quota.violated is not None:
        return admission, shown.kid
    digest = hashlib.sha256(shown.jti.encode("utf-8", "surrogatepass")).digest()
    # Past its expiry it is kept for as long as clocks may be apart.
    until = datetime.fromtimestamp(shown.expires_at + 2 * SKEW_SECONDS, UTC)
    if not client_query(owner, _USE, [owner, credential, digest, until, public_key]):
        quota_return(admission.quota)  # whoever has come by it must not use its client's up
        raise BadAssertion("This assertion has been used: sign a new one, with a new `jti`.")
    assertion_noted(admission.key)
    return admission, shown.kid


def assertion_purge() -> int:
    """Forget assertions that are too old to be used; needs an operator's transaction."""
    return UsedAssertion.objects.filter(expires_at__lt=Now()).delete()[0]


def assertion_read(text: str, audiences: Sequence[str], *, now: float) -> Assertion:
    """An assertion in the right form, for one of these audiences, at this time."""
    if len(text) > MAX_LENGTH:
        raise BadAssertion(f"An assertion has at most {MAX_LENGTH} characters.")
    parts = text.split(".")
    if len(parts) != 3 or not all(_PART.fullmatch(part) for part in parts):
        raise BadAssertion(
            "An assertion is a signed JWT in compact form: three parts of base64url."
        )
    header, claims = (_object_of(part) for part in parts[:2])
    algorithm, kid = header.get("alg"), header.get("kid")
    algorithm = PublicKey.Algorithm.EDDSA.value if algorithm == "Ed25519" else algorithm
    if algorithm not in ALGORITHMS:
        raise BadAssertion(f"`alg` is {', '.join(ALGORITHMS)}.")
    if not isinstance(kid, str) or not kid.isascii() or "\x00" in kid:
        raise BadAssertion("`kid` in the header names the key, as it is registered.")
    if str(header.get("typ", "JWT")).lower() not in _TYPES or "crit" in header or "b64" in header:
        raise BadAssertion("`typ` is JWT, and the header has no `crit`.")
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or issuer != claims.get("sub") or not issuer.isalnum():
        raise BadAssertion("`iss` and `sub` are both the client_id.")
    _check_audience(claims.get("aud"), audiences)
    expires_at = _check_times(claims, now)
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= _MAX_JTI:
        raise BadAssertion(f"`jti` is a text of 1 to {_MAX_JTI} characters, another each time.")
    return Assertion(text, issuer, kid, str(algorithm), jti, expires_at)


def _check_audience(audience: Any, audiences: Sequence[str]) -> None:
    """For us, and nobody else: what others may take too they could send here."""
    if isinstance(audience, list) and len(audience) == 1:
        audience = audience[0]
    if not isinstance(audience, str) or audience not in audiences:
        named = " or ".join(audiences) or "nothing until the operator sets RISK_PUBLIC_URL"
        raise BadAssertion(f"`aud` is {named}, alone.")


def _check_times(claims: dict[str, Any], now: float) -> float:
    times: dict[str, float] = {}
    for name in ("exp", "iat", "nbf"):
        value = claims.get(name)
        if value is None and name != "exp":
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise BadAssertion(f"`{name}` is a time in seconds since 1970.")
        times[name] = value
    if times["exp"] <= now - SKEW_SECONDS:
        raise BadAssertion("The assertion has expired (`exp`): sign one for each request.")
    if times["exp"] > now + LONGEST_SECONDS + SKEW_SECONDS:
        raise BadAssertion(f"`exp` is at most {LONGEST_SECONDS // 60} minutes ahead.")
    if any(times.get(name, now) > now + SKEW_SECONDS for name in ("iat", "nbf")):
        raise BadAssertion("`iat` and `nbf` are not ahead: compare your clock.")
    return times["exp"]


def _object_of(part: str) -> dict[str, Any]:
    """The JSON object in a part; unlike the library's reading, no member twice and no NaN."""
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        value = json.loads(raw, object_pairs_hook=_members, parse_constant=_constant)
    except (binascii.Error, RecursionError, ValueError):
        value = None
    if not isinstance(value, dict):
        raise BadAssertion("Header and claims are JSON objects that name each member once.")
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a member twice")
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(name)


class _Registry(JWSRegistry):
    """`EdDSA` is an older name of what the library calls Ed25519, and warns of."""

    def get_alg(self, name: str) -> Any:
        return super().get_alg("Ed25519" if name == "EdDSA" else name)


_REGISTRY = _Registry(algorithms=["ES256", "RS256", "PS256", "Ed25519"])


def _is_signed_by(shown: Assertion, key: Key) -> bool:
    try:
        deserialize_compact(shown.text, key, registry=_REGISTRY)
    except (JoseError, ValueError):
        return False
    return True


@functools.cache
def _nobodys(algorithm: str) -> Key:
    """A key of nobody's, to check the signature of an unknown client with: a refusal takes as long
    as if the client were known."""
    if algorithm == PublicKey.Algorithm.ES256:
        return ECKey.generate_key("P-256", private=False)
    if algorithm == PublicKey.Algorithm.EDDSA:
        return OKPKey.generate_key("Ed25519", private=False)
    # Nobody knows its factors, nor needs to.
    return RSAKey(RSAPublicNumbers(65537, 2**2047 + 1).public_key(), None)
