"""Hedge effectiveness: tests at the position as held, by horizon, with coverage and cost.

Economic effectiveness; whether a hedge qualifies for hedge accounting is for the accountant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np

from analytics.calculations import outputs
from analytics.calculations.books import Book, Holding, no_positions, portfolio_input_facts
from analytics.calculations.facts import Requirements
from analytics.calculations.hedge_history import Exposures, coverage_drift, dollar_offsets
from analytics.calculations.market import Market
from analytics.calculations.measures import Request, Submission, details_of, uid_of
from analytics.calculations.outputs import Json, Outcome, Unanswerable, warning
from analytics.calculations.valuation import gap_warnings, hypothetical, missing_fx, window_warnings
from analytics.engine.errors import EngineError
from analytics.engine.hedge import (
    HORIZONS,
    EffectivenessPolicy,
    HorizonBand,
    combined_verdict,
    hedge_cost,
    horizon_bands,
    horizon_blocks,
    minimum_variance_hedge,
    out_of_sample_effectiveness,
    regression_test,
    reset_fund_hedge,
    tail_reduction_intervals,
    variance_reduction,
)
from analytics.engine.leverage import drag_coefficient, forward_outlook, realized_variance
from analytics.engine.panel import sample_of
from analytics.engine.types import (
    TRADING_DAYS_PER_YEAR,
    Estimate,
    FloatArray,
    IntArray,
    Verdict,
)
from analytics.models import Result, Run

TESTS = ("regression", "dollar_offset", "variance_reduction")
#: Thresholds are practice, not law: named, dated, and chosen by the request.
POLICIES: dict[str, EffectivenessPolicy] = {
    policy.name: policy
    for policy in (
        EffectivenessPolicy(name="economic-80-125", effective_date="2000-06-15"),
        EffectivenessPolicy(
            name="economic-90-111", effective_date="2000-06-15", min_r_squared=0.90,
            slope_low=0.90, slope_high=1.11, offset_low=0.90, offset_high=1.11,
        ),
    )
}  # fmt: skip
DEFAULT_POLICY = "economic-80-125"
MIN_OBS = 30
DEFAULTS: Json = {
    "hedged_item": "portfolio",
    "window": 252,
    "horizon_sessions": 1,
    "tests": list(TESTS),
    "policy": DEFAULT_POLICY,
    "hac_lags": "auto",
    "on_stale": "fail",
    "max_price_age_sessions": 1,
    "inception": None,
    "coverage_band": 0.10,
    "detail": [],
}
#: Fixed, so that the same request has the same answer.
BOOTSTRAP_SEED = 1
#: Of value at risk and expected shortfall.
TAIL_CONFIDENCE_LEVEL = 0.95


class HedgeEffectiveness:
    """See `analytics/methodology/hedge_effectiveness.md`."""

    kind: str = Run.Kind.HEDGE_EFFECTIVENESS.value
    method_version = "hedge-effectiveness/1.2.0"

    def normalize(self, submission: Submission, params: Mapping[str, Any]) -> Json:
        given = {**DEFAULTS, **{name: value for name, value in params.items() if value is not None}}
        submission.check_book_and_window(self.kind, given["window"])
        if given["policy"] not in POLICIES:
            submission.refuse(
                "policy",
                "unknown-policy",
                "There is no such policy.",
                given["policy"],
                suggestion=sorted(POLICIES),
            )
        if given["inception"] is not None and given["inception"] >= submission.as_of:
            submission.refuse(
                "inception",
                "bad-window",
                "inception lies before as_of.",
                given["inception"].isoformat(),
            )
        hedging = given.get("hedging") or []
        if not hedging:
            submission.refuse("hedging", "invalid-request", "Name at least one hedging position.")
        item = given["hedged_item"]
        names = {f"hedging/{at}/instrument": row["instrument"] for at, row in enumerate(hedging)}
        if isinstance(item, Mapping) and "instruments" in item:
            names |= {
                f"hedged_item/instruments/{at}": name for at, name in enumerate(item["instruments"])
            }
        found = submission.resolve(names)
        named = [found[f"hedging/{at}/instrument"] for at in range(len(hedging))]
        for at, instrument in enumerate(named):
            if instrument in named[:at]:
                submission.refuse(
                    f"hedging/{at}/instrument",
                    "duplicate-instrument",
                    "Each hedging instrument is named once: sum its quantities.",
                    instrument.symbol,
                )
        if isinstance(item, Mapping) and "instruments" in item:
            item = {
                "instruments": [
                    found[f"hedged_item/instruments/{at}"].public_id
                    for at in range(len(item["instruments"]))
                ]
            }
        return {
            **given,
            "detail": details_of(given),
            "hedged_item": item if isinstance(item, str) else dict(item),
            "inception": given["inception"].isoformat() if given["inception"] else None,
            "hedging": [
                {
                    "instrument": found[f"hedging/{at}/instrument"].public_id,
                    "quantity": _text(row.get("quantity")),
                }
                for at, row in enumerate(hedging)
            ],
        }

    def requirements(self, params: Json) -> Requirements:
        names = [row["instrument"] for row in params["hedging"]]
        if isinstance(params["hedged_item"], dict):
            names += params["hedged_item"].get("instruments", [])
        return Requirements(
            frozenset(uid_of(name) for name in names),
            short_rates_since=date.max,
        )

    def compute(self, market: Market, requests: Sequence[Request]) -> list[Outcome]:
        return [_answer(market, request) for request in requests]


def _text(quantity: Decimal | None) -> str | None:
    return None if quantity is None else format(quantity, "f")


@dataclass(frozen=True)
class _Hedge:
    """Item and hedge as dollar exposures, and their returns on the common sample."""

    book: Book
    params: Json
    policy: EffectivenessPolicy
    items: list[Holding]
    hedges: list[Holding]
    item_value: float
    """Gross exposure of the item, in the book's currency."""
    hedge_value: float
    dates: np.typing.NDArray[np.datetime64]
    used: np.typing.NDArray[np.bool_]
    rows: IntArray
    """Of the window's sessions, the start included."""
    item_exposures: Exposures
    hedge_exposures: Exposures
    item: FloatArray
    """Daily returns per unit of gross exposure."""
    hedge: FloatArray
    warnings: list[Json]

    @property
    def notional(self) -> float:
        """Gross hedge held per unit of item; its signs are inside the hedge's returns."""
        return self.hedge_value / self.item_value

    @property
    def sample(self) -> Json:
        return outputs.sample(sample_of(self.dates, self.used))


