"""What clients send in bulk: each kind in each format, row problems, whole books."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from portfolios.models import (
    Client,
    CorporateAction,
    FxRate,
    Import,
    ImportProblem,
    Instrument,
    OptionQuote,
    OptionTerms,
    Portfolio,
    Position,
    PositionSet,
    Price,
)
from portfolios.services.imports import import_accept, import_perform
from portfolios.tenancy import client_scope, operator_scope

pytestmark = pytest.mark.django_db(transaction=True)
Rows = Sequence[Mapping[str, Any]]

PRICES = [
    {"date": f"2024-01-0{d}", "close": str(c)} for d, c in ((2, "40.5"), (3, "40.1"), (4, "40.20"))
]
RATES = [
    {"base": "EUR", "quote": "USD", "date": f"2024-01-0{d}", "rate": r}
    for d, r in ((2, "1.0950123456789"), (3, "1.0920"), (4, "1.0945"))
]
ACTIONS = [
    {"instrument": "SOXX", "ex_date": "2024-03-07", "kind": "split", "new_shares": "3",
     "old_shares": "1", "amount": ""},
    {"instrument": "SOXX", "ex_date": "2024-03-21", "kind": "dividend", "new_shares": "",
     "old_shares": "", "amount": "0.3129"},
]  # fmt: skip
CHAIN = [
    {"expiration": "2024-02-16", "side": side, "strike": "40", "bid": "1.1", "ask": "1.2"}
    for side in ("call", "P")
]
POSITIONS = [
    {"portfolio": "book", "as_of": "2024-01-02", "instrument": "SOXX", "quantity": "-10.5",
     "cost": "40", "tags": "semis;short"},
    {"portfolio": "book", "as_of": "2024-01-02", "instrument": "CASH.USD", "quantity": "1000",
     "cost": "", "tags": ""},
    {"portfolio": "book", "as_of": "2024-01-03", "instrument": "SOXX", "quantity": "7",
     "cost": "", "tags": ""},
]  # fmt: skip
KINDS: dict[str, tuple[str, Rows]] = {
    "prices": ("SOXX", PRICES),
    "fx_rates": ("rates", RATES),
    "corporate_actions": ("actions", ACTIONS),
    "option_chain": ("SOXX_2024-01-02", CHAIN),
    "positions": ("book", POSITIONS),
}


def as_csv(rows: Rows) -> bytes:
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    return "\n".join([*lines, ""]).encode()


def as_ndjson(rows: Rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_json(rows: Rows) -> bytes:
    return json.dumps(rows, indent=1).encode()


def _typed(name: str, text: str) -> Any:
    if text == "":
        return None
    if name in ("date", "ex_date", "as_of", "expiration"):
        return date.fromisoformat(text)
    return Decimal(text) if text[-1].isdigit() and name != "portfolio" else text


def as_parquet(rows: Rows) -> bytes:
    """Typed cells, as a program writes them: dates, decimals, dictionaries of words."""
    file = io.BytesIO()
    table = pa.Table.from_pylist([{k: _typed(k, v) for k, v in row.items()} for row in rows])
    pq.write_table(table, file, compression="snappy")
    return file.getvalue()


FORMATS = {"csv": as_csv, "ndjson": as_ndjson, "json": as_json, "parquet": as_parquet}


@pytest.fixture
def client_() -> Client:
    with operator_scope():
        Instrument.objects.create(symbol="SOXX", kind=Instrument.Kind.ETF)
        client = Client.objects.create(name="Owner", slug="owner")
        Portfolio.objects.create(client=client, name="Book", external_id="book")
        return client


def send(client: Client, content: bytes, name: str, **options: Any) -> Import:
    with client_scope(client.id):
        imported, _ = import_accept(client=client, content=content, filename=name, **options)
    assert import_perform(imported.pk)
    with client_scope(client.id):
        done = Import.objects.get(pk=imported.pk)
    assert done.rows_in == done.rows_accepted + done.rows_rejected
    return done


def problems(client: Client, imported: Import) -> list[tuple[int, str, str]]:
    with client_scope(client.id):
        found = ImportProblem.objects.filter(imported=imported)
        return list(found.order_by("row").values_list("row", "column", "code"))


def facts(client: Client) -> list[Any]:
    """What the client has on file, whatever way it came."""
    with client_scope(client.id):
        return [
            list(Price.objects.order_by("session").values_list("session", "close")),
            list(FxRate.objects.order_by("session").values_list("session", "base", "rate")),
            list(
                CorporateAction.objects.order_by("ex_date").values_list(
                    "ex_date", "kind", "new_shares", "old_shares", "amount"
                )
            ),
            sorted(OptionTerms.objects.values_list("instrument__symbol", "right", "strike")),
            list(OptionQuote.objects.order_by("pk").values_list("bid", "ask")),
            sorted(
                Position.objects.values_list(
                    "position_set__as_of", "instrument__symbol", "quantity", "cost", "tags"
                ),
                key=str,
            ),
        ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_the_same_facts_in_every_format(client_: Client, kind: str) -> None:
    stem, rows = KINDS[kind]
    seen: list[Any] = []
    for form, write in FORMATS.items():
        for content, name in (
            (write(rows), f"{stem}.{form}"),
            (gzip.compress(write(rows)), f"{stem}.{form}.gz"),
        ):
            done = send(client_, content, name, kind=kind)
            assert (done.status, done.rows_accepted) == ("done", len(rows)), problems(client_, done)
            # Each after the first finds what it says on file.
            assert done.rows_changed == (0 if seen else len(rows)), (name, done.rows_changed)
            seen.append(facts(client_))
    assert all(other == seen[0] for other in seen)
    assert any(seen[0])


def test_positions_become_whole_sets(client_: Client) -> None:
    send(client_, as_csv(POSITIONS), "book.csv", kind="positions")
    with client_scope(client_.id):
        [first, _] = PositionSet.objects.order_by("as_of")
        held = {p.instrument.symbol: p for p in first.positions.select_related("instrument")}
    assert held["SOXX"].quantity == Decimal("-10.5")
    assert held["SOXX"].tags == ["semis", "short"]
    assert held["CASH.USD"].cost is None


def test_portfolio_and_date_of_the_upload_stand_in_for_columns(client_: Client) -> None:
    rows = [{"instrument": "SOXX", "quantity": "5"}]
    with client_scope(client_.id):
        portfolio = Portfolio.objects.get()
    bare = send(client_, as_csv(rows), "a.csv", kind="positions")
    assert problems(client_, bare) == [(2, "portfolio", "missing-value")]
    options: dict[str, Any] = {"portfolio_id": portfolio.pk, "as_of": date(2024, 1, 2)}
    done = send(client_, as_csv(rows), "a.csv", kind="positions", **options)
    assert (done.status, done.rows_changed) == ("done", 1)


def test_a_book_with_a_hole_is_not_taken_even_in_parts(client_: Client) -> None:
    rows = [*POSITIONS, {**POSITIONS[2], "instrument": "SOXY"}]
    done = send(client_, as_csv(rows), "book.csv", kind="positions", mode="partial")
    assert (done.status, done.rows_accepted, done.rows_rejected) == ("done", 2, 2)
    assert problems(client_, done) == [
        (4, "", "set-incomplete"), (5, "instrument", "unknown-instrument"),
    ]  # fmt: skip
    with client_scope(client_.id):
        assert ImportProblem.objects.get(row=5).suggestion == "SOXX"
        assert [s.as_of for s in PositionSet.objects.all()] == [date(2024, 1, 2)]


def test_a_row_that_cannot_be_read_may_be_of_any_book(client_: Client) -> None:
    content = as_csv(POSITIONS) + b"book,2024-01-03\n"
    done = send(client_, content, "book.csv", kind="positions", mode="partial")
    assert (done.status, done.rows_in, done.rows_accepted) == ("refused", 4, 0)
    with client_scope(client_.id):
        assert not PositionSet.objects.exists()


BAD = {
    "unknown portfolio": ("positions", {"portfolio": "nook"}, "portfolio", "unknown-portfolio"),
    "closed": ("positions", {"as_of": "2024-01-06"}, "as_of", "not-a-session"),
    "future": ("positions", {"as_of": "2099-01-05"}, "as_of", "future-date"),
    "no quantity": ("positions", {"quantity": ""}, "quantity", "missing-value"),
    "words": ("positions", {"quantity": "many"}, "quantity", "not-a-number"),
    "bad cost": ("positions", {"cost": "x"}, "cost", "not-a-number"),
    "long tag": ("positions", {"tags": "x" * 41}, "tags", "bad-tags"),
    "no currency": ("fx_rates", {"base": "euro"}, "base", "bad-currency"),
    "one currency": ("fx_rates", {"base": "USD"}, "quote", "bad-currency"),
    "zero": ("fx_rates", {"rate": "0"}, "rate", "non-positive"),
    "inverted": ("fx_rates", {"rate": "0.0091"}, "rate", "implausible-jump"),
    "no kind": ("corporate_actions", {"kind": "merger"}, "kind", "bad-kind"),
    "no ratio": ("corporate_actions", {"new_shares": ""}, "new_shares", "bad-action"),
    "one for one": ("corporate_actions", {"new_shares": "1"}, "new_shares", "bad-ratio"),
    "split with cash": ("corporate_actions", {"amount": "1"}, "new_shares", "bad-action"),
    "unknown": ("corporate_actions", {"instrument": "SOXY"}, "instrument", "unknown-instrument"),
    "odd contract": ("option_chain", {"contract": "=1+1"}, "contract", "bad-contract"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_bad_row_is_named_and_refuses_an_atomic_upload(
    client_: Client, case: str, form: str
) -> None:
    kind, change, column, code = BAD[case]
    stem, rows = KINDS[kind]
    first = {**rows[0], **change}
    sent = [first, *({**dict.fromkeys(first, ""), **row} for row in rows[1:])]
    done = send(client_, FORMATS[form](sent), f"{stem}.{form}", kind=kind)
    assert (done.status, done.rows_accepted, done.rows_in) == ("refused", 0, len(rows))
    row = 2 if form == "csv" else 1
    assert (row, column, code) in problems(client_, done)
    with client_scope(client_.id):
        [problem] = ImportProblem.objects.filter(imported=done, row=row, column=column, code=code)
    assert problem.value == str(first.get(column, "")), "the cell as it was sent"
    assert not any(facts(client_))


def test_one_contract_with_two_strikes_is_two_rows_rejected(client_: Client) -> None:
    rows = [{**CHAIN[0], "contract": "C", "strike": strike} for strike in ("40", "42")]
    done = send(client_, as_csv(rows), "SOXX_2024-01-02.csv", kind="option_chain")
    assert done.status == "refused"
    assert problems(client_, done) == [
        (2, "contract", "conflicting-duplicate"), (3, "contract", "conflicting-duplicate"),
    ]  # fmt: skip


def test_positions_are_never_guessed_from_a_header(client_: Client) -> None:
    done = send(client_, as_csv(POSITIONS), "book.csv")
    assert done.status == "refused"
    assert problems(client_, done) == [(1, "", "unknown-header")]
