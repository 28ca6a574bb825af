"""Case 19: all three analyses of one portfolio of 200 positions over 2,520 sessions."""

from __future__ import annotations

import functools
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import numpy as np
import statsmodels.api as sm

from analytics.calculations.runner import compute_unit
from analytics.engine.beta import semiconductor_beta
from analytics.engine.hedge import regression_test, variance_reduction
from analytics.engine.leverage import return_decomposition
from analytics.engine.types import FloatArray
from analytics.models import Unit
from portfolios.feeds.sessions import sessions_between
from portfolios.models import Client, Instrument, LeverageTerms, Portfolio, Price
from portfolios.services.api_keys import api_key_create
from portfolios.services.data_version import data_version_bump
from portfolios.services.facts import facts_append
from portfolios.services.portfolios import portfolio_create
from portfolios.services.positions import position_set_put
from portfolios.tenancy import client_scope, operator_scope
from tests.bench.timing import interleaved, latencies, shares, show
from tests.flows.service import Api, Service

#: A worker that was just started warms up before it takes work.
WARMING_SECONDS = 5.0
NAMES, SESSIONS, REQUESTS, CONNECTIONS = 200, 2_520, 60, 4
INDEX, BROAD, BULL, BEAR = "BENCHIX", "BENCHMKT", "BENCHUP", "BENCHDN"
LAST = date(2026, 10, 30)
KINDS = ("semiconductor-beta", "hedge-effectiveness", "leveraged-drag")


def run(service: Service) -> None:
    """The engine alone, then the same through HTTP, PostgreSQL and a worker."""
    returns = _returns()
    client, portfolio, first = _load(returns)
    engine = _engine(returns)
    with operator_scope():
        _, key = api_key_create(client, "bench")
    api = Api(service.base_url, key)
    http = _http(service, api, portfolio.public_id, first)
    calculation = _calculation(client, portfolio)
    _where(engine, calculation, http)


def _returns() -> FloatArray:
    """Market, index, names: (n_obs, 2 + NAMES)."""
    generator = np.random.default_rng(19)
    market = 0.01 * generator.standard_normal(SESSIONS)
    index = 1.4 * market + 0.015 * generator.standard_normal(SESSIONS)
    own = 0.015 * generator.standard_normal((SESSIONS, NAMES))
    names = index[:, np.newaxis] * generator.uniform(0.5, 1.6, NAMES) + own
    result: FloatArray = np.column_stack([market, index, names])
    return result


def _load(returns: FloatArray) -> tuple[Client, Portfolio, date]:
    """Prices of 204 instruments, one book of 198 names and both funds."""
    days: list[date] = sessions_between(
        np.datetime64("2010-01-04"), np.datetime64(LAST), "XNYS"
    ).tolist()[-(SESSIONS + 1) :]
    index = returns[:, 1]
    series = np.column_stack([returns, 3 * index, -3 * index])
    levels = 100 * np.vstack([np.ones(series.shape[1]), np.cumprod(1 + series, axis=0)])
    symbols = [BROAD, INDEX, *(f"NAME{n}" for n in range(NAMES)), BULL, BEAR]
    with operator_scope():
        made = Instrument.objects.bulk_create(
            Instrument(symbol=symbol, kind="index" if symbol == INDEX else "etf")
            for symbol in symbols
        )
        known = {instrument.symbol: instrument for instrument in made}
        for symbol, multiple in ((BULL, 3), (BEAR, -3)):
            LeverageTerms.objects.create(
                instrument=known[symbol],
                valid_from=days[0],
                multiple=multiple,
                reference_index=known[INDEX],
                expense_ratio="0.01",
            )
        facts_append(
            Price,
            client_id=None,
            keys=("instrument_id", "session"),
            values=("close", "total_return_index"),
            rows=(
                (instrument.pk, day, float(level), float(level))
                for instrument, column in zip(made, levels.T, strict=True)
                for day, level in zip(days, column, strict=True)
            ),
            source="bench",
        )
        data_version_bump(None)
        client = Client.objects.create(name="Bench", slug="bench")
    held = [f"NAME{n}" for n in range(NAMES - 2)]
    lines = [{"instrument": name, "quantity": "100", "tags": ["semis"]} for name in held]
    lines += [{"instrument": name, "quantity": "50", "tags": []} for name in (BULL, BEAR)]
    with client_scope(client.id):
        portfolio = portfolio_create(
            client=client, name="200 positions", benchmark=INDEX, market_benchmark=BROAD
        )
        position_set_put(client=client, portfolio=portfolio, as_of=LAST, positions=lines)
    return client, portfolio, days[0]


def _units(first: date) -> dict[str, dict[str, Any]]:
    return {
        "semiconductor-beta": {"main": {"window": SESSIONS}},
        "hedge-effectiveness": {
            "main": {
                "hedged_item": {"tag": "semis"},
                "hedging": [{"instrument": BEAR}],
                "window": SESSIONS,
            }
        },
        "leveraged-drag": {
            "main": {"instrument": BEAR, "from": first.isoformat(), "to": LAST.isoformat()}
        },
    }