def _answer(market: Market, request: Request) -> Outcome:
    if request.book is None:
        return no_positions(market).outcome
    try:
        hedge = _prepare(market, request.book, request.params)
        return Outcome(
            status=Result.Status.OK,
            result=_result(market, hedge),
            inputs={
                **portfolio_input_facts(request.book, market),
                "sessions": [hedge.sample["first"], hedge.sample["last"]],
            },
        )
    except Unanswerable as refusal:
        return refusal.outcome
    except EngineError as error:
        return outputs.failed(outputs.renamed(error.failure, "the hedge", "hedge"))


def _prepare(market: Market, valued: Book, params: Json) -> _Hedge:
    # Hypothetical positions leave notes on the book, which other requests share.
    book = replace(valued, warnings=list(valued.warnings), stale=list(valued.stale))
    hedges, separate = _hedging(market, book, params)
    book.check(max_price_age=params["max_price_age_sessions"], on_stale=params["on_stale"])
    items = _hedged_item(book, params["hedged_item"], exclude=separate)
    exposed = [row for row in items if row.own_series is not None]
    item_value = sum(abs(row.exposure_looked_at) for row in exposed)
    hedge_value = sum(abs(row.exposure_looked_at) for row in hedges)
    if not item_value or not hedge_value:
        side = "hedged item" if not item_value else "hedge"
        raise Unanswerable(
            Result.Status.DEGENERATE,
            "no-exposure",
            f"the {side} has no exposure, so there is nothing to test",
        )
    series = sorted({row.own_series for row in (*exposed, *hedges) if row.own_series is not None})
    lead = hedges[0].own_series
    assert lead is not None  # noqa: S101  # `_hedging` refuses a hedge without returns
    rows = market.rows(lead, params["window"])
    for currency in sorted({row.instrument.currency for row in (*exposed, *hedges)}):
        absent = market.sessions_without_rate(currency, book.currency, rows)
        if absent:
            raise missing_fx(market, book, currency, absent)
    panel = market.panel(series, rows, book.currency)

    def returns(exposures: Exposures, gross: float) -> FloatArray:
        held = np.flatnonzero([pk in exposures for pk in series])
        weights = np.array([exposures[pk] for pk in series if pk in exposures]) / gross
        # Of neighbors a view: what the item holds is most of the panel.
        beside = held.size and held[-1] - held[0] + 1 == held.size
        columns = slice(held[0], held[-1] + 1) if beside else held
        product: FloatArray = panel.returns[:, columns] @ weights
        return product

    item_exposures, hedge_exposures = _exposures(exposed), _exposures(hedges)
    item, hedge = returns(item_exposures, item_value), returns(hedge_exposures, hedge_value)
    used = ~np.isnan(item) & ~np.isnan(hedge)
    if int(used.sum()) < MIN_OBS:
        raise outputs.too_short(
            f"item and hedge have {int(used.sum())} common returns where {MIN_OBS} are needed",
            required=MIN_OBS,
            available=int(used.sum()),
            dates=panel.dates,
            used=used,
        )
    notes = [*book.warnings, *book.stale_warnings(params["max_price_age_sessions"])]
    notes += window_warnings(params["window"], rows)
    notes += gap_warnings(market, lead, rows)
    missing = int((~used).sum())
    if missing:
        notes.append(
            warning(
                "incomplete-history",
                f"{missing} of {used.size} sessions lack a return of the item or the hedge",
            )
        )
    if book.position_date < market.as_of:
        notes.append(
            warning("positions-older-than-as-of", f"positions are those of {book.position_date}")
        )
    if any(market.instrument(pk).is_synthetic for pk in series):
        notes.append(warning("synthetic-data", "prices were made by a model, not by a market"))
    return _Hedge(
        book=book, params=params, policy=POLICIES[params["policy"]], items=items, hedges=hedges,
        item_value=item_value, hedge_value=hedge_value, dates=panel.dates, used=used, rows=rows,
        item_exposures=item_exposures, hedge_exposures=hedge_exposures,
        item=item[used], hedge=hedge[used], warnings=notes,
    )  # fmt: skip


