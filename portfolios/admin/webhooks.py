"""Events, who is told of them, and how that went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from django.contrib import admin
from django.utils.safestring import SafeString

from portfolios.admin.base import ReadOnlyAdmin, colored, pretty_json
from portfolios.models import Delivery, Event, WebhookEndpoint


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "type", "object_id", "status", "client")
    list_filter = ("type",)
    list_select_related = ("client",)
    search_fields = ("=object_id",)
    readonly_fields = ("public_id",)
    ordering: ClassVar[Sequence[str]] = ("-id",)


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnlyAdmin):
    """To look at: endpoints are the clients' own. Secrets are not shown, sealed as they are."""

    list_display = ("url", "client", "is_enabled", "disabled_reason", "failures", "created_at")
    list_filter = ("is_enabled", "disabled_reason")
    list_select_related = ("client",)
    search_fields = ("url", "client__name")
    readonly_fields = ("public_id", "previous_secret_until")
    exclude = ("secret", "former_secrets")


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """The log of what was sent, with every attempt."""

    list_display = ("created_at", "event", "endpoint", "client", colored("state"), "tries",
                    "not_before", "finished_at")  # fmt: skip
    list_filter = ("state",)
    list_select_related = ("event", "endpoint", "client")
    search_fields = ("endpoint__url", "=event__object_id")
    readonly_fields = ("public_id", "attempts_shown")
    exclude = ("log",)
    ordering: ClassVar[Sequence[str]] = ("-id",)

    @admin.display(description="attempts")
    def attempts_shown(self, delivery: Delivery) -> SafeString:
        return pretty_json(delivery.log)
