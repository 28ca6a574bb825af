"""Files become facts: accept the bytes, judge them, write what is right, keep the reasons.

A folder in the form of a market folder and a single upload take the same way:
`feeds.read_file` judges, `feed_writers.write` appends, the import row keeps the verdict.
"""

from __future__ import annotations

import hashlib
import io
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

from django.db import connection, transaction
from django.db.models.functions import Length, Now

from portfolios import leases
from portfolios.errors import DomainError, InvalidRequest
from portfolios.feeds import (
    Effect,
    FileVerdict,
    Kind,
    RowProblem,
    Status,
    read_file,
    read_folder,
)
from portfolios.memory import memory_given_back
from portfolios.models import Client, Import, ImportProblem, LeverageTerms
from portfolios.services import feed_hints, feed_writers, stored_files
from portfolios.services.client_rows import Prepared, against_facts
from portfolios.services.data_version import data_version_bump
from portfolios.services.events import event_record
from portfolios.services.feed_writers import Snapshot
from portfolios.services.reference_tables import load_reference_tables
from portfolios.tenancy import client_scope, operator_scope
from portfolios.waking import wake_workers
from portfolios.webhooks.catalogue import EventType

_STORED_PROBLEMS = 10_000
#: In one statement, whose text is in memory several times.
_PROBLEMS_WRITTEN = 1_000


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """One file of a folder: what became of it."""

    path: Path
    imported: Import
    verdict: FileVerdict


def import_accept(
    *,
    client: Client | None,
    content: bytes,
    filename: str,
    kind: str = "",
    instrument: str = "",
    portfolio_id: uuid.UUID | None = None,
    as_of: date | None = None,
    mode: str = Import.Mode.ATOMIC,
    dry_run: bool = False,
    request_id: str = "",
) -> tuple[Import, bool]:
    """Store a file to be imported; the same bytes with the same options are the same import.

    Runs in the caller's scope and transaction. The flag says whether the import is new.
    """
    name = Path(filename).name[:255]
    sha256 = hashlib.sha256(content).hexdigest()
    options = [sha256, name, kind, instrument, str(portfolio_id), mode, str(dry_run)]
    if as_of is not None:
        options.append(as_of.isoformat())
    fingerprint = hashlib.sha256("\n".join(options).encode()).hexdigest()
    _one_at_a_time(client, fingerprint)
    same = Import.objects.filter(client=client, fingerprint=fingerprint).defer("content")
    existing = same.exclude(status=Import.Status.FAILED).order_by("id").first()
    if existing is not None:
        return existing, False
    wake_workers()
    imported = Import.objects.create(
        client=client,
        filename=name,
        sha256=sha256,
        fingerprint=fingerprint,
        kind=kind,
        instrument_symbol=instrument,
        portfolio_id=portfolio_id,
        as_of=as_of,
        mode=mode,
        dry_run=dry_run,
        request_id=request_id,
    )
    stored_files.keep(imported.pk, content)
    return imported, True


def _one_at_a_time(client: Client | None, fingerprint: str) -> None:
    """Let equal uploads pass one after the other, so that the second finds the first's import."""
    owner = client.id.hex if client else ""
    digest = hashlib.sha256(f"import {owner} {fingerprint}".encode()).hexdigest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int(digest[:15], 16)])


def import_perform(import_id: uuid.UUID) -> bool:
    """Claim an accepted import, judge it and apply it; False where there was nothing to do.

    Each stage is committed as it begins, so that a poll sees it. What was written belongs to the
    last transaction with the end of the job: a worker that dies leaves nothing but its lease, and
    the next one begins anew.
    """
    with operator_scope():
        token = leases.claim(Import, import_id)
    if token is None:
        return False
    with operator_scope():
        known = Import.objects.select_related("client").defer("content")
        imported = known.annotate(n_bytes=Length("content")).get(pk=import_id)
    client = imported.client

    def scope() -> AbstractContextManager[object]:
        return client_scope(client.id) if client else operator_scope()

    with memory_given_back(imported.n_bytes or 0), leases.heartbeat(Import, import_id, token):
        _enter(imported, token, Import.Status.VALIDATING)
        with scope():
            prepared = _judge(imported, stored_files.opened(imported.pk))
        verdict = prepared.verdict
        if not _is_refused(imported, verdict):
            counts = {
                "rows_in": verdict.rows_in,
                "rows_accepted": verdict.rows_accepted,
                "rows_rejected": verdict.rows_rejected,
            }
            _enter(imported, token, Import.Status.READY, **counts)
            _enter(imported, token, Import.Status.APPLYING)
        with scope():
            if leases.finish(Import, import_id, token):
                _settle(imported, prepared)
                import_tell(imported)
    return True


