"""Semiconductor beta of net asset value: funds and options looked through, errors beside it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytics.calculations import outputs
from analytics.calculations.books import (
    Book,
    Holding,
    no_positions,
    portfolio_input_facts,
    proxy_warning,
)
from analytics.calculations.facts import Requirements
from analytics.calculations.kept_panels import Kept
from analytics.calculations.market import Market
from analytics.calculations.measures import (
    MIN_OBS,
    Request,
    Submission,
    details_of,
    uid_of,
)
from analytics.calculations.outputs import Json, Outcome, Unanswerable, warning
from analytics.calculations.valuation import gap_warnings, missing_fx, window_warnings
from analytics.engine.beta import (
    LADDER_STEPS,
    VENUE_CLOSE_UTC,
    BetaBatch,
    BetaEstimate,
    TwoFactorBatch,
    beta_ladder,
    closing_lags,
    dimson_beta,
    ladder_moves,
    linear_curves,
    option_curves,
    rolling_beta,
    semiconductor_beta,
    state_space_beta,
    two_factor_beta,
    up_down_beta,
)
from analytics.engine.errors import EngineError
from analytics.engine.options import option_batch
from analytics.engine.panel import ReturnPanel, sample_of
from analytics.engine.regression import design, least_squares
from analytics.engine.returns import portfolio_returns
from analytics.engine.types import BoolArray, FloatArray, Sample
from analytics.models import Result, Run
from portfolios.models import Instrument

ROLLING_WINDOWS = (60, 126, 252)
#: A share of variance left unexplained that is rounding.
_EXACT_FIT = 1e-12
#: Of the correlations one session before, the same, one after.
_SAME_SESSION = 1
#: A correlation of independent series stays within so many of its errors.
_PEAK_SIGMAS = 3.0
DEFAULTS: Json = {
    "window": 252,
    "frequency": "1d",
    "hac_lags": "auto",
    "look_through": True,
    "on_stale": "fail",
    "max_price_age_sessions": 1,
    "rolling_series": False,
    "detail": [],
}


@dataclass(frozen=True)
class _Group:
    """Requests that share a sample: one benchmark, one window, one currency."""

    benchmark: int
    market_benchmark: int | None
    window: int
    hac_lags: int | str
    look_through: bool
    currency: str


class SemiconductorBeta:
    """See `analytics/methodology/semiconductor_beta.md`."""

    kind: str = Run.Kind.SEMICONDUCTOR_BETA.value
    method_version = "semi-beta/1.2.0"

    def normalize(self, submission: Submission, params: Mapping[str, Any]) -> Json:
        given = {**DEFAULTS, **{name: value for name, value in params.items() if value is not None}}
        portfolio = submission.check_book_and_window(self.kind, given["window"])
        names: dict[str, str] = {at: given[at] for at in ("benchmark", "market") if at in given}
        found = submission.resolve(names)
        benchmark = found.get("benchmark", portfolio.benchmark)
        if benchmark is None:
            submission.refuse(
                "benchmark",
                "no-semiconductor-benchmark",
                "The portfolio has no benchmark; name one in the unit or set it on the portfolio.",
                suggestion=["SOX", "NYSESEMI"],
            )
        broad = found.get("market", portfolio.market_benchmark)
        return {
            **given,
            "detail": details_of(given),
            "benchmark": benchmark.public_id,
            "market": broad.public_id if broad else None,
        }

    def requirements(self, params: Json) -> Requirements:
        named = (params["benchmark"], params["market"])
        return Requirements(frozenset(uid_of(name) for name in named if name))

    def compute(self, market: Market, requests: Sequence[Request]) -> list[Outcome]:
        outcomes: dict[int, Outcome] = {}
        groups: dict[_Group, list[int]] = defaultdict(list)
        for at, request in enumerate(requests):
            try:
                groups[self._group(market, request)].append(at)
            except Unanswerable as refusal:
                outcomes[at] = refusal.outcome
        for group, members in groups.items():
            answers = _compute_group(market, group, [requests[at] for at in members])
            outcomes.update(zip(members, answers, strict=True))
        return [outcomes[at] for at in range(len(requests))]

    def _group(self, market: Market, request: Request) -> _Group:
        params, book = request.params, request.book
        if book is None:
            raise no_positions(market)
        book.check(max_price_age=params["max_price_age_sessions"], on_stale=params["on_stale"])
        if book.nav <= 0:
            raise Unanswerable(
                Result.Status.DEGENERATE,
                "nav-not-positive",
                "net asset value is not positive, so a beta of it is undefined",
                nav=outputs.money(book.nav, book.currency),
            )
        found = market.instruments_by_uid(self.requirements(params).instruments)
        benchmark = found[uid_of(params["benchmark"])]
        if market.series(benchmark.pk) is None:
            raise Unanswerable(
                Result.Status.ERROR,
                "missing-price",
                f"the benchmark {benchmark.symbol} has no prices",
                instruments=[{"id": benchmark.public_id, "symbol": benchmark.symbol}],
            )
        _refuse_stale_benchmark(market, benchmark, params)
        broad = found[uid_of(params["market"])] if params["market"] else None
        return _Group(
            benchmark=benchmark.pk,
            market_benchmark=broad.pk if broad else None,
            window=params["window"],
            hac_lags=params["hac_lags"],
            look_through=params["look_through"],
            currency=book.currency,
        )


def _refuse_stale_benchmark(market: Market, benchmark: Instrument, params: Json) -> None:
    """A sample that ends with the benchmark would say nothing of the time since."""
    last, age = market.last_return(benchmark.pk)
    limit = params["max_price_age_sessions"]
    if age > limit and params["on_stale"] == "fail":
        raise Unanswerable(
            Result.Status.STALE, "stale-price",
            f"the benchmark {benchmark.symbol} was last priced on {last}; load the missing"
            " sessions, raise max_price_age_sessions, or take on_stale: warn.",
            instruments=[
                {
                    "id": benchmark.public_id, "symbol": benchmark.symbol,
                    "last_session": last.isoformat(), "age_sessions": age, "limit": limit,
                }
            ],
        )  # fmt: skip


def _compute_group(market: Market, group: _Group, requests: Sequence[Request]) -> list[Outcome]:
    """Answer requests on one sample with one product of panel and exposures."""
    books = [request.book for request in requests]
    assert all(books)  # noqa: S101  # `_group` refused the others
    try:
        sample = _GroupSample(market, group, [book for book in books if book is not None])
    except EngineError as error:
        symbol = market.instrument(group.benchmark).symbol
        failure = outputs.renamed(error.failure, f"the benchmark {symbol}", symbol)
        return [outputs.failed(failure) for _ in requests]
    return [_answer(sample, at, request) for at, request in enumerate(requests)]


@dataclass
class _Columns:
    """Returns of a list of instruments with their own regressions on the benchmark.

    They depend on no quantity, so they are the same for every portfolio that holds these.
    """

    panel: ReturnPanel
    benchmark: FloatArray
    fit: BetaBatch
    slopes: FloatArray | None = None
    """Of the columns themselves, for portfolios with a return of everything on every session."""


#: By state of the facts, so that they are the arrays a new look would make.
_kept: Kept[_Columns] = Kept(lambda columns: columns.panel.returns.size)


def _columns(
    market: Market, group: _Group, benchmark: int, series: Sequence[int], length: int
) -> _Columns:
    """The columns of one sample, kept from an earlier unit or computed."""
    rows = market.rows(benchmark, length)
    # Looked at also where the regressions on it are kept.
    panel = market.panel(series, rows, group.currency)

    def made() -> _Columns:
        own = _own_currency(market, benchmark, rows, panel)
        last = slice(-group.window, None)
        fit = semiconductor_beta(
            panel.returns[last].T, own[last], hac_lags=group.hac_lags, min_obs=MIN_OBS
        )
        return _Columns(panel, own, fit)

    key = (
        market.client_id, market.block.version, market.as_of, benchmark, length, tuple(series),
        group.currency, group.window, group.hac_lags,
    )  # fmt: skip
    return _kept.get(key if market.block.is_current else None, made)


class _GroupSample:
    """Everything that is computed for all portfolios of a group at once."""

    def __init__(self, market: Market, group: _Group, books: Sequence[Book]) -> None:
        self.market, self.group, self.books = market, group, books
        benchmark = market.series(group.benchmark)
        assert benchmark is not None  # noqa: S101  # refused before
        self.benchmark_series = benchmark
        broad = market.series(group.market_benchmark) if group.market_benchmark else None
        held = {
            series
            for book in books
            for holding in book.holdings
            for series in (self.series_of(holding), holding.series)
            if series is not None
        }
        self.series = sorted(held | {benchmark} | ({broad} if broad is not None else set()))
        self.column = {pk: at for at, pk in enumerate(self.series)}
        length = max(group.window, *ROLLING_WINDOWS)
        self.rows = market.rows(benchmark, length)
        self.columns = _columns(market, group, benchmark, self.series, length)
        self.panel, self.benchmark_long = self.columns.panel, self.columns.benchmark
        self.navs = [book.nav for book in books]
        self.exposures = np.zeros((len(books), len(self.series)))
        for at, book in enumerate(books):
            for holding in book.holdings:
                series = self.series_of(holding)
                if series is not None:
                    self.exposures[at, self.column[series]] += (
                        self.exposure_of(holding) / self.navs[at]
                    )
        held_returns = portfolio_returns(self.panel.returns, self.exposures)
        self.long_series = held_returns.series
        self.long_coverage = held_returns.coverage
        last = slice(-group.window, None)
        self.dates = self.panel.dates[last]
        self.returns = self.panel.returns[last]
        self.portfolio = self.long_series[:, last]
        self.coverage = self.long_coverage[:, last]
        self.benchmark = self.benchmark_long[last]
        self.fit: BetaBatch = semiconductor_beta(
            self.portfolio, self.benchmark, hac_lags=group.hac_lags, min_obs=MIN_OBS
        )
        self.instruments: BetaBatch = self.columns.fit
        self.two_factor: TwoFactorBatch | None = None
        if broad is not None and broad != benchmark:
            self.two_factor = _two_factor(self, broad)
        self.rolling = {
            window: rolling_beta(self.long_series, self.benchmark_long, window, min_obs=MIN_OBS)
            for window in ROLLING_WINDOWS
        }

    def held_series(self, at: int) -> list[int]:
        """Instruments whose returns portfolio `at` has."""
        return [pk for pk in self.series if self.exposures[at, self.column[pk]]]

    def series_of(self, holding: Holding) -> int | None:
        return holding.series if self.group.look_through else holding.own_series

    def exposure_of(self, holding: Holding) -> float:
        return holding.exposure if self.group.look_through else holding.exposure_looked_at

    def used(self, at: int) -> BoolArray:
        """Sessions of the window that portfolio `at` is regressed on."""
        used: BoolArray = ~np.isnan(self.portfolio[at]) & ~np.isnan(self.benchmark)
        return used

    def slopes(self, at: int) -> FloatArray:
        """Slope per unit of exposure of each series inside portfolio `at`.

        A session with missing instruments scales the others up to full coverage; these slopes are
        of exactly those terms, so exposures times slopes add up to the portfolio's beta.
        """
        used = self.used(at)
        complete = bool(used.all() and (self.coverage[at] == 1.0).all())
        if complete and self.columns.slopes is not None:
            return self.columns.slopes
        terms = np.where(np.isnan(self.returns[used]), 0.0, self.returns[used])
        terms = terms / self.coverage[at][used][:, np.newaxis]
        fit = least_squares(design(self.benchmark[used][:, np.newaxis]), terms.T)
        slopes: FloatArray = fit.coefficients[:, 1]
        if complete:
            self.columns.slopes = slopes
        return slopes


def _own_currency(
    market: Market, series: int, rows: np.typing.NDArray[np.int64], panel: ReturnPanel
) -> FloatArray:
    """A benchmark is measured in its own currency, whatever the portfolio's."""
    if not any(row != market.instrument(series).currency for row in _currencies(market, panel)):
        return panel.column(str(series))
    return market.panel([series], rows).returns[:, 0]


