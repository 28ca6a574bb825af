"""Addresses of the facts, below /v1."""

from __future__ import annotations

from django.urls import path

from portfolios.api import (
    audit,
    events,
    imports,
    instruments,
    market,
    portfolios,
    positions,
    webhooks,
)

urlpatterns = [
    path("portfolios", portfolios.PortfolioListView.as_view()),
    path("portfolios/<str:portfolio_id>", portfolios.PortfolioDetailView.as_view()),
    path("portfolios/<str:portfolio_id>/positions", positions.PositionsView.as_view()),
    path("portfolios/<str:portfolio_id>/position-sets", positions.PositionSetListView.as_view()),
    path(
        "portfolios/<str:portfolio_id>/position-sets/<str:position_set_id>",
        positions.PositionSetDetailView.as_view(),
    ),
    path("positions:batch", positions.PositionsBatchView.as_view()),
    path("instruments", instruments.InstrumentListView.as_view()),
    path("instruments:resolve", instruments.InstrumentResolveView.as_view()),
    path("instruments/<str:instrument>", instruments.InstrumentDetailView.as_view()),
    path("instruments/<str:instrument>/leverage-terms", instruments.LeverageTermsView.as_view()),
    path("prices", market.PriceListView.as_view()),
    path("fx-rates", market.FxRateListView.as_view()),
    path("corporate-actions", market.CorporateActionListView.as_view()),
    path("calendars/<str:calendar>", market.CalendarView.as_view()),
    path("events", events.EventListView.as_view()),
    path("audit", audit.AuditListView.as_view()),
    path("imports", imports.ImportListView.as_view()),
    path("imports/<str:import_id>", imports.ImportDetailView.as_view()),
    path("imports/<str:import_id>/errors", imports.ImportProblemListView.as_view()),
    path("webhook-endpoints", webhooks.WebhookEndpointListView.as_view()),
    path("webhook-endpoints/<str:endpoint_id>", webhooks.WebhookEndpointDetailView.as_view()),
    path(
        "webhook-endpoints/<str:endpoint_id>/rotate-secret",
        webhooks.WebhookSecretRotateView.as_view(),
    ),
    path("webhook-endpoints/<str:endpoint_id>/ping", webhooks.WebhookPingView.as_view()),
    path("webhook-endpoints/<str:endpoint_id>/deliveries", webhooks.DeliveryListView.as_view()),
    path(
        "webhook-endpoints/<str:endpoint_id>/deliveries/<str:delivery_id>",
        webhooks.DeliveryDetailView.as_view(),
    ),
    path(
        "webhook-endpoints/<str:endpoint_id>/deliveries/<str:delivery_id>/redeliver",
        webhooks.DeliveryRedeliverView.as_view(),
    ),
]
