"""Cursors: where a page ended, signed, and bound to the client, the list, its filters and order."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from datetime import datetime

from django.core import signing
from rest_framework.request import Request

from portfolios.errors import InvalidRequest
from portfolios.models import ApiKey

_SALT = "riskapi.cursor"
#: What may differ from page to page.
_ON_ANY_PAGE = ("cursor", "limit", "count", "fields", "omit", "expand", "format")


def fingerprint_of(request: Request) -> str:
    """What a cursor belongs to: the client, the list, its filters and its order."""
    rest = sorted((k, v) for k, v in request.query_params.items() if k not in _ON_ANY_PAGE)
    owner = request.auth.client_id.hex if isinstance(request.auth, ApiKey) else ""
    return hashlib.sha256(repr((owner, request.path.rstrip("/"), rest)).encode()).hexdigest()[:16]


def sealed(fingerprint: str, last: Sequence[str], known_at: str) -> str:
    """The cursor that stands behind a row: the next page begins after it.

    `last` are the values by which the list is ordered, of that row; `known_at` is the state that
    the first page saw, "" where the list has no history.
    """
    signed = _signer().sign_object([fingerprint, *last, known_at])
    return signed.replace(":", ".")  # which an address can hold as it is


def opened(cursor: str, fingerprint: str) -> tuple[str, str, datetime | None]:
    """What `sealed` was given: the ordering value and the key of the last row seen, and the state
    that the first page saw. Raises InvalidRequest for a cursor of another list, or of nobody."""
    try:
        signed = cursor[:2_000].replace(".", ":")
        found, value, key, known_at = _signer().unsign_object(signed)
    except (signing.BadSignature, ValueError, TypeError):
        found = value = key = known_at = None
    if found != fingerprint:
        raise InvalidRequest("The cursor is not one of this list.", code="bad-cursor")
    return value, key, datetime.fromisoformat(known_at) if known_at else None


@functools.cache
def _signer() -> signing.TimestampSigner:
    return signing.TimestampSigner(salt=_SALT)