def _currencies(market: Market, panel: ReturnPanel) -> set[str]:
    return {market.instrument(int(name)).currency for name in panel.instrument_ids}


def _two_factor(sample: _GroupSample, broad: int) -> TwoFactorBatch | None:
    market = _own_currency(sample.market, broad, sample.rows, sample.panel)
    try:
        return two_factor_beta(
            sample.portfolio,
            market[-sample.group.window :],
            sample.benchmark,
            hac_lags=sample.group.hac_lags,
            min_obs=MIN_OBS,
        )
    except EngineError:
        return None


def _answer(sample: _GroupSample, at: int, request: Request) -> Outcome:
    market, book = sample.market, sample.books[at]
    facts = {
        **portfolio_input_facts(book, market),
        "sessions": [str(day) for day in sample.dates[[0, -1]]] if sample.dates.size else [],
    }
    for currency in sorted({row.instrument.currency for row in book.holdings}):
        absent = market.sessions_without_rate(
            currency, book.currency, sample.rows[-sample.group.window - 1 :]
        )
        if absent:
            return missing_fx(market, book, currency, absent).outcome
    failure = sample.fit.failures[at]
    if failure is not None:
        symbol = market.instrument(sample.group.benchmark).symbol
        return outputs.failed(
            outputs.renamed(failure, f"the benchmark {symbol}", symbol),
            requested_obs=sample.group.window,
            **outputs.absence(sample.dates, sample.used(at)),
        )
    try:
        result = _result(sample, at, request.params)
    except EngineError as error:
        return outputs.failed(error.failure)
    return Outcome(status=Result.Status.OK, result=result, inputs=facts)


