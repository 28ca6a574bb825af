"""Ways to hedge one exposure side by side, all sized to the same dollar delta."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np

from analytics.calculations import outputs
from analytics.calculations.books import portfolio_input_facts, proxy_warning
from analytics.calculations.facts import ChainQuotes, Requirements, Terms
from analytics.calculations.market import Market
from analytics.calculations.measures import MIN_OBS, Request, Submission, uid_of
from analytics.calculations.outputs import Json, Outcome, Unanswerable, warning
from analytics.engine.errors import EngineError
from analytics.engine.hedge import (
    ComparedHedge,
    HedgeComparison,
    HedgeInstrument,
    IndexPath,
    compare_hedges,
    standard_hedges,
)
from analytics.engine.leverage import realized_variance
from analytics.engine.options import CALENDAR_DAYS_PER_YEAR, OptionTerms, implied_volatility
from analytics.engine.stress import FundPosition, Position
from analytics.engine.types import TRADING_DAYS_PER_YEAR, Estimate
from analytics.models import Result, Run
from portfolios.models import Instrument

#: Sessions with weekends between them.
DAYS_PER_SESSION = CALENDAR_DAYS_PER_YEAR / TRADING_DAYS_PER_YEAR
VOLATILITY_SESSIONS = 63
#: Multiples of the funds compared, by the name of the hedge.
FUNDS = {"bear1x": -1.0, "bear3x": -3.0}
DEFAULTS: Json = {
    "notional": None,
    "volatility": None,
    "days_to_expiry": 30,
    "moves": [-0.15, -0.10, -0.05, 0.0, 0.05, 0.10, 0.15],
    "horizon_sessions": [1, 5, 10],
    "volatility_shock": 0.0,
}


class HedgeComparisonMeasure:
    """See `analytics/methodology/hedge_comparison.md`."""

    kind: str = Run.Kind.HEDGE_COMPARISON.value
    method_version = "hedge-comparison/1.1.0"

    def normalize(self, submission: Submission, params: Mapping[str, Any]) -> Json:
        given = {**DEFAULTS, **{name: value for name, value in params.items() if value is not None}}
        if given["notional"] is None and submission.portfolio is None:
            submission.refuse(
                "notional", "invalid-request", "Name a notional, or a portfolio to hedge."
            )
        underlying = submission.portfolio.benchmark if submission.portfolio else None
        if given.get("underlying"):
            underlying = submission.resolve({"underlying": given["underlying"]})["underlying"]
        if underlying is None:
            submission.refuse(
                "underlying",
                "invalid-request",
                "Name the index, or the fund on it, that is hedged with.",
                suggestion=["SOXX", "SMH"],
            )
        notional = given["notional"]
        return {
            **given,
            "notional": None if notional is None else format(notional, "f"),
            "underlying": underlying.public_id,
            "moves": sorted(set(given["moves"])),
            "horizon_sessions": sorted(set(given["horizon_sessions"])),
        }

    def requirements(self, params: Json) -> Requirements:
        underlying = frozenset({uid_of(params["underlying"])})
        return Requirements(underlying, short_rates_since=date.max, chains=underlying)

    def compute(self, market: Market, requests: Sequence[Request]) -> list[Outcome]:
        return [_answer(market, request) for request in requests]


def _answer(market: Market, request: Request) -> Outcome:
    facts: Json = {"data_version": market.block.version}
    if request.book is not None:
        facts = portfolio_input_facts(request.book, market)
    try:
        return Outcome(status=Result.Status.OK, result=_result(market, request), inputs=facts)
    except Unanswerable as refusal:
        return refusal.outcome
    except EngineError as error:
        return outputs.failed(error.failure)


@dataclass(frozen=True)
class _Setting:
    """What the hedges are priced with."""

    underlying: Instrument
    spot: float
    session: date
    realized: Estimate
    realized_sample: Json
    implied: float
    implied_source: Json
    short_rate: float
    dividend_yield: float
    rate_known: bool


def _result(market: Market, request: Request) -> Json:
    params, notes = request.params, list[Json]()
    notional, currency = _notional(request, notes)
    setting = _setting(market, params, notes)
    path_volatility = params["volatility"] or setting.realized.value
    expiry = params["days_to_expiry"]
    hedges = [
        _with_costs(market, hedge, setting)
        for hedge in standard_hedges(
            setting.spot,
            setting.implied,
            expiry / CALENDAR_DAYS_PER_YEAR,
            rate=setting.short_rate,
            dividend_yield=setting.dividend_yield,
        )
    ]
    compared = compare_hedges(
        [hedge for hedge, _ in hedges],
        notional=notional,
        annual_volatility=path_volatility,
        moves=params["moves"],
        horizons=params["horizon_sessions"],
        volatility_shock=params["volatility_shock"],
        calendar_days_per_session=DAYS_PER_SESSION,
    )
    if any(terms is None and hedge.name in FUNDS for hedge, terms in hedges):
        notes.append(
            warning(
                "no-fund-terms",
                f"no fund of every multiple on {setting.underlying.symbol} is on file; its carry"
                " and fees are unknown",
            )
        )
    return {
        "notional": outputs.money(notional, currency),
        "underlying": {
            "id": setting.underlying.public_id,
            "symbol": setting.underlying.symbol,
            "spot": outputs.finite(setting.spot),
            "unit": setting.underlying.currency,
            "session": setting.session.isoformat(),
        },
        "implied_volatility": {**outputs.number(setting.implied, "annual"),
                               **setting.implied_source},
        "realized_volatility": {**outputs.estimate(setting.realized, "annual"),
                         **setting.realized_sample},
        "path_volatility": outputs.number(path_volatility, "annual"),
        "short_rate": {**outputs.number(setting.short_rate, "1/year"),
                       "on_file": setting.rate_known},
        "dividend_yield": outputs.number(setting.dividend_yield, "1/year"),
        "days_to_expiry": expiry,
        "calendar_days_per_session": outputs.finite(DAYS_PER_SESSION),
        "volatility_shock": params["volatility_shock"],
        "moves": params["moves"],
        "horizon_sessions": params["horizon_sessions"],
        "paths": [str(path) for path in IndexPath],
        "item_profit": [outputs.amount(value) for value in compared.item_profit],
        "units": {
            "money": currency,
            "coverage": "share of the item's loss, 1 is a full offset",
            "effectiveness": "share of the item's variance removed, driftless lognormal index",
            "theta_per_day": f"{currency} a calendar day",
            "gamma": f"{currency} of dollar delta for a move of 1 %",
        },
        "hedges": [
            _hedge(compared, one, terms)
            for one, (_, terms) in zip(compared.hedges, hedges, strict=True)
        ],
        "warnings": notes,
    }  # fmt: skip


def _notional(request: Request, notes: list[Json]) -> tuple[float, str]:
    """Dollar delta of the item: as said, else the portfolio's net exposure, looked through."""
    book, params = request.book, request.params
    if params["notional"] is not None:
        return float(params["notional"]), book.currency if book else "USD"
    if book is None:
        raise Unanswerable(
            Result.Status.ERROR, "no-positions", "the portfolio has no positions to hedge"
        )
    if book.refusal is not None:
        raise book.refusal
    notes.extend(book.warnings)
    net = sum(row.exposure for row in book.holdings)
    if net <= 0:
        raise Unanswerable(
            Result.Status.DEGENERATE,
            "no-exposure",
            "the portfolio's net exposure is not long, so there is nothing to hedge; name a"
            " notional",
            net_exposure=outputs.money(net, book.currency),
        )
    return net, book.currency


