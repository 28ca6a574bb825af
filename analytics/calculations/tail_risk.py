"""Tail risk of net asset value: value at risk and shortfall five ways, and who brings them.

The series is that of the portfolio held at today's exposures, funds looked through.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytics.calculations import outputs
from analytics.calculations.books import Book, Holding, no_positions, portfolio_input_facts
from analytics.calculations.facts import Requirements
from analytics.calculations.market import Market
from analytics.calculations.measures import MIN_OBS, Request, Submission
from analytics.calculations.outputs import Json, Outcome, Unanswerable, warning
from analytics.calculations.valuation import missing_fx, window_warnings
from analytics.engine.concentration import concentration
from analytics.engine.errors import EngineError
from analytics.engine.leverage import realized_variance
from analytics.engine.panel import sample_of
from analytics.engine.returns import portfolio_returns
from analytics.engine.tail_components import (
    TailComponents,
    component_historical_value_at_risk,
    component_shortfall,
    component_value_at_risk,
)
from analytics.engine.tail_risk import (
    ParametricTailRisk,
    TailRisk,
    WeightedTailRisk,
    cornish_fisher_tail,
    filtered_tail,
    historical_tail,
    normal_tail,
    time_weights,
    weighted_tail,
)
from analytics.engine.types import DateArray, FloatArray
from analytics.models import Result, Run

WEIGHTS_DECAY = 0.995
DEFAULTS: Json = {
    "window": 504,
    "confidence_levels": [0.95, 0.99],
    "decay": 0.94,
    "on_stale": "fail",
    "max_price_age_sessions": 1,
}
#: What stands in for a method that cannot answer.
FALLBACK = "historical"


class TailRiskMeasure:
    """See `analytics/methodology/tail_risk.md`."""

    kind: str = Run.Kind.TAIL_RISK.value
    method_version = "tail-risk/1.0.0"

    def normalize(self, submission: Submission, params: Mapping[str, Any]) -> Json:
        given = {**DEFAULTS, **{name: value for name, value in params.items() if value is not None}}
        submission.check_book_and_window(self.kind, given["window"])
        return {**given, "confidence_levels": sorted(set(given["confidence_levels"]))}

    def requirements(self, params: Json) -> Requirements:  # noqa: ARG002  # the book is enough
        return Requirements()

    def compute(self, market: Market, requests: Sequence[Request]) -> list[Outcome]:
        return [_answer(market, request) for request in requests]


@dataclass(frozen=True)
class _Sample:
    """A portfolio's returns at constant exposures, and those of its positions on the same days."""

    book: Book
    held: list[Holding]
    dates: DateArray
    used: np.typing.NDArray[np.bool_]
    returns: FloatArray
    """Per unit of net asset value, on the days used."""
    legs: FloatArray
    """(position, day); weighted they add up to `returns`."""
    weights: FloatArray
    warnings: list[Json]

    @property
    def described(self) -> Json:
        return outputs.sample(sample_of(self.dates, self.used))


def _answer(market: Market, request: Request) -> Outcome:
    if request.book is None:
        return no_positions(market).outcome
    try:
        sample = _sample(market, request.book, request.params)
        return Outcome(
            status=Result.Status.OK,
            result=_result(sample, request.params),
            inputs={
                **portfolio_input_facts(request.book, market),
                "sessions": [sample.described["first"], sample.described["last"]],
            },
        )
    except Unanswerable as refusal:
        return refusal.outcome
    except EngineError as error:
        return outputs.failed(error.failure)


