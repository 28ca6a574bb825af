"""Under which names the service is known to those who sign for it, and what it offers them."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from portfolios.api.base import ApiView
from portfolios.api.listing import refuse_unknown
from portfolios.services.api_keys import SCOPES
from portfolios.services.client_assertions import ALGORITHMS

TOKEN, REVOCATION = "/oauth/token", "/oauth/revoke"
BY_SECRET = ("client_secret_basic", "client_secret_post")
BY_ASSERTION = "private_key_jwt"


def issuer(request: HttpRequest) -> str:
    """What the operator says, or else the address asked, whose host is one of the service's."""
    return settings.PUBLIC_URL or f"{request.scheme}://{request.get_host()}"


def audiences(request: HttpRequest) -> tuple[str, ...]:
    """What the `aud` of an assertion may be.

    Where any host is answered (`RISK_ALLOWED_HOSTS=*`) the address asked proves nothing: what was
    signed for another server could be sent here under that one's name.
    """
    if not settings.PUBLIC_URL and any(host[:1] in "*." for host in settings.ALLOWED_HOSTS):
        return ()
    name = issuer(request)
    return (f"{name}{TOKEN}", name)


class ServerMetadataSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    """RFC 8414, section 2."""

    issuer = serializers.CharField()
    token_endpoint = serializers.CharField()
    revocation_endpoint = serializers.CharField()
    scopes_supported = serializers.ListField(child=serializers.CharField())
    response_types_supported = serializers.ListField(
        child=serializers.CharField(),
        help_text="Nobody is asked for consent.",
    )
    grant_types_supported = serializers.ListField(child=serializers.CharField())
    token_endpoint_auth_methods_supported = serializers.ListField(child=serializers.CharField())
    token_endpoint_auth_signing_alg_values_supported = serializers.ListField(
        child=serializers.CharField(), required=False
    )
    revocation_endpoint_auth_methods_supported = serializers.ListField(
        child=serializers.CharField()
    )
    revocation_endpoint_auth_signing_alg_values_supported = serializers.ListField(
        child=serializers.CharField(), required=False
    )
    tls_client_certificate_bound_access_tokens = serializers.BooleanField(
        help_text="RFC 8705: of clients that are bound to a certificate."
    )
    service_documentation = serializers.CharField()


class ServerMetadataView(ApiView):
    """What an OAuth 2.0 library needs to know."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    required_scopes = {"GET": None}

    @extend_schema(
        operation_id="oauth_metadata",
        tags=["oauth"],
        responses=ServerMetadataSerializer,
        auth=[],
    )
    def get(self, request: Request) -> Response:
        """Where tokens are to be had, and how (RFC 8414)."""
        refuse_unknown(request, ())
        name = issuer(request._request)
        methods, algorithms = list(BY_SECRET), {}
        if audiences(request._request):
            methods.append(BY_ASSERTION)
            algorithms = {
                f"{at}_endpoint_auth_signing_alg_values_supported": ALGORITHMS
                for at in ("token", "revocation")
            }
        return Response(
            {
                "issuer": name,
                "token_endpoint": f"{name}{TOKEN}",
                "revocation_endpoint": f"{name}{REVOCATION}",
                "scopes_supported": SCOPES,
                "response_types_supported": ["none"],
                "grant_types_supported": ["client_credentials"],
                "token_endpoint_auth_methods_supported": methods,
                "revocation_endpoint_auth_methods_supported": methods,
                **algorithms,
                "tls_client_certificate_bound_access_tokens": bool(settings.CERTIFICATE_PROXIES),
                "service_documentation": f"{name}/v1/docs",
            }
        )