def _result(sample: _GroupSample, at: int, params: Json) -> Json:
    market, book, group = sample.market, sample.books[at], sample.group
    nav = sample.navs[at]
    estimate = sample.fit.at(at)
    described = sample_of(sample.dates, sample.used(at))
    slopes = sample.slopes(at)
    benchmark = market.instrument(group.benchmark)
    contributions = [_contribution(sample, at, row, slopes) for row in book.holdings]
    ignoring = sum(
        row.headline / nav * float(slopes[sample.column[row.series]])
        for row in book.holdings
        if row.series is not None
    )
    exposures = [sample.exposure_of(row) for row in book.holdings if row.series is not None]
    gross, net = sum(abs(value) for value in exposures), sum(exposures)
    return {
        "beta_nav": {
            **outputs.estimate(estimate.beta),
            **outputs.sample(described),
            "r2": outputs.finite(estimate.r_squared),
            "durbin_watson": _durbin_watson(estimate),
            "degrees_of_freedom": outputs.finite(estimate.degrees_of_freedom),
            "hac_lags": estimate.hac_lags,
            "ols_se": outputs.finite(estimate.ols_standard_error),
            "alpha_daily": outputs.finite(estimate.alpha),
            "window": group.window,
            "frequency": "1d",
            "benchmark": {
                "id": benchmark.public_id,
                "symbol": benchmark.symbol,
                "series": market.instrument(sample.benchmark_series).symbol,
            },
            "asynchronous": estimate.asynchronous,
            "look_through": group.look_through,
        },
        "beta_ignoring_leverage": outputs.number(ignoring),
        "nav": outputs.money(nav, book.currency),
        "usd_per_1pct_index": outputs.money(estimate.beta.value * nav * 0.01, book.currency),
        "gross_exposure": {
            **outputs.money(gross, book.currency),
            "share_of_nav": outputs.weight(gross / nav),
        },
        "net_exposure": {
            **outputs.money(net, book.currency),
            "share_of_nav": outputs.weight(net / nav),
        },
        "contributions": contributions,
        "two_factor": _two_factor_block(sample, at, described),
        "rolling": _rolling_block(sample, at, with_series=params["rolling_series"]),
        "up_down": _up_down_block(sample, at),
        **(
            {"gamma_ladder": _gamma_ladder(sample, at, slopes)}
            if "gamma_ladder" in params["detail"]
            else {}
        ),
        **({"late_close": late} if (late := _late_close(sample, at)) is not None else {}),
        **({"moving_beta": _moving_beta(sample, at)} if "moving_beta" in params["detail"] else {}),
        "warnings": _warnings(sample, at, params),
    }


