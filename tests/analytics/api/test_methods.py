"""How numbers are made is served as data and as pages, and checked against published values."""

from __future__ import annotations

import csv
import re

import pytest
from django.test import Client as Browser

from analytics.calculations.registry import MEASURES
from analytics.selectors.methods import FOLDER, histories, pages
from analytics.services.selfcheck import VALUES, selfcheck_report
from tests.callers import Caller, caller_create
from tests.result_shapes import complaints

pytestmark = pytest.mark.django_db


@pytest.fixture
def caller(db: None) -> Caller:
    return caller_create("alpha")


def test_every_methodology_page_is_listed(caller: Caller) -> None:
    answer = caller.get("/v1/methods")
    assert complaints("MethodList", answer.body) == []
    listed = {row["id"].replace("-", "_") for row in answer.body["data"]}
    assert listed == {path.stem for path in FOLDER.glob("*.md")}
    versions = {row["method_version"] for row in answer.body["data"]} - {None}
    assert versions == {measure.method_version for measure in MEASURES.values()}


@pytest.mark.parametrize("kind", MEASURES)
def test_the_version_that_computes_is_the_last_of_its_history(kind: str) -> None:
    history = histories()[kind]
    versions = [tuple(map(int, one["version"].split("."))) for one in history["versions"]]
    assert versions == sorted(versions)
    last = history["versions"][-1]["version"]
    assert f"{history['method']}/{last}" == MEASURES[kind].method_version
    assert all(one["changes"] for one in history["versions"])


def test_a_method_has_its_text_fields_and_versions(caller: Caller) -> None:
    answer = caller.get("/v1/methods/hedge-effectiveness")
    assert complaints("Method", answer.body) == []
    headings = {row["heading"] for row in answer.body["sections"]}
    assert {"Worked example", "Edge cases"} <= headings
    fields = {row["name"]: row for row in answer.body["fields"]}
    assert {"regression", "dollar_offset", "horizons", "verdict"} <= set(fields)
    assert answer.body["analysis"] == "/v1/analyses/hedge-effectiveness"
    assert answer.body["versions"][-1]["number_changes"]
    by_name = caller.get("/v1/methods/semi-beta")
    assert by_name.body["id"] == "semiconductor-beta"


def test_a_version_says_what_moved(caller: Caller) -> None:
    current = MEASURES["semiconductor-beta"].method_version.partition("/")[2]
    answer = caller.get(f"/v1/methods/semi-beta/versions/{current}")
    assert complaints("MethodOfVersion", answer.body) == []
    assert (answer.body["current"], bool(answer.body["sections"])) == (True, True)
    first = caller.get("/v1/methods/semiconductor-beta/versions/1.0.0")
    assert (first.body["current"], first.body["sections"]) == (False, None)
    assert first.body["method_version"] == "semi-beta/1.0.0"


@pytest.mark.parametrize(
    "path", ["methods/gamma", "methods/semi-beta/versions/9.9.9", "methods/stress/versions/1.0.0"]
)
def test_what_there_is_not_is_not_found(caller: Caller, path: str) -> None:
    assert caller.get(f"/v1/{path}").code == "not-found"


@pytest.mark.parametrize("slug", pages())
def test_every_method_is_a_page_where_a_browser_asks(caller: Caller, slug: str) -> None:
    answer = caller.get(f"/v1/methods/{slug}", Accept="text/html")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert f"<h1>{pages()[slug].title}</h1>".encode() in answer.content
    assert b"<script" not in answer.content


@pytest.mark.parametrize("path", ["methods", "methods/semi-beta/versions/1.1.0", "selfcheck"])
def test_the_others_are_pages_too(caller: Caller, path: str) -> None:
    answer = caller.get(f"/v1/{path}", Accept="text/html,application/json;q=0.5")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert b"<h1>" in answer.content


def test_this_build_agrees_with_every_published_value(caller: Caller) -> None:
    answer = caller.get("/v1/selfcheck")
    assert complaints("Selfcheck", answer.body) == []
    report = answer.body
    assert [row for row in report["values"] if not row["passed"]] == []
    with VALUES.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert report["rows"] == report["passed"] == len(rows) > 30
    assert {row["page"] for row in rows} <= set(pages())
    assert all(row["source"] for row in rows)
    for summary in report["methods"]:
        assert 0 <= summary["max_error_in_tolerances"] <= 1, summary
    norris = next(row for row in report["values"] if row["id"] == "B01-norris-slope")
    assert norris["error"] == abs(norris["actual"] - norris["expected"]) < 1e-12


def test_a_wrong_value_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check compares: the same engine against a value that is not right does not pass."""
    wrong = VALUES.read_text(encoding="utf-8").replace(",6.0,0.0,", ",7.0,0.0,")
    monkeypatch.setattr(type(VALUES), "read_text", lambda *_args, **_named: wrong)
    report = selfcheck_report.__wrapped__()
    assert [row["id"] for row in report["values"] if not row["passed"]] == ["L10-bull"]


def test_pages_lead_to_one_another_and_nowhere_else() -> None:
    links = {link for page in pages().values() for link in re.findall(r"\]\(([^)]*)\)", page.text)}
    assert "/v1/methods/beta-ladder" in links
    assert links <= {f"/v1/methods/{slug}" for slug in pages()}


def test_whoever_has_no_key_may_read_how_numbers_are_made() -> None:
    browser = Browser()
    for address in ("/v1/methods", "/v1/methods/semiconductor-beta", "/v1/selfcheck"):
        page = browser.get(address, HTTP_ACCEPT="text/html,*/*;q=0.8")
        assert page.status_code == 200
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert b"<blockquote>" not in page.content
        assert browser.get(address).json()
