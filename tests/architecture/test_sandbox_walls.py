"""Between an institution and its sandbox stand the walls that stand between any two clients, and
one more: what all clients share ends at the sandbox."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import IntegrityError, transaction
from django.db.models import Model
from django.test import Client as HttpClient
from pytest_django import Settings

from portfolios.identifiers import sandbox_id, uuid7
from portfolios.models import ApiKey, Client, FxRate, RateObservation
from portfolios.services.api_keys import api_key_create
from portfolios.services.data_version import data_version_bump
from portfolios.services.sandboxes import sandbox_of
from portfolios.tenancy import client_scope, operator_scope
from tests import market_facts
from tests.architecture.test_access_matrix import (
    RECEIVER,
    test_a_foreign_object_is_a_missing_one,
    wall,
)
from tests.architecture.two_clients import MARK, Side, side_create, side_of
from tests.callers import Caller

pytestmark = pytest.mark.django_db

#: Asked again, in both directions.
__all__ = ["test_a_foreign_object_is_a_missing_one", "wall"]


def caller_of_sandbox(live: Caller) -> Caller:
    with operator_scope():
        client = sandbox_of(live.client)
        key, text = api_key_create(client, "test")
    return Caller(client, key, text)


@pytest.fixture(autouse=True)
def unseeded(settings: Settings) -> None:
    settings.SANDBOX_SEED = "builtins.repr"  # no market is needed
    settings.WEBHOOK_PRIVATE_TARGETS = [RECEIVER]


@pytest.fixture(params=["live key, sandbox's objects", "test key, live objects"])
def pair(request: pytest.FixtureRequest) -> tuple[Side, Side]:
    """Who asks, and whose objects are asked for."""
    if request.param.startswith("live"):
        live = side_create("alpha", "ALPHAOWN")
        return live, side_of(caller_of_sandbox(live.caller), MARK)
    live = side_create("alpha", MARK)
    return side_of(caller_of_sandbox(live.caller), "ALPHAOWN"), live


@pytest.fixture
def ours(pair: tuple[Side, Side]) -> Side:
    return pair[0]


@pytest.fixture
def theirs(pair: tuple[Side, Side]) -> Side:
    return pair[1]


@pytest.fixture
def shared() -> None:
    """Facts for everybody in every table that has such."""
    market_facts.make_market()
    with operator_scope():
        FxRate.objects.create(base="EUR", quote="USD", session="2025-06-30", rate="1.1")
        RateObservation.objects.create(series="DTB3", session="2025-06-30", value="0.04")
        data_version_bump(None)


def _shared_tables() -> list[type[Model]]:
    """Whose rows may belong to nobody; what happened to nobody in particular is no fact."""
    return [
        model
        for model in apps.get_models()
        if any(f.column == "client_id" and f.null for f in model._meta.concrete_fields)
        and model._meta.model_name not in ("auditevent", "import", "importproblem")
    ]


def test_what_all_share_ends_at_the_sandbox(shared: None) -> None:
    live = market_facts.make_client("alpha")
    with operator_scope():
        sandbox = sandbox_of(live)
    tables = _shared_tables()
    assert len(tables) == 10
    for model in tables:
        with client_scope(sandbox.pk):
            assert not model._default_manager.exists(), model
    with client_scope(live.pk):
        seen = {model._meta.model_name for model in tables if model._default_manager.exists()}
    assert {"instrument", "price", "leverageterms", "fxrate", "rateobservation"} <= seen


def test_a_test_key_is_answered_as_if_nothing_were_shared(shared: None) -> None:
    live = side_create("alpha", "ALPHAOWN").caller
    test = caller_of_sandbox(live)
    for address in ("/v1/instruments", "/v1/fx-rates", "/v1/corporate-actions"):
        assert test.get(address).body["data"] == [], address
    assert test.get("/v1/instruments/NVDA").code == "not-found"
    assert live.get("/v1/instruments/NVDA").status == 200
    assert test.post("/v1/portfolios", {"name": "x", "benchmark": "SOX"}).code == (
        "unknown-instrument"
    )
    assert test.get("/v1/status").body["prices"]["last_session"] is None


def test_cash_that_a_sandbox_names_is_its_own(shared: None) -> None:
    live = side_create("alpha", "ALPHAOWN").caller
    test = caller_of_sandbox(live)
    book = test.post("/v1/portfolios", {"name": "x"}).body["id"]
    held = {"positions": [{"instrument": "CASH.USD", "quantity": "1"}]}
    address = f"/v1/portfolios/{book}/positions?as_of=2025-06-30"
    assert test.put(address, held).status == 201
    (position,) = test.get(address).body["positions"]
    assert position["instrument"]["symbol"] == "CASH.USD"
    assert position["instrument"]["id"] != live.get("/v1/instruments/CASH.USD").body["id"]


def test_each_institution_has_a_sandbox_of_its_own() -> None:
    first, second = (side_create(slug, slug.upper()).caller for slug in ("alpha", "omega"))
    theirs = side_of(caller_of_sandbox(second), MARK)
    ours = caller_of_sandbox(first)
    assert ours.client.pk != theirs.caller.client.pk
    assert caller_of_sandbox(first).client.pk == ours.client.pk, "made once"
    portfolio = theirs.names["portfolio_id"]
    assert ours.get(f"/v1/portfolios/{portfolio}").code == "not-found"


@pytest.mark.parametrize("swap", [("rk_test_", "rk_live_"), ("rk_live_", "rk_test_")])
def test_a_key_is_of_the_mode_it_names(swap: tuple[str, str]) -> None:
    """A text whose mode was changed fails by its checksum; one with a right checksum by the client,
    for a client has keys of one mode."""
    live = side_create("alpha", "ALPHAOWN").caller
    for caller in (live, caller_of_sandbox(live)):
        forged = caller.text.replace(*swap)
        if forged != caller.text:
            answer = caller.get("/v1/me", Authorization=f"Bearer {forged}")
            assert (answer.status, answer.code) == (401, "invalid-api-key")
    assert live.get("/v1/me").body["mode"] == "live"
    assert "Sandbox-Now" not in live.get("/v1/me").headers
    test = caller_of_sandbox(live).get("/v1/me")
    assert test.body["mode"] == "test"
    assert test.headers["Sandbox-Now"] == "2026-10-30T23:30:00Z"


def test_oauth_clients_and_their_tokens_have_the_mode_too() -> None:
    live = side_create("alpha", "ALPHAOWN").caller
    texts = []
    for client in (live.client, caller_of_sandbox(live).client):
        with operator_scope():
            key, secret = api_key_create(client, "app", kind=ApiKey.Kind.OAUTH)
        form = f"grant_type=client_credentials&client_id={key.key_id}&client_secret={secret}"
        answer = HttpClient().post(
            "/oauth/token", form, content_type="application/x-www-form-urlencoded"
        )
        token = answer.json()["access_token"]
        me = live.get("/v1/me", Authorization=f"Bearer {token}").body
        texts.append((secret[:8], token[:8], me["mode"]))
    assert texts == [("rs_live_", "rt_live_", "live"), ("rs_test_", "rt_test_", "test")]


def test_the_id_of_a_client_and_what_it_is_cannot_disagree() -> None:
    """Both walls go by the id, so the database takes no other."""
    live = market_facts.make_client("alpha")
    for bad in (
        {"id": sandbox_id(), "slug": "not-a-sandbox"},
        {"id": uuid7(), "slug": "a-sandbox", "sandbox_of": live},
    ):
        with pytest.raises(IntegrityError), transaction.atomic(), operator_scope():
            Client.objects.create(name="x", **bad)
