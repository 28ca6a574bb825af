"""What is on file of a portfolio, at a glance."""

# A field named source hides an attribute of the class; its metaclass takes it out.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from datetime import date
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.models import Run
from analytics.selectors.runs import run_latest_of
from portfolios.api.base import ApiView
from portfolios.api.fields import ExactDecimalField, PortfolioRefField
from portfolios.api.listing import POINT_IN_TIME, PointInTime, point_in_time, refuse_unknown
from portfolios.api.serializers import ResolvedFromSerializer
from portfolios.identifiers import public_id
from portfolios.models import Portfolio, PositionSet
from portfolios.selectors.exposures import exposure_summary, positions_valued
from portfolios.selectors.portfolios import portfolio_get_for_client
from portfolios.selectors.positions import position_set_effective, position_set_span

_SEES_RUNS = "analyses:read"


class SummaryAmountSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    value = ExactDecimalField(allow_null=True)
    unit = serializers.CharField()
    reason = serializers.CharField(allow_null=True, help_text="Why the value is null.")


class MissingValueSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    symbol = serializers.CharField()
    reason = serializers.CharField(help_text="`missing-price` or `missing-fx`.")


class ValueCoverageSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    positions = serializers.IntegerField()
    valued = serializers.IntegerField()
    missing = MissingValueSerializer(many=True, help_text="The first 20 without a value.")
    oldest_session = serializers.DateField(allow_null=True, help_text="Of the prices used.")
    latest_session = serializers.DateField(allow_null=True)


class HeldSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    position_set = serializers.CharField(help_text="The latest set not after `as_of`.")
    as_of = serializers.DateField()
    recorded_at = serializers.DateTimeField()
    source = serializers.CharField()
    gross_exposure = SummaryAmountSerializer(help_text="Of all but cash, at the closes on file.")
    net_exposure = SummaryAmountSerializer(
        help_text="Of all but cash; short positions are negative."
    )
    net_asset_value = SummaryAmountSerializer()
    coverage = ValueCoverageSerializer()


class SetsSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    count = serializers.IntegerField(help_text="Dates with a set.")
    first = serializers.DateField(allow_null=True)
    last = serializers.DateField(allow_null=True)


class LastRunSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    kind = serializers.ChoiceField(choices=Run.Kind.choices)
    run = serializers.CharField()
    status = serializers.ChoiceField(choices=Run.Status.choices)
    as_of = serializers.DateField()
    finished_at = serializers.DateTimeField(allow_null=True)


class PortfolioSummarySerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    portfolio = PortfolioRefField()
    sets = SetsSerializer()
    held = HeldSerializer(allow_null=True, help_text="Null: no positions are on file by then.")
    last_runs = LastRunSerializer(
        many=True, allow_null=True, help_text=f"One of each kind; null without `{_SEES_RUNS}`."
    )
    resolved_from = ResolvedFromSerializer()


class PortfolioSummaryView(ApiView):
    required_scopes = {"GET": "portfolios:read"}
    parameters = {"GET": POINT_IN_TIME}

    @extend_schema(operation_id="portfolios_summary", responses=PortfolioSummarySerializer)
    def get(self, request: Request, portfolio_id: str) -> Response:
        """What is on file of a portfolio: its sets, what the latest is worth at the closes on file
        (options at their own), what has no price, and the last analyses. Nothing is computed by a
        model."""
        refuse_unknown(request, self.parameters["GET"])
        asked = point_in_time(request)
        portfolio = portfolio_get_for_client(self.client, portfolio_id)
        day = asked.as_of or asked.now.date()
        found = position_set_effective(portfolio, as_of=day, known_at=asked.known_at)
        count, first, last = position_set_span(portfolio, as_of=day, known_at=asked.known_at)
        runs = None
        if _SEES_RUNS in self.key.scopes:
            runs = [
                {
                    "kind": run.kind,
                    "run": run.public_id,
                    "status": run.status,
                    "as_of": run.as_of,
                    "finished_at": run.finished_at,
                }
                for run in run_latest_of(portfolio, as_of=day, known_at=asked.known_at)
            ]
        return Response(
            {
                "portfolio": portfolio.public_id,
                "sets": {"count": count, "first": first, "last": last},
                "held": self._held(portfolio, found, day, asked) if found else None,
                "last_runs": runs,
                "resolved_from": asked.echo(),
            }
        )

    def _held(
        self, portfolio: Portfolio, found: PositionSet, day: date, asked: PointInTime
    ) -> dict[str, Any]:
        valued = positions_valued(
            portfolio, found, client=self.client, as_of=day, known_at=asked.known_at
        )
        return {
            "position_set": public_id(PositionSet.ID_PREFIX, found.pk),
            "as_of": found.as_of,
            "recorded_at": found.recorded_at,
            "source": found.source,
            **exposure_summary(valued, portfolio.base_currency),
        }
