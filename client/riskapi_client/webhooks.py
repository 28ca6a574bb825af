"""Checking that a webhook comes from the service, after the Standard Webhooks specification."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

_PREFIX = "whsec_"
TOLERANCE_SECONDS = 300


class InvalidSignature(Exception):
    """The message is not from the service, was changed on its way, or is too old."""


def verify_webhook(
    body: bytes, headers: Mapping[str, str], secret: str, *, now: float | None = None
) -> Any:
    """The event in a webhook's body, once its signature has been checked.

    `body` is what was received, byte for byte; `secret` is what the endpoint's creation or
    rotation showed, `whsec_...`. While a secret is rotated a message carries a signature for each,
    and one that fits is enough. Repeated deliveries have the same `webhook-id`.
    """
    named = {name.lower(): value for name, value in headers.items()}
    try:
        identifier, stamp = named["webhook-id"], named["webhook-timestamp"]
        signatures = named["webhook-signature"]
        sent_at = int(stamp)
    except KeyError as missing:
        raise InvalidSignature(f"no header {missing.args[0]}") from None
    except ValueError:
        raise InvalidSignature("webhook-timestamp is no number") from None
    if abs((time.time() if now is None else now) - sent_at) > TOLERANCE_SECONDS:
        raise InvalidSignature(f"more than {TOLERANCE_SECONDS} seconds old, or from the future")
    expected = _signature(secret, f"{identifier}.{stamp}.".encode() + body)
    for candidate in signatures.split():
        version, _, text = candidate.partition(",")
        if version == "v1" and hmac.compare_digest(text.encode(), expected):
            return json.loads(body)
    raise InvalidSignature("no signature fits")


def _signature(secret: str, signed: bytes) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("a secret begins with whsec_ and goes on in base64") from None
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
