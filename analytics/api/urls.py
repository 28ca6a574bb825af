"""Addresses of the analyses, below /v1. Those of one kind are together, so that few are tried."""

from __future__ import annotations

from django.urls import include, path

from analytics.api import analyses, methods, policies, replays, reports, risk, runs, summaries

_of_a_run = [
    path("units/<str:name>", runs.RunUnitView.as_view()),
    path("inputs", runs.RunInputListView.as_view()),
    path("replay", replays.RunReplayView.as_view()),
]

_of_a_portfolio = [
    path("risk", risk.PortfolioRiskView.as_view()),
    path("summary", summaries.PortfolioSummaryView.as_view()),
    path("policy", policies.PolicyView.as_view()),
    path("policy/approve", policies.PolicyApproveView.as_view()),
    path("policy/reject", policies.PolicyRejectView.as_view()),
    path("policy/versions", policies.PolicyVersionListView.as_view()),
]

_of_analyses = [
    path("semiconductor-beta", analyses.SemiconductorBetaView.as_view()),
    path("hedge-effectiveness", analyses.HedgeEffectivenessView.as_view()),
    path("leveraged-drag", analyses.LeveragedDragView.as_view()),
    path("tail-risk", analyses.TailRiskView.as_view()),
    path("hedge-comparison", analyses.HedgeComparisonView.as_view()),
]

_of_reports = [
    path("<str:report_id>.html", reports.ReportHtmlView.as_view()),
    path("<str:report_id>.pdf", reports.ReportPdfView.as_view()),
    path("<str:report_id>.csv", reports.ReportCsvView.as_view()),
    path("<str:report_id>/rerun", reports.ReportRerunView.as_view()),
    path("<str:report_id>", reports.ReportDetailView.as_view()),
]

urlpatterns = [
    path("runs", runs.RunListView.as_view()),
    path("runs/<str:run_id>", runs.RunDetailView.as_view()),
    path("runs/<str:run_id>/", include(_of_a_run)),
    path("analyses/", include(_of_analyses)),
    path("portfolios/<str:portfolio_id>/", include(_of_a_portfolio)),
    path("reports", reports.ReportListView.as_view()),
    path("reports/", include(_of_reports)),
    path("methods", methods.MethodListView.as_view()),
    path("methods/<str:method>", methods.MethodDetailView.as_view()),
    path("methods/<str:method>/versions/<str:version>", methods.MethodVersionView.as_view()),
    path("selfcheck", methods.SelfcheckView.as_view()),
]
