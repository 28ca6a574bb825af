"""Every address under /v1 asks for a key, and for the scope it declares."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import URLPattern, URLResolver, get_resolver

from portfolios.api.base import ApiView
from portfolios.exports import FORMATS
from portfolios.models import ApiKey, Client
from portfolios.services.access_tokens import access_token_create
from portfolios.services.api_keys import SCOPES, api_key_create
from portfolios.tenancy import operator_scope
from tests.result_shapes import document

pytestmark = pytest.mark.django_db

#: Answered without a key, and why.
PUBLIC = {
    "v1/errors": "explains the problem types that anyone may be answered with",
    "v1/errors/<str:code>": "likewise",
    "v1/guide": "how to begin, before there is a key",
    "v1/guide/<str:name>": "likewise",
    "v1/methods": "how numbers are made, to judge before there is a key",
    "v1/methods/<str:method>": "likewise",
    "v1/methods/<str:method>/versions/<str:version>": "likewise",
    "v1/selfcheck": "how right this build is, likewise",
    "v1/changelog": "what has changed, likewise",
    "v1/openapi.json": "the contract",
    "v1/docs": "shows the contract",
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def _patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in resolver.url_patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _patterns(pattern, path)
        elif isinstance(pattern, URLPattern) and path.startswith("v1/"):
            yield path, getattr(pattern.callback, "view_class", None)


ENDPOINTS = dict(_patterns(get_resolver()))
PRIVATE = {path: view for path, view in ENDPOINTS.items() if path not in PUBLIC}


def _address(path: str) -> str:
    return "/" + path.replace("<str:", "<").replace("<", "").replace(">", "")


@pytest.fixture
def tenant() -> Client:
    with operator_scope():
        return Client.objects.create(name="Ours", slug="ours")


def test_the_lists_of_this_file_are_current() -> None:
    assert set(PUBLIC) <= set(ENDPOINTS)
    assert len(PRIVATE) > 20


@pytest.mark.parametrize("path", PRIVATE)
def test_every_method_declares_its_scope(path: str) -> None:
    view = PRIVATE[path]

    assert issubclass(view, ApiView)
    handled = {method for method in METHODS if hasattr(view, method.lower())}
    assert set(view.required_scopes) == handled
    assert {scope for _, scope in _needed(view)} <= set(SCOPES)


def _needed(view: Any) -> list[tuple[str, str]]:
    """Methods with each scope that they need."""
    declared = view.required_scopes.items()
    return [(method, scope) for method, scopes in declared for scope in (scopes or "").split()]


@pytest.mark.parametrize("path", PRIVATE)
def test_without_a_key_the_answer_is_401(path: str) -> None:
    for method in PRIVATE[path].required_scopes:
        answer = Browser().generic(method, _address(path))
        assert answer.status_code == 401, (method, path)
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", PRIVATE)
def test_without_the_scope_the_answer_is_403(path: str, tenant: Client) -> None:
    for method, scope in _needed(PRIVATE[path]):
        with operator_scope():
            others = [other for other in SCOPES if other != scope]
            _, key = api_key_create(tenant, f"all but {scope} for {method}", others)
        answer = Browser().generic(method, _address(path), HTTP_AUTHORIZATION=f"Bearer {key}")
        assert answer.status_code == 403, (method, path)
        assert answer.json()["code"] == "insufficient-scope"
        assert answer.json()["required_scope"] == scope


LISTS = {path: view for path, view in PRIVATE.items() if hasattr(view, "listing")}
#: Answers with a list or with figures that are there as JSON alone, and why.
JSON_ALONE = {
    "v1/instruments/<str:instrument>": "one object; its terms are a list of their own",
    "v1/webhook-endpoints/<str:endpoint_id>/deliveries/<str:delivery_id>": "one object, its log",
    "v1/runs/<str:run_id>/replay": "whether two results are the same, no figures of its own",
}


def test_every_list_and_every_result_is_there_in_all_forms() -> None:
    """Whatever answers with rows or with results, by its schema, has them as files too."""
    described = document()["paths"]
    lacking, forms = set(), {form.media_type for form in FORMATS}
    for path, view in PRIVATE.items():
        operation = described["/" + re.sub(r"<str:(\w+)>", r"{\1}", path)].get("get")
        if operation is None:
            continue
        content = operation["responses"]["200"]["content"]
        if forms <= set(content):
            assert view.exported_row() is not None
        elif "application/json" in content and _holds_rows(content["application/json"]["schema"]):
            lacking.add(path)
    assert lacking == set(JSON_ALONE)


def _holds_rows(schema: dict[str, Any]) -> bool:
    """Whether an answer has a list of objects, or results."""
    if "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if any(key in schema for key in ("oneOf", "anyOf")):
        return any(map(_holds_rows, schema.get("oneOf") or schema["anyOf"]))
    members = schema.get("properties", {})
    return bool({"result", "units"} & set(members)) or any(
        member.get("type") == "array" and "$ref" in member["items"] for member in members.values()
    )


@pytest.mark.parametrize("path", LISTS)
def test_every_list_can_be_had_as_a_file(path: str, tenant: Client) -> None:
    assert LISTS[path].exported_row() is not None, "say Listing(row=...)"
    if "<" in path or "instrument" in LISTS[path].listing.extra:
        return  # what such a list needs is in tests/portfolios/api/test_exports.py
    with operator_scope():
        _, key = api_key_create(tenant, "all", SCOPES)
    answer = Browser().get(f"/{path}?format=csv", HTTP_AUTHORIZATION=f"Bearer {key}")
    assert answer.status_code == 200
    assert b"," in answer.getvalue()
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"


@pytest.mark.parametrize("path", PRIVATE)
def test_a_token_opens_what_its_scopes_say(path: str, tenant: Client) -> None:
    with operator_scope():
        application, _ = api_key_create(tenant, "app", kind=ApiKey.Kind.OAUTH)
    with operator_scope():
        _, every = access_token_create(application, SCOPES)
    for method in PRIVATE[path].required_scopes:
        opened = Browser().generic(method, _address(path), HTTP_AUTHORIZATION=f"Bearer {every}")
        assert opened.status_code not in (401, 500), (method, path)
        assert b"insufficient-scope" not in opened.content
    for method, scope in _needed(PRIVATE[path]):
        with operator_scope():
            others = [other for other in SCOPES if other != scope]
            _, rest = access_token_create(application, others)
        refused = Browser().generic(method, _address(path), HTTP_AUTHORIZATION=f"Bearer {rest}")
        assert b"insufficient-scope" in refused.content, (method, path)


def test_whatever_starts_work_counts_against_the_quota_of_runs() -> None:
    counted = {
        path for path, view in PRIVATE.items() if "runs" in view.quota_policies.get("POST", ())
    }
    starting = {
        path for path, view in PRIVATE.items() if view.required_scopes.get("POST") == "analyses:run"
    }

    assert len(starting) > 5
    assert counted == starting
