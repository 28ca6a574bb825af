"""OAuth 2.0: client credentials for tokens (RFC 6749, section 4.4), and revocation (RFC 7009).

A token is then shown like an API key. Refusals have the form of RFC 6749, section 5.2, which OAuth
libraries read; what has nothing to do with OAuth (405, 415, 429, 503) is a problem document.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from portfolios.api.base import ApiView
from portfolios.api.receiving import MAX_FORM_BYTES, STRANGERS
from portfolios.errors import InvalidRequest
from portfolios.services.client_assertions import MAX_LENGTH, TYPE
from riskapi.api.oauth_server import server

FORM = "application/x-www-form-urlencoded"


class _AuthenticationSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes a form
    client_id = serializers.CharField(
        required=False, help_text="With client_secret, unless both are sent by HTTP Basic."
    )
    client_secret = serializers.CharField(required=False, help_text="Likewise.")
    client_assertion_type = serializers.ChoiceField(
        choices=[TYPE], required=False, help_text="With client_assertion."
    )
    client_assertion = serializers.CharField(
        required=False,
        max_length=MAX_LENGTH,
        help_text="In place of a secret: a JWT signed with a key of the client (RFC 7523).",
    )


class TokenRequestSerializer(_AuthenticationSerializer):
    grant_type = serializers.ChoiceField(choices=["client_credentials"])
    scope = serializers.CharField(
        required=False, help_text="Separated by spaces; all that the client has unless said."
    )


class RevocationRequestSerializer(_AuthenticationSerializer):
    token = serializers.CharField()
    token_type_hint = serializers.ChoiceField(
        choices=["access_token", "refresh_token"], required=False
    )


class TokenSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    token_type = serializers.ChoiceField(choices=["Bearer"])
    access_token = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds.")
    scope = serializers.CharField()


class RevokedSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    """Nothing to say."""


class OAuthErrorSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    """RFC 6749, section 5.2."""

    error = serializers.ChoiceField(
        choices=[
            "invalid_request",
            "invalid_client",
            "invalid_scope",
            "unsupported_grant_type",
            "unsupported_token_type",
        ]
    )
    error_description = serializers.CharField(required=False)


class _OAuthView(ApiView):
    """Answers forms by the protocol; the credentials are in it."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    required_scopes = {"POST": None}
    sends = {"POST": ("RateLimit", "Cache-Control", "Pragma")}
    refusals = {"POST": (401, 429)}
    places = STRANGERS

    def form(self, request: Request) -> HttpRequest:
        """The request, once its form has arrived."""
        if (request.content_type or "").partition(";")[0].strip().lower() != FORM:
            raise UnsupportedMediaType(request.content_type or "", f"Send {FORM}.")
        if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_FORM_BYTES:
            raise InvalidRequest("A form holds at most 100 kB.", code="payload-too-large")
        self.received(request)
        return request._request


class TokenView(_OAuthView):
    @extend_schema(
        operation_id="oauth_token",
        tags=["oauth"],
        request={FORM: TokenRequestSerializer},
        responses={200: TokenSerializer, 400: OAuthErrorSerializer, 401: OAuthErrorSerializer},
        auth=[],
        examples=[
            OpenApiExample(
                "A token that may read portfolios",
                value={
                    "grant_type": "client_credentials",
                    "client_id": "4Hq2mZ8c",
                    "client_secret": "rs_live_...",
                    "scope": "portfolios:read",
                },
                media_type=FORM,
                request_only=True,
            ),
            OpenApiExample(
                "With an assertion in place of a secret",
                value={
                    "grant_type": "client_credentials",
                    "client_assertion_type": TYPE,
                    "client_assertion": "eyJhbGciOiJFUzI1NiIsImtpZCI6Ii4uLiJ9....",
                },
                media_type=FORM,
                request_only=True,
            ),
            OpenApiExample(
                "Lasts a quarter of an hour",
                value={
                    "access_token": "rt_live_...",
                    "token_type": "Bearer",
                    "expires_in": 900,
                    "scope": "portfolios:read",
                },
                response_only=True,
                status_codes=["200"],
            ),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """A token for a client's credentials (RFC 6749, section 4.4)."""
        answer: HttpResponse = server.create_token_response(self.form(request))
        return answer


class RevocationView(_OAuthView):
    @extend_schema(
        operation_id="oauth_revoke",
        tags=["oauth"],
        request={FORM: RevocationRequestSerializer},
        responses={200: RevokedSerializer, 400: OAuthErrorSerializer, 401: OAuthErrorSerializer},
        auth=[],
        examples=[
            OpenApiExample(
                "A token that is not needed any more",
                value={
                    "token": "rt_live_...",
                    "client_id": "4Hq2mZ8c",
                    "client_secret": "rs_live_...",
                },
                media_type=FORM,
                request_only=True,
            ),
            OpenApiExample("It is void", value={}, response_only=True, status_codes=["200"]),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Revoke a token of the client at once (RFC 7009); one that is none is answered alike."""
        answer: HttpResponse = server.create_endpoint_response("revocation", self.form(request))
        return answer
