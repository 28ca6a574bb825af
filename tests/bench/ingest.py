"""Case 15: rows a second into PostgreSQL, against the ORM's bulk_create."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from django.db import models
from django.db.models.functions import Now

from portfolios.feeds.sessions import sessions_between
from portfolios.models import Instrument, Price
from portfolios.models.fields import NumericField
from portfolios.services.facts import facts_append
from portfolios.services.imports import import_file
from portfolios.tenancy import operator_scope
from tests.bench.timing import interleaved, show
from tests.flows.service import Service

SESSIONS, SHEETS = 2_520, 4
DAY_ROWS = 5_000
_PEER = "bulk_create(update_conflicts), new day"
_KEYS, _VALUES = ("instrument_id", "session"), ("close", "total_return_index")


class PlainPrice(models.Model):
    """The columns of `Price` under a key that bulk_create(update_conflicts) can name."""

    instrument_id = models.IntegerField()
    client_id = models.UUIDField(null=True)
    session = models.DateField()
    open = NumericField(null=True)
    high = NumericField(null=True)
    low = NumericField(null=True)
    close = NumericField(null=True)
    volume = NumericField(null=True)
    total_return_index = models.FloatField(null=True)
    source = models.CharField(max_length=200, blank=True)
    recorded_at = models.DateTimeField(db_default=Now())
    superseded_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "bench"
        db_table = "bench_plainprice"
        constraints = (models.UniqueConstraint(fields=["instrument_id", "session"], name="plain"),)


def run(service: Service) -> None:
    """First ingest of whole histories, then one day's closes on top."""
    service.postgres.execute(
        "CREATE TABLE bench_plainprice (LIKE portfolios_price INCLUDING DEFAULTS);"
        " ALTER TABLE bench_plainprice DROP COLUMN id, ADD COLUMN id bigserial PRIMARY KEY,"
        " ADD UNIQUE (instrument_id, session);"
        " GRANT ALL ON bench_plainprice TO app;"
        " GRANT ALL ON SEQUENCE bench_plainprice_id_seq TO app"
    )
    days: list[date] = sessions_between(
        np.datetime64("2010-01-04"), np.datetime64("2026-12-31"), "XNYS"
    ).tolist()[: SESSIONS + 1]
    with operator_scope():
        instruments = Instrument.objects.bulk_create(
            Instrument(symbol=f"BENCH{n}", kind="equity") for n in range(DAY_ROWS)
        )
    ids = [instrument.pk for instrument in instruments]
    _first_ingest(service, ids[:SHEETS], days[:SESSIONS])
    _one_day(service, ids, days[-20:])
    _empty(service)
    service.postgres.execute("DROP TABLE bench_plainprice")
    with operator_scope():
        Instrument.objects.filter(pk__in=ids).delete()


def _rows(ids: list[int], days: list[date]) -> Iterator[tuple[int, date, float, float]]:
    generator = np.random.default_rng(1)
    for pk in ids:
        moves = generator.standard_normal(len(days))
        closes = np.round(100 * np.exp(np.cumsum(0.01 * moves)), 2).tolist()
        yield from ((pk, day, close, close) for day, close in zip(days, closes, strict=True))


def _append(rows: list[tuple[int, date, float, float]]) -> None:
    with operator_scope():
        facts_append(Price, client_id=None, keys=_KEYS, values=_VALUES, rows=rows, source="bench")


def _first_ingest(service: Service, ids: list[int], days: list[date]) -> None:
    rows = list(_rows(ids, days))

    def bulk_create() -> None:
        with operator_scope():
            Price.objects.bulk_create(
                (
                    Price(
                        instrument_id=pk,
                        session=day,
                        close=close,
                        total_return_index=level,
                    )
                    for pk, day, close, level in rows
                ),
                batch_size=1_000,
            )

    def narrow() -> None:
        PlainPrice._default_manager.bulk_create(
            (
                PlainPrice(instrument_id=pk, session=day, close=close, total_return_index=close)
                for pk, day, close, _ in rows
            ),
            batch_size=1_000,
        )

    with tempfile.TemporaryDirectory() as scratch:
        sheets = []
        for number, pk in enumerate(ids):
            sheet = Path(scratch) / f"BENCH{number}.csv"
            own = rows[number * len(days) : (number + 1) * len(days)]
            lines = [f"{day},{close},{level}" for _, day, close, level in own]
            sheet.write_text("\n".join(["date,close,adj_close", *lines]) + "\n")
            sheets.append((pk, sheet))

        def import_files() -> None:
            for _, sheet in sheets:
                with operator_scope():
                    import_file(sheet)

        measured = interleaved(
            {
                "bulk_create, rows in memory": bulk_create,
                "bulk_create, table without policy": narrow,
                "facts_append, rows in memory": lambda: _append(rows),
                "import_file: bytes, gate, facts": import_files,
            },
            work=len(rows),
            unit="rows/s",
            before_each=lambda: _empty(service),
        )
    show(
        f"15a. First ingest of {len(rows):,} prices ({SHEETS} instruments x {SESSIONS:,} sessions)",
        measured,
        baseline="bulk_create, rows in memory",
        note="under row-level security unless said; goal 14x, floor 8x",
    )


def _one_day(service: Service, ids: list[int], days: list[date]) -> None:
    _empty(service)
    history = list(_rows(ids, days[:-1]))
    _append(history)
    service.postgres.execute(
        "INSERT INTO bench_plainprice (instrument_id, session, close, total_return_index, source)"
        " SELECT instrument_id, session, close, total_return_index, source FROM portfolios_price"
    )
    turns = itertools.count(1)

    def closes(day: date | None = None) -> list[tuple[int, date, float, float]]:
        """Of a day not on file yet, or other ones of the last day."""
        turn = next(turns)
        session = day or days[-1] + timedelta(days=turn)
        return [(pk, session, 100.0 + turn, 100.0 + turn) for pk in ids]

    def upsert(rows: list[tuple[int, date, float, float]]) -> None:
        PlainPrice._default_manager.bulk_create(
            (
                PlainPrice(instrument_id=pk, session=day, close=close, total_return_index=close)
                for pk, day, close, _ in rows
            ),
            update_conflicts=True,
            unique_fields=["instrument_id", "session"],
            update_fields=["close", "total_return_index"],
            batch_size=DAY_ROWS,
        )

    last = days[-2]
    yesterday = [row for row in history if row[1] == last]
    measured = interleaved(
        {
            _PEER: lambda: upsert(closes()),
            "facts_append, new day": lambda: _append(closes()),
            "bulk_create(update_conflicts), corrected": lambda: upsert(closes(last)),
            "facts_append, corrected": lambda: _append(closes(days[-3])),
            "facts_append, unchanged": lambda: _append(yesterday),
        },
        work=DAY_ROWS,
        unit="rows/s",
    )
    show(
        f"15b. One day of {DAY_ROWS:,} closes on top of {len(history):,} prices",
        measured,
        baseline=_PEER,
        note="the peer overwrites rows of a table without a policy; facts_append keeps what was"
        " known before, under row-level security; goal 4x, floor 2.5x",
    )


def _empty(service: Service) -> None:
    service.postgres.execute("TRUNCATE portfolios_price, bench_plainprice")
