"""An operator at the admin, and something of everything to look at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser

from portfolios.models import (
    Client,
    CorporateAction,
    Delivery,
    Event,
    FxRate,
    Import,
    ImportProblem,
    Instrument,
    LeverageTerms,
    Portfolio,
    Price,
    WebhookEndpoint,
)
from portfolios.services.api_keys import api_key_create
from portfolios.services.positions import position_set_put
from portfolios.tenancy import operator_scope

DAY = date(2026, 11, 20)


@pytest.fixture
def operator(db: None) -> Browser:
    browser = Browser()
    browser.force_login(User.objects.create_superuser("operator", password="x"))
    return browser


@pytest.fixture
def world(db: None) -> dict[str, Any]:
    """One object of each kind, by its model's name."""
    with operator_scope():
        client = Client.objects.create(name="Fund", slug="fund")
        key, _ = api_key_create(client, "trading")
        index = Instrument.objects.create(symbol="SOXX", kind="etf")
        fund = Instrument.objects.create(symbol="SOXS", kind="etf")
        LeverageTerms.objects.create(
            instrument=fund,
            valid_from=date(2021, 8, 25),
            multiple=-3,
            reference_index=index,
            expense_ratio=Decimal("0.0095"),
        )
        CorporateAction.objects.create(
            instrument=fund, ex_date=date(2024, 4, 22), kind="split", new_shares=1, old_shares=10
        )
        price = Price.objects.create(instrument=fund, session=DAY, close=Decimal("5.25"))
        fx = FxRate.objects.create(base="TWD", quote="USD", session=DAY, rate=Decimal("0.031"))
        portfolio = Portfolio.objects.create(client=client, name="Core", benchmark=index)
        positions, _ = position_set_put(
            client=client,
            portfolio=portfolio,
            as_of=DAY,
            positions=[{"instrument": "SOXS", "quantity": Decimal(48000), "tags": ["hedge"]}],
        )
        imported = Import.objects.create(
            client=client, filename="prices.csv", sha256="0" * 64, status="refused"
        )
        ImportProblem.objects.create(
            client=client, imported=imported, row=7, column="Close", code="scale-break",
            value="<b>6e11</b>", message="a jump of 1000x",
        )  # fmt: skip
        endpoint = WebhookEndpoint.objects.create(
            client=client, url="https://hooks.example.com/", secret="SEALED",
            former_secrets=[{"secret": "SEALED", "until": "2040-01-01T00:00:00+00:00"}],
        )  # fmt: skip
        event = Event.objects.create(
            client=client, type="run.finished", object_id="run_1", link="/v1/runs/run_1",
            status="succeeded",
        )  # fmt: skip
        delivery = Delivery.objects.create(
            client=client, endpoint=endpoint, event=event, tries=1,
            log=[{"status": 503, "answer": "<b>busy</b>"}],
        )  # fmt: skip
    return {
        "webhookendpoint": endpoint, "event": event, "delivery": delivery,
        "client": client, "apikey": key, "instrument": fund, "index": index, "price": price,
        "fxrate": fx, "portfolio": portfolio, "positionset": positions, "import": imported,
    }  # fmt: skip


@pytest.fixture
def form_of(operator: Browser) -> Callable[[str], dict[str, Any]]:
    """The fields of an admin page as a browser would send them back untouched."""

    def read(path: str) -> dict[str, Any]:
        response = operator.get(path)
        assert response.status_code == 200
        fields = Fields()
        fields.feed(response.content.decode())
        return fields.values

    return read


class Fields(HTMLParser):
    """Names and values of a page's input, textarea and select elements."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, Any] = {}
        self._open = ""
        self._is_text = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name") or ""
        if "__prefix__" in name or given.get("type") == "submit":
            return
        if tag == "input" and name:
            if given.get("type") not in {"checkbox", "radio"} or "checked" in given:
                self.values[name] = given.get("value") or ""
        elif tag in {"textarea", "select"}:
            self._open = name
            self.values[name] = ""
        elif tag == "option" and "selected" in given and self._open:
            self.values[self._open] = given.get("value") or ""
        self._is_text = tag == "textarea"

    def handle_endtag(self, tag: str) -> None:
        if tag in {"textarea", "select"}:
            self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open and self._is_text:
            self.values[self._open] += data.strip()
