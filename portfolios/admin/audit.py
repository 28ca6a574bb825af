"""Who did what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from django.contrib import admin
from django.utils.safestring import SafeString

from portfolios.admin.base import ReadOnlyAdmin, pretty_json
from portfolios.models import AuditEvent


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "actor", "action", "object_id", "client", "request_id")
    list_select_related = ("client",)
    search_fields = ("=object_id", "=request_id", "=actor", "=action")
    exclude = ("detail",)
    readonly_fields = ("detail_shown",)
    ordering: ClassVar[Sequence[str]] = ("-id",)

    @admin.display(description="detail")
    def detail_shown(self, event: AuditEvent) -> SafeString:
        return pretty_json(event.detail)
