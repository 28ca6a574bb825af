"""The published shapes of results, held against what was stored: nothing more, nothing less.

The document leaves objects open, so that a later release may add members. Here each is closed: a
member that it does not name is a member that nobody described.
"""

from __future__ import annotations

import functools
import json
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator, FormatChecker

Json = dict[str, Any]


@functools.cache
def document() -> Json:
    """The OpenAPI document of this version."""
    found: Json = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # of a library without types
    return found


@functools.cache
def _validator(component: str) -> Draft202012Validator:
    schemas = {
        name: _closed(schema) for name, schema in document()["components"]["schemas"].items()
    }
    schema = {"$ref": f"#/components/schemas/{component}", "components": {"schemas": schemas}}
    return Draft202012Validator(schema, format_checker=FormatChecker(["date"]))


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: _closed(part) for name, part in schema.items()}
    if isinstance(schema.get("properties"), dict):
        inner.setdefault("additionalProperties", False)
    return inner


def complaints(component: str, body: Any) -> list[str]:
    """What is wrong with a body, by place; nothing where it is as published."""
    return [
        f"{error.json_path}: {_told(error)}" for error in _validator(component).iter_errors(body)
    ]


def _told(error: Any) -> str:
    """The complaint of the alternative that came nearest."""
    nearest = min(error.context, key=lambda inner: -len(inner.absolute_path), default=None)
    inside = f" ({nearest.json_path}: {_told(nearest)})" if nearest is not None else ""
    return f"{error.message[:300]}{inside}"


def unit_complaints(kind: str, body: str) -> list[str]:
    """Of a stored result of a kind of run."""
    answer = json.loads(body)
    if answer["status"] != "ok":
        return complaints("RefusedUnit", answer)
    return complaints("".join(part.title() for part in kind.split("-")) + "Unit", answer)
