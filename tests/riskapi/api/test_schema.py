"""The OpenAPI document tells the truth about scopes, problems and parameters."""

from __future__ import annotations

import re
from typing import Any

import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator

from portfolios.api.imports import ImportListView
from tests.architecture.test_endpoints import PUBLIC

Operations = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = SchemaGenerator().get_schema(  # type: ignore[no-untyped-call]  # of a library without types
        request=None, public=True
    )
    return found


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> Operations:
    return {
        (method.upper(), route): operation
        for route, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_each_operation_has_a_name_of_its_own(operations: Operations) -> None:
    names = [operation["operationId"] for operation in operations.values()]
    assert len(set(names)) == len(names)


def test_each_secured_operation_names_its_scope_and_refusals(operations: Operations) -> None:
    assert len(operations) > 20
    for (method, route), operation in operations.items():
        answers = operation["responses"]
        scope = operation.get("x-required-scope")
        secured = [{"apiKey": []}, {"oauth2": (scope or "").split()}]
        bare = re.sub(r"^/|/\{.*", "", route)
        is_public = bare in PUBLIC or bare.startswith(("oauth/", ".well-known/"))
        assert is_public or operation.get("security") == secured, (method, route)
        assert {"400", "404", "405", "406", "500", "503"} <= answers.keys(), (method, route)
        if not is_public:
            assert {"401", "403", "429"} <= answers.keys(), (method, route)
        for status, answer in answers.items():
            if status >= "400" and not (route.startswith("/oauth/") and status in ("400", "401")):
                assert list(answer["content"]) == ["application/problem+json"], (method, route)


def test_each_operation_says_in_a_line_what_it_does(operations: Operations) -> None:
    for (method, route), operation in operations.items():
        assert 0 < len(operation["summary"]) <= 100, (method, route)
        assert " ".join(operation["description"].split()).startswith(operation["summary"])
        assert ":" not in operation["tags"][0]


def test_bodies_are_named_once(document: dict[str, Any]) -> None:
    names = document["components"]["schemas"]
    assert "SemiconductorBetaRequest" in names
    assert not [name for name in names if "RequestRequest" in name]


def test_the_document_leaves_nothing_to_guess(document: dict[str, Any]) -> None:
    GENERATOR_STATS.reset()
    SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # of a library without types
    assert not GENERATOR_STATS
    unit = document["components"]["schemas"]["SemiconductorBetaUnitRequest"]["properties"]
    assert unit["hac_lags"]["oneOf"][0] == {"const": "auto"}


def test_writing_operations_take_an_idempotency_key(operations: Operations) -> None:
    for (method, route), operation in operations.items():
        names = {p["name"]: p for p in operation.get("parameters", [])}
        is_keyed = method in ("POST", "PATCH") and not route.startswith("/oauth/")
        assert ("Idempotency-Key" in names) == is_keyed, (method, route)
        assert ("If-Match" in names) == ("412" in operation["responses"]), (method, route)
        assert method != "PATCH" or "If-Match" in names
    assert "428" in operations["DELETE", "/v1/portfolios/{portfolio_id}"]["responses"]
    create = operations["POST", "/v1/imports"]
    required = {p["name"] for p in create["parameters"] if p.get("required")}
    assert required == {"Idempotency-Key"}


def test_everything_that_an_upload_takes_is_described_with_an_example(
    operations: Operations,
) -> None:
    create = operations["POST", "/v1/imports"]
    asked = [p for p in create["parameters"] if p["in"] == "query"]
    assert {p["name"] for p in asked} == set(ImportListView.parameters["POST"])
    for parameter in asked:
        name, text = parameter["name"], parameter["description"]
        assert 0 < len(text) <= 100, name
        assert "\n" not in text, name
        [example] = parameter["examples"].values()
        shown = str(example["value"])
        read = ImportListView.parameters["POST"][name]
        assert read(shown.lower() if isinstance(example["value"], bool) else shown) is not None
    form = create["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["required"] == list(form["properties"]) == ["file"]
    assert form["properties"]["file"]["description"]
    assert form["properties"]["file"]["examples"]


def test_scope_is_written_where_people_read(operations: Operations) -> None:
    operation = operations["PUT", "/v1/portfolios/{portfolio_id}/positions"]
    assert operation["x-required-scope"] == "portfolios:write"
    several = next(o for o in operations.values() if o["operationId"] == "runs_inputs")
    assert several["description"].endswith("`analyses:read`, `portfolios:read`, `prices:read`.")
    assert "Scope: `portfolios:write`." in operation["description"]


def test_list_parameters_are_the_ones_the_view_reads(operations: Operations) -> None:
    parameters = operations["GET", "/v1/prices"]["parameters"]
    names = {p["name"] for p in parameters if p["in"] == "query"}
    own = {"instrument", "adjusted", "as_of", "known_at", "from", "to"}
    assert names == {*own, "limit", "cursor", "count", "sort", "format", "fields", "omit"}


def test_every_read_takes_a_shape_and_says_which_references_it_can_expand(
    operations: Operations,
) -> None:
    for (method, route), operation in operations.items():
        found = {p["name"]: p for p in operation.get("parameters", [])}
        reads_json = "application/json" in operation["responses"].get("200", {}).get("content", {})
        shaped = method == "GET" and reads_json
        assert ("fields" in found, "omit" in found) == (shaped, shaped), (method, route)
    runs = {p["name"]: p for p in operations["GET", "/v1/runs"]["parameters"]}
    assert "`portfolio`, `portfolio.benchmark`" in runs["expand"]["description"]


def test_quantities_are_decimal_strings(document: dict[str, Any]) -> None:
    quantity = document["components"]["schemas"]["Position"]["properties"]["quantity"]
    assert (quantity["type"], quantity["format"]) == ("string", "decimal")
