"""An institution with a live key, and a test key of its sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.db import transaction
from pytest_django import DjangoDbBlocker

from analytics.tasks import KINDS
from portfolios.jobs import drain
from portfolios.models import Client
from portfolios.services.api_keys import api_key_create
from portfolios.services.sandboxes import sandbox_of
from portfolios.tenancy import operator_scope
from tests.callers import Caller, caller_create


@pytest.fixture(scope="module")
def institution(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Caller]:
    """With a sandbox, which takes seconds: once for all tests of a module, each of which undoes
    what it did. All happens in one transaction and so at one time of the database, by which the
    states of the market are told apart: one test of a module may change it."""
    with django_db_blocker.unblock(), transaction.atomic():
        live = caller_create("alpha")
        with operator_scope():
            sandbox_of(live.client)
        yield live
        transaction.set_rollback(True)


@pytest.fixture
def live(institution: Caller, db: None) -> Caller:
    return institution


@pytest.fixture
def sandbox(live: Caller) -> Caller:
    with operator_scope():
        client = Client.objects.get(sandbox_of=live.client)
        key, text = api_key_create(client, "test")
    return Caller(client, key, text)


@pytest.fixture
def work() -> Callable[[], int]:
    """Do what waits, as a worker would."""
    return lambda: drain(KINDS)
