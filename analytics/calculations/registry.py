"""The measures on offer, by kind."""

from __future__ import annotations

from analytics.calculations.hedge_comparison import HedgeComparisonMeasure
from analytics.calculations.hedge_effectiveness import HedgeEffectiveness
from analytics.calculations.leveraged_drag import LeveragedDrag
from analytics.calculations.measures import Measure
from analytics.calculations.semiconductor_beta import SemiconductorBeta
from analytics.calculations.tail_risk import TailRiskMeasure

#: What the night report holds of every portfolio; the others are computed when asked for.
_NIGHTLY: tuple[Measure, ...] = (SemiconductorBeta(), HedgeEffectiveness(), LeveragedDrag())
_ON_REQUEST: tuple[Measure, ...] = (TailRiskMeasure(), HedgeComparisonMeasure())

NIGHTLY: dict[str, Measure] = {measure.kind: measure for measure in _NIGHTLY}
MEASURES: dict[str, Measure] = NIGHTLY | {measure.kind: measure for measure in _ON_REQUEST}
