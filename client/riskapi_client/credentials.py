"""How an OAuth2 client shows who it is when it asks for a token."""

from __future__ import annotations

import time
import uuid
from typing import Any

import urllib3

_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: Seconds an assertion is good for: one is signed for each token.
_LASTS = 60
_BY_CURVE = {"P-256": "ES256", "Ed25519": "Ed25519"}

Proof = tuple[dict[str, str], dict[str, str]]
"""Fields and headers of the request for a token."""


class Secret:
    """A secret that the service knows too."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def proof(self, client_id: str, endpoint: str) -> Proof:  # noqa: ARG002  # of either kind
        return {}, urllib3.make_headers(basic_auth=f"{client_id}:{self._secret}")


class PrivateKey:
    """The private half of a key pair whose public half is registered (`private_key_jwt`).

    `key` in PEM or as a JWK, `kid` as it is registered. `algorithm` matters to RSA keys: RS256
    unless it is PS256. `audience` where the service calls itself something else than the address
    it is reached at. Needs `pip install 'riskapi-client[jwt]'`.
    """

    def __init__(
        self,
        key: str | dict[str, Any],
        kid: str,
        *,
        algorithm: str | None = None,
        audience: str | None = None,
    ) -> None:
        try:
            from joserfc import jwk, jwt  # installed on request
        except ImportError as error:
            raise ImportError("private keys need: pip install 'riskapi-client[jwt]'") from error
        self._sign = jwt.encode
        if isinstance(key, dict):
            self._key = jwk.import_key(key)
        else:
            self._key = _from_pem(key)
        if not self._key.is_private:
            raise ValueError("this is the public half: the client signs with the private one")
        curve = str(self._key.get("crv") or "")
        self._algorithm = algorithm or _BY_CURVE.get(curve, "RS256")
        self._kid = kid
        self._audience = audience

    def proof(self, client_id: str, endpoint: str) -> Proof:
        now = int(time.time())
        claims = {
            "iss": client_id, "sub": client_id, "aud": self._audience or endpoint, "iat": now,
            "exp": now + _LASTS, "jti": uuid.uuid4().hex,
        }  # fmt: skip
        header = {"alg": self._algorithm, "kid": self._kid}
        signed = self._sign(header, claims, self._key, algorithms=[self._algorithm])
        return {"client_assertion_type": _TYPE, "client_assertion": signed}, {}


def _from_pem(text: str) -> Any:
    from joserfc import jwk  # as above
    from joserfc.errors import JoseError

    for kind in ("EC", "RSA", "OKP"):
        try:
            return jwk.import_key(text, kind)
        except (JoseError, ValueError):
            continue
    raise ValueError("the private key is PEM of a P-256, Ed25519 or RSA key")
