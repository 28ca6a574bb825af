"""Public ids: a prefix that says what it is, and a time-ordered UUID."""

from __future__ import annotations

import uuid

import uuid_utils.compat


def uuid7() -> uuid.UUID:
    """Time-ordered UUID (RFC 9562, version 7): new rows land at the end of the index."""
    return uuid_utils.compat.uuid7()


def public_id(prefix: str, value: uuid.UUID) -> str:
    return f"{prefix}_{value.hex}"


def parse_public_id(prefix: str, text: str) -> uuid.UUID | None:
    """The UUID inside a public id of this prefix, or None where the text is not one."""
    head, _, body = text.partition("_")
    if head != prefix or len(body) != 32:
        return None
    try:
        return uuid.UUID(hex=body)
    except ValueError:
        return None
