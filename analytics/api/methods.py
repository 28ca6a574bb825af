"""How the numbers are made, and how well this build agrees with published ones."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.api.results.parts import Shape, optional_real, real
from analytics.api.results.runs import RESULTS
from analytics.selectors.methods import Page, histories, method_get, pages, version_get
from analytics.services.selfcheck import selfcheck_report
from portfolios.api.listing import refuse_unknown
from portfolios.api.pages import OpenView, page_response, table, wants_page


class MethodVersionShape(Shape):
    version = serializers.CharField()
    changes = serializers.ListField(child=serializers.CharField())
    number_changes = serializers.ListField(
        child=serializers.CharField(),
        help_text="Figures that moved, with size and reason.",
    )


class MethodSummaryShape(Shape):
    id = serializers.CharField()
    title = serializers.CharField()
    summary = serializers.CharField()
    analysis = serializers.CharField(
        allow_null=True, help_text="Address of the analysis that it is the method of."
    )
    method_version = serializers.CharField(allow_null=True, help_text="As results name it.")


class MethodListShape(Shape):
    data = MethodSummaryShape(many=True)  # type: ignore[assignment]  # taken by the metaclass


class MethodSectionShape(Shape):
    heading = serializers.CharField()
    text = serializers.CharField(help_text="Markdown.")


class MethodFieldShape(Shape):
    name = serializers.CharField(help_text="Of a member of the result.")
    required = serializers.BooleanField()  # type: ignore[assignment]  # taken by the metaclass
    about = serializers.CharField(allow_blank=True)


class MethodShape(MethodSummaryShape):
    sections = MethodSectionShape(many=True)
    fields = MethodFieldShape(many=True)  # type: ignore[assignment]  # taken by the metaclass
    versions = MethodVersionShape(many=True)


class MethodOfVersionShape(MethodVersionShape):
    id = serializers.CharField()
    method_version = serializers.CharField()
    current = serializers.BooleanField()
    sections = MethodSectionShape(
        many=True, allow_null=True, help_text="Null of a version that this build no longer has."
    )


class SelfcheckMethodShape(Shape):
    method = serializers.CharField()
    rows = serializers.IntegerField()
    passed = serializers.IntegerField()
    max_error = real(help_text="Largest absolute error.")
    max_error_in_tolerances = real(help_text="Largest error over its tolerance.")


class SelfcheckValueShape(Shape):
    id = serializers.CharField()
    method = serializers.CharField()
    asked = serializers.CharField()
    expected = optional_real()
    actual = optional_real()
    error = optional_real()
    tolerance = real()
    passed = serializers.BooleanField()
    source = serializers.CharField()  # type: ignore[assignment]  # taken by the metaclass


class SelfcheckShape(Shape):
    rows = serializers.IntegerField()
    passed = serializers.IntegerField()
    methods = SelfcheckMethodShape(many=True)
    values = SelfcheckValueShape(many=True)


class MethodListView(OpenView):
    @extend_schema(operation_id="methods_list", responses=MethodListShape, auth=[])
    def get(self, request: Request) -> Response:
        """Every method with its page, and the version that analyses are made with now."""
        refuse_unknown(request, ())
        rows = [_summary(page) for page in pages().values()]
        if not wants_page(request):
            return Response({"data": rows})
        analyses = [row for row in rows if row["analysis"]]
        others = [row for row in rows if not row["analysis"]]
        text = f"{_ABOUT_METHODS}\n\n{_index(analyses)}\n\n## Beside them\n\n{_index(others)}"
        return page_response("Methods", text)


class MethodDetailView(OpenView):
    @extend_schema(operation_id="methods_retrieve", responses=MethodShape, auth=[])
    def get(self, request: Request, method: str) -> Response:
        """One method: formulas, inputs, edge cases, worked example, versions, fields."""
        refuse_unknown(request, ())
        page, history = method_get(method)
        versions = history["versions"] if history else []
        if wants_page(request):
            return page_response(page.title, f"{page.text}\n\n{_versions(versions)}")
        body = {
            **_summary(page),
            "sections": page.sections,
            "fields": _fields(page.slug),
            "versions": versions,
        }
        return Response(body)


class MethodVersionView(OpenView):
    @extend_schema(operation_id="methods_version", responses=MethodOfVersionShape, auth=[])
    def get(self, request: Request, method: str, version: str) -> Response:
        """One version of a method: what changed with it, and by how much figures moved."""
        refuse_unknown(request, ())
        page, history, found = version_get(method, version)
        current = found is history["versions"][-1]
        if wants_page(request):
            return page_response(
                f"{page.title} {version}", f"# {page.title}\n\n{_versions([found])}"
            )
        body = {
            "id": page.slug,
            "method_version": f"{history['method']}/{version}",
            "current": current,
            **found,
            "sections": page.sections if current else None,
        }
        return Response(body)


class SelfcheckView(OpenView):
    @extend_schema(operation_id="selfcheck_retrieve", responses=SelfcheckShape, auth=[])
    def get(self, request: Request) -> Response:
        """This build against published and hand-derived values: the largest error by method."""
        refuse_unknown(request, ())
        report = selfcheck_report()
        if not wants_page(request):
            return Response(report)
        rows = [
            (row["method"], f"{row['passed']} of {row['rows']}", f"{row['max_error']:.1e}")
            for row in report["methods"]
        ]
        shown = table(("Method", "Agree", "Largest error"), rows)
        return page_response("Self-check", f"# Self-check\n\n{shown}")


def _summary(page: Page) -> dict[str, Any]:
    history = histories().get(page.slug)
    version = history["versions"][-1]["version"] if history else None
    return {
        "id": page.slug,
        "title": page.title,
        "summary": page.summary,
        "analysis": f"/v1/analyses/{page.slug}" if history else None,
        "method_version": f"{history['method']}/{version}" if history else None,
    }


_ABOUT_METHODS = """# Methods

How each number is made: formula, conventions, edge cases, a worked example.
[The self-check](/v1/selfcheck) holds this build against published reference values.

## The analyses"""


def _index(rows: list[dict[str, Any]]) -> str:
    """Methods as a table, each with what it is about."""
    shown = [
        (f"[{row['title']}](/v1/methods/{row['id']})", row["summary"].partition(" Computed by")[0])
        for row in rows
    ]
    return table(("Method", "What it is about"), shown)


def _fields(kind: str) -> list[dict[str, Any]]:
    """The members of the kind's results, as the schema has them."""
    found: dict[str, dict[str, Any]] = {}
    for shape in RESULTS.get(kind, ()):
        for name, field in shape().fields.items():
            about = str(field.help_text or "")
            found.setdefault(name, {"name": name, "required": field.required, "about": about})
    return list(found.values())


def _versions(versions: list[dict[str, Any]]) -> str:
    lines = ["## Versions"] if versions else []
    for one in reversed(versions):
        lines += ["", f"**{one['version']}**", ""]
        lines += [f"- {text}" for text in one["changes"]]
        lines += [f"- Numbers: {text}" for text in one["number_changes"]]
    return "\n".join(lines)
