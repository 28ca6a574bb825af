"""Asking for analyses: one address per kind, one schema each."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.api.examples import EXAMPLES
from analytics.api.results.runs import SHAPES
from analytics.api.serializers import (
    HedgeComparisonRequestSerializer,
    HedgeEffectivenessRequestSerializer,
    LeveragedDragRequestSerializer,
    SemiconductorBetaRequestSerializer,
    TailRiskRequestSerializer,
)
from analytics.models import Run
from analytics.selectors.runs import (
    UnitState,
    run_get_for_client,
    run_get_with_units,
    run_representation,
)
from analytics.services.runs import run_keep, run_request, run_wait, run_wait_for_new
from portfolios.api.base import ApiView
from portfolios.api.fields import StrictSerializer
from portfolios.api.listing import refuse_unknown
from portfolios.api.preconditions import quoted
from portfolios.errors import InvalidRequest
from portfolios.services.quotas import RUNS
from portfolios.tenancy import client_scope

MAX_WAIT_SECONDS = 20
#: RFC 7240: a number, in quotes or not, and what else is said of it.
_WAIT = re.compile(r'\s*wait\s*=\s*("?)([0-9]{1,9})\1\s*(;.*)?')
_PREFER = OpenApiParameter(
    name="Prefer",
    location=OpenApiParameter.HEADER,
    type=str,
    description=f"`wait=N`: answer 200 with the results if they are there within N seconds"
    f" ({MAX_WAIT_SECONDS} at most).",
)


def _operation(kind: str, serializer: type[StrictSerializer]) -> Callable[[Any], Any]:
    """How the schema describes one kind of analysis: what is sent, and what comes of it."""
    requested = SHAPES[kind].requested
    return extend_schema(
        operation_id="analyses_" + kind.replace("-", "_"),
        request=serializer,
        examples=EXAMPLES[kind],
        parameters=[_PREFER],
        responses={200: requested, 202: requested},
    )


class AnalysisView(ApiView):
    """Accepts a request as a run: 202, or 200 when the caller waited and it was done in time."""

    required_scopes = {"POST": "analyses:run"}
    sends = {"POST": ("ETag", "Location", "Retry-After", "Preference-Applied")}
    quota_policies = {"POST": (RUNS,)}
    #: The run that this request has made; None where an earlier one was found. With `Prefer: wait`
    #: the connection listens for its end from the commit on.
    awaited: uuid.UUID | None = None
    kind: ClassVar[str]
    serializer: ClassVar[type[StrictSerializer]]

    def post(self, request: Request) -> Response:
        """Accept the request."""
        refuse_unknown(request, ())
        wait = preferred_wait(request)  # a malformed one is refused before anything is done
        sent = self.serializer(data=request.data)
        sent.is_valid(raise_exception=True)
        data: dict[str, Any] = sent.validated_data
        outcome = run_request(
            client=self.client,
            kind=self.kind,
            portfolio_id=data["portfolio"],
            as_of=data["as_of"],
            known_at=data["known_at"],
            units=data.get("units") or {"main": {}},
            force=data["force"],
            request_id=self.request_id,
            actor=self.actor,
            listen=bool(wait),
        )
        self.awaited = outcome.run.pk if outcome.created else None
        run, made = outcome.run, outcome.units
        if made is None:
            run, units = run_get_with_units(self.client, run.pk)
        else:
            units = [UnitState(unit.name, unit.state) for unit in made]
        return run_response(run, units, deduplicated=not outcome.created)

    def after_commit(self, request: Request, response: Response) -> Response:
        wait = preferred_wait(request)
        if response.status_code == 202 and wait:
            response = self._awaited(response, wait)
        # A 202 promises the run, so the run must be on disk (ADR 12). A run that is over is: the
        # commit of its result waited for the disk. The commit of a run that is still open did not
        # wait where its maker asked to be kept waiting, whether that was this request or, for a run
        # that was found, perhaps another.
        if response.status_code == 202 and (self.awaited is None or wait):
            run_keep()
        return response

    def _awaited(self, response: Response, wait: int) -> Response:
        """The answer of the run if it is over within `wait` seconds, else `response` as it is."""
        if self.awaited is not None:
            units = len(response.data["units"])
            found = run_wait_for_new(self.client, self.awaited, wait, n_units=units)
        else:
            # An earlier request's run, or the answer to a repeated request.
            with client_scope(self.client.pk):
                pk = run_get_for_client(self.client, response["Location"].rpartition("/")[2]).pk
            run_wait(pk, self.client.pk, wait)
            found = run_get_with_units(self.client, pk)
        if found[0].status not in Run.TERMINAL:
            return response
        answer = run_response(*found, deduplicated=response.data["deduplicated"])
        answer["Preference-Applied"] = f"wait={wait}"
        return answer


class SemiconductorBetaView(AnalysisView):
    kind = Run.Kind.SEMICONDUCTOR_BETA
    serializer = SemiconductorBetaRequestSerializer

    @_operation(Run.Kind.SEMICONDUCTOR_BETA, SemiconductorBetaRequestSerializer)
    def post(self, request: Request) -> Response:
        """Semiconductor beta of a portfolio, leveraged funds and options looked through."""
        return super().post(request)


class HedgeEffectivenessView(AnalysisView):
    kind = Run.Kind.HEDGE_EFFECTIVENESS
    serializer = HedgeEffectivenessRequestSerializer

    @_operation(Run.Kind.HEDGE_EFFECTIVENESS, HedgeEffectivenessRequestSerializer)
    def post(self, request: Request) -> Response:
        """How well positions hedge others: tests, horizons, coverage and cost."""
        return super().post(request)


class LeveragedDragView(AnalysisView):
    kind = Run.Kind.LEVERAGED_DRAG
    serializer = LeveragedDragRequestSerializer

    @_operation(Run.Kind.LEVERAGED_DRAG, LeveragedDragRequestSerializer)
    def post(self, request: Request) -> Response:
        """Where a leveraged fund's return came from, and what lies ahead."""
        return super().post(request)


