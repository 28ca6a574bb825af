"""Clients who wait, and clients who send slowly, keep nobody else from being answered."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator

import pytest
from django.test import Client as HttpClient

from analytics.models import Run, Unit
from analytics.services import runs
from portfolios.api.receiving import CLIENTS, STRANGERS
from portfolios.tenancy import client_scope
from tests.callers import Caller


@contextlib.contextmanager
def taken(places: threading.BoundedSemaphore, count: int) -> Iterator[None]:
    for _ in range(count):
        assert places.acquire(blocking=False)
    try:
        yield
    finally:
        for _ in range(count):
            places.release()


@pytest.fixture
def run(caller: Caller) -> Run:
    with client_scope(caller.client.id):
        run = Run.objects.create(
            id=uuid.uuid4(),
            client=caller.client,
            kind=Run.Kind.LEVERAGED_DRAG,
            as_of="2025-08-29",
            known_at="2025-08-30T00:00:00Z",
            params_hash="p",
            inputs_hash="i",
            method_version="m/1",
            created_at="2025-08-30T00:00:00Z",
        )
        Unit.objects.create(client=caller.client, run=run, name="main", ordinal=0, params={})
        return run


def test_nobody_waits_where_all_places_are_taken(caller: Caller, run: Run) -> None:
    path = f"/v1/runs/{run.public_id}?wait=2"
    began = time.monotonic()
    with taken(runs._waiting, runs.MAX_WAITING):
        answer = caller.get(path)
    assert (answer.status, answer.body["status"]) == (200, "queued")
    assert time.monotonic() - began < 1
    began = time.monotonic()
    assert caller.get(path).status == 200
    assert time.monotonic() - began > 1.9


def test_bodies_beyond_the_places_for_them_are_put_off(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CLIENTS, "patience_seconds", 0.05)
    with taken(CLIENTS.free, CLIENTS.count):
        answer = caller.post("/v1/portfolios", {"name": "x"})
        assert (answer.status, answer.code) == (503, "service-degraded")
        assert answer.headers["Retry-After"] == "5"
        assert caller.get("/v1/portfolios").body["data"] == []
    assert caller.post("/v1/portfolios", {"name": "x"}).status == 201


def test_strangers_keep_no_client_from_being_heard(
    caller: Caller, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(STRANGERS, "patience_seconds", 0.05)
    form = "application/x-www-form-urlencoded"
    with taken(STRANGERS.free, STRANGERS.count):
        for path in ("/oauth/token", "/oauth/revoke", "/admin/login/"):
            assert client.post(path, b"grant_type=x", form).status_code == 503, path
        assert caller.post("/v1/portfolios", {"name": "x"}).status == 201
    assert client.post("/oauth/token", b"grant_type=x", form).status_code == 400


def test_a_form_of_a_stranger_is_small(client: HttpClient) -> None:
    answer = client.post(
        "/oauth/token", b"a=" + b"x" * 100_000, "application/x-www-form-urlencoded"
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "payload-too-large")
