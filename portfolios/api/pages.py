"""Texts for people: Markdown as a page that stands alone."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import mark_safe
from markdown_it import MarkdownIt
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from portfolios.api.base import ApiView
from portfolios.page_policies import READING

LINKS = (
    ("/v1/guide/getting-started", "Getting started"),
    ("/v1/guide", "Guide"),
    ("/v1/docs", "Operations"),
    ("/v1/methods", "Methods"),
    ("/v1/errors", "Refusals"),
    ("/v1/changelog", "Changes"),
)


class PageRenderer(BaseRenderer):
    """For views that answer with a page where a browser asks; see `wants_page`."""

    media_type = "text/html"
    format = "html"
    charset = "utf-8"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,  # noqa: ARG002  # DRF's signature
        renderer_context: Mapping[str, Any] | None = None,  # noqa: ARG002  # DRF's signature
    ) -> bytes:
        return bytes(data)


class OpenView(ApiView):
    """What anybody may read, before there is a key: JSON, and a page where a browser asks."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    required_scopes = {"GET": None}

    def get_renderers(self) -> list[Any]:
        return [*super().get_renderers(), PageRenderer()]


def wants_page(request: Request) -> bool:
    """Whether the caller prefers a page to JSON."""
    return isinstance(request.accepted_renderer, PageRenderer)


def page_response(title: str, markdown: str) -> Response:
    return Response(page(title, markdown), headers={"Content-Security-Policy": READING})


def page(title: str, markdown: str) -> bytes:
    """Markdown as a whole page. HTML within it is shown, never taken for HTML."""
    body = mark_safe(_markdown().render(markdown))  # noqa: S308  # its HTML is switched off
    names = {"title": title, "body": body, "links": LINKS}
    return render_to_string("portfolios/page.html", names).encode()


def table(names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [names, tuple("---" for _ in names), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


@functools.cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table")
