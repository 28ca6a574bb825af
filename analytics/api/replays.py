"""Proof that a stored result comes out again."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.api.results.parts import Shape, words
from analytics.models import Replay
from analytics.selectors.runs import replay_latest, run_get_for_client
from analytics.services.replays import replay_request
from portfolios.api.base import ApiView
from portfolios.api.listing import refuse_unknown
from portfolios.services.quotas import RUNS

_STATUS = {Replay.State.QUARANTINED: "error"}


class MethodVersionsShape(Shape):
    stored = serializers.CharField()
    current = serializers.CharField(help_text="Of this build: another one may well differ.")


class DifferenceShape(Shape):
    pointer = serializers.CharField(help_text="JSON pointer into the unit's answer.")
    stored = serializers.JSONField()
    recomputed = serializers.JSONField()
    absent_from = words("stored", "recomputed", allow_null=True)


class BuildShape(Shape):
    python = serializers.CharField()
    numpy = serializers.CharField()
    scipy = serializers.CharField()
    machine = serializers.CharField()


class ReplayedUnitShape(Shape):
    identical = serializers.BooleanField(help_text="Byte for byte.")
    stored_hash = serializers.CharField()
    recomputed_hash = serializers.CharField()
    stored_build = BuildShape(allow_null=True)
    recomputed_build = BuildShape()
    n_differences = serializers.IntegerField()
    differences = DifferenceShape(many=True, help_text="The first 100.")


class ReplayShape(Shape):
    id = serializers.CharField()
    run = serializers.CharField()
    status = words("queued", "running", "done", "error")
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    identical = serializers.BooleanField(allow_null=True, help_text="Null until it is done.")
    method_version = MethodVersionsShape(allow_null=True)
    units = serializers.DictField(
        child=ReplayedUnitShape(allow_null=True),
        allow_null=True,
        help_text="By name; null where the unit has no stored result.",
    )


class ReplayRequestedShape(ReplayShape):
    deduplicated = serializers.BooleanField(help_text="A replay was under way already.")


class RunReplayView(ApiView):
    required_scopes = {"GET": "analyses:read", "POST": "analyses:run"}
    sends = {"GET": ("Retry-After",), "POST": ("Location", "Retry-After")}
    refusals = {"POST": (409, 410)}
    quota_policies = {"POST": (RUNS,)}

    @extend_schema(operation_id="runs_replay_retrieve", responses=ReplayShape)
    def get(self, request: Request, run_id: str) -> Response:
        """The latest replay of a run, and what it found."""
        refuse_unknown(request, ())
        replay = replay_latest(run_get_for_client(self.client, run_id))
        headers = {} if replay.outcome is not None else {"Retry-After": "1"}
        return Response(_body(replay), headers=headers)

    @extend_schema(operation_id="runs_replay", request=None, responses={202: ReplayRequestedShape})
    def post(self, request: Request, run_id: str) -> Response:
        """Have a worker compute a run again from the facts known then, and compare each byte."""
        refuse_unknown(request, ())
        replay, made = replay_request(
            client=self.client,
            run=run_get_for_client(self.client, run_id),
            actor=self.actor,
            request_id=self.request_id,
        )
        location = f"{request.path.rstrip('/')}"
        return Response(
            {**_body(replay), "deduplicated": not made},
            status=202,
            headers={"Location": location, "Retry-After": "1"},
        )


def _body(replay: Replay) -> dict[str, Any]:
    nothing = {"identical": None, "method_version": None, "units": None}
    state = Replay.State(replay.state)
    return {
        "id": replay.public_id,
        "run": replay.run.public_id,
        "status": _STATUS.get(state, str(state)),
        "created_at": replay.created_at,
        "finished_at": replay.finished_at,
        **(replay.outcome or nothing),
    }
