"""Runs and their units, one shape for each kind of analysis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework import serializers

from analytics.api.results.hedge_comparison import HedgeComparisonResultShape
from analytics.api.results.hedge_effectiveness import HedgeEffectivenessResultShape
from analytics.api.results.leveraged_drag import FundDragShape, PortfolioDragShape
from analytics.api.results.parts import ConstantField, EitherField, Shape, words
from analytics.api.results.problems import unit_problem
from analytics.api.results.semiconductor_beta import SemiconductorBetaResultShape
from analytics.api.results.tail_risk import TailRiskResultShape
from analytics.models import Result, Run
from portfolios.api.fields import PortfolioRefField


class RunSummaryShape(Shape):
    id = serializers.CharField()
    kind = serializers.ChoiceField(choices=Run.Kind.choices)
    status = serializers.ChoiceField(
        choices=Run.Status.choices,
        help_text="`succeeded`: every unit is `ok`; `partial`: some are; `failed`: none is.",
    )
    version = serializers.IntegerField(help_text="Counts changes; for `since_version`.")
    portfolio = PortfolioRefField(allow_null=True)
    as_of = serializers.DateField()
    known_at = serializers.DateTimeField()
    method_version = serializers.CharField()
    inputs_hash = serializers.CharField()
    attempt_number = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class ProgressShape(Shape):
    done = serializers.IntegerField()
    total = serializers.IntegerField()


class RefusedUnitShape(Shape):
    """No number, and why."""

    status = words(*(word for word in Result.Status.values if word != Result.Status.OK))
    result = ConstantField(None)
    problem = unit_problem()


class OpenUnitShape(Shape):
    """Not computed yet, or never."""

    status = words("queued", "running", "canceled")
    result = ConstantField(None)


@dataclass(frozen=True)
class RunShapes:
    """What a kind's answers look like."""

    unit: type[Shape]
    run: type[Shape]
    requested: type[Shape]


def _shapes(kind: str, *results: type[Shape]) -> RunShapes:
    name = "".join(part.title() for part in kind.split("-"))
    result = results[0]() if len(results) == 1 else EitherField(*results)
    unit = type(f"{name}UnitShape", (Shape,), {"status": ConstantField("ok"), "result": result})
    units = serializers.DictField(child=EitherField(unit, RefusedUnitShape, OpenUnitShape))
    members = {"kind": ConstantField(kind), "progress": ProgressShape(), "units": units}
    run = type(f"{name}RunShape", (RunSummaryShape,), members)
    deduplicated = serializers.BooleanField(help_text="The same request was there already.")
    requested = type(f"{name}RequestedRunShape", (run,), {"deduplicated": deduplicated})
    return RunShapes(unit, run, requested)


#: The shapes of a result, by kind of analysis.
RESULTS: dict[str, tuple[type[Shape], ...]] = {
    "semiconductor-beta": (SemiconductorBetaResultShape,),
    "hedge-effectiveness": (HedgeEffectivenessResultShape,),
    "leveraged-drag": (FundDragShape, PortfolioDragShape),
    "tail-risk": (TailRiskResultShape,),
    "hedge-comparison": (HedgeComparisonResultShape,),
}
#: By kind of analysis.
SHAPES: dict[str, RunShapes] = {kind: _shapes(kind, *given) for kind, given in RESULTS.items()}


def run_of_any_kind() -> Any:
    return PolymorphicProxySerializer(
        component_name="Run",
        serializers={kind: shapes.run for kind, shapes in SHAPES.items()},
        resource_type_field_name="kind",
    )


def stored_unit() -> Any:
    """A unit with its result or problem, of any kind."""
    return PolymorphicProxySerializer(
        component_name="StoredUnit",
        serializers=[*(shapes.unit for shapes in SHAPES.values()), RefusedUnitShape],
        resource_type_field_name=None,
    )
