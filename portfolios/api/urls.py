"""Addresses of the facts, below /v1."""

from __future__ import annotations

from django.urls import path

from portfolios.api import account, portfolios, positions

urlpatterns = [
    path("me", account.MeView.as_view()),
    path("portfolios", portfolios.PortfolioListView.as_view()),
    path("portfolios/<str:portfolio_id>", portfolios.PortfolioDetailView.as_view()),
    path("portfolios/<str:portfolio_id>/positions", positions.PositionsView.as_view()),
    path("portfolios/<str:portfolio_id>/position-sets", positions.PositionSetListView.as_view()),
    path(
        "portfolios/<str:portfolio_id>/position-sets/<str:position_set_id>",
        positions.PositionSetDetailView.as_view(),
    ),
]
