"""The examples of the schema work as they stand."""

from __future__ import annotations

import pytest
from drf_spectacular.utils import OpenApiExample
from pytest_django import Settings

from portfolios.api import examples
from portfolios.api.imports import CLIENT_KINDS
from portfolios.models import Import, Instrument
from portfolios.services.imports import import_perform
from portfolios.tenancy import operator_scope
from tests.callers import Caller


@pytest.fixture
def portfolio(caller: Caller, market: dict[str, Instrument]) -> str:
    """The path of a portfolio, with every instrument that the examples name on file."""
    with operator_scope():
        for symbol in ("SMH", "SPY"):
            Instrument.objects.create(symbol=symbol, kind="etf")
    made = caller.post("/v1/portfolios", examples.PORTFOLIO_CREATE[0].value)
    assert made.status == 201
    return made.headers["Location"]


def test_portfolio_examples(caller: Caller, portfolio: str) -> None:
    changed = caller.patch(portfolio, examples.PORTFOLIO_UPDATE[0].value, If_Match="*")
    assert changed.body["benchmark"]["symbol"] == "SMH"
    put = caller.put(f"{portfolio}/positions?as_of=2026-11-20", examples.POSITIONS_PUT[0].value)
    assert put.status == 201


def test_batch_example(caller: Caller, portfolio: str) -> None:
    rows = examples.POSITIONS_BATCH[0].value["positions"]
    named = list(dict.fromkeys(row["portfolio"] for row in rows))
    own = {name: caller.post("/v1/portfolios", {"name": name}).body["id"] for name in named}
    sent = [{**row, "portfolio": own[row["portfolio"]]} for row in rows]
    answer = caller.post("/v1/positions:batch", {"positions": sent}, Idempotency_Key="1")
    assert answer.status == 200
    assert [made["rows"] for made in answer.body["sets"]] == [2, 1]


def test_instrument_examples(caller: Caller, portfolio: str) -> None:
    assert caller.post("/v1/instruments", examples.INSTRUMENT_CREATE[0].value).status == 201
    caller.post("/v1/instruments", {"symbol": "BEAR3", "kind": "etf"})
    changed = caller.patch(
        "/v1/instruments/BEAR3", examples.INSTRUMENT_UPDATE[0].value, If_Match="*"
    )
    assert changed.body["proxy"]["symbol"] == "SOXL"
    terms = examples.LEVERAGE_TERMS_CREATE[0].value
    assert caller.post("/v1/instruments/BEAR3/leverage-terms", terms).status == 201
    resolved = caller.post("/v1/instruments:resolve", examples.RESOLVE[0].value).body
    assert list(resolved["found"]) == ["SOXS"]
    assert list(resolved["unknown"]) == ["SOXZ"]


def test_webhook_examples(caller: Caller, settings: Settings) -> None:
    sent = examples.WEBHOOK_ENDPOINT_CREATE[0].value
    settings.WEBHOOK_PRIVATE_TARGETS = ["localhost:443"]
    made = caller.post("/v1/webhook-endpoints", {**sent, "url": "https://localhost/riskapi"})
    assert made.body["event_types"] == sorted(sent["event_types"])
    changes = examples.WEBHOOK_ENDPOINT_UPDATE[0].value
    changed = caller.patch(made.headers["Location"], changes, If_Match="*")
    assert changed.body["event_types"] == []


@pytest.mark.parametrize(
    ("path", "example", "count"),
    [
        ("prices", examples.PRICES_ADD, 1),
        ("fx-rates", examples.FX_RATES_ADD, 1),
        ("corporate-actions", examples.CORPORATE_ACTIONS_ADD, 2),
    ],
)
def test_market_examples(
    caller: Caller, portfolio: str, path: str, example: list[OpenApiExample], count: int
) -> None:
    answer = caller.post(f"/v1/{path}", example[0].value)
    assert (answer.status, answer.body["new"]) == (200, count)


@pytest.mark.parametrize("summary", examples.IMPORTS)
def test_import_examples(caller: Caller, portfolio: str, summary: str) -> None:
    query, media_type, content = examples.IMPORTS[summary]
    sent = caller.post(
        f"/v1/imports?{query}", raw=content.encode(), content_type=media_type, Idempotency_Key="k"
    )
    assert sent.status == 202, sent.body
    with operator_scope():
        import_id = Import.objects.get().pk
    assert import_perform(import_id)
    done = caller.get(sent.headers["Location"]).body
    assert done["status"] == "done", caller.get(f"{sent.headers['Location']}/errors").body
    assert done["rows"]["in"] == done["rows"]["changed"] > 1


def test_the_schema_names_the_columns_of_every_kind(caller: Caller) -> None:
    document = caller.get("/v1/openapi.json").body
    told = document["paths"]["/v1/imports"]["post"]["description"]
    for kind in CLIENT_KINDS:
        assert f"`{kind}`: `" in told
    assert "`instrument`, `quantity`; also `portfolio`, `as_of`, `cost`, `tags`" in told
