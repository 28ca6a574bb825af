"""Idempotency-Key: one effect per key, in the transaction of the effect."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now

from analytics.management.commands.relay import purge
from portfolios.api.portfolios import PortfolioListView
from portfolios.models import AuditEvent, IdempotencyRecord, Portfolio
from portfolios.services.idempotency import KEPT
from portfolios.tenancy import operator_scope
from tests.callers import Answer, Caller, caller_create
from tests.sizes import sized


def _count() -> int:
    with operator_scope():
        return Portfolio.objects.count()


def test_second_request_gets_the_first_answer_and_has_no_effect(caller: Caller) -> None:
    first = caller.post("/v1/portfolios", {"name": "A"}, Idempotency_Key="k1")
    again = caller.post("/v1/portfolios", {"name": "A"}, Idempotency_Key="k1")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert (again.status, again.content) == (201, first.content)
    for name in ("Location", "ETag", "Content-Type"):
        assert again.headers[name] == first.headers[name]
    assert _count() == 1
    with operator_scope():
        assert AuditEvent.objects.count() == 1


def test_same_key_for_another_request_is_refused(caller: Caller) -> None:
    caller.post("/v1/portfolios", {"name": "A"}, Idempotency_Key="k1")
    answer = caller.post("/v1/portfolios", {"name": "B"}, Idempotency_Key="k1")
    assert (answer.status, answer.code) == (422, "idempotency-key-reused")
    other = caller.post("/v1/instruments", {"name": "A"}, Idempotency_Key="k1")
    assert other.code == "idempotency-key-reused"
    assert _count() == 1


def test_keys_of_two_clients_have_nothing_to_do_with_each_other(
    caller: Caller, outsider: Caller
) -> None:
    caller.post("/v1/portfolios", {"name": "A"}, Idempotency_Key="k1")
    answer = outsider.post("/v1/portfolios", {"name": "B"}, Idempotency_Key="k1")
    assert (answer.status, answer.body["name"]) == (201, "B")


def test_relay_deletes_what_is_too_old_to_be_repeated(caller: Caller) -> None:
    for key in ("old", "new"):
        caller.post("/v1/portfolios", {"name": key}, Idempotency_Key=key)
    with operator_scope():
        IdempotencyRecord.objects.filter(key="old").update(created_at=Now() - 2 * KEPT)
    purge()
    with operator_scope():
        assert set(IdempotencyRecord.objects.values_list("key", flat=True)) == {"new"}


def test_refusal_is_not_kept(caller: Caller) -> None:
    assert caller.post("/v1/portfolios", {}, Idempotency_Key="k1").status == 400
    assert caller.post("/v1/portfolios", {"name": "A"}, Idempotency_Key="k1").status == 201


def test_failure_keeps_neither_effect_nor_key(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = PortfolioListView.post

    def fail(self: PortfolioListView, request: object) -> None:
        made(self, request)  # type: ignore[arg-type]  # handed on
        raise RuntimeError("after the effect")

    with monkeypatch.context() as patch:
        patch.setattr(PortfolioListView, "post", fail)
        assert caller.post("/v1/portfolios", {"name": "A"}, Idempotency_Key="k1").status == 500
    assert _count() == 0
    assert caller.post("/v1/portfolios", {"name": "A"}, Idempotency_Key="k1").status == 201


@pytest.mark.parametrize("key", ["", " ", "a b", "\u00e9", "x" * 256])
def test_malformed_key_is_refused(caller: Caller, key: str) -> None:
    answer = caller.post("/v1/portfolios", {"name": "A"}, Idempotency_Key=key)
    assert (answer.status, answer.code) == (400, "bad-idempotency-key")
    assert _count() == 0


def test_key_is_required_where_a_file_is_sent(caller: Caller) -> None:
    answer = caller.post("/v1/imports?filename=a.csv", raw=b"x", content_type="text/csv")
    assert (answer.status, answer.code) == (400, "idempotency-key-required")


def test_expired_key_may_be_used_again(caller: Caller) -> None:
    caller.post("/v1/portfolios", {"name": "A"}, Idempotency_Key="k1")
    with operator_scope():
        IdempotencyRecord.objects.update(created_at="2020-01-01T00:00:00Z")
    assert caller.post("/v1/portfolios", {"name": "B"}, Idempotency_Key="k1").status == 201
    assert _count() == 2


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_have_one_effect() -> None:
    caller = caller_create("alpha")
    answers: list[Answer] = []

    def send() -> None:
        try:
            answers.append(caller.post("/v1/portfolios", {"name": "A"}, Idempotency_Key="k1"))
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = [answer.status for answer in answers]
    assert len(statuses) == 20
    assert set(statuses) <= {201, 409}
    for answer in answers:
        if answer.status == 409:
            assert answer.code == "idempotency-in-progress"
            assert answer.headers["Retry-After"] == "1"
    assert _count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_key_at_its_end_has_one_more_effect_whatever_the_purge_does() -> None:
    caller = caller_create("alpha")
    answers: list[Answer] = []
    ended = threading.Event()

    def send(key: str) -> None:
        try:
            answers.append(caller.post("/v1/portfolios", {"name": key}, Idempotency_Key=key))
        finally:
            connection.close()

    def purge_on() -> None:
        while not ended.is_set():
            purge()
        connection.close()

    purging = threading.Thread(target=purge_on)
    purging.start()
    keys = [f"k{number}" for number in range(sized(3, 50))]
    for key in keys:
        send(key)
        with operator_scope():
            IdempotencyRecord.objects.filter(key=key).update(
                created_at=Now() - KEPT + timedelta(milliseconds=50)
            )
        threads = [threading.Thread(target=send, args=[key]) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        time.sleep(0.06)
        send(key)  # when the end has passed for certain
    ended.set()
    purging.join()
    assert {answer.status for answer in answers} <= {201, 409}
    with operator_scope():
        names = Counter(Portfolio.objects.values_list("name", flat=True))
    assert names == dict.fromkeys(keys, 2)