def _enter(imported: Import, token: int, status: str, **counts: int) -> None:
    """Show the stage, unless the lease was lost: then whoever has it shows theirs."""
    with operator_scope():
        Import.objects.filter(pk=imported.pk, token=token, state=Import.State.RUNNING).update(
            status=status, **counts
        )


def import_tell(imported: Import) -> None:
    """Tell the client that its import is over; an operator's own concerns nobody."""
    if imported.client_id is not None:
        event_record(
            imported.client_id, EventType.IMPORT_FINISHED, imported.public_id, imported.status
        )


def import_file(
    path: Path,
    *,
    client: Client | None = None,
    kind: Kind | None = None,
    is_synthetic: bool = False,
    snapshots: Mapping[str, Snapshot] | None = None,
    confirmed: feed_hints.Confirmed = MappingProxyType({}),
) -> FileOutcome:
    """Import one file of a folder at once, in the caller's scope.

    Rows that are right are taken even where others are not; an instrument that is not on file yet
    is created. An unchanged file changes nothing.
    """
    content = path.read_bytes()
    with transaction.atomic():
        imported = Import.objects.create(
            client=client,
            sha256=hashlib.sha256(content).hexdigest(),
            kind=kind or "",
            filename=path.name[:255],
            mode=Import.Mode.PARTIAL,
            state=Import.State.DONE,
        )
        prepared = _judge(imported, io.BytesIO(content), confirmed)
        _settle(
            imported, prepared, create_missing=True, is_synthetic=is_synthetic, snapshots=snapshots
        )
    return FileOutcome(path=path, imported=imported, verdict=prepared.verdict)


def import_folder(
    folder: Path,
    *,
    is_synthetic: bool = False,
    progress: Callable[[Path, int, int], None] | None = None,
    confirmed: feed_hints.Confirmed = MappingProxyType({}),
) -> list[FileOutcome]:
    """Import a folder in the form of a market folder as shared facts.

    `progress` is called before each file with its path, its number from 0 and the count.
    """
    with operator_scope():
        load_reference_tables(folder, is_synthetic=is_synthetic)
        leveraged = LeverageTerms.objects.values_list("instrument__symbol", flat=True)
        # Funds after their indexes: what an index did explains what its funds did.
        files = list(read_folder(folder, after=frozenset(leveraged)))
        if not files:
            raise InvalidRequest(
                f"{folder} has no file of a known kind; expected prices/TICKER.csv and, where"
                " present, splits.csv, distributions.csv, rates.csv, fund_facts.csv, holdings/,"
                " options/.",
                code="empty-folder",
            )
    outcomes: list[FileOutcome] = []
    snapshots: dict[str, Snapshot] = {}
    for number, (path, kind) in enumerate(files):
        if progress is not None:
            progress(path, number, len(files))
        with operator_scope():
            outcome = import_file(
                path,
                kind=kind,
                is_synthetic=is_synthetic,
                snapshots=snapshots,
                confirmed=confirmed,
            )
        if outcome.verdict.kind is Kind.OPTION_SNAPSHOTS:
            snapshots = feed_writers.snapshots_of(outcome.verdict)
        outcomes.append(outcome)
    return outcomes


def _judge(
    imported: Import, content: BinaryIO, confirmed: feed_hints.Confirmed = MappingProxyType({})
) -> Prepared:
    hints = feed_hints.hints_for(
        client=imported.client,
        filename=imported.filename,
        kind=Kind(imported.kind) if imported.kind else None,
        symbol=imported.instrument_symbol,
        confirmed=confirmed,
    )
    verdict = read_file(content, name=imported.filename, hints=hints)
    try:
        return against_facts(imported, verdict)
    except DomainError as error:
        problem = RowProblem(None, None, error.code, None, error.message, effect=Effect.FILE)
        return Prepared(verdict.refusing(problem))


def _settle(imported: Import, prepared: Prepared, **options: Any) -> None:
    """Apply a judged file, or keep the reason why the facts do not take what the gate let pass:
    an instrument that is not on file, an adjusted history that contradicts the one there."""
    try:
        with transaction.atomic():
            _apply(imported, prepared, **options)
    except DomainError as error:
        _refuse(imported, prepared.verdict, error)


