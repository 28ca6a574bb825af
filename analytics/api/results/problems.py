"""What stands in a unit where there is no result: a problem, each kind with its own members."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework import serializers

from analytics.api.results.parts import (
    ConstantField,
    MoneyShape,
    NamedInstrumentShape,
    Shape,
    dates,
    decimal,
)


class _ProblemShape(Shape):
    type = serializers.CharField(help_text="Address of the page about this kind of problem.")
    detail = serializers.CharField()


class PlainProblemShape(_ProblemShape):
    """Nothing to add to the detail."""

    code = serializers.CharField()


class InsufficientHistoryShape(_ProblemShape):
    code = ConstantField("insufficient-history")
    required_obs = serializers.IntegerField()
    available_obs = serializers.IntegerField()
    requested_obs = serializers.IntegerField(required=False, help_text="Of the window asked for.")
    first_session = serializers.DateField(
        allow_null=True, help_text="Of those there are; null where there are none."
    )
    missing_sessions = dates(help_text="The first 50 of the window that have no return.")
    series = serializers.CharField(required=False)


class ZeroVarianceShape(_ProblemShape):
    code = ConstantField("zero-variance")
    series = serializers.CharField(help_text="What does not move.")
    n_obs = serializers.IntegerField()
    std = ConstantField(0)


class StaleInstrumentShape(NamedInstrumentShape):
    last_session = serializers.DateField()
    age_sessions = serializers.IntegerField()
    limit = serializers.IntegerField()


class StalePriceShape(_ProblemShape):
    code = ConstantField("stale-price")
    instruments = StaleInstrumentShape(many=True)


class MissingFxShape(_ProblemShape):
    code = ConstantField("missing-fx")
    pair = serializers.CharField()
    sessions = dates(help_text="The first 50.")
    positions_affected = serializers.IntegerField()
    nav_affected = decimal(
        allow_null=True, help_text="Share of gross value, at the latest rate there is."
    )
    nav = ConstantField(None, help_text="No value is better than a wrong one.")


class LeverageTermsGapShape(_ProblemShape):
    code = ConstantField("leverage-terms-gap")
    instruments = NamedInstrumentShape(many=True)
    dates = dates(help_text="Days without a multiple and an index on file; the first 50.")


class MissingPriceShape(_ProblemShape):
    code = ConstantField("missing-price")
    instruments = NamedInstrumentShape(many=True)


class HedgeNotHeldShape(_ProblemShape):
    code = ConstantField("hedge-not-held")
    instruments = NamedInstrumentShape(many=True)


class NavNotPositiveShape(_ProblemShape):
    code = ConstantField("nav-not-positive")
    nav = MoneyShape()


class NoExposureShape(_ProblemShape):
    code = ConstantField("no-exposure")
    net_exposure = MoneyShape(required=False)


class EngineProblemShape(_ProblemShape):
    """What the engine refuses: `context` holds the figures it went by."""

    code = serializers.CharField()
    context = serializers.DictField()  # type: ignore[assignment]  # taken by the metaclass


BY_CODE: dict[str, type[Shape]] = {
    "insufficient-history": InsufficientHistoryShape,
    "zero-variance": ZeroVarianceShape,
    "degenerate-input": EngineProblemShape,
    "invalid-input": EngineProblemShape,
    "not-representable": EngineProblemShape,
    "stale-price": StalePriceShape,
    "missing-fx": MissingFxShape,
    "leverage-terms-gap": LeverageTermsGapShape,
    "missing-price": MissingPriceShape,
    "hedge-not-held": HedgeNotHeldShape,
    "nav-not-positive": NavNotPositiveShape,
    "no-exposure": NoExposureShape,
    "no-positions": PlainProblemShape,
    "empty-hedged-item": PlainProblemShape,
    "no-leveraged-fund": PlainProblemShape,
    "quarantined": PlainProblemShape,
}


def _coded(code: str, shape: type[Shape]) -> type[Shape]:
    """The shape of one code alone, so that a document fits exactly one."""
    if isinstance(shape().fields["code"], ConstantField):
        return shape
    name = "".join(part.title() for part in code.split("-"))
    return type(f"{name}ProblemShape", (shape,), {"code": ConstantField(code)})


_SHAPES: dict[str, Any] = {code: _coded(code, shape) for code, shape in BY_CODE.items()}


def unit_problem() -> Any:
    """The field that holds a unit's problem, told apart by its code."""
    return PolymorphicProxySerializer(
        component_name="UnitProblem", serializers=_SHAPES, resource_type_field_name="code"
    )
