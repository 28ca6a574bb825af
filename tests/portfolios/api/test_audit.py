"""Everything that was done is found again by the id of the request that did it."""

from __future__ import annotations

import io
import logging
from datetime import date
from decimal import Decimal
from urllib.parse import quote

import pytest

from portfolios.models import AuditEvent, Instrument, LeverageTerms
from portfolios.tenancy import operator_scope
from riskapi.logs import CorrelationFilter, RedactKeysFilter
from tests.callers import Caller

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_change_is_found_by_the_id_of_its_request(caller: Caller) -> None:
    made = caller.post("/v1/portfolios", {"name": "Book"})
    caller.post("/v1/portfolios", {"name": "Other"})
    answer = caller.get(f"/v1/audit?request_id={made.headers['Request-Id']}")
    assert answer.status == 200, answer.content
    (event,) = answer.body["data"]
    assert event.pop("created_at")
    assert event.pop("detail") is not None
    assert event == {
        "actor": f"key:{caller.key.key_id}",
        "action": "portfolio.create",
        "object": made.body["id"],
        "request_id": made.headers["Request-Id"],
        "client_request_id": None,
        "traceparent": None,
    }


def test_what_callers_call_a_request_is_echoed_and_kept(caller: Caller) -> None:
    name = 'order=7;"desk"'
    unusable = caller.post("/v1/portfolios", {"name": "Book"}, Client_Request_Id="two words")
    assert "Client-Request-Id" not in unusable.headers
    made = caller.post("/v1/portfolios", {"name": "B"}, Client_Request_Id=name, traceparent=TRACE)
    assert made.headers["Client-Request-Id"] == name
    assert made.headers["traceparent"] == TRACE
    found = caller.get(f"/v1/audit?client_request_id={quote(name)}").body["data"]
    assert [(row["object"], row["traceparent"]) for row in found] == [(made.body["id"], TRACE)]


def test_a_run_keeps_them_too(caller: Caller, market: dict[str, Instrument]) -> None:
    with operator_scope():
        LeverageTerms.objects.create(
            instrument=market["SOXL"], valid_from=date(2021, 8, 25), multiple=3,
            reference_index=market["NYSESEMI"], expense_ratio=Decimal("0.0095"),
        )  # fmt: skip
    body = {"units": {"main": {"instrument": "SOXL", "from": "2026-10-30", "to": "2026-11-20"}},
            "as_of": "2026-11-20"}  # fmt: skip
    named = {"Client_Request_Id": "drag-1", "traceparent": TRACE}
    answer = caller.post("/v1/analyses/leveraged-drag", body, **named)
    assert answer.status == 202, answer.content
    (event,) = caller.get(f"/v1/audit?object={answer.body['id']}").body["data"]
    assert (event["action"], event["client_request_id"], event["traceparent"]) == (
        "run.requested", "drag-1", TRACE,
    )  # fmt: skip


@pytest.mark.parametrize(
    "trace",
    ["", "00-0-0-00", TRACE.upper(), TRACE + "-x", "ff" + TRACE[2:], TRACE.replace("4bf9", "0"),
     "00-" + "0" * 32 + "-00f067aa0ba902b7-01"],
)  # fmt: skip
def test_traceparent_of_another_form_is_taken_for_none(caller: Caller, trace: str) -> None:
    made = caller.post("/v1/portfolios", {"name": "Book"}, traceparent=trace)
    assert made.status == 201
    assert "traceparent" not in made.headers
    with operator_scope():
        assert AuditEvent.objects.get(client=caller.client).traceparent == ""


def test_named_requests_are_logged_with_their_names(caller: Caller) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("{message}{correlation}", style="{"))
    handler.addFilter(CorrelationFilter())
    handler.addFilter(RedactKeysFilter())
    logger = logging.getLogger("riskapi.api.middleware")
    logger.addHandler(handler)
    try:
        caller.get("/v1/portfolios")
        answer = caller.get("/v1/portfolios/a%0Ab", Client_Request_Id="mine", traceparent=TRACE)
    finally:
        logger.removeHandler(handler)
    assert stream.getvalue() == (
        f"GET /v1/portfolios/a%0Ab 404 request_id={answer.headers['Request-Id']}"
        f" client_request_id=mine traceparent={TRACE}\n"
    )


def test_outsider_sees_nothing_of_it(caller: Caller, outsider: Caller) -> None:
    made = caller.post("/v1/portfolios", {"name": "Book"})
    for query in ("", f"?object={made.body['id']}", f"?request_id={made.headers['Request-Id']}"):
        assert outsider.get(f"/v1/audit{query}").body["data"] == []


def test_what_belongs_to_no_client_is_seen_by_none(caller: Caller) -> None:
    with operator_scope():
        AuditEvent.objects.create(actor="address:x", action="authentication.limited", object_id="x")
    assert caller.get("/v1/audit").body["data"] == []


def test_key_without_the_scope_is_refused(reader: Caller) -> None:
    answer = reader.get("/v1/audit")
    assert (answer.status, answer.code) == (403, "insufficient-scope")
    assert answer.body["required_scope"] == "audit:read"


def test_pages_are_the_latest_first_and_filters_narrow(caller: Caller) -> None:
    ids = [caller.post("/v1/portfolios", {"name": f"Book {n}"}).body["id"] for n in range(5)]
    seen: list[str] = []
    url: str | None = "/v1/audit?limit=2"
    while url:
        page = caller.get(url).body
        seen += [row["object"] for row in page["data"]]
        url = page["next_url"]
    assert seen == ids[::-1]
    assert caller.get("/v1/audit?actor=key:nobody").body["data"] == []
    mine = caller.get(f"/v1/audit?actor=key:{caller.key.key_id}&action=portfolio.create")
    assert len(mine.body["data"]) == 5
    assert caller.get("/v1/audit?created_at__gt=2099-01-01T00:00:00Z").body["data"] == []
    assert caller.get("/v1/audit?subject=x").code == "unknown-parameter"
