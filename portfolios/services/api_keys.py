"""API keys: made once, shown once, checked with one query."""

from __future__ import annotations

import functools
import hashlib
import hmac
import ipaddress
import secrets
import string
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.db.models.functions import Now

from portfolios.errors import InvalidRequest, Refused
from portfolios.models import ApiKey, Client
from portfolios.tenancy import client_scope

SCOPES = (
    "portfolios:read",
    "portfolios:write",
    "prices:read",
    "prices:write",
    "analyses:run",
    "analyses:read",
    "reports:read",
    "webhooks:manage",
    "audit:read",
)
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_PREFIX = "rk_live"
_ID_LENGTH, _SECRET_LENGTH, _CHECK_LENGTH = 8, 43, 6
_USE_NOTED_EVERY = timedelta(minutes=1)
_DUMMY_HMAC = bytes(32)


def api_key_create(
    client: Client,
    name: str,
    scopes: Sequence[str] = SCOPES,
    *,
    allowed_networks: Sequence[str] = (),
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its text, which is nowhere kept. Needs the client's or an operator's scope."""
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown:
        raise InvalidRequest(f"Unknown scopes: {', '.join(unknown)}.", code="unknown-scope")
    for network in allowed_networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise InvalidRequest(f"Not a network: {error}.", code="bad-network") from None
    key_id = "".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH))
    secret = _base62(secrets.randbits(256), _SECRET_LENGTH)
    key = ApiKey.objects.create(
        client=client,
        name=name,
        key_id=key_id,
        secret_hmac=_hmac(secret),
        scopes=list(scopes),
        allowed_networks=list(allowed_networks),
        expires_at=expires_at,
    )
    body = f"{_PREFIX}_{key_id}_{secret}"
    return key, f"{body}_{_checksum(body)}"


def api_key_authenticate(text: str, address: str) -> ApiKey:
    """The live key of this text, with its client, for a caller at this address.

    Raises Refused. One code covers everything wrong with the text itself, so that nothing is
    learned by trying; a mistyped key is refused before the database is asked.
    """
    parts = _split(text)
    if parts is None:
        raise _invalid()
    key_id, secret = parts
    key = _find(key_id)
    expected = bytes(key.secret_hmac) if key is not None else _DUMMY_HMAC
    genuine = hmac.compare_digest(_hmac(secret), expected)
    if key is None or not genuine or key.revoked_at is not None or not key.client.is_active:
        raise _invalid()
    now = datetime.now(UTC)
    if key.expires_at is not None and key.expires_at <= now:
        raise Refused("The key has expired.", code="expired-api-key")
    if key.allowed_networks and not _is_within(address, tuple(key.allowed_networks)):
        raise Refused("The key may not be used from this address.", code="address-not-allowed")
    if key.last_used_at is None or now - key.last_used_at > _USE_NOTED_EVERY:
        with client_scope(key.client_id):
            ApiKey.objects.filter(pk=key.pk).update(last_used_at=Now())
    return key


def _find(key_id: str) -> ApiKey | None:
    row = _lookup(key_id)
    if row is None:
        return None
    client = Client(
        id=row[8], name=row[9], slug=row[10], base_currency=row[11],
        is_synthetic=row[12], is_active=row[13], created_at=row[14],
    )  # fmt: skip
    key = ApiKey(
        id=row[0], client=client, name=row[1], key_id=key_id, secret_hmac=row[2], scopes=row[3],
        allowed_networks=row[4], expires_at=row[5], revoked_at=row[6], last_used_at=row[7],
    )  # fmt: skip
    key._state.adding = client._state.adding = False
    return key


def _lookup(key_id: str) -> tuple[Any, ...] | None:
    """One query without a transaction: the database function shows the one key named.

    It is the first query of a request, so it is here that connections kept since before a restart
    of the database are found dead; they are thrown away, as many as there are.
    """
    while True:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT * FROM api_key_lookup(%s)", [key_id])
                row: tuple[Any, ...] | None = cursor.fetchone()
                return row
        except (OperationalError, InterfaceError):
            kept = connection.connection
            if kept is None or not kept.closed or connection.in_atomic_block:
                raise  # there was no connection to be had, or it lives
            connection.close()


def _split(text: str) -> tuple[str, str] | None:
    """Key id and secret of a well-formed text with the right checksum."""
    if not text.isascii() or not text.startswith(_PREFIX + "_"):
        return None
    body, _, check = text.rpartition("_")
    key_id, _, secret = body[len(_PREFIX) + 1 :].partition("_")
    if (len(key_id), len(secret), len(check)) != (_ID_LENGTH, _SECRET_LENGTH, _CHECK_LENGTH):
        return None
    if not (key_id + secret).isalnum() or not hmac.compare_digest(check, _checksum(body)):
        return None
    return key_id, secret


def _invalid() -> Refused:
    return Refused("This is not a key of ours, or it has been revoked.", code="invalid-api-key")


def _hmac(secret: str) -> bytes:
    return hmac.digest(settings.KEY_PEPPER.encode(), secret.encode(), hashlib.sha256)


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECK_LENGTH)


def _base62(value: int, length: int) -> str:
    digits = []
    for _ in range(length):
        value, digit = divmod(value, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


@functools.lru_cache(maxsize=1024)
def _is_within(address: str, networks: tuple[str, ...]) -> bool:
    try:
        caller = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(caller in ipaddress.ip_network(network) for network in networks)