def _engine(returns: FloatArray) -> float:
    """The three headline answers on arrays, against statsmodels; median seconds of ours."""
    x = returns[:, 1]
    weights = np.full(NAMES, 1 / NAMES)
    fund = -3 * x

    def ours() -> None:
        portfolio = returns[:, 2:] @ weights
        semiconductor_beta(portfolio, x)
        regression_test(portfolio, fund, hedge_notional=1 / 3)
        variance_reduction(portfolio, fund, hedge_notional=1 / 3)
        return_decomposition(x, fund, -3.0, risk_free_annual=0.0, expense_annual=0.0)

    def peer() -> None:
        portfolio = returns[:, 2:] @ weights
        hac = {"maxlags": 8, "use_correction": True}
        sm.OLS(portfolio, sm.add_constant(x)).fit(cov_type="HAC", cov_kwds=hac)
        sm.OLS(portfolio, sm.add_constant(fund / 3)).fit(cov_type="HAC", cov_kwds=hac)
        _ = 1 - np.var(portfolio + fund / 3) / np.var(portfolio)
        _ = np.prod(1 - 3 * x) - 1

    rows = interleaved({"statsmodels": peer, "engine": ours}, work=1, unit="portfolios/s")
    show(
        f"19a. Headline numbers of three analyses, arrays in memory, {SESSIONS:,} sessions",
        rows,
        baseline="statsmodels",
        note="the peer makes fewer numbers: no intervals of R2, no test criteria, no path terms",
    )
    return rows[1].median


def _calculation(client: Client, portfolio: Portfolio) -> float:
    """The same units in this process: tables to results, without HTTP, queue and storage."""
    with client_scope(client.id):
        units = [
            Unit.objects.select_related("run")
            .filter(run__portfolio_id=portfolio.id, run__kind=kind)
            .latest("run__created_at")
            for kind in KINDS
        ]
    rows = interleaved(
        {str(unit.run.kind): functools.partial(compute_unit, unit) for unit in units},
        work=1,
        unit="units/s",
    )
    show("19b. compute_unit in one process: read, value, compute", rows, baseline=rows[0].name)
    return sum(row.median for row in rows)


def _http(service: Service, api: Api, portfolio: str, first: date) -> dict[str, list[float]]:
    """POST with `Prefer: wait` to 200, one caller, then four; seconds by kind."""
    units = _units(first)

    def one(kind: str) -> float:
        body = {"portfolio": portfolio, "as_of": LAST.isoformat(), "force": True}
        began = time.perf_counter()
        answer = api.post(f"/v1/analyses/{kind}", {**body, "units": units[kind]}, Prefer="wait=20")
        taken = time.perf_counter() - began
        assert answer.status == 200, answer.content
        assert answer.json["units"]["main"]["status"] == "ok", answer.content
        return taken

    def three(_: int) -> float:
        return sum(one(kind) for kind in KINDS)

    three(0)  # the panel of these prices is built once, whoever starts later
    for name in ("web", "worker"):
        service.kill(name)
    service.mend()
    time.sleep(WARMING_SECONDS)
    cold = [three(0)]
    for _ in range(4):
        three(0)
    alone = {kind: [one(kind) for _ in range(REQUESTS // 3)] for kind in KINDS}
    alone["all three, one after the other"] = [three(0) for _ in range(REQUESTS // 3)]
    floor = []
    for _ in range(REQUESTS):
        began = time.perf_counter()
        assert api.get("/v1/me").status == 200
        floor.append(time.perf_counter() - began)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        crowd = list(pool.map(three, range(REQUESTS)))
    samples = {"first of all, after the start": cold, "GET /v1/me": floor, **alone}
    samples[f"all three, {CONNECTIONS} connections"] = crowd
    latencies(
        f"19c. POST to 200 over HTTP, {NAMES} positions x {SESSIONS:,} sessions",
        samples,
        note="a new connection for each request; goal: p50 25 ms, p99/p50 2 at 4 connections;"
        " floor 100 ms and 4",
    )
    return samples


def _where(engine: float, calculation: float, http: dict[str, list[float]]) -> None:
    """What one request for all three spends its time on."""
    total = statistics.median(http["all three, one after the other"])
    requests = 3 * statistics.median(http["GET /v1/me"])
    shares(
        "19d. Where the time of all three goes, one caller, p50",
        {
            "HTTP, key, scope: three times GET /v1/me": requests,
            "compute_unit: reading, valuing, all numbers": calculation,
            "the rest: rows, hint, claim, wake-up, waiting, result": total - requests - calculation,
        },
        note=f"of compute_unit, {1e3 * engine:,.1f} ms are the headline numbers of 19a",
    )
