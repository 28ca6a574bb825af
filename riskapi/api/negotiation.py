"""Which representation to answer with."""

from __future__ import annotations

import functools
from typing import Any

from django.http.request import MediaType
from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request

from portfolios.api.exports import unknown_format
from portfolios.errors import InvalidRequest


class JsonFirstNegotiation(BaseContentNegotiation):
    """`?format=` where the view has several forms, else the form that the Accept header prefers;
    errors go out as JSON whatever it says."""

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
        offered = tuple(renderer.media_type for renderer in renderers)
        chosen = _preferred(request.META.get("HTTP_ACCEPT", "*/*"), offered)
        if chosen is None:
            raise NotAcceptable(f"This is available as {', '.join(offered)}.")
        return renderers[chosen], offered[chosen]


@functools.lru_cache(maxsize=256)
def _preferred(accept: str, offered: tuple[str, ...]) -> int | None:
    """Which of the types offered the header prefers (RFC 9110, section 12.5.1); None: none.

    The most specific range that a type is in says its quality, so that `text/csv;q=0, */*` is
    everything but CSV. Of equal qualities the range that stands first in the header decides, then
    the order of the offer. Django's own choice drops ranges of quality 0 before it looks.
    """
    try:
        ranges = [MediaType(part) for part in accept.split(",") if part.strip()]
    except ValueError:  # a parameter in an encoding that there is not
        raise InvalidRequest(
            "Accept holds media types by comma, for example text/csv, application/json;q=0.5.",
            code="bad-header",
        ) from None
    best, chosen = (0.0, 0), None
    for index, media_type in enumerate(offered):
        matching = [
            (accepted.specificity, accepted.quality, -place)
            for place, accepted in enumerate(ranges)
            if accepted.match(media_type)
        ]
        _, quality, place = max(matching, default=(0, 0.0, 0))
        if quality > 0 and (chosen is None or (quality, place) > best):
            best, chosen = (quality, place), index
    return chosen