def _exposures(holdings: Sequence[Holding]) -> Exposures:
    exposures: dict[int, float] = defaultdict(float)
    for row in holdings:
        exposures[row.own_series or 0] += row.exposure_looked_at
    return {pk: exposure for pk, exposure in exposures.items() if exposure}


def _hedging(market: Market, book: Book, params: Json) -> tuple[list[Holding], set[int]]:
    """The hedging positions, and which instruments of the book they stand for.

    A position named without a quantity is the book's own; with one it is taken as said, in place
    of what the book holds of that instrument.
    """
    found = market.instruments_by_uid(uid_of(row["instrument"]) for row in params["hedging"])
    held = {row.instrument.pk: row for row in book.holdings}
    hedges: list[Holding] = []
    for row in params["hedging"]:
        instrument = found[uid_of(row["instrument"])]
        own = held.get(instrument.pk)
        if row["quantity"] is None:
            if own is None:
                raise Unanswerable(
                    Result.Status.ERROR,
                    "hedge-not-held",
                    f"{instrument.symbol} is not in the portfolio; say its quantity",
                    instruments=[{"id": instrument.public_id, "symbol": instrument.symbol}],
                )
            hedges.append(own)
        else:
            hedges.append(hypothetical(market, book, instrument, float(row["quantity"])))
    if book.refusal is not None:
        raise book.refusal
    for hedge in hedges:
        if hedge.own_series is None:
            raise Unanswerable(
                Result.Status.ERROR,
                "missing-price",
                f"{hedge.instrument.symbol} has no prices to hedge with",
                instruments=[{"id": hedge.public_id, "symbol": hedge.instrument.symbol}],
            )
    return hedges, {hedge.instrument.pk for hedge in hedges}


