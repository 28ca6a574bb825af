"""Rows behind every GET: what a test of query counts fills the service with, `n` of each.

A maker gets the caller and `n`, writes `n` rows of its tables and answers with the path parameters
that lead to them. A new endpoint needs its parameters made here, and a line in query_counts.json.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from analytics.models import Replay, Report, Result, Run, Unit
from analytics.reporting.record import PortfolioFigures, content_hash, report_record
from portfolios.identifiers import public_id
from portfolios.models import (
    Client,
    CorporateAction,
    Delivery,
    Event,
    FxRate,
    Import,
    ImportProblem,
    Instrument,
    LeverageTerms,
    Portfolio,
    Position,
    PositionSet,
    Price,
    WebhookEndpoint,
)
from portfolios.selectors.calendars import sessions_between
from portfolios.tenancy import client_scope
from tests.analytics.reporting import example
from tests.callers import Caller

Parameters = dict[str, str]
Maker = Callable[[Client, int], Parameters]

SESSIONS = sessions_between("XNYS", date(2025, 1, 2), date(2025, 3, 31))
RECORDED = datetime(2025, 6, 2, 12, tzinfo=UTC)
_BODY = '{"result":{"nav":{"unit":"USD","value":"1.00"}},"status":"ok"}'


def fill(caller: Caller, n: int) -> Parameters:
    """`n` rows of everything, and the parameters of all paths."""
    parameters: Parameters = {}
    with client_scope(caller.client.pk):
        for maker in MAKERS:
            parameters |= maker(caller.client, n)
    return parameters


def _facts(client: Client, n: int) -> Parameters:
    index = Instrument.objects.create(client=client, symbol="INDEX", kind="index")
    fund = Instrument.objects.create(client=client, symbol="FUND", kind="etf", proxy=index)
    shares = [
        Instrument.objects.create(client=client, symbol=f"SHARE{at}", kind="equity")
        for at in range(n)
    ]
    days = SESSIONS[:n]
    for day in days:
        LeverageTerms.objects.create(
            client=client, instrument=fund, valid_from=day, multiple=3, reference_index=index,
            expense_ratio="0.01",
        )  # fmt: skip
        Price.objects.create(client=client, instrument=fund, session=day, close=Decimal(10))
        FxRate.objects.create(
            client=client, base="EUR", quote="USD", session=day, rate=Decimal("1.1")
        )
        CorporateAction.objects.create(
            client=client, instrument=fund, ex_date=day, kind="split", new_shares=1, old_shares=2
        )
    portfolios = [
        Portfolio.objects.create(client=client, name=f"Book {at}", benchmark=index)
        for at in range(n)
    ]
    for day in days:
        position_set = PositionSet.objects.create(
            client=client, portfolio=portfolios[0], as_of=day, checksum="0" * 64
        )
        Position.objects.bulk_create(
            Position(client=client, position_set=position_set, instrument=share, quantity=1)
            for share in shares
        )
    return {
        "instrument": "FUND",
        "calendar": "XNYS",
        "portfolio_id": portfolios[0].public_id,
        "position_set_id": position_set.public_id,
        "code": "not-found",
        "method": "semiconductor-beta",
        "version": "1.0.0",
    }


def _imports(client: Client, n: int) -> Parameters:
    imports = [
        Import.objects.create(
            client=client, filename=f"{at}.csv", sha256="0" * 64, state="done", status="done"
        )
        for at in range(n)
    ]
    ImportProblem.objects.bulk_create(
        ImportProblem(client=client, imported=imports[0], row=row, code="bad-number", message="No.")
        for row in range(n)
    )
    return {"import_id": imports[0].public_id}


def _runs(client: Client, n: int) -> Parameters:
    portfolio = Portfolio.objects.filter(client=client).order_by("pk")[0]
    runs = [
        Run.objects.create(
            client=client, kind="semiconductor-beta", portfolio=portfolio, as_of=SESSIONS[0],
            known_at=RECORDED, params_hash=f"{at}", inputs_hash="0", method_version="semi-beta/1",
            status="succeeded", finished_at=RECORDED,
        )
        for at in range(n)
    ]  # fmt: skip
    for ordinal in range(n):
        unit = Unit.objects.create(
            client=client, run=runs[0], name=f"unit{ordinal}", ordinal=ordinal, params={},
            state="done",
        )  # fmt: skip
        Result.objects.create(
            client=client, unit=unit, status="ok", body=_BODY, content_hash=f"{ordinal}"
        )
    for _ in range(n):
        Replay.objects.create(client=client, run=runs[0], state="done", outcome={"units": {}})
    return {"run_id": runs[0].public_id, "name": "unit0"}


def _reports(client: Client, n: int) -> Parameters:
    figures = [
        PortfolioFigures(
            book.public_id,
            book.name,
            "",
            "USD",
            "INDEX",
            {"semiconductor-beta": example.beta_item()},
        )
        for book in Portfolio.objects.filter(client=client).order_by("pk")
    ]
    reports = []
    for at in range(n):
        day = SESSIONS[0] + timedelta(days=at)
        record = report_record(
            client={"id": client.public_id, "name": client.name, "synthetic": False},
            business_date=day, revision=1, known_at=RECORDED, portfolios=figures, previous=None,
        )  # fmt: skip
        reports.append(
            Report.objects.create(
                client=client, business_date=day, state="done", known_at=RECORDED, record=record,
                html="<p>", pdf=b"%PDF-", content_hash=content_hash(record),
            )
        )  # fmt: skip
    return {"report_id": public_id(Report.ID_PREFIX, reports[0].pk)}


def _webhooks(client: Client, n: int) -> Parameters:
    endpoints = [
        WebhookEndpoint.objects.create(client=client, url=f"https://hooks.example.com/{at}")
        for at in range(n)
    ]
    deliveries = [
        Delivery.objects.create(
            client=client, endpoint=endpoints[0], event=Event.objects.create(
                client=client, type="run.finished", object_id=f"run_{at}", link="/", status="failed"
            ),
        )
        for at in range(n)
    ]  # fmt: skip
    return {"endpoint_id": endpoints[0].public_id, "delivery_id": deliveries[0].public_id}


MAKERS: tuple[Maker, ...] = (_facts, _imports, _runs, _reports, _webhooks)
