"""The result of a tail-risk analysis."""

from __future__ import annotations

from rest_framework import serializers

from analytics.api.results.parts import (
    ConstantField,
    EitherField,
    EstimateShape,
    MoneyShape,
    NumberShape,
    SampledEstimateShape,
    SampleShape,
    Shape,
    UnavailableShape,
    decimal,
    optional_real,
    real,
    warnings_of,
    words,
)

METHODS = ("historical", "time_weighted", "filtered", "parametric", "cornish_fisher")


class TailNumberShape(NumberShape):
    """A loss is positive."""

    money = MoneyShape()


class TailEstimateShape(EstimateShape):
    """A loss is positive."""

    money = MoneyShape()


class TailMethodShape(SampleShape):
    method = words(*METHODS, help_text="Another than its name where it could not answer.")
    value_at_risk = EitherField(TailEstimateShape, TailNumberShape)
    expected_shortfall = EitherField(TailEstimateShape, TailNumberShape)
    n_tail = serializers.IntegerField(required=False)
    effective_n_obs = real(required=False)
    status = ConstantField("ok")
    reason = serializers.CharField(required=False, help_text="Why another method stands in.")


class TailPartShape(NumberShape):
    instrument = serializers.CharField()
    symbol = serializers.CharField()
    weight = decimal()
    se = optional_real()
    money = MoneyShape()


class TailComponentsShape(SampleShape):
    """Positions' parts, which sum to the total."""

    total = NumberShape()
    positions = TailPartShape(many=True)
    status = ConstantField("ok")


class NoSampledPartShape(UnavailableShape, SampleShape):
    """A block of figures that the sample cannot give."""


class TailComponentsByMeasureShape(Shape):
    value_at_risk = EitherField(TailComponentsShape, NoSampledPartShape)
    expected_shortfall = EitherField(TailComponentsShape, NoSampledPartShape)
    parametric_value_at_risk = EitherField(TailComponentsShape, NoSampledPartShape)


class TailLevelShape(Shape):
    confidence_level = real()
    historical = TailMethodShape()
    time_weighted = TailMethodShape()
    filtered = TailMethodShape()
    parametric = TailMethodShape()
    cornish_fisher = TailMethodShape()
    components = TailComponentsByMeasureShape()


class VolatilityShape(SampledEstimateShape):
    status = ConstantField("ok")


class DrawdownShape(NumberShape, SampleShape):
    peak = serializers.DateField(allow_null=True)
    trough = serializers.DateField(allow_null=True)
    now = real()
    status = ConstantField("ok")


class ConcentrationShape(Shape):
    herfindahl = NumberShape()
    effective_number = NumberShape()
    largest_share = NumberShape()
    n_positions = serializers.IntegerField()
    of = serializers.CharField()
    status = ConstantField("ok")


class TailRiskResultShape(Shape):
    nav = MoneyShape()
    horizon_sessions = serializers.IntegerField()
    window = serializers.IntegerField()
    levels = TailLevelShape(many=True)
    volatility = EitherField(VolatilityShape, NoSampledPartShape)
    drawdown = DrawdownShape()
    concentration = ConcentrationShape()
    warnings = warnings_of()
