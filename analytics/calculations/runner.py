"""One unit, from its row to its result: claimed, computed outside of a transaction, stored once."""

from __future__ import annotations

import logging
import uuid
from datetime import timedelta

from django.db import DatabaseError, connection
from django.db.models import Count, F, Q
from django.db.models.functions import Now

from analytics.calculations.inputs import Market, load_books
from analytics.calculations.measures import Request
from analytics.calculations.outputs import Outcome, content_hash
from analytics.calculations.registry import MEASURES
from analytics.models import OutboxMessage, Result, Run, Unit
from portfolios import leases
from portfolios.services.audit import audit_record
from portfolios.tenancy import client_scope, operator_scope

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
        unit = Unit.objects.select_related("run__client").get(pk=unit_id)
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
            body = outcome.body
            Result.objects.create(
                client_id=unit.client_id,
                unit=unit,
                status=outcome.status,
                body=body,
                content_hash=content_hash(body),
                inputs=outcome.inputs,
            )
            OutboxMessage.objects.create(
                client_id=unit.client_id, topic="unit.finished", object_id=unit.pk
            )
            audit_record(
                client=unit.run.client,
                actor="worker",
                action="unit.finished",
                object_id=str(unit.pk),
                request_id=unit.run.request_id,
                detail={"run": unit.run.public_id, "status": outcome.status},
            )
            run_settle(unit.run_id)
    except DatabaseError:
        if _was_stored(unit, token):
            return True
        raise
    return True


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
    run = Run.objects.select_for_update().get(pk=run_id)
    if run.status in Run.TERMINAL:
        return
    counts = Unit.objects.filter(run=run_id).aggregate(
        open=Count("pk", filter=Q(state__in=[Unit.State.QUEUED, Unit.State.RUNNING])),
        done=Count("pk", filter=Q(state=Unit.State.DONE)),
        all=Count("pk"),
    )
    changed: dict[str, object] = {"version": F("version") + 1}
    if not counts["open"]:
        status = Run.Status.FAILED
        if counts["done"] == counts["all"]:
            status = Run.Status.SUCCEEDED
        elif counts["done"]:
            status = Run.Status.PARTIAL
        changed |= {"status": status, "finished_at": Now()}
        OutboxMessage.objects.create(
            client_id=run.client_id, topic="run.finished", object_id=run_id
        )
    Run.objects.filter(pk=run_id).update(**changed)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [channel_of(run_id)])


def channel_of(run_id: uuid.UUID) -> str:
    """The notification channel on which a run's changes are told."""
    return f"run_{run_id.hex}"
