"""Who did what."""

from __future__ import annotations

from django.db.models import QuerySet

from portfolios.models import AuditEvent, Client


def audit_list_for_client(client: Client) -> QuerySet[AuditEvent]:
    return AuditEvent.objects.filter(client=client)
