"""What authlib, which speaks OAuth 2.0, asks of us: who a client is, what it may have, its tokens.

Credentials and tokens are ours, behind row-level security. The addresses are in `oauth`.
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

from portfolios.api.limits import STATEMENT_TIMEOUT
from portfolios.api.quotas import refuse_beyond
from portfolios.errors import Refused
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


server = _Server()
server.register_grant(_Grant)
server.register_endpoint(_Revocation)
server.register_token_generator(
    "default", BearerTokenGenerator(_token_text, expires_generator=int(LIFETIME.total_seconds()))
)
