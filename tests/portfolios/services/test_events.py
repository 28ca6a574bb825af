"""Events: one immutable row per cause, in an order that a reader can rely on."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from django.db import ProgrammingError, connection, transaction
from django.db.models.functions import Now

from portfolios.errors import NotFound
from portfolios.models import Client, Delivery, Event, WebhookEndpoint
from portfolios.services.events import KEPT, event_hold, event_record, events_purge
from portfolios.services.webhooks import delivery_redeliver, webhook_endpoint_delete
from portfolios.tenancy import client_scope, operator_scope
from portfolios.webhooks.catalogue import CATALOGUE, EventType

RUN = "run_0192f0c1a2b37c4d8e5f60718293a4b5"


@pytest.fixture
def client(db: None) -> Client:
    with operator_scope():
        return Client.objects.create(name="Alpha", slug="alpha")


def endpoint_of(client: Client, *types: str, **fields: object) -> WebhookEndpoint:
    with operator_scope():
        return WebhookEndpoint.objects.create(
            client=client, url="https://hooks.example.com/", event_types=list(types), **fields
        )


def tell(client: Client, status: str = "succeeded") -> list[Delivery]:
    with client_scope(client.pk):
        return event_record(client.pk, EventType.RUN_FINISHED, RUN, status)


def test_every_kind_of_event_is_described() -> None:
    assert set(CATALOGUE) == set(EventType)
    assert CATALOGUE[EventType.RUN_FINISHED].link(RUN) == f"/v1/runs/{RUN}"


def test_endpoints_that_ask_for_the_type_get_a_delivery(client: Client) -> None:
    wants_all, wants_it = endpoint_of(client), endpoint_of(client, "run.finished", "report.ready")
    endpoint_of(client, "report.ready")
    endpoint_of(client, is_enabled=False)
    assert {queued.endpoint_id for queued in tell(client)} == {wants_all.pk, wants_it.pk}


def test_another_clients_endpoint_hears_nothing(client: Client) -> None:
    with operator_scope():
        endpoint_of(Client.objects.create(name="Omega", slug="omega"))
    assert tell(client) == []


def test_event_goes_with_the_transaction_of_its_cause(client: Client) -> None:
    endpoint_of(client)
    with client_scope(client.pk):
        event_record(client.pk, EventType.RUN_FINISHED, RUN, "failed")
        transaction.set_rollback(True)
    with operator_scope():
        assert not Event.objects.exists()
        assert not Delivery.objects.exists()


def test_event_cannot_be_changed(client: Client) -> None:
    tell(client)
    with pytest.raises(ProgrammingError, match="append-only"), client_scope(client.pk):
        Event.objects.update(status="failed")


def test_events_past_their_time_are_purged_with_their_deliveries(client: Client) -> None:
    endpoint_of(client)
    tell(client)
    with operator_scope():
        old = Event.objects.create(
            client=client, type="run.finished", object_id=RUN, link="/", status="failed",
            created_at=Now() - KEPT - timedelta(seconds=1),
        )  # fmt: skip
        Delivery.objects.create(client=client, event=old, endpoint=WebhookEndpoint.objects.get())
        assert events_purge() == 1
        assert Event.objects.get().status == "succeeded"
        assert Delivery.objects.count() == 1


def _old_delivery(endpoint: WebhookEndpoint, status: str) -> Delivery:
    old = Event.objects.create(
        client=endpoint.client, type="run.finished", object_id=RUN, link="/", status=status,
        created_at=Now() - KEPT - timedelta(seconds=1),
    )  # fmt: skip
    return Delivery.objects.create(client=endpoint.client, event=old, endpoint=endpoint)


def test_more_than_are_purged_at_once_go_in_turns(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portfolios.services.events.PURGED_AT_ONCE", 2)
    endpoint = endpoint_of(client)
    with operator_scope():
        for status in "abc":
            _old_delivery(endpoint, status)
        assert [events_purge() for _ in range(3)] == [2, 1, 0]
        assert not Event.objects.exists()
        assert not Delivery.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("table", ["event", "delivery"])
def test_purge_waits_for_nobody_and_passes_over_what_is_worked_with(
    client: Client, table: str
) -> None:
    endpoint = endpoint_of(client)
    with operator_scope():
        busy = _old_delivery(endpoint, "busy")
        _old_delivery(endpoint, "idle")
    held, purged = threading.Event(), threading.Event()

    def work() -> None:
        with client_scope(client.pk):
            if table == "event":
                assert event_hold(busy.event_id)
            else:
                Delivery.objects.filter(pk=busy.pk).update(tries=7)
            held.set()
            assert purged.wait(10), "the purge waited"
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    assert held.wait(10)
    with operator_scope():
        assert events_purge() == 1
    purged.set()
    thread.join()
    with operator_scope():
        assert Event.objects.get().status == "busy"
        assert events_purge() == 1
        assert not Delivery.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_event_that_is_being_purged_is_not_sent_again(client: Client) -> None:
    endpoint = endpoint_of(client)
    with operator_scope():
        delivery = _old_delivery(endpoint, "old")
    purging, asked = threading.Event(), threading.Event()

    def purge() -> None:
        with operator_scope():
            assert events_purge() == 1
            purging.set()
            assert not asked.wait(0.5), "it was not waited for"
        connection.close()

    thread = threading.Thread(target=purge)
    thread.start()
    assert purging.wait(10)
    with pytest.raises(NotFound), client_scope(client.pk):
        delivery_redeliver(endpoint=endpoint, delivery=delivery, actor="test")
    asked.set()
    thread.join()


@pytest.mark.django_db(transaction=True)
def test_whoever_has_read_an_event_is_never_shown_an_earlier_one(client: Client) -> None:
    """A second event waits for the first one's commit, and so gets its number after it."""
    written, seen = threading.Event(), threading.Event()

    def slow() -> None:
        with client_scope(client.pk):
            event_record(client.pk, EventType.RUN_FINISHED, RUN, "partial")
            written.set()
            assert not seen.wait(0.5), "the other event was committed first"
        connection.close()

    def quick() -> None:
        written.wait(10)
        tell(client, "succeeded")
        seen.set()
        connection.close()

    threads = [threading.Thread(target=target) for target in (slow, quick)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 10
    for thread in threads:
        thread.join(deadline - time.monotonic())
    with operator_scope():
        told = list(Event.objects.order_by("id").values_list("status", flat=True))
    assert told == ["partial", "succeeded"]


@pytest.mark.django_db(transaction=True)
def test_endpoint_deleted_at_the_same_time_costs_no_event(client: Client) -> None:
    endpoint = endpoint_of(client)
    other = endpoint_of(client)
    deleting, told = threading.Event(), threading.Event()

    def delete() -> None:
        with client_scope(client.pk):
            webhook_endpoint_delete(endpoint=endpoint, actor="test")
            deleting.set()
            assert not told.wait(0.5), "the event did not wait"
        connection.close()

    thread = threading.Thread(target=delete)
    thread.start()
    deleting.wait(10)
    queued = tell(client)
    told.set()
    thread.join()
    assert [delivery.endpoint_id for delivery in queued] == [other.pk]
    with operator_scope():
        assert Event.objects.count() == 1
