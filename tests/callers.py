"""A caller of the API in tests: Django's client with a key, in process, through every layer."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.test import Client as HttpClient

from portfolios.models import ApiKey, Client
from portfolios.services.api_keys import SCOPES, api_key_create
from portfolios.tenancy import operator_scope

_numbers = itertools.count(2)


@dataclass
class Answer:
    """Status, headers and parsed body."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content)

    @property
    def code(self) -> Any:
        """Of a problem document, whose form is checked on the way."""
        assert self.headers["Content-Type"] == "application/problem+json", self.content
        assert self.body["status"] == self.status
        assert self.body["request_id"] == self.headers["Request-Id"]
        return self.body["code"]


@dataclass
class Caller:
    """One client's key."""

    client: Client
    key: ApiKey
    text: str

    def with_key(self, *, scopes: Sequence[str] = SCOPES, **options: Any) -> Caller:
        with operator_scope():
            key, text = api_key_create(self.client, f"another {next(_numbers)}", scopes, **options)
        return Caller(self.client, key, text)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        content_type: str = "application/json",
        **headers: Any,
    ) -> Answer:
        """Send JSON (or raw bytes); header names are given with underscores."""
        data = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named.setdefault("Authorization", f"Bearer {self.text}")
        # An exception that got past the problem handler must fail the test as itself.
        http = HttpClient(raise_request_exception=True)
        response = http.generic(method, path, data, content_type, headers=named)
        content = response.getvalue()
        return Answer(response.status_code, dict(response.headers), content)

    def get(self, path: str, **headers: Any) -> Answer:
        return self.send("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: Any) -> Answer:
        return self.send("POST", path, body, **headers)

    def put(self, path: str, body: Any = None, **headers: Any) -> Answer:
        return self.send("PUT", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: Any) -> Answer:
        return self.send("PATCH", path, body, **headers)


def caller_create(slug: str) -> Caller:
    with operator_scope():
        client = Client.objects.create(name=slug.title(), slug=slug)
        key, text = api_key_create(client, "test")
    return Caller(client, key, text)
