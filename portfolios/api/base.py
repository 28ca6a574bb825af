"""What every view of the API shares, in this app and in analytics.

A request passes through `ApiView` in this order:

1. `initial` chooses the form of the answer and finds the key (`riskapi.api.authentication`). The
   statement that finds the key also counts the request against the client's quotas, and takes the
   view's `look` along, where it has one.
2. `_handle` runs the handler (`get`, `post`, ...) inside one transaction that sees the caller's
   rows alone. An exception, or an answer of 400 and above, rolls it back. With an
   `Idempotency-Key` the answer is kept in the same transaction and repeated to whoever sends the
   key again.
3. `after_commit` may replace the answer once the transaction is over (`Prefer: wait`).
4. `dispatch` adds the header fields that every answer has: quotas, `Sandbox-Now`, `Vary`.

Errors are raised, never returned: `portfolios.errors` for the domain, `rest_framework.exceptions`
for the protocol. `riskapi.api.exceptions` makes problem documents of both.

A view declares, as plain class attributes:

`required_scopes`      {"GET": "portfolios:read", ...}, several by spaces; None: any valid key.
                       Every method handled must be named, or the system check `riskapi.E001`
                       fails the start.
`idempotency_required` True: POST and PATCH must carry an `Idempotency-Key`. They may in any view.
`answers_secret`       True: the answer holds a secret, so it is encrypted where it is kept to be
                       repeated under its `Idempotency-Key`.
`max_json_nodes`       how many values the JSON of a body may hold.
`refusals`             {"GET": (409,)}: statuses beyond those that every view of the method has.
`sends`                {"GET": ("ETag",)}: header fields of its successes beyond those that follow
                       from what it is (`riskapi.api.answer_headers`).
`quota_policies`       {"POST": ("runs",)}: what a request counts against besides "default".
`opens_scope`          False: no transaction is opened around the handler, which opens
                       `client_scope` itself where it needs one. For long polls, which must not
                       hold a transaction while they wait.
`places`               where its bodies are received (`portfolios.api.receiving`).
`one_trip`             True: for a page as JSON no transaction is opened around GET either.
                       `list_response` sends scope and statements in one message to the database.
`file_row`             what a row is where GET can be had as a file (`portfolios.api.exports`);
                       lists say it in their `listing`.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.db import transaction
from django.http import HttpResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portfolios.api.exports import FILE_RENDERERS, RowSerializer, chosen_format
from portfolios.api.limits import MAX_JSON_NODES, STATEMENT_TIMEOUT
from portfolios.api.listing import point_in_time
from portfolios.api.preconditions import not_modified, quoted
from portfolios.api.quotas import quota_fields, refuse_beyond
from portfolios.api.receiving import CLIENTS, Places
from portfolios.api.shaping import SHAPING, Shape, answer_of, shape_asked
from portfolios.errors import InvalidRequest
from portfolios.models import ApiKey, Client
from portfolios.selectors.clock import SANDBOX_NOW_TEXT
from portfolios.services.idempotency import idempotency_replay, idempotency_store, is_valid_key
from portfolios.services.quotas import quota_return
from portfolios.tenancy import Look, client_scope
from portfolios.webhooks.signing import seal, unseal

KEYED_METHODS = ("POST", "PATCH")
REPLAYED = "Idempotency-Replayed"
#: Of what is never edited: what was read once stays right, for the one who may read it.
IMMUTABLE = "private, max-age=31536000, immutable"
STORED_HEADERS = ("Location", "ETag", "Retry-After")
BODY_METHODS = ("POST", "PUT", "PATCH")


class ApiView(APIView):
    """A view under /v1. See the module's text for what subclasses declare."""

    required_scopes: ClassVar[Mapping[str, str | None]] = {}
    refusals: ClassVar[Mapping[str, tuple[int, ...]]] = {}
    sends: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    quota_policies: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    idempotency_required: ClassVar[bool] = False
    answers_secret: ClassVar[bool] = False
    max_json_nodes: ClassVar[int] = MAX_JSON_NODES
    opens_scope: ClassVar[bool] = True
    places: ClassVar[Places] = CLIENTS
    one_trip: ClassVar[bool] = False
    file_row: ClassVar[RowSerializer | None] = None
    #: DRF's "format suffix" of an address, `/portfolios.json`: there are none here.
    format_kwarg: Any = None
    #: The rows that `look` found; set by the authentication.
    looked: Sequence[tuple[Any, ...]] = ()
    #: When the transaction of the request began, by the database's clock.
    now: datetime
    #: What this request asks of the answer's form.
    shape: Shape | None = None

    @classmethod
    def exported_row(cls) -> RowSerializer | None:
        """What a row of this view's files is; None where GET answers with JSON alone."""
        return cls.file_row or getattr(getattr(cls, "listing", None), "row", None)

    def get_renderers(self) -> list[Any]:
        reads = self.request.method in ("GET", "HEAD") and self.exported_row() is not None
        return _one_of_each((*self.renderer_classes, *(FILE_RENDERERS if reads else ())))

    def get_parsers(self) -> list[Any]:
        return _one_of_each(tuple(self.parser_classes))

    def get_authenticators(self) -> list[Any]:
        return _one_of_each(tuple(self.authentication_classes))

    def get_permissions(self) -> list[Any]:
        return _one_of_each(tuple(self.permission_classes))

    def get_content_negotiator(self) -> Any:
        return _one_of_each((self.content_negotiation_class,))[0]

    @property
    def client(self) -> Client:
        """The tenant the key belongs to."""
        return self.key.client

    @property
    def actor(self) -> str:
        """Who the audit names."""
        return self.key.actor

    @property
    def request_id(self) -> str:
        return str(getattr(self.request, "request_id", ""))

    def look(self) -> Look | None:
        """The statement that reads all that this GET needs, if one statement does.

        It is sent to the database together with the credential, before the handler runs; the
        handler finds its rows in `looked`. None: the handler reads by itself.
        """
        return None

    @property
    def common_parameters(self) -> tuple[str, ...]:
        """Query parameters that this class reads, so that no handler has to know them."""
        asked = self.request.method in ("GET", "HEAD") and answer_of(type(self)) is not None
        return SHAPING if asked else ()

    @property
    def key(self) -> ApiKey:
        """The key the caller showed."""
        key = self.request.auth
        assert isinstance(key, ApiKey)  # noqa: S101  # the permission let nobody else through
        return key

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        self.args, self.kwargs = args, kwargs
        self.headers: Any = {}
        drf_request = self.initialize_request(request, *args, **kwargs)
        self.request = drf_request
        try:
            self.initial(drf_request, *args, **kwargs)
            method = (drf_request.method or "").lower()
            handler = self.http_method_not_allowed
            if method in self.http_method_names:
                handler = getattr(self, method, handler)
            response = self._handle(handler, drf_request)
            # Here and not later, so that what cannot be written can still be told.
            if (body := _rendered(drf_request, response)) is not None:
                response.data = body
        except Exception as error:  # noqa: BLE001  # the handler re-raises what it does not know
            response = self.handle_exception(error)
        response = self.response = self.finalize_response(drf_request, response, *args, **kwargs)
        # The 304 and the refusal too: what a cache keeps of either is for the same question alone.
        response["Vary"] = "Accept, Authorization" if self.authentication_classes else "Accept"
        self._say_of_client(drf_request, response)
        return response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002  # DRF's
        """What comes before the handler. In place of DRF's own, which would also look for a version
        in the address and for throttles: there are neither."""
        chosen = self.perform_content_negotiation(request)
        request.accepted_renderer, request.accepted_media_type = chosen
        self.perform_authentication(request)
        self.check_permissions(request)

    def perform_authentication(self, request: Request) -> None:
        """Find the key; the same statement has counted the request."""
        super().perform_authentication(request)
        quota = getattr(request, "quota", None)
        if quota is not None:
            refuse_beyond(quota)

    def _say_of_client(self, request: Request, response: HttpResponseBase) -> None:
        quota = getattr(request._request, "quota", None)
        if quota is None:
            return
        if quota.client.is_sandbox:
            response["Sandbox-Now"] = SANDBOX_NOW_TEXT
        if response.status_code == 304 and request.headers["If-None-Match"].strip() != "*":
            quota = quota_return(quota)  # what the caller has already is free
        for name, value in quota_fields(quota).items():
            response[name] = value

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002  # DRF's
        # Not DRF's, which is rendered: there is no content, be it of a page or of JSON.
        answer = HttpResponse(status=204, headers={"Allow": ", ".join(self.allowed_methods)})
        del answer["Content-Type"]
        return answer

    def after_commit(self, request: Request, response: Response) -> Response:  # noqa: ARG002  # a hook
        """The answer to send, once the transaction is over: this one, or another in its place.

        Called for answers that are repeated under their `Idempotency-Key` too.
        """
        return response

    def fingerprint(self, request: Request) -> bytes:
        """What makes two keyed requests the same: the raw body."""
        return bytes(request._request.body)

    def received(self, request: Request) -> bytes:
        """The fingerprint of the body, once all of it has arrived. Only so many bodies arrive at a
        time, so that slow ones cannot take every thread of the server."""
        if request.method not in BODY_METHODS:
            return b""
        try:
            return self.places.receive(lambda: self.fingerprint(request))
        except UnreadablePostError:
            raise ParseError("The body ended before its Content-Length.") from None

    def _handle(self, handler: Callable[..., Any], request: Request) -> Response:
        if handler in (self.http_method_not_allowed, self.options):
            response: Response = handler(request, *self.args, **self.kwargs)
            return response
        reads = request.method in ("GET", "HEAD")
        self.shape = shape_asked(request, type(self)) if reads else None
        as_it_is = reads and self.shape is None and chosen_format(request) is None
        if request.auth is None or not self.opens_scope or (self.one_trip and as_it_is):
            return self._handle_without_scope(handler, request)
        return self._handle_in_scope(handler, request)

    def _handle_without_scope(self, handler: Callable[..., Any], request: Request) -> Response:
        """For a caller without a key, or a view that opens its scopes itself."""
        response: Response = handler(request, *self.args, **self.kwargs)
        if self.shape is None:
            return response
        if request.auth is None:
            return self._shaped(request, response, self.shape)
        with client_scope(self.client.id, statement_timeout=STATEMENT_TIMEOUT):
            return self._shaped(request, response, self.shape)

    def _handle_in_scope(self, handler: Callable[..., Any], request: Request) -> Response:
        """In one transaction that sees the client's rows alone."""
        key = self._idempotency_key(request)
        # Whole before the transaction: a body that trickles in must not hold a connection.
        sent = self.received(request)
        response: Response
        with client_scope(self.client.id, statement_timeout=STATEMENT_TIMEOUT) as self.now:
            if key is None:
                response = handler(request, *self.args, **self.kwargs)
                if self.shape is not None:
                    response = self._shaped(request, response, self.shape)
                # Inside the transaction: an answer that cannot be written undoes what it reports.
                body = _rendered(request, response)
            else:
                response, body = self._handle_once(handler, request, key, sent)
            if response.status_code >= 400:
                transaction.set_rollback(True)
        answer = self.after_commit(request, response)
        if answer is response and body is not None:
            answer.data = body
        if REPLAYED in response:
            answer[REPLAYED] = response[REPLAYED]
        return answer

    def _shaped(self, request: Request, response: Response, shape: Shape) -> Response:
        """The answer cut and expanded as `fields`, `omit` and `expand` ask, with an entity tag of
        its own: the tag of the whole, a dot, and a hash of what is sent."""
        if response.status_code != 200 or chosen_format(request) is not None:
            return response  # a file is cut as it is written
        client = self.key.client if request.auth else None
        known_at = point_in_time(request).known_at if shape.expand else None
        response.data = shape.applied(response.data, client, known_at)
        if shape.expand:
            del response["Cache-Control"]  # the objects in it may change
        if "ETag" not in response:
            return response
        response.data = _rendered(request, response) or b""
        content = hashlib.sha256(response.data).hexdigest()[:16]
        whole = response["ETag"].strip('"')
        tag = f"{whole}.{content}"
        response["ETag"] = quoted(tag)
        unchanged = not_modified(request, tag, shaped=True)
        if unchanged is not None and "Cache-Control" in response:
            unchanged["Cache-Control"] = response["Cache-Control"]
        return unchanged or response

    def _idempotency_key(self, request: Request) -> str | None:
        if request.method not in KEYED_METHODS:
            return None
        key = request.headers.get("Idempotency-Key")
        if key is None:
            if self.idempotency_required:
                raise InvalidRequest(
                    "This request must carry an Idempotency-Key header: any text of your choice,"
                    " new for each intended effect, the same for each repetition.",
                    code="idempotency-key-required",
                )
            return None
        if not is_valid_key(key):
            raise InvalidRequest(
                "An Idempotency-Key is 1 to 255 visible ASCII characters.",
                code="bad-idempotency-key",
            )
        return key

    def _handle_once(
        self, handler: Callable[..., Any], request: Request, key: str, sent: bytes
    ) -> tuple[Response, bytes | None]:
        """The kept answer to the first request with this key; or, if this is the first, the
        handler's, which is then kept. Only successes are kept: a refused request may be mended and
        sent again under its key."""
        target = f"{request.method} {request.get_full_path()}\n".encode()
        fingerprint = hashlib.sha256(target + sent).hexdigest()
        record = idempotency_replay(client=self.client, key=key, fingerprint=fingerprint)
        if record is not None:
            headers = {**record.headers, REPLAYED: "true"}
            body = bytes(record.body or b"")
            if self.answers_secret:
                body = unseal(body.decode())
            data = json.loads(body) if body else None
            return Response(data, status=record.status, headers=headers), body
        response: Response = handler(request, *self.args, **self.kwargs)
        rendered = _rendered(request, response)
        if response.status_code < 400:
            idempotency_store(
                client=self.client,
                key=key,
                fingerprint=fingerprint,
                status=response.status_code,
                headers={name: response[name] for name in STORED_HEADERS if name in response},
                body=self._kept(rendered or b""),
            )
        return response, rendered

    def _kept(self, body: bytes) -> bytes:
        """The form in which an answer is kept to be repeated: encrypted if it holds a secret."""
        return seal(body).encode() if self.answers_secret else body


@functools.cache
def _one_of_each(classes: tuple[type[Any], ...]) -> list[Any]:
    """One instance of each class for all requests: none of them keeps anything of a request."""
    return [one() for one in classes]


def _rendered(request: Request, response: Response) -> bytes | None:
    """The body as bytes; None where there is none, or where the view answers with a document."""
    data = getattr(response, "data", None)
    if data is None or isinstance(data, bytes):
        return data
    rendered = request.accepted_renderer.render(data)
    return rendered if isinstance(rendered, bytes) else rendered.encode()


def etagged(body: Any, tag: str, *, status: int = 200, **headers: str) -> Response:
    """An answer with its strong entity tag."""
    return Response(body, status=status, headers={"ETag": quoted(tag), **headers})
