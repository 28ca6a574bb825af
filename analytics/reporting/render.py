"""A page as HTML and as PDF: equal pages make equal bytes."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import typst
from django.template.loader import render_to_string

from analytics.reporting.page import Page

_TEMPLATE = Path(__file__).with_name("report.typ")


def html_of(page: Page) -> str:
    """One self-contained document: no script, no link to anything outside it."""
    return render_to_string("analytics/report/page.html", {"page": page})


def pdf_of(page: Page) -> bytes:
    """A4 with page numbers, tagged for screen readers."""
    document: bytes = typeset(page, form="pdf")
    return document


def typeset(page: Page, *, form: Literal["pdf", "png"]) -> Any:
    """The page as the compiler sets it: one document, or a list of pictures.

    The fonts are the compiler's own and matplotlib's, so the machine's do not matter; the document
    is dated with its business date.
    """
    return typst.compile(
        _TEMPLATE.read_bytes(),
        font_paths=_fonts(),
        sys_inputs={"page": json.dumps(asdict(page), ensure_ascii=False)},
        timestamp=datetime.fromisoformat(page.business_date).replace(tzinfo=UTC),
        format=form,
    )


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(
        include_system_fonts=False, font_paths=[Path(mpl.get_data_path()) / "fonts" / "ttf"]
    )
