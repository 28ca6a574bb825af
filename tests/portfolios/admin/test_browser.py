"""The admin as an operator uses it: a real browser, its scripts and styles."""

from __future__ import annotations

import re
import shutil
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, sync_playwright

from portfolios.models import Position
from portfolios.tenancy import operator_scope

_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in _NAMES if (path := shutil.which(name))), None)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]


@pytest.fixture
def stored(world: dict[str, Any]) -> dict[str, Any]:
    """Asked of Django before and after the browser only: its event loop forbids it between."""
    User.objects.create_superuser("boss", password="a-long-one-for-tests")
    return world


def edit_positions(browser: Browser, base: str, portfolio: str) -> list[str]:
    """Log in, record a smaller hedge for the portfolio; errors of the page's scripts."""
    errors: list[str] = []
    page = browser.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{base}/admin/portfolios/portfolio/{portfolio}/change/")
    page.fill("input[name=username]", "boss")
    page.fill("input[name=password]", "a-long-one-for-tests")
    page.click("button[type=submit]")
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
