"""POST /v1/imports and what became of the file."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as HttpClient

from portfolios.models import Import, Instrument
from portfolios.services.imports import import_perform
from portfolios.tenancy import operator_scope
from tests.callers import Answer, Caller

Market = dict[str, Instrument]
GOOD = b"Date,Open,High,Low,Close,Volume\n" + b"".join(
    b"2026-11-%d,100,102,99,%d,1000\n" % (day, 100 + day % 3) for day in (16, 17, 18, 19, 20)
)


def _send(
    caller: Caller, content: bytes = GOOD, query: str = "filename=NVDA.csv", key: str = "k1"
) -> Answer:
    return caller.post(
        f"/v1/imports?{query}", raw=content, content_type="text/csv", Idempotency_Key=key
    )


def test_file_is_accepted_then_judged(caller: Caller, market: Market) -> None:
    accepted = _send(caller)
    assert accepted.status == 202
    assert accepted.body["status"] == "received"
    path = accepted.headers["Location"]
    with operator_scope():
        import_id = Import.objects.get().id
    assert import_perform(import_id)
    done = caller.get(path).body
    assert done["status"] == "done"
    assert done["rows"] == {"in": 5, "accepted": 5, "rejected": 0, "changed": 5}
    closes = caller.get("/v1/prices?instrument=NVDA").body["data"]
    assert [float(row["close"]) for row in closes] == [101, 102, 100, 101, 102]
    assert all(row["own"] for row in closes)


def test_refused_rows_are_listed_with_reasons(caller: Caller, market: Market) -> None:
    broken = GOOD + b"2026-11-23,100,102,99,abc,1000\n"
    path = _send(caller, broken, "filename=NVDA.csv&mode=partial").headers["Location"]
    with operator_scope():
        import_id = Import.objects.get().id
    import_perform(import_id)
    rows = caller.get(path).body["rows"]
    assert rows["in"] == rows["accepted"] + rows["rejected"] == 6
    problems = caller.get(f"{path}/errors").body["data"]
    assert problems
    assert {"row", "column", "code", "value", "message", "suggestion"} == problems[0].keys()
    assert (problems[0]["column"], problems[0]["suggestion"]) == ("close", None)


def test_same_file_is_the_same_import(caller: Caller, market: Market) -> None:
    first = _send(caller, key="k1")
    again = _send(caller, key="k2")
    assert again.body["id"] == first.body["id"]
    with operator_scope():
        assert Import.objects.count() == 1


def test_same_file_after_its_end_needs_no_waiting(caller: Caller, market: Market) -> None:
    first = _send(caller, key="k1")
    with operator_scope():
        import_perform(Import.objects.get().id)
    again = _send(caller, key="k2")
    assert (first.status, first.headers["Retry-After"]) == (202, "1")
    assert (again.status, again.body["status"]) == (200, "done")
    assert again.headers["Location"] == first.headers["Location"]
    assert "Retry-After" not in again.headers


def test_same_key_is_answered_as_before_and_guards_the_content(
    caller: Caller, market: Market
) -> None:
    first = _send(caller)
    again = _send(caller)
    assert again.content == first.content
    assert again.headers["Idempotency-Replayed"] == "true"
    assert _send(caller, GOOD + b"\n").code == "idempotency-key-reused"


def test_form_upload_is_taken_too(caller: Caller, market: Market) -> None:
    response = HttpClient().post(
        "/v1/imports?kind=prices",
        {"file": SimpleUploadedFile("NVDA.csv", GOOD)},
        headers={"Authorization": f"Bearer {caller.text}", "Idempotency-Key": "k1"},
    )
    assert response.status_code == 202, response.content
    assert response.json()["filename"] == "NVDA.csv"


@pytest.mark.parametrize(
    ("content", "query", "status", "code"),
    [
        (b"", "filename=a.csv", 400, "malformed-request"),
        (GOOD, "", 400, "bad-parameter"),
        (GOOD, "filename=a.csv&kind=novel", 400, "bad-parameter"),
        (GOOD, "filename=a.csv&mode=some", 400, "bad-parameter"),
        (GOOD, "filename=a.csv&dryrun=true", 400, "unknown-parameter"),
        (GOOD, "filename=a.csv&portfolio=pf_" + "0" * 32, 404, "not-found"),
        (b"0" * 20_000_001, "filename=a.csv", 413, "payload-too-large"),
        (b"0" * 20_020_000, "filename=a.csv", 413, "payload-too-large"),
    ],
)
def test_upload_that_cannot_be_taken_is_refused(
    caller: Caller, content: bytes, query: str, status: int, code: str
) -> None:
    answer = _send(caller, content, query)
    assert (answer.status, answer.code) == (status, code)
    with operator_scope():
        assert not Import.objects.exists()


def test_outsider_sees_nothing_of_it(caller: Caller, outsider: Caller, market: Market) -> None:
    path = _send(caller).headers["Location"]
    assert outsider.get(path).code == "not-found"
    assert outsider.get(f"{path}/errors").code == "not-found"
    assert outsider.get("/v1/imports").body["data"] == []
    assert len(caller.get("/v1/imports").body["data"]) == 1


POSITIONS = b"portfolio,as_of,instrument,quantity\nb7,2026-11-20,NVDA,5\nb7,2026-11-20,NVDX,5\n"


def test_positions_are_refused_by_row_with_suggestions(caller: Caller, market: Market) -> None:
    caller.post("/v1/portfolios", {"name": "Book", "external_id": "b7"})
    path = _send(caller, POSITIONS, "filename=b.csv&kind=positions").headers["Location"]
    with operator_scope():
        import_id = Import.objects.get().id
    assert import_perform(import_id)
    body = caller.get(path).body
    assert body["status"] == "refused"
    assert body["rows"] == {"in": 2, "accepted": 0, "rejected": 2, "changed": 0}
    problem = next(p for p in caller.get(f"{path}/errors").body["data"] if p["row"] == 3)
    assert (problem["column"], problem["code"]) == ("instrument", "unknown-instrument")
    assert (problem["value"], problem["suggestion"]) == ("NVDX", "NVDA")


def test_positions_are_seen_and_sent_by_keys_for_portfolios_alone(
    caller: Caller, market: Market
) -> None:
    path = _send(caller, POSITIONS, "filename=b.csv&kind=positions").headers["Location"]
    desk = caller.with_key(scopes=["prices:read", "prices:write"])
    refused = _send(desk, POSITIONS, "filename=b.csv&kind=positions", key="k2")
    assert refused.body["required_scope"] == "portfolios:write"
    assert desk.get(path).code == "not-found"
    assert desk.get(f"{path}/errors").code == "not-found"
    assert desk.get("/v1/imports").body["data"] == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("as_of=2026-11-20", "bad-parameter"),
        ("kind=positions&as_of=2026-11-21", "not-a-session"),
        ("kind=positions&as_of=soon", "bad-parameter"),
    ],
)
def test_date_of_positions_is_checked_at_the_door(caller: Caller, query: str, code: str) -> None:
    answer = _send(caller, POSITIONS, f"filename=b.csv&{query}")
    assert answer.code == code
    assert [culprit["pointer"] for culprit in answer.body["errors"]] == ["?as_of"]
    with operator_scope():
        assert not Import.objects.exists()


def test_read_only_key_cannot_send(reader: Caller) -> None:
    assert _send(reader).code == "insufficient-scope"


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip"])
def test_an_encoding_that_is_not_undone_is_refused(
    caller: Caller, market: Market, encoding: str
) -> None:
    answer = caller.post(
        "/v1/imports?filename=NVDA.csv",
        raw=GOOD,
        content_type="text/csv",
        Idempotency_Key="k1",
        Content_Encoding=encoding,
    )
    assert (answer.status, answer.code) == (415, "unsupported-media-type")
    with operator_scope():
        assert not Import.objects.exists()
