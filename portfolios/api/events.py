"""Events: the pull twin of webhooks, with the same bodies under the same ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portfolios.api.base import ApiView
from portfolios.api.listing import (
    Filter,
    Listing,
    instant,
    list_response,
    one_of,
    page_of,
    read_one,
)
from portfolios.identifiers import parse_public_id
from portfolios.models import Event
from portfolios.selectors.webhooks import event_body, event_list_for_client, event_position
from portfolios.webhooks.catalogue import CATALOGUE, EventType

_COLUMNS = ("id", "uid", "type", "object_id", "link", "status", "created_at")
_MEANINGS = " ".join(f"`{kind}`: {described.says}" for kind, described in CATALOGUE.items())


class EventDataSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    id = serializers.CharField(help_text="Of the object that the event is about.")
    link = serializers.CharField(help_text="Where to read it.")
    status = serializers.CharField()


class EventSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    type = serializers.ChoiceField(choices=[str(kind) for kind in EventType], help_text=_MEANINGS)
    id = serializers.CharField(help_text="The same in every delivery: what was seen can be known.")
    created_at = serializers.DateTimeField()
    data = EventDataSerializer()  # type: ignore[assignment]  # taken by the metaclass


def event_uid(text: str) -> Any:
    found = parse_public_id(Event.ID_PREFIX, text)
    if found is None:
        raise ValueError("an event's id, evt_...")
    return found


class EventListView(ApiView):
    required_scopes = {"GET": "webhooks:manage"}
    refusals = {"GET": (422,)}
    listing = Listing(
        row=EventSerializer,
        filters={
            "type": Filter("type", one_of(*EventType)),
            "object": Filter("object_id"),
            "created_at": Filter("created_at", instant, ranges=True),
        },
        sorts={"position": "id"},
        default_sort="position",
        extra={"after": event_uid},
    )

    @extend_schema(operation_id="events_list", responses=page_of(EventSerializer))
    def get(self, request: Request) -> Response:
        """What has happened in the last 30 days, the earliest first: what webhooks send. With
        `after`, what came after that event; none becomes visible later before one that was read."""
        rows = event_list_for_client(self.client)
        after = read_one(request, "after", event_uid)
        if after is not None:
            rows = rows.filter(id__gt=event_position(self.client, after))
        return list_response(request, self.listing, rows.values(*_COLUMNS), _body)


def _body(row: Mapping[str, Any]) -> dict[str, Any]:
    return event_body(Event(**row))
