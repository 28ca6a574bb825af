"""Damaged files on their way through the API, done by a worker's function and read."""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.db import transaction

from portfolios.models import Client, Import, ImportProblem, Instrument
from portfolios.services.imports import import_perform
from portfolios.tenancy import operator_scope
from tests.callers import Answer, Caller, caller_create
from tests.portfolios.services.damaged_files import Mutant


def world() -> Caller:
    """A client with the instruments and the portfolio that the seeds name."""
    caller = caller_create("mutants")
    with operator_scope():
        Client.objects.filter(pk=caller.client.pk).update(requests_per_minute=0)  # no limit
        for symbol in ("SOXX", "SOXS"):
            Instrument.objects.create(symbol=symbol, kind=Instrument.Kind.ETF)
    made = caller.post("/v1/portfolios", {"name": "Book", "external_id": "book"})
    assert made.status == 201, made.body
    return caller


@dataclass(frozen=True)
class Outcome:
    """What became of one upload."""

    problem: str
    status: str
    seconds: float


def attack(caller: Caller, mutant: Mutant) -> Outcome:
    """Send it, do it, read it; taken back in the end, so that each meets the same facts."""
    began = time.monotonic()
    query = "&".join(f"{name}={value}" for name, value in mutant.options.items())
    with transaction.atomic():
        sent = caller.post(
            f"/v1/imports?{query}",
            raw=mutant.content,
            content_type="application/octet-stream",
            Idempotency_Key=f"mutant-{mutant.number}",
        )
        try:
            problem, status = _checked(caller, sent, mutant.rows)
        except Exception as error:  # noqa: BLE001  # the finding
            problem, status = f"{type(error).__name__}: {str(error)[:300]}", "raised"
        transaction.set_rollback(True)
    return Outcome(problem, status, time.monotonic() - began)


#: Lines above or below the header that are no rows, which the import says.
_LINES_SKIPPED = {"preamble", "second-header-row"}


def _checked(caller: Caller, sent: Answer, rows_in: int | None) -> tuple[str, str]:
    if sent.status != 202:
        is_refusal = 400 <= sent.status < 500 and sent.status != 429 and bool(sent.code)
        return ("" if is_refusal else f"answered {sent.status}"), sent.code
    with operator_scope():
        import_id = Import.objects.values_list("pk", flat=True).latest("pk")
    if not import_perform(import_id):
        return "was not performed", "waiting"
    path = sent.headers["Location"]
    done, errors = caller.get(path), caller.get(f"{path}/errors")
    if (done.status, errors.status) != (200, 200):
        return f"reads {done.status}, {errors.status}", "unreadable"
    body = done.body
    rows, status = body["rows"], body["status"]
    if status not in ("done", "refused"):
        return f"ended as {status}", status
    if rows["in"] != rows["accepted"] + rows["rejected"]:
        return f"rows do not reconcile: {rows}", status
    skips = _LINES_SKIPPED & {note["code"] for note in body["notes"]}
    if status == "done" and not skips and rows_in not in (None, rows["in"]):
        return f"{rows_in} rows were sent: {rows}", status
    if rows["changed"] > rows["accepted"]:
        return f"more rows changed something than were taken: {rows}", status
    if status == "done" and not body["dry_run"] and rows["changed"] < rows["accepted"]:
        return f"accepted rows left nothing behind: {rows}", status
    if status == "refused" and (rows["accepted"] or not errors.body["data"]):
        return "refused without a reason", status
    with operator_scope():
        lost = rows["rejected"] and not ImportProblem.objects.filter(imported=import_id).exists()
    return ("rejected rows without a reason" if lost else ""), status