def _hedged_item(book: Book, item: Any, *, exclude: set[int]) -> list[Holding]:
    candidates = [row for row in book.holdings if row.instrument.pk not in exclude]
    if item == "portfolio":
        return candidates
    if "tag" in item:
        chosen = [row for row in candidates if item["tag"] in row.tags]
        missing = f"no position carries the tag {item['tag']!r}"
    else:
        wanted = set(item["instruments"])
        chosen = [row for row in candidates if row.public_id in wanted]
        missing = "none of the instruments named is held apart from the hedge"
    if not chosen:
        raise Unanswerable(Result.Status.ERROR, "empty-hedged-item", missing)
    return chosen


def _result(market: Market, hedge: _Hedge) -> Json:
    params, policy = hedge.params, hedge.policy
    lags = params["hac_lags"]
    regression = regression_test(
        hedge.item, hedge.hedge, hedge_notional=hedge.notional, policy=policy, hac_lags=lags
    )
    offset, offset_verdict = _dollar_offset(market, hedge)
    current = variance_reduction(hedge.item, hedge.hedge, hedge_notional=hedge.notional)
    best = minimum_variance_hedge(hedge.item, hedge.hedge, hac_lags=lags).at(0)
    tail = tail_reduction_intervals(
        hedge.item, hedge.hedge, hedge_notional=hedge.notional, seed=BOOTSTRAP_SEED,
        tail_confidence_level=TAIL_CONFIDENCE_LEVEL,
    )  # fmt: skip
    horizons = _horizons(market, hedge)
    chosen = next(
        (row for row in horizons if row["horizon_sessions"] == params["horizon_sessions"]), None
    )
    verdicts = {
        "regression": regression.verdict,
        "dollar_offset": offset_verdict,
        "variance_reduction": _verdict_at(chosen, current.effectiveness, policy),
    }
    verdict, reason = _verdict({name: verdicts[name] for name in params["tests"]})
    return {
        "hedged_item": {
            "value": outputs.amount(sum(row.value for row in hedge.items)),
            "exposure": outputs.amount(sum(row.exposure for row in hedge.items)),
            "unit": hedge.book.currency,
            "positions": len(hedge.items),
        },
        "hedging": [_hedging_row(hedge, row) for row in hedge.hedges],
        "hedge_notional": outputs.number(hedge.notional),
        "regression": {
            "slope": {
                **outputs.estimate(regression.slope),
                "ols_se": outputs.finite(regression.slope_ols_standard_error),
            },
            "intercept": outputs.estimate(regression.intercept),
            "r2": outputs.finite(regression.r_squared.value),
            "r2_estimate": outputs.estimate(regression.r_squared),
            "p_value": outputs.finite(regression.p_value),
            **hedge.sample,
            "pass": regression.meets_thresholds,
            "verdict": str(regression.verdict),
            "criteria": {name: str(value) for name, value in regression.criteria.items()},
        },
        "dollar_offset": offset,
        "variance_reduction": {
            **_headline(chosen, current.effectiveness),
            "horizon_sessions": params["horizon_sessions"],
            "daily": {**outputs.estimate(current.effectiveness), **hedge.sample},
            "at_minimum_variance": {**outputs.estimate(best.effectiveness), **hedge.sample},
            "out_of_sample": _out_of_sample(hedge),
        },
        "minimum_variance_hedge": {
            "hedge_notional": outputs.number(best.hedge_notional),
            "hedge_ratio": {**outputs.estimate(best.hedge_ratio), **hedge.sample},
            "quantities": [
                {
                    "instrument": row.public_id,
                    "symbol": row.instrument.symbol,
                    "quantity": format(row.quantity * best.hedge_notional / hedge.notional, ".2f"),
                }
                for row in hedge.hedges
            ],
        },
        "tail": {
            "value_at_risk_reduction": _tail_estimate(tail.value_at_risk),
            "expected_shortfall_reduction": _tail_estimate(tail.expected_shortfall),
            "semivariance_reduction": _tail_estimate(tail.semivariance),
            "confidence_level": TAIL_CONFIDENCE_LEVEL,
            "n_tail": tail.n_tail,
            "bootstrap": {
                "method": "stationary-block-bootstrap",
                "block_length": outputs.finite(tail.mean_block),
                "n_samples": tail.n_samples,
                "seed": tail.seed,
            },
            **hedge.sample,
        },
        "horizons": horizons,
        "coverage_now": _coverage(hedge),
        "coverage_drift": _drift(market, hedge),
        "cost": _cost(
            market, hedge, current.item_standard_deviation, current.hedged_standard_deviation
        ),
        "verdict": str(verdict),
        "verdict_reason": reason,
        "policy": {
            "id": policy.name,
            "effective_date": policy.effective_date,
            "min_r2": policy.min_r_squared,
            "slope_range": [policy.slope_low, policy.slope_high],
            "offset_range": [policy.offset_low, policy.offset_high],
            "note": "economic effectiveness, not an accounting opinion",
        },
        "warnings": hedge.warnings,
    }


