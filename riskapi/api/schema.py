"""The OpenAPI document: of operations, what DRF cannot say by itself."""

from __future__ import annotations

import functools
import json
import re
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework import serializers

from portfolios.api.base import KEYED_METHODS, ApiView
from portfolios.api.exports import FORMAT_NAMES, RowSerializer, columns_of
from portfolios.api.listing import MAX_LIMIT, Listing, boolean, calendar_date, instant
from portfolios.api.shaping import answer_of, expandable
from portfolios.exports import FORMATS
from riskapi.api import schema_fields  # noqa: F401  # what is declared there registers itself
from riskapi.api.answer_headers import HEADERS, references
from riskapi.api.renderers import JsonRenderer

ANSWERS = Path(__file__).resolve().parents[1] / "docs" / "answers.json"
Direction = Literal["request", "response"]


class FieldProblemSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    pointer = serializers.CharField(help_text="JSON pointer into the body, or ?parameter.")
    code = serializers.CharField()
    message = serializers.CharField()
    value = serializers.JSONField(help_text="What was sent, or null where it does not help.")
    suggestion = serializers.ListField(child=serializers.CharField(), allow_null=True)


class ProblemSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    """RFC 9457. Some types carry further members; their pages name them."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField()
    code = serializers.CharField()
    request_id = serializers.CharField()
    errors = FieldProblemSerializer(many=True)  # type: ignore[assignment]  # taken by the metaclass
    docs = serializers.CharField()
    retryable = serializers.BooleanField()


_AS_FILE = (
    "As a file with the whole result: `format=csv`, `parquet`, `arrow` or `xlsx`, or the media type"
    " in `Accept` (`format` decides where both are given)."
)
_STATUSES = {
    304: "What If-None-Match names is current.",
    400: "Malformed: unknown field or parameter, bad value, bad JSON.",
    401: "No key, or not a live one.",
    403: "The key lacks the scope.",
    404: "Does not exist, or is not yours.",
    405: "Method not allowed.",
    406: "Not available as the type accepted.",
    409: "Conflict.",
    410: "Gone: what was asked for was canceled.",
    411: "Without Content-Length.",
    412: "Changed since the version named by If-Match.",
    413: "Too large.",
    415: "Not the media type read here.",
    422: "Well-formed, and makes no sense.",
    428: "If-Match is required.",
    429: "A quota is used up; see Retry-After.",
    500: "Ours; logged under request_id.",
    503: "Degraded; see Retry-After.",
}


class ProblemAutoSchema(AutoSchema):
    """Adds summaries, problem answers, scopes, and the parameters that views declare."""

    def get_summary(self) -> str:
        # What stands beside the address: the docstring's first sentence, without what follows
        # a colon or semicolon, for the line is short.
        text = " ".join((super().get_description() or "").split())
        return re.split(r"[.:;](?:\s|$)", text, maxsplit=1)[0]

    def get_description(self) -> str:  # type: ignore[override]  # as the base class has it
        text = super().get_description() or ""
        scope = self._scope()
        if (row := self._file_row()) is not None:
            columns = ", ".join(f"`{column.name}`" for column in columns_of(row))
            text = f"{text}\n\n{_AS_FILE} Columns: {columns}."
        scopes = ", ".join(f"`{name}`" for name in (scope or "").split())
        return f"{text}\n\nScope: {scopes}." if scopes else text

    def get_tags(self) -> list[str]:
        # `/instruments:resolve` belongs to the instruments.
        return [tag.partition(":")[0] for tag in super().get_tags()]

    def get_extensions(self) -> dict[str, Any]:
        scope = self._scope()
        return {"x-required-scope": scope} if scope else {}

    def get_override_parameters(self) -> list[Any]:
        return [*super().get_override_parameters(), *self._declared()]

    def _get_serializer_name(
        self,
        serializer: Any,
        direction: Direction,
        bypass_extensions: bool = False,  # noqa: FBT001, FBT002 - the library's signature
    ) -> str:
        # The library appends "Request" to what is sent; ours are called so already. A shape is
        # named after what it is the shape of.
        name: str = super()._get_serializer_name(serializer, direction, bypass_extensions)
        name = name.removesuffix("Shape")
        return name.removesuffix("Request") if name.endswith("RequestRequest") else name

    def _get_paginator(self) -> None:
        return None  # lists page by `portfolios.api.listing`

    def _is_list_view(self, serializer: Any = None) -> bool:  # noqa: ARG002 - its signature
        # Answers are described as they are; a list is an envelope made below.
        return False

    def _get_response_bodies(self, direction: Direction = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        if self._file_row() is not None:
            binary = {"schema": {"type": "string", "format": "binary"}}
            bodies["200"]["content"] |= {form.media_type: binary for form in FORMATS}
        if (shown := answers().get(self.get_operation_id())) and shown["status"] in bodies:
            json_form = bodies[shown["status"]]["content"]["application/json"]
            json_form["examples"] = {"answer": {"value": shown["answer"]}}
        for status in self._refusals():
            bodies.setdefault(
                str(status),
                {
                    "description": _STATUSES[status],
                    "content": {
                        "application/problem+json": {
                            "schema": self.resolve_serializer(ProblemSerializer, "response").ref
                        }
                    },
                },
            )
        sent = getattr(self.view, "sends", {}).get(self.method, ())
        if self.method == "GET" and "ETag" in sent:
            bodies["304"] = {"description": _STATUSES[304]}
        for code, body in bodies.items():
            body["headers"] = references(self.view, self.method, code)
        return bodies

    def map_renderers(self, attribute: str) -> list[Any]:
        # Answers are JSON; files are described beside them.
        return [getattr(JsonRenderer, attribute)]

    def _file_row(self) -> RowSerializer | None:
        if self.method != "GET" or not isinstance(self.view, ApiView):
            return None
        return self.view.exported_row()

    def _scope(self) -> str | None:
        scope: str | None = getattr(self.view, "required_scopes", {}).get(self.method)
        return scope

    def _refusals(self) -> list[int]:
        refusals = [400, 404, 405, 406, 500, 503]
        if self.view.authentication_classes:
            refusals += [401, 403, 429]
        if self.method in ("POST", "PUT", "PATCH"):
            refusals += [409, 411, 413, 415, 422]
        if self.method == "PATCH":
            refusals += [412, 428]
        refusals += getattr(self.view, "refusals", {}).get(self.method, ())
        listing: Listing | None = getattr(self.view, "listing", None)
        asked = {*self._own_parameters(), *(listing.extra if listing else ())}
        if asked & {"as_of", "known_at", "instrument"} or self._file_row() is not None:
            refusals.append(422)
        return sorted(set(refusals))

    def _own_parameters(self) -> dict[str, Any]:
        parameters = getattr(self.view, "parameters", {})
        return dict(parameters.get(self.method, {}))

    def _declared(self) -> list[OpenApiParameter]:
        if not isinstance(self.view, ApiView):
            return []
        required = getattr(self.view, "required_parameters", {}).get(self.method, ())
        told = getattr(self.view, "parameter_texts", {}).get(self.method, {})
        found = [
            _parameter(name, parse, required=name in required, told=told.get(name))
            for name, parse in self._own_parameters().items()
        ]
        listing: Listing | None = getattr(self.view, "listing", None)
        if self.method == "GET" and listing is not None:
            found += _list_parameters(listing)
        if self._file_row() is not None:
            found.append(OpenApiParameter("format", str, enum=list(FORMAT_NAMES)))
        if self.method == "GET" and (answer := answer_of(type(self.view))) is not None:
            found += _shaping_parameters(*answer)
        if self.method in KEYED_METHODS and self.view.authentication_classes:
            found.append(
                OpenApiParameter(
                    "Idempotency-Key",
                    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
                    OpenApiParameter.HEADER,
                    required=self.view.idempotency_required,
                    description="New for each intended effect, repeated with each retry.",
                )
            )
        if 412 in self._refusals():
            found.append(
                OpenApiParameter(
                    "If-Match",
                    str,
                    OpenApiParameter.HEADER,
                    required=True,
                    description="The ETag of the version this change is based on.",
                )
            )
        return found


def add_headers(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """What `references` refers to: the library knows no components of this kind."""
    result["components"]["headers"] = HEADERS
    return result


def _shaping_parameters(node: Any, is_list: bool) -> list[OpenApiParameter]:  # noqa: FBT001  # as `answer_of` has it
    of = "each row" if is_list else "the answer"
    described = {
        "fields": f"Members of {of} to send, by comma; `a.b` for one inside. Others are absent.",
        "omit": f"Members of {of} to leave out.",
    }
    if references := [".".join(path) for path, _ in expandable(node)]:
        names = ", ".join(f"`{name}`" for name in references)
        described["expand"] = f"References to send as objects: {names}."
    return [OpenApiParameter(name, str, description=text) for name, text in described.items()]


@functools.cache
def answers() -> dict[str, Any]:
    """By operation id a real answer, its lists cut; `tests/architecture/test_answers.py` writes
    them."""
    found: dict[str, Any] = json.loads(ANSWERS.read_text())
    return found


def _list_parameters(listing: Listing) -> list[OpenApiParameter]:
    found = []
    for name in listing.parameters():
        if name == "format":
            continue  # of every view with files
        if name == "limit":
            limits = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT}
            found.append(OpenApiParameter(name, limits, description="100 without."))
        elif name == "sort":
            values = [sign + s for s in listing.sorts for sign in ("", "-")]
            found.append(OpenApiParameter(name, str, enum=values))
        elif name == "count":
            text = "Say how many rows the list has in all."
            found.append(OpenApiParameter(name, bool, description=text))
        elif name == "cursor":
            found.append(
                OpenApiParameter(name, str, description="`next_cursor` of the page before.")
            )
        else:
            base, _, suffix = name.partition("__")
            declared = listing.filters.get(base)
            parse = declared.parse if declared else listing.extra[name]
            found.append(_parameter(name, str if suffix == "in" else parse))
    return found


def _parameter(
    name: str, parse: Any, *, required: bool = False, told: tuple[str, Any] | None = None
) -> OpenApiParameter:
    """`told` is a line about it and an example."""
    choices = getattr(parse, "choices", None)
    kinds = {boolean: bool, calendar_date: date, instant: datetime}
    text, example = told or ("", None)
    return OpenApiParameter(
        name,
        kinds.get(parse, str),
        enum=None if choices is None else list(choices),
        required=required,
        description=text,
        examples=[] if told is None else [OpenApiExample("example", value=example)],
    )
