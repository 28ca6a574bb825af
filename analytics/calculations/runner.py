"""One unit, from its row to its result: claimed, computed outside of a transaction, stored once."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, connection, transaction

from analytics.calculations.books import portfolio_input_facts
from analytics.calculations.build import BUILD
from analytics.calculations.measures import Request
from analytics.calculations.outputs import Json, Outcome, canonical, content_hash
from analytics.calculations.registry import MEASURES
from analytics.calculations.sandbox import break_on_purpose
from analytics.calculations.used_facts import RecordingMarket
from analytics.calculations.valuation import load_books
from analytics.models import Run, Unit
from portfolios import leases
from portfolios.identifiers import public_id, uuid7
from portfolios.plans import Statement, planned
from portfolios.selectors.rows import columns, instance
from portfolios.services.events import event_record
from portfolios.services.facts import facts_settled
from portfolios.tenancy import client_scope, operator_query, operator_scope, queries
from portfolios.webhooks.catalogue import EventType

#: Before the next attempt at a unit whose computation broke.
_RETRY_DELAY = timedelta(seconds=1)

logger = logging.getLogger(__name__)


def unit_perform(unit_id: uuid.UUID) -> bool:
    """Claim a unit, compute it and store the result; False where someone else has it.

    An expected refusal is a result. What is unexpected is logged and gives the unit back, until
    its attempts are used up.
    """
    unit = _claim(unit_id)
    if unit is None:
        return False
    try:
        with leases.heartbeat(Unit, unit_id, unit.token):
            outcome = compute_unit(unit)
            unit_finish(unit, unit.token, outcome)
    except DatabaseError:
        raise
    except Exception:  # one broken unit must not stop the others; its attempts are counted
        logger.exception("unit %s of run %s failed", unit.pk, unit.run_id)
        with operator_scope():
            leases.release(Unit, unit_id, unit.token, delay=_RETRY_DELAY)
    return True


def _claim(unit_id: uuid.UUID) -> Unit | None:
    """Take a unit, with its run, in one look; None where someone else has it.

    Not durable: a crash of the database that undoes it leaves the unit to be claimed again, and
    finds whoever had it without a token to finish with.
    """
    rows = operator_query(
        f"WITH unit AS ({leases.claim_sql(Unit)} RETURNING *), "
        "started AS (UPDATE analytics_run run SET status = 'running', version = version + 1"
        " FROM unit WHERE run.id = unit.run_id AND run.status = 'queued') "
        f"SELECT {columns(Unit, 'unit')}, {columns(Run, 'run')}"
        " FROM unit JOIN analytics_run run ON run.id = unit.run_id",
        leases.claim_parameters(unit_id),
        durable=False,
    )
    if not rows:
        return None
    own = len(Unit._meta.concrete_fields)
    unit = instance(Unit, rows[0][:own])
    unit.run = instance(Run, rows[0][own:])
    return unit


def compute_unit(unit: Unit, *, pinned: Json | None = None) -> Outcome:
    """Compute a unit from the facts known at its run's `known_at`.

    Everything is read in one snapshot, with what was recorded by then committed, and computed
    after it, from what was read: whoever reads as known then again finds the same. What a portfolio
    says of itself is not dated: `pinned` are the inputs of an earlier result to repeat.
    """
    run = unit.run
    measure = MEASURES[run.kind]
    market = RecordingMarket(run.client_id, run.as_of, run.known_at)
    needs = measure.requirements(unit.params)
    portfolio_ids = [run.portfolio_id] if run.portfolio_id else []
    facts_settled(run.client_id)
    with client_scope(run.client_id, snapshot=True):
        break_on_purpose(run)
        books = load_books(market, portfolio_ids, named=needs.instruments, pinned=pinned)
        market.prefetch(needs, (book.currency for book in books.values()))
    market.sealed = True
    book = books.get(run.portfolio_id) if run.portfolio_id else None
    (outcome,) = measure.compute(market, [Request(unit.params, book)])
    facts = portfolio_input_facts(book, market) if book else {"data_version": market.block.version}
    noted = {"used": market.used(), "build": BUILD}
    return replace(outcome, inputs={**facts, **outcome.inputs, **noted})


def units_rehearse() -> None:
    """Compute the last unit of each kind once more, for nobody, on the facts of now.

    Prices mapped, kernels loaded and facts read are kept by the process, so that the first request
    after its start takes no longer than those that follow.
    """
    rows = operator_query(_RECENT)
    own = len(Unit._meta.concrete_fields)
    for now, *row in rows:
        unit = instance(Unit, row[:own])
        unit.run = instance(Run, row[own:])
        unit.run.known_at = now
        compute_unit(unit)


#: Of each kind the last one that was computed, among some hundreds: one that a worker survived.
_RECENT = (
    f"SELECT DISTINCT ON (run.kind) statement_timestamp(), {columns(Unit, 'unit')},"
    f" {columns(Run, 'run')} FROM (SELECT * FROM analytics_unit ORDER BY id DESC LIMIT 300) unit"
    " JOIN analytics_run run ON run.id = unit.run_id WHERE unit.state = 'done'"
    " ORDER BY run.kind, unit.id DESC"
)


def unit_finish(unit: Unit, token: int, outcome: Outcome) -> bool:
    """Store a result in one transaction; False where the lease was lost and it is discarded."""
    statements = [_finish(unit, token, outcome), *_settle(unit.run_id)]
    try:
        with client_scope(unit.client_id):
            finished, *_, settled = _sent(statements)
            if not finished:
                transaction.set_rollback(True)
                return False
            _tell_of_end(unit.run_id, settled)
    except DatabaseError:
        if _was_stored(unit, token):
            return True
        raise
    return True


def _sent(statements: Sequence[Statement]) -> list[list[tuple[Any, ...]]]:
    """The rows of statements sent together; the connection keeps their plans."""
    with planned(statements) as by_plan:
        return queries(by_plan)


def _finish(unit: Unit, token: int, outcome: Outcome) -> Statement:
    """What marks the unit done and writes its result and audit row, if it is ours: then a row."""
    body = outcome.body
    detail = {"run": unit.run.public_id, "status": outcome.status}
    given = [
        unit.pk, token,
        uuid7(), str(outcome.status), body, content_hash(body), canonical(outcome.inputs),
        unit.run.request_id, canonical(detail),
    ]  # fmt: skip
    return _FINISH, given


_FINISH = (
    f"WITH finished AS ({leases.finish_sql(Unit)} RETURNING id, client_id), "
    "result AS (INSERT INTO analytics_result"
    " (id, client_id, unit_id, status, body, content_hash, inputs)"
    " SELECT %s::uuid, client_id, id, %s, %s, %s, %s::jsonb FROM finished), "
    "audit AS (INSERT INTO portfolios_auditevent"
    " (client_id, actor, action, object_id, request_id, detail)"
    " SELECT client_id, 'worker', 'unit.finished', id::text, %s, %s::jsonb FROM finished) "
    "SELECT id FROM finished"
)


def _was_stored(unit: Unit, token: int) -> bool:
    """Whether a commit whose answer never came took place."""
    connection.close()
    with operator_scope():
        return Unit.objects.filter(
            pk=unit.pk, token=token, state=Unit.State.DONE, result__isnull=False
        ).exists()


def run_settle(run_id: uuid.UUID) -> None:
    """Give a run whose units are all over its final status; call after changing units.

    Runs in the caller's transaction. Units are locked before their run everywhere, and the count
    is taken under the run's lock, so of two last units exactly one sees that it is the last.
    """
    _tell_of_end(run_id, _sent(_settle(run_id))[-1])


def _settle(run_id: uuid.UUID) -> list[Statement]:
    return [(_LOCK, [run_id]), (_SETTLE, [run_id, run_id, channel_of(run_id)])]


def _tell_of_end(run_id: uuid.UUID, settled: Sequence[tuple[Any, ...]]) -> None:
    for client_id, still_open, status, _ in settled:
        if not still_open:
            run = public_id(Run.ID_PREFIX, run_id)
            event_record(client_id, EventType.RUN_FINISHED, run, status)


_LOCK = "SELECT id FROM analytics_run WHERE id = %s FOR UPDATE"
#: Counts are taken by a statement of its own, which sees what was committed before the lock. A
#: unit counts as answered if it has its numbers; one with a problem in their place does not.
_SETTLE = """
WITH units AS (
    SELECT count(*) FILTER (WHERE unit.state IN ('queued', 'running')) AS open,
           count(*) FILTER (WHERE result.status = 'ok') AS answered,
           count(*) AS total
    FROM analytics_unit unit LEFT JOIN analytics_result result ON result.unit_id = unit.id
    WHERE unit.run_id = %s
), settled AS (
    UPDATE analytics_run SET version = version + 1,
        status = CASE WHEN open > 0 THEN status
                      WHEN answered = total THEN 'succeeded'
                      WHEN answered > 0 THEN 'partial'
                      ELSE 'failed' END,
        finished_at = CASE WHEN open = 0 THEN statement_timestamp() END
    FROM units
    WHERE id = %s AND status NOT IN ('succeeded', 'partial', 'failed', 'canceled')
    RETURNING client_id, open, status
)
SELECT client_id, open, status, pg_notify(%s, '') FROM settled
"""


def channel_of(run_id: uuid.UUID) -> str:
    """The notification channel on which a run's changes are told."""
    return f"run_{run_id.hex}"
