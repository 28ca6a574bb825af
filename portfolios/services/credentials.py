"""The text of a credential: `rk_live_<id>_<secret>_<checksum>`.

An API key begins with `rk_`, the secret of an OAuth 2.0 client with `rs_`, a token with `rt_`.

The id finds the row; the secret is 256 random bits, of which the row keeps a keyed hash (a slow
hash would protect a password that people choose, and costs a third of a second per request); the
checksum tells a mistyped text from a false one before the database is asked.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
import zlib
from dataclasses import dataclass

from django.conf import settings

API_KEY, CLIENT_SECRET, ACCESS_TOKEN = "rk", "rs", "rt"
#: `rk_test_...` opens a sandbox and nothing else.
LIVE, TEST = MODES = ("live", "test")
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_LENGTH, _SECRET_LENGTH, _CHECK_LENGTH = 8, 43, 6


@dataclass(frozen=True, slots=True)
class Credential:
    """The parts of a well-formed text."""

    kind: str
    mode: str
    id: str
    secret: str

    @property
    def text(self) -> str:
        body = f"{self.kind}_{self.mode}_{self.id}_{self.secret}"
        return f"{body}_{_checksum(body)}"

    def hashes(self) -> list[bytes]:
        """What a row may hold of it: the hash under the present pepper first, then under former
        ones."""
        return [
            hmac.digest(pepper.encode(), self.secret.encode(), hashlib.sha256)
            for pepper in settings.KEY_PEPPERS
        ]


def credential_new(kind: str, mode: str = LIVE) -> Credential:
    key_id = "".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH))
    return Credential(kind, mode, key_id, _base62(secrets.randbits(256), _SECRET_LENGTH))


def credential_parse(text: str, *kinds: str) -> Credential | None:
    """The parts of a text of one of these kinds with the right checksum, else None."""
    body, _, check = text.rpartition("_")
    parts = body.split("_")
    if not text.isascii() or len(parts) != 4 or parts[0] not in kinds or parts[1] not in MODES:
        return None
    kind, mode, key_id, secret = parts
    if (len(key_id), len(secret), len(check)) != (_ID_LENGTH, _SECRET_LENGTH, _CHECK_LENGTH):
        return None
    if not (key_id + secret).isalnum() or not hmac.compare_digest(check, _checksum(body)):
        return None
    return Credential(kind, mode, key_id, secret)


def pepper_version() -> int:
    """A number that names the present pepper, so that rows say which one they were hashed under."""
    digest = hashlib.sha256(b"riskapi pepper " + settings.KEY_PEPPERS[0].encode()).digest()
    return int.from_bytes(digest[:2], "big") >> 1


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECK_LENGTH)


def _base62(value: int, length: int) -> str:
    digits = []
    for _ in range(length):
        value, digit = divmod(value, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
