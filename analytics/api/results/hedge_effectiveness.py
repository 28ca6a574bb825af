"""The result of a hedge-effectiveness analysis."""

from __future__ import annotations

from rest_framework import serializers

from analytics.api.results.parts import (
    ConstantField,
    CountedEstimateShape,
    EitherField,
    EstimateShape,
    NumberShape,
    SampledEstimateShape,
    SampleShape,
    Shape,
    UnavailableShape,
    decimal,
    interval,
    optional_real,
    real,
    warnings_of,
    words,
)

VERDICTS = ("pass", "fail", "inconclusive")
HORIZON_VERDICTS = ("effective", "not_effective", "inconclusive")


class HedgedItemShape(Shape):
    value = decimal()
    exposure = decimal()
    unit = serializers.CharField()
    positions = serializers.IntegerField()


class HedgingShape(Shape):
    instrument = serializers.CharField()
    symbol = serializers.CharField()
    quantity = decimal()
    value = decimal()
    exposure = decimal()
    unit = serializers.CharField()
    multiple = real(required=False)
    delta = real(required=False)


class HedgeSlopeShape(EstimateShape):
    hac_se = real()


class RegressionCriteriaShape(Shape):
    r_squared = words(*VERDICTS)
    slope = words(*VERDICTS)
    p_value = words(*VERDICTS)


class RegressionTestShape(SampleShape):
    slope = HedgeSlopeShape()
    intercept = EstimateShape()
    r2 = real()
    r2_estimate = EstimateShape()
    p_value = real()
    verdict = words(*VERDICTS)
    criteria = RegressionCriteriaShape()

    def get_fields(self) -> dict[str, serializers.Field]:  # type: ignore[type-arg]  # of any kind
        # `pass` is a word of the language, so it cannot be declared like the others.
        return {**super().get_fields(), "pass": serializers.BooleanField()}


class DollarOffsetShape(SampleShape):
    cumulative = optional_real()
    range = serializers.ListField(
        child=serializers.DecimalField(max_digits=None, decimal_places=None),
        min_length=2,
        max_length=2,
    )
    periods_passed = serializers.IntegerField()
    periods_failed = serializers.IntegerField()
    periods_undefined = serializers.IntegerField()

    def get_fields(self) -> dict[str, serializers.Field]:  # type: ignore[type-arg]  # of any kind
        return {**super().get_fields(), "pass": serializers.BooleanField(allow_null=True)}


class _ReductionPartsShape(Shape):
    horizon_sessions = serializers.IntegerField()
    daily = SampledEstimateShape()
    at_minimum_variance = SampledEstimateShape()
    out_of_sample = EitherField(CountedEstimateShape, UnavailableShape)


class DailyVarianceReductionShape(EstimateShape, _ReductionPartsShape):
    """Over one session: the estimate of the whole sample."""


class BlockEffectivenessShape(CountedEstimateShape):
    """Measured over non-overlapping blocks of the horizon."""

    hedge_notional = real()
    status = ConstantField("ok")
    at_minimum_variance = EstimateShape()


class NoBlockEffectivenessShape(UnavailableShape):
    unit = serializers.CharField()
    ci95 = ConstantField(None)
    n_obs = serializers.IntegerField()
    hedge_notional = real()


class HorizonVarianceReductionShape(BlockEffectivenessShape, _ReductionPartsShape):
    """Over a longer horizon: measured by blocks."""

    at_minimum_variance = SampledEstimateShape()


class NoHorizonVarianceReductionShape(NoBlockEffectivenessShape, _ReductionPartsShape):
    """Over a longer horizon of which too few blocks were seen."""


class HedgeQuantityShape(Shape):
    instrument = serializers.CharField()
    symbol = serializers.CharField()
    quantity = decimal()


class MinimumVarianceHedgeShape(Shape):
    hedge_notional = NumberShape()
    hedge_ratio = SampledEstimateShape()
    quantities = HedgeQuantityShape(many=True)


