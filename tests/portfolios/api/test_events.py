"""GET /v1/events."""

from __future__ import annotations

from typing import Any

import pytest

from portfolios.models import Event
from portfolios.services.events import event_record
from portfolios.tenancy import client_scope, operator_scope
from portfolios.webhooks.catalogue import EventType
from tests.callers import Caller

OBJECT = "0192f0c1a2b37c4d8e5f60718293a4b5"


def tell(caller: Caller, kind: EventType, prefix: str, status: str) -> str:
    with client_scope(caller.client.pk):
        event_record(caller.client.pk, kind, f"{prefix}_{OBJECT}", status)
        return Event.objects.latest("id").public_id


@pytest.fixture
def told(caller: Caller) -> list[str]:
    return [
        tell(caller, EventType.RUN_FINISHED, "run", "succeeded"),
        tell(caller, EventType.IMPORT_FINISHED, "imp", "refused"),
        tell(caller, EventType.RUN_FINISHED, "run", "failed"),
    ]


def ids(answer: Any) -> list[str]:
    assert answer.status == 200, answer.content
    return [row["id"] for row in answer.body["data"]]


def test_events_come_in_order_with_what_webhooks_send(caller: Caller, told: list[str]) -> None:
    answer = caller.get("/v1/events")
    assert ids(answer) == told
    first = answer.body["data"][0]
    assert first["type"] == "run.finished"
    assert first["data"] == {
        "id": f"run_{OBJECT}", "link": f"/v1/runs/run_{OBJECT}", "status": "succeeded"
    }  # fmt: skip
    assert set(first) == {"type", "id", "created_at", "data"}


def test_reader_goes_on_after_the_last_one_read(caller: Caller, told: list[str]) -> None:
    assert ids(caller.get(f"/v1/events?after={told[0]}")) == told[1:]
    assert ids(caller.get(f"/v1/events?after={told[2]}")) == []
    later = tell(caller, EventType.REPORT_READY, "rep", "done")
    assert ids(caller.get(f"/v1/events?after={told[2]}")) == [later]


def test_pages_hold_all_of_them_once(caller: Caller, told: list[str]) -> None:
    first = caller.get("/v1/events?limit=2")
    assert ids(first) + ids(caller.get(first.body["next_url"])) == told


def test_types_and_objects_select(caller: Caller, told: list[str]) -> None:
    assert ids(caller.get("/v1/events?type=import.finished")) == [told[1]]
    assert ids(caller.get("/v1/events?type__in=run.finished,report.ready")) == [told[0], told[2]]
    assert ids(caller.get(f"/v1/events?object=imp_{OBJECT}")) == [told[1]]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("type=run.done", 400, "bad-parameter"),
        ("typ=run.finished", 400, "unknown-parameter"),
        ("after=run_1", 400, "bad-parameter"),
        (f"after=evt_{OBJECT}", 422, "unknown-event"),
    ],
)
def test_parameter_is_refused_not_ignored(
    caller: Caller, query: str, status: int, code: str
) -> None:
    answer = caller.get(f"/v1/events?{query}")
    assert (answer.status, answer.code) == (status, code)


def test_outsider_sees_nothing_of_it(caller: Caller, outsider: Caller, told: list[str]) -> None:
    assert ids(outsider.get("/v1/events")) == []
    assert outsider.get(f"/v1/events?after={told[0]}").code == "unknown-event"


def test_key_needs_the_scope(caller: Caller, reader: Caller) -> None:
    assert reader.get("/v1/events").body["required_scope"] == "webhooks:manage"


def test_an_import_tells_of_its_end(caller: Caller) -> None:
    from portfolios.jobs import drain
    from portfolios.tasks import IMPORT

    sent = caller.send(
        "POST", "/v1/imports?filename=x.csv&kind=prices&instrument=NOSUCH",
        raw=b"date,close\n2025-08-27,10\n", content_type="text/csv", Idempotency_Key="k",
    )  # fmt: skip
    assert sent.status == 202
    drain([IMPORT])
    [event] = caller.get("/v1/events").body["data"]
    assert event["type"] == "import.finished"
    assert event["data"]["id"] == sent.body["id"]
    assert event["data"]["status"] == caller.get(event["data"]["link"]).body["status"]
    with operator_scope():
        assert Event.objects.count() == 1
