"""Addresses of the analyses, below /v1."""

from __future__ import annotations

from django.urls import path

from analytics.api import reports

urlpatterns = [
    path("reports", reports.ReportListView.as_view()),
    path("reports/<str:report_id>.html", reports.ReportHtmlView.as_view()),
    path("reports/<str:report_id>.pdf", reports.ReportPdfView.as_view()),
    path("reports/<str:report_id>.csv", reports.ReportCsvView.as_view()),
    path("reports/<str:report_id>/rerun", reports.ReportRerunView.as_view()),
    path("reports/<str:report_id>", reports.ReportDetailView.as_view()),
]
