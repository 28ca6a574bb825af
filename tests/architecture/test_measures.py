"""A measure is complete or it is not there: numbers, page, calculation, address, tests."""

from __future__ import annotations

import re
from typing import Any

import pytest

from analytics.calculations.registry import MEASURES
from analytics.models import Run
from tests.architecture.sources import ROOT, imported_names, modules

#: The engine module behind a kind.
ENGINE = {
    "semiconductor-beta": "beta",
    "hedge-effectiveness": "hedge",
    "leveraged-drag": "leverage",
    "tail-risk": "tail_risk",
    "hedge-comparison": "hedge",
}
KINDS = pytest.mark.parametrize("kind", MEASURES)


def _source(path: str) -> str:
    return (ROOT / path).read_text()


def test_every_kind_of_run_is_a_measure() -> None:
    assert set(MEASURES) == set(Run.Kind.values) == set(ENGINE)


@KINDS
def test_the_calculation_uses_its_engine_module(kind: str) -> None:
    calculation = modules("analytics/calculations")
    [tree] = [t for path, t in calculation.items() if path.stem == kind.replace("-", "_")]

    assert f"analytics.engine.{ENGINE[kind]}" in imported_names(tree)


@KINDS
def test_the_methodology_page_says_all_it_has_to(kind: str) -> None:
    page = _source(f"analytics/methodology/{kind.replace('-', '_')}.md").lower()

    for topic in ("formula", "input", "edge case", "worked example", "reference"):
        assert topic in page, topic


@KINDS
def test_the_method_is_versioned(kind: str) -> None:
    assert re.fullmatch(r"[a-z-]+/\d+\.\d+\.\d+", MEASURES[kind].method_version)


@KINDS
def test_engine_and_calculation_have_tests(kind: str) -> None:
    named = {
        name
        for path, tree in modules("tests").items()
        for name in imported_names(tree)
        if path.parts[1] in {"engine", "analytics"}
    }
    text = "\n".join(path.read_text() for path in (ROOT / "tests/analytics").rglob("test_*.py"))

    assert f"analytics.engine.{ENGINE[kind]}" in named
    assert kind in text


@KINDS
def test_the_kind_has_an_address(kind: str, api_schema: dict[str, Any]) -> None:
    operation = api_schema["paths"][f"/v1/analyses/{kind}"]["post"]

    assert {"200", "202"} <= set(operation["responses"])


@pytest.fixture(scope="module")
def api_schema() -> dict[str, Any]:
    from drf_spectacular.generators import SchemaGenerator

    generator = SchemaGenerator()  # type: ignore[no-untyped-call]  # the package has no types
    schema: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # likewise
    return schema
