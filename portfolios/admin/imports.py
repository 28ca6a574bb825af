"""Imports and what was wrong with them."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from portfolios.admin.base import ReadOnlyAdmin, colored, pretty_json
from portfolios.models import Import

PROBLEMS_SHOWN = 200


@admin.register(Import)
class ImportAdmin(ReadOnlyAdmin):
    list_display = ("filename", "client", "kind", colored("status"), "rows_in", "rows_accepted",
                    "rows_rejected", "rows_changed", "created_at")  # fmt: skip
    list_filter = ("status", "mode", "dry_run")
    list_select_related = ("client",)
    search_fields = ("filename", "=sha256", "client__name")
    exclude = ("content", "notes", "portfolio_id")
    readonly_fields = ("notes_shown", "problems_shown")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Import]:
        queryset: QuerySet[Import] = super().get_queryset(request)
        return queryset.defer("content")

    @admin.display(description="notes")
    def notes_shown(self, imported: Import) -> SafeString:
        return pretty_json(imported.notes)

    @admin.display(description="problems")
    def problems_shown(self, imported: Import) -> SafeString:
        problems = list(imported.problems.all()[: PROBLEMS_SHOWN + 1])
        more = " The first are shown." if len(problems) > PROBLEMS_SHOWN else ""
        rows = format_html_join(
            "",
            "<tr>" + '<td class="pr-4 align-top">{}</td>' * 6 + "</tr>",
            (
                (p.row or "file", p.column, p.code, p.value, p.message, p.suggestion)
                for p in problems[:PROBLEMS_SHOWN]
            ),
        )
        if not rows:
            return format_html("<p>{}</p>", "None.")
        return format_html(
            "<p>{}</p><table><thead><tr><th>Row</th><th>Column</th><th>Code</th><th>Value</th>"
            "<th>Message</th><th>Suggestion</th></tr></thead><tbody>{}</tbody></table>",
            more, rows,
        )  # fmt: skip
