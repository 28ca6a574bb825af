"""Drag of leveraged funds: where the return came from, and what lies ahead.

One fund over a window, or every leveraged fund a portfolio holds over the last month and quarter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from analytics.calculations import outputs
from analytics.calculations.books import no_positions, portfolio_input_facts, proxy_warning
from analytics.calculations.facts import Requirements, Terms
from analytics.calculations.market import Market
from analytics.calculations.measures import Request, Submission, details_of, uid_of
from analytics.calculations.outputs import Json, Outcome, Unanswerable, warning
from analytics.calculations.valuation import window_warnings
from analytics.engine.errors import EngineError
from analytics.engine.leverage import (
    Decomposition,
    break_even_index_return,
    forward_distribution,
    forward_outlook,
    log_drag,
    realized_variance,
    return_decomposition,
    trend_minus_chop,
    variance_ratio,
)
from analytics.engine.types import TRADING_DAYS_PER_YEAR, FloatArray
from analytics.models import Result, Run
from portfolios.models import Instrument, LeverageTerms
from portfolios.selectors.calendars import require_session, sessions_between

MAX_SESSIONS = 2520
WINDOWS = {"month": 21, "quarter": 63}
HORIZONS = (5, 15, 21, 63)
MIN_OBS = 2
MAX_PRICE_AGE_SESSIONS = 1
#: Fewer sessions than this say too little about volatility to look ahead with.
VOLATILITY_SESSIONS = 63
#: Of the index's past, resampled: five years.
BOOTSTRAP_SESSIONS = 1260
BOOTSTRAP_PATHS = 20_000
#: Fixed, so that the same request has the same answer.
BOOTSTRAP_SEED = 1
DEFAULTS: Json = {"horizon_sessions": list(HORIZONS), "volatility": None, "detail": []}


class LeveragedDrag:
    """See `analytics/methodology/leveraged_drag.md`."""

    kind: str = Run.Kind.LEVERAGED_DRAG.value
    method_version = "leveraged-drag/1.2.0"

    def normalize(self, submission: Submission, params: Mapping[str, Any]) -> Json:
        given = {**DEFAULTS, **{name: value for name, value in params.items() if value is not None}}
        stop = require_session(
            "XNYS", given.get("to") or submission.as_of, pointer=f"{submission.pointer}/to"
        )
        if stop > submission.as_of:
            submission.refuse("to", "bad-window", "to lies after as_of.", stop.isoformat())
        start = given.get("from")
        if start is not None:
            require_session("XNYS", start, pointer=f"{submission.pointer}/from")
            if start >= stop:
                submission.refuse("from", "bad-window", "from lies before to.", start.isoformat())
        fund = None
        if given.get("instrument"):
            fund = submission.resolve({"instrument": given["instrument"]})["instrument"]
            if not LeverageTerms.objects.filter(instrument=fund).exists():
                submission.refuse(
                    "instrument",
                    "not-a-leveraged-fund",
                    f"{fund.symbol} has no leverage terms on file.",
                    given["instrument"],
                )
        elif submission.portfolio is None:
            submission.refuse(
                "", "invalid-request", "Name an instrument, or a portfolio for all its funds."
            )
        quantity = given.get("quantity")
        return {
            "instrument": fund.public_id if fund else None,
            "from": start.isoformat() if start else None,
            "to": stop.isoformat(),
            "quantity": format(quantity, "f") if quantity is not None else None,
            "horizon_sessions": given["horizon_sessions"],
            "volatility": given["volatility"],
            "detail": details_of(given),
        }

    def requirements(self, params: Json) -> Requirements:
        named = [params["instrument"]] if params["instrument"] else []
        first = params["from"] or params["to"]
        # Without a first day the windows are of so many sessions: a year covers the longest.
        since = date.fromisoformat(first) - timedelta(days=0 if params["from"] else 366)
        return Requirements(frozenset(uid_of(name) for name in named), short_rates_since=since)

    def compute(self, market: Market, requests: Sequence[Request]) -> list[Outcome]:
        return [_answer(market, request) for request in requests]


def _answer(market: Market, request: Request) -> Outcome:
    params = request.params
    facts: Json = {"data_version": market.block.version}
    if request.book is not None:
        facts = portfolio_input_facts(request.book, market)
    try:
        if params["instrument"]:
            fund = market.instruments_by_uid([uid_of(params["instrument"])])[
                uid_of(params["instrument"])
            ]
            result = _fund_result(market, fund, params, params["quantity"])
            return Outcome(status=Result.Status.OK, result=result, inputs=facts)
        return Outcome(status=Result.Status.OK, result=_portfolio(market, request), inputs=facts)
    except Unanswerable as refusal:
        return refusal.outcome
    except EngineError as error:
        return outputs.failed(error.failure)


def _portfolio(market: Market, request: Request) -> Json:
    """Every leveraged fund of the book; one that cannot be answered does not silence the rest."""
    if request.book is None:
        raise no_positions(market)
    held = [
        row for row in request.book.holdings if row.instrument.pk in market.terms and row.quantity
    ]
    if not held:
        raise Unanswerable(
            Result.Status.ERROR, "no-leveraged-fund", "the portfolio holds no leveraged fund"
        )
    funds: list[Json] = []
    for row in held:
        # The dollars are of a quantity of the window's end.
        stop = date.fromisoformat(request.params["to"])
        held_then = row.quantity / market.split_factor(row.instrument.pk, stop)
        quantity = format(Decimal(repr(held_then)), "f")
        windows: Json = {}
        for name, sessions in _windows(request.params).items():
            windows[name] = _or_problem(market, row.instrument, request.params, quantity, sessions)
        terms = market.terms_on(row.instrument.pk, market.as_of)
        funds.append(
            {
                "instrument": row.public_id,
                "symbol": row.instrument.symbol,
                "multiple": terms.multiple if terms else None,
                "quantity": quantity,
                "windows": windows,
            }
        )
    windows_of_all = [window for fund in funds for window in fund["windows"].values()]
    if all(window["status"] != Result.Status.OK for window in windows_of_all):
        refused = windows_of_all[0]
        about = {name: value for name, value in refused["problem"].items() if name != "type"}
        raise Unanswerable(refused["status"], **about)
    return {"funds": funds, "warnings": []}


def _windows(params: Json) -> Mapping[str, int | None]:
    return WINDOWS if params["from"] is None else {"requested": None}


def _or_problem(
    market: Market, fund: Instrument, params: Json, quantity: str, sessions: int | None
) -> Json:
    try:
        return {"status": "ok", **_fund_result(market, fund, params, quantity, sessions)}
    except Unanswerable as refusal:
        outcome = refusal.outcome
    except EngineError as error:
        outcome = outputs.failed(error.failure)
    return {"status": str(outcome.status), "result": None, "problem": outcome.problem}


def _fund_result(
    market: Market,
    fund: Instrument,
    params: Json,
    quantity: str | None,
    sessions: int | None = None,
) -> Json:
    stop = date.fromisoformat(params["to"])
    series = market.series(fund.pk)
    if series != fund.pk:
        raise Unanswerable(
            Result.Status.ERROR,
            "missing-price",
            f"{fund.symbol} has no prices",
            instruments=[{"id": fund.public_id, "symbol": fund.symbol}],
        )
    if params["from"] is not None:
        start = date.fromisoformat(params["from"])
        rows = market.rows_between(fund.pk, start, stop)
        wanted = _returns_between(market, rows, start, stop)
    else:
        wanted = sessions or WINDOWS["quarter"]
        rows = market.rows(fund.pk, MAX_SESSIONS)
        rows = rows[market.block.sessions[rows] <= np.datetime64(stop)][-(wanted + 1) :]
    _refuse_stale(market, fund, rows, stop)
    if rows.size < MIN_OBS + 1:
        raise Unanswerable(
            Result.Status.INSUFFICIENT_DATA,
            "insufficient-history",
            f"{fund.symbol} has {max(rows.size - 1, 0)} returns in the window"
            f" where {MIN_OBS} are needed",
            required_obs=MIN_OBS,
            available_obs=max(int(rows.size) - 1, 0),
            first_session=str(market.block.sessions[rows[0]]) if rows.size else None,
            missing_sessions=[],
        )
    path = _Path(market, fund, rows)
    parts = return_decomposition(
        path.index, path.fund, path.multiples,
        risk_free_annual=path.short_rates, expense_annual=path.expenses,
        swap_spread_annual=path.spreads,
    )  # fmt: skip
    decomposition = parts.at(0)
    realized = realized_variance(path.index)
    terms = path.terms[-1]
    notes = [*window_warnings(wanted, rows), *path.warnings()]
    years = path.index.size / TRADING_DAYS_PER_YEAR
    result: Json = {
        "instrument": fund.public_id,
        "symbol": fund.symbol,
        "multiple": terms.multiple,
        "index": market.instrument(terms.index_id).public_id,
        "index_symbol": market.instrument(terms.index_id).symbol,
        "from": str(path.dates_with_start[0]),
        "to": str(path.dates_with_start[-1]),
        "n_sessions": int(path.index.size),
        "index_return": outputs.finite(decomposition.index_return),
        "fund_return": outputs.finite(decomposition.fund_return),
        "decomposition": _parts(decomposition, float(parts.sum_of_parts[0])),
        "sample": path.sample,
        "realized_variance": {**outputs.estimate(realized.variance), **path.sample},
        "realized_volatility": {
            **outputs.estimate(realized.annual_volatility, "annual"),
            **path.sample,
        },
        "log_drag": _log_drag(path),
        "trend_minus_chop": _trend(path),
        "variance_ratio": _variance_ratio(path),
        "break_even_index_return": outputs.finite(
            break_even_index_return(terms.multiple, realized.annual_volatility.value, years)
        ),
        "forward": _forward(market, path, params),
        "expense_ratio": format(Decimal(repr(terms.expense_ratio)), "f"),
        "leverage_terms": {
            "valid_from": terms.valid_from.isoformat(),
            "changes": [row.valid_from.isoformat() for row in path.changes],
        },
        "warnings": notes,
    }
    if quantity is not None:
        result["dollars"] = _dollars(market, path, decomposition, float(quantity), notes)
    return result


def _returns_between(
    market: Market, rows: np.typing.NDArray[np.int64], start: date, stop: date
) -> int:
    """Returns of a fund that is priced from the first session on; those there are, if it is."""
    sessions = sessions_between("XNYS", start, stop)
    begins_late = rows.size and sessions and market.block.sessions[rows[0]].item() > sessions[0]
    return len(sessions) - 1 if begins_late else int(rows.size) - 1


def _no_index(market: Market, index_id: int) -> Unanswerable:
    index = market.instrument(index_id)
    return Unanswerable(
        Result.Status.ERROR, "missing-price",
        f"the index {index.symbol} has no prices and no proxy that has",
        instruments=[{"id": index.public_id, "symbol": index.symbol}],
    )  # fmt: skip


def _refuse_stale(
    market: Market, fund: Instrument, rows: np.typing.NDArray[np.int64], stop: date
) -> None:
    """A window that ends before the day asked for would pass an old return off as a new one."""
    if not rows.size:
        return
    last = market.block.sessions[rows[-1]].item()
    age = len(sessions_between("XNYS", last + timedelta(days=1), stop))
    if age > MAX_PRICE_AGE_SESSIONS:
        raise Unanswerable(
            Result.Status.STALE, "stale-price",
            f"{fund.symbol} was last priced on {last}, {age} sessions before {stop}; load the"
            " missing sessions, or ask for a window that ends earlier.",
            instruments=[
                {
                    "id": fund.public_id, "symbol": fund.symbol, "last_session": last.isoformat(),
                    "age_sessions": age, "limit": MAX_PRICE_AGE_SESSIONS,
                }
            ],
        )  # fmt: skip


class _Path:
    """Daily returns of a fund and of the index in force on each day, with the terms of the day."""

    def __init__(self, market: Market, fund: Instrument, rows: np.typing.NDArray[np.int64]) -> None:
        self.market, self.instrument, self.rows = market, fund, rows
        self.dates_with_start = market.block.sessions[rows]
        self.dates = self.dates_with_start[1:]
        self.terms = self._terms()
        ids = sorted({term.index_id for term in self.terms})
        used: dict[int, int] = {}
        for index_id in ids:
            series = market.series(index_id)
            if series is None:
                raise _no_index(market, index_id)
            used[index_id] = series
        self.series_of_index = used
        columns = sorted(set(used.values()) | {fund.pk})
        panel = market.panel(columns, rows)
        self.fund: FloatArray = panel.column(str(fund.pk))
        by_series = {pk: panel.column(str(pk)) for pk in columns}
        self.index: FloatArray = np.array(
            [by_series[used[term.index_id]][day] for day, term in enumerate(self.terms)]
        )
        self._refuse_gaps()
        self.multiples = np.array([term.multiple for term in self.terms])
        self.expenses = np.array([term.expense_ratio for term in self.terms])
        self.spreads = np.array([term.swap_spread for term in self.terms])
        rates = market.short_rate_on(self.dates_with_start[:-1])
        self.rates_known = rates is not None
        self.short_rates: FloatArray = np.zeros(self.dates.size) if rates is None else rates

    def _terms(self) -> list[Terms]:
        days: list[date] = self.dates.tolist()
        in_force = self.market.terms_of_days(self.instrument.pk, days)
        missing = [day for day, term in zip(days, in_force, strict=True) if term is None]
        if missing:
            raise Unanswerable(
                Result.Status.ERROR,
                "leverage-terms-gap",
                f"no multiple and index of {self.instrument.symbol} are on file for"
                f" {len(missing)} of {len(days)} sessions",
                instruments=[{"id": self.instrument.public_id, "symbol": self.instrument.symbol}],
                dates=[day.isoformat() for day in missing[:50]],
            )
        return [term for term in in_force if term is not None]

    def _refuse_gaps(self) -> None:
        gaps = self.dates[np.isnan(self.index) | np.isnan(self.fund)].tolist()
        missing = sorted({*gaps, *self.market.missing_sessions(self.rows)})
        if missing:
            required = self.dates.size + len(missing) - len(gaps)
            raise Unanswerable(
                Result.Status.INSUFFICIENT_DATA,
                "insufficient-history",
                f"{len(missing)} of {required} sessions lack a return of the fund or its"
                " index; a compounded return has no gaps",
                required_obs=required,
                available_obs=required - len(missing),
                first_session=str(self.dates_with_start[0]),
                missing_sessions=[day.isoformat() for day in missing[:50]],
            )

    @property
    def sample(self) -> Json:
        return {
            "n_obs": int(self.index.size),
            "first": str(self.dates[0]),
            "last": str(self.dates[-1]),
        }

    @property
    def changes(self) -> list[Terms]:
        """Terms that came into force inside the window."""
        first = self.terms[0]
        return [
            term
            for before, term in zip(self.terms, self.terms[1:], strict=False)
            if term is not before and term.valid_from > first.valid_from
        ]

    def warnings(self) -> list[Json]:
        market = self.market
        notes = [
            proxy_warning(market, index_id, series)
            for index_id, series in self.series_of_index.items()
            if series != index_id
        ]
        notes += [
            warning(
                "price-index",
                f"{market.instrument(index_id).symbol} is taken without dividends; they are in the"
                " residual",
                instrument=market.instrument(index_id).public_id,
            )
            for index_id, series in self.series_of_index.items()
            if market.instrument(series).kind == Instrument.Kind.INDEX
        ]
        notes += [
            warning(
                "leverage-terms-changed",
                f"from {term.valid_from} on the fund follows"
                f" {market.instrument(term.index_id).symbol} at {term.multiple:+g}x",
                date=term.valid_from.isoformat(),
            )
            for term in self.changes
        ]
        if not self.rates_known:
            notes.append(
                warning(
                    "no-short-rate",
                    "no short rate is on file for the window; financing is taken at 0 and its"
                    " effect is in the residual",
                )
            )
        if self.instrument.is_synthetic:
            notes.append(warning("synthetic-data", "prices were made by a model, not by a market"))
        return notes


def _parts(parts: Decomposition, total: float) -> Json:
    cost = parts.variance_cost
    return {
        "simple": outputs.finite(parts.simple),
        "convexity": outputs.finite(parts.convexity),
        "variance_cost": outputs.finite(cost.value),
        "financing": outputs.finite(parts.financing),
        "expense": outputs.finite(parts.expense),
        "residual": outputs.finite(parts.residual),
        "sum": outputs.finite(total),
        "abs_error": outputs.finite(abs(total - parts.fund_return)),
        "compounding": outputs.finite(parts.compounding),
        "variance_cost_band": {
            "se": outputs.finite(cost.standard_error),
            "ci95": [outputs.finite(cost.ci_low), outputs.finite(cost.ci_high)],
        },
        "unit": "1",
    }


def _one_multiple(path: _Path) -> float | None:
    """The multiple, where it is the same throughout; some figures mean nothing otherwise."""
    return float(path.multiples[0]) if np.ptp(path.multiples) == 0 else None


def _log_drag(path: _Path) -> Json | None:
    multiple = _one_multiple(path)
    if multiple is None:
        return None
    drag = log_drag(multiple, path.index)
    return {
        "exact": outputs.finite(drag.exact),
        "second_order": outputs.finite(drag.second_order),
        "third_order": outputs.finite(drag.third_order),
        "unit": "log",
    }


def _trend(path: _Path) -> Json | None:
    multiple = _one_multiple(path)
    return None if multiple is None else outputs.number(trend_minus_chop(multiple, path.index))


def _variance_ratio(path: _Path) -> Json:
    try:
        ratio = variance_ratio(path.index)
    except EngineError as error:
        return outputs.unavailable(error.failure)
    return {
        **outputs.number(ratio.ratio),
        "z": outputs.finite(ratio.z_statistic),
        "p_value": outputs.finite(ratio.p_value),
        "holding_sessions": ratio.holding_days,
        "n_obs": ratio.n_obs,
    }


def _forward(market: Market, path: _Path, params: Json) -> Json:
    """Closed-form outlook from the date on: zero drift, volatility of the last quarter.

    Terms and short rate are those of the date, whatever window lies behind.
    """
    terms = market.terms_on(path.instrument.pk, market.as_of) or path.terms[-1]
    if params["volatility"] is not None:
        volatility, source = float(params["volatility"]), "given"
    else:
        series = market.series(terms.index_id)
        if series is None:
            raise _no_index(market, terms.index_id)
        rows = market.rows(series, VOLATILITY_SESSIONS)
        returns = market.panel([series], rows).returns[:, 0]
        realized = realized_variance(returns[~np.isnan(returns)])
        volatility, source = realized.annual_volatility.value, "realized"
    rates = market.short_rate_on(np.array([market.as_of], dtype="datetime64[D]"))
    short_rate = float(rates[0]) if rates is not None else 0.0
    multiple, carry = terms.multiple, terms.carry(short_rate)
    own = path.index.size

    def outlook(sessions: int, annual_carry: float) -> Json:
        years = sessions / TRADING_DAYS_PER_YEAR
        law = forward_outlook(multiple, volatility, years, annual_carry=annual_carry)
        even = break_even_index_return(multiple, volatility, years, annual_carry=annual_carry)
        return {
            "mean": outputs.finite(law.mean_return),
            "median": outputs.finite(law.median_return),
            "p_loss": outputs.finite(law.probability_of_loss),
            "quantiles": {
                format(level, "g"): outputs.finite(value)
                for level, value in zip(law.quantile_levels, law.quantile_returns, strict=True)
            },
            "break_even_index_return": outputs.finite(even),
        }

    bootstrap: Json = {}
    if "bootstrap" in params["detail"]:
        bootstrap = {"bootstrap": _bootstrap(market, path, params, carry)}
    return {
        "horizon_sessions": own,
        **outlook(own, 0.0),
        **bootstrap,
        "horizons": [
            {
                "horizon_sessions": sessions,
                **outlook(sessions, 0.0),
                "with_carry": outlook(sessions, carry),
            }
            for sessions in params["horizon_sessions"]
        ],
        "assumptions": {
            "drift": 0.0,
            "annual_volatility": outputs.finite(volatility),
            "volatility_source": source,
            "annual_carry": 0.0,
            "annual_carry_of_with_carry": outputs.finite(carry),
            "short_rate": outputs.finite(short_rate),
            "short_rate_on_file": rates is not None,
            "law": "geometric Brownian motion of the index, daily reset, no fees or financing",
        },
    }


def _bootstrap(market: Market, path: _Path, params: Json, annual_carry: float) -> Json:
    """Distribution ahead from resampled stretches of the index's past, its drift included."""
    series = path.series_of_index[path.terms[-1].index_id]
    panel = market.panel([series], market.rows(series, BOOTSTRAP_SESSIONS))
    used = ~np.isnan(panel.returns[:, 0])
    days = panel.dates[used]
    try:
        ahead = forward_distribution(
            panel.returns[used, 0],
            [path.terms[-1].multiple],
            horizons=sorted(set(params["horizon_sessions"])),
            daily_carry=annual_carry / TRADING_DAYS_PER_YEAR,
            n_paths=BOOTSTRAP_PATHS,
            seed=BOOTSTRAP_SEED,
        )
    except EngineError as error:
        return outputs.unavailable(error.failure)
    rows: list[Json] = []
    for at, sessions in enumerate(ahead.horizons):
        law = ahead.at(0, at)
        rows.append(
            {
                "horizon_sessions": sessions,
                "mean": outputs.finite(law.mean_return),
                "mean_se": outputs.finite(law.monte_carlo_standard_error),
                "median": outputs.finite(law.median_return),
                "quantiles": {
                    format(level, "g"): outputs.finite(value)
                    for level, value in zip(
                        ahead.quantile_levels, law.quantile_returns, strict=True
                    )
                },
                "interval95": [outputs.finite(law.interval_low), outputs.finite(law.interval_high)],
                "expected_shortfall": outputs.finite(law.expected_shortfall),
                "p_loss": outputs.finite(law.probability_of_loss),
                "p_worse_than_static": outputs.finite(law.probability_worse_than_static),
                "p_ruin": outputs.finite(law.probability_of_ruin),
                "drag": {
                    "mean": outputs.finite(law.mean_drag),
                    "median": outputs.finite(law.median_drag),
                    "interval95": [outputs.finite(law.drag_low), outputs.finite(law.drag_high)],
                },
            }
        )
    return {
        "method": "stationary-block-bootstrap",
        "unit": "1",
        "block_length": outputs.finite(ahead.mean_block),
        "n_paths": ahead.n_paths,
        "seed": ahead.seed,
        "annual_carry": outputs.finite(annual_carry),
        "horizons": rows,
        "n_obs": ahead.n_obs,
        "first": str(days[0]),
        "last": str(days[-1]),
        "status": "ok",
    }


def _dollars(
    market: Market, path: _Path, parts: Decomposition, quantity: float, notes: list[Json]
) -> Json | None:
    """The parts in currency, of the position as it was worth at the window's start."""
    column = market.block.column(path.instrument.pk)
    close = float(market.block.closes[path.rows[0], column])
    if np.isnan(close):
        notes.append(warning("no-close", "the fund has no close at the window's start"))
        return None
    # The quantity is of the window's end: shares before the splits inside it were others.
    start, stop = path.dates_with_start[0].item(), path.dates_with_start[-1].item()
    splits = market.split_factor(path.instrument.pk, start) / market.split_factor(
        path.instrument.pk, stop
    )
    value = quantity / splits * close
    named = {
        "simple": parts.simple,
        "convexity": parts.convexity,
        "variance_cost": parts.variance_cost.value,
        "financing": parts.financing,
        "expense": parts.expense,
        "residual": parts.residual,
        "total": parts.fund_return,
    }
    return {
        "unit": path.instrument.currency,
        "value_at_start": outputs.amount(value),
        **{name: outputs.amount(value * part) for name, part in named.items()},
    }