def _apply(
    imported: Import,
    prepared: Prepared,
    *,
    create_missing: bool = False,
    is_synthetic: bool = False,
    snapshots: Mapping[str, Snapshot] | None = None,
) -> None:
    """Write a judged file and its verdict, in the caller's transaction."""
    verdict = prepared.verdict
    refused = _is_refused(imported, verdict)
    changed = 0
    if not refused:
        # A dry run writes too, so that it finds what only writing finds, and takes it back.
        with transaction.atomic():
            changed = feed_writers.write(
                prepared,
                imported,
                create_missing=create_missing,
                is_synthetic=is_synthetic,
                snapshots=snapshots,
            )
            if imported.dry_run:
                changed = 0
                transaction.set_rollback(True)
    if changed and verdict.kind is not Kind.POSITIONS:
        data_version_bump(imported.client)
    # A refused or atomic file gives nothing: all of its rows count as rejected.
    accepted = 0 if refused else verdict.rows_accepted
    imported.status = Import.Status.REFUSED if refused else Import.Status.DONE
    imported.kind = verdict.kind or imported.kind
    if verdict.kind in (Kind.PRICES, Kind.HOLDINGS):
        imported.instrument_symbol = feed_writers.instrument_symbol(verdict)
    imported.rows_in = verdict.rows_in
    imported.rows_accepted = accepted
    # Both as counted, not one from the other: what does not add up is a row lost on the way.
    imported.rows_rejected = verdict.rows_in if refused else verdict.rows_rejected
    imported.rows_changed = changed
    imported.notes = [{"code": note.code, "message": note.message} for note in verdict.notes]
    imported.content = None
    imported.save(
        update_fields=[
            "status",
            "kind",
            "instrument_symbol",
            "rows_in",
            "rows_accepted",
            "rows_rejected",
            "rows_changed",
            "notes",
            "content",
        ]
    )
    Import.objects.filter(pk=imported.pk, finished_at=None).update(finished_at=Now())
    _keep_problems(imported, verdict.problems[:_STORED_PROBLEMS])


def _keep_problems(imported: Import, problems: Sequence[RowProblem]) -> None:
    """By columns: ten thousand objects of the model would take seconds and tens of megabytes."""
    columns: tuple[list[Any], ...] = (
        [problem.row or 0 for problem in problems],
        [(problem.column or "")[:100] for problem in problems],
        [problem.code for problem in problems],
        [(problem.value or "")[:200].replace("\0", "\N{SYMBOL FOR NULL}") for problem in problems],
        [problem.message for problem in problems],
        [problem.suggestion or "" for problem in problems],
    )
    with connection.cursor() as cursor:
        for start in range(0, len(problems), _PROBLEMS_WRITTEN):
            cursor.execute(
                "INSERT INTO portfolios_importproblem"
                ' (client_id, imported_id, "row", "column", code, value, message, suggestion)'
                " SELECT %s, %s, found.* FROM unnest(%s::int[], %s::text[], %s::text[], %s::text[],"
                " %s::text[], %s::text[]) AS found",
                [imported.client_id, imported.pk]
                + [column[start : start + _PROBLEMS_WRITTEN] for column in columns],
            )


def _refuse(imported: Import, verdict: FileVerdict, error: DomainError) -> None:
    """Keep the reason why a judged file could not be written; nothing of it is taken."""
    imported.status = Import.Status.REFUSED
    imported.kind = verdict.kind or imported.kind
    imported.rows_in = imported.rows_rejected = verdict.rows_in
    imported.rows_accepted = imported.rows_changed = 0
    imported.content = None
    imported.save(
        update_fields=[
            "status",
            "kind",
            "rows_in",
            "rows_accepted",
            "rows_rejected",
            "rows_changed",
            "content",
        ]
    )
    ImportProblem.objects.create(
        client=imported.client,
        imported=imported,
        row=0,
        code=error.code,
        value=imported.instrument_symbol or imported.filename[:200],
        message=error.message,
    )


def _is_refused(imported: Import, verdict: FileVerdict) -> bool:
    """Nothing is taken of a bad file, of an atomic one with a bad row, or of prices whose split
    basis is unknown: their rows are fine among themselves and would make a jump on file."""
    in_unknown_basis = verdict.basis_change is not None and not verdict.basis_change.explained
    misses_a_row = imported.mode == Import.Mode.ATOMIC and verdict.rows_rejected > 0
    nothing_left = verdict.rows_accepted == 0
    return verdict.status is Status.REFUSED or nothing_left or in_unknown_basis or misses_a_row
