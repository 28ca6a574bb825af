"""A worker killed while it applies a file: the file is applied once, by the next."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from portfolios.models import Client, FxRate, Import
from portfolios.services.imports import import_accept
from portfolios.tenancy import client_scope, operator_scope
from tests.flows.workers import WORKER, Process

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

LEASE = {"RISK_LEASE_SECONDS": "2"}
ROWS = 2_000
CURRENCIES = ("EUR", "JPY", "GBP", "CHF")


def content() -> bytes:
    lines = []
    for n in range(ROWS):
        day = f"{1990 + n // 336}-{n // 28 % 12 + 1:02}-{n % 28 + 1:02}"
        lines.append(f"{CURRENCIES[n % 4]},USD,{day},1.0{n % 9}")
    return "\n".join(["base,quote,date,rate", *lines, ""]).encode()


def wait_for(happens: Callable[[], bool], log: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, log.read_text()[-4000:]
        time.sleep(0.05)


def state(imported: Import) -> tuple[str, int, int]:
    with operator_scope():
        return Import.objects.values_list("status", "attempt", "rows_in").get(pk=imported.pk)


def test_a_file_whose_worker_dies_in_the_applying_stage_is_applied_once(tmp_path: Path) -> None:
    with operator_scope():
        client = Client.objects.create(name="Owner", slug="owner")
    with client_scope(client.pk):
        imported, _ = import_accept(
            client=client, content=content(), filename="rates.csv", kind="fx_rates"
        )
    log = tmp_path / "worker.log"
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as holder:
        # The worker gets as far as writing, and no farther.
        holder.execute(f"LOCK TABLE {FxRate._meta.db_table} IN SHARE ROW EXCLUSIVE MODE")
        worker = Process(WORKER, log, LEASE)
        try:
            wait_for(lambda: state(imported) == ("applying", 1, ROWS), log)
        finally:
            worker.kill()
    with client_scope(client.pk):
        assert not FxRate.objects.exists()
    worker = Process(WORKER, log, LEASE)
    try:
        wait_for(lambda: state(imported)[0] == "done", log)
    finally:
        worker.kill()
    assert state(imported) == ("done", 2, ROWS), log.read_text()[-4000:]
    with client_scope(client.pk):
        assert FxRate.objects.count() == ROWS
        assert not FxRate.objects.exclude(superseded_at=None).exists()
