"""Uploads of a client: accepted once, judged by whoever claims them, nothing lost."""

from __future__ import annotations

import tracemalloc
import uuid
from collections.abc import Sequence

import pytest

from portfolios.models import Client, Import, ImportProblem, Instrument, Price
from portfolios.services import stored_files
from portfolios.services.imports import import_accept, import_perform
from portfolios.tenancy import client_scope, operator_scope

pytestmark = pytest.mark.django_db(transaction=True)

HEADER = "date,open,high,low,close,adj_close,volume"
GOOD = (
    "2024-01-02,40,41,39,40.5,40.5,1000",
    "2024-01-03,40,41,39,40.1,40.1,1100",
    "2024-01-04,40,41,39,40.2,40.2,1200",
)
SATURDAY = "2024-01-06,40,41,39,40.2,40.2,1200"


def csv_bytes(rows: Sequence[str]) -> bytes:
    return "\n".join([HEADER, *rows, ""]).encode()


@pytest.fixture
def client_() -> Client:
    with operator_scope():
        Instrument.objects.create(symbol="SOXX", kind=Instrument.Kind.ETF)
        return Client.objects.create(name="Owner", slug="owner")


def upload(client: Client, rows: Sequence[str], **options: object) -> Import:
    with client_scope(client.id):
        imported, _ = import_accept(
            client=client,
            content=csv_bytes(rows),
            filename=str(options.pop("filename", "SOXX.csv")),
            **options,  # type: ignore[arg-type]  # the options of a test
        )
    assert import_perform(imported.pk)
    with client_scope(client.id):
        return Import.objects.get(pk=imported.pk)


def problems(client: Client) -> list[tuple[int, str]]:
    with client_scope(client.id):
        return list(ImportProblem.objects.values_list("row", "code"))


def test_good_file_becomes_the_clients_own_prices(client_: Client) -> None:
    done = upload(client_, GOOD)
    assert (done.status, done.rows_in, done.rows_accepted, done.rows_rejected) == ("done", 3, 3, 0)
    assert (done.state, done.content) == ("done", None)
    with client_scope(client_.id):
        assert set(Price.objects.values_list("client", flat=True)) == {client_.id}


def test_a_bad_row_refuses_an_atomic_upload_and_names_the_row(client_: Client) -> None:
    done = upload(client_, [*GOOD, SATURDAY])
    assert (done.status, done.rows_in, done.rows_accepted, done.rows_rejected) == (
        "refused", 4, 0, 4,
    )  # fmt: skip
    assert problems(client_) == [(5, "not-a-session")]
    with client_scope(client_.id):
        assert not Price.objects.exists()


def test_a_partial_upload_takes_the_good_rows(client_: Client) -> None:
    done = upload(client_, [*GOOD, SATURDAY], mode="partial")
    assert (done.status, done.rows_in, done.rows_accepted, done.rows_rejected) == ("done", 4, 3, 1)


def test_a_dry_run_judges_and_writes_nothing(client_: Client) -> None:
    done = upload(client_, GOOD, dry_run=True)
    assert (done.status, done.rows_accepted, done.rows_changed) == ("done", 3, 0)
    with client_scope(client_.id):
        assert not Price.objects.exists()


def test_an_unknown_instrument_is_a_refusal_that_says_what_to_do(client_: Client) -> None:
    done = upload(client_, GOOD, filename="SOXZ.csv")
    assert (done.status, done.rows_in, done.rows_rejected) == ("refused", 3, 3)
    assert problems(client_) == [(0, "unknown-instrument")]


def test_the_same_bytes_are_the_same_import(client_: Client) -> None:
    first = upload(client_, GOOD)
    with client_scope(client_.id):
        again, created = import_accept(client=client_, content=csv_bytes(GOOD), filename="SOXX.csv")
    assert (again.pk, created) == (first.pk, False)
    assert not import_perform(first.pk)


def test_another_client_sees_neither_the_import_nor_its_prices(client_: Client) -> None:
    upload(client_, GOOD)
    with operator_scope():
        other = Client.objects.create(name="Other", slug="other")
    with client_scope(other.id):
        assert not Import.objects.exists()
        assert not Price.objects.exists()


def test_a_large_upload_is_kept_in_little_more_than_its_size(client_: Client) -> None:
    content = bytes(range(256)) * 40_000
    with client_scope(client_.id):
        tracemalloc.start()
        try:
            imported, _ = import_accept(client=client_, content=content, filename="SOXX.csv")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        imported.refresh_from_db()
        assert bytes(imported.content or b"") == content
    assert peak < 0.6 * len(content)  # beside the caller's own


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 20, 64])
def test_a_file_is_written_and_read_in_pieces(
    client_: Client, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_files, "PIECE", 10)
    content = bytes(range(size))
    with client_scope(client_.id):
        imported, _ = import_accept(client=client_, content=content, filename="SOXX.csv")
        with stored_files.opened(imported.pk) as file:
            assert b"".join(iter(lambda: file.read(7), b"")) == content
        imported.refresh_from_db()
        assert imported.content == content
    with client_scope(uuid.uuid4()), stored_files.opened(imported.pk) as file:
        assert file.read(7) == b""  # another client's is not there
