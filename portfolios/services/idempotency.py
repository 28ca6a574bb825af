"""One effect per key: the first answer is kept in the transaction of its effect."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import timedelta

from django.db import connection
from django.db.models.functions import Now

from portfolios.errors import Conflict, InvalidRequest
from portfolios.models import Client, IdempotencyRecord

KEPT = timedelta(days=7)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def is_valid_key(key: str) -> bool:
    return _KEY.fullmatch(key) is not None


def idempotency_replay(*, client: Client, key: str, fingerprint: str) -> IdempotencyRecord | None:
    """The record of the first request with this key, or None for whoever comes first.

    Holds the key until the caller's transaction ends; a second request meanwhile is refused
    rather than queued, so that a client's retries cannot exhaust the threads.
    """
    lock = int.from_bytes(
        hashlib.sha256(client.id.bytes + key.encode()).digest()[:8], "big", signed=True
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [lock])
        if not cursor.fetchone()[0]:
            raise Conflict(
                "A request with this Idempotency-Key is still running.",
                code="idempotency-in-progress",
            )
    record = IdempotencyRecord.objects.filter(
        client=client, key=key, created_at__gt=Now() - KEPT
    ).first()
    if record is not None and record.fingerprint != fingerprint:
        raise InvalidRequest(
            "This Idempotency-Key was used for a different request; take a new one.",
            code="idempotency-key-reused",
        )
    return record


def idempotency_store(
    *,
    client: Client,
    key: str,
    fingerprint: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
) -> None:
    """Keep the answer under the key, in place of an expired one that may be there still."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO portfolios_idempotencyrecord"
            " (client_id, key, fingerprint, status, headers, body)"
            " VALUES (%s, %s, %s, %s, %s::jsonb, %s)"
            " ON CONFLICT (client_id, key) DO UPDATE SET fingerprint = excluded.fingerprint,"
            " status = excluded.status, headers = excluded.headers, body = excluded.body,"
            " created_at = statement_timestamp()",
            [client.id, key, fingerprint, status, json.dumps(dict(headers)), body],
        )


def idempotency_purge() -> int:
    """Delete expired records of all clients; needs an operator's transaction."""
    return IdempotencyRecord.objects.filter(created_at__lte=Now() - KEPT).delete()[0]
