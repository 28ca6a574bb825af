"""Webhook endpoints, what was sent to them, and sending it again."""

from __future__ import annotations

import uuid

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portfolios.api import examples
from portfolios.api.base import ApiView, etagged
from portfolios.api.events import event_uid
from portfolios.api.fields import StrictSerializer, TextField, TruthField
from portfolios.api.listing import (
    Filter,
    Listing,
    boolean,
    instant,
    list_response,
    page_of,
    refuse_unknown,
)
from portfolios.api.preconditions import not_modified, require_match
from portfolios.models import Client, Delivery, Event, WebhookEndpoint
from portfolios.selectors.json_rows import (
    JsonRow,
    document,
    moment,
    named,
    nested,
    only_where,
    plain,
    public_id,
    unless_empty,
)
from portfolios.selectors.webhooks import (
    delivery_get_for_endpoint,
    delivery_list_for_endpoint,
    webhook_endpoint_get_for_client,
    webhook_endpoint_list_for_client,
)
from portfolios.services.webhooks import (
    delivery_redeliver,
    webhook_endpoint_create,
    webhook_endpoint_delete,
    webhook_endpoint_ping,
    webhook_endpoint_update,
    webhook_secret_rotate,
)
from portfolios.webhooks.catalogue import SUBSCRIBABLE
from portfolios.webhooks.targets import MAX_URL

_MANAGE = "webhooks:manage"
#: What a client sees of the states of a leased job.
_STATUSES = {
    Delivery.State.QUEUED: "pending",
    Delivery.State.RUNNING: "pending",
    Delivery.State.DONE: "delivered",
    Delivery.State.QUARANTINED: "failed",
    Delivery.State.CANCELED: "canceled",
}
_ENDPOINT = JsonRow(
    id=public_id("id", WebhookEndpoint.ID_PREFIX),
    url=plain("url"),
    description=plain("description"),
    event_types=plain("event_types"),
    enabled=plain("is_enabled"),
    disabled_reason=unless_empty("disabled_reason"),
    previous_secret_valid_until=moment("previous_secret_until"),
    version=plain("version"),
    created_at=moment("created_at"),
    updated_at=moment("updated_at"),
)
_DELIVERY = JsonRow(
    id=public_id("id", Delivery.ID_PREFIX),
    event=nested(id=public_id("event__uid", Event.ID_PREFIX), type=plain("event__type")),
    status=named("state", _STATUSES),
    tries=plain("tries"),
    next_attempt_at=only_where("state", Delivery.State.QUEUED, moment("not_before")),
    created_at=moment("created_at"),
    finished_at=moment("finished_at"),
    attempts=document("log"),
)
_STATUS_NAMES = tuple(dict.fromkeys(_STATUSES.values()))


def states_of(text: str) -> list[str]:
    found = [state for state, status in _STATUSES.items() if status == text]
    if not found:
        raise ValueError("one of " + ", ".join(_STATUS_NAMES))
    return [str(state) for state in found]


class WebhookEndpointSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    id = serializers.CharField()
    url = serializers.CharField()
    description = serializers.CharField()
    event_types = serializers.ListField(
        child=serializers.CharField(), help_text="Empty: every event."
    )
    enabled = serializers.BooleanField()
    disabled_reason = serializers.ChoiceField(
        choices=WebhookEndpoint.DisabledReason.choices,
        allow_null=True,
        help_text="`gone`: it answered 410; `failing`: several events in a row were given up.",
    )
    previous_secret_valid_until = serializers.DateTimeField(
        allow_null=True, help_text="Until then former secrets sign too, each for 24 hours."
    )
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class WebhookEndpointSecretSerializer(WebhookEndpointSerializer):
    secret = serializers.CharField(help_text="Signs what is sent; shown this once.")


class WebhookEndpointCreateRequestSerializer(StrictSerializer):
    url = TextField(max_length=MAX_URL, help_text="https, port 443, a public host by its name.")
    description = TextField(max_length=200, required=False, allow_blank=True, default="")
    event_types = serializers.ListField(
        child=serializers.ChoiceField(choices=[str(kind) for kind in SUBSCRIBABLE]),
        required=False,
        default=list,
        max_length=len(SUBSCRIBABLE),
        help_text="Empty: every event, those of later versions too.",
    )


class WebhookEndpointUpdateRequestSerializer(StrictSerializer):
    url = TextField(max_length=MAX_URL, required=False)
    description = TextField(max_length=200, required=False, allow_blank=True)
    event_types = serializers.ListField(
        child=serializers.ChoiceField(choices=[str(kind) for kind in SUBSCRIBABLE]),
        required=False,
        max_length=len(SUBSCRIBABLE),
    )
    enabled = TruthField(
        required=False, help_text="While false nothing is sent or kept to be sent; see /v1/events."
    )


class DeliveryEventSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    id = serializers.CharField(help_text="The `webhook-id` of every attempt.")
    type = serializers.CharField()


class DeliveryAttemptSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    at = serializers.DateTimeField()
    status = serializers.IntegerField(allow_null=True, help_text="Of the HTTP answer.")
    error = serializers.CharField(help_text="Why there was no answer; else empty.")
    duration_ms = serializers.IntegerField(allow_null=True)
    answer = serializers.CharField(help_text="Its first bytes.")


class DeliverySerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    id = serializers.CharField()
    event = DeliveryEventSerializer()
    status = serializers.ChoiceField(choices=_STATUS_NAMES)
    tries = serializers.IntegerField()
    next_attempt_at = serializers.DateTimeField(
        allow_null=True, help_text="Null: at once, or none."
    )
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    attempts = DeliveryAttemptSerializer(many=True)


class WebhookEndpointListView(ApiView):
    required_scopes = {"GET": _MANAGE, "POST": _MANAGE}
    sends = {"POST": ("ETag", "Location")}
    refusals = {"POST": (503,)}
    answers_secret = True
    one_trip = True
    listing = Listing(
        webhook_endpoint_list_for_client,
        _ENDPOINT,
        row=WebhookEndpointSerializer,
        filters={"enabled": Filter("is_enabled", boolean), "url": Filter("url")},
        sorts={"created_at": "created_at"},
        default_sort="created_at",
    )

    @extend_schema(
        operation_id="webhook_endpoints_list", responses=page_of(WebhookEndpointSerializer)
    )
    def get(self, request: Request) -> Response:
        """The client's webhook endpoints."""
        return list_response(request, self.listing)

    @extend_schema(
        operation_id="webhook_endpoints_create",
        examples=examples.WEBHOOK_ENDPOINT_CREATE,
        request=WebhookEndpointCreateRequestSerializer,
        responses={201: WebhookEndpointSecretSerializer},
    )
    def post(self, request: Request) -> Response:
        """Have events sent to an address; the answer has the secret that signs them, once."""
        refuse_unknown(request, ())
        sent = WebhookEndpointCreateRequestSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        endpoint, secret = webhook_endpoint_create(
            client=self.client,
            actor=self.actor,
            request_id=self.request_id,
            **sent.validated_data,
        )
        return etagged(
            {**_ENDPOINT.of(endpoint), "secret": secret},
            _tag(endpoint),
            status=201,
            Location=f"/v1/webhook-endpoints/{endpoint.public_id}",
        )


class WebhookEndpointDetailView(ApiView):
    required_scopes = {"GET": _MANAGE, "PATCH": _MANAGE, "DELETE": _MANAGE}
    sends = {"GET": ("ETag",), "PATCH": ("ETag",)}
    refusals = {"DELETE": (412, 428)}

    @extend_schema(operation_id="webhook_endpoints_retrieve", responses=WebhookEndpointSerializer)
    def get(self, request: Request, endpoint_id: str) -> Response:
        """One webhook endpoint."""
        refuse_unknown(request, ())
        endpoint = webhook_endpoint_get_for_client(self.client, endpoint_id)
        return not_modified(request, _tag(endpoint)) or etagged(
            _ENDPOINT.of(endpoint), _tag(endpoint)
        )

    @extend_schema(
        operation_id="webhook_endpoints_update",
        examples=examples.WEBHOOK_ENDPOINT_UPDATE,
        request=WebhookEndpointUpdateRequestSerializer,
        responses=WebhookEndpointSerializer,
    )
    def patch(self, request: Request, endpoint_id: str) -> Response:
        """Change the fields sent. Disabling an endpoint calls off what waits for it; enabling it
        begins with the next event."""
        refuse_unknown(request, ())
        endpoint = webhook_endpoint_get_for_client(self.client, endpoint_id, for_update=True)
        require_match(request, _tag(endpoint))
        sent = WebhookEndpointUpdateRequestSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        endpoint = webhook_endpoint_update(
            endpoint=endpoint,
            changes=sent.validated_data,
            actor=self.actor,
            request_id=self.request_id,
        )
        return etagged(_ENDPOINT.of(endpoint), _tag(endpoint))

    @extend_schema(operation_id="webhook_endpoints_delete", responses={204: None})
    def delete(self, request: Request, endpoint_id: str) -> Response:
        """Delete an endpoint with its secret and its log."""
        refuse_unknown(request, ())
        endpoint = webhook_endpoint_get_for_client(self.client, endpoint_id, for_update=True)
        require_match(request, _tag(endpoint))
        webhook_endpoint_delete(endpoint=endpoint, actor=self.actor, request_id=self.request_id)
        return Response(status=204)


