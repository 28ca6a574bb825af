"""Key pairs of OAuth 2.0 clients, and what they sign."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: Where Django's test client asks.
TOKEN_ENDPOINT = "http://testserver/oauth/token"


def key_of(algorithm: str) -> Key:
    if algorithm == "ES256":
        return ECKey.generate_key("P-256")
    if algorithm in ("EdDSA", "Ed25519"):
        return OKPKey.generate_key("Ed25519")
    return RSAKey.generate_key(2048)


def pem_of(key: Key, *, private: bool = False) -> str:
    """What is registered; or what its owner keeps."""
    assert not isinstance(key, OctKey)
    return key.as_pem(private=private).decode()


@dataclass
class Signer:
    """A client's half of a pair."""

    client_id: str
    algorithm: str = "ES256"
    audience: str = TOKEN_ENDPOINT
    kid: str = "first"
    key: Key = field(init=False)

    def __post_init__(self) -> None:
        self.key = key_of(self.algorithm)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Good ones, with changes; None leaves one out."""
        now = int(time.time())
        claims = {
            "iss": self.client_id, "sub": self.client_id, "aud": self.audience, "iat": now,
            "exp": now + 60, "jti": uuid.uuid4().hex, **changes,
        }  # fmt: skip
        return {name: value for name, value in claims.items() if value is not None}

    def assertion(
        self, *, header: dict[str, Any] | None = None, payload: bytes | None = None, **changes: Any
    ) -> str:
        named = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT", **(header or {})}
        named = {name: value for name, value in named.items() if value is not None}
        text = json.dumps(self.claims(**changes)).encode() if payload is None else payload
        registry = jws.JWSRegistry(algorithms=[named["alg"]], strict_check_header=False)
        return jws.serialize_compact(named, text, self.key, registry=registry)

    def form(self, **changes: Any) -> dict[str, str]:
        return {"client_assertion_type": TYPE, "client_assertion": self.assertion(**changes)}
