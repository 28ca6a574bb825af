"""Bearer keys and tokens."""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from portfolios.errors import Refused
from portfolios.models import ApiKey
from portfolios.services.authentication import auth_failure_record, credential_admit
from portfolios.services.quotas import REQUESTS
from riskapi.api.addresses import client_address, client_certificate

CHALLENGE = 'Bearer realm="riskapi"'
HOW_TO_SEND = "Send the key as `Authorization: Bearer rk_live_...`."


class TooManyFailures(APIException):
    """Bad credentials keep coming from this address."""

    status_code = 429
    default_code = "too-many-bad-keys"

    def __init__(self, seconds: int) -> None:
        super().__init__(
            "Bad credentials keep coming from this address; good ones are still answered."
        )
        self.context = {"violated-policies": ["bad-keys"]}
        self.retry_after = seconds


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer rk_live_...`, or a token `rt_live_...`.

    Afterwards `request.auth` is the key with its client, `request.quota` what the request was
    counted against, and `view.looked` the rows of the view's look (`ApiView.look`).
    """

    def authenticate(self, request: Request) -> tuple[None, ApiKey] | None:
        asked = request._request
        header = asked.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "bearer":
            raise AuthenticationFailed(HOW_TO_SEND, "authentication-required")
        view = request.parser_context["view"]
        policies = (REQUESTS, *view.quota_policies.get(asked.method, ()))
        address = client_address(asked)
        try:
            admission = credential_admit(
                text.strip(),
                address,
                policies,
                certificate=client_certificate(asked),
                look=view.look() if asked.method in ("GET", "HEAD") else None,
            )
        except Refused as refusal:
            raise refused(request, refusal, address, text.strip()) from None
        view.looked = admission.looked
        asked.quota = admission.quota  # type: ignore[attr-defined]  # ours
        return None, admission.key

    def authenticate_header(self, request: Request) -> str:
        if "HTTP_AUTHORIZATION" in request.META:
            return f'{CHALLENGE}, error="invalid_token"'
        return CHALLENGE


def refused(request: Request, refusal: Refused, address: str, text: str) -> APIException:
    """Count the refused credentials against the caller's address; returns what to raise."""
    request_id = getattr(request, "request_id", "")
    seconds = auth_failure_record(address, refusal.code, text, request_id=request_id)
    if seconds:
        return TooManyFailures(seconds)
    if refusal.code == "address-not-allowed":
        return PermissionDenied(refusal.message, refusal.code)
    return AuthenticationFailed(refusal.message, refusal.code)
