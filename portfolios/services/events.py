"""Telling clients: one immutable row per event, in the transaction of its cause.

The row is what `GET /v1/events` serves, and what is sent to the endpoints that ask for its type:
their deliveries are queued in the same transaction, so an event is lost with neither.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from portfolios.identifiers import uuid7
from portfolios.models import Delivery, Event, WebhookEndpoint
from portfolios.plans import rows_planned
from portfolios.waking import DELIVERIES, wake_workers
from portfolios.webhooks.catalogue import CATALOGUE, EventType

KEPT = timedelta(days=30)
PURGED_AT_ONCE = 1_000

#: Writes an event; its rows are the endpoints that want it.
#:
#: The advisory lock is held until the commit, so a client's events become visible in the order of
#: their ids: whoever has read one never finds an earlier one later. FOR KEY SHARE waits for a
#: deletion of an endpoint that is under way, and then leaves the endpoint out.
_INSERT = """
WITH turn AS MATERIALIZED (SELECT pg_advisory_xact_lock(%s)), event AS (
    INSERT INTO portfolios_event (uid, client_id, type, object_id, link, status)
    SELECT %s::uuid, %s::uuid, %s, %s, %s, %s FROM turn
    RETURNING id, client_id, type
), said AS (SELECT event.*, %s::uuid AS only FROM event)
SELECT said.id, endpoint.id FROM said JOIN portfolios_webhookendpoint AS endpoint
    ON endpoint.client_id = said.client_id AND endpoint.is_enabled
    AND (said.only IS NULL OR endpoint.id = said.only)
    AND (said.only IS NOT NULL OR endpoint.event_types = '{}'
         OR said.type = ANY (endpoint.event_types))
    FOR KEY SHARE OF endpoint
"""


def event_record(
    client_id: uuid.UUID,
    kind: EventType,
    object_id: str,
    status: str,
    *,
    only: WebhookEndpoint | None = None,
) -> list[Delivery]:
    """Write an event and queue its deliveries, as the last thing of the caller's transaction.

    With `only`, it is sent to that endpoint and no other.

    The first event of a transaction makes all others of the client wait until its commit. So
    whoever records events about several objects in one transaction must have locked all of these
    objects before the first: one who still waits for an object while holding back the others'
    events could wait for one of them in a circle.
    """
    wanted = rows_planned(
        _INSERT,
        [
            _turn_of(client_id), uuid7(), client_id, str(kind), object_id,
            CATALOGUE[kind].link(object_id), status, only.pk if only else None,
        ],
    )  # fmt: skip
    return deliveries_queue(client_id, wanted)


def deliveries_queue(client_id: uuid.UUID, wanted: list[tuple[Any, ...]]) -> list[Delivery]:
    """Queue events for endpoints, by the ids of both; the deliverer hears of it when the
    transaction commits."""
    if not wanted:
        return []
    queued = Delivery.objects.bulk_create(
        Delivery(client_id=client_id, event_id=event, endpoint_id=endpoint)
        for event, endpoint in wanted
    )
    wake_workers(DELIVERIES)
    return queued


def event_hold(event_id: int) -> bool:
    """Keep an event from being purged until the caller's transaction ends; False: it is gone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM portfolios_event WHERE id = %s FOR KEY SHARE", [event_id])
        return bool(cursor.rowcount)


def events_purge() -> int:
    """Delete events past their time, with their deliveries; needs an operator's transaction.

    At most `PURGED_AT_ONCE`, the oldest first. What somebody works with is passed over until the
    next time: the purge waits for nobody, so that nobody can come to wait for it in a circle.
    """
    past = Event.objects.filter(created_at__lte=Now() - KEPT)
    free_ones = past.order_by("id").select_for_update(skip_locked=True)
    old = list(free_ones.values_list("id", flat=True)[:PURGED_AT_ONCE])
    sent = Delivery.objects.filter(event__in=old)
    free = list(sent.select_for_update(skip_locked=True).values_list("id", flat=True))
    Delivery.objects.filter(id__in=free).delete()
    # In one statement: nothing else refers to an event.
    gone = Event.objects.filter(~Exists(Delivery.objects.filter(event=OuterRef("pk"))), id__in=old)
    return gone._raw_delete("default") if old else 0


def _turn_of(client_id: uuid.UUID) -> int:
    digest = hashlib.sha256(b"events of " + client_id.bytes).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
