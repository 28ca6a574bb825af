"""Who did what: one row per change, in the transaction of the change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portfolios.correlation import correlation
from portfolios.models import AuditEvent, Client


def audit_record(
    *,
    client: Client | None,
    actor: str,
    action: str,
    object_id: str,
    request_id: str = "",
    detail: Mapping[str, Any] | None = None,
) -> None:
    names = correlation()
    AuditEvent.objects.create(
        client=client,
        actor=actor,
        action=action,
        object_id=object_id,
        request_id=request_id or names.request_id,
        client_request_id=names.client_request_id,
        traceparent=names.traceparent,
        detail=dict(detail or {}),
    )