def _tail_estimate(reduction: Estimate | None) -> Json:
    if reduction is None:
        return {
            "value": None,
            "unit": "1",
            "status": "degenerate",
            "reason": "the item lost nothing that a hedge could reduce",
        }
    return outputs.estimate(reduction)


def _hedging_row(hedge: _Hedge, row: Holding) -> Json:
    answer: Json = {
        "instrument": row.public_id,
        "symbol": row.instrument.symbol,
        "quantity": format(Decimal(repr(row.quantity)), "f"),
        "value": outputs.amount(row.value),
        "exposure": outputs.amount(row.exposure),
        "unit": hedge.book.currency,
    }
    if row.multiple is not None:
        answer["multiple"] = row.multiple
    if row.delta is not None:
        answer["delta"] = outputs.finite(row.delta)
        answer["dividend_yield"] = row.dividend_yield
    return answer


def _headline(chosen: Json | None, daily: Estimate) -> Json:
    """Variance reduction over the horizon asked for: measured, or unavailable with the reason."""
    if chosen is None or chosen["horizon_sessions"] == 1:
        return outputs.estimate(daily)
    return dict(chosen["empirical"])


def _dollar_offset(market: Market, hedge: _Hedge) -> tuple[Json, Verdict]:
    """Of the quantities held, since `inception` where the request names it, else in the window."""
    rows, lead = hedge.rows, hedge.hedges[0].own_series
    if hedge.params["inception"] is not None and lead is not None:
        since = date.fromisoformat(hedge.params["inception"])
        rows = market.rows_between(lead, since, market.as_of)
    return dollar_offsets(
        market, rows, hedge.item_exposures, hedge.hedge_exposures,
        currency=hedge.book.currency, policy=hedge.policy,
    )  # fmt: skip


def _reduction_verdict(reduction: Estimate, policy: EffectivenessPolicy) -> Verdict:
    if reduction.ci_low >= policy.min_r_squared:
        return Verdict.PASS
    return Verdict.FAIL if reduction.ci_high < policy.min_r_squared else Verdict.INCONCLUSIVE


def _verdict_at(chosen: Json | None, daily: Estimate, policy: EffectivenessPolicy) -> Verdict:
    """Verdict on the variance removed over the horizon asked for, as `_headline` shows it."""
    if chosen is None or chosen["horizon_sessions"] == 1:
        return _reduction_verdict(daily, policy)
    return Verdict(chosen["verdict"] or Verdict.INCONCLUSIVE)


