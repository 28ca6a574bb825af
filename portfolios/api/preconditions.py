"""Entity tags: 304 for what the caller has, 412 and 428 for changes to what it has not seen."""

from __future__ import annotations

import re

from rest_framework.request import Request
from rest_framework.response import Response

from portfolios.api.shaping import SHAPING
from portfolios.errors import Conflict, InvalidRequest

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')
_LIST = re.compile(rf"\s*(?:{_TAG.pattern})(?:\s*,\s*(?:{_TAG.pattern}))*\s*")


def quoted(tag: str) -> str:
    return f'"{tag}"'


def not_modified(request: Request, tag: str, *, shaped: bool = False) -> Response | None:
    """The 304 for a caller whose copy is current, else None."""
    given = request.META.get("HTTP_IF_NONE_MATCH")
    if given is None or (not shaped and any(name in request.query_params for name in SHAPING)):
        return None  # a shaped answer has a tag of its own: `ApiView._shaped` asks again
    if given.strip() == "*" or tag in _tags(given, weak=True, header="If-None-Match"):
        return Response(status=304, headers={"ETag": quoted(tag)})
    return None


def require_match(request: Request, tag: str) -> None:
    """Refuse a change by a caller who does not name the version it has seen."""
    given = request.headers.get("If-Match")
    if given is None:
        raise Conflict(
            "Send If-Match with the ETag of the version this change is based on.",
            code="precondition-required",
            context={"current_etag": quoted(tag)},
        )
    if given.strip() == "*":
        return
    # What was read in part (`fields`) has the tag of the whole and, after a dot, its own.
    seen = {t.partition(".")[0] for t in _tags(given, weak=False, header="If-Match")}
    if tag not in seen:
        raise Conflict(
            "The object has changed since the version named by If-Match: read it again.",
            code="stale-version",
            context={"current_etag": quoted(tag)},
        )


def _tags(text: str, *, weak: bool, header: str) -> set[str]:
    if _LIST.fullmatch(text) is None:
        raise InvalidRequest(
            f'{header} holds entity tags in double quotes, for example "3".', code="bad-header"
        )
    return {tag for is_weak, tag in _TAG.findall(text) if weak or not is_weak}