def _setting(market: Market, params: Json, notes: list[Json]) -> _Setting:
    uid = uid_of(params["underlying"])
    underlying = market.instruments_by_uid([uid])[uid]
    series = market.series(underlying.pk)
    last = market.last_close(series) if series is not None else None
    if series is None or last is None:
        raise Unanswerable(
            Result.Status.ERROR,
            "missing-price",
            f"{underlying.symbol} has no prices",
            instruments=[{"id": underlying.public_id, "symbol": underlying.symbol}],
        )
    if series != underlying.pk:
        notes.append(proxy_warning(market, underlying.pk, series))
    spot, session, _ = last
    panel = market.panel([series], market.rows(series, VOLATILITY_SESSIONS))
    used = ~np.isnan(panel.returns[:, 0])
    if int(used.sum()) < MIN_OBS:
        raise outputs.too_short(
            f"{underlying.symbol} has {int(used.sum())} returns where {MIN_OBS} are needed",
            required=MIN_OBS,
            available=int(used.sum()),
            dates=panel.dates,
            used=used,
        )
    realized = realized_variance(panel.returns[used, 0]).annual_volatility
    days = panel.dates[used]
    rates = market.short_rate_on(np.array([market.as_of], dtype="datetime64[D]"))
    rate = float(rates[0]) if rates is not None else 0.0
    if rates is None:
        notes.append(warning("no-short-rate", "no short rate is on file; options are priced at 0"))
    dividend_yield = market.dividend_yield(series)
    implied, source = _implied(
        market, underlying, params, notes,
        rate=rate, dividend_yield=dividend_yield, realized=realized.value,
    )  # fmt: skip
    return _Setting(
        underlying=underlying, spot=spot, session=session, realized=realized,
        realized_sample={"n_obs": int(used.sum()), "first": str(days[0]), "last": str(days[-1])},
        implied=implied, implied_source=source, short_rate=rate,
        dividend_yield=dividend_yield, rate_known=rates is not None,
    )  # fmt: skip


def _implied(
    market: Market,
    underlying: Instrument,
    params: Json,
    notes: list[Json],
    *,
    rate: float,
    dividend_yield: float,
    realized: float,
) -> tuple[float, Json]:
    """As said, else of the chain on file at the money near the expiry, else the realized one."""
    if params["volatility"] is not None:
        return float(params["volatility"]), {"source": "given"}
    chain = market.chains.get(underlying.pk)
    if chain is not None:
        try:
            return _at_the_money(chain, rate, dividend_yield, params["days_to_expiry"])
        except EngineError as error:
            notes.append(warning("quote-not-used", f"the chain on file: {error.message}"))
    notes.append(
        warning(
            "realized-volatility",
            f"no usable chain of {underlying.symbol} is on file; options are priced at the"
            f" realized volatility of {realized:.1%}",
        )
    )
    return realized, {"source": "realized"}


