"""Runs of a client, and the body in which a run is served."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import orjson
from django.db.models import QuerySet

from analytics.models import Replay, Result, Run, RunInput, Unit
from portfolios.errors import NotFound
from portfolios.identifiers import parse_public_id
from portfolios.models import Client, Portfolio
from portfolios.selectors import json_rows
from portfolios.selectors.json_rows import JsonRow, beginning, exact, moment, plain, real
from portfolios.selectors.rows import columns, instance
from portfolios.tenancy import OWNER, Look, client_query

_STATUS_OF_STATE = {
    Unit.State.QUEUED: "queued",
    Unit.State.RUNNING: "running",
    Unit.State.QUARANTINED: "error",
    Unit.State.CANCELED: "canceled",
}


class UnitState(NamedTuple):
    """How far a unit is, with its stored text once it has one."""

    name: str
    state: str
    attempt: int = 0
    body: str | None = None


class UnitResult(NamedTuple):
    """The stored text of a unit with its hash; none where it has no result."""

    state: str | None
    body: str | None
    content_hash: str | None


def run_list_for_client(client: Client) -> QuerySet[Run]:
    return Run.objects.filter(client=client)


def run_open_count(client: Client) -> int:
    """How many of the client's runs are queued or running."""
    return Run.objects.filter(client=client, status__in=Run.OPEN).count()


def run_latest_of(
    portfolio: Portfolio, *, as_of: date, known_at: datetime | None = None
) -> list[Run]:
    """The last run of each kind, of those about `as_of` or before and asked for by then."""
    rows = Run.objects.filter(client=portfolio.client_id, portfolio=portfolio, as_of__lte=as_of)
    if known_at is not None:
        rows = rows.filter(created_at__lte=known_at)
    return list(rows.order_by("kind", "-as_of", "-created_at", "-id").distinct("kind"))


def run_get_for_client(client: Client, run_id: str | uuid.UUID) -> Run:
    """By public id; raises NotFound for one of somebody else as for none."""
    pk = run_id if isinstance(run_id, uuid.UUID) else parse_public_id(Run.ID_PREFIX, run_id)
    run = run_list_for_client(client).filter(pk=pk).first() if pk else None
    if run is None:
        raise NotFound("There is no such run.")
    return run


#: A run without its units.
RUN = JsonRow(
    id=json_rows.public_id("id", Run.ID_PREFIX),
    kind=plain("kind"),
    status=plain("status"),
    version=plain("version"),
    portfolio=json_rows.public_id("portfolio_id", Portfolio.ID_PREFIX),
    as_of=plain("as_of"),
    known_at=moment("known_at"),
    method_version=plain("method_version"),
    inputs_hash=beginning("sha256:", "inputs_hash"),
    attempt_number=plain("attempt_number"),
    created_at=moment("created_at"),
    finished_at=moment("finished_at"),
)


def run_get_with_units(
    client: Client, run_id: str | uuid.UUID, *, before: str = ""
) -> tuple[Run, list[UnitState]]:
    """A run and how far its units are, in one look of its own; raises NotFound.

    `before` is a statement to be sent in the same message, ahead of the one that reads the run, so
    that the run is read after it has taken effect.
    """
    pk = run_id if isinstance(run_id, uuid.UUID) else parse_public_id(Run.ID_PREFIX, run_id)
    rows = client_query(client.pk, _RUN_WITH_UNITS, [pk, client.pk], before=before) if pk else []
    if not rows:
        raise NotFound("There is no such run.")
    own = len(Run._meta.concrete_fields)
    return instance(Run, rows[0][:own]), [UnitState(*row[own:]) for row in rows]


_RUN_WITH_UNITS = (
    f"SELECT {columns(Run, 'run')}, unit.name, unit.state, unit.attempt, result.body"
    " FROM analytics_run run JOIN analytics_unit unit ON unit.run_id = run.id"
    " LEFT JOIN analytics_result result ON result.unit_id = unit.id"
    " WHERE run.id = %s AND run.client_id = %s ORDER BY unit.ordinal"
)


