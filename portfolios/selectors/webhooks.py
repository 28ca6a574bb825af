"""Events, endpoints and deliveries of a client."""

from __future__ import annotations

import uuid

from django.db.models import QuerySet

from portfolios.errors import InvalidRequest, NotFound
from portfolios.identifiers import parse_public_id
from portfolios.models import Client, Delivery, Event, WebhookEndpoint
from portfolios.selectors.json_rows import JsonRow, moment, nested, plain, public_id


def event_list_for_client(client: Client) -> QuerySet[Event]:
    return Event.objects.filter(client=client)


def event_position(client: Client, uid: uuid.UUID) -> int:
    """Where an event stands among those of its client."""
    found: int | None = (
        event_list_for_client(client).filter(uid=uid).values_list("id", flat=True).first()
    )
    if found is None:
        raise InvalidRequest(
            "There is no such event, or not any more: events are kept for 30 days.",
            code="unknown-event",
            errors=[{"pointer": "?after"}],
        )
    return found


#: What an event says, sent or served: ids and a link, never the thing itself.
EVENT = JsonRow(
    type=plain("type"),
    id=public_id("uid", Event.ID_PREFIX),
    created_at=moment("created_at"),
    data=nested(id=plain("object_id"), link=plain("link"), status=plain("status")),
)


def webhook_endpoint_list_for_client(client: Client) -> QuerySet[WebhookEndpoint]:
    return WebhookEndpoint.objects.filter(client=client)


def webhook_endpoint_get_for_client(
    client: Client, endpoint_id: str, *, for_update: bool = False
) -> WebhookEndpoint:
    """By public id; raises NotFound for one of somebody else as for none."""
    pk = parse_public_id(WebhookEndpoint.ID_PREFIX, endpoint_id)
    rows = webhook_endpoint_list_for_client(client)
    if for_update:
        # Events may go on being queued for it meanwhile.
        rows = rows.select_for_update(no_key=True)
    found = rows.filter(pk=pk).first() if pk else None
    if found is None:
        raise NotFound("There is no such webhook endpoint.")
    return found


def delivery_list_for_endpoint(endpoint: WebhookEndpoint) -> QuerySet[Delivery]:
    return Delivery.objects.filter(client=endpoint.client_id, endpoint=endpoint)


def delivery_get_for_endpoint(endpoint: WebhookEndpoint, delivery_id: str) -> Delivery:
    """By public id; raises NotFound for one of another endpoint as for none."""
    pk = parse_public_id(Delivery.ID_PREFIX, delivery_id)
    rows = delivery_list_for_endpoint(endpoint).select_related("event")
    found = rows.filter(pk=pk).first() if pk else None
    if found is None:
        raise NotFound("There is no such delivery.")
    return found
