"""Requests that are answered, however often they have to be sent."""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import urllib3

from riskapi_client.credentials import PrivateKey, Secret
from riskapi_client.errors import ApiError, TransportError

_VERSION = "1.0.0"
#: Answers after which the same request may be sent again: too many, still running, not now.
_AGAIN = frozenset((429, 502, 503, 504))
_STILL_RUNNING = "idempotency-in-progress"
#: Before this many seconds of its end a token is fetched anew.
_TOKEN_MARGIN = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body of a success."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


class _NotNow(Exception):
    """No token for now; what was to be sent with it waits as if it had been refused so itself."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Transport:
    """Sends to one service, with a key or with OAuth2 client credentials.

    Every POST and PATCH carries an idempotency key of its own, so that sending it again is safe:
    the service answers with what it answered first. What failed to connect, timed out, or was
    answered by 429, 502, 503 or 504 is sent again after `Retry-After` or, without one, after a
    wait that doubles, until `patience` seconds are over.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        private_key: PrivateKey | None = None,
        patience: float = 60.0,
        timeout: float = 30.0,
        pool: urllib3.PoolManager | None = None,
    ) -> None:
        proof = private_key or (Secret(client_secret) if client_secret is not None else None)
        if (key is None) == (client_id is None or proof is None):
            raise ValueError("give either key or client_id and client_secret or private_key")
        self._url = url.rstrip("/").removesuffix("/v1")
        self._key = key
        self._client_id, self._proof = client_id or "", proof
        self._token: tuple[str, float] | None = None
        self._patience = patience
        self._timeout = timeout
        self._pool = pool or urllib3.PoolManager(maxsize=8, retries=False)

    def close(self) -> None:
        self._pool.clear()

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        idempotency_key: str | None = None,
    ) -> Answer:
        """The answer of a success; `ApiError` for a refusal, `TransportError` for silence."""
        named = {"User-Agent": f"riskapi-client/{_VERSION}", **(headers or {})}
        if content is None and body is not None:
            content = json.dumps(body, default=_written).encode()
            named["Content-Type"] = "application/json"
        if method in ("POST", "PATCH"):
            named.setdefault("Idempotency-Key", idempotency_key or str(uuid.uuid4()))
        address = self._address(path, query)
        deadline = time.monotonic() + self._patience
        attempt, fresh_token = 0, False
        while True:
            attempt += 1
            status, received, data, failure = self._once(method, address, content, named)
            if status is not None and status < 400:
                return Answer(status, received, data)
            if status == 401 and self._key is None and not fresh_token:
                # The token was revoked or has just run out.
                self._token, fresh_token = None, True
                continue
            problem = {} if status is None else _problem(status, data)
            again = status is None or status in _AGAIN or problem.get("code") == _STILL_RUNNING
            wait = _wait(attempt, received)
            if not again or time.monotonic() + wait > deadline:
                if status is None:
                    raise TransportError(f"{method} {address}: {failure}") from failure
                raise ApiError(status, problem)
            time.sleep(wait)

    def _once(
        self, method: str, address: str, content: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int | None, Mapping[str, str], bytes, Exception | None]:
        """One attempt: status, headers, body; or no status and why there is none."""
        try:
            authorized = {**headers, "Authorization": f"Bearer {self._bearer()}"}
            answer = self._pool.request(
                method, address, body=content, headers=authorized,
                timeout=self._timeout, redirect=False, retries=False,
            )  # fmt: skip
        except urllib3.exceptions.HTTPError as error:
            return None, {}, b"", error
        except _NotNow as refusal:
            return refusal.answer.status, refusal.answer.headers, refusal.answer.content, None
        return answer.status, answer.headers, answer.data, None

    def _address(self, path: str, query: Mapping[str, Any] | None) -> str:
        given = {k: _parameter(v) for k, v in (query or {}).items() if v is not None}
        joint = "&" if "?" in path else "?"
        return self._url + path + (joint + urlencode(given) if given else "")

    def _bearer(self) -> str:
        if self._key is not None:
            return self._key
        if self._token is None or self._token[1] < time.monotonic():
            self._token = self._fetch_token()
        return self._token[0]

    def _fetch_token(self) -> tuple[str, float]:
        """A token, and until when it is good: some time before it ends, counted from the asking."""
        assert self._proof is not None  # noqa: S101  # or there is a key
        asked, endpoint = time.monotonic(), f"{self._url}/oauth/token"
        form, headers = self._proof.proof(self._client_id, endpoint)
        answer = self._pool.request(
            "POST", endpoint, fields={"grant_type": "client_credentials", **form},
            headers=headers, encode_multipart=False, timeout=self._timeout,
            redirect=False, retries=False,
        )  # fmt: skip
        if answer.status in _AGAIN:
            raise _NotNow(Answer(answer.status, answer.headers, answer.data))
        if answer.status != 200:
            problem = _problem(answer.status, answer.data)
            told = {"code": problem.get("error"), "detail": problem.get("error_description")}
            raise ApiError(answer.status, {**told, **problem})
        token = json.loads(answer.data)
        lasts = float(token.get("expires_in", 0))
        # Of a token that is shorter than the margin, half.
        return str(token["access_token"]), asked + max(lasts - _TOKEN_MARGIN, lasts / 2)


def _wait(attempt: int, headers: Mapping[str, str]) -> float:
    """Seconds to wait: what the answer says, else doubling from a quarter, up to 8, with chance."""
    told = headers.get("Retry-After", "")
    if told.isdigit():
        return float(told)
    return float(min(8.0, 0.25 * 2 ** (attempt - 1)) * random.uniform(0.5, 1.0))  # noqa: S311 - no secret


def _problem(status: int, data: bytes) -> dict[str, Any]:
    try:
        problem = json.loads(data)
    except ValueError:
        problem = None
    if isinstance(problem, dict):
        return problem
    return {"code": "unreadable", "detail": f"An answer of {status} that is no problem document."}


def _parameter(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _written(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    raise TypeError(f"{type(value).__name__} cannot be sent")
