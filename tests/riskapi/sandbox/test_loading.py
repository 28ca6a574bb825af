"""`manage.py load_sandbox`: made once, completed later, and never taken back."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django import Settings

from portfolios.models import Instrument, Portfolio, PositionSet, Price
from portfolios.services.authentication import api_key_authenticate
from portfolios.tenancy import client_scope, operator_scope
from riskapi.sample.market import BEAR, REFERENCE_SESSION, generate
from tests.callers import Caller


def load(slug: str) -> dict[str, Any]:
    output = io.StringIO()
    call_command("load_sandbox", slug, stdout=output)
    facts: dict[str, Any] = json.loads(output.getvalue())
    return facts


@pytest.fixture(autouse=True)
def state(settings: Settings, tmp_path: Path) -> None:
    settings.STATE_DIR = tmp_path


def test_a_second_load_changes_nothing_and_says_the_same(live: Caller) -> None:
    first = load("alpha")
    with operator_scope():
        counts = [model.objects.count() for model in (Instrument, Price, Portfolio, PositionSet)]
    assert load("alpha") == first
    with operator_scope():
        again = [model.objects.count() for model in (Instrument, Price, Portfolio, PositionSet)]
    assert again == counts
    key = api_key_authenticate(first["api_key"], "127.0.0.1")
    assert key.client.slug == "alpha-sandbox"
    assert first["sandbox_now"] == "2026-10-30T23:30:00Z"


def test_what_is_missing_is_added_and_what_was_changed_stays(sandbox: Caller) -> None:
    with client_scope(sandbox.client.pk):
        Portfolio.objects.get(external_id="pf_test_stale").delete()
        changed = Portfolio.objects.get(external_id="semis")
    address = f"/v1/portfolios/{changed.public_id}/positions?as_of=2026-10-30"
    held = {"positions": [{"instrument": "CHIPB", "quantity": "7"}]}
    assert sandbox.put(address, held).status in (200, 201)
    facts = load("alpha")
    assert "pf_test_stale" in {book["external_id"] for book in facts["portfolios"]}
    (position,) = sandbox.get(address).body["positions"]
    assert (position["instrument"]["symbol"], position["quantity"]) == ("CHIPB", "7")


def test_its_market_is_the_synthetic_one_as_traded(sandbox: Caller) -> None:
    market = generate(REFERENCE_SESSION)
    with client_scope(sandbox.client.pk):
        prices = Price.objects.filter(instrument__symbol=BEAR).order_by("session")
        closes = dict(prices.values_list("session", "close"))
        unlabeled = set(
            Instrument.objects.filter(is_synthetic=False).values_list("kind", flat=True)
        )
    assert list(closes) == market.sessions
    for session, close in closes.items():
        assert float(close or 0) == market.close_of(BEAR, session), session
    assert unlabeled == {"cash"}


@pytest.mark.parametrize("slug", ["nobody", "alpha-sandbox"])
def test_there_is_none_of_what_is_no_institution(live: Caller, slug: str) -> None:
    with pytest.raises(CommandError, match="no client"):
        load(slug)


def test_imports_work_there_and_end_at_its_clock(sandbox: Caller, work: Any) -> None:
    rows = b"date,close\n2026-10-29,71\n2026-10-30,72\n2026-11-02,73\n"
    assert sandbox.post("/v1/instruments", {"symbol": "OWN", "kind": "equity"}).status == 201
    answer = sandbox.send(
        "POST",
        "/v1/imports?kind=prices&instrument=OWN&filename=OWN.csv&mode=partial",
        raw=rows,
        content_type="text/csv",
        Idempotency_Key="own",
    )
    assert answer.status == 202, answer.content
    work()
    imported = sandbox.get(answer.headers["Location"]).body
    assert imported["rows"] == {"in": 3, "accepted": 2, "rejected": 1, "changed": 2}
    problems = sandbox.get(f"{answer.headers['Location']}/errors").body["data"]
    assert [(row["row"], row["code"]) for row in problems] == [(4, "future-date")]
    (event,) = sandbox.get("/v1/events").body["data"]
    assert event["type"] == "import.finished"
