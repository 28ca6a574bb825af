"""Tables, figures and links of the guide that no command of it shows are so."""

from __future__ import annotations

import re

import pytest
from django.test import Client as Browser
from django.urls import resolve

from portfolios.services.access_tokens import LIFETIME
from portfolios.services.api_keys import SCOPE_TEXTS
from portfolios.services.quotas import OPEN_RUNS, REQUESTS, RUNS, WINDOW_SECONDS
from riskapi.api.guide import PAGES, guide_pages, title_of
from riskapi.api.problems import PROBLEMS
from tests.architecture.sources import ROOT


def page(name: str) -> str:
    return PAGES[name].path.read_text()


def rows(name: str) -> set[str]:
    """The lines of a page's tables."""
    return {line for line in page(name).splitlines() if line.startswith("| ")}


def default_of(setting: str) -> str:
    [figure] = re.findall(rf'"{setting}", default=(\d+)', (ROOT / "riskapi/env.py").read_text())
    return str(figure)


def test_every_page_is_served() -> None:
    assert set(ROOT.glob("riskapi/docs/guide/*")) <= {page.path for page in PAGES.values()}


def test_the_readme_has_the_table_of_the_guide() -> None:
    readme = (ROOT / "README.md").read_text()
    for name, one in PAGES.items():
        assert f"]({one.path.relative_to(ROOT)}) | {one.about} |" in readme, name


@pytest.mark.parametrize("way_in", ["private_key_jwt", "mTLS"])
def test_the_readme_names_each_way_in_for_operators_and_for_developers(way_in: str) -> None:
    setting = {"private_key_jwt": "RISK_PUBLIC_URL", "mTLS": "RISK_CERTIFICATE_PROXIES"}[way_in]
    lines = (ROOT / "README.md").read_text().splitlines()
    for beginning in (f"| `{setting}` |", "| [Keys, tokens, scopes and limits]"):
        [line] = [line for line in lines if line.startswith(beginning)]
        assert way_in in line


def test_whoever_opens_the_address_of_the_service_sees_the_guide() -> None:
    pages = [Browser().get(address).content for address in ("/", "/v1/guide")]
    assert pages[0] == pages[1]
    for name, text in guide_pages().items():
        assert f'<a href="/v1/guide/{name}">{title_of(text)}</a>'.encode() in pages[0]
        shown = Browser().get(f"/v1/guide/{name}").content.decode()
        assert "<h1>" in shown
        assert "<script" not in shown


def test_links_lead_somewhere() -> None:
    for name, text in guide_pages().items():
        for address in re.findall(r"\]\((/[^)#]*)", text):
            resolve(address)
            room, _, last = address.removeprefix("/v1/").partition("/")
            assert room != "errors" or not last or last in PROBLEMS, (name, address)
            assert room != "guide" or not last or last in PAGES, (name, address)


def test_every_scope_is_in_the_table() -> None:
    described = {f"| `{scope}` | {text} |" for scope, text in SCOPE_TEXTS.items()}
    assert described <= rows("authentication")


def test_the_limits_are_those_described() -> None:
    requests, runs, open_runs = (
        default_of(f"RISK_{name}")
        for name in ("REQUESTS_PER_MINUTE", "RUNS_PER_MINUTE", "MAX_OPEN_RUNS")
    )
    window = f"in {WINDOW_SECONDS} seconds"
    assert rows("authentication") >= {
        f"| Requests | {requests} {window} | `{REQUESTS}` |",
        f"| Requests for analyses | {runs} {window} | `{RUNS}` |",
        f"| Open runs (queued or running) | {open_runs} | `{OPEN_RUNS}` |",
    }
    assert f"opens for {LIFETIME.seconds // 60} minutes" in page("authentication").replace(
        "\n", " "
    )
    assert f"{default_of('RISK_AUTH_FAILURES_PER_MINUTE')} bad keys" in page("authentication")
