"""The URL map.

Every address is served with a slash at its end too: `ProblemMiddleware` cuts it before the look-up.
"""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularJSONAPIView

from riskapi.api import account, changelog, guide, issuer, oauth, views

urlpatterns = [
    path("v1/", include("analytics.api.urls")),
    path("v1/", include("portfolios.api.urls")),
    path(".well-known/oauth-authorization-server", issuer.ServerMetadataView.as_view()),
    path("oauth/token", oauth.TokenView.as_view()),
    path("oauth/revoke", oauth.RevocationView.as_view()),
    path("v1/me", account.MeView.as_view()),
    path("v1/status", views.StatusView.as_view()),
    path("", guide.GuideIndexView.as_view()),
    path("v1/guide", guide.GuideIndexView.as_view()),
    path("v1/guide/<str:name>", guide.GuidePageView.as_view()),
    path("v1/changelog", changelog.ChangelogView.as_view()),
    path("v1/errors", views.ProblemListView.as_view()),
    path("v1/errors/<str:code>", views.ProblemDetailView.as_view()),
    path(
        "v1/openapi.json",
        SpectacularJSONAPIView.as_view(http_method_names=["get", "head"]),
        name="schema",
    ),
    path("v1/docs", views.OperationsView.as_view()),
    path("admin", RedirectView.as_view(url="/admin/")),
    path("admin/", admin.site.urls),
    path("healthz", views.healthz),
    path("readyz", views.readyz),
]
