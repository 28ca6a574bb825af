"""JSON in: strict, exact and bounded."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import IO, Any, NoReturn

from django.conf import settings
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser

from portfolios.api.limits import (
    BODY_TOO_LARGE,
    MAX_DIGITS,
    MAX_EXPONENT,
    MAX_JSON_DEPTH,
    MAX_JSON_NODES,
)
from portfolios.errors import DomainError

_SUSPICIOUS = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


class BodyTooLarge(DomainError):
    """More bytes than a request may have."""

    code = "payload-too-large"


class StrictJsonParser(BaseParser):
    """One JSON value: finite exact numbers, no duplicate keys, no NUL, bounded depth and size.

    Numbers with a fraction or exponent become `Decimal`, so that no digit is lost on the way in.
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        context = parser_context or {}
        request = context.get("request")
        encoding = request.META.get("HTTP_CONTENT_ENCODING", "") if request else ""
        if encoding not in ("", "identity"):
            raise UnsupportedMediaType(
                media_type or "", f"Content-Encoding {encoding} is not read."
            )
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise BodyTooLarge(BODY_TOO_LARGE)
        return loads(raw, getattr(context.get("view"), "max_json_nodes", MAX_JSON_NODES))


def loads(raw: bytes, max_nodes: int = MAX_JSON_NODES) -> Any:
    """The value of a JSON text, or a `ParseError` that says what is wrong with it."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ParseError(f"Byte {error.start} is not UTF-8.", "bad-encoding") from None
    try:
        value = json.loads(
            text,
            parse_float=_number,
            parse_int=_integer,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        raise ParseError(
            f"{error.msg} at line {error.lineno}, column {error.colno}.", "malformed-json"
        ) from None
    except RecursionError:
        raise ParseError(f"More than {MAX_JSON_DEPTH} levels.", "json-too-deep") from None
    _bound(value, max_nodes, check_text=_SUSPICIOUS.search(text) is not None)
    return value


def _bound(value: Any, max_nodes: int, *, check_text: bool) -> None:
    """Walk level by level: refuse what is too deep, too large, or text that no database takes."""
    level, nodes, depth = [value], 1, 0
    while level:
        depth += 1
        below: list[Any] = []
        for item in level:
            if depth > MAX_JSON_DEPTH and isinstance(item, (dict, list)):
                raise ParseError(f"More than {MAX_JSON_DEPTH} levels.", "json-too-deep")
            if isinstance(item, dict):
                below.extend(item.values())
                if check_text:
                    below.extend(item)
            elif isinstance(item, list):
                below.extend(item)
            elif check_text and isinstance(item, str):
                _check_text(item)
        nodes += len(below)
        if nodes > max_nodes:
            raise ParseError(f"More than {max_nodes} values.", "json-too-large")
        level = below


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise ParseError("A text holds the NUL character.", "bad-encoding")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ParseError("A text holds half of a surrogate pair.", "bad-encoding") from None


def _number(literal: str) -> Decimal:
    mantissa, _, exponent = literal.lower().partition("e")
    if len(mantissa) > MAX_DIGITS + 2 or sum(c.isdigit() for c in mantissa) > MAX_DIGITS:
        raise ParseError(f"A number has more than {MAX_DIGITS} digits.", "bad-number")
    if exponent and (len(exponent) > 5 or abs(int(exponent)) > MAX_EXPONENT):
        raise ParseError(f"A number has an exponent beyond {MAX_EXPONENT}.", "bad-number")
    return Decimal(literal)


def _integer(literal: str) -> int:
    if len(literal.lstrip("-")) > MAX_DIGITS:
        raise ParseError(f"A number has more than {MAX_DIGITS} digits.", "bad-number")
    return int(literal)


def _constant(name: str) -> NoReturn:
    raise ParseError(f"{name} is not JSON; leave the value out or send null.", "malformed-json")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ParseError(f"The key {key[:100]!r} appears twice.", "duplicate-key")
            seen.add(key)
    return value
