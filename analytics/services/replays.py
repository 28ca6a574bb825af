"""Asking for a run to be computed again and compared."""

from __future__ import annotations

from analytics.models import Replay, Result, Run
from portfolios.errors import Conflict
from portfolios.models import Client
from portfolios.services.audit import audit_record
from portfolios.waking import wake_workers

OPEN = (Replay.State.QUEUED, Replay.State.RUNNING)


def replay_request(
    *, client: Client, run: Run, actor: str, request_id: str = ""
) -> tuple[Replay, bool]:
    """Queue a replay in the caller's transaction, and say whether it is a new one.

    A replay of the run that waits or is under way is the one asked for.
    """
    # One caller after another for the same run.
    locked = Run.objects.select_for_update(of=("self",)).get(pk=run.pk)
    if locked.status not in Run.TERMINAL:
        raise Conflict(
            f"The run is {locked.status}; what is not stored yet cannot be compared.",
            code="run-not-finished",
        )
    under_way = Replay.objects.filter(client=client, run=run, state__in=OPEN).first()
    if under_way is not None:
        return under_way, False
    if not Result.objects.filter(unit__run=run).exists():
        code = "run-canceled" if locked.status == Run.Status.CANCELED else "conflict"
        raise Conflict("No unit of the run has a result to compare.", code=code)
    replay = Replay.objects.create(client=client, run=run, request_id=request_id)
    replay.refresh_from_db()
    audit_record(
        client=client,
        actor=actor,
        action="run.replay_requested",
        object_id=run.public_id,
        request_id=request_id,
        detail={"replay": replay.public_id},
    )
    wake_workers()
    return replay, True
