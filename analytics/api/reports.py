"""Reports: the record as JSON, the page as HTML and PDF, the numbers as files."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.api.serializers import ReportFigureSerializer
from analytics.models import Report
from analytics.reporting.flat import record_rows
from analytics.selectors.reports import report_get_for_client, report_list_for_client
from analytics.services.reports import report_rerun
from portfolios.api.base import IMMUTABLE, ApiView, etagged
from portfolios.api.exports import FILE_RENDERERS, chosen_format, file_response
from portfolios.api.listing import (
    Filter,
    Listing,
    calendar_date,
    list_response,
    page_of,
    refuse_unknown,
)
from portfolios.api.preconditions import not_modified, quoted
from portfolios.errors import Conflict
from portfolios.exports import FORMATS
from portfolios.page_policies import READING
from portfolios.selectors.json_rows import (
    JsonRow,
    beginning,
    moment,
    nested,
    plain,
    public_id,
)
from portfolios.services.quotas import RUNS

_REPORT = JsonRow(
    id=public_id("id", Report.ID_PREFIX),
    business_date=plain("business_date"),
    revision=plain("revision"),
    state=plain("state"),
    known_at=moment("known_at"),
    created_at=moment("created_at"),
    finished_at=moment("finished_at"),
    content_hash=beginning("sha256:", "content_hash"),
    links=nested(
        html=public_id("id", Report.ID_PREFIX, within="/v1/reports/{}.html"),
        pdf=public_id("id", Report.ID_PREFIX, within="/v1/reports/{}.pdf"),
        csv=public_id("id", Report.ID_PREFIX, within="/v1/reports/{}.csv"),
    ),
)
_CSV = FILE_RENDERERS[[form.name for form in FORMATS].index("csv")]


class ReportSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    id = serializers.CharField()
    business_date = serializers.DateField()
    revision = serializers.IntegerField(help_text="Late data makes a new one, never an edit.")
    state = serializers.ChoiceField(choices=Report.State.choices)
    known_at = serializers.DateTimeField(help_text="Only facts recorded until then are used.")
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    content_hash = serializers.CharField(allow_null=True)
    links = serializers.DictField(child=serializers.CharField())


class ReportDetailSerializer(ReportSerializer):
    record = serializers.DictField(allow_null=True, help_text="Every number of the report.")


class ReportListView(ApiView):
    required_scopes = {"GET": "reports:read"}
    one_trip = True
    listing = Listing(
        report_list_for_client,
        _REPORT,
        filters={
            "business_date": Filter("business_date", calendar_date, ranges=True),
            "state": Filter("state"),
        },
        sorts={"business_date": "business_date", "created_at": "created_at"},
        default_sort="-business_date",
        row=ReportSerializer,
    )

    @extend_schema(operation_id="reports_list", responses=page_of(ReportSerializer))
    def get(self, request: Request) -> Response:
        """The client's nightly reports, the latest date first."""
        return list_response(request, self.listing)


class ReportDetailView(ApiView):
    file_row = ReportFigureSerializer
    required_scopes = {"GET": "reports:read"}
    sends = {"GET": ("ETag", "Cache-Control", "Retry-After")}
    refusals = {"GET": (409,)}

    @extend_schema(operation_id="reports_retrieve", responses=ReportDetailSerializer)
    def get(self, request: Request, report_id: str) -> Response:
        """One report with its record; the record is null until the report is done."""
        refuse_unknown(request, ("format",))
        report = report_get_for_client(self.client, report_id, "record")
        if chosen_format(request) is not None:
            return _numbers(request, report)
        body = {**_REPORT.of(report), "record": report.record}
        if report.state != Report.State.DONE:
            return Response(body, headers={"Retry-After": "1"})
        response = not_modified(request, report.content_hash) or etagged(body, report.content_hash)
        response["Cache-Control"] = IMMUTABLE
        return response


