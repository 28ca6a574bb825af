"""OAuth 2.0: client credentials for tokens (RFC 6749, section 4.4), and revocation (RFC 7009).

authlib speaks the protocol. Credentials and tokens are ours, behind row-level security, and a
token is then shown like an API key. Refusals have the form of RFC 6749, section 5.2, which OAuth
libraries read; what has nothing to do with OAuth (405, 415, 429, 503) is a problem document.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NoReturn

from authlib.oauth2 import AuthorizationServer, ClientAuthentication, OAuth2Request
from authlib.oauth2.rfc6749 import (
    ClientMixin,
    InvalidClientError,
    InvalidRequestError,
    OAuth2Payload,
)
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7009 import RevocationEndpoint
from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from portfolios.api.base import ApiView
from portfolios.api.limits import STATEMENT_TIMEOUT
from portfolios.api.quotas import refuse_beyond
from portfolios.api.receiving import MAX_FORM_BYTES, STRANGERS
from portfolios.errors import InvalidRequest, Refused
from portfolios.models import ApiKey
from portfolios.services.access_tokens import (
    LIFETIME,
    access_token_create,
    access_token_revoke,
)
from portfolios.services.authentication import (
    Admission,
    auth_failure_record,
    credential_admit,
)
from portfolios.services.client_assertions import (
    MAX_LENGTH,
    TYPE,
    BadAssertion,
    assertion_authenticate,
)
from portfolios.services.credentials import CLIENT_SECRET, credential_parse
from portfolios.services.quotas import REQUESTS
from portfolios.tenancy import client_scope
from riskapi.api.addresses import client_address, client_certificate
from riskapi.api.authentication import TooManyFailures
from riskapi.api.issuer import BY_ASSERTION, BY_SECRET, audiences
from riskapi.api.renderers import dumps

FORM = "application/x-www-form-urlencoded"
METHODS = [*BY_SECRET, BY_ASSERTION]
_REFUSED = (
    "No such client, or not its credentials. Send id and secret by HTTP Basic, or as client_id and"
    " client_secret in the body, or sign a client_assertion."
)


class _Form(OAuth2Payload):
    """Parameters of the body. Those in an address are not read: addresses end up in logs."""

    def __init__(self, request: HttpRequest) -> None:
        self._lists = {name: list(map(str, values)) for name, values in request.POST.lists()}

    @property
    def data(self) -> dict[str, str]:
        return {name: values[-1] for name, values in self._lists.items()}

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        return defaultdict(list, self._lists)


class _OAuthRequest(OAuth2Request):
    def __init__(self, request: HttpRequest) -> None:
        # authlib refuses plain HTTP by the address. Where TLS ends is the operator's to say
        # (RISK_HTTPS_ONLY), for these addresses as for all others.
        super().__init__(request.method, f"https://{request.get_host()}", headers=request.headers)
        self.http = request
        self.payload = _Form(request)

    @property
    def form(self) -> dict[str, str]:
        return self.payload.data


class _OAuthClient(ClientMixin):
    """A client as it names itself; who it is shows with its secret or its assertion."""

    def __init__(self, client_id: str | None, http: HttpRequest) -> None:
        self.client_id = client_id
        self.http = http
        self.kid = ""
        self._key: ApiKey | None = None

    @property
    def key(self) -> ApiKey:
        assert self._key is not None  # noqa: S101  # asked for once it has shown who it is
        return self._key

    @property
    def request_id(self) -> str:
        return str(getattr(self.http, "request_id", ""))

    def get_client_id(self) -> str:
        return self.key.key_id

    def check_client_secret(self, client_secret: str) -> bool:
        """Look the secret up; like an API key it counts against quotas, or as a failure."""
        parsed = credential_parse(client_secret, CLIENT_SECRET)
        # The secret of another client is no secret of this one.
        text = client_secret if parsed and parsed.id == self.client_id else ""
        address = client_address(self.http)
        try:
            admission = credential_admit(
                text,
                address,
                (REQUESTS,),
                kinds=(CLIENT_SECRET,),
                certificate=client_certificate(self.http),
            )
        except Refused as refusal:
            self._refuse(address, refusal, client_secret)
        self._let_in(admission)
        return True

    def check_assertion(self, assertion: str) -> None:
        """Have it say who the client is; it counts like a secret."""
        address = client_address(self.http)
        try:
            admission, self.kid = assertion_authenticate(
                assertion,
                address,
                (REQUESTS,),
                audiences=audiences(self.http),
                client_id=self.client_id,
                certificate=client_certificate(self.http),
            )
        except BadAssertion as refusal:
            self.refuse_assertion(address, refusal.message)
        except Refused as refusal:
            self._refuse(address, refusal, "")
        self._let_in(admission)

    def refuse_assertion(self, address: str, why: str) -> NoReturn:
        self._count_failure(address, "bad-assertion", "")
        raise _Explained(why, status_code=401)

    def _refuse(self, address: str, refusal: Refused, text: str) -> NoReturn:
        """Which certificate is missing is told: who hears it has shown the right credentials."""
        self._count_failure(address, refusal.code, text)
        why = refusal.message if refusal.code == "certificate-required" else _REFUSED
        raise _Explained(why, status_code=401) from None

    def _let_in(self, admission: Admission) -> None:
        self._key = admission.key
        self.http.quota = admission.quota  # type: ignore[attr-defined]  # ours
        refuse_beyond(admission.quota)

    def _count_failure(self, address: str, reason: str, text: str) -> None:
        seconds = auth_failure_record(address, reason, text, request_id=self.request_id)
        if seconds:
            raise TooManyFailures(seconds)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002  # its signature
        return method in METHODS

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "client_credentials"

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """What was asked for, or all the client has; None where more was asked for than that."""
        asked = list(dict.fromkeys((scope or "").split())) or self.key.scopes
        return " ".join(asked) if set(asked) <= set(self.key.scopes) else None


class _Explained(InvalidClientError):
    """Says what is wrong, where nobody learns from it which clients there are."""


def _by_assertion(_: Any, request: _OAuthRequest) -> _OAuthClient | None:
    """RFC 7521, section 4.2: the client is who the assertion says it is."""
    if not _asserts(request):
        return None
    client = _OAuthClient(request.form.get("client_id"), request.http)
    if request.form.get("client_assertion_type") != TYPE:
        client.refuse_assertion(client_address(request.http), f"client_assertion_type is {TYPE}.")
    client.check_assertion(request.form.get("client_assertion", ""))
    return client


def _asserts(request: _OAuthRequest) -> bool:
    return bool({"client_assertion", "client_assertion_type"} & request.form.keys())


class _Grant(ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS


class _Revocation(RevocationEndpoint):
    CLIENT_AUTH_METHODS = METHODS

    def authenticate_token(self, request: _OAuthRequest, client: _OAuthClient) -> str:
        """The text itself: a foreign token is answered like one that never was."""
        self.check_params(request, client)
        return request.form["token"]

    def check_params(self, request: _OAuthRequest, client: _OAuthClient) -> None:  # noqa: ARG002  # its signature
        """A hint of an unknown type is passed over (RFC 7009, section 2.2): the token must die."""
        if "token" not in request.form:
            raise InvalidRequestError

    def revoke_token(self, token: str, request: _OAuthRequest) -> None:
        client: _OAuthClient = request.client
        with client_scope(client.key.client_id, statement_timeout=STATEMENT_TIMEOUT):
            access_token_revoke(client.key, token, request_id=client.request_id)


class _Server(AuthorizationServer):
    """What authlib asks of whoever serves it."""

    def create_oauth2_request(self, request: HttpRequest) -> _OAuthRequest:
        return _OAuthRequest(request)

    def authenticate_client(
        self, request: _OAuthRequest, methods: list[str], endpoint: str = "token"
    ) -> _OAuthClient:
        ways = ("Authorization" in request.headers, "client_secret" in request.form)
        if sum((*ways, _asserts(request))) > 1:
            raise InvalidRequestError(
                "Authenticate in one way: by the header, by client_secret or by client_assertion."
            )
        if any(values[1:] for values in request.payload.datalist.values()):
            raise InvalidRequestError("A parameter is given more than once.")
        known = ClientAuthentication(lambda client_id: _OAuthClient(client_id, request.http))
        known.register(BY_ASSERTION, _by_assertion)
        try:
            client: _OAuthClient = known.authenticate(request, methods, endpoint)
        except _Explained:
            raise
        except (InvalidClientError, ValueError):  # a header that is not base64 of UTF-8
            raise InvalidClientError(_REFUSED, status_code=401) from None
        return client

    def save_token(self, token: dict[str, Any], request: _OAuthRequest) -> None:
        """It was kept when it was made."""

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def handle_response(self, status: int, body: Any, headers: Any) -> HttpResponse:
        named = dict(headers)
        if status == 401:
            named["WWW-Authenticate"] = 'Basic realm="riskapi"'
        return HttpResponse(dumps(body), status=status, headers=named)


def _token_text(client: _OAuthClient, scope: str, **_: Any) -> str:
    with client_scope(client.key.client_id, statement_timeout=STATEMENT_TIMEOUT):
        return access_token_create(
            client.key, scope.split(), kid=client.kid, request_id=client.request_id
        )[1]


_server = _Server()
_server.register_grant(_Grant)
_server.register_endpoint(_Revocation)
_server.register_token_generator(
    "default", BearerTokenGenerator(_token_text, expires_generator=int(LIFETIME.total_seconds()))
)


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
        answer: HttpResponse = _server.create_token_response(self.form(request))
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
        answer: HttpResponse = _server.create_endpoint_response("revocation", self.form(request))
        return answer
