"""Thresholds of the effectiveness tests, and verdicts against them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from analytics.engine.types import Estimate, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectivenessPolicy:
    """Thresholds of the effectiveness tests; practice, not law, so they are named and dated.

    Attributes
    ----------
    name : str
    effective_date : str
        ISO date from which the policy applies.
    min_r_squared, slope_low, slope_high, max_p_value : float
        Regression test; slopes in absolute value.
    offset_low, offset_high : float
        Dollar offset.
    min_obs : int
    confidence_level : float
        Of the intervals that decide whether a verdict is inconclusive.
    """

    name: str = "asc815-practice"
    effective_date: str = "2000-06-15"
    min_r_squared: float = 0.80
    slope_low: float = 0.80
    slope_high: float = 1.25
    max_p_value: float = 0.05
    offset_low: float = 0.80
    offset_high: float = 1.25
    min_obs: int = 30
    confidence_level: float = 0.95


DEFAULT_POLICY = EffectivenessPolicy()


def one_sided_verdict(estimate: Estimate, least: float) -> Verdict:
    if estimate.ci_low >= least:
        return Verdict.PASS
    return Verdict.FAIL if estimate.ci_high < least else Verdict.INCONCLUSIVE


def two_sided_verdict(estimate: Estimate, low: float, high: float) -> Verdict:
    if low <= estimate.ci_low and estimate.ci_high <= high:
        return Verdict.PASS
    outside = estimate.ci_high < low or estimate.ci_low > high
    return Verdict.FAIL if outside else Verdict.INCONCLUSIVE


def combined_verdict(verdicts: Iterable[Verdict]) -> Verdict:
    """One failed criterion fails, one inconclusive leaves it open, else all have passed."""
    members = set(verdicts)
    if Verdict.FAIL in members:
        return Verdict.FAIL
    return Verdict.INCONCLUSIVE if Verdict.INCONCLUSIVE in members else Verdict.PASS
