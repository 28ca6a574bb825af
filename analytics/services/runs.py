"""Accepting, awaiting and canceling runs."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import F, Max
from django.db.models.functions import Now

from analytics.calculations.measures import Submission, under_policy
from analytics.calculations.outputs import canonical, content_hash
from analytics.calculations.price_store import data_version
from analytics.calculations.registry import MEASURES
from analytics.calculations.runner import channel_of
from analytics.calculations.sandbox import begins_at
from analytics.models import Run, Unit
from analytics.selectors.runs import UnitState, run_get_with_units, run_open_count
from portfolios.correlation import correlation
from portfolios.errors import Conflict, InvalidRequest, QuotaExceeded
from portfolios.models import Client, Portfolio, Price
from portfolios.plans import rows_planned
from portfolios.selectors.calendars import require_session
from portfolios.selectors.policies import policy_effective
from portfolios.selectors.portfolios import portfolio_get_for_client
from portfolios.selectors.positions import position_set_effective
from portfolios.services.audit import audit_record
from portfolios.services.events import event_record
from portfolios.services.quotas import OPEN_RUNS, quota_of
from portfolios.tenancy import client_query
from portfolios.waking import wake_sql
from portfolios.webhooks.catalogue import EventType

MAX_UNITS = 200
#: Waiting requests of one process.
MAX_WAITING = 16
_waiting = threading.BoundedSemaphore(MAX_WAITING)
#: A notification that was missed costs this much at most.
_RECHECK_SECONDS = 0.5


@dataclass(frozen=True)
class RunRequestOutcome:
    """The run, and whether this request made it."""

    run: Run
    created: bool
    units: Sequence[Unit] | None = None
    """Those of a run that this request made; none has a result yet."""


def run_request(
    *,
    client: Client,
    kind: str,
    portfolio_id: str | None = None,
    as_of: date | None = None,
    known_at: datetime | None = None,
    units: Mapping[str, Mapping[str, Any]],
    force: bool = False,
    request_id: str = "",
    actor: str = "",
    listen: bool = False,
) -> RunRequestOutcome:
    """Accept a request: run, unit and audit rows in the caller's transaction.

    The same request on the same facts is the same run, unless `force` asks for another attempt.
    Workers hear of it with the commit. With `listen` so does this connection, from then on, of
    every change of a new run, for `run_wait`. Then the commit does not wait for the disk either:
    what comes of the run does, and whoever answers before that calls `run_keep`.
    """
    measure = MEASURES[kind]
    portfolio = portfolio_get_for_client(client, portfolio_id) if portfolio_id else None
    day = _as_of(as_of)
    policy = policy_effective(portfolio, known_at=known_at) if portfolio else None
    params = {
        name: measure.normalize(
            Submission(client, portfolio, day, f"/units/{name}"),
            under_policy(measure, policy, given),
        )
        for name, given in units.items()
    }
    key = {
        "client": client,
        "kind": kind,
        "portfolio": portfolio,
        "as_of": day,
        "params_hash": content_hash(canonical(params)),
        "inputs_hash": _inputs_hash(client, portfolio, day, known_at),
        "method_version": measure.method_version,
    }
    latest, now = _latest(key)
    known = known_at or now
    if known > now:
        raise InvalidRequest(
            "known_at lies in the future.", code="bad-known-at", errors=[{"pointer": "/known_at"}]
        )
    if latest is not None and not force and latest.status != Run.Status.CANCELED:
        return RunRequestOutcome(Run.objects.get(pk=latest.pk), created=False)
    _refuse_beyond_quota(client)
    run = Run(
        **key,
        known_at=known,
        attempt_number=latest.number + 1 if latest else 1,
        request_id=request_id,
        created_at=now,
    )
    not_before = begins_at(portfolio, now)
    made = [
        Unit(
            client=client, run=run, name=name, ordinal=ordinal, params=given, not_before=not_before
        )
        for ordinal, (name, given) in enumerate(params.items())
    ]
    _insert(run, made, actor=actor or "service", listen=listen)
    return RunRequestOutcome(run, created=True, units=made)


def run_keep() -> None:
    """Wait until every run that has been committed so far is on disk."""
    # The log is written in order, up to this message at the least.
    _execute("SELECT pg_logical_emit_message(true, 'riskapi', '')")


def _insert(run: Run, units: Sequence[Unit], *, actor: str, listen: bool) -> None:
    """Run, units and audit row in one statement: what an accepted request leaves. Wakes workers."""
    detail = {"kind": run.kind, "units": len(units), "attempt_number": run.attempt_number}
    names = correlation()
    ahead = f"{wake_sql()};"
    if listen:
        ahead += f"LISTEN {_quoted_channel(run.pk)};SET LOCAL synchronous_commit TO off;"
    rows_planned(
        "WITH run AS (INSERT INTO analytics_run"
        " (id, client_id, kind, portfolio_id, as_of, known_at, params_hash, inputs_hash,"
        " method_version, attempt_number, status, version, request_id, created_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)), "
        "unit AS (INSERT INTO analytics_unit"
        " (id, client_id, run_id, name, ordinal, params, state, attempt, token, not_before)"
        " SELECT id, %s::uuid, %s::uuid, name, ordinal - 1, params::jsonb, 'queued', 0, 0,"
        " not_before"
        " FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::timestamptz[])"
        " WITH ORDINALITY AS given (id, name, params, not_before, ordinal)) "
        "INSERT INTO portfolios_auditevent"
        " (client_id, actor, action, object_id, request_id, client_request_id, traceparent,"
        " detail) VALUES (%s, %s, 'run.requested', %s, %s, %s, %s, %s::jsonb)",
        [
            run.pk, run.client_id, run.kind, run.portfolio_id, run.as_of, run.known_at,
            run.params_hash, run.inputs_hash, run.method_version, run.attempt_number,
            run.status, run.version, run.request_id, run.created_at,
            run.client_id, run.pk, [unit.pk for unit in units], [unit.name for unit in units],
            [canonical(unit.params) for unit in units], [unit.not_before for unit in units],
            run.client_id, actor, run.public_id, run.request_id,
            names.client_request_id, names.traceparent, canonical(detail),
        ],
        before=(ahead, ()),
    )  # fmt: skip


def run_cancel(*, client: Client, run: Run, actor: str = "", request_id: str = "") -> Run:
    """Stop what has not finished; finished units keep their results."""
    open_units = Unit.objects.filter(
        run=run, state__in=[Unit.State.QUEUED, Unit.State.RUNNING]
    ).order_by("pk")
    ids = list(open_units.select_for_update().values_list("pk", flat=True))
    locked = Run.objects.select_for_update().get(pk=run.pk)
    if locked.status in Run.TERMINAL:
        if locked.status == Run.Status.CANCELED:
            return locked
        raise Conflict(f"The run is {locked.status} already.", code="conflict")
    Unit.objects.filter(pk__in=ids).update(
        state=Unit.State.CANCELED, lease_until=None, finished_at=Now()
    )
    Run.objects.filter(pk=run.pk).update(
        status=Run.Status.CANCELED, finished_at=Now(), version=F("version") + 1
    )
    audit_record(
        client=client,
        actor=actor or "service",
        action="run.canceled",
        object_id=run.public_id,
        request_id=request_id,
    )
    run_notify(run.pk)
    locked.refresh_from_db()
    event_record(client.pk, EventType.RUN_FINISHED, run.public_id, locked.status)
    return locked


def run_notify(run_id: uuid.UUID) -> None:
    """Tell whoever waits for the run; delivered when the transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [channel_of(run_id)])


