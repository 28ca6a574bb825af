"""Signatures after the Standard Webhooks specification, and the secrets they are made with.

A secret must be read back to sign, so it is kept encrypted: by the key of the installation
(`RISK_WEBHOOK_KEY`), or by a former one while that is being replaced. The stored text begins with
the id of its key, so that what still rests on a former key can be found and renewed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from portfolios.errors import DomainError

PREFIX = "whsec_"
_SECRET_BYTES = 32
_KEY_ID_LENGTH = 8


class WebhooksNotConfigured(DomainError):
    """The installation has no key to keep secrets with."""

    code = "webhooks-not-configured"

    def __init__(self) -> None:
        super().__init__("This installation keeps no webhooks: RISK_WEBHOOK_KEY is not set.")


def secret_make() -> str:
    """A new signing secret in the form that the libraries of the specification take."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,` and the base64 of HMAC-SHA256 over id, timestamp and the very bytes sent."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def seal(text: bytes) -> str:
    """Encrypt with the installation's key: key id, colon, Fernet token."""
    key = _keys()[0]
    return f"{_key_id(key)}:{_fernet(key).encrypt(text).decode()}"


def unseal(sealed: str) -> bytes:
    """Decrypt with the key named; raises WebhooksNotConfigured where it is not there any more."""
    key_id, _, token = sealed.partition(":")
    for key in _keys():
        if _key_id(key) == key_id:
            try:
                return _fernet(key).decrypt(token.encode())
            except InvalidToken:
                break
    raise WebhooksNotConfigured


def current_key_id() -> str:
    """What everything sealed now begins with."""
    return _key_id(_keys()[0])


def _keys() -> list[str]:
    if not settings.WEBHOOK_KEY:
        raise WebhooksNotConfigured
    return [settings.WEBHOOK_KEY, *settings.WEBHOOK_KEY_FALLBACKS]


def _key_id(key: str) -> str:
    return hashlib.sha256(b"riskapi webhook key id" + key.encode()).hexdigest()[:_KEY_ID_LENGTH]


def _fernet(key: str) -> Fernet:
    derived = HKDF(SHA256(), length=32, salt=None, info=b"riskapi webhook secrets")
    return Fernet(base64.urlsafe_b64encode(derived.derive(key.encode())))
