"""GET /v1/changelog."""

from __future__ import annotations

from riskapi.api.changelog import changes_in
from tests.callers import Caller

TEXT = """# Changelog

Sections of a release.

## 1.1.0

### Improvements

- One thing,
  told in two lines.
- Another.

### Number changes

- A figure.

## 1.0.0

- The first.
"""


def test_entries_carry_the_headings_above_them() -> None:
    assert [tuple(entry.values()) for entry in changes_in(TEXT)] == [
        ("1.1.0", "Improvements", "One thing, told in two lines."),
        ("1.1.0", "Improvements", "Another."),
        ("1.1.0", "Number changes", "A figure."),
        ("1.0.0", "", "The first."),
    ]


def test_the_projects_own_is_served(caller: Caller) -> None:
    answer = caller.get("/v1/changelog")
    assert answer.status == 200
    assert answer.body["api_release"] == answer.headers["Api-Release"]
    sections = {entry["section"] for entry in answer.body["data"]}
    assert {"Improvements", "Number changes"} <= sections
    assert caller.get("/v1/changelog?since=1").code == "unknown-parameter"
