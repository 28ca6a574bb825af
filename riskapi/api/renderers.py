"""JSON out: exact and finite."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson
from rest_framework.renderers import BaseRenderer


class JsonRenderer(BaseRenderer):
    """Decimals as plain strings, instants with `Z`, dates plain, UUIDs as text, never NaN.

    Bytes pass as they are: an answer stored earlier.
    """

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,  # noqa: ARG002  # DRF's signature
        renderer_context: Mapping[str, Any] | None = None,  # noqa: ARG002  # DRF's signature
    ) -> bytes:
        if data is None:
            return b""
        if isinstance(data, bytes):
            return data
        return dumps(data)


def dumps(data: Any) -> bytes:
    """JSON of plain data. Raises ValueError for a number that is not finite."""
    _refuse_non_finite(data)
    try:
        return orjson.dumps(data, default=_default, option=orjson.OPT_UTC_Z)
    except orjson.JSONEncodeError:
        # An integer beyond 64 bits, echoed in a refusal.
        return json.dumps(data, default=_default, ensure_ascii=False).encode()


def _default(value: Any) -> str:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("a decimal in the answer is not finite")
        return format(value, "f")
    return str(value)


def _refuse_non_finite(data: Any) -> None:
    # orjson writes null for NaN, and a null says "not available": something else.
    if isinstance(data, float):
        if not math.isfinite(data):
            raise ValueError("a number in the answer is not finite")
    elif isinstance(data, dict):
        for value in data.values():
            if not isinstance(value, str):
                _refuse_non_finite(value)
    elif isinstance(data, (list, tuple)):
        for value in data:
            if not isinstance(value, str):
                _refuse_non_finite(value)
