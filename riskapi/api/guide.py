"""The guide: pages for the developers who call the service, and a page for each kind of refusal."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from portfolios.api.listing import refuse_unknown
from portfolios.api.pages import OpenView, PageRenderer, page_response, table
from portfolios.errors import NotFound

_ROOT = Path(__file__).resolve().parents[2]
_FOLDER = _ROOT / "riskapi" / "docs" / "guide"
_ABOUT = """# RiskAPI

Semiconductor beta, hedge effectiveness and leveraged-fund drag of portfolios: what a holder of
leveraged or inverse funds needs to know before trading, each number with its unit, its error, its
sample and a status.

Begin with [From a key to three results](/v1/guide/getting-started); it takes ten minutes.
[Every operation](/v1/docs) has its fields, its scope and a real answer."""


@dataclass(frozen=True)
class Page:
    """A page: where its text is and what one finds there."""

    path: Path
    about: str


#: In the order in which they are read. The README has the same table.
PAGES = {
    "getting-started": Page(_FOLDER / "getting-started.md", "Begin here: ten minutes."),
    "authentication": Page(
        _FOLDER / "authentication.md",
        "API keys, rotation, OAuth 2.0 with a secret or `private_key_jwt`, client certificates"
        " (mTLS), quotas, finding a request again.",
    ),
    "reading": Page(
        _FOLDER / "reading.md", "Pages, filters, shapes, `as_of` and `known_at`, entity tags."
    ),
    "writing": Page(
        _FOLDER / "writing.md", "Idempotency keys, `If-Match`, positions, prices, whole files."
    ),
    "results": Page(
        _FOLDER / "results.md", "Runs, units, figures, what is missing and why, replay."
    ),
    "files": Page(_FOLDER / "files.md", "CSV, Parquet, Arrow, XLSX."),
    "webhooks": Page(
        _FOLDER / "webhooks.md", "What is sent, how it is signed, when it is sent again."
    ),
    "sandbox": Page(
        _FOLDER / "sandbox.md",
        "Test keys, the clock that stands still, a portfolio for each outcome.",
    ),
    "refusals": Page(
        _FOLDER / "refusals.md",
        "The one form of every refusal and what a program does about it.",
    ),
    # What its package shows is what the guide shows.
    "python": Page(_ROOT / "client" / "README.md", "`pip install './client[pandas]'`."),
}


@functools.cache
def guide_pages() -> dict[str, str]:
    """Markdown by page name."""
    return {name: page.path.read_text() for name, page in PAGES.items()}


def title_of(markdown: str) -> str:
    return markdown.partition("\n")[0].removeprefix("# ")


class _GuideView(OpenView):
    def get_renderers(self) -> list[Any]:
        return [PageRenderer()]


@extend_schema(exclude=True)
class GuideIndexView(_GuideView):
    def get(self, request: Request) -> Response:
        """What there is to read."""
        refuse_unknown(request, ())
        rows = [
            (f"[{title_of(text)}](/v1/guide/{name})", PAGES[name].about)
            for name, text in guide_pages().items()
        ]
        text = f"{_ABOUT}\n\n{table(('Page', 'What is in it'), rows)}"
        return page_response("Guide", text)


@extend_schema(exclude=True)
class GuidePageView(_GuideView):
    def get(self, request: Request, name: str) -> Response:
        """One page."""
        refuse_unknown(request, ())
        text = guide_pages().get(name)
        if text is None:
            raise NotFound("There is no such page; /v1/guide lists them.")
        return page_response(title_of(text), text)
