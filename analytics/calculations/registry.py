"""The measures on offer, by kind."""

from __future__ import annotations

from analytics.calculations.hedge_effectiveness import HedgeEffectiveness
from analytics.calculations.leveraged_drag import LeveragedDrag
from analytics.calculations.measures import Measure
from analytics.calculations.semiconductor_beta import SemiconductorBeta

MEASURES: dict[str, Measure] = {
    str(measure.kind): measure
    for measure in (SemiconductorBeta(), HedgeEffectiveness(), LeveragedDrag())
}