def _durbin_watson(estimate: BetaEstimate) -> float | None:
    """None for an exact fit, whose residuals are rounding."""
    if estimate.r_squared > 1.0 - _EXACT_FIT:
        return None
    return outputs.finite(estimate.durbin_watson)


def _contribution(sample: _GroupSample, at: int, holding: Holding, slopes: FloatArray) -> Json:
    nav = sample.navs[at]
    series = sample.series_of(holding)
    row: Json = {
        "instrument": holding.public_id,
        "symbol": holding.instrument.symbol,
        "weight": outputs.weight(holding.value / nav),
        "market_value": outputs.amount(holding.value),
        "exposure": outputs.amount(sample.exposure_of(holding)),
    }
    if holding.multiple is not None and sample.group.look_through:
        row["multiple"] = holding.multiple
    if holding.delta is not None:
        row["delta"] = outputs.finite(holding.delta)
        row["dividend_yield"] = holding.dividend_yield
    if series is None:
        return {**row, "beta": 0.0, "contribution": 0.0, "status": "ok"}
    column = sample.column[series]
    slope = float(slopes[column])
    n_obs = int(sample.instruments.n_obs[column])
    factor = holding.multiple if holding.multiple and sample.group.look_through else 1.0
    complete = n_obs == int(sample.fit.n_obs[at])
    failure = sample.instruments.failures[column]
    # The instrument's own sample; the contribution is of the portfolio's, with its gaps.
    own = slope if failure else float(sample.instruments.beta[column])
    row["beta"] = outputs.finite(own * factor)
    row["contribution"] = outputs.finite(sample.exposure_of(holding) / nav * slope)
    if failure is None:
        row["se"] = outputs.finite(
            abs(factor) * float(sample.instruments.hac_standard_error[column])
        )
    row["n_obs"] = n_obs
    row["status"] = "ok" if complete else "partial_history"
    return row


