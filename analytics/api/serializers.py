"""What analysis requests hold, and what runs look like."""

from __future__ import annotations

import re
from typing import Any

from rest_framework import serializers

from analytics.services.runs import MAX_UNITS
from portfolios.api.fields import (
    ExactDecimalField,
    InstantField,
    NameField,
    PlainDateField,
    RealField,
    StrictSerializer,
    TextField,
    TruthField,
    WholeNumberField,
)

_UNIT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")
MAX_HORIZON = 252


class LagsField(serializers.Field):  # type: ignore[type-arg]  # takes two types
    """`auto`, or the Bartlett truncation."""

    default_error_messages = {"invalid": 'Send "auto" or a whole number from 0 to 252.'}

    def to_internal_value(self, data: Any) -> int | str:
        if data == "auto":
            return "auto"
        if isinstance(data, bool) or not isinstance(data, int) or not 0 <= data <= MAX_HORIZON:
            self.fail("invalid")
        return int(data)

    def to_representation(self, value: Any) -> Any:
        return value


class UnitsField(serializers.DictField):
    """Named units: 1 to 200."""

    default_error_messages = {
        "count": f"A request has 1 to {MAX_UNITS} units.",
        "name": "A unit's name is 1 to 60 letters, digits and _ . -",
    }

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            if not 1 <= len(data) <= MAX_UNITS:
                self.fail("count")
            if any(_UNIT_NAME.fullmatch(str(name)) is None for name in data):
                self.fail("name")
        return super().to_internal_value(data)


def _detail(*parts: str) -> serializers.ListField:
    """Parts that cost too much to be in every answer."""
    return serializers.ListField(
        child=serializers.ChoiceField(choices=parts),
        max_length=len(parts),
        required=False,
        help_text="Parts to add that take more time.",
    )


class _PricingSerializer(StrictSerializer):
    hac_lags = LagsField(required=False)
    on_stale = serializers.ChoiceField(choices=["fail", "warn"], required=False)
    max_price_age_sessions = WholeNumberField(min_value=0, max_value=20, required=False)
    window = WholeNumberField(required=False, help_text="Sessions; 252 unless said.")


class SemiconductorBetaUnitSerializer(_PricingSerializer):
    benchmark = NameField(required=False, help_text="The portfolio's unless said.")
    market = NameField(required=False, help_text="Second factor; the portfolio's unless said.")
    frequency = serializers.ChoiceField(choices=["1d"], required=False)
    look_through = TruthField(required=False)
    rolling_series = TruthField(required=False, help_text="Serve the rolling betas as series.")
    detail = _detail("gamma_ladder", "moving_beta")


class HedgedItemField(serializers.Field):  # type: ignore[type-arg]  # takes two types
    """`portfolio`, `{"tag": ...}` or `{"instruments": [...]}`."""

    default_error_messages = {
        "invalid": 'Send "portfolio", {"tag": "..."} or {"instruments": ["..."]}.'
    }

    def to_internal_value(self, data: Any) -> Any:
        if data == "portfolio":
            return data
        if isinstance(data, dict) and len(data) == 1:
            tag, names = data.get("tag"), data.get("instruments")
            if isinstance(tag, str) and 0 < len(tag) <= 40:
                return {"tag": tag}
            if (
                isinstance(names, list)
                and 0 < len(names) <= 1000
                and all(isinstance(name, str) and 0 < len(name) <= 40 for name in names)
            ):
                return {"instruments": names}
        return self.fail("invalid")

    def to_representation(self, value: Any) -> Any:
        return value


class HedgingPositionSerializer(StrictSerializer):
    instrument = NameField()
    quantity = ExactDecimalField(
        required=False, help_text="The portfolio's own position unless said; short is negative."
    )


class HedgeEffectivenessUnitSerializer(_PricingSerializer):
    hedged_item = HedgedItemField(required=False)
    hedging = serializers.ListField(child=HedgingPositionSerializer(), min_length=1, max_length=20)
    horizon_sessions = WholeNumberField(min_value=1, max_value=MAX_HORIZON, required=False)
    tests = serializers.ListField(
        child=serializers.ChoiceField(
            choices=["regression", "dollar_offset", "variance_reduction"]
        ),
        min_length=1,
        max_length=3,
        required=False,
    )
    policy = TextField(max_length=40, required=False)
    inception = PlainDateField(required=False, help_text="Since when the hedge was left alone.")
    coverage_band = RealField(min_value=0.001, max_value=1.0, required=False)
    detail = _detail("bootstrap")


class TailRiskUnitSerializer(StrictSerializer):
    window = WholeNumberField(required=False, help_text="Sessions; 504 unless said.")
    confidence_levels = serializers.ListField(
        child=RealField(min_value=0.8, max_value=0.999),
        min_length=1,
        max_length=5,
        required=False,
        help_text="0.95 and 0.99 unless said.",
    )
    decay = RealField(
        min_value=0.8, max_value=1.0, required=False,
        help_text="Of the volatility that scales past returns; 0.94 unless said.",
    )  # fmt: skip
    on_stale = serializers.ChoiceField(choices=["fail", "warn"], required=False)
    max_price_age_sessions = WholeNumberField(min_value=0, max_value=20, required=False)


