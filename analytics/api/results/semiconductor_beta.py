"""The result of a semiconductor beta."""

from __future__ import annotations

from rest_framework import serializers

from analytics.api.results.parts import (
    ConstantField,
    EitherField,
    EstimateShape,
    MoneyShape,
    NamedInstrumentShape,
    NumberShape,
    SampledEstimateShape,
    SampleShape,
    Shape,
    UnavailableShape,
    dates,
    decimal,
    optional_real,
    real,
    reals,
    warnings_of,
    words,
)


class BetaBenchmarkShape(NamedInstrumentShape):
    series = serializers.CharField(help_text="Symbol of the instrument whose returns were used.")


class BetaOfNavShape(SampledEstimateShape):
    r2 = real()
    durbin_watson = optional_real(help_text="Null for an exact fit.")
    degrees_of_freedom = real()
    hac_lags = serializers.IntegerField()
    ols_se = real()
    alpha_daily = real()
    window = serializers.IntegerField()
    frequency = ConstantField("1d")
    benchmark = BetaBenchmarkShape()
    asynchronous = serializers.BooleanField()
    look_through = serializers.BooleanField()


class ExposureShape(MoneyShape):
    share_of_nav = decimal()


class BetaContributionShape(Shape):
    instrument = serializers.CharField()
    symbol = serializers.CharField()
    weight = decimal(help_text="Share of net asset value.")
    market_value = decimal()
    exposure = decimal(help_text="Funds and options looked through.")
    multiple = real(required=False)
    delta = real(required=False)
    dividend_yield = optional_real(
        required=False, help_text="Of an option's underlying, continuous, a year."
    )
    beta = real()
    contribution = real(help_text="They sum to beta_nav.")
    se = real(required=False)
    n_obs = serializers.IntegerField(required=False)
    status = words("ok", "partial_history")


class TwoFactorShape(SampleShape):
    market = NamedInstrumentShape()
    status = ConstantField("ok")
    beta_market = EstimateShape()
    beta_semiconductors = EstimateShape()
    r2 = real()
    variance_inflation = real()
    condition_number = real()
    beta_semiconductors_alone = NumberShape()


class NoTwoFactorShape(UnavailableShape):
    market = NamedInstrumentShape()


class RollingSeriesShape(Shape):
    dates = dates()
    beta = reals()
    se = reals()


class RollingBetaShape(NumberShape, SampleShape):
    window = serializers.IntegerField()
    se = real()
    status = ConstantField("ok")
    series = RollingSeriesShape(required=False)


class NoRollingBetaShape(Shape):
    window = serializers.IntegerField()
    value = ConstantField(None)
    status = ConstantField("insufficient_data")
    series = RollingSeriesShape(required=False)


class RollingBetasShape(Shape):
    """By sessions of the window."""

    def get_fields(self) -> dict[str, serializers.Field]:  # type: ignore[type-arg]  # of any kind
        names = ("60", "126", "252")
        return {name: EitherField(RollingBetaShape, NoRollingBetaShape) for name in names}


class SideBetaShape(EstimateShape):
    n_obs = serializers.IntegerField()


class UpDownShape(Shape):
    status = ConstantField("ok")
    down = SideBetaShape()
    up = SideBetaShape()
    down_less_up = EstimateShape()
    lower_partial_moment = NumberShape()
    upper_partial_moment = NumberShape()
    threshold = real()
    partial_moment_target = real()


class LadderStepShape(Shape):
    standard_deviations = real()
    move = real()
    beta = real()
    profit = decimal()
    exposure = decimal()
    gamma_per_1pct = decimal()
    wiped_out = serializers.BooleanField()


class GammaLadderShape(SampleShape):
    deviation = NumberShape()
    unit = serializers.CharField()
    steps = LadderStepShape(many=True)
    status = ConstantField("ok")


class LateCloseSlopesShape(Shape):
    earlier = real(required=False)
    same = real()
    later = real(required=False)


class _ClosingHoursShape(Shape):
    """Which of the benchmark's sessions the slopes are summed over, and why."""

    method = ConstantField("dimson")
    lags = serializers.IntegerField()
    leads = serializers.IntegerField()
    chosen_by = words("closing-hours", "lead-lag-correlation")
    venues = serializers.ListField(child=serializers.CharField())


class LateCloseShape(SampledEstimateShape, _ClosingHoursShape):
    slopes = LateCloseSlopesShape()
    status = ConstantField("ok")


class NoLateCloseShape(UnavailableShape, _ClosingHoursShape):
    """Too few sessions have all of the benchmark's."""


class MovingBetaShape(SampledEstimateShape):
    method = ConstantField("filtered-state-space")
    constant = serializers.BooleanField()
    daily_step = real()
    status = ConstantField("ok")


class SemiconductorBetaResultShape(Shape):
    beta_nav = BetaOfNavShape()
    beta_ignoring_leverage = NumberShape()
    nav = MoneyShape()
    usd_per_1pct_index = MoneyShape(help_text="Gain of net asset value for +1 % of the index.")
    gross_exposure = ExposureShape()
    net_exposure = ExposureShape()
    contributions = BetaContributionShape(many=True)
    two_factor = EitherField(TwoFactorShape, NoTwoFactorShape, allow_null=True)
    rolling = RollingBetasShape()
    up_down = EitherField(UpDownShape, UnavailableShape)
    gamma_ladder = EitherField(GammaLadderShape, UnavailableShape, required=False)
    late_close = EitherField(LateCloseShape, NoLateCloseShape, required=False)
    moving_beta = EitherField(MovingBetaShape, UnavailableShape, required=False)
    warnings = warnings_of()