def _two_factor_block(sample: _GroupSample, at: int, described: Sample) -> Json | None:
    group = sample.group
    if group.market_benchmark is None:
        return None
    benchmark = sample.market.instrument(group.market_benchmark)
    named = {"market": {"id": benchmark.public_id, "symbol": benchmark.symbol}}
    batch = sample.two_factor
    if batch is None:
        return {
            **named,
            "status": "degenerate",
            "value": None,
            "reason": "market and semiconductors are the same series, or one has no prices",
        }
    failure = batch.failures[at]
    if failure is not None:
        return {**named, **outputs.unavailable(failure)}
    fit = batch.at(at)
    return {
        **named,
        "status": "ok",
        "beta_market": outputs.estimate(fit.market),
        "beta_semiconductors": outputs.estimate(fit.semiconductors),
        "r2": outputs.finite(fit.r_squared),
        "variance_inflation": outputs.finite(fit.variance_inflation),
        "condition_number": outputs.finite(fit.condition_number),
        "beta_semiconductors_alone": outputs.number(fit.semiconductor_beta_alone),
        **outputs.sample(described),
        "n_obs": fit.n_obs,
    }


def _rolling_block(sample: _GroupSample, at: int, *, with_series: bool) -> Json:
    block: Json = {}
    paired = ~np.isnan(sample.long_series[at]) & ~np.isnan(sample.benchmark_long)
    for window, rolling in sample.rolling.items():
        last: Json = {"window": window}
        if rolling.valid.shape[1] and rolling.valid[at, -1]:
            used = sample.panel.dates[-window:][paired[-window:]]
            last |= {
                **outputs.number(float(rolling.beta[at, -1])),
                "se": outputs.finite(rolling.standard_error[at, -1]),
                "n_obs": int(rolling.n_obs[at, -1]),
                "first": str(used[0]),
                "last": str(used[-1]),
                "status": "ok",
            }
        else:
            last |= {"value": None, "status": "insufficient_data"}
        if with_series:
            valid = np.flatnonzero(rolling.valid[at])
            last["series"] = {
                "dates": [str(day) for day in sample.panel.dates[valid]],
                "beta": [outputs.finite(value) for value in rolling.beta[at, valid]],
                "se": [outputs.finite(value) for value in rolling.standard_error[at, valid]],
            }
        block[str(window)] = last
    return block


def _up_down_block(sample: _GroupSample, at: int) -> Json:
    used = sample.used(at)
    try:
        split = up_down_beta(
            sample.portfolio[at][used], sample.benchmark[used], hac_lags=sample.group.hac_lags
        )
    except EngineError as error:
        return outputs.unavailable(error.failure)
    return {
        "status": "ok",
        "down": {**outputs.estimate(split.down), "n_obs": split.n_down},
        "up": {**outputs.estimate(split.up), "n_obs": split.n_up},
        "down_less_up": outputs.estimate(split.difference),
        "lower_partial_moment": outputs.number(split.lower_partial),
        "upper_partial_moment": outputs.number(split.upper_partial),
        "threshold": outputs.finite(split.threshold),
        "partial_moment_target": 0.0,
    }