class WebhookSecretRotateView(ApiView):
    required_scopes = {"POST": _MANAGE}
    sends = {"POST": ("ETag",)}
    #: Whoever has lost the answer repeats the request and gets the same secret.
    idempotency_required = True
    refusals = {"POST": (503,)}
    answers_secret = True

    @extend_schema(
        operation_id="webhook_endpoints_rotate_secret",
        request=None,
        responses=WebhookEndpointSecretSerializer,
    )
    def post(self, request: Request, endpoint_id: str) -> Response:
        """Make a new secret; for 24 hours the former one signs beside it, and so does each of
        several. Repeated with its `Idempotency-Key` the request has the same answer."""
        refuse_unknown(request, ())
        endpoint, secret = webhook_secret_rotate(
            endpoint=webhook_endpoint_get_for_client(self.client, endpoint_id, for_update=True),
            actor=self.actor,
            request_id=self.request_id,
        )
        return etagged({**_ENDPOINT.of(endpoint), "secret": secret}, _tag(endpoint))


class WebhookPingView(ApiView):
    required_scopes = {"POST": _MANAGE}
    sends = {"POST": ("Location", "Retry-After")}

    @extend_schema(
        operation_id="webhook_endpoints_ping", request=None, responses={202: DeliverySerializer}
    )
    def post(self, request: Request, endpoint_id: str) -> Response:
        """Send a `webhook.ping` to the endpoint; its delivery says what came of it."""
        refuse_unknown(request, ())
        endpoint = webhook_endpoint_get_for_client(self.client, endpoint_id)
        return _accepted(endpoint, webhook_endpoint_ping(endpoint=endpoint))


def _deliveries(client: Client, *, endpoint: uuid.UUID) -> QuerySet[Delivery]:
    return delivery_list_for_endpoint(WebhookEndpoint(pk=endpoint, client=client))


class DeliveryListView(ApiView):
    required_scopes = {"GET": _MANAGE}
    listing = Listing(
        _deliveries,
        _DELIVERY,
        row=DeliverySerializer,
        filters={
            "status": Filter("state", states_of, lookup="in"),
            "event": Filter("event__uid", event_uid),
            "created_at": Filter("created_at", instant, ranges=True),
        },
        sorts={"created_at": "created_at"},
        default_sort="-created_at",
    )

    @extend_schema(operation_id="webhook_deliveries_list", responses=page_of(DeliverySerializer))
    def get(self, request: Request, endpoint_id: str) -> Response:
        """What was sent to an endpoint in 30 days, with every attempt, the latest first."""
        endpoint = webhook_endpoint_get_for_client(self.client, endpoint_id)
        return list_response(request, self.listing, given={"endpoint": endpoint.pk})


class DeliveryDetailView(ApiView):
    required_scopes = {"GET": _MANAGE}

    @extend_schema(operation_id="webhook_deliveries_retrieve", responses=DeliverySerializer)
    def get(self, request: Request, endpoint_id: str, delivery_id: str) -> Response:
        """One delivery with every attempt."""
        refuse_unknown(request, ())
        endpoint = webhook_endpoint_get_for_client(self.client, endpoint_id)
        delivery = delivery_get_for_endpoint(endpoint, delivery_id)
        return Response(_DELIVERY.of(delivery))


class DeliveryRedeliverView(ApiView):
    required_scopes = {"POST": _MANAGE}
    sends = {"POST": ("Location", "Retry-After")}

    @extend_schema(
        operation_id="webhook_deliveries_redeliver",
        request=None,
        responses={202: DeliverySerializer},
    )
    def post(self, request: Request, endpoint_id: str, delivery_id: str) -> Response:
        """Send the event of a delivery again, under the same id, as a delivery of its own."""
        refuse_unknown(request, ())
        endpoint = webhook_endpoint_get_for_client(self.client, endpoint_id, for_update=True)
        queued = delivery_redeliver(
            endpoint=endpoint,
            delivery=delivery_get_for_endpoint(endpoint, delivery_id),
            actor=self.actor,
            request_id=self.request_id,
        )
        return _accepted(endpoint, queued)


def _accepted(endpoint: WebhookEndpoint, queued: Delivery) -> Response:
    delivery = delivery_get_for_endpoint(endpoint, queued.public_id)
    path = f"/v1/webhook-endpoints/{endpoint.public_id}/deliveries/{delivery.public_id}"
    return Response(
        _DELIVERY.of(delivery),
        status=202,
        headers={"Location": path, "Retry-After": "1"},
    )


def _tag(endpoint: WebhookEndpoint) -> str:
    return f"{endpoint.id.hex}-{endpoint.version}"
