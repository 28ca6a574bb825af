"""Deliveries: sent, sent again by the schedule, given up, and endpoints that are disabled."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db.models.functions import Now
from pytest_django import Settings
from standardwebhooks.webhooks import Webhook

from portfolios import leases
from portfolios.errors import Conflict
from portfolios.jobs import drain, waiting
from portfolios.models import AuditEvent, Client, Delivery, Event, WebhookEndpoint
from portfolios.services import deliveries
from portfolios.services.deliveries import (
    DELIVERY,
    MAX_AT_ONCE,
    MAX_FAILURES,
    RETRY_DELAYS,
    retry_delay,
)
from portfolios.services.events import event_record
from portfolios.services.webhooks import (
    MAX_FORMER_SECRETS,
    delivery_redeliver,
    webhook_endpoint_create,
    webhook_endpoint_ping,
    webhook_endpoint_update,
    webhook_secret_rotate,
    webhook_secrets_renew,
)
from portfolios.tenancy import client_scope, operator_scope
from portfolios.webhooks import sending
from portfolios.webhooks.catalogue import EventType
from portfolios.webhooks.sending import Reply as Sent
from tests.receiver import Receiver, Reply

RUN = "run_0192f0c1a2b37c4d8e5f60718293a4b5"
State = Delivery.State


@pytest.fixture
def client(db: None) -> Client:
    with operator_scope():
        return Client.objects.create(name="Alpha", slug="alpha")


@pytest.fixture
def endpoint(client: Client, receiver: Receiver) -> WebhookEndpoint:
    return make(client, receiver)[0]


def make(client: Client, receiver: Receiver, path: str = "") -> tuple[WebhookEndpoint, str]:
    with client_scope(client.pk):
        return webhook_endpoint_create(client=client, url=receiver.url + path, actor="test")


def tell(client: Client, status: str = "succeeded") -> Delivery:
    with client_scope(client.pk):
        return event_record(client.pk, EventType.RUN_FINISHED, RUN, status)[0]


def perform(delivery: Delivery) -> Delivery:
    """Its next try, whenever it would have been due."""
    with operator_scope():
        Delivery.objects.filter(pk=delivery.pk).update(not_before=None)
    assert DELIVERY.perform(delivery.pk)
    return fresh(delivery)


def fresh(delivery: Delivery) -> Delivery:
    with operator_scope():
        return Delivery.objects.select_related("endpoint").get(pk=delivery.pk)


def exhaust(delivery: Delivery) -> Delivery:
    for _ in range(len(RETRY_DELAYS) + 1):
        delivery = perform(delivery)
    return delivery


def test_event_arrives_signed_thin_and_under_its_id(client: Client, receiver: Receiver) -> None:
    _, secret = make(client, receiver)
    delivery = tell(client)
    assert drain([DELIVERY]) == 1
    [got] = receiver.received
    said = Webhook(secret).verify(got.body, got.headers)
    with operator_scope():
        event = Event.objects.get()
    assert said == json.loads(got.body) == {
        "type": "run.finished",
        "id": event.public_id,
        "created_at": said["created_at"],
        "data": {"id": RUN, "link": f"/v1/runs/{RUN}", "status": "succeeded"},
    }  # fmt: skip
    assert got.headers["webhook-id"] == event.public_id
    assert len(got.body) < 20_000
    done = fresh(delivery)
    assert (done.state, done.tries, done.log[0]["status"]) == (State.DONE, 1, 204)
    assert done.finished_at is not None


def test_what_fails_is_sent_again_with_the_same_id_and_body(
    client: Client, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.answer = lambda _: Reply(500, body=b"out of order")
    delivery = perform(tell(client))
    assert (delivery.state, delivery.tries, delivery.attempt) == (State.QUEUED, 1, 0)
    assert delivery.not_before is not None
    assert drain([DELIVERY]) == 0, "not before its time"
    receiver.answer = lambda _: Reply(200)
    delivery = perform(delivery)
    assert (delivery.state, delivery.tries) == (State.DONE, 2)
    assert [entry["status"] for entry in delivery.log] == [500, 200]
    assert delivery.log[0]["answer"] == "out of order"
    first, second = receiver.received
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_retries_go_by_the_schedule_of_the_contract() -> None:
    hours = [7_200, 18_000, 36_000, 50_400, 72_000, 86_400]
    assert [delay.total_seconds() for delay in RETRY_DELAYS] == [5, 300, 1_800, *hours]
    failed = Sent(0.1, status=500)
    for tries, delay in enumerate(RETRY_DELAYS, start=1):
        drawn = [retry_delay(tries, failed) / delay for _ in range(200)]
        assert 0.9 <= min(drawn) < 0.95
        assert 1.05 < max(drawn) <= 1.1


@pytest.mark.parametrize(
    ("status", "asked", "low", "high"),
    [
        (429, 60.0, 60, 66),
        (503, 60.0, 60, 66),
        (500, 60.0, 4.5, 5.5),  # says nothing about waiting
        (429, 1.0, 4.5, 5.5),  # never sooner than the schedule
        (429, None, 4.5, 5.5),
        (503, 9e6, 86_400, 86_400),
    ],
)
def test_receiver_may_ask_for_more_time(
    status: int, asked: float | None, low: float, high: float
) -> None:
    reply = Sent(0.1, status=status, retry_after=asked)
    for _ in range(50):
        assert low <= retry_delay(1, reply).total_seconds() <= high


def test_after_the_last_try_the_event_has_failed_and_the_endpoint_stays(
    client: Client, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.answer = lambda _: Reply(500)
    delivery = exhaust(tell(client))
    assert (delivery.state, delivery.tries, len(delivery.log)) == (State.QUARANTINED, 10, 10)
    assert delivery.endpoint.is_enabled
    assert delivery.endpoint.failures == 1
    receiver.answer = lambda _: Reply()
    assert perform(tell(client)).endpoint.failures == 0


def test_repeated_failure_disables_with_an_audit_entry_and_an_event(
    client: Client, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    other, _ = make(client, receiver, "/other")
    receiver.answer = lambda got: Reply(204 if got.path.endswith("other") else 500)
    for number in range(MAX_FAILURES):
        with client_scope(client.pk):
            queued = event_record(client.pk, EventType.RUN_FINISHED, RUN, "failed", only=endpoint)
            left = event_record(client.pk, EventType.RUN_FINISHED, RUN, "failed", only=endpoint)
        delivery = exhaust(queued[0])
        assert delivery.endpoint.is_enabled is (number < MAX_FAILURES - 1)
    assert delivery.endpoint.disabled_reason == "failing"
    assert fresh(left[0]).state == State.CANCELED
    with operator_scope():
        audited = AuditEvent.objects.get(action="webhook-endpoint.disabled")
        told = Event.objects.get(type="webhook.disabled")
        sent = list(told.deliveries.values_list("endpoint", flat=True))
    assert audited.object_id == told.object_id == endpoint.public_id
    assert audited.client_id == client.pk
    assert told.status == "failing"
    assert sent == [other.pk]
    with client_scope(client.pk):
        heard = event_record(client.pk, EventType.RUN_FINISHED, RUN, "failed")
    assert [d.endpoint_id for d in heard] == [other.pk]


def test_410_disables_at_once(
    client: Client, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    waits = tell(client)
    receiver.answer = lambda _: Reply(410)
    gone = perform(tell(client))
    assert gone.state == State.QUARANTINED
    assert (gone.endpoint.is_enabled, gone.endpoint.disabled_reason) == (False, "gone")
    assert fresh(waits).state == State.CANCELED
    assert drain([DELIVERY]) == 0
    with client_scope(client.pk):
        switched = webhook_endpoint_update(
            endpoint=gone.endpoint, changes={"enabled": True}, actor="test"
        )
    assert (switched.is_enabled, switched.disabled_reason) == (True, "")


def test_delivery_of_a_killed_process_goes_out_again_and_says_so(
    client: Client, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    delivery = tell(client)
    for _ in range(5):  # more often than any other job may be begun
        with operator_scope():
            assert leases.claim(Delivery, delivery.pk)
            Delivery.objects.update(lease_until=Now() - timedelta(seconds=1))
    assert drain([DELIVERY]) == 1
    delivery = fresh(delivery)
    assert delivery.state == State.DONE
    assert delivery.log[0]["error"].startswith("interrupted")
    assert delivery.log[1]["status"] == 204
    assert delivery.tries == 1


def test_whoever_lost_the_lease_records_nothing(
    client: Client, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    delivery = tell(client)

    real = deliveries._send

    def overtaken(sent: Delivery) -> Sent:
        reply = real(sent)
        with operator_scope():
            Delivery.objects.update(token=99)
        return reply

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(deliveries, "_send", overtaken)
        assert DELIVERY.perform(delivery.pk)
    assert (fresh(delivery).tries, fresh(delivery).log) == (0, [])


def test_slow_endpoint_leaves_room_for_the_others(
    client: Client, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    slow = [tell(client) for _ in range(20)]
    with operator_scope():
        for delivery in slow[:MAX_AT_ONCE]:
            assert leases.claim(Delivery, delivery.pk)
    assert waiting([DELIVERY]) == (None, [])
    assert not DELIVERY.perform(slow[-1].pk)
    other, _ = make(client, receiver, "/other")
    tell(client)
    _, found = waiting([DELIVERY])
    with operator_scope():
        assert [d.endpoint_id for d in Delivery.objects.filter(pk__in=found)] == [other.pk]


def test_two_signatures_while_a_secret_is_rotated(client: Client, receiver: Receiver) -> None:
    endpoint, old = make(client, receiver)
    with client_scope(client.pk):
        endpoint, new = webhook_secret_rotate(endpoint=endpoint, actor="test")
    perform(tell(client))
    for secret in (old, new):
        Webhook(secret).verify(receiver.received[0].body, receiver.received[0].headers)
    over = [{**one, "until": datetime.now(UTC).isoformat()} for one in endpoint.former_secrets]
    with operator_scope():
        WebhookEndpoint.objects.update(former_secrets=over)
    perform(tell(client))
    signed = receiver.received[1].headers["webhook-signature"]
    assert len(signed.split()) == 1
    Webhook(new).verify(receiver.received[1].body, receiver.received[1].headers)


def test_each_of_several_former_secrets_has_its_day(client: Client, receiver: Receiver) -> None:
    endpoint, secret = make(client, receiver)
    secrets = [secret]
    for _ in range(MAX_FORMER_SECRETS):
        with client_scope(client.pk):
            endpoint, secret = webhook_secret_rotate(endpoint=endpoint, actor="test")
        secrets.append(secret)
    perform(tell(client))
    for secret in secrets:
        Webhook(secret).verify(receiver.received[0].body, receiver.received[0].headers)
    with client_scope(client.pk), pytest.raises(Conflict, match="rotate again after"):
        webhook_secret_rotate(endpoint=endpoint, actor="test")


def test_former_secrets_are_forgotten_and_sealed_anew_like_the_present_one(
    client: Client, receiver: Receiver, settings: Settings
) -> None:
    endpoint, _ = make(client, receiver)
    with client_scope(client.pk):
        endpoint, second = webhook_secret_rotate(endpoint=endpoint, actor="test")
        endpoint.former_secrets[0]["until"] = datetime.now(UTC).isoformat()
        endpoint.save()
        settings.WEBHOOK_KEY_FALLBACKS = [settings.WEBHOOK_KEY]
        settings.WEBHOOK_KEY = "another key, as long as it is random"
        endpoint, third = webhook_secret_rotate(endpoint=endpoint, actor="test")
    with operator_scope():
        assert webhook_secrets_renew() == 1
        assert webhook_secrets_renew() == 0
        endpoint = WebhookEndpoint.objects.get(pk=endpoint.pk)
        assert len(endpoint.former_secrets) == 1
    settings.WEBHOOK_KEY_FALLBACKS = []
    perform(tell(client))
    for secret in (second, third):
        Webhook(secret).verify(receiver.received[0].body, receiver.received[0].headers)


def test_secrets_are_renewed_with_the_current_key(
    client: Client, receiver: Receiver, settings: Settings
) -> None:
    _, secret = make(client, receiver)
    settings.WEBHOOK_KEY_FALLBACKS = [settings.WEBHOOK_KEY]
    settings.WEBHOOK_KEY = "another key, as long as it is random"
    with operator_scope():
        assert webhook_secrets_renew() == 1
        assert webhook_secrets_renew() == 0
    settings.WEBHOOK_KEY_FALLBACKS = []
    perform(tell(client))
    Webhook(secret).verify(receiver.received[0].body, receiver.received[0].headers)


def test_secret_whose_key_is_lost_does_not_keep_others_from_being_renewed(
    client: Client, receiver: Receiver, settings: Settings
) -> None:
    lost, former = "a key nobody has any more", settings.WEBHOOK_KEY
    settings.WEBHOOK_KEY = lost
    unreadable, _ = make(client, receiver)
    settings.WEBHOOK_KEY = former
    make(client, receiver)
    settings.WEBHOOK_KEY, settings.WEBHOOK_KEY_FALLBACKS = "the next key", [former]
    with operator_scope():
        assert webhook_secrets_renew() == 1
        left = WebhookEndpoint.objects.get(pk=unreadable.pk)
    assert left.secret == unreadable.secret


def test_secret_that_cannot_be_read_costs_no_try(
    client: Client, endpoint: WebhookEndpoint, receiver: Receiver, settings: Settings
) -> None:
    settings.WEBHOOK_KEY = "a key that sealed nothing"
    delivery = perform(tell(client))
    assert (delivery.state, delivery.tries, receiver.received) == (State.QUEUED, 0, [])


def test_ping_goes_to_one_endpoint_whatever_it_asks_for(
    client: Client, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    make(client, receiver, "/other")
    with client_scope(client.pk):
        webhook_endpoint_update(
            endpoint=endpoint, changes={"event_types": ["report.ready"]}, actor="test"
        )
        webhook_endpoint_ping(endpoint=endpoint)
    assert drain([DELIVERY]) == 1
    [got] = receiver.received
    assert got.path == "/hook"
    assert json.loads(got.body)["type"] == "webhook.ping"


def test_redelivery_takes_the_place_of_a_waiting_retry(
    client: Client, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.answer = lambda _: Reply(500)
    delivery = perform(tell(client))
    receiver.answer = lambda _: Reply()
    with client_scope(client.pk):
        delivery_redeliver(endpoint=endpoint, delivery=delivery, actor="test")
    assert drain([DELIVERY]) == 1
    assert fresh(delivery).state == State.CANCELED
    assert len({got.headers["webhook-id"] for got in receiver.received}) == 1


def test_name_that_has_turned_private_is_logged_and_tried_again(
    client: Client, endpoint: WebhookEndpoint, receiver: Receiver, settings: Settings
) -> None:
    settings.WEBHOOK_PRIVATE_TARGETS = []
    delivery = perform(tell(client))
    assert (delivery.state, receiver.received) == (State.QUEUED, [])
    assert delivery.log[0]["error"].startswith("address refused")


def test_slow_receiver_is_cut_and_logged(
    client: Client,
    endpoint: WebhookEndpoint,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sending, "TOTAL_SECONDS", 0.5)
    over = _never(receiver)
    delivery = perform(tell(client))
    over()
    assert delivery.log[0]["error"].startswith("timeout")
    assert delivery.log[0]["status"] is None


def _never(receiver: Receiver) -> Callable[[], None]:
    """Have it answer only when the test is over."""
    over = threading.Event()

    def wait(_: object) -> Reply:
        over.wait(30)
        return Reply()

    receiver.answer = wait
    return over.set
