"""Which representation to answer with."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request

from portfolios.api.exports import unknown_format

_ANY = frozenset({"*/*", "application/*"})


class JsonFirstNegotiation(BaseContentNegotiation):
    """`?format=` where the view has several forms, else the first form that the Accept header
    admits; errors go out as JSON whatever it says."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((p for p in parsers if p.media_type in (media_type, "*/*")), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:  # noqa: ARG002  # DRF's
        forms = {renderer.format: renderer for renderer in renderers}
        wanted = request.query_params.get("format") if len(renderers) > 1 else None
        if wanted is not None:
            if wanted not in forms:
                raise unknown_format(wanted)
            return forms[wanted], forms[wanted].media_type
        accept = request.META.get("HTTP_ACCEPT", "*/*")
        for part in accept.split(","):
            name, *parameters = (piece.strip().lower() for piece in part.split(";"))
            if any(p.replace(" ", "") in ("q=0", "q=0.0", "q=0.00", "q=0.000") for p in parameters):
                continue
            for renderer in renderers:
                media_type = renderer.media_type
                if name in _ANY or name in (media_type, media_type.split("/")[0] + "/*"):
                    return renderer, media_type
        offered = ", ".join(renderer.media_type for renderer in renderers)
        raise NotAcceptable(f"This is available as {offered}.")
