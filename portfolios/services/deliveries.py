"""Sending events to endpoints: claim a delivery, post it, record what came of it.

Each event arrives at least once: if the process is killed between the receiver's answer and our
record of it, its lease expires and the event goes out again under the same id.

Locks are taken in one order, or transactions would wait for one another in a circle: whoever
changes an endpoint and its deliveries in one transaction locks the endpoint first.
"""

from __future__ import annotations

import logging
import random
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from portfolios import leases
from portfolios.jobs import JobKind
from portfolios.models import Delivery, WebhookEndpoint
from portfolios.selectors.webhooks import EVENT
from portfolios.services.audit import audit_record
from portfolios.services.events import event_record
from portfolios.tenancy import client_scope, operator_scope
from portfolios.webhooks.catalogue import EventType
from portfolios.webhooks.sending import Reply, post
from portfolios.webhooks.signing import WebhooksNotConfigured, signature, unseal

#: Before the second try, the third and so on; after the last one the event is given up.
RETRY_DELAYS = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
#: Each wait is longer or shorter by up to this share of it.
_JITTER = 0.1
#: What a receiver may ask for at most with Retry-After.
_LONGEST_WAIT = timedelta(days=1)
#: Events given up one after the other, none arriving in between, until the endpoint is disabled.
MAX_FAILURES = 5
#: How many deliveries may be under way to one endpoint, so that a slow one holds up no other.
MAX_AT_ONCE = 2
#: Condition of the loop that looks for work: passes over deliveries to endpoints that have
#: `MAX_AT_ONCE` under way already. `_claim` counts again under the endpoint's lock.
_NOT_BUSY = (
    "job.endpoint_id NOT IN (SELECT endpoint_id FROM portfolios_delivery"
    " WHERE state = 'running' AND lease_until >= clock_timestamp()"
    f" GROUP BY endpoint_id HAVING count(*) >= {MAX_AT_ONCE})"
)
#: Until the next look at a delivery whose secret cannot be decrypted for want of its key.
_UNREADABLE_DELAY = timedelta(minutes=1)
_OPEN = (Delivery.State.QUEUED, Delivery.State.RUNNING)
_WAIT_STATUSES = (429, 503)
_GONE = 410

logger = logging.getLogger(__name__)


def delivery_perform(delivery_id: uuid.UUID) -> bool:
    """Claim a delivery and make one try; False where someone else has it or it must wait."""
    with operator_scope():
        token = _claim(delivery_id)
        if token is None:
            return False
        delivery = Delivery.objects.select_related("event", "endpoint").get(pk=delivery_id)
    with leases.heartbeat(Delivery, delivery_id, token):
        try:
            reply = _send(delivery)
        except WebhooksNotConfigured:
            logger.error("the secret of %s cannot be read: RISK_WEBHOOK_KEY", delivery.endpoint_id)  # noqa: TRY400 - no trace needed
            with operator_scope():
                leases.defer(Delivery, delivery_id, token, delay=_UNREADABLE_DELAY)
            return True
        with client_scope(delivery.client_id):
            _record(delivery, token, reply)
    return True


DELIVERY = JobKind(Delivery, delivery_perform, condition=_NOT_BUSY)


def delivery_cancel_queued(endpoint: WebhookEndpoint) -> None:
    """Call off what waits for an endpoint, whose row the caller has locked."""
    Delivery.objects.filter(endpoint=endpoint, state=Delivery.State.QUEUED).update(
        state=Delivery.State.CANCELED, lease_until=None, not_before=None
    )


def _claim(delivery_id: uuid.UUID) -> int | None:
    endpoint = (
        WebhookEndpoint.objects.select_for_update(no_key=True, of=("self",))
        .filter(deliveries=delivery_id)
        .first()
    )
    if endpoint is None:
        return None
    delivery = Delivery.objects.get(pk=delivery_id)
    if not endpoint.is_enabled:
        # Its deliverer died before it could be called off with the others.
        Delivery.objects.filter(pk=delivery_id, state__in=_OPEN).update(
            state=Delivery.State.CANCELED, lease_until=None, not_before=None
        )
        return None
    under_way = leases.held(Delivery).filter(endpoint=endpoint).count()
    if under_way >= MAX_AT_ONCE:
        return None
    token = leases.claim(Delivery, delivery_id)
    if token is not None and delivery.state == Delivery.State.RUNNING:
        entry = _entry(error="interrupted: the sending process ended; it may have arrived")
        Delivery.objects.filter(pk=delivery_id).update(log=[*delivery.log, entry])
    return token


