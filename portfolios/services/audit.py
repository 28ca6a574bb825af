"""Who did what: one row per change, in the transaction of the change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
    AuditEvent.objects.create(
        client=client,
        actor=actor,
        action=action,
        object_id=object_id,
        request_id=request_id,
        detail=dict(detail or {}),
    )