class HedgeComparisonUnitSerializer(StrictSerializer):
    notional = ExactDecimalField(
        required=False, min_value=1,
        help_text="Dollar delta to hedge; the portfolio's net exposure unless said.",
    )  # fmt: skip
    underlying = NameField(
        required=False, help_text="The index, or the fund on it; the portfolio's benchmark."
    )
    volatility = RealField(
        min_value=0.01, max_value=5.0, required=False,
        help_text="Annual; implied by the chain on file, else realized, unless said.",
    )  # fmt: skip
    days_to_expiry = WholeNumberField(min_value=2, max_value=90, required=False)
    moves = serializers.ListField(
        child=RealField(min_value=-0.9, max_value=3.0),
        min_length=1,
        max_length=25,
        required=False,
    )
    horizon_sessions = serializers.ListField(
        child=WholeNumberField(min_value=1, max_value=63),
        min_length=1,
        max_length=10,
        required=False,
    )
    volatility_shock = RealField(min_value=-0.5, max_value=2.0, required=False)


class LeveragedDragUnitSerializer(StrictSerializer):
    instrument = NameField(required=False, help_text="Every fund of the portfolio unless said.")
    to = PlainDateField(required=False, help_text="Last session; as_of unless said.")
    quantity = ExactDecimalField(required=False, help_text="Adds the parts in dollars.")
    horizon_sessions = serializers.ListField(
        child=WholeNumberField(min_value=1, max_value=MAX_HORIZON),
        min_length=1,
        max_length=20,
        required=False,
    )
    volatility = RealField(
        min_value=0.001, max_value=5.0, required=False,
        help_text="Annual, of the index, for the outlook; realized over a quarter unless said.",
    )  # fmt: skip
    detail = _detail("bootstrap")

    def get_fields(self) -> dict[str, Any]:
        # `from` is a word of the language, so it cannot be declared like the others.
        first = PlainDateField(required=False, help_text="Session at whose close it starts.")
        return {**super().get_fields(), "from": first}


class _AnalysisRequestSerializer(StrictSerializer):
    as_of = PlainDateField(
        required=False, allow_null=True, default=None, help_text="The last session with prices."
    )
    known_at = InstantField(
        required=False, allow_null=True, default=None,
        help_text="Use only facts recorded until then; now unless said.",
    )  # fmt: skip
    force = TruthField(
        required=False, default=False, help_text="Compute again even if it was done already."
    )


class SemiconductorBetaRequestSerializer(_AnalysisRequestSerializer):
    portfolio = TextField(max_length=40)
    units = UnitsField(child=SemiconductorBetaUnitSerializer(), required=False)


class HedgeEffectivenessRequestSerializer(_AnalysisRequestSerializer):
    portfolio = TextField(max_length=40)
    units = UnitsField(child=HedgeEffectivenessUnitSerializer())


class LeveragedDragRequestSerializer(_AnalysisRequestSerializer):
    portfolio = TextField(max_length=40, required=False, allow_null=True, default=None)
    units = UnitsField(child=LeveragedDragUnitSerializer(), required=False)


class TailRiskRequestSerializer(_AnalysisRequestSerializer):
    portfolio = TextField(max_length=40)
    units = UnitsField(child=TailRiskUnitSerializer(), required=False)


class HedgeComparisonRequestSerializer(_AnalysisRequestSerializer):
    portfolio = TextField(max_length=40, required=False, allow_null=True, default=None)
    units = UnitsField(child=HedgeComparisonUnitSerializer(), required=False)


class FigureSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes a row
    status = serializers.CharField(help_text="Of the figure where it has one, else of the unit.")
    measure = serializers.CharField(help_text="Dotted path in the result.")
    instrument = serializers.CharField(help_text="Symbol or label of what the figure is about.")
    horizon_sessions = serializers.IntegerField()
    value = serializers.FloatField(help_text="The nearest double of a decimal.")
    value_decimal = ExactDecimalField(help_text="Exact, of money, prices and weights.")
    unit_of_measure = serializers.CharField(help_text="1: a plain number or a fraction.")
    se = serializers.FloatField(help_text="Standard error.")
    ci95_low = serializers.FloatField()
    ci95_high = serializers.FloatField()
    n_obs = serializers.IntegerField()
    first = serializers.DateField(help_text="First observation.")
    last = serializers.DateField(help_text="Last observation.")
    text = serializers.CharField(help_text="Of what is no number, as a verdict.")
    reason = serializers.CharField(help_text="Why there is no value.")


class _OfRunSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes a row
    run = serializers.CharField()
    kind = serializers.CharField()
    portfolio = serializers.CharField(allow_null=True)
    as_of = serializers.DateField()
    known_at = serializers.DateTimeField()
    method_version = serializers.CharField()
    unit = serializers.CharField(help_text="The unit's name in the request.")


class RunFigureSerializer(_OfRunSerializer, FigureSerializer):
    """A run's results as a table: one figure a row."""


class _OfReportSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes a row
    business_date = serializers.DateField()
    revision = serializers.IntegerField()
    synthetic = serializers.BooleanField(help_text="Prices were made by a model.")
    portfolio = serializers.CharField()
    portfolio_name = serializers.CharField()
    kind = serializers.CharField(help_text="Of the analysis.")


class ReportFigureSerializer(_OfReportSerializer, FigureSerializer):
    """A report's numbers as a table: one figure a row."""
