"""Addresses of the analyses, below /v1."""

from __future__ import annotations

from django.urls import path

from analytics.api import analyses, methods, policies, replays, reports, risk, runs, summaries

urlpatterns = [
    path("analyses/semiconductor-beta", analyses.SemiconductorBetaView.as_view()),
    path("analyses/hedge-effectiveness", analyses.HedgeEffectivenessView.as_view()),
    path("analyses/leveraged-drag", analyses.LeveragedDragView.as_view()),
    path("analyses/tail-risk", analyses.TailRiskView.as_view()),
    path("analyses/hedge-comparison", analyses.HedgeComparisonView.as_view()),
    path("portfolios/<str:portfolio_id>/summary", summaries.PortfolioSummaryView.as_view()),
    path("portfolios/<str:portfolio_id>/policy", policies.PolicyView.as_view()),
    path("portfolios/<str:portfolio_id>/policy/approve", policies.PolicyApproveView.as_view()),
    path("portfolios/<str:portfolio_id>/policy/reject", policies.PolicyRejectView.as_view()),
    path("portfolios/<str:portfolio_id>/policy/versions", policies.PolicyVersionListView.as_view()),
    path("runs", runs.RunListView.as_view()),
    path("runs/<str:run_id>", runs.RunDetailView.as_view()),
    path("runs/<str:run_id>/units/<str:name>", runs.RunUnitView.as_view()),
    path("runs/<str:run_id>/inputs", runs.RunInputListView.as_view()),
    path("runs/<str:run_id>/replay", replays.RunReplayView.as_view()),
    path("portfolios/<str:portfolio_id>/risk", risk.PortfolioRiskView.as_view()),
    path("methods", methods.MethodListView.as_view()),
    path("methods/<str:method>", methods.MethodDetailView.as_view()),
    path("methods/<str:method>/versions/<str:version>", methods.MethodVersionView.as_view()),
    path("selfcheck", methods.SelfcheckView.as_view()),
    path("reports", reports.ReportListView.as_view()),
    path("reports/<str:report_id>.html", reports.ReportHtmlView.as_view()),
    path("reports/<str:report_id>.pdf", reports.ReportPdfView.as_view()),
    path("reports/<str:report_id>.csv", reports.ReportCsvView.as_view()),
    path("reports/<str:report_id>/rerun", reports.ReportRerunView.as_view()),
    path("reports/<str:report_id>", reports.ReportDetailView.as_view()),
]
