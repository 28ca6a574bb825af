"""/v1/webhook-endpoints, their deliveries, ping, redelivery and rotation."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings
from standardwebhooks.webhooks import Webhook

from portfolios.jobs import drain
from portfolios.models import AuditEvent, IdempotencyRecord, WebhookEndpoint
from portfolios.services.deliveries import DELIVERY
from portfolios.services.events import event_record
from portfolios.services.webhooks import MAX_ENDPOINTS, MAX_FORMER_SECRETS
from portfolios.tenancy import client_scope, operator_scope
from portfolios.webhooks.catalogue import EventType
from riskapi.logs import RedactKeysFilter
from tests.callers import Answer, Caller
from tests.portfolios.webhooks.hostile_urls import MALFORMED
from tests.receiver import Receiver, Reply

PATH = "/v1/webhook-endpoints"
RUN = "run_0192f0c1a2b37c4d8e5f60718293a4b5"


@pytest.fixture
def made(caller: Caller, receiver: Receiver) -> Answer:
    answer = caller.post(PATH, {"url": receiver.url, "description": "desk"})
    assert answer.status == 201, answer.content
    return answer


@pytest.fixture
def path(made: Answer) -> str:
    return made.headers["Location"]


def tell(caller: Caller) -> None:
    with client_scope(caller.client.pk):
        event_record(caller.client.pk, EventType.RUN_FINISHED, RUN, "succeeded")


def deliveries(caller: Caller, path: str, query: str = "") -> Any:
    answer = caller.get(f"{path}/deliveries{query}")
    assert answer.status == 200, answer.content
    return answer.body["data"]


def test_created_endpoint_reads_back_without_its_secret(
    caller: Caller, made: Answer, path: str
) -> None:
    body = made.body
    assert body.pop("secret").startswith("whsec_")
    read = caller.get(path)
    assert read.body == body
    assert read.headers["ETag"] == made.headers["ETag"]
    assert caller.get(PATH).body["data"] == [body]
    assert (body["enabled"], body["event_types"], body["disabled_reason"]) == (True, [], None)
    assert caller.get(path, If_None_Match=read.headers["ETag"]).status == 304


def test_secret_is_nowhere_in_the_database(caller: Caller, receiver: Receiver) -> None:
    sent = {"url": receiver.url}
    first = caller.post(PATH, sent, Idempotency_Key="k1")
    secret = first.body["secret"].removeprefix("whsec_")
    with operator_scope(), connection.cursor() as cursor:
        for table in ("webhookendpoint", "idempotencyrecord", "auditevent"):
            cursor.execute(f"SELECT count(*), string_agg(t::text, '') FROM portfolios_{table} AS t")
            count, text = cursor.fetchone()
            assert count == 1
            assert secret not in text
        kept = bytes(IdempotencyRecord.objects.get().body or b"")
    assert secret.encode() not in kept


def test_repeated_request_gets_the_same_secret(caller: Caller, receiver: Receiver) -> None:
    sent = {"url": receiver.url}
    first = caller.post(PATH, sent, Idempotency_Key="k1")
    again = caller.post(PATH, sent, Idempotency_Key="k1")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (again.status, again.content) == (201, first.content)
    rotate = f"{first.headers['Location']}/rotate-secret"
    rotated = caller.post(rotate, Idempotency_Key="k2")
    assert caller.post(rotate, Idempotency_Key="k2").content == rotated.content
    assert rotated.body["secret"] != first.body["secret"]
    assert caller.post(rotate).code == "idempotency-key-required"
    for number in range(MAX_FORMER_SECRETS - 1):
        assert caller.post(rotate, Idempotency_Key=f"r{number}").status == 200
    refused = caller.post(rotate, Idempotency_Key="beyond")
    assert (refused.status, refused.code) == (409, "too-many-webhook-secrets")
    assert refused.body["oldest_valid_until"] > datetime.now(UTC).isoformat()


def test_secret_does_not_get_into_a_log(made: Answer) -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "got %s.", (made.body["secret"],), None)
    RedactKeysFilter().filter(record)
    assert record.getMessage() == "got whsec_[redacted]."


@pytest.mark.parametrize("url", [url for url in MALFORMED if "\x00" not in url])
def test_hostile_url_is_refused(caller: Caller, url: str) -> None:
    answer = caller.post(PATH, {"url": url})
    assert answer.status in (400, 422), answer.content
    assert answer.body["errors"][0]["pointer"] == "/url"
    with operator_scope():
        assert not WebhookEndpoint.objects.exists()


def test_name_that_leads_to_this_machine_is_refused(
    caller: Caller, receiver: Receiver, settings: Settings
) -> None:
    settings.WEBHOOK_PRIVATE_TARGETS = []
    answer = caller.post(PATH, {"url": receiver.url})
    assert (answer.status, answer.code) == (422, "webhook-url-refused")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/url"),
        ({"url": 7}, "/url"),
        ({"url": "https://x.example/", "event_types": ["run.done"]}, "/event_types/0"),
        ({"url": "https://x.example/", "event_types": ["webhook.ping"]}, "/event_types/0"),
        ({"url": "https://x.example/", "event_types": "run.finished"}, "/event_types"),
        ({"url": "https://x.example/", "description": "x" * 201}, "/description"),
        ({"url": "https://x.example/", "secret": "whsec_x"}, "/secret"),
    ],
)
def test_invalid_body_names_the_field(caller: Caller, body: Any, pointer: str) -> None:
    answer = caller.post(PATH, body)
    assert answer.status == 400
    assert [entry["pointer"] for entry in answer.body["errors"]] == [pointer]


def test_change_needs_the_version_it_is_based_on(caller: Caller, path: str) -> None:
    assert caller.patch(path, {"description": "b"}).code == "precondition-required"
    tag = caller.get(path).headers["ETag"]
    changed = caller.patch(
        path, {"description": "b", "event_types": ["run.finished", "run.finished"]}, If_Match=tag
    )
    assert changed.status == 200
    assert (changed.body["description"], changed.body["version"]) == ("b", 2)
    assert changed.body["event_types"] == ["run.finished"]
    assert caller.patch(path, {"description": "c"}, If_Match=tag).code == "stale-version"
    assert caller.send("DELETE", path).code == "precondition-required"
    assert caller.send("DELETE", path, If_Match=tag).code == "stale-version"
    gone = caller.send("DELETE", path, If_Match=changed.headers["ETag"])
    assert (gone.status, gone.content) == (204, b"")
    assert caller.get(path).status == 404


def test_url_is_checked_when_it_changes(caller: Caller, path: str, receiver: Receiver) -> None:
    answer = caller.patch(path, {"url": "https://127.0.0.1/"}, If_Match="*")
    assert (answer.status, answer.code) == (422, "webhook-url-refused")
    assert caller.get(path).body["url"] == receiver.url


def test_every_change_is_audited_without_a_secret(caller: Caller, made: Answer, path: str) -> None:
    caller.patch(path, {"description": "b"}, If_Match="*")
    rotated = caller.post(f"{path}/rotate-secret", Idempotency_Key="k")
    caller.send("DELETE", path, If_Match="*")
    with operator_scope():
        events = list(AuditEvent.objects.order_by("id"))
    assert [event.action.rpartition(".")[2] for event in events] == [
        "create", "update", "rotate-secret", "delete"
    ]  # fmt: skip
    assert {event.object_id for event in events} == {made.body["id"]}
    assert {event.actor for event in events} == {f"key:{caller.key.key_id}"}
    assert events[2].request_id == rotated.headers["Request-Id"]


def test_ping_is_delivered_and_its_delivery_says_so(
    caller: Caller, made: Answer, path: str, receiver: Receiver
) -> None:
    receiver.answer = lambda _: Reply(200, body=b"hello")
    accepted = caller.post(f"{path}/ping")
    assert (accepted.status, accepted.body["status"]) == (202, "pending")
    drain([DELIVERY])
    done = caller.get(accepted.headers["Location"]).body
    assert (done["status"], done["tries"], done["next_attempt_at"]) == ("delivered", 1, None)
    assert done["event"]["type"] == "webhook.ping"
    [attempt] = done["attempts"]
    assert (attempt["status"], attempt["answer"], attempt["error"]) == (200, "hello", "")
    assert attempt["duration_ms"] >= 0
    [got] = receiver.received
    said = Webhook(made.body["secret"]).verify(got.body, got.headers)
    assert said["data"]["id"] == made.body["id"]
    assert got.headers["webhook-id"] == done["event"]["id"]


def test_what_is_sent_is_what_events_serves(caller: Caller, path: str, receiver: Receiver) -> None:
    tell(caller)
    drain([DELIVERY])
    assert [json.loads(got.body) for got in receiver.received] == caller.get("/v1/events").body[
        "data"
    ]


def test_deliveries_are_listed_by_status_and_event(
    caller: Caller, path: str, receiver: Receiver
) -> None:
    tell(caller)
    drain([DELIVERY])
    receiver.answer = lambda _: Reply(500)
    tell(caller)
    drain([DELIVERY])
    waiting, delivered = deliveries(caller, path)
    assert (waiting["status"], delivered["status"]) == ("pending", "delivered")
    assert waiting["next_attempt_at"] is not None
    assert deliveries(caller, path, "?status=delivered") == [delivered]
    assert deliveries(caller, path, "?status=failed") == []
    assert deliveries(caller, path, f"?event={waiting['event']['id']}") == [waiting]
    refused = caller.get(f"{path}/deliveries?status=done")
    assert (refused.status, refused.code) == (400, "bad-parameter")


def test_redelivery_is_a_delivery_of_its_own_under_the_same_event(
    caller: Caller, path: str, receiver: Receiver
) -> None:
    tell(caller)
    drain([DELIVERY])
    [first] = deliveries(caller, path)
    again = caller.post(f"{path}/deliveries/{first['id']}/redeliver")
    assert again.status == 202
    assert again.body["id"] != first["id"]
    assert again.body["event"] == first["event"]
    drain([DELIVERY])
    one, other = receiver.received
    assert one.headers["webhook-id"] == other.headers["webhook-id"]
    assert one.body == other.body


def test_disabled_endpoint_is_told_nothing(caller: Caller, path: str, receiver: Receiver) -> None:
    tell(caller)
    assert caller.patch(path, {"enabled": "no"}, If_Match="*").code == "validation-error"
    off = caller.patch(path, {"enabled": False}, If_Match="*")
    assert (off.body["enabled"], off.body["disabled_reason"]) == (False, "client")
    tell(caller)
    assert drain([DELIVERY]) == 0
    [called_off] = deliveries(caller, path)
    assert called_off["status"] == "canceled"
    for action in ("ping", f"deliveries/{called_off['id']}/redeliver"):
        answer = caller.post(f"{path}/{action}")
        assert (answer.status, answer.code) == (409, "webhook-endpoint-disabled")
    on = caller.patch(path, {"enabled": True}, If_Match="*")
    assert (on.body["enabled"], on.body["disabled_reason"]) == (True, None)
    assert caller.post(f"{path}/deliveries/{called_off['id']}/redeliver").status == 202
    assert drain([DELIVERY]) == 1


def test_a_client_has_so_many_endpoints_at_most(caller: Caller, receiver: Receiver) -> None:
    for _ in range(MAX_ENDPOINTS):
        assert caller.post(PATH, {"url": receiver.url}).status == 201
    answer = caller.post(PATH, {"url": receiver.url})
    assert (answer.status, answer.code) == (409, "too-many-webhook-endpoints")


def test_outsider_gets_404_and_changes_nothing(
    caller: Caller, outsider: Caller, path: str, receiver: Receiver
) -> None:
    tell(caller)
    drain([DELIVERY])
    [delivery] = deliveries(caller, path)
    own = outsider.post(PATH, {"url": receiver.url}).headers["Location"]
    for method, address in (
        ("GET", path), ("PATCH", path), ("DELETE", path), ("POST", f"{path}/ping"),
        ("POST", f"{path}/rotate-secret"), ("GET", f"{path}/deliveries"),
        ("GET", f"{path}/deliveries/{delivery['id']}"),
        ("POST", f"{path}/deliveries/{delivery['id']}/redeliver"),
        ("GET", f"{own}/deliveries/{delivery['id']}"),
        ("POST", f"{own}/deliveries/{delivery['id']}/redeliver"),
    ):  # fmt: skip
        body = {"enabled": False} if method == "PATCH" else None
        answer = outsider.send(method, address, body, If_Match="*", Idempotency_Key=address)
        assert answer.code == "not-found", address
    assert caller.get(path).body["version"] == 1
    assert deliveries(caller, path) == [delivery]


def test_key_without_the_scope_is_refused(caller: Caller, reader: Caller, path: str) -> None:
    assert reader.get(path).body["required_scope"] == "webhooks:manage"
    assert reader.post(PATH, {}).status == 403


def test_installation_without_a_key_keeps_no_webhooks(
    caller: Caller, receiver: Receiver, settings: Settings
) -> None:
    settings.WEBHOOK_KEY = ""
    answer = caller.post(PATH, {"url": receiver.url})
    assert (answer.status, answer.code) == (503, "webhooks-not-configured")
    assert caller.get("/v1/events").status == 200
