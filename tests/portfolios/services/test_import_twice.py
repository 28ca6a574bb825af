"""The same upload from several sides at once, and the trial of an upload."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from portfolios.models import Client, Import, ImportProblem
from portfolios.services.imports import import_accept, import_perform
from portfolios.tenancy import client_scope, operator_scope

CONTENT = b"date,close\n2025-08-28,10\n2025-08-29,11\n"


@pytest.mark.django_db(transaction=True)
def test_equal_uploads_at_once_are_one_import() -> None:
    with operator_scope():
        client = Client.objects.create(name="Twice", slug="twice")

    def accept(_: int) -> object:
        try:
            with client_scope(client.id):
                imported, _created = import_accept(
                    client=client, content=CONTENT, filename="ONE.csv"
                )
            return imported.pk
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        accepted = set(pool.map(accept, range(8)))
    assert len(accepted) == 1
    with operator_scope():
        assert Import.objects.count() == 1


@pytest.mark.django_db
def test_dry_run_finds_what_only_writing_finds() -> None:
    with operator_scope():
        client = Client.objects.create(name="Trial", slug="trial")
    with client_scope(client.id):
        imported, _ = import_accept(
            client=client, content=CONTENT, filename="NOWHERE.csv", dry_run=True
        )
    assert import_perform(imported.pk)
    with client_scope(client.id):
        imported.refresh_from_db()
        assert imported.status == Import.Status.REFUSED
        assert ImportProblem.objects.get(imported=imported).code == "unknown-instrument"
