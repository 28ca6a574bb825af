"""The audit, as far as it is the caller's own."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portfolios.api.base import ApiView
from portfolios.api.listing import Filter, Listing, instant, list_response, page_of
from portfolios.selectors.audit import audit_list_for_client
from portfolios.selectors.json_rows import JsonRow, document, moment, plain, unless_empty

_EVENT = JsonRow(
    created_at=moment("created_at"),
    actor=plain("actor"),
    action=plain("action"),
    object=plain("object_id"),
    request_id=unless_empty("request_id"),
    client_request_id=unless_empty("client_request_id"),
    traceparent=unless_empty("traceparent"),
    detail=document("detail"),
)


class AuditEventSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    created_at = serializers.DateTimeField()
    actor = serializers.CharField(help_text="A key, an OAuth client, an operator or a worker.")
    action = serializers.CharField()
    object = serializers.CharField(help_text="The id of what was acted on.")
    request_id = serializers.CharField(
        allow_null=True, help_text="The Request-Id of the answer; null where no request did it."
    )
    client_request_id = serializers.CharField(
        allow_null=True, help_text="The Client-Request-Id, where one was sent."
    )
    traceparent = serializers.CharField(allow_null=True, help_text="As sent, where one was.")
    detail = serializers.DictField()


class AuditListView(ApiView):
    required_scopes = {"GET": "audit:read"}
    one_trip = True
    listing = Listing(
        audit_list_for_client,
        _EVENT,
        row=AuditEventSerializer,
        filters={
            "object": Filter("object_id"),
            "actor": Filter("actor"),
            "action": Filter("action"),
            "request_id": Filter("request_id"),
            "client_request_id": Filter("client_request_id"),
            "created_at": Filter("created_at", instant, ranges=True),
        },
        sorts={"position": "id"},
        default_sort="-position",
    )

    @extend_schema(operation_id="audit_list", responses=page_of(AuditEventSerializer))
    def get(self, request: Request) -> Response:
        """Who did what to which object by which request, the latest first."""
        return list_response(request, self.listing)
