"""Lists as files: the same rows as in JSON, typed, whole, and safe in a spreadsheet."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from portfolios import exports
from portfolios.models import Instrument
from tests.callers import Answer, Caller

Market = dict[str, Instrument]
RATES = [
    {"base": "EUR", "quote": "USD", "session": f"2026-11-{day}", "rate": rate}
    for day, rate in (("18", "1.08123456789012345"), ("19", "1.0900"), ("20", "1.1"))
]
TYPES = {form.name: form.media_type for form in exports.FORMATS}


@pytest.fixture
def rates(caller: Caller) -> Caller:
    assert caller.post("/v1/fx-rates", {"rates": RATES, "source": "-desk"}).status == 200
    return caller


def rows_of(answer: Answer, form: str) -> list[dict[str, Any]]:
    assert answer.status == 200, answer.content
    assert answer.headers["Content-Type"].split(";")[0] == TYPES[form]
    if form == "csv":
        return list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))
    if form == "xlsx":
        sheet = openpyxl.load_workbook(io.BytesIO(answer.content))["data"]
        names, *rows = sheet.iter_rows(values_only=True)
        return [dict(zip(map(str, names), row, strict=True)) for row in rows]
    source = pa.BufferReader(answer.content)
    table = pq.read_table(source) if form == "parquet" else pa.ipc.open_stream(source).read_all()
    return list(table.to_pylist())


def test_no_cache_answers_in_one_form_what_was_asked_in_another(
    caller: Caller, market: Market
) -> None:
    book = caller.post("/v1/portfolios", {"name": "Semis"}).body["id"]
    path = f"/v1/portfolios/{book}/positions"
    positions = [{"instrument": "NVDA", "quantity": "1"}]
    assert caller.put(f"{path}?as_of=2026-11-20", {"positions": positions}).status == 201
    whole = caller.get(path)
    seen = {"If_None_Match": whole.headers["ETag"]}
    part, file = caller.get(f"{path}?fields=positions", **seen), caller.get(path, Accept="text/csv")
    again = caller.get(path, Accept="text/csv", **seen)
    assert (part.status, again.status, again.content) == (200, 200, file.content)
    assert "ETag" not in file.headers
    unchanged = caller.get(path, **seen)
    assert unchanged.status == 304
    refused = caller.get(f"{path}?format=xml")
    anybody = caller.send("GET", path, Authorization="")
    for answer in (whole, part, file, again, unchanged, refused, anybody):
        assert answer.headers["Vary"] == "Accept, Authorization", answer.status
    for kind in ("application/json", "text/html"):
        assert caller.get("/v1/errors", Accept=kind).headers["Vary"] == "Accept"


@pytest.mark.parametrize("form", TYPES)
@pytest.mark.parametrize("by_header", [True, False])
def test_every_format_has_the_rows_of_the_list(rates: Caller, form: str, by_header: bool) -> None:
    headers = {"Accept": TYPES[form]} if by_header else {}
    path = "/v1/fx-rates" if by_header else f"/v1/fx-rates?format={form}"
    answer = rates.get(path, **headers)
    listed = rates.get("/v1/fx-rates").body["data"]
    found = rows_of(answer, form)
    assert found[0].keys() - listed[0].keys() == {"resolved_from_known_at"}
    given = [float(row["rate"]) for row in found]
    assert given == pytest.approx([float(row["rate"]) for row in listed], rel=1e-15)
    assert f'filename="fx-rates.{form}"' in answer.headers["Content-Disposition"]


def test_decimals_are_exact_and_days_are_days(rates: Caller) -> None:
    for form in ("parquet", "arrow"):
        first = rows_of(rates.get(f"/v1/fx-rates?format={form}"), form)[0]
        assert first["rate"] == Decimal("1.08123456789012345")
        assert first["session"] == date(2026, 11, 18)
        assert first["recorded_at"].tzinfo is not None
    assert "1.08123456789012345" in rates.get("/v1/fx-rates?format=csv").content.decode()


def test_a_decimal_beyond_the_type_makes_its_column_exact_text(caller: Caller) -> None:
    rate = "0.0000000000000000000123"
    row = {"base": "EUR", "quote": "USD", "session": "2026-11-20", "rate": rate}
    caller.post("/v1/fx-rates", {"rates": [row]})
    answer = caller.get("/v1/fx-rates?format=parquet")
    assert rows_of(answer, "parquet")[0]["rate"] == rate
    field = pq.read_schema(pa.BufferReader(answer.content)).field("rate")
    assert b"decimal128" in field.metadata[b"decimal"]


def test_workbook_cells_are_typed_and_text_stays_text(rates: Caller) -> None:
    answer = rates.get("/v1/fx-rates?format=xlsx")
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content))["data"]
    names = [cell.value for cell in sheet[1]]
    cells = dict(zip(names, sheet[2], strict=True))
    assert {n: cells[n].data_type for n in ("rate", "session", "own", "source")} == {
        "rate": "n", "session": "d", "own": "b", "source": "s",
    }  # fmt: skip
    assert cells["source"].value == "-desk"
    assert isinstance(cells["recorded_at"].value, datetime)


def test_text_that_looks_like_a_formula_is_guarded_in_csv(rates: Caller) -> None:
    assert {row["source"] for row in rows_of(rates.get("/v1/fx-rates?format=csv"), "csv")} == {
        "'-desk"
    }


def test_filters_order_and_what_the_list_echoes_hold_for_the_file(
    caller: Caller, market: Market
) -> None:
    prices = [
        {"instrument": "NVDA", "session": f"2026-11-{day}", "close": close}
        for day, close in (("18", "100"), ("19", "101"), ("20", "102"))
    ]
    caller.post("/v1/prices", {"prices": prices})
    query = "instrument=NVDA&from=2026-11-19&sort=-session&format=arrow"
    rows = rows_of(caller.get(f"/v1/prices?{query}"), "arrow")
    assert [row["close"] for row in rows] == [102, 101]
    assert {(r["instrument_symbol"], r["currency"], r["synthetic"]) for r in rows} == {
        ("NVDA", "USD", False)
    }


def test_an_empty_list_is_a_file_of_columns(caller: Caller) -> None:
    for form in TYPES:
        assert rows_of(caller.get(f"/v1/portfolios?format={form}"), form) == []
    head = caller.get("/v1/portfolios?format=csv").content.decode().splitlines()[0]
    assert "benchmark_id,benchmark_symbol" in head


def test_format_decides_over_accept_and_json_is_one(rates: Caller) -> None:
    answer = rates.get("/v1/fx-rates?format=json", Accept="text/csv")
    assert len(answer.body["data"]) == 3
    assert rows_of(rates.get("/v1/fx-rates?format=csv", Accept="application/json"), "csv")


def test_cursor_holds_whether_json_is_named_or_not(rates: Caller) -> None:
    for first, rest in (("", "&format=json"), ("&format=json", "")):
        page = rates.get(f"/v1/fx-rates?limit=2{first}").body
        following = rates.get(f"/v1/fx-rates?limit=2&cursor={page['next_cursor']}{rest}")
        assert (following.status, len(following.body["data"])) == (200, 1)
    answer = rates.get(f"/v1/fx-rates?cursor={page['next_cursor']}", Accept="text/csv")
    assert (answer.status, answer.code) == (400, "bad-parameter"), "a file is the whole list"


@pytest.mark.parametrize(
    ("path", "accept", "status", "code"),
    [
        ("/v1/fx-rates?format=xml", "*/*", 400, "bad-parameter"),
        ("/v1/fx-rates?format=csv&limit=10", "*/*", 400, "bad-parameter"),
        ("/v1/fx-rates?format=csv&cursor=abc", "*/*", 400, "bad-cursor"),
        ("/v1/fx-rates?format=csv&colour=red", "*/*", 400, "unknown-parameter"),
        ("/v1/fx-rates", "application/xml", 406, "not-acceptable"),
        ("/v1/me?format=csv", "*/*", 400, "unknown-parameter"),
        ("/v1/me", "text/csv", 406, "not-acceptable"),
    ],
)
def test_what_cannot_be_had_is_refused(
    rates: Caller, path: str, accept: str, status: int, code: str
) -> None:
    answer = rates.get(path, Accept=accept)
    assert (answer.status, answer.code) == (status, code)
    if status == 406 and "fx" in path:
        assert all(kind in answer.body["detail"] for kind in TYPES.values())


def test_a_list_too_long_names_what_narrows_it(
    rates: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    from portfolios.api.exports import FILE_RENDERERS

    short = exports.Format("csv", "text/csv", 2, exports.write_csv)
    monkeypatch.setattr(FILE_RENDERERS[0], "form", short)
    answer = rates.get("/v1/fx-rates?format=csv")
    assert (answer.status, answer.code) == (422, "export-too-large")
    assert answer.body["errors"][0]["suggestion"] == ["base", "quote", "from", "to", "as_of"]
    assert rates.get("/v1/fx-rates?format=csv&from=2026-11-19").status == 200


def test_outsider_and_key_without_the_scope(rates: Caller, outsider: Caller) -> None:
    assert rows_of(outsider.get("/v1/fx-rates?format=csv"), "csv") == []
    stranger = rates.with_key(scopes=["portfolios:read"])
    assert stranger.get("/v1/fx-rates?format=csv").code == "insufficient-scope"


def test_positions_are_rows_with_their_set(caller: Caller, market: Market) -> None:
    portfolio = caller.post("/v1/portfolios", {"name": "book"}).body["id"]
    path = f"/v1/portfolios/{portfolio}/positions"
    positions = [
        {"instrument": "NVDA", "quantity": "-10.5", "tags": ["semis", "short"]},
        {"instrument": "CASH.USD", "quantity": "1000", "cost": "1"},
    ]
    put = caller.put(f"{path}?as_of=2026-11-20", {"positions": positions})
    for address in (path, put.headers["Location"]):
        rows = rows_of(caller.get(f"{address}?format=parquet"), "parquet")
        assert [row["quantity"] for row in rows] == [Decimal("-10.5"), 1000]
        assert rows[0]["tags"] == "semis;short"
        assert {row["position_set"] for row in rows} == {put.body["id"]}
        assert {row["as_of"] for row in rows} == {date(2026, 11, 20)}
    assert rows_of(caller.get(f"{path}?format=csv"), "csv")[0]["quantity"] == "-10.5"