def _gamma_ladder(sample: _GroupSample, at: int, slopes: FloatArray) -> Json:
    """Beta and profit at moves of the benchmark of up to three daily standard deviations."""
    market, book, used = sample.market, sample.books[at], sample.used(at)
    held = [row for row in book.holdings if sample.series_of(row) is not None]
    straight = [row for row in held if row.volatility is None]
    bent = [row for row in held if row.volatility is not None and row.spot is not None]

    def beta(row: Holding) -> float:
        return float(slopes[sample.column[sample.series_of(row) or 0]])

    def multiple(row: Holding) -> float:
        return row.multiple or 1.0 if sample.group.look_through else 1.0

    deviation = float(sample.benchmark[used].std(ddof=1))
    try:
        moves = ladder_moves(deviation)
        curves = linear_curves(
            np.array([multiple(row) for row in straight]),
            np.array([beta(row) for row in straight]),
            moves,
        )
        quantities = [sample.exposure_of(row) / multiple(row) for row in straight]
        if bent:
            terms = [row.option for row in bent if row.option is not None]
            rates = market.short_rate_on(np.array([market.as_of], dtype="datetime64[D]"))
            options = option_batch(
                spot=np.array([row.spot for row in bent]),
                strike=np.array([term.strike for term in terms]),
                years=np.array([(term.expiry - market.as_of).days for term in terms]) / 365.0,
                rate=float(rates[0]) if rates is not None else 0.0,
                dividend_yield=np.array([row.dividend_yield or 0.0 for row in bent]),
                is_call=np.array([term.is_call for term in terms]),
            )
            curves = curves.beside(
                option_curves(
                    options,
                    np.array([row.volatility for row in bent]),
                    np.array([beta(row) * multiple(row) for row in bent]),
                    np.array([term.multiplier for term in terms]),
                    moves,
                )
            )
            quantities += [
                row.quantity
                * float(market.fx(row.instrument.currency, book.currency)[market.last_row - 1])
                for row in bent
            ]
        ladder = beta_ladder(np.array(quantities), curves, book.nav)
        betas = ladder.betas_of(0)
    except EngineError as error:
        return outputs.unavailable(error.failure)
    return {
        "deviation": outputs.number(deviation),
        "unit": book.currency,
        "steps": [
            {
                "standard_deviations": step,
                "move": outputs.finite(move),
                "beta": outputs.finite(betas[row]),
                "profit": outputs.amount(ladder.profit[0, row]),
                "exposure": outputs.amount(ladder.exposure[0, row]),
                "gamma_per_1pct": outputs.amount(ladder.gamma[0, row] * 0.01),
                "wiped_out": bool(ladder.any_wiped_out[0, row]),
            }
            for row, (step, move) in enumerate(zip(LADDER_STEPS, moves, strict=True))
        ],
        **outputs.sample(sample_of(sample.dates, used)),
        "status": "ok",
    }


@dataclass(frozen=True)
class _Closes:
    """How many of the benchmark's earlier and later sessions a book can answer to, and why."""

    lags: int
    leads: int
    chosen_by: str
    venues: list[str]


def _closes(sample: _GroupSample, at: int) -> _Closes | None:
    """By the closing hours of the venues held; where these agree and the data do not, by the data.

    None: all close with the benchmark, and the data say nothing else.
    """
    market = sample.market
    benchmark_venue = market.instrument(sample.benchmark_series).calendar
    held = {market.instrument(pk).calendar for pk in sample.held_series(at)}
    hours = {venue: closing_lags(venue, benchmark_venue) for venue in held & VENUE_CLOSE_UTC.keys()}
    if benchmark_venue in VENUE_CLOSE_UTC:
        apart = sorted(venue for venue, found in hours.items() if found.lags or found.leads)
        if apart:
            return _Closes(
                max(found.lags for found in hours.values()),
                max(found.leads for found in hours.values()),
                "closing-hours",
                apart,
            )
    if sample.fit.asynchronous[at]:
        return _Closes(1, 1, "lead-lag-correlation", sorted(held))
    return None