def _sample(market: Market, book: Book, params: Json) -> _Sample:
    book.check(max_price_age=params["max_price_age_sessions"], on_stale=params["on_stale"])
    if book.nav <= 0:
        raise Unanswerable(
            Result.Status.DEGENERATE,
            "nav-not-positive",
            "net asset value is not positive, so a loss in proportion to it is undefined",
            nav=outputs.money(book.nav, book.currency),
        )
    held = [row for row in book.holdings if row.series is not None and row.exposure]
    if not held:
        raise Unanswerable(
            Result.Status.DEGENERATE, "no-exposure", "no position has an exposure that can lose"
        )
    series = sorted({row.series for row in held if row.series is not None})
    rows = market.rows(_calendar(market, book, held), params["window"])
    for currency in sorted({row.instrument.currency for row in held}):
        absent = market.sessions_without_rate(currency, book.currency, rows)
        if absent:
            raise missing_fx(market, book, currency, absent)
    panel = market.panel(series, rows, book.currency)
    column = {pk: at for at, pk in enumerate(series)}
    columns = [column[row.series or 0] for row in held]
    weights = np.array([row.exposure / book.nav for row in held])
    exposures = np.zeros((1, len(series)))
    np.add.at(exposures[0], columns, weights)
    portfolio = portfolio_returns(panel.returns, exposures)
    used = ~np.isnan(portfolio.series[0])
    if int(used.sum()) < MIN_OBS:
        raise outputs.too_short(
            f"the portfolio has {int(used.sum())} returns where {MIN_OBS} are needed",
            required=MIN_OBS,
            available=int(used.sum()),
            dates=panel.dates,
            used=used,
        )
    coverage = portfolio.coverage[0][used]
    # A day on which some have no return scales the others up; so do the parts, to add up.
    legs = (np.nan_to_num(panel.returns[used]) / coverage[:, np.newaxis])[:, columns].T
    return _Sample(
        book=book, held=held, dates=panel.dates, used=used,
        returns=portfolio.series[0][used], legs=legs, weights=weights,
        warnings=[
            *_warnings(market, book, held, params, float(coverage.min())),
            *window_warnings(params["window"], rows),
        ],
    )  # fmt: skip


def _calendar(market: Market, book: Book, held: Sequence[Holding]) -> int:
    """The series whose sessions are used: the benchmark's, else that of the largest exposure."""
    benchmark = market.series(book.benchmark_id) if book.benchmark_id else None
    if benchmark is not None:
        return benchmark
    largest = max(held, key=lambda row: abs(row.exposure)).series
    assert largest is not None  # noqa: S101  # `_sample` kept those that have one
    return largest


def _warnings(
    market: Market, book: Book, held: Sequence[Holding], params: Json, coverage: float
) -> list[Json]:
    notes = [*book.warnings, *book.stale_warnings(params["max_price_age_sessions"])]
    if book.position_date < market.as_of:
        notes.append(
            warning("positions-older-than-as-of", f"positions are those of {book.position_date}")
        )
    if any(row.delta is not None for row in held):
        notes.append(
            warning("options-at-delta", "options count with their delta; gamma and vega do not")
        )
    if coverage < 1.0:
        notes.append(
            warning(
                "incomplete-coverage",
                f"on some sessions only {coverage:.1%} of gross exposure has a return; the rest is"
                " scaled up, and sessions under 50% are left out",
            )
        )
    return notes


def _result(sample: _Sample, params: Json) -> Json:
    notes = list(sample.warnings)
    levels = [_level(sample, level, params["decay"], notes) for level in
              params["confidence_levels"]]  # fmt: skip
    return {
        "nav": outputs.money(sample.book.nav, sample.book.currency),
        "horizon_sessions": 1,
        "window": params["window"],
        "levels": levels,
        "volatility": _part(
            lambda: outputs.estimate(realized_variance(sample.returns).annual_volatility, "annual"),
            sample,
        ),
        "drawdown": _drawdown(sample),
        "concentration": _concentration(sample),
        "warnings": notes,
    }


def _part(block: Callable[[], Json], sample: _Sample) -> Json:
    """A block of figures with its sample, or the reason why there is none."""
    try:
        return {**block(), **sample.described, "status": "ok"}
    except EngineError as error:
        return {**outputs.unavailable(error.failure), **sample.described}


def _level(sample: _Sample, level: float, decay: float, notes: list[Json]) -> Json:
    """Every method at one confidence level; what fails is answered by the historical one."""
    historical = historical_tail(sample.returns, confidence_level=level)
    deviation = float(sample.returns.std(ddof=1))
    centered = sample.returns - sample.returns.mean()
    population = float(np.sqrt(np.mean(centered**2)))

    def expansion() -> ParametricTailRisk | str:
        tail = cornish_fisher_tail(
            deviation,
            skewness=float(np.mean(centered**3)) / population**3,
            excess_kurtosis=float(np.mean(centered**4)) / population**4 - 3.0,
            confidence_level=level,
        )
        return (
            tail
            if tail.is_monotone
            else ("skewness and kurtosis lie outside of the expansion's domain")
        )

    methods: dict[str, Callable[[], TailRisk | WeightedTailRisk | ParametricTailRisk | str]] = {
        "time_weighted": lambda: weighted_tail(
            sample.returns, time_weights(sample.returns.size, WEIGHTS_DECAY), confidence_level=level
        ),
        "filtered": lambda: filtered_tail(sample.returns, confidence_level=level, decay=decay),
        "parametric": lambda: normal_tail(deviation, confidence_level=level),
        "cornish_fisher": expansion,
    }
    answers: Json = {FALLBACK: _tail(FALLBACK, historical, sample)}
    for name, method in methods.items():
        try:
            answer = method()
        except EngineError as error:
            answer = error.message
        if isinstance(answer, str):
            answers[name] = {**answers[FALLBACK], "reason": answer}
            notes.append(
                warning(
                    "tail-fallback",
                    f"{name} at {level:g} is answered by the {FALLBACK} method: {answer}",
                    method=name,
                    confidence_level=level,
                )
            )
        else:
            answers[name] = _tail(name, answer, sample)
    return {"confidence_level": level, **answers, "components": _components(sample, level)}


