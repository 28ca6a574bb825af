"""Scopes."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from portfolios.models import ApiKey


class InsufficientScope(PermissionDenied):
    """The key is good and may not do this; says which scope would."""

    default_code = "insufficient-scope"

    def __init__(self, missing: str, required: str) -> None:
        super().__init__(f"This needs a key with the scope {missing}.")
        self.context = {"required_scope": missing}
        self.auth_header = f'Bearer realm="riskapi", error="insufficient_scope", scope="{required}"'


class HasScope(BasePermission):
    """The key carries the scopes that the view declares for the method; none declared, no entry."""

    def has_permission(self, request: Request, view: Any) -> bool:
        key = request.auth
        if not isinstance(key, ApiKey):
            return False
        method = "GET" if request.method == "HEAD" else request.method
        if method == "OPTIONS" or not hasattr(view, (method or "").lower()):
            return True  # answered by 204 or 405
        if method not in view.required_scopes:
            raise ImproperlyConfigured(f"{type(view).__name__} declares no scope for {method}")
        required = view.required_scopes[method] or ""
        for scope in required.split():
            if scope not in key.scopes:
                raise InsufficientScope(scope, required)
        return True
