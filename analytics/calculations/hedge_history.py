"""A hedge left alone: dollar offset of the quantities held, and drift of coverage."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np

from analytics.calculations import outputs
from analytics.calculations.books import Holding
from analytics.calculations.market import Market
from analytics.calculations.outputs import Json
from analytics.engine.errors import EngineError
from analytics.engine.hedge import DollarOffset, EffectivenessPolicy, coverage_path, dollar_offset
from analytics.engine.types import FloatArray, IntArray, Verdict
from portfolios.models import Instrument

Exposures = Mapping[int, float]
"""Exposure on the date in the book's currency, by the instrument whose returns it has."""

#: Changes in value of today's quantities: what the accounting texts compare.
FIXED_QUANTITIES = "fixed-quantities"
#: Returns times today's exposures, as if quantities had been set anew every session.
CONSTANT_EXPOSURE = "constant-exposure"


def dollar_offsets(
    market: Market,
    rows: IntArray,
    item: Exposures,
    hedge: Exposures,
    *,
    currency: str,
    policy: EffectivenessPolicy,
) -> tuple[Json, Verdict]:
    """Dollar offset on both bases, and the verdict: of both if they agree, else inconclusive."""
    series = sorted({*item, *hedge})
    levels = market.levels(series, rows, currency)
    known = ~np.isnan(levels).any(axis=1)
    answer: Json = {
        "basis": FIXED_QUANTITIES,
        "range": [format(policy.offset_low, ".2f"), format(policy.offset_high, ".2f")],
    }
    if known.sum() < 2:
        return {
            **answer, "cumulative": None, "pass": None, "status": "insufficient_data",
            "reason": "no two sessions have prices of item and hedge",
            "verdict": str(Verdict.INCONCLUSIVE),
        }, Verdict.INCONCLUSIVE  # fmt: skip
    sessions = market.block.sessions[rows[known]]
    if known.all():
        returns = market.panel(series, rows, currency).returns
    else:
        levels = levels[known]
        returns = levels[1:] / levels[:-1] - 1.0
    exposures = np.array([[side.get(pk, 0.0) for pk in series] for side in (item, hedge)])
    fixed = _offset(np.diff(levels @ (exposures / levels[-1]).T, axis=0), policy)
    constant = _offset(returns @ exposures.T, policy)
    agree = fixed.cumulative_passes == constant.cumulative_passes
    verdict = Verdict.INCONCLUSIVE
    if agree and fixed.cumulative_passes is not None:
        verdict = Verdict.PASS if fixed.cumulative_passes else Verdict.FAIL
    answer |= {
        **_ratios(fixed),
        CONSTANT_EXPOSURE.replace("-", "_"): {"basis": CONSTANT_EXPOSURE, **_ratios(constant)},
        "bases_agree": agree,
        "verdict": str(verdict),
        "n_obs": int(known.sum()) - 1,
        "first": str(sessions[1]),
        "last": str(sessions[-1]),
    }
    return answer, verdict


def _offset(changes: FloatArray, policy: EffectivenessPolicy) -> DollarOffset:
    item, hedge = changes.T
    return dollar_offset(item, hedge, low=policy.offset_low, high=policy.offset_high)


def _ratios(offset: DollarOffset) -> Json:
    return {
        "cumulative": None if offset.cumulative is None else outputs.finite(offset.cumulative),
        "pass": offset.cumulative_passes,
        "periods_passed": offset.n_passed,
        "periods_failed": offset.n_failed,
        "periods_undefined": offset.n_undefined,
    }


def coverage_drift(market: Market, hedge: Holding, since: date, band: float) -> Json:
    """Coverage of a leveraged fund relative to its start, left alone since a day.

    Each session counts with the multiple and the index that were in force on it.
    """
    fund = hedge.instrument
    named: Json = {"instrument": fund.public_id, "symbol": fund.symbol}
    rows = market.rows_between(hedge.own_series or fund.pk, since, market.as_of)
    if rows.size < 2:
        return {
            **named, "value": None, "status": "insufficient_data",
            "reason": f"{fund.symbol} has fewer than two sessions since {since}",
        }  # fmt: skip
    days: list[date] = market.block.sessions[rows[1:]].tolist()
    terms = market.terms_of_days(fund.pk, days)
    lacking = [day for day, term in zip(days, terms, strict=True) if term is None]
    if lacking:
        return {
            **named, "value": None, "status": "error", "code": "leverage-terms-gap",
            "reason": f"no multiple and index of {fund.symbol} are on file from {lacking[0]} to"
            f" {lacking[-1]}",
        }  # fmt: skip
    in_force = [term for term in terms if term is not None]
    indexes = {term.index_id: market.instrument(term.index_id) for term in in_force}
    series = {pk: market.series(pk) for pk in indexes}
    unpriced = [indexes[pk].symbol for pk in indexes if series[pk] is None]
    if unpriced:
        return {
            **named, "value": None, "status": "error", "code": "missing-price",
            "reason": f"the index {unpriced[0]}, which {fund.symbol} followed, has no prices and no"
            " proxy that has",
        }  # fmt: skip
    columns = sorted({pk for pk in series.values() if pk is not None})
    panel = market.panel(columns, rows)
    followed = [columns.index(series[term.index_id] or 0) for term in in_force]
    returns = panel.returns[np.arange(len(days)), followed]
    if np.isnan(returns).any():
        absent = panel.dates[np.isnan(returns)]
        return {
            **named, "value": None, "status": "error", "code": "missing-price",
            "reason": f"the index that {fund.symbol} followed has no return on {absent.size}"
            f" session(s) from {absent[0]}",
        }  # fmt: skip
    multiples = np.array([term.multiple for term in in_force])
    try:
        path = coverage_path(multiples, returns, band=band)
    except EngineError as error:
        return {**named, **outputs.unavailable(error.failure)}
    breach = path.first_breach
    return {
        **named,
        **outputs.number(float(path.exact[-1])),
        "approximate": outputs.finite(path.approximate[-1]),
        "band": path.band,
        "first_breach": str(panel.dates[breach]) if breach is not None else None,
        "terms": _followed(market, [term.index_id for term in in_force], multiples, days, indexes),
        "n_obs": len(days),
        "first": str(days[0]),
        "last": str(days[-1]),
    }


def _followed(
    market: Market,
    index_ids: list[int],
    multiples: FloatArray,
    days: list[date],
    indexes: Mapping[int, Instrument],
) -> list[Json]:
    """Which index at which multiple from when on, and whose prices told its returns."""
    rows: list[Json] = []
    for at, (index_id, multiple) in enumerate(zip(index_ids, multiples.tolist(), strict=True)):
        if at and (index_id, multiple) == (index_ids[at - 1], multiples[at - 1]):
            continue
        index, used = indexes[index_id], market.series(index_id)
        row: Json = {
            "from": days[at].isoformat(),
            "multiple": multiple,
            "index": index.public_id,
            "index_symbol": index.symbol,
        }
        if used is not None and used != index_id:
            row["proxy"] = market.instrument(used).symbol
        rows.append(row)
    return rows
