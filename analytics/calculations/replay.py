"""A stored run computed again by this build, from the facts known when it was accepted."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterable, Iterator
from datetime import timedelta
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

from django.db import DatabaseError

from analytics.calculations.build import BUILD
from analytics.calculations.outputs import Json, content_hash
from analytics.calculations.registry import MEASURES
from analytics.calculations.runner import compute_unit
from analytics.models import Replay, Result, Run, Unit
from portfolios import leases
from portfolios.services.audit import audit_record
from portfolios.tenancy import client_scope, operator_scope

#: So many differences of a unit are told; all are counted.
MAX_TOLD = 100
_RETRY_DELAY = timedelta(seconds=1)
_ABSENT = object()

logger = logging.getLogger(__name__)


def replay_perform(replay_id: uuid.UUID) -> bool:
    """Claim a replay, compute and store what it found; False where someone else has it."""
    with operator_scope():
        token = leases.claim(Replay, replay_id)
        if token is None:
            return False
        replay = Replay.objects.select_related("run").get(pk=replay_id)
    try:
        with leases.heartbeat(Replay, replay_id, token):
            outcome = replayed(replay.run)
            _finish(replay, token, outcome)
    except DatabaseError:
        raise
    except Exception:  # one broken replay must not stop the worker; its attempts are counted
        logger.exception("replay %s of run %s failed", replay.pk, replay.run_id)
        with operator_scope():
            leases.release(Replay, replay_id, token, delay=_RETRY_DELAY)
    return True


def replayed(run: Run) -> Json:
    """Every stored result beside what this build makes of the same facts; bytes are compared."""
    with client_scope(run.client_id):
        units = list(Unit.objects.filter(run=run).order_by("ordinal"))
        stored = {row.unit_id: row for row in Result.objects.filter(unit__run=run)}
    answers: Json = {}
    for unit in units:
        unit.run = run
        found = stored.get(unit.pk)
        answers[unit.name] = None if found is None else _compared(unit, found)
    compared = [answer for answer in answers.values() if answer is not None]
    return {
        "identical": all(answer["identical"] for answer in compared),
        "method_version": {
            "stored": run.method_version,
            "current": MEASURES[run.kind].method_version,
        },
        "units": answers,
    }


def _compared(unit: Unit, stored: Result) -> Json:
    body = compute_unit(unit, pinned=stored.inputs).body
    told = list(differences(json.loads(stored.body), json.loads(body)))
    return {
        "identical": body == stored.body,
        "stored_hash": f"sha256:{stored.content_hash}",
        "recomputed_hash": f"sha256:{content_hash(body)}",
        "stored_build": stored.inputs.get("build"),
        "recomputed_build": BUILD,
        "n_differences": len(told),
        "differences": told[:MAX_TOLD],
    }


def differences(stored: Any, recomputed: Any, pointer: str = "") -> Iterator[Json]:
    """Where two answers differ, by JSON pointer; what one of them lacks is told as null."""
    if isinstance(stored, dict) and isinstance(recomputed, dict):
        for name in sorted(stored.keys() | recomputed.keys()):
            step = name.replace("~", "~0").replace("/", "~1")
            yield from differences(
                stored.get(name, _ABSENT), recomputed.get(name, _ABSENT), f"{pointer}/{step}"
            )
    elif isinstance(stored, list) and isinstance(recomputed, list):
        yield from _of_lists(stored, recomputed, pointer)
    elif stored != recomputed or type(stored) is not type(recomputed):
        yield {
            "pointer": pointer,
            "stored": None if stored is _ABSENT else stored,
            "recomputed": None if recomputed is _ABSENT else recomputed,
            "absent_from": "stored" if stored is _ABSENT
            else "recomputed" if recomputed is _ABSENT else None,
        }  # fmt: skip


def _of_lists(stored: list[Any], recomputed: list[Any], pointer: str) -> Iterator[Json]:
    """Element by element; in lists of different lengths what both have is passed over, so that a
    warning that one of them lacks is one difference and not one of each that follows it."""
    blocks: Iterable[tuple[str, int, int, int, int]]
    if len(stored) == len(recomputed):
        blocks = [("replace", 0, len(stored), 0, len(recomputed))]
    else:
        left_texts, right_texts = (
            [json.dumps(one, sort_keys=True) for one in side] for side in (stored, recomputed)
        )
        blocks = SequenceMatcher(None, left_texts, right_texts, autojunk=False).get_opcodes()
    for kind, *ends in blocks:
        if kind == "equal":
            continue
        left, right = range(*ends[:2]), range(*ends[2:])
        for ours, theirs in zip_longest(left, right):
            yield from differences(
                _ABSENT if ours is None else stored[ours],
                _ABSENT if theirs is None else recomputed[theirs],
                f"{pointer}/{ours if theirs is None else theirs}",
            )


def _finish(replay: Replay, token: int, outcome: Json) -> None:
    with client_scope(replay.client_id):
        if not leases.finish(Replay, replay.pk, token):
            return  # the lease was lost: whoever has it now tells
        Replay.objects.filter(pk=replay.pk).update(outcome=outcome)
        audit_record(
            client=replay.run.client,
            actor="worker",
            action="run.replayed",
            object_id=replay.run.public_id,
            request_id=replay.request_id,
            detail={"replay": replay.public_id, "identical": outcome["identical"]},
        )
