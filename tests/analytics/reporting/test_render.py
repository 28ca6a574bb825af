"""The page as HTML and PDF: same record, same bytes; the client's text stays text."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from analytics.reporting.page import page_of
from analytics.reporting.render import html_of, pdf_of, typeset
from tests.analytics.reporting.example import AWKWARD, record, with_previous


@pytest.fixture(scope="module")
def html() -> str:
    return html_of(page_of(with_previous()))


def pdf_text(made: dict[str, Any], folder: Path) -> str:
    program = shutil.which("pdftotext")
    if program is None:
        pytest.skip("pdftotext (poppler-utils) is not installed")
    path = folder / "report.pdf"
    path.write_bytes(pdf_of(page_of(made)))
    return subprocess.run(
        [program, "-layout", path, "-"], capture_output=True, text=True, check=True
    ).stdout


class Outline(HTMLParser):
    """Collects open tags, so that unbalanced markup and foreign elements show."""

    VOID = frozenset({"meta", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_same_record_makes_the_same_bytes(html: str) -> None:
    again = page_of(with_previous())
    assert html_of(again) == html
    assert pdf_of(again) == pdf_of(page_of(with_previous()))


def test_order_of_members_in_the_record_does_not_matter(html: str) -> None:
    def reversed_members(node: Any) -> Any:
        if isinstance(node, dict):
            return {name: reversed_members(node[name]) for name in reversed(node)}
        return [reversed_members(child) for child in node] if isinstance(node, list) else node

    assert html_of(page_of(reversed_members(with_previous()))) == html


def test_html_is_balanced_and_stands_alone(html: str) -> None:
    outline = Outline()
    outline.feed(html)
    assert outline.open == []
    assert not outline.seen & {"script", "link", "img", "iframe"}
    assert not re.search(r"""(?:src|href)=["'](?!#)""", html)
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_client_text_reaches_the_html_as_text(html: str) -> None:
    outline = Outline()
    outline.feed(html)
    assert AWKWARD in "".join(outline.text)


def test_headings_have_scope_and_tables_their_caption(html: str) -> None:
    assert html.count("<table>") == html.count("<caption>") > 5
    assert re.search(r"<th(?! scope)[ >]", html) is None


@pytest.mark.parametrize(
    "said",
    [
        "SYNTHETIC DATA",
        "0.743 ± 0.023",
        "12,500,000",
        "92,838",
        "Insufficient history",
        "60 are needed",
        "Stale price",
        "not effective",
        "\u221210.73",
        "What changed since 2026-11-19, revision 1",
        "4 blocks of at least 8",
    ],
)
def test_html_says(html: str, said: str) -> None:
    assert said in html


def test_unavailable_numbers_are_a_dash_and_never_zero() -> None:
    [_, refused, _] = page_of(record()).summary[0].rows
    assert [cell.text for cell in refused] == [
        "New listings",
        "-",
        "-",
        "-",
        "-",
        "-",
        "Too little data",
    ]
    assert refused[-1].note == "Insufficient history"


def test_real_data_is_not_called_synthetic() -> None:
    assert "SYNTHETIC" not in html_of(page_of(record(synthetic=False)))


def test_pdf_shows_client_text_and_numbers_as_they_are(tmp_path: Path) -> None:
    text = pdf_text(with_previous(), tmp_path)
    assert "0.743 ± 0.023" in text
    assert "\u221210.73" in text
    assert '$x$ \\ *bold* "quoted" & co' in " ".join(text.split())
    assert re.search(r"Page 1 of \d", text)


def test_client_without_portfolios_gets_a_page_that_says_so(tmp_path: Path) -> None:
    made = record() | {"portfolios": [], "totals": {"portfolios": 0, "items": 0, "by_status": {}}}
    assert "no active portfolios" in html_of(page_of(made))
    assert "no active portfolios" in pdf_text(made, tmp_path)


@pytest.mark.parametrize("name", ["W" * 200, "\u202e" + "الرئيسية" * 25, AWKWARD * 2])
def test_no_name_leaves_its_column_on_paper(name: str) -> None:
    made = record()
    made["client"]["name"] = name
    for entry in made["portfolios"]:
        entry["name"] = entry["external_id"] = name
    for sheet in typeset(page_of(made), form="png"):
        picture = np.asarray(Image.open(io.BytesIO(sheet)).convert("L"))
        margin = int(picture.shape[1] * 15 / 210)
        assert picture[:, -margin:].min() == 255
        assert picture[:, :margin].min() == 255


def test_pdf_is_a4_and_tagged() -> None:
    content = pdf_of(page_of(record()))
    assert content.startswith(b"%PDF-")
    assert re.search(rb"/MediaBox\s*\[0 0 595\.2\d+ 841\.8\d+\]", content)
    assert b"/StructTreeRoot" in content
