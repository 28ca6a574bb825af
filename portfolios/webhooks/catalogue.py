"""Every event a client can be told of: the one list that code, schema and documentation share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EventType(StrEnum):
    RUN_FINISHED = "run.finished"
    REPORT_READY = "report.ready"
    IMPORT_FINISHED = "import.finished"
    WEBHOOK_PING = "webhook.ping"
    WEBHOOK_DISABLED = "webhook.disabled"


@dataclass(frozen=True, slots=True)
class EventKind:
    """What an event means, where its object is found, and the statuses it can carry."""

    says: str
    path: str
    statuses: tuple[str, ...]

    def link(self, object_id: str) -> str:
        return self.path.format(id=object_id)


CATALOGUE: dict[EventType, EventKind] = {
    EventType.RUN_FINISHED: EventKind(
        "A run is over: its results can be read, or it failed or was canceled.",
        "/v1/runs/{id}",
        ("succeeded", "partial", "failed", "canceled"),
    ),
    EventType.REPORT_READY: EventKind(
        "A nightly report, or a revision of one, can be read.",
        "/v1/reports/{id}",
        ("done",),
    ),
    EventType.IMPORT_FINISHED: EventKind(
        "A file has been taken, refused, or could not be judged.",
        "/v1/imports/{id}",
        ("done", "refused", "failed"),
    ),
    EventType.WEBHOOK_PING: EventKind(
        "A test, asked for with POST .../ping and sent to that endpoint alone.",
        "/v1/webhook-endpoints/{id}",
        ("ok",),
    ),
    EventType.WEBHOOK_DISABLED: EventKind(
        "An endpoint was switched off: it answered 410 Gone, or several events in a row could not"
        " be delivered to it.",
        "/v1/webhook-endpoints/{id}",
        ("gone", "failing"),
    ),
}
#: What an endpoint can ask for by name; a ping goes where it was asked for.
SUBSCRIBABLE = tuple(kind for kind in EventType if kind is not EventType.WEBHOOK_PING)
