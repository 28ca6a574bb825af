"""The OpenAPI document is kept in the project, so that each change of the contract is seen.

`RISK_WRITE_OPENAPI=1 python3 manage.py test tests/architecture/test_openapi_document.py` writes it
anew where no program breaks by it. To break one all the same, remove the file before.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer

from riskapi.embedded.bootstrap import ROOT
from tests.architecture.openapi_changes import breaking_changes
from tests.switches import is_on

KEPT = ROOT / "riskapi" / "docs" / "openapi.json"
HOW_TO_WRITE = "RISK_WRITE_OPENAPI=1 writes it anew"

Document = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Document:
    made = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # of a library without types
    rendered: Document = json.loads(OpenApiJsonRenderer().render(made))
    return rendered


def kept(path: Path = KEPT) -> Document:
    found: Document = json.loads(path.read_text())
    return found


def test_no_program_breaks_by_the_document_of_this_code(document: Document) -> None:
    if not KEPT.exists():
        assert is_on("RISK_WRITE_OPENAPI"), HOW_TO_WRITE
        return
    assert breaking_changes(kept(), document) == []


def test_the_document_kept_is_that_of_this_code(document: Document) -> None:
    if is_on("RISK_WRITE_OPENAPI"):
        assert not KEPT.exists() or not breaking_changes(kept(), document)
        KEPT.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    before = kept()
    was, now = before["paths"], document["paths"]
    differing = sorted(path for path in was.keys() | now.keys() if was.get(path) != now.get(path))
    # Not left to pytest, which would compare sixty thousand lines.
    same = before == document
    assert same, f"{HOW_TO_WRITE}; addresses that differ: {differing}"


def _of(document: Document, path: str, method: str = "get") -> Any:
    return document["paths"][path][method]


def _portfolio(document: Document) -> Any:
    return document["components"]["schemas"]["Portfolio"]


def _remove_operation(document: Document) -> None:
    del document["paths"]["/v1/me"]


def _remove_status(document: Document) -> None:
    answers = _of(document, "/v1/analyses/semiconductor-beta", "post")["responses"]
    del answers["202"]


def _remove_media_type(document: Document) -> None:
    del _of(document, "/v1/portfolios")["responses"]["200"]["content"]["text/csv"]


def _remove_parameter(document: Document) -> None:
    _of(document, "/v1/portfolios")["parameters"].pop()


def _require_parameter(document: Document) -> None:
    _of(document, "/v1/portfolios")["parameters"].append(
        {"in": "query", "name": "new", "required": True, "schema": {"type": "string"}}
    )


def _remove_property(document: Document) -> None:
    del _portfolio(document)["properties"]["name"]


def _make_optional(document: Document) -> None:
    _portfolio(document)["required"].remove("name")


def _change_type(document: Document) -> None:
    _portfolio(document)["properties"]["name"]["type"] = "integer"


def _make_nullable(document: Document) -> None:
    _portfolio(document)["properties"]["name"]["type"] = ["string", "null"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_remove_operation, "GET /v1/me is gone"),
        (_remove_status, "POST /v1/analyses/semiconductor-beta: no longer answers 202"),
        (_remove_media_type, "GET /v1/portfolios: 200 is no longer available as text/csv"),
        (_remove_parameter, "GET /v1/portfolios: the parameter"),
        (_require_parameter, "GET /v1/portfolios: the parameter new must be sent"),
        (_remove_property, ".name is gone"),
        (_make_optional, ".name may be left out"),
        (_change_type, ".name was string and is integer"),
        (_make_nullable, ".name was string and is null or string"),
    ],
)
def test_what_breaks_a_program_is_told(
    document: Document, change: Callable[[Document], None], told: str
) -> None:
    after = copy.deepcopy(document)
    change(after)
    assert any(told in line for line in breaking_changes(document, after))


def test_what_a_request_must_hold_more_breaks_a_program(document: Document) -> None:
    after = copy.deepcopy(document)
    body = _of(after, "/v1/portfolios", "post")["requestBody"]["content"]["application/json"]
    name = body["schema"]["$ref"].rpartition("/")[2]
    after["components"]["schemas"][name]["properties"]["new"] = {"type": "string"}
    assert breaking_changes(document, after) == []
    after["components"]["schemas"][name].setdefault("required", []).append("new")
    assert any(".new must be sent" in line for line in breaking_changes(document, after))


def test_additions_and_texts_break_nothing(document: Document) -> None:
    after = copy.deepcopy(document)
    after["paths"]["/v1/new"] = copy.deepcopy(after["paths"]["/v1/me"])
    _portfolio(after)["properties"]["new"] = {"type": "string"}
    _of(after, "/v1/me")["summary"] = "Another summary."
    _of(after, "/v1/portfolios")["parameters"].append(
        {"in": "query", "name": "new", "schema": {"type": "string"}}
    )
    assert breaking_changes(document, after) == []