def _send(delivery: Delivery) -> Reply:
    event, endpoint = delivery.event, delivery.endpoint
    body = orjson.dumps(EVENT.of(event), option=orjson.OPT_UTC_Z)
    moment = int(time.time())
    secrets = [unseal(endpoint.secret)]
    former = endpoint.former_secrets_at(datetime.now(UTC))
    secrets += [unseal(one["secret"]) for one in former]
    headers = {
        "webhook-id": event.public_id,
        "webhook-timestamp": str(moment),
        "webhook-signature": " ".join(
            signature(secret.decode(), event.public_id, moment, body) for secret in secrets
        ),
    }
    return post(endpoint.url, headers, body)


def _record(delivery: Delivery, token: int, reply: Reply) -> None:
    """Write down what came of a try, and what follows from it, in the caller's transaction."""
    endpoint = (
        WebhookEndpoint.objects.select_for_update(no_key=True)
        .filter(pk=delivery.endpoint_id)
        .first()
    )
    if endpoint is None:
        return
    arrived = reply.status is not None and 200 <= reply.status < 300
    tries = delivery.tries + 1
    ended = _next_state(delivery, endpoint, token, reply, tries, arrived=arrived)
    if ended is None:
        return  # the lease was lost: whoever has it now records
    entry = _entry(
        status=reply.status,
        error=reply.error,
        duration_ms=round(reply.seconds * 1000),
        answer=reply.body,
    )
    Delivery.objects.filter(pk=delivery.pk).update(tries=tries, log=[*delivery.log, entry])
    if arrived:
        if endpoint.failures:
            WebhookEndpoint.objects.filter(pk=endpoint.pk).update(failures=0)
    elif reply.status == _GONE:
        _disable(endpoint, WebhookEndpoint.DisabledReason.GONE)
    elif ended == Delivery.State.QUARANTINED:
        endpoint.failures += 1
        endpoint.save(update_fields=["failures"])
        if endpoint.failures >= MAX_FAILURES:
            _disable(endpoint, WebhookEndpoint.DisabledReason.FAILING)


def _next_state(
    delivery: Delivery,
    endpoint: WebhookEndpoint,
    token: int,
    reply: Reply,
    tries: int,
    *,
    arrived: bool,
) -> str | None:
    """Where the delivery goes from here; None where it is not ours any more."""
    if arrived:
        return Delivery.State.DONE if leases.finish(Delivery, delivery.pk, token) else None
    state = Delivery.State.QUEUED
    if reply.status == _GONE or tries > len(RETRY_DELAYS):
        state = Delivery.State.QUARANTINED
    elif not endpoint.is_enabled:
        state = Delivery.State.CANCELED
    if state == Delivery.State.QUEUED:
        held = leases.defer(Delivery, delivery.pk, token, delay=retry_delay(tries, reply))
    else:
        held = leases.end(Delivery, delivery.pk, token, state)
    return state if held else None


def retry_delay(tries: int, reply: Reply) -> timedelta:
    """How long to wait after so many tries: by the schedule, and not less than was asked for."""
    delay = RETRY_DELAYS[tries - 1] * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads load, guards nothing
    if reply.status in _WAIT_STATUSES and reply.retry_after is not None:
        asked = timedelta(seconds=reply.retry_after) * random.uniform(1, 1 + _JITTER)  # noqa: S311 - likewise
        delay = max(delay, min(asked, _LONGEST_WAIT))
    return delay


def _disable(endpoint: WebhookEndpoint, reason: WebhookEndpoint.DisabledReason) -> None:
    if not endpoint.is_enabled:
        return
    endpoint.is_enabled = False
    endpoint.disabled_reason = reason
    endpoint.version += 1
    endpoint.save(update_fields=["is_enabled", "disabled_reason", "version", "updated_at"])
    delivery_cancel_queued(endpoint)
    audit_record(
        client=endpoint.client,
        actor="webhooks",
        action="webhook-endpoint.disabled",
        object_id=endpoint.public_id,
        detail={"reason": str(reason), "failures": endpoint.failures},
    )
    event_record(endpoint.client_id, EventType.WEBHOOK_DISABLED, endpoint.public_id, str(reason))


def _entry(
    *, status: int | None = None, error: str = "", duration_ms: int | None = None, answer: str = ""
) -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "status": status,
        "error": error,
        "duration_ms": duration_ms,
        "answer": answer,
    }
