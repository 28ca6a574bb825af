"""The result of a comparison of hedges."""

from __future__ import annotations

from rest_framework import serializers

from analytics.api.results.parts import (
    EitherField,
    MoneyShape,
    NamedInstrumentShape,
    NumberShape,
    SampledEstimateShape,
    Shape,
    decimal,
    optional_real,
    real,
    reals,
    warnings_of,
    words,
)


class ComparedUnderlyingShape(NamedInstrumentShape):
    spot = real()
    unit = serializers.CharField()
    session = serializers.DateField()


class ImpliedVolatilityShape(NumberShape):
    source = words("given", "chain", "realized")  # type: ignore[assignment]  # taken by the metaclass
    quoted_on = serializers.DateField(required=False)
    expiry = serializers.DateField(required=False)
    strike = real(required=False)
    parity_spot = real(required=False)
    n_obs = serializers.IntegerField(required=False)


class ShortRateShape(NumberShape):
    on_file = serializers.BooleanField()


class ComparisonUnitsShape(Shape):
    money = serializers.CharField()
    coverage = serializers.CharField()
    effectiveness = serializers.CharField()
    theta_per_day = serializers.CharField()
    gamma = serializers.CharField()


class FundLegShape(Shape):
    value = decimal()
    multiple = real()


class OptionLegShape(Shape):
    option = words("call", "put")
    shares = real()
    strike = real()
    volatility = real()


def _amounts() -> serializers.ListField:
    return serializers.ListField(child=decimal())


class ComparedPathShape(Shape):
    flat_cost = decimal()
    profit = _amounts()
    coverage = serializers.ListField(child=optional_real())
    wiped_out = serializers.ListField(child=serializers.BooleanField())


class ComparedHorizonShape(Shape):
    horizon_sessions = serializers.IntegerField()
    effectiveness = real()
    break_even_move = optional_real()
    carry_cost = decimal(allow_null=True)
    paths = serializers.DictField(child=ComparedPathShape())


class ComparedHedgeShape(Shape):
    name = serializers.CharField()
    legs = serializers.ListField(child=EitherField(FundLegShape, OptionLegShape))
    premium = decimal()
    capital = decimal()
    theta_per_day = decimal()
    gamma = decimal()
    reset_variance_cost_per_day = decimal()
    reset_gamma = decimal()
    worst_case_loss = decimal(allow_null=True)
    expense_ratio = optional_real()
    horizons = ComparedHorizonShape(many=True)


class HedgeComparisonResultShape(Shape):
    notional = MoneyShape()
    underlying = ComparedUnderlyingShape()
    implied_volatility = ImpliedVolatilityShape()
    realized_volatility = SampledEstimateShape()
    path_volatility = NumberShape()
    short_rate = ShortRateShape()
    dividend_yield = NumberShape(help_text="Of the last twelve months' distributions.")
    days_to_expiry = serializers.IntegerField()
    calendar_days_per_session = real()
    volatility_shock = real()
    moves = reals()
    horizon_sessions = serializers.ListField(child=serializers.IntegerField())
    paths = serializers.ListField(child=serializers.CharField())
    item_profit = _amounts()
    units = ComparisonUnitsShape()
    hedges = ComparedHedgeShape(many=True)
    warnings = warnings_of()