class TailRiskView(AnalysisView):
    kind = Run.Kind.TAIL_RISK
    serializer = TailRiskRequestSerializer

    @_operation(Run.Kind.TAIL_RISK, TailRiskRequestSerializer)
    def post(self, request: Request) -> Response:
        """Value at risk, expected shortfall and who brings them, volatility, drawdown."""
        return super().post(request)


class HedgeComparisonView(AnalysisView):
    kind = Run.Kind.HEDGE_COMPARISON
    serializer = HedgeComparisonRequestSerializer

    @_operation(Run.Kind.HEDGE_COMPARISON, HedgeComparisonRequestSerializer)
    def post(self, request: Request) -> Response:
        """Short, inverse funds, put, put spread and collar side by side at equal delta."""
        return super().post(request)


def run_response(run: Run, units: Sequence[UnitState], *, deduplicated: bool) -> Response:
    """202 with where to look while it runs, 200 once it is over."""
    body = {**run_representation(run, units), "deduplicated": deduplicated}
    headers = {"Location": f"/v1/runs/{run.public_id}"}
    if run.status in Run.TERMINAL:
        return Response(body, headers={**headers, "ETag": quoted(run_tag(run))})
    return Response(body, status=202, headers={**headers, "Retry-After": "1"})


def run_tag(run: Run) -> str:
    """Changes whenever the run's answer does."""
    return f"{run.pk.hex}-{run.version}"


def preferred_wait(request: Request) -> int:
    """Seconds of `Prefer: wait=N`, at most 20; other preferences are not ours to refuse."""
    for preference in request.headers.get("Prefer", "").split(","):
        name = preference.partition("=")[0].strip().lower()
        if name != "wait":
            continue
        found = _WAIT.fullmatch(preference.lower())
        if found is None:
            raise InvalidRequest(
                "Prefer: wait takes whole seconds, for example wait=10.", code="bad-header"
            )
        return min(int(found[2]), MAX_WAIT_SECONDS)
    return 0
