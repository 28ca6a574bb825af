"""The operator's pages of the derived numbers: to look at, and to ask for a report again."""

from __future__ import annotations

import json
import uuid

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from analytics.models import Replay, Report, Run, Unit
from analytics.services.reports import report_rerun
from portfolios.admin import ReadOnlyAdmin, ReadOnlyInline, actor_of, colored, pretty_json
from portfolios.page_policies import READING

_CONTENT_TYPES = {"html": "text/html; charset=utf-8", "pdf": "application/pdf"}


class UnitInline(ReadOnlyInline):
    """Units with what they made."""

    model = Unit
    fields = ("name", "state", "attempt", "params_shown", "status", "result_shown")
    readonly_fields = fields
    ordering = ("ordinal",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Unit]:
        queryset: QuerySet[Unit] = super().get_queryset(request)
        return queryset.select_related("result")

    @admin.display(description="parameters")
    def params_shown(self, unit: Unit) -> SafeString:
        return pretty_json(unit.params)

    def status(self, unit: Unit) -> str:
        return unit.result.status if hasattr(unit, "result") else ""

    @admin.display(description="result")
    def result_shown(self, unit: Unit) -> SafeString | str:
        return pretty_json(json.loads(unit.result.body)) if hasattr(unit, "result") else ""


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = ("kind", "client", "portfolio", "as_of", colored("status"), "method_version",
                    "created_at", "finished_at")  # fmt: skip
    list_filter = ("kind", "status")
    list_select_related = ("client", "portfolio")
    search_fields = ("client__name", "portfolio__name", "=request_id")
    readonly_fields = ("public_id",)
    inlines = (UnitInline,)
    ordering = ("-id",)


@admin.register(Replay)
class ReplayAdmin(ReadOnlyAdmin):
    list_display = ("run", "client", colored("state"), "attempt", "created_at", "finished_at")
    list_filter = ("state",)
    list_select_related = ("client", "run")
    readonly_fields = ("public_id", "outcome_shown")
    ordering = ("-id",)

    @admin.display(description="outcome")
    def outcome_shown(self, replay: Replay) -> SafeString:
        return pretty_json(replay.outcome)


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin):
    list_display = ("business_date", "revision", "client", colored("state"), "attempt",
                    "finished_at", "documents")  # fmt: skip
    list_filter = ("state",)
    list_select_related = ("client",)
    search_fields = ("client__name", "client__slug")
    readonly_fields = ("public_id", "documents", "content_hash", "record_shown")
    ordering = ("-id",)
    actions = ("rerun",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Report]:
        queryset: QuerySet[Report] = super().get_queryset(request)
        return queryset.defer("record", "html", "pdf")

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                f"<uuid:report_id>/report.{form}",
                self.admin_site.admin_view(self.document_view),
                {"form": form},
                name=f"analytics_report_{form}",
            )
            for form in _CONTENT_TYPES
        ]
        return [*own, *super().get_urls()]

    def document_view(self, request: HttpRequest, report_id: uuid.UUID, form: str) -> HttpResponse:
        """The page or the PDF itself, for whoever may view reports."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        report = Report.objects.filter(pk=report_id, state=Report.State.DONE).only(form).first()
        if report is None:
            raise Http404
        content = report.html if form == "html" else bytes(report.pdf or b"")
        response = HttpResponse(content, content_type=_CONTENT_TYPES[form])
        response["Content-Security-Policy"] = READING
        response["Cache-Control"] = "private, no-store"
        return response

    @admin.display(description="documents")
    def documents(self, report: Report) -> SafeString | str:
        if report.state != Report.State.DONE:
            return "not yet"
        return format_html(
            '<a class="underline" href="{}">Page</a> · <a class="underline" href="{}">PDF</a>',
            *(
                reverse(f"admin:analytics_report_{form}", args=[report.pk])
                for form in ("html", "pdf")
            ),
        )

    @admin.display(description="record")
    def record_shown(self, report: Report) -> SafeString:
        return pretty_json(report.record)

    def has_rerun_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(request.user.has_perm("analytics.change_report"))

    @admin.action(description="Make again as a new revision", permissions=["rerun"])
    def rerun(self, request: HttpRequest, queryset: QuerySet[Report]) -> None:
        queued = 0
        for report in queryset.select_related("client"):
            _, created = report_rerun(
                client=report.client,
                business_date=report.business_date,
                actor=actor_of(request),
                request_id=getattr(request, "request_id", ""),
            )
            queued += created
        self.message_user(request, f"{queued} queued.", messages.SUCCESS)
