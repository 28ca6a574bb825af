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
from analytics.models import Result

VERDICTS = ("pass", "fail", "inconclusive")


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
    dividend_yield = optional_real(
        required=False, help_text="Of an option's underlying, continuous, a year."
    )


class HedgeSlopeShape(EstimateShape):
    ols_se = real()


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


class _OffsetRatiosShape(Shape):
    cumulative = optional_real(help_text="Gain of the hedge over loss of the item.")
    periods_passed = serializers.IntegerField()
    periods_failed = serializers.IntegerField()
    periods_undefined = serializers.IntegerField()

    def get_fields(self) -> dict[str, serializers.Field]:  # type: ignore[type-arg]  # of any kind
        return {**super().get_fields(), "pass": serializers.BooleanField(allow_null=True)}


class ConstantExposureOffsetShape(_OffsetRatiosShape):
    """Of exposures held constant from session to session."""

    basis = ConstantField("constant-exposure")


class DollarOffsetShape(_OffsetRatiosShape, SampleShape):
    """Of the quantities held."""

    basis = ConstantField("fixed-quantities")
    range = serializers.ListField(child=decimal(), min_length=2, max_length=2)
    constant_exposure = ConstantExposureOffsetShape()
    bases_agree = serializers.BooleanField()
    verdict = words(*VERDICTS)


class NoDollarOffsetShape(Shape):
    basis = ConstantField("fixed-quantities")
    range = serializers.ListField(child=decimal(), min_length=2, max_length=2)
    cumulative = ConstantField(None)
    status = words(*Result.Status.values)
    reason = serializers.CharField()
    verdict = words(*VERDICTS)

    def get_fields(self) -> dict[str, serializers.Field]:  # type: ignore[type-arg]  # of any kind
        return {**super().get_fields(), "pass": ConstantField(None)}


class _ReductionPartsShape(Shape):
    horizon_sessions = serializers.IntegerField()
    daily = SampledEstimateShape()
    at_minimum_variance = SampledEstimateShape()
    out_of_sample = EitherField(CountedEstimateShape, UnavailableShape)


class DailyVarianceReductionShape(EstimateShape, _ReductionPartsShape):
    """Over one session: the estimate of the whole sample."""


class BlockEffectivenessShape(CountedEstimateShape):
    """Measured over non-overlapping blocks of the horizon."""

    n_blocks = serializers.IntegerField()
    hedge_notional = real()
    status = ConstantField("ok")
    at_minimum_variance = EstimateShape()


class NoBlockEffectivenessShape(UnavailableShape):
    unit = serializers.CharField()
    ci95 = ConstantField(None)
    n_blocks = serializers.IntegerField()
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


class NoUnitNumberShape(UnavailableShape):
    unit = serializers.CharField()


class TailBootstrapShape(Shape):
    method = ConstantField("stationary-block-bootstrap")
    block_length = real()
    n_samples = serializers.IntegerField()
    seed = serializers.IntegerField()


class TailReductionShape(SampleShape):
    value_at_risk_reduction = EitherField(EstimateShape, NoUnitNumberShape)
    expected_shortfall_reduction = EitherField(EstimateShape, NoUnitNumberShape)
    semivariance_reduction = EitherField(EstimateShape, NoUnitNumberShape)
    confidence_level = real()
    n_tail = serializers.IntegerField()
    bootstrap = TailBootstrapShape()


class ClosedFormAtShape(NumberShape):
    hedge_notional = real()


class ClosedFormShape(Shape):
    at_minimum_variance = ClosedFormAtShape()
    at_full_offset = ClosedFormAtShape()
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
    verdict = words(*VERDICTS, allow_null=True)


class CoverageShape(NumberShape):
    """1 is a full offset."""


class FollowedIndexShape(Shape):
    multiple = real()
    index = serializers.CharField()
    index_symbol = serializers.CharField()
    proxy = serializers.CharField(required=False, help_text="Symbol whose returns stand in.")

    def get_fields(self) -> dict[str, serializers.Field]:  # type: ignore[type-arg]  # of any kind
        # `from` is a word of the language, so it cannot be declared like the others.
        return {**super().get_fields(), "from": serializers.DateField()}


class CoverageDriftShape(NumberShape, SampleShape):
    instrument = serializers.CharField()
    symbol = serializers.CharField()
    approximate = real()
    band = real()
    first_breach = serializers.DateField(allow_null=True)
    terms = FollowedIndexShape(many=True)


class NoCoverageDriftShape(UnavailableShape):
    instrument = serializers.CharField()
    symbol = serializers.CharField()
    code = serializers.CharField(required=False)


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
    dollar_offset = EitherField(DollarOffsetShape, NoDollarOffsetShape)
    variance_reduction = EitherField(
        DailyVarianceReductionShape,
        HorizonVarianceReductionShape,
        NoHorizonVarianceReductionShape,
    )
    minimum_variance_hedge = MinimumVarianceHedgeShape()
    tail = TailReductionShape()
    horizons = HedgeHorizonShape(many=True)
    coverage_now = EitherField(CoverageShape, NoUnitNumberShape)
    coverage_drift = serializers.ListField(
        child=EitherField(CoverageDriftShape, NoCoverageDriftShape), allow_null=True
    )
    cost = HedgeCostShape(allow_null=True)
    verdict = words(*VERDICTS)
    verdict_reason = serializers.CharField()
    policy = EffectivenessPolicyShape()
    warnings = warnings_of()