def run_wait(
    run_id: uuid.UUID, client_id: uuid.UUID, seconds: float, *, since_version: int | None = None
) -> str:
    """Wait outside of a transaction until the run is over; its status then, or when time is up.

    With `since_version`, until the run has changed beyond that version. The database tells at once;
    no lock and no snapshot is held meanwhile. Where all places to wait are taken, nobody waits:
    each holds a thread and a connection that others need to be answered at all.
    """
    with _place(seconds) as allowed:
        _execute(f"LISTEN {_quoted_channel(run_id)}")
        try:
            return _wait(run_id, client_id, allowed, since_version)
        finally:
            _execute(f"UNLISTEN {_quoted_channel(run_id)}")


def run_wait_for_new(
    client: Client, run_id: uuid.UUID, seconds: float, *, n_units: int
) -> tuple[Run, list[UnitState]]:
    """Wait like `run_wait` for a run that `run_request` has made and listens for; the run then.

    It listens since the commit, so nothing can have been missed and nothing is asked first; and
    what is told first of a run of one unit is its end.
    """
    began, channel = time.monotonic(), _quoted_channel(run_id)
    with _place(seconds) as allowed:
        if _hear(min(allowed, _RECHECK_SECONDS)) and n_units == 1:
            found = run_get_with_units(client, run_id, before=f"UNLISTEN {channel}")
            if found[0].status in Run.TERMINAL:
                return found
            _execute(f"LISTEN {channel}")
        try:
            _wait(run_id, client.pk, allowed - (time.monotonic() - began), None)
        finally:
            _execute(f"UNLISTEN {channel}")
    return run_get_with_units(client, run_id)