def _tail(
    method: str, tail: TailRisk | WeightedTailRisk | ParametricTailRisk, sample: _Sample
) -> Json:
    """VaR and ES as shares of net asset value, losses positive, and in currency."""
    answer: Json = {"method": method}
    for name, value in (
        ("value_at_risk", tail.value_at_risk),
        ("expected_shortfall", tail.expected_shortfall),
    ):
        shown = outputs.number(value) if isinstance(value, float) else outputs.estimate(value)
        share = shown["value"]
        answer[name] = {
            **shown,
            "money": outputs.money(share * sample.book.nav, sample.book.currency),
        }
    if isinstance(tail, TailRisk):
        answer["n_tail"] = tail.n_tail
    if isinstance(tail, WeightedTailRisk):
        answer["effective_n_obs"] = outputs.finite(tail.effective_n_obs)
    return {**answer, **sample.described, "status": "ok"}


def _components(sample: _Sample, level: float) -> Json:
    """What each position adds, by measure; the parts sum to `total`."""
    measures: dict[str, Callable[[], TailComponents]] = {
        "value_at_risk": lambda: component_historical_value_at_risk(
            sample.legs, sample.weights, confidence_level=level
        ),
        "expected_shortfall": lambda: component_shortfall(
            sample.legs, sample.weights, confidence_level=level
        ),
        "parametric_value_at_risk": lambda: component_value_at_risk(
            sample.weights, np.atleast_2d(np.cov(sample.legs)), confidence_level=level
        ),
    }
    return {
        name: _part(lambda split=split: _split(sample, split()), sample)  # type: ignore[misc]  # mypy does not infer a default's type
        for name, split in measures.items()
    }


def _split(sample: _Sample, parts: TailComponents) -> Json:
    return {
        "total": outputs.number(parts.total),
        "positions": [
            {
                "instrument": row.public_id,
                "symbol": row.instrument.symbol,
                "weight": outputs.weight(float(weight)),
                "value": outputs.finite(part),
                "se": outputs.finite(error) if parts.scenarios.size else None,
                "unit": "1",
                "money": outputs.money(float(part) * sample.book.nav, sample.book.currency),
            }
            for row, weight, part, error in zip(
                sample.held, sample.weights, parts.components, parts.standard_errors, strict=True
            )
        ],
    }


def _drawdown(sample: _Sample) -> Json:
    """Deepest fall from an earlier high, of the series as if rebalanced to its exposures daily."""
    wealth = np.concatenate([[1.0], np.cumprod(1.0 + np.maximum(sample.returns, -1.0))])
    falls = 1.0 - wealth / np.maximum.accumulate(wealth)
    trough = int(np.argmax(falls))
    peak = int(np.argmax(wealth[: trough + 1]))
    days = sample.dates[sample.used]
    return {
        **outputs.number(float(falls[trough])),
        "peak": str(days[peak - 1]) if peak else None,
        "trough": str(days[trough - 1]) if trough else None,
        "now": outputs.finite(falls[-1]),
        **sample.described,
        "status": "ok",
    }


def _concentration(sample: _Sample) -> Json:
    found = concentration(sample.weights)
    return {
        "herfindahl": outputs.number(found.herfindahl),
        "effective_number": outputs.number(found.effective_number, "positions"),
        "largest_share": outputs.number(found.largest_share),
        "n_positions": found.n_members,
        "of": "gross exposure by position, funds looked through",
        "status": "ok",
    }
