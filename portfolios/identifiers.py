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


def sandbox_id() -> uuid.UUID:
    """Id of a new sandbox client: time-ordered too, of version 8, by which both walls know it."""
    return uuid.UUID(int=uuid7().int & ~(0xF << 76) | 8 << 76)


def is_sandbox(client_id: uuid.UUID | None) -> bool:
    return client_id is not None and client_id.version == 8
