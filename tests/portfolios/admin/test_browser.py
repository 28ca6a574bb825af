"""The admin as an operator uses it: a real browser, its scripts and styles."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, sync_playwright

from portfolios.models import Portfolio, Position
from portfolios.tenancy import operator_scope
from tests.chromium import CHROMIUM, IN_CHROMIUM

pytestmark = IN_CHROMIUM


@pytest.fixture
def stored(world: dict[str, Any]) -> dict[str, Any]:
    """Asked of Django before and after the browser only: its event loop forbids it between."""
    User.objects.create_superuser("boss", password="a-long-one-for-tests")
    return world


def logged_in(browser: Browser, base: str, path: str, errors: list[str]) -> Page:
    """A page of the admin; what its scripts and the browser complain of is written down."""

    def refuse(dialog: Dialog) -> None:
        errors.append(dialog.message)
        dialog.dismiss()

    def complain(said: ConsoleMessage) -> None:
        if said.type == "error" and not said.location["url"].endswith("/favicon.ico"):
            errors.append(f"{said.text} {said.location}")

    page = browser.new_page(viewport={"width": 1100, "height": 900})
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", refuse)
    page.on("console", complain)
    page.goto(f"{base}{path}")
    page.fill("input[name=username]", "boss")
    page.fill("input[name=password]", "a-long-one-for-tests")
    page.click("button[type=submit]")
    return page


def edit_positions(browser: Browser, base: str, portfolio: str) -> list[str]:
    """Log in, record a smaller hedge for the portfolio; errors of the page's scripts."""
    errors: list[str] = []
    page = logged_in(browser, base, f"/admin/portfolios/portfolio/{portfolio}/change/", errors)
    page.click("text=Record positions")
    page.fill("input[name=positions-0-quantity]", "47000")
    page.fill("input[name=as_of]", "2026-11-20")
    page.click("[name=_save]")
    page.wait_for_url(re.compile("/admin/portfolios/positionset/$"))
    assert "was added successfully" in page.content()
    return errors


def test_operator_logs_in_and_records_positions(stored: dict[str, Any], live_server: Any) -> None:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        errors = edit_positions(browser, live_server.url, str(stored["portfolio"].pk))
        browser.close()
    assert errors == []
    with operator_scope():
        assert {p.quantity for p in Position.objects.all()} == {48000, 47000}


def test_all_rows_of_a_list_are_chosen_at_once(stored: dict[str, Any], live_server: Any) -> None:
    errors: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = logged_in(browser, live_server.url, "/admin/portfolios/apikey/", errors)
        page.click("#action-toggle")
        assert "1 of 1 selected" in page.inner_text("span.action-counter")
        browser.close()
    assert errors == []


def test_names_of_clients_harm_no_page(stored: dict[str, Any], live_server: Any) -> None:
    """What is markup stays text, and what is long leaves the other columns in sight."""
    errors: list[str] = []
    tag = "</title><img src=x onerror=alert(1)>{{ 7 }}"
    with operator_scope():
        for name in (tag, "W" * 200):
            Portfolio.objects.create(client=stored["client"], name=name)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = logged_in(browser, live_server.url, "/admin/portfolios/portfolio/", errors)
        assert tag in page.inner_text("#result_list")
        last = page.locator("#result_list tbody tr td.field-is_active").first.bounding_box()
        assert last is not None
        assert last["x"] + last["width"] <= 1100
        page.click(f"text={tag}")
        assert page.input_value("input[name=name]") == tag
        browser.close()
    assert errors == []