def _verdict(verdicts: Mapping[str, Verdict]) -> tuple[Verdict, str]:
    seen = set(verdicts.values())
    if {Verdict.PASS, Verdict.FAIL} <= seen:
        failing = sorted(name for name, verdict in verdicts.items() if verdict is Verdict.FAIL)
        return Verdict.INCONCLUSIVE, f"tests disagree: {', '.join(failing)} failed"
    combined = combined_verdict(seen)
    reasons = {
        Verdict.PASS: "all tests passed",
        Verdict.FAIL: "no test passed",
        Verdict.INCONCLUSIVE: "an interval straddles a threshold, or bases disagree",
    }
    return combined, reasons[combined]


def _out_of_sample(hedge: _Hedge) -> Json:
    try:
        later = out_of_sample_effectiveness(hedge.item, hedge.hedge)
    except EngineError as error:
        return outputs.unavailable(error.failure)
    return {**outputs.estimate(later.effectiveness), "n_obs": later.n_obs}


def _fund(hedge: _Hedge) -> Holding | None:
    """The one leveraged fund the hedge consists of, if it does."""
    (first, *others) = hedge.hedges
    return first if not others and first.multiple is not None and first.delta is None else None


def _index_volatility(market: Market, hedge: _Hedge, fund: Holding) -> float | None:
    """Realized volatility of the fund's index over the window."""
    if fund.series is None:
        return None
    rows = market.rows(fund.series, hedge.params["window"])
    returns = market.panel([fund.series], rows).returns[:, 0]
    try:
        return realized_variance(returns[~np.isnan(returns)]).annual_volatility.value
    except EngineError:
        return None


def _horizons(market: Market, hedge: _Hedge) -> list[Json]:
    """Holding periods: closed form against the fund's own index beside what blocks show."""
    lengths = sorted({*HORIZONS, hedge.params["horizon_sessions"]})
    blocks = horizon_blocks(
        hedge.item, hedge.hedge, hedge_notional=hedge.notional, horizons=lengths
    )
    bands: dict[int, HorizonBand] = {}
    if "bootstrap" in hedge.params["detail"]:
        found = horizon_bands(
            hedge.item, hedge.hedge, hedge_notional=hedge.notional, seed=BOOTSTRAP_SEED,
            horizons=lengths,
        )  # fmt: skip
        bands = {band.n_days: band for band in found}
    fund = _fund(hedge)
    volatility = _index_volatility(market, hedge, fund) if fund else None
    rows: list[Json] = []
    for block in blocks:
        row: Json = {"horizon_sessions": block.n_days}
        if block.n_days in bands:
            row["band"] = {**_band(bands[block.n_days]), **hedge.sample}
        closed_value = None
        if fund is not None and fund.multiple is not None and volatility is not None:
            closed = reset_fund_hedge(fund.multiple, volatility, block.n_days)
            closed_value = closed.effectiveness
            row["closed_form"] = {
                "at_minimum_variance": {
                    **outputs.number(closed.effectiveness),
                    "hedge_notional": outputs.finite(closed.hedge_notional),
                },
                "at_full_offset": {
                    **outputs.number(closed.static_effectiveness),
                    "hedge_notional": outputs.finite(closed.static_hedge_notional),
                },
                "index_beta": outputs.finite(closed.beta),
                "annual_volatility": outputs.finite(volatility),
            }
        else:
            row["closed_form"] = None
        counted = {
            "n_blocks": block.n_blocks,
            "n_obs": block.n_obs,
            "hedge_notional": outputs.finite(hedge.notional),
        }
        if block.designated is not None and block.best is not None:
            row["empirical"] = {
                **outputs.estimate(block.designated),
                **counted,
                "status": "ok",
                "at_minimum_variance": outputs.estimate(block.best),
            }
        elif block.failure is not None:
            row["empirical"] = {
                **outputs.unavailable(block.failure),
                "unit": "1",
                "ci95": None,
                **counted,
            }
        row["verdict"] = _horizon_verdict(block.designated, closed_value, hedge.policy)
        rows.append(row)
    return rows


_NO_BAND: Json = {
    "value": None,
    "status": "degenerate",
    "reason": "item or hedge does not move over the horizon",
}


