"""Our pages in a real browser, under the policies that they are sent with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.chromium import CHROMIUM, IN_CHROMIUM

pytestmark = IN_CHROMIUM


@pytest.fixture
def complaints() -> list[str]:
    """What scripts and browser find wrong, blocked loads included."""
    return []


@pytest.fixture
def page(live_server: Any, complaints: list[str]) -> Iterator[Page]:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        made = browser.new_page(base_url=live_server.url)
        made.on("pageerror", lambda error: complaints.append(str(error)))
        made.on(
            "console", lambda said: complaints.append(said.text) if said.type == "error" else None
        )
        yield made
        browser.close()


def test_an_operation_is_tried_where_it_is_described(page: Page, complaints: list[str]) -> None:
    page.goto("/v1/docs")
    page.click("[data-path='/v1/changelog']")
    page.click("text=Try it out")
    page.click("button.execute")
    assert page.inner_text(".live-responses-table tbody .response-col_status").startswith("200")
    assert complaints == []


@pytest.mark.parametrize(
    "path",
    ["/", "/v1/guide/getting-started", "/v1/errors/stale-price", "/v1/methods", "/v1/changelog"],
)
def test_pages_need_nothing_that_is_forbidden(page: Page, complaints: list[str], path: str) -> None:
    answer = page.goto(path)
    assert answer is not None
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert page.inner_text("h1")
    assert page.evaluate("getComputedStyle(document.querySelector('main')).maxWidth") == "992px"
    assert complaints == []


def test_what_a_page_is_made_to_say_is_not_run(page: Page, complaints: list[str]) -> None:
    page.goto("/v1/docs")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=/x onerror=alert(1)>')")
    page.wait_for_timeout(200)
    assert any("Content Security Policy" in said for said in complaints)
