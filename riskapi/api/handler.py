"""Where the server hands requests over to Django."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest
from django.urls import ResolverMatch, get_resolver
from django.utils.http import parse_header_parameters

#: Addresses of this length have a place among those that are known again; they hold a name or two.
_LONGEST_KNOWN = 200


def is_media_type(content_type: str) -> bool:
    """Whether a Content-Type can be read, its parameters included."""
    try:
        parse_header_parameters(content_type)
    except ValueError:
        return False
    return True


class Utf8Request(WSGIRequest):
    """A request whose address and form are UTF-8, whatever charset its Content-Type claims.

    Django would decode the query by that charset, although `ProblemMiddleware` has checked that it
    is UTF-8, and would raise for a charset that does not exist.
    """

    def _set_content_type_params(self, meta: Mapping[str, Any]) -> None:
        given = meta.get("CONTENT_TYPE", "")
        if is_media_type(given):
            self.content_type, self.content_params = parse_header_parameters(given)
        else:
            self.content_type, self.content_params = "", {}  # `ProblemMiddleware` refuses it


class Handler(WSGIHandler):
    """Knows again where an address leads: Django tries the patterns of the URL map in turn."""

    request_class = Utf8Request

    def resolve_request(self, request: HttpRequest) -> ResolverMatch:
        path = request.path_info
        find = _known if len(path) <= _LONGEST_KNOWN else _found
        request.resolver_match = find(path)
        return request.resolver_match


def _found(path: str) -> ResolverMatch:
    return get_resolver().resolve(path)


_known = functools.lru_cache(maxsize=1_000)(_found)
