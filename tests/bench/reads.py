"""Cases 17 and 18: one stored result against a bare view, lists against ModelSerializer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import partial

from analytics.models import Run
from portfolios.identifiers import uuid7
from portfolios.models import Client, Instrument, Portfolio, Price
from portfolios.tenancy import operator_scope
from tests.bench.connections import fire
from tests.bench.timing import Goal, goals, interleaved, show
from tests.flows.service import Api, Service

READS, LISTS = 400, 100
_BARE = "bare Django view, no middleware"


def run(service: Service) -> bool:
    """Both cases; whether their floors hold."""
    sample = service.load_sample()
    api = Api(service.base_url, sample["api_key"])
    key = {"Authorization": f"Bearer {sample['api_key']}"}
    asked = sample["analyses"]["semiconductor-beta"]
    answer = api.post("/v1/analyses/semiconductor-beta", asked, Prefer="wait=20")
    assert answer.status == 200, answer.content
    unit = f"/v1/runs/{answer.json['id']}/units/{next(iter(answer.json['units']))}"
    held = api.get(unit)
    assert held.status == 200
    lines = [_stored_result(service, unit, key, len(held.content))]
    client = _fill(sample["portfolio"] if "portfolio" in sample else asked["portfolio"])
    symbol = _priced()
    for name, path, peer in (
        ("portfolios", "/v1/portfolios", "portfolios"),
        ("runs", "/v1/runs", "runs"),
        ("prices", f"/v1/prices?instrument={symbol}", f"prices?instrument={symbol}"),
    ):
        assert len(api.get(path).json["data"]) == 100
        lines.append(_list(service.port, name, path, f"/bench/{client.pk}/{peer}", key))
    return goals("Goals of reads", lines)


def _stored_result(service: Service, unit: str, key: Mapping[str, str], size: int) -> Goal:
    bare = service.launch_beside("tests.bench.bare_settings")
    rows = interleaved(
        {
            _BARE: partial(fire, bare, "/bench/bare", {}, requests=READS),
            "bare Django view, the product's middleware": partial(
                fire, service.port, "/bench/bare", {}, requests=READS
            ),
            "stored result": partial(fire, service.port, unit, key, requests=READS),
        },
        work=READS,
        unit="requests/s",
    )
    show(
        f"17. One stored result of {size:,} bytes: key, quota, scope, row-level security",
        rows,
        baseline=_BARE,
        note="4 kept connections, 1 process; the load generator shares the cores",
    )
    stored = rows[-1].each
    show("17b. The same beside a view behind the same middleware", rows[1:], baseline=rows[1].name)
    return Goal(
        "17", "stored result / bare view without middleware", rows[0].each / stored, 0.25, 0.5
    )


def _list(port: int, name: str, path: str, peer: str, key: Mapping[str, str]) -> Goal:
    contenders: dict[str, Callable[[], None]] = {
        "ModelSerializer": partial(fire, port, peer, {}, requests=LISTS),
        f"GET {path}": partial(fire, port, path, key, requests=LISTS),
    }
    rows = interleaved(contenders, work=LISTS, unit="requests/s")
    show(
        f"18. A hundred {name}",
        rows,
        baseline="ModelSerializer",
        note="the peer has no key, no quota, no filters, no cursor",
    )
    return Goal("18", f"100 {name} / ModelSerializer", rows[0].each / rows[1].each, 4.0, 8.0)


def _fill(portfolio: str) -> Client:
    """A hundred more portfolios and runs of the portfolio's client."""
    pk = portfolio.partition("_")[2]
    with operator_scope():
        book = Portfolio.objects.select_related("client").get(pk=pk)
        Portfolio.objects.bulk_create(
            Portfolio(
                client=book.client,
                name=f"Book {number:03}",
                external_id=f"book-{number}",
                benchmark_id=book.benchmark_id,
                market_benchmark_id=book.market_benchmark_id,
            )
            for number in range(120)
        )
        Run.objects.bulk_create(
            Run(
                id=uuid7(),
                client=book.client,
                kind=Run.Kind.SEMICONDUCTOR_BETA,
                portfolio=book,
                as_of=date(2026, 1, 2),
                known_at=datetime.now(UTC),
                params_hash=f"{number:064x}",
                inputs_hash=f"{number:064x}",
                method_version="semi-beta/1.0.0",
                status=Run.Status.SUCCEEDED,
                finished_at=datetime.now(UTC),
            )
            for number in range(120)
        )
        return book.client


def _priced() -> str:
    """Some instrument with a long history."""
    with operator_scope():
        pk = Price.objects.order_by("session").values_list("instrument", flat=True)[0]
        return Instrument.objects.get(pk=pk).symbol
