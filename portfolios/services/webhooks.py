"""Webhook endpoints: made, changed, tested and taken away, each with its audit row.

Secrets are answered once, when they are made. After a rotation the former one signs beside the new
one for a day, so that a receiver can change over without losing an event; and so does each of
several, for whoever rotates again meanwhile has receivers that know none but the first.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings

from portfolios.errors import Conflict, NotFound
from portfolios.models import Client, Delivery, WebhookEndpoint
from portfolios.services.audit import audit_record
from portfolios.services.deliveries import delivery_cancel_queued
from portfolios.services.events import deliveries_queue, event_hold, event_record
from portfolios.webhooks.catalogue import EventType
from portfolios.webhooks.signing import (
    WebhooksNotConfigured,
    current_key_id,
    seal,
    secret_make,
    unseal,
)
from portfolios.webhooks.targets import addresses_of, target_of

MAX_ENDPOINTS = 20
PREVIOUS_SECRET_VALID = timedelta(hours=24)
#: Each signs every message.
MAX_FORMER_SECRETS = 4
_CHANGEABLE = ("url", "description", "event_types")

logger = logging.getLogger(__name__)


def webhook_endpoint_create(
    *,
    client: Client,
    url: str,
    description: str = "",
    event_types: Sequence[str] = (),
    actor: str,
    request_id: str = "",
) -> tuple[WebhookEndpoint, str]:
    """A new endpoint and its secret, which is not shown again."""
    secret = secret_make()
    sealed = seal(secret.encode())
    addresses_of(target_of(url))
    # One after the other, so that the count holds.
    Client.objects.select_for_update(no_key=True).get(pk=client.pk)
    if WebhookEndpoint.objects.filter(client=client).count() >= MAX_ENDPOINTS:
        raise Conflict(
            f"There are {MAX_ENDPOINTS} webhook endpoints already; delete one first.",
            code="too-many-webhook-endpoints",
        )
    endpoint = WebhookEndpoint.objects.create(
        client=client,
        url=url,
        description=description,
        event_types=_sorted(event_types),
        secret=sealed,
    )
    endpoint.refresh_from_db(fields=["created_at"])
    _audit(endpoint, "create", actor, request_id, _described(endpoint))
    return endpoint, secret


def webhook_endpoint_update(
    *, endpoint: WebhookEndpoint, changes: Mapping[str, Any], actor: str, request_id: str = ""
) -> WebhookEndpoint:
    """Apply named changes to an endpoint whose row the caller has locked."""
    before = _described(endpoint)
    if changes.get("url", endpoint.url) != endpoint.url:
        addresses_of(target_of(changes["url"]))
    for field in _CHANGEABLE:
        if field in changes:
            value = changes[field]
            setattr(endpoint, field, _sorted(value) if field == "event_types" else value)
    if "enabled" in changes and changes["enabled"] != endpoint.is_enabled:
        _switch(endpoint, on=changes["enabled"])
    after = _described(endpoint)
    changed = {name: [before[name], after[name]] for name in after if before[name] != after[name]}
    if changed:
        endpoint.version += 1
        endpoint.save()
        _audit(endpoint, "update", actor, request_id, changed)
    return endpoint


def webhook_endpoint_delete(*, endpoint: WebhookEndpoint, actor: str, request_id: str = "") -> None:
    """Take an endpoint away, with its secret and its log."""
    # No event may be queued for it from here on.
    WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
    _audit(endpoint, "delete", actor, request_id, _described(endpoint))
    endpoint.delete()


def webhook_secret_rotate(
    *, endpoint: WebhookEndpoint, actor: str, request_id: str = ""
) -> tuple[WebhookEndpoint, str]:
    """A new secret for an endpoint whose row the caller has locked; former ones are valid on."""
    now = datetime.now(UTC)
    former = endpoint.former_secrets_at(now)
    if len(former) >= MAX_FORMER_SECRETS:
        next_end = former[-1]["until"]
        raise Conflict(
            f"{MAX_FORMER_SECRETS} former secrets still sign beside the present one, the oldest"
            f" until {next_end}: rotate again after that.",
            code="too-many-webhook-secrets",
            context={"oldest_valid_until": next_end},
        )
    secret = secret_make()
    endpoint.previous_secret_until = now + PREVIOUS_SECRET_VALID
    until = endpoint.previous_secret_until.isoformat()
    endpoint.former_secrets = [{"secret": endpoint.secret, "until": until}, *former]
    endpoint.secret = seal(secret.encode())
    endpoint.version += 1
    endpoint.save()
    _audit(endpoint, "rotate-secret", actor, request_id, {"previous_secret_until": until})
    return endpoint, secret


def webhook_endpoint_ping(*, endpoint: WebhookEndpoint) -> Delivery:
    """Send a test event to this endpoint alone."""
    _require_enabled(endpoint)
    [delivery] = event_record(
        endpoint.client_id, EventType.WEBHOOK_PING, endpoint.public_id, "ok", only=endpoint
    )
    return delivery


def delivery_redeliver(
    *, endpoint: WebhookEndpoint, delivery: Delivery, actor: str, request_id: str = ""
) -> Delivery:
    """Send the event of a delivery again, at once, in place of a retry that still waits.

    The caller has locked the endpoint's row.
    """
    _require_enabled(endpoint)
    if not event_hold(delivery.event_id):
        raise NotFound("There is no such delivery.")
    Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.QUEUED).update(
        state=Delivery.State.CANCELED, not_before=None
    )
    [queued] = deliveries_queue(delivery.client_id, [(delivery.event_id, endpoint.pk)])
    detail = {"delivery": delivery.public_id, "event": delivery.event.public_id}
    _audit(endpoint, "redeliver", actor, request_id, detail)
    return queued


def webhook_secrets_renew() -> int:
    """Forget former secrets whose day is over, and seal what rests on a former key with the
    current one; how many endpoints. Needs an operator's transaction."""
    if not settings.WEBHOOK_KEY:
        return 0
    now, current = datetime.now(UTC), f"{current_key_id()}:"
    renewed = 0
    kept = WebhookEndpoint.objects.exclude(secret__startswith=current, former_secrets=[])
    for endpoint in kept.select_for_update(no_key=True):
        before = (endpoint.secret, endpoint.former_secrets)
        endpoint.former_secrets = endpoint.former_secrets_at(now)
        if not endpoint.former_secrets:
            endpoint.previous_secret_until = None
        sealed = [endpoint.secret, *(one["secret"] for one in endpoint.former_secrets)]
        try:
            anew = {old: seal(unseal(old)) for old in sealed if not old.startswith(current)}
        except WebhooksNotConfigured:
            logger.error("no key opens the secret of %s", endpoint.public_id)  # noqa: TRY400 - no trace needed
            anew = {}
        endpoint.secret = anew.get(endpoint.secret, endpoint.secret)
        endpoint.former_secrets = [
            {**one, "secret": anew.get(one["secret"], one["secret"])}
            for one in endpoint.former_secrets
        ]
        if (endpoint.secret, endpoint.former_secrets) != before:
            endpoint.save(update_fields=["secret", "former_secrets", "previous_secret_until"])
        renewed += bool(anew)
    return renewed


def _switch(endpoint: WebhookEndpoint, *, on: bool) -> None:
    endpoint.is_enabled = on
    endpoint.failures = 0
    endpoint.disabled_reason = "" if on else WebhookEndpoint.DisabledReason.CLIENT
    if not on:
        delivery_cancel_queued(endpoint)


def _require_enabled(endpoint: WebhookEndpoint) -> None:
    if not endpoint.is_enabled:
        raise Conflict(
            "The endpoint is disabled; enable it first.", code="webhook-endpoint-disabled"
        )


def _sorted(event_types: Sequence[str]) -> list[str]:
    return sorted(set(event_types))


def _described(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {
        "url": endpoint.url,
        "description": endpoint.description,
        "event_types": list(endpoint.event_types),
        "enabled": endpoint.is_enabled,
    }


def _audit(
    endpoint: WebhookEndpoint, verb: str, actor: str, request_id: str, detail: Mapping[str, Any]
) -> None:
    audit_record(
        client=endpoint.client,
        actor=actor,
        action=f"webhook-endpoint.{verb}",
        object_id=endpoint.public_id,
        request_id=request_id,
        detail=detail,
    )
