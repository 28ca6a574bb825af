"""The guide: pages for the developers who call the service, and a page for each kind of refusal."""

from __future__ import annotations

import functools
from pathlib import Path

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from portfolios.api.base import ApiView
from portfolios.api.listing import refuse_unknown
from portfolios.api.pages import PageRenderer, page_response
from portfolios.errors import NotFound

_ROOT = Path(__file__).resolve().parents[2]
_FOLDER = _ROOT / "riskapi" / "docs" / "guide"
#: In the order in which they are read.
PAGES = {
    **{
        name: _FOLDER / f"{name}.md"
        for name in (
            "getting-started",
            "authentication",
            "reading",
            "writing",
            "results",
            "files",
            "webhooks",
            "sandbox",
            "refusals",
        )
    },
    # What its package shows is what the guide shows.
    "python": _ROOT / "client" / "README.md",
}


@functools.cache
def guide_pages() -> dict[str, str]:
    """Markdown by page name."""
    return {name: path.read_text() for name, path in PAGES.items()}


def title_of(markdown: str) -> str:
    return markdown.partition("\n")[0].removeprefix("# ")


class _GuideView(ApiView):
    authentication_classes = ()
    permission_classes = (AllowAny,)
    renderer_classes = (PageRenderer,)
    required_scopes = {"GET": None}


@extend_schema(exclude=True)
class GuideIndexView(_GuideView):
    def get(self, request: Request) -> Response:
        """What there is to read."""
        refuse_unknown(request, ())
        lines = [f"- [{title_of(text)}](/v1/guide/{name})" for name, text in guide_pages().items()]
        return page_response("Guide", "\n".join(["# Guide", "", *lines]))


@extend_schema(exclude=True)
class GuidePageView(_GuideView):
    def get(self, request: Request, name: str) -> Response:
        """One page."""
        refuse_unknown(request, ())
        text = guide_pages().get(name)
        if text is None:
            raise NotFound("There is no such page; /v1/guide lists them.")
        return page_response(title_of(text), text)
