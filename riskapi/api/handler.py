"""Where the server hands requests over to Django."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.utils.http import parse_header_parameters


def is_media_type(content_type: str) -> bool:
    """Whether a Content-Type can be read, its parameters included."""
    try:
        parse_header_parameters(content_type)
    except ValueError:
        return False
    return True


class Utf8Request(WSGIRequest):
    """A request whose address and form are UTF-8, whatever charset its Content-Type claims.

    Django reads the query by that charset, past what the edge has checked of its bytes, and has no
    answer to one it cannot decode with.
    """

    def _set_content_type_params(self, meta: Mapping[str, Any]) -> None:
        given = meta.get("CONTENT_TYPE", "")
        if is_media_type(given):
            self.content_type, self.content_params = parse_header_parameters(given)
        else:
            self.content_type, self.content_params = "", {}  # the edge refuses it


class Handler(WSGIHandler):
    request_class = Utf8Request
