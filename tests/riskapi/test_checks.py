"""No address is served without scopes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.urls import include, path

from portfolios.api.base import ApiView
from riskapi import checks
from riskapi.api.account import MeView


class Undeclared(MeView):
    required_scopes = {"POST": None}


class Misspelled(MeView):
    required_scopes = {"GET": "portfolio:read"}


def _found(monkeypatch: pytest.MonkeyPatch, view: Any, below: str = "v1/") -> list[str | None]:
    patterns = [path(below, include([path("new", view)]))]
    monkeypatch.setattr(checks, "get_resolver", lambda: SimpleNamespace(url_patterns=patterns))
    return [message.id for message in checks.every_view_declares_its_scopes()]


def test_every_address_we_serve_passes() -> None:
    assert checks.every_view_declares_its_scopes() == []


def test_view_without_a_scope_fails_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _found(monkeypatch, Undeclared.as_view()) == ["riskapi.E001"]
    assert _found(monkeypatch, lambda request: None) == ["riskapi.E001"]
    assert _found(monkeypatch, Undeclared.as_view(), "oauth/") == ["riskapi.E001"]


def test_scope_nobody_can_have_fails_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _found(monkeypatch, Misspelled.as_view()) == ["riskapi.E002"]


def test_base_view_needs_no_scope_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _found(monkeypatch, ApiView.as_view()) == []
