"""Two clients with one object of every kind that an address can name.

Whatever belongs to the foreign one carries `MARK` in its texts, so an answer that shows any of it
gives itself away.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from analytics.models import Replay, Report, Result, Run, Unit
from analytics.reporting.record import PortfolioFigures, content_hash, report_record
from portfolios.models import Delivery, Event, Import, ImportProblem, WebhookEndpoint
from portfolios.tenancy import operator_scope
from portfolios.webhooks.signing import seal, secret_make
from tests.analytics.reporting import example
from tests.callers import Caller, caller_create

#: In every text of the foreign client's rows.
MARK = "OMEGASECRET"
DAY = "2025-08-29"
#: Days of the example of a report, moved so that it ends on `DAY`.
_EARLIER = {"2026-11-20": DAY, "2025-11-19": "2024-08-28", "2026-10-22": "2025-07-30"}


@dataclass
class Side:
    """A client and the names under which its objects are addressed."""

    caller: Caller
    names: dict[str, str]


def side_create(slug: str, text: str) -> Side:
    """A client whose every object has `text` in it."""
    return side_of(caller_create(slug), text)


def side_of(caller: Caller, text: str) -> Side:
    """Objects of every kind for a client."""
    symbol = text.upper()
    made = {"symbol": symbol, "kind": "etf", "name": text, "currency": "USD"}
    assert caller.post("/v1/instruments", made).status == 201
    index = {"symbol": f"{symbol}.IX", "kind": "index", "name": text}
    assert caller.post("/v1/instruments", index).status == 201
    terms = {
        "valid_from": "2020-01-02", "multiple": "-3", "reference_index": f"{symbol}.IX",
        "expense_ratio": "0.01", "source": text,
    }  # fmt: skip
    assert caller.post(f"/v1/instruments/{symbol}/leverage-terms", terms).status == 201
    closes = [{"instrument": symbol, "session": day, "close": "10"} for day in ("2025-08-28", DAY)]
    assert caller.post("/v1/prices", {"prices": closes, "source": text}).status == 200
    rate = {"base": "EUR", "quote": "USD", "session": DAY, "rate": "1.1"}
    assert caller.post("/v1/fx-rates", {"rates": [rate], "source": text}).status == 200
    action = {"instrument": symbol, "ex_date": DAY, "kind": "distribution", "amount": "0.1"}
    sent = {"actions": [action], "source": text}
    assert caller.post("/v1/corporate-actions", sent).status == 200
    book = {"name": text, "external_id": text, "benchmark": f"{symbol}.IX"}
    portfolio = caller.post("/v1/portfolios", book).body["id"]
    held = caller.put(
        f"/v1/portfolios/{portfolio}/positions?as_of={DAY}",
        {"positions": [{"instrument": symbol, "quantity": "1", "tags": [text]}], "source": text},
    )
    names = {
        "portfolio_id": portfolio,
        "position_set_id": held.body["id"],
        "instrument": symbol,
        "calendar": "XNYS",
        "method": "semiconductor-beta",
        "version": "1.0.0",
        **_derived(caller, portfolio, text),
    }
    return Side(caller, names)


def _derived(caller: Caller, portfolio: str, text: str) -> dict[str, str]:
    """What workers make, written as they would."""
    client = caller.client
    with operator_scope():
        run = Run.objects.create(
            client=client, kind=Run.Kind.SEMICONDUCTOR_BETA,
            portfolio_id=_uuid(portfolio), as_of=date(2025, 8, 29), known_at=datetime.now(UTC),
            method_version="semi-beta/1", status=Run.Status.SUCCEEDED, request_id=text,
            inputs_hash="0" * 64,
        )  # fmt: skip
        unit = Unit.objects.create(
            client=client, run=run, name=text, ordinal=0, params={"benchmark": text}, state="done"
        )
        Result.objects.create(
            client=client, unit=unit, status="ok", content_hash=text,
            body=f'{{"result":{{"label":"{text}"}}}}', inputs={"label": text},
        )  # fmt: skip
        Replay.objects.create(client=client, run=run, state="done", outcome={"units": {text: None}})
        record = _record(caller, portfolio, text)
        report = Report.objects.create(
            client=client, business_date=date(2025, 8, 29), state="done", html=f"<p>{text}</p>",
            pdf=text.encode(), content_hash=content_hash(record), record=record,
        )  # fmt: skip
        imported = Import.objects.create(
            client=client, filename=text, sha256=text, kind="prices", status="done", state="done",
            content=text.encode(), rows_in=1, rows_rejected=1,
        )  # fmt: skip
        ImportProblem.objects.create(
            client=client, imported=imported, row=1, code="x", value=text, message=text
        )
        event = Event.objects.create(
            client=client, type="run.finished", object_id=text, link=text, status="failed"
        )
        endpoint = WebhookEndpoint.objects.create(
            client=client, url=f"https://{text.lower()}.example.com/hook", description=text,
            secret=seal(secret_make().encode()),
        )  # fmt: skip
        delivery = Delivery.objects.create(
            client=client, event=event, endpoint=endpoint, log=[{"answer": text}]
        )
    return {
        "event_id": event.public_id,
        "endpoint_id": endpoint.public_id,
        "delivery_id": delivery.public_id,
        "run_id": run.public_id,
        "name": text,
        "report_id": report.public_id,
        "import_id": imported.public_id,
    }


def _record(caller: Caller, portfolio: str, text: str) -> dict[str, Any]:
    """A night of one portfolio with figures, as the report's maker writes it."""
    beta, hedge, drag = example.beta_item(), example.hedge_item(), example.drag_item()
    for row in (*beta["result"]["contributions"], *drag["result"]["funds"]):
        row["symbol"] = text
    measures = {"semiconductor-beta": beta, "hedge-effectiveness": hedge, "leveraged-drag": drag}
    dated = json.dumps(measures)
    for day, earlier in _EARLIER.items():
        dated = dated.replace(day, earlier)
    return report_record(
        client={"id": caller.client.public_id, "name": text, "synthetic": False},
        business_date=date(2025, 8, 29),
        revision=1,
        known_at=datetime.now(UTC),
        portfolios=[
            PortfolioFigures(portfolio, text, text, "USD", f"{text}.IX", json.loads(dated))
        ],
        previous=None,
    )


def _uuid(public: str) -> str:
    return public.partition("_")[2]
