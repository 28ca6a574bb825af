"""What the API's reads are measured against: a bare Django view, and lists by ModelSerializer.

Of the bench alone: served beside the product's addresses, without keys and without paging.
"""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analytics.models import Run
from portfolios.models import Instrument, Portfolio, Price
from portfolios.tenancy import client_scope
from riskapi.urls import urlpatterns as product


def bare(request: HttpRequest) -> HttpResponse:  # Django's signature
    """41 bytes of JSON."""
    body = b'{"status":"ok","message":"hello, world!"}'
    return HttpResponse(body, "application/json", headers={"Content-Length": str(len(body))})


class InstrumentSerializer(serializers.ModelSerializer[Instrument]):
    class Meta:
        model = Instrument
        fields = ("uid", "symbol")


class PortfolioSerializer(serializers.ModelSerializer[Portfolio]):
    benchmark = InstrumentSerializer()
    market_benchmark = InstrumentSerializer()

    class Meta:
        model = Portfolio
        fields = (
            "id", "external_id", "name", "base_currency", "benchmark", "market_benchmark",
            "is_active", "version", "created_at", "updated_at",
        )  # fmt: skip


class RunSerializer(serializers.ModelSerializer[Run]):
    class Meta:
        model = Run
        fields = (
            "id", "kind", "status", "version", "portfolio", "as_of", "known_at", "method_version",
            "inputs_hash", "attempt_number", "created_at", "finished_at",
        )  # fmt: skip


class PriceSerializer(serializers.ModelSerializer[Price]):
    class Meta:
        model = Price
        fields = (
            "session", "open", "high", "low", "close", "volume", "total_return_index", "source",
            "recorded_at",
        )  # fmt: skip


class PeerListView(APIView):
    """A hundred rows as one writes it first: a queryset and a ModelSerializer."""

    authentication_classes = ()
    permission_classes = ()
    required_scopes: ClassVar[dict[str, None]] = {"GET": None}
    rows: ClassVar[QuerySet[Any]]
    serializer: ClassVar[type[serializers.ModelSerializer[Any]]]

    def get(self, request: Request, client_id: uuid.UUID) -> Response:
        with client_scope(client_id):
            return Response({"data": self.serializer(self.chosen(request), many=True).data})

    def chosen(self, request: Request) -> QuerySet[Model]:  # a hook
        rows: QuerySet[Model] = self.rows.all()[:100]
        return rows


class PortfoliosView(PeerListView):
    rows = Portfolio.objects.select_related("benchmark", "market_benchmark").order_by("name")
    serializer = PortfolioSerializer


class RunsView(PeerListView):
    rows = Run.objects.order_by("-created_at")
    serializer = RunSerializer


class PricesView(PeerListView):
    rows = Price.objects.filter(superseded_at=None).order_by("session")
    serializer = PriceSerializer

    def chosen(self, request: Request) -> QuerySet[Model]:
        symbol = request.query_params["instrument"]
        rows: QuerySet[Model] = self.rows.filter(instrument__symbol=symbol)[:100]
        return rows


urlpatterns = [
    *product,
    path("bench/bare", bare),
    path("bench/<uuid:client_id>/portfolios", PortfoliosView.as_view()),
    path("bench/<uuid:client_id>/runs", RunsView.as_view()),
    path("bench/<uuid:client_id>/prices", PricesView.as_view()),
]