def _wait(
    run_id: uuid.UUID, client_id: uuid.UUID, seconds: float, since_version: int | None
) -> str:
    deadline = time.monotonic() + seconds
    while True:
        ((status, version),) = client_query(
            client_id, "SELECT status, version FROM analytics_run WHERE id = %s", [run_id]
        )
        remaining = deadline - time.monotonic()
        changed = since_version is not None and version > since_version
        if status in Run.TERMINAL or changed or remaining <= 0:
            return str(status)
        _hear(min(remaining, _RECHECK_SECONDS))


@contextmanager
def _place(seconds: float) -> Iterator[float]:
    """A place to wait for so long; for no time where all are taken."""
    admitted = _waiting.acquire(blocking=False)
    try:
        yield seconds if admitted else 0.0
    finally:
        if admitted:
            _waiting.release()


def _hear(seconds: float) -> bool:
    """Block until a notification or for so long; whether there was one."""
    return bool(list(connection.connection.notifies(timeout=seconds, stop_after=1)))


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _quoted_channel(run_id: uuid.UUID) -> str:
    return connection.ops.quote_name(channel_of(run_id))


def _as_of(given: date | None) -> date:
    if given is not None:
        return require_session("XNYS", given)
    last: date | None = Price.objects.filter(superseded_at=None).aggregate(last=Max("session"))[
        "last"
    ]
    if last is None:
        raise InvalidRequest(
            "No prices are on file, so there is no last session; load prices or name as_of.",
            code="market-data-missing",
            errors=[{"pointer": "/as_of"}],
        )
    return last


def _inputs_hash(
    client: Client, portfolio: Portfolio | None, day: date, known_at: datetime | None
) -> str:
    """Fingerprint of the facts: equal where a computation would read the same."""
    positions = None
    if portfolio is not None:
        found = position_set_effective(portfolio, as_of=day, known_at=known_at)
        positions = f"{found.pk}:{found.checksum}" if found else None
        if found is None:
            raise InvalidRequest(
                f"The portfolio has no positions on or before {day}; send them with PUT"
                " /v1/portfolios/{id}/positions.",
                code="no-positions",
                errors=[
                    {
                        "pointer": "/portfolio",
                        "code": "no-positions",
                        "message": "No positions are on file by then.",
                    }
                ],
            )
    facts: dict[str, Any] = {
        "positions": positions,
        "data_version": data_version(client.pk),
        "currency": portfolio.base_currency if portfolio else None,
    }
    if known_at is not None:
        # Facts as of a past time do not change with later versions.
        facts = {**facts, "data_version": None, "known_at": known_at.astimezone(UTC).isoformat()}
    return content_hash(canonical(facts))


class _Attempt(NamedTuple):
    pk: uuid.UUID
    number: int
    status: str


def _latest(key: Mapping[str, Any]) -> tuple[_Attempt | None, datetime]:
    """The last attempt at a request, and when it was looked for.

    Equal requests pass one after the other, to find the first's. When is by the database's clock,
    which every fact's `recorded_at` was taken from, and after all that the key names was read.
    """
    portfolio = key["portfolio"].pk if key["portfolio"] else None
    named: dict[str, Any] = {
        "client_id": key["client"].pk, "kind": str(key["kind"]), "as_of": key["as_of"],
        "params_hash": key["params_hash"], "inputs_hash": key["inputs_hash"],
        "method_version": key["method_version"],
    }  # fmt: skip
    turn = int(content_hash(canonical([str(portfolio), *map(str, named.values())]))[:15], 16)
    same = " AND ".join(f"{name} = %s" for name in named)
    same += " AND portfolio_id IS NULL" if portfolio is None else " AND portfolio_id = %s"
    # Two statements, so that the second sees what was committed before the lock was had.
    ((now, *row),) = rows_planned(
        "SELECT statement_timestamp(), latest.* FROM (VALUES (1)) AS now LEFT JOIN"
        f" (SELECT id, attempt_number, status FROM analytics_run WHERE {same}"
        " ORDER BY attempt_number DESC LIMIT 1) AS latest ON true",
        [*named.values(), *([] if portfolio is None else [portfolio])],
        before=("SELECT pg_advisory_xact_lock(%s);", [turn]),
    )
    return (_Attempt(*row) if row[0] else None), now


def _refuse_beyond_quota(client: Client) -> None:
    """Refuse a run beyond those that a client may have open.

    Counted under a lock of the client that holds until the commit, so that requests which arrive
    together are counted one after the other.
    """
    allowed = quota_of(client, OPEN_RUNS)
    if not allowed:
        return
    lock = int.from_bytes(client.pk.bytes[8:], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock])
    open_runs = run_open_count(client)
    if open_runs >= allowed:
        raise QuotaExceeded(
            f"{open_runs} runs are open and {allowed} may be: wait for one to finish, or cancel"
            " one.",
            policy=OPEN_RUNS,
            retry_after=1,
        )
