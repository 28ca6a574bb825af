"""The result of a leveraged-drag analysis: of one fund, or of every fund of a portfolio."""

from __future__ import annotations

from rest_framework import serializers

from analytics.api.results.parts import (
    ConstantField,
    EitherField,
    NumberShape,
    SampledEstimateShape,
    SampleShape,
    Shape,
    UnavailableShape,
    dates,
    decimal,
    interval,
    optional_real,
    real,
    reals_by_name,
    warnings_of,
    words,
)
from analytics.api.results.problems import unit_problem
from analytics.models import Result


class VarianceCostBandShape(Shape):
    se = real()
    ci95 = interval()


class DecompositionShape(Shape):
    """Parts of the fund's return, which sum to it."""

    simple = real()
    convexity = real()
    variance_cost = real()
    financing = real()
    expense = real()
    residual = real()
    sum = real()
    abs_error = real()
    compounding = real()
    variance_cost_band = VarianceCostBandShape()
    unit = serializers.CharField()


class LogDragShape(Shape):
    exact = real()
    second_order = real()
    third_order = real()
    unit = serializers.CharField()


class VarianceRatioShape(NumberShape):
    z = real()
    p_value = real()
    holding_sessions = serializers.IntegerField()
    n_obs = serializers.IntegerField()


class _OutlookShape(Shape):
    mean = real()
    median = real()
    p_loss = real()
    quantiles = reals_by_name()
    break_even_index_return = real()


class OutlookShape(_OutlookShape):
    """Closed form with carry."""


class OutlookAtHorizonShape(_OutlookShape):
    horizon_sessions = serializers.IntegerField()
    with_carry = OutlookShape()


class OutlookAssumptionsShape(Shape):
    drift = real()
    annual_volatility = real()
    volatility_source = words("given", "realized")
    annual_carry = real()
    annual_carry_of_with_carry = real()
    short_rate = real()
    short_rate_on_file = serializers.BooleanField()
    law = serializers.CharField()


class BootstrapDragShape(Shape):
    mean = real()
    median = real()
    interval95 = interval()


class BootstrapHorizonShape(Shape):
    horizon_sessions = serializers.IntegerField()
    mean = real()
    mean_se = real()
    median = real()
    quantiles = reals_by_name()
    interval95 = interval()
    expected_shortfall = real()
    p_loss = real()
    p_worse_than_static = real()
    p_ruin = real()
    drag = BootstrapDragShape()


class ForwardBootstrapShape(SampleShape):
    method = ConstantField("stationary-block-bootstrap")
    unit = serializers.CharField()
    block_length = real()
    n_paths = serializers.IntegerField()
    seed = serializers.IntegerField()
    annual_carry = real()
    horizons = BootstrapHorizonShape(many=True)
    status = ConstantField("ok")


class ForwardShape(_OutlookShape):
    horizon_sessions = serializers.IntegerField()
    horizons = OutlookAtHorizonShape(many=True)
    bootstrap = EitherField(ForwardBootstrapShape, UnavailableShape, required=False)
    assumptions = OutlookAssumptionsShape()


class TermsInForceShape(Shape):
    valid_from = serializers.DateField()
    changes = dates(help_text="Days inside the window on which new terms came into force.")


class DragDollarsShape(Shape):
    unit = serializers.CharField()
    value_at_start = decimal()
    simple = decimal()
    convexity = decimal()
    variance_cost = decimal()
    financing = decimal()
    expense = decimal()
    residual = decimal()
    total = decimal()


class FundDragShape(Shape):
    """One fund over one window."""

    instrument = serializers.CharField()
    symbol = serializers.CharField()
    multiple = real()
    index = serializers.CharField()
    index_symbol = serializers.CharField()
    to = serializers.DateField()
    n_sessions = serializers.IntegerField()
    index_return = real()
    fund_return = real()
    decomposition = DecompositionShape()
    sample = SampleShape()
    realized_variance = SampledEstimateShape()
    realized_volatility = SampledEstimateShape()
    log_drag = LogDragShape(allow_null=True)
    trend_minus_chop = NumberShape(allow_null=True)
    variance_ratio = EitherField(VarianceRatioShape, UnavailableShape)
    break_even_index_return = optional_real()
    forward = ForwardShape()
    expense_ratio = decimal()
    leverage_terms = TermsInForceShape()
    dollars = DragDollarsShape(required=False, allow_null=True)
    warnings = warnings_of()

    def get_fields(self) -> dict[str, serializers.Field]:  # type: ignore[type-arg]  # of any kind
        # `from` is a word of the language, so it cannot be declared like the others.
        return {**super().get_fields(), "from": serializers.DateField()}


class FundWindowShape(FundDragShape):
    status = ConstantField("ok")


class NoFundWindowShape(Shape):
    status = words(*(word for word in Result.Status.values if word != Result.Status.OK))
    result = ConstantField(None)
    problem = unit_problem()


class FundWindowsShape(Shape):
    """The last month and quarter, or the window asked for."""

    month = EitherField(FundWindowShape, NoFundWindowShape, required=False)
    quarter = EitherField(FundWindowShape, NoFundWindowShape, required=False)
    requested = EitherField(FundWindowShape, NoFundWindowShape, required=False)


class HeldFundShape(Shape):
    instrument = serializers.CharField()
    symbol = serializers.CharField()
    multiple = optional_real()
    quantity = decimal()
    windows = FundWindowsShape()


class PortfolioDragShape(Shape):
    """Every leveraged fund of a portfolio."""

    funds = HeldFundShape(many=True)
    warnings = warnings_of()