class ReportRerunView(ApiView):
    required_scopes = {"POST": "analyses:run"}
    sends = {"POST": ("Location", "Retry-After")}
    quota_policies = {"POST": (RUNS,)}

    @extend_schema(operation_id="reports_rerun", request=None, responses={202: ReportSerializer})
    def post(self, request: Request, report_id: str) -> Response:
        """Make the report of this date again from what is known now, as its next revision."""
        refuse_unknown(request, ())
        report = report_get_for_client(self.client, report_id)
        revised, _ = report_rerun(
            client=self.client,
            business_date=report.business_date,
            actor=self.actor,
            request_id=self.request_id,
        )
        location = f"/v1/reports/{revised.public_id}"
        return Response(
            _REPORT.of(revised), status=202, headers={"Location": location, "Retry-After": "1"}
        )


class _DocumentView(ApiView):
    """One form of a report, under its own address whatever the Accept header says."""

    required_scopes = {"GET": "reports:read"}
    sends = {"GET": ("ETag", "Cache-Control", "Content-Disposition", "Content-Security-Policy")}
    refusals = {"GET": (409,)}

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:  # noqa: ARG002, FBT001, FBT002  # DRF's
        renderer = self.get_renderers()[0]  # of the refusals
        return renderer, renderer.media_type

    def document(
        self, request: Request, report_id: str, column: str, form: str
    ) -> tuple[Report, Response | None]:
        """The finished report, and the 304 for a caller who has it already."""
        refuse_unknown(request, ())
        report = report_get_for_client(self.client, report_id, column)
        _require_done(report)
        return report, not_modified(request, f"{report.content_hash}.{form}")

    def answer(self, report: Report, content: bytes, content_type: str, form: str) -> Response:
        """Bytes pass the renderer as they are."""
        shown = "inline" if form == "html" else "attachment"
        return Response(
            content,
            content_type=content_type,
            headers={
                "ETag": quoted(f"{report.content_hash}.{form}"),
                "Cache-Control": IMMUTABLE,
                "Content-Disposition": f'{shown}; filename="{filename(report, form)}"',
            },
        )


class ReportHtmlView(_DocumentView):
    @extend_schema(
        operation_id="reports_retrieve_html", responses={(200, "text/html"): OpenApiTypes.STR}
    )
    def get(self, request: Request, report_id: str) -> Response:
        """The report as a page that stands alone."""
        report, unchanged = self.document(request, report_id, "html", "html")
        if unchanged is not None:
            return unchanged
        response = self.answer(report, report.html.encode(), "text/html; charset=utf-8", "html")
        response["Content-Security-Policy"] = READING
        return response


class ReportPdfView(_DocumentView):
    @extend_schema(
        operation_id="reports_retrieve_pdf",
        responses={(200, "application/pdf"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, report_id: str) -> Response:
        """The report as PDF, A4."""
        report, unchanged = self.document(request, report_id, "pdf", "pdf")
        return unchanged or self.answer(report, bytes(report.pdf or b""), "application/pdf", "pdf")


class ReportCsvView(_DocumentView):
    @extend_schema(
        operation_id="reports_retrieve_csv", responses={(200, "text/csv"): OpenApiTypes.STR}
    )
    def get(self, request: Request, report_id: str) -> Response:
        """Every number of the report, one a row: `/v1/reports/{id}?format=csv` by another name."""
        refuse_unknown(request, ())
        report = report_get_for_client(self.client, report_id, "record")
        request.accepted_renderer = _CSV()
        return _numbers(request, report)


def _require_done(report: Report) -> None:
    if report.state != Report.State.DONE:
        raise Conflict(
            f"The report is {report.state}, not done.",
            code="run-not-finished",
            context={"state": report.state},
        )


def _numbers(request: Request, report: Report) -> Response:
    """The report's numbers as the file that was chosen, or the 304."""
    _require_done(report)
    form = chosen_format(request)
    assert form is not None  # noqa: S101  # callers have asked
    tag = f"{report.content_hash}.{form.name}"
    unchanged = not_modified(request, tag)
    if unchanged is not None:
        return unchanged
    record = report.record or {}
    response: Response = file_response(  # type: ignore[assignment]  # DRF sends any
        request, ReportFigureSerializer, lambda: record_rows(record)
    )
    response["ETag"] = quoted(tag)
    response["Cache-Control"] = IMMUTABLE
    response["Content-Disposition"] = f'attachment; filename="{filename(report, form.name)}"'
    return response


def filename(report: Report, form: str) -> str:
    """A name to save under: date and revision, nothing of the client's."""
    return f"risk-report-{report.business_date.isoformat()}-r{report.revision}.{form}"
