"""The measures on offer, by kind."""

from __future__ import annotations

from analytics.calculations.hedge_effectiveness import HedgeEffectiveness
from analytics.calculations.leveraged_drag import LeveragedDrag
from analytics.calculations.measures import Measure
from analytics.calculations.semiconductor_beta import SemiconductorBeta

_ALL: tuple[Measure, ...] = (SemiconductorBeta(), HedgeEffectiveness(), LeveragedDrag())

MEASURES: dict[str, Measure] = {measure.kind: measure for measure in _ALL}