def run_representation(run: Run, units: Iterable[UnitState]) -> dict[str, Any]:
    """The body of GET /v1/runs/{id}; results are the stored texts, unparsed."""
    units = list(units)
    over = sum(unit.state not in (Unit.State.QUEUED, Unit.State.RUNNING) for unit in units)
    return {
        **RUN.of(run),
        "progress": {"done": over, "total": len(units)},
        "units": {unit.name: unit_representation(unit) for unit in units},
    }


def unit_representation(unit: UnitState) -> Any:
    """A unit's stored text, or how far it is."""
    if unit.body is not None:
        return orjson.Fragment(unit.body)
    answer: dict[str, Any] = {"status": _STATUS_OF_STATE[Unit.State(unit.state)], "result": None}
    if unit.state == Unit.State.QUARANTINED:
        answer["problem"] = {
            "type": "/v1/errors/quarantined",
            "code": "quarantined",
            "detail": f"the computation failed {unit.attempt} times; it has been logged",
        }
    return answer


def run_unit_answers(run: Run, name: str | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names and answers of a run's units, read one after the other; of one where it is named."""
    units = Unit.objects.filter(run=run).order_by("ordinal").select_related("result")
    if name is not None:
        units = units.filter(name=name)
    for unit in units.iterator(chunk_size=20):
        made: Result | None = getattr(unit, "result", None)
        if made is None:
            yield unit.name, unit_representation(UnitState(unit.name, unit.state, unit.attempt))
        else:
            yield unit.name, orjson.loads(made.body)


def unit_result_look(run_id: str, name: str) -> Look | None:
    """The statement that finds a unit's state and stored result, for `ApiView.look`; None where
    `run_id` is not the id of a run. `unit_result_seen` reads its rows."""
    pk = parse_public_id(Run.ID_PREFIX, run_id)
    return Look(_UNIT_RESULT, [name, pk]) if pk else None


def unit_result_seen(rows: Sequence[tuple[Any, ...]]) -> UnitResult:
    """The unit that the statement of `unit_result_look` has found; raises NotFound."""
    if not rows:
        raise NotFound("There is no such run.")
    found = UnitResult(*rows[0])
    if found.state is None:
        raise NotFound("The run has no such unit.")
    return found


_UNIT_RESULT = f"""
SELECT unit.state, result.body, result.content_hash
FROM analytics_run run
    LEFT JOIN analytics_unit unit ON unit.run_id = run.id AND unit.name = %s
    LEFT JOIN analytics_result result ON result.unit_id = unit.id
WHERE run.id = %s AND run.client_id = {OWNER}
"""


def replay_latest(run: Run) -> Replay:
    """The latest replay of a run; raises NotFound where there is none."""
    replay = Replay.objects.filter(client=run.client_id, run=run).order_by("-id").first()
    if replay is None:
        raise NotFound("The run has not been replayed; POST to this address to have it done.")
    replay.run = run
    return replay


#: What a row of the facts can tell, whatever its kind.
INPUT_VALUES = {
    "quantity": exact("quantity"),
    "close": exact("close"),
    "total_return_index": real("total_return_index"),
    "rate": exact("rate"),
    "multiple": exact("multiple"),
    "expense_ratio": exact("expense_ratio"),
    "swap_spread": exact("swap_spread"),
    "new_shares": plain("new_shares"),
    "old_shares": plain("old_shares"),
    "amount": exact("amount"),
    "bid": exact("bid"),
    "ask": exact("ask"),
    "last": exact("last"),
    "implied_volatility": real("implied_volatility"),
    "underlying_price": exact("underlying_price"),
}


def run_input_list(run: Run) -> QuerySet[RunInput]:
    """Every row that the run's units used, as it was known at the run's `known_at`."""
    return RunInput.objects.filter(run=run)
