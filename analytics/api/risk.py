"""The latest stored risk of a portfolio, with its age."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.api.results.parts import Shape, interval, optional_real, real
from analytics.api.serializers import FigureSerializer
from analytics.reporting.flat import estimate_cells
from analytics.selectors.risk import METRICS, portfolio_risk, stale_after_sessions
from portfolios.api.base import ApiView
from portfolios.api.exports import chosen_format, file_response
from portfolios.api.listing import POINT_IN_TIME, point_in_time, read_parameters, text
from portfolios.selectors.calendars import previous_session
from portfolios.selectors.clock import market_today
from portfolios.selectors.portfolios import portfolio_get_for_client


class ExactOrRealField(serializers.Field):  # type: ignore[type-arg]  # describes an answer
    """A statistic as a number, money as a decimal string, null where there is none."""


class RiskSourceShape(Shape):
    """The run with its unit, or the report."""

    run = serializers.CharField(allow_null=True)
    unit = serializers.CharField(allow_null=True)
    report = serializers.CharField(allow_null=True)


class RiskRequestBodyShape(Shape):
    portfolio = serializers.CharField()


class RiskMakeShape(Shape):
    """The request that makes what is not there."""

    method = serializers.CharField()
    path = serializers.CharField()
    body = RiskRequestBodyShape()


class RiskMetricShape(Shape):
    metric = serializers.CharField()
    value = ExactOrRealField()
    unit = serializers.CharField(allow_null=True)
    se = optional_real()
    ci95 = interval(allow_null=True)
    n_obs = serializers.IntegerField(allow_null=True)
    first = serializers.DateField(allow_null=True)
    last = serializers.DateField(allow_null=True)
    status = serializers.CharField(help_text="`not_stored` where nothing has been computed yet.")
    reason = serializers.CharField(allow_null=True)
    confidence_level = real(required=False)
    instrument = serializers.CharField(required=False)
    symbol = serializers.CharField(required=False)
    period = serializers.CharField(required=False, help_text="month, quarter or requested.")
    kind = serializers.CharField(help_text="The analysis that makes it.")
    as_of = serializers.DateField(allow_null=True)
    known_at = serializers.DateTimeField(allow_null=True)
    method_version = serializers.CharField(allow_null=True)
    source = RiskSourceShape(allow_null=True)  # type: ignore[assignment]  # taken by the metaclass
    age_seconds = optional_real(help_text="Since the facts were read.")
    age_sessions = serializers.IntegerField(
        allow_null=True, help_text="From the result's date to the one asked for."
    )
    stale = serializers.BooleanField(help_text="Older than `stale_after_sessions`, or not there.")
    make = RiskMakeShape(required=False)


class RiskFigureSerializer(FigureSerializer):
    """A row of the file: a figure with its source and age."""

    confidence_level = serializers.FloatField()
    period = serializers.CharField()
    kind = serializers.CharField()
    as_of = serializers.DateField()
    known_at = serializers.DateTimeField()
    method_version = serializers.CharField()
    source = RiskSourceShape()  # type: ignore[assignment]  # taken by the metaclass
    age_seconds = serializers.FloatField()
    age_sessions = serializers.IntegerField()
    stale = serializers.BooleanField()


class PortfolioRiskShape(Shape):
    portfolio = serializers.CharField()
    as_of = serializers.DateField()
    known_at = serializers.DateTimeField()
    stale_after_sessions = serializers.IntegerField()
    metrics = RiskMetricShape(many=True)


def _names(value: str) -> list[str]:
    names = list(dict.fromkeys(value.split(",")))
    if not set(names) <= set(METRICS):
        raise ValueError("some of " + ", ".join(METRICS))
    return names


def _row(metric: Mapping[str, Any]) -> dict[str, Any]:
    named = {"measure": metric["metric"], "instrument": metric.get("symbol")}
    return {**metric, **named, **estimate_cells(metric)}


class PortfolioRiskView(ApiView):
    file_row = RiskFigureSerializer
    required_scopes = {"GET": "analyses:read"}
    parameters = {"GET": POINT_IN_TIME}

    @extend_schema(
        operation_id="portfolios_risk",
        parameters=[
            OpenApiParameter("metrics", str, description="By comma: " + ", ".join(METRICS) + ".")
        ],
        responses=PortfolioRiskShape,
    )
    def get(self, request: Request, portfolio_id: str) -> Response:
        """The latest stored figures of a portfolio, each with its age; nothing is computed. `as_of`
        is the last session, `known_at` now, unless said."""
        given = read_parameters(request, {**POINT_IN_TIME, "metrics": _names, "format": text})
        asked = point_in_time(request)
        portfolio = portfolio_get_for_client(self.client, portfolio_id)
        as_of = asked.as_of or previous_session("XNYS", market_today(self.client))
        limit = stale_after_sessions(portfolio, asked.known_at)
        metrics = portfolio_risk(
            portfolio,
            as_of=as_of,
            known_at=asked.known_at,
            names=given.get("metrics") or list(METRICS),
            stale_after=limit,
        )
        if chosen_format(request) is not None:
            facts = {"portfolio": portfolio.public_id}
            return file_response(  # type: ignore[return-value]  # DRF sends any
                request, RiskFigureSerializer, lambda: map(_row, metrics), facts=facts
            )
        return Response(
            {
                "portfolio": portfolio.public_id,
                "as_of": as_of,
                "known_at": asked.known_at or asked.now,
                "stale_after_sessions": limit,
                "metrics": metrics,
            }
        )