def _band(band: HorizonBand) -> Json:
    """Spread of the effectiveness over block-bootstrap samples of the length of the data."""
    drawn = {
        "method": "stationary-block-bootstrap",
        "block_length": outputs.finite(band.mean_block),
        "n_blocks": band.n_blocks,
        "seed": band.seed,
    }
    designated = band.designated
    if band.failure is not None or designated is None:
        failed = outputs.unavailable(band.failure) if band.failure else _NO_BAND
        return {**drawn, **failed}
    return {
        **drawn,
        "low": outputs.finite(designated.low),
        "median": outputs.finite(designated.median),
        "high": outputs.finite(designated.high),
        "unit": "1",
        "confidence_level": designated.confidence_level,
        "n_samples": designated.n_samples,
        "status": "ok",
    }


def _horizon_verdict(
    measured: Estimate | None, closed: float | None, policy: EffectivenessPolicy
) -> str | None:
    """By the measured interval where there is one.

    The closed form is the most the fund can do for its own index, at the best holding: where too
    few blocks were seen it can rule a hedge out, never in.
    """
    if measured is not None:
        return str(_reduction_verdict(measured, policy))
    if closed is None:
        return None
    return str(Verdict.INCONCLUSIVE if closed >= policy.min_r_squared else Verdict.FAIL)


def _coverage(hedge: _Hedge) -> Json:
    """Exposure of the hedge against that of the item, both looked through; 1 is a full offset."""
    item = sum(row.exposure for row in hedge.items)
    if not item:
        return {
            "value": None,
            "unit": "1",
            "status": "degenerate",
            "reason": "the item's net exposure is zero",
        }
    return outputs.number(-sum(row.exposure for row in hedge.hedges) / item)


def _drift(market: Market, hedge: _Hedge) -> list[Json] | None:
    """Coverage of each leveraged hedge relative to its start, left alone since `inception`."""
    if hedge.params["inception"] is None:
        return None
    since, band = date.fromisoformat(hedge.params["inception"]), hedge.params["coverage_band"]
    return [
        coverage_drift(market, row, since, band)
        for row in hedge.hedges
        if row.multiple is not None and row.delta is None
    ]


def _cost(market: Market, hedge: _Hedge, unhedged_daily: float, hedged_daily: float) -> Json | None:
    """Loss of a year on a fund as hedge, per unit of the item; a gain is negative.

    By the mean and by the median of the fund's return while its index has no drift. `carry` and
    `variance_cost` are per unit of the fund, the latter if the index ends where it began.
    """
    fund = _fund(hedge)
    terms = market.terms_on(fund.instrument.pk, market.as_of) if fund else None
    if fund is None or terms is None or fund.quantity < 0:
        return None
    volatility = _index_volatility(market, hedge, fund)
    if volatility is None:
        return None
    rates = market.short_rate_on(np.array([market.as_of], dtype="datetime64[D]"))
    short = float(rates[0]) if rates is not None else 0.0
    carry = terms.carry(short)
    ahead = forward_outlook(terms.multiple, volatility, 1.0, annual_carry=carry)
    compounding = drag_coefficient(terms.multiple) * volatility**2
    year = float(np.sqrt(TRADING_DAYS_PER_YEAR))

    def priced(annual: float) -> Json:
        block: Json = {"annual_cost": outputs.number(annual, "1/year")}
        try:
            cost = hedge_cost(annual, unhedged_daily * year, hedged_daily * year)
        except EngineError as error:
            return {**block, "per_variance": outputs.unavailable(error.failure)}
        return {
            **block,
            "per_variance": outputs.number(cost.per_variance),
            "per_volatility": outputs.number(cost.per_volatility),
        }

    return {
        "mean": priced(-hedge.notional * ahead.mean_return),
        "median": priced(-hedge.notional * ahead.median_return),
        "carry": outputs.number(carry, "1/year"),
        "variance_cost": outputs.number(compounding, "log/year"),
        "assumptions": {
            "short_rate": outputs.finite(short),
            "short_rate_on_file": rates is not None,
            "expense_ratio": terms.expense_ratio,
            "swap_spread": terms.swap_spread,
            "annual_volatility": outputs.finite(volatility),
            "daily_drift": 0.0,
        },
    }
