"""Bearer keys."""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from portfolios.errors import Refused
from portfolios.models import ApiKey
from portfolios.services.api_keys import api_key_authenticate

CHALLENGE = 'Bearer realm="riskapi"'
HOW_TO_SEND = "Send the key as `Authorization: Bearer rk_live_...`."


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer rk_live_...`; `request.auth` is then the key, with its client."""

    def authenticate(self, request: Request) -> tuple[None, ApiKey] | None:
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "bearer":
            raise AuthenticationFailed(HOW_TO_SEND, "authentication-required")
        try:
            return None, api_key_authenticate(text.strip(), request.META.get("REMOTE_ADDR", ""))
        except Refused as refusal:
            if refusal.code == "address-not-allowed":
                raise
            raise AuthenticationFailed(refusal.message, refusal.code) from None

    def authenticate_header(self, request: Request) -> str:
        if "HTTP_AUTHORIZATION" in request.META:
            return f'{CHALLENGE}, error="invalid_token"'
        return CHALLENGE