class TailReductionShape(SampleShape):
    value_at_risk_reduction = optional_real()
    expected_shortfall_reduction = optional_real()
    semivariance_reduction = optional_real()
    confidence_level = real()
    n_tail = serializers.IntegerField()


class ClosedFormShape(NumberShape):
    static_effectiveness = real()
    static_hedge_notional = real()
    hedge_notional = real()
    index_beta = real()
    annual_volatility = real()


class _DrawnShape(SampleShape):
    method = ConstantField("stationary-block-bootstrap")
    block_length = real()
    n_blocks = serializers.IntegerField()
    seed = serializers.IntegerField()


class EffectivenessBandShape(_DrawnShape):
    low = real()
    median = real()
    high = real()
    unit = serializers.CharField()
    confidence_level = real()
    n_samples = serializers.IntegerField()
    status = ConstantField("ok")


class NoEffectivenessBandShape(_DrawnShape, UnavailableShape):
    """A horizon that the sample is too short for."""


class HedgeHorizonShape(Shape):
    horizon_sessions = serializers.IntegerField()
    closed_form = ClosedFormShape(allow_null=True)
    empirical = EitherField(BlockEffectivenessShape, NoBlockEffectivenessShape)
    band = EitherField(EffectivenessBandShape, NoEffectivenessBandShape, required=False)
    verdict = words(*HORIZON_VERDICTS, allow_null=True)


class CoverageShape(NumberShape):
    """1 is a full offset."""


class NoCoverageShape(UnavailableShape):
    unit = serializers.CharField()


class CoverageDriftShape(NumberShape, SampleShape):
    instrument = serializers.CharField()
    symbol = serializers.CharField()
    approximate = real()
    band = real()
    first_breach = serializers.DateField(allow_null=True)


class NoCoverageDriftShape(Shape):
    instrument = serializers.CharField()
    symbol = serializers.CharField()
    value = ConstantField(None)
    status = ConstantField("insufficient_data")


class PricedHedgeShape(Shape):
    annual_cost = NumberShape()
    per_variance = EitherField(NumberShape, UnavailableShape)
    per_volatility = NumberShape(required=False)


class HedgeCostAssumptionsShape(Shape):
    short_rate = real()
    short_rate_on_file = serializers.BooleanField()
    expense_ratio = real()
    swap_spread = real()
    annual_volatility = real()
    daily_drift = real()


class HedgeCostShape(Shape):
    mean = PricedHedgeShape()
    median = PricedHedgeShape()
    carry = NumberShape()
    variance_cost = NumberShape()
    assumptions = HedgeCostAssumptionsShape()


class EffectivenessPolicyShape(Shape):
    id = serializers.CharField()
    effective_date = serializers.DateField()
    min_r2 = real()
    slope_range = interval()
    offset_range = interval()
    note = serializers.CharField()


class HedgeEffectivenessResultShape(Shape):
    hedged_item = HedgedItemShape()
    hedging = HedgingShape(many=True)
    hedge_notional = NumberShape(help_text="Gross hedge held per unit of the item.")
    regression = RegressionTestShape()
    dollar_offset = DollarOffsetShape()
    variance_reduction = EitherField(
        DailyVarianceReductionShape,
        HorizonVarianceReductionShape,
        NoHorizonVarianceReductionShape,
    )
    minimum_variance_hedge = MinimumVarianceHedgeShape()
    tail = TailReductionShape()
    horizons = HedgeHorizonShape(many=True)
    coverage_now = EitherField(CoverageShape, NoCoverageShape)
    coverage_drift = serializers.ListField(
        child=EitherField(CoverageDriftShape, NoCoverageDriftShape), allow_null=True
    )
    cost = HedgeCostShape(allow_null=True)
    verdict = words(*VERDICTS)
    verdict_reason = serializers.CharField()
    policy = EffectivenessPolicyShape()
    warnings = warnings_of()
