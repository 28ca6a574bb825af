"""How our credentials and fields appear in the OpenAPI document, which cannot tell by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
)

from portfolios.api.shaping import EXPANSIONS
from portfolios.services.api_keys import SCOPE_TEXTS

Direction = Literal["request", "response"]


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself
    """How `ApiKeyAuthentication` appears."""

    target_class = "riskapi.api.authentication.ApiKeyAuthentication"
    name = ["apiKey", "oauth2"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:  # noqa: ARG002 - its signature
        return [
            {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "rk_<live|test>_<id>_<secret>_<checksum>",
                "description": (
                    "An API key. Each operation names the scope it needs. `rk_live_` keys open the"
                    " institution, `rk_test_` keys its sandbox and nothing else: synthetic data,"
                    " portfolios that force each outcome (/v1/guide/sandbox), and a clock that"
                    " stands still at the time in the header `Sandbox-Now` of every answer."
                ),
            },
            {
                "type": "oauth2",
                "description": "A token of 15 minutes for a client's id and secret.",
                "flows": {
                    "clientCredentials": {
                        "tokenUrl": "/oauth/token",
                        "scopes": SCOPE_TEXTS,
                    }
                },
            },
        ]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[str]]]:
        scopes = auto_schema.view.required_scopes.get(auto_schema.method) or ""
        return [{"apiKey": []}, {"oauth2": scopes.split()}]


class PortfolioRefExtension(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]  # likewise
    """How `PortfolioRefField` appears: the id, or with `expand` the portfolio."""

    target_class = "portfolios.api.fields.PortfolioRefField"

    def map_serializer_field(self, auto_schema: Any, direction: Direction) -> dict[str, Any]:
        portfolio = EXPANSIONS["portfolio"].serializer
        null = [{"type": "null"}] if self.target.allow_null else []
        whole = auto_schema.resolve_serializer(portfolio, direction).ref
        return {"oneOf": [{"type": "string"}, whole, *null]}


class EitherExtension(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]  # likewise
    """How `EitherField` appears: any of its shapes."""

    target_class = "analytics.api.results.parts.EitherField"

    def map_serializer_field(self, auto_schema: Any, direction: Direction) -> dict[str, Any]:
        shapes = [
            auto_schema.resolve_serializer(one, direction) for one in self.target.alternatives
        ]
        return {"anyOf": [shape.ref for shape in shapes]}


class StrictExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]  # likewise
    """What is sent holds the fields named and no others."""

    target_class = "portfolios.api.fields.StrictSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Direction) -> dict[str, Any]:
        fields: dict[str, Any] = auto_schema._map_serializer(
            self.target, direction, bypass_extensions=True
        )
        return {**fields, "additionalProperties": False}


def _object_of(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: schema},
        "required": [name],
        "additionalProperties": False,
    }


def _appears(field: str, schema: Callable[[Any], dict[str, Any]]) -> None:
    """Have the fields of a class appear like this, which needs no component of the document."""

    def map_serializer_field(
        self: OpenApiSerializerFieldExtension,
        auto_schema: Any,  # noqa: ARG001 - the library's signature
        direction: Direction,  # noqa: ARG001 - likewise
    ) -> dict[str, Any]:
        return schema(self.target)

    members = {"target_class": field, "map_serializer_field": map_serializer_field}
    type(f"{field.rpartition('.')[2]}Extension", (OpenApiSerializerFieldExtension,), members)


_NAME = {"type": "string", "minLength": 1, "maxLength": 40}
_NAMES = {"type": "array", "items": _NAME, "minItems": 1, "maxItems": 1000}
_DECIMAL = {"type": "string", "format": "decimal"}
_LAGS = {"type": "integer", "minimum": 0, "maximum": 252}
_appears("analytics.api.serializers.LagsField", lambda _: {"oneOf": [{"const": "auto"}, _LAGS]})
_appears(
    "analytics.api.serializers.HedgedItemField",
    lambda _: {
        "oneOf": [
            {"const": "portfolio"},
            _object_of("tag", _NAME),
            _object_of("instruments", _NAMES),
        ]
    },
)
_appears(
    "analytics.api.risk.ExactOrRealField",
    lambda _: {"oneOf": [{"type": "number"}, _DECIMAL, {"type": "null"}]},
)
_appears("analytics.api.results.parts.ConstantField", lambda field: {"const": field.value})
# Not as an `enum`: the library names each of those a component, by the member's name.
_appears(
    "analytics.api.results.parts.WordField",
    lambda field: {"oneOf": [{"const": word} for word in field.words]},
)
