"""Events: the pull twin of webhooks, with the same bodies under the same ids."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
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
from portfolios.models import Client, Event
from portfolios.selectors.webhooks import EVENT, event_list_for_client, event_position
from portfolios.webhooks.catalogue import CATALOGUE, EventType

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


def _events(client: Client, *, after: int | None) -> QuerySet[Event]:
    rows = event_list_for_client(client)
    return rows if after is None else rows.filter(id__gt=after)


class EventListView(ApiView):
    required_scopes = {"GET": "webhooks:manage"}
    refusals = {"GET": (422,)}
    listing = Listing(
        _events,
        EVENT,
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
        after = read_one(request, "after", event_uid)
        position = None if after is None else event_position(self.client, after)
        return list_response(request, self.listing, given={"after": position})
