"""One unit, from its row to its result: claimed, computed outside of a transaction, stored once."""

from __future__ import annotations

import logging
import uuid
from datetime import timedelta

from django.db import DatabaseError, connection
from django.db.models import F

from analytics.calculations.inputs import Market, load_books
from analytics.calculations.measures import Request
from analytics.calculations.outputs import Outcome, canonical, content_hash
from analytics.calculations.registry import MEASURES
from analytics.models import Run, Unit
from portfolios import leases
from portfolios.identifiers import public_id, uuid7
from portfolios.services.events import event_record
from portfolios.tenancy import client_scope, operator_scope
from portfolios.webhooks.catalogue import EventType

#: Before the next attempt at a unit whose computation broke.
_RETRY_DELAY = timedelta(seconds=1)

logger = logging.getLogger(__name__)


def unit_perform(unit_id: uuid.UUID) -> bool:
    """Claim a unit, compute it and store the result; False where someone else has it.

    An expected refusal is a result. What is unexpected is logged and gives the unit back, until
    its attempts are used up.
    """
    with operator_scope():
        token = leases.claim(Unit, unit_id)
        if token is None:
            return False
        unit = Unit.objects.select_related("run").get(pk=unit_id)
        if unit.run.status == Run.Status.QUEUED:
            Run.objects.filter(pk=unit.run_id, status=Run.Status.QUEUED).update(
                status=Run.Status.RUNNING, version=F("version") + 1
            )
    try:
        with leases.heartbeat(Unit, unit_id, token):
            outcome = compute_unit(unit)
            unit_finish(unit, token, outcome)
    except DatabaseError:
        raise
    except Exception:  # one broken unit must not stop the others; its attempts are counted
        logger.exception("unit %s of run %s failed", unit.pk, unit.run_id)
        with operator_scope():
            leases.release(Unit, unit_id, token, delay=_RETRY_DELAY)
    return True


def compute_unit(unit: Unit) -> Outcome:
    """Compute a unit from the facts known at its run's `known_at`.

    Everything is read in one transaction and computed after it, from what was read.
    """
    run = unit.run
    measure = MEASURES[run.kind]
    market = Market(run.client_id, run.as_of, run.known_at)
    needs = measure.requirements(unit.params)
    portfolio_ids = [run.portfolio_id] if run.portfolio_id else []
    with client_scope(run.client_id):
        books = load_books(market, portfolio_ids, named=needs.instruments)
        market.prefetch(needs, books.values())
    market.sealed = True
    book = books.get(run.portfolio_id) if run.portfolio_id else None
    (outcome,) = measure.compute(market, [Request(unit.params, book)])
    return outcome


def unit_finish(unit: Unit, token: int, outcome: Outcome) -> bool:
    """Store a result in one transaction; False where the lease was lost and it is discarded."""
    try:
        with client_scope(unit.client_id):
            if not leases.finish(Unit, unit.pk, token):
                return False
            _store(unit, outcome)
            run_settle(unit.run_id)
    except DatabaseError:
        if _was_stored(unit, token):
            return True
        raise
    return True


def _store(unit: Unit, outcome: Outcome) -> None:
    """The result with its audit row, in one statement."""
    body = outcome.body
    detail = {"run": unit.run.public_id, "status": outcome.status}
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH result AS (INSERT INTO analytics_result"
            " (id, client_id, unit_id, status, body, content_hash, inputs)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s::jsonb)) "
            "INSERT INTO portfolios_auditevent"
            " (client_id, actor, action, object_id, request_id, detail)"
            " VALUES (%s, 'worker', 'unit.finished', %s, %s, %s::jsonb)",
            [
                uuid7(), unit.client_id, unit.pk, str(outcome.status), body, content_hash(body),
                canonical(outcome.inputs),
                unit.client_id, str(unit.pk), unit.run.request_id, canonical(detail),
            ],
        )  # fmt: skip


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
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM analytics_run WHERE id = %s FOR UPDATE", [run_id])
        cursor.execute(_SETTLE, {"run": run_id, "channel": channel_of(run_id)})
        settled: tuple[uuid.UUID, int, str, str] | None = cursor.fetchone()
    if settled is not None and settled[1] == 0:
        client_id, _, status, _ = settled
        run = public_id(Run.ID_PREFIX, run_id)
        event_record(client_id, EventType.RUN_FINISHED, run, status)


#: Counts are taken by a statement of its own, which sees what was committed before the lock. A
#: unit counts as answered if it has its numbers; one with a problem in their place does not.
_SETTLE = """
WITH units AS (
    SELECT count(*) FILTER (WHERE unit.state IN ('queued', 'running')) AS open,
           count(*) FILTER (WHERE result.status = 'ok') AS answered,
           count(*) AS total
    FROM analytics_unit unit LEFT JOIN analytics_result result ON result.unit_id = unit.id
    WHERE unit.run_id = %(run)s
), settled AS (
    UPDATE analytics_run SET version = version + 1,
        status = CASE WHEN open > 0 THEN status
                      WHEN answered = total THEN 'succeeded'
                      WHEN answered > 0 THEN 'partial'
                      ELSE 'failed' END,
        finished_at = CASE WHEN open = 0 THEN statement_timestamp() END
    FROM units
    WHERE id = %(run)s AND status NOT IN ('succeeded', 'partial', 'failed', 'canceled')
    RETURNING client_id, open, status
)
SELECT client_id, open, status, pg_notify(%(channel)s, '') FROM settled
"""


def channel_of(run_id: uuid.UUID) -> str:
    """The notification channel on which a run's changes are told."""
    return f"run_{run_id.hex}"