def _late_close(sample: _GroupSample, at: int) -> Json | None:
    """Dimson's sum over the sessions of the benchmark that the book can answer to."""
    closes = _closes(sample, at)
    if closes is None:
        return None
    chosen: Json = {
        "method": "dimson",
        "lags": closes.lags,
        "leads": closes.leads,
        "chosen_by": closes.chosen_by,
        "venues": closes.venues,
    }
    try:
        found = dimson_beta(
            sample.portfolio[at], sample.benchmark, lags=closes.lags, leads=closes.leads,
            hac_lags=sample.group.hac_lags, min_obs=MIN_OBS,
        ).at(0)  # fmt: skip
    except EngineError as error:
        return {**chosen, **outputs.unavailable(error.failure)}
    names = ["earlier"] * closes.lags + ["same"] + ["later"] * closes.leads
    return {
        **outputs.estimate(found.beta),
        **chosen,
        "slopes": {
            name: outputs.finite(slope) for name, slope in zip(names, found.slopes, strict=True)
        },
        "n_obs": found.n_obs,
        "first": str(sample.dates[0]),
        "last": str(sample.dates[-1]),
        "status": "ok",
    }


def _moving_beta(sample: _GroupSample, at: int) -> Json:
    """The latest beta of a random walk, from the past alone; the band leaves out that of q."""
    try:
        found = state_space_beta(sample.portfolio[at], sample.benchmark, min_obs=MIN_OBS).at(0)
    except EngineError as error:
        return outputs.unavailable(error.failure)
    return {
        **outputs.estimate(found.beta),
        "method": "filtered-state-space",
        "constant": found.constant,
        "daily_step": outputs.finite(float(np.sqrt(found.state_variance))),
        **outputs.sample(sample_of(sample.dates, sample.used(at))),
        "status": "ok",
    }


def _peak_warning(sample: _GroupSample, at: int) -> list[Json]:
    """The check of the dates: two series of one day correlate most on that day."""
    correlations = sample.fit.lead_lag_correlation[at]
    peak = int(np.argmax(np.abs(correlations)))
    significant = _PEAK_SIGMAS / np.sqrt(float(sample.fit.n_obs[at]))
    if peak == _SAME_SESSION or abs(correlations[peak]) < significant:
        return []
    when = "before" if peak < _SAME_SESSION else "after"
    return [
        warning(
            "correlation-peak-shifted",
            f"the correlation with the benchmark is largest one session {when}"
            f" ({correlations[peak]:.2f} against {correlations[_SAME_SESSION]:.2f}): the closes lie"
            " hours apart, or dates are shifted by a session; check the dates of the prices",
            correlations=[outputs.finite(value) for value in correlations],
        )
    ]


def _warnings(sample: _GroupSample, at: int, params: Json) -> list[Json]:
    market, book, group = sample.market, sample.books[at], sample.group
    notes = [*book.warnings, *book.stale_warnings(params["max_price_age_sessions"])]
    for named in (group.benchmark, group.market_benchmark):
        series = market.series(named) if named else None
        if named and series is not None and series != named:
            note = proxy_warning(market, named, series)
            if note not in notes:
                notes.append(note)
    last, age = market.last_return(group.benchmark)
    if age > params["max_price_age_sessions"]:
        notes.append(
            warning("stale-price", f"the benchmark was last priced on {last}", age_sessions=age)
        )
    if book.position_date < market.as_of:
        notes.append(
            warning("positions-older-than-as-of", f"positions are those of {book.position_date}")
        )
    if sample.fit.asynchronous[at]:
        notes.append(
            warning(
                "asynchronous",
                "the portfolio moves with the benchmark of a neighboring session; this beta is too"
                " small in size",
            )
        )
    notes += _peak_warning(sample, at)
    rows = sample.rows[-group.window - 1 :]
    notes += window_warnings(group.window, rows)
    notes += gap_warnings(market, sample.benchmark_series, rows)
    least = float(sample.coverage[at].min()) if sample.coverage.size else 1.0
    if least < 1.0:
        notes.append(
            warning(
                "incomplete-coverage",
                f"on some sessions only {least:.1%} of gross exposure has a return; the rest is"
                " scaled up, and sessions under 50% are left out",
            )
        )
    held = {market.instrument(pk).is_synthetic for pk in sample.series}
    if True in held:
        notes.append(warning("synthetic-data", "prices were made by a model, not by a market"))
    return notes