def _at_the_money(
    chain: ChainQuotes, rate: float, dividend_yield: float, days: int
) -> tuple[float, Json]:
    """Mean of the put's and the call's volatility at the strike nearest the spot of the quotes."""
    parity = chain.parity(rate, dividend_yield)
    expiry = min(
        (day for day in set(chain.expiry) if day > chain.day),
        key=lambda day: (abs((day - chain.day).days - days), day),
    )
    rows = [row for row, day in enumerate(chain.expiry) if day == expiry and chain.bid[row] > 0]
    both = {chain.strike[row] for row in rows if chain.is_call[row]} & {
        chain.strike[row] for row in rows if not chain.is_call[row]
    }
    strike = min(both, key=lambda value: abs(value - parity.spot), default=None)
    found = [
        implied_volatility(
            OptionTerms(
                spot=parity.spot, strike=float(chain.strike[row]),
                years=(expiry - chain.day).days / CALENDAR_DAYS_PER_YEAR, rate=rate,
                dividend_yield=dividend_yield, is_call=bool(chain.is_call[row]),
            ),
            float(chain.bid[row] + chain.ask[row]) / 2.0,
        )
        for row in rows
        if chain.strike[row] == strike
    ]  # fmt: skip
    return float(np.mean(found)), {
        "source": "chain",
        "quoted_on": chain.day.isoformat(),
        "expiry": expiry.isoformat(),
        "strike": float(strike or 0.0),
        "parity_spot": outputs.finite(parity.spot),
        "n_obs": len(found),
    }


def _with_costs(
    market: Market, hedge: HedgeInstrument, setting: _Setting
) -> tuple[HedgeInstrument, Terms | None]:
    """A fund with the yearly carry and fees of one on file; options carry theirs in the price."""
    multiple = FUNDS.get(hedge.name)
    if multiple is None:
        return hedge, None
    terms = _terms(market, setting.underlying, multiple)
    if terms is None:
        return hedge, None
    interest = (1.0 - multiple) * setting.short_rate
    cost = terms.expense_ratio + terms.swap_spread * abs(multiple) - interest
    return replace(hedge, annual_cost=cost), terms


def _terms(market: Market, underlying: Instrument, multiple: float) -> Terms | None:
    """Terms of a fund on file with that multiple on the underlying or the index it stands for."""
    series = market.series(underlying.pk)
    for fund in sorted(market.terms):
        terms = market.terms_on(fund, market.as_of)
        if (
            terms is not None
            and terms.multiple == multiple
            and (terms.index_id == underlying.pk or market.series(terms.index_id) == series)
        ):
            return terms
    return None


def _hedge(compared: HedgeComparison, hedge: ComparedHedge, terms: Terms | None) -> Json:
    # Options carry theirs in the price; what borrowing for a short costs is not on file.
    known = terms is not None or not any(isinstance(leg, FundPosition) for leg in hedge.legs)
    return {
        "name": hedge.name,
        "legs": [_leg(leg) for leg in hedge.legs],
        "premium": outputs.amount(hedge.premium),
        "capital": outputs.amount(hedge.capital),
        "theta_per_day": outputs.amount(hedge.theta_per_day),
        "gamma": outputs.amount(hedge.gamma),
        "reset_variance_cost_per_day": outputs.amount(hedge.reset_variance_cost_per_day),
        "reset_gamma": outputs.amount(hedge.reset_gamma),
        "worst_case_loss": (
            None if hedge.worst_case_loss is None else outputs.amount(hedge.worst_case_loss)
        ),
        "expense_ratio": terms.expense_ratio if terms else None,
        "horizons": [
            {
                "horizon_sessions": days,
                "effectiveness": outputs.finite(hedge.effectiveness[at]),
                "break_even_move": hedge.break_even_move[at],
                "carry_cost": outputs.amount(hedge.carry_cost[at]) if known else None,
                "paths": {
                    str(path): {
                        "flat_cost": outputs.amount(hedge.flat_cost[row, at]),
                        "profit": [outputs.amount(value) for value in hedge.profit[row, at]],
                        "coverage": [
                            None if move == 0 else outputs.finite(value)
                            for move, value in zip(
                                compared.moves, hedge.coverage[row, at], strict=True
                            )
                        ],
                        "wiped_out": hedge.wiped_out[row, at].tolist(),
                    }
                    for row, path in enumerate(compared.paths)
                },
            }
            for at, days in enumerate(compared.horizons)
        ],
    }


def _leg(leg: Position) -> Json:
    if isinstance(leg, FundPosition):
        return {"value": outputs.amount(leg.value), "multiple": leg.multiple}
    return {
        "option": "call" if leg.terms.is_call else "put",
        "shares": outputs.finite(leg.quantity),
        "strike": outputs.finite(leg.terms.strike),
        "volatility": outputs.finite(leg.volatility),
    }
