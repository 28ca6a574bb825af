"""System checks: what must be true of the code before it serves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.permissions import AllowAny

from portfolios.services.api_keys import SCOPES

_METHODS = ("get", "post", "put", "patch", "delete")


@register()
def every_view_declares_its_scopes(**kwargs: Any) -> list[CheckMessage]:  # noqa: ARG001  # Django's
    """No address under /v1 or /oauth is served without saying which scope each method needs."""
    found: list[CheckMessage] = []
    for route, callback in _routes(get_resolver().url_patterns, ""):
        if not route.startswith(("v1/", "oauth/")):
            continue
        view = getattr(callback, "cls", None)
        if view is None:
            found.append(Error(f"{route} is not a class-based API view", id="riskapi.E001"))
            continue
        if AllowAny in view.permission_classes:
            continue
        declared = getattr(view, "required_scopes", {})
        found += [
            Error(
                f"{view.__name__} ({route}) declares no scope for {method.upper()}",
                id="riskapi.E001",
            )
            for method in _METHODS
            if hasattr(view, method) and method.upper() not in declared
        ]
        found += [
            Error(f"{view.__name__} ({route}) needs the unknown scope {scope}", id="riskapi.E002")
            for scopes in declared.values()
            for scope in (scopes or "").split()
            if scope not in SCOPES
        ]
    return found


def _routes(patterns: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield route, pattern.callback
