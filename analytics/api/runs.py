"""Runs: how far they are, what they made, what they read; and stopping them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.api.analyses import MAX_WAIT_SECONDS, run_tag
from analytics.api.results.inputs import RunInputShape
from analytics.api.results.runs import RunSummaryShape, run_of_any_kind, stored_unit
from analytics.api.serializers import RunFigureSerializer
from analytics.models import Run, RunInput, Unit
from analytics.reporting.flat import unit_rows
from analytics.selectors.runs import (
    INPUT_VALUES,
    RUN,
    run_get_for_client,
    run_get_with_units,
    run_input_list,
    run_list_for_client,
    run_representation,
    run_unit_answers,
    unit_result_look,
    unit_result_seen,
)
from analytics.services.runs import run_cancel, run_wait
from portfolios.api.base import IMMUTABLE, ApiView, etagged
from portfolios.api.exports import chosen_format, file_response
from portfolios.api.listing import (
    Filter,
    Listing,
    calendar_date,
    instant,
    list_response,
    one_of,
    page_of,
    read_parameters,
    refuse_unknown,
    text,
)
from portfolios.api.preconditions import not_modified
from portfolios.errors import Conflict
from portfolios.identifiers import parse_public_id
from portfolios.models import Client, Portfolio
from portfolios.selectors.json_rows import JsonRow, moment, plain, reference
from portfolios.tenancy import Look, client_scope

_INPUT = JsonRow(
    unit=plain("unit"),
    kind=plain("kind"),
    date=plain("date"),
    instrument=reference("instrument"),
    series=plain("series"),
    **INPUT_VALUES,
    reference_index=reference("reference_index"),
    own=plain("own"),
    source=plain("source"),
    recorded_at=moment("recorded_at"),
)
#: Members that a row has whatever its kind, null where there is nothing to say.
_ALWAYS = ("unit", "kind", "date", "instrument", "series", "own", "source", "recorded_at")
_OF_PRICES = ("close", "total_return_index")
_RUN_COLUMNS = ("kind", "portfolio", "as_of", "known_at", "method_version")


def _portfolio(value: str) -> uuid.UUID:
    found = parse_public_id(Portfolio.ID_PREFIX, value)
    if found is None:
        raise ValueError("a portfolio's id, pf_...")
    return found


def _seconds(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 5):
        raise ValueError("whole seconds")
    return min(int(value), MAX_WAIT_SECONDS)


def _version(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise ValueError("a run's version")
    return int(value)


class RunListView(ApiView):
    required_scopes = {"GET": "analyses:read"}
    one_trip = True
    listing = Listing(
        run_list_for_client,
        RUN,
        filters={
            "kind": Filter("kind", one_of(*Run.Kind.values)),
            "status": Filter("status", one_of(*Run.Status.values)),
            "portfolio": Filter("portfolio_id", _portfolio),
            "as_of": Filter("as_of", calendar_date, ranges=True),
            "created_at": Filter("created_at", instant, ranges=True),
        },
        sorts={"created_at": "created_at", "as_of": "as_of"},
        default_sort="-created_at",
        row=RunSummaryShape,
    )

    @extend_schema(operation_id="runs_list", responses=page_of(RunSummaryShape))
    def get(self, request: Request) -> Response:
        """The client's runs, the latest first, without their units."""
        return list_response(request, self.listing)


def _figures(request: Request, run: Run, unit: str | None = None) -> Response:
    """The results of a run, or of one of its units, as a file: one figure a row."""
    head = RUN.of(run)
    head = {"run": head["id"], **{name: head[name] for name in _RUN_COLUMNS}}

    def rows() -> Iterator[dict[str, Any]]:
        for name, answer in run_unit_answers(run, unit):
            for row in unit_rows(answer):
                yield {**head, "unit": name, **row}

    address = f"/v1/runs/{run.public_id}/units/..."
    return file_response(request, RunFigureSerializer, rows, narrow_by=[address])  # type: ignore[return-value]  # DRF sends any


class RunDetailView(ApiView):
    file_row = RunFigureSerializer
    required_scopes = {"GET": "analyses:read", "DELETE": "analyses:run"}
    sends = {"GET": ("ETag",), "DELETE": ("ETag",)}
    refusals = {"DELETE": (409,)}
    #: A long poll must not hold a transaction; each method opens its own scope.
    opens_scope = False

    @extend_schema(
        operation_id="runs_retrieve",
        parameters=[
            OpenApiParameter("wait", int, description=f"Seconds, {MAX_WAIT_SECONDS} at most."),
            OpenApiParameter(
                "since_version", int, description="Answer as soon as the version is beyond this."
            ),
        ],
        responses=run_of_any_kind(),
    )
    def get(self, request: Request, run_id: str) -> Response:
        """How far a run is and what its units made; with `wait`, when that has changed."""
        given = read_parameters(
            request, {"wait": _seconds, "since_version": _version, "format": text}
        )
        run, units = run_get_with_units(self.client, run_id)
        if given.get("wait") and run.status not in Run.TERMINAL:
            run_wait(
                run.pk, self.client.pk, given["wait"], since_version=given.get("since_version")
            )
            run, units = run_get_with_units(self.client, run.pk)
        if chosen_format(request) is not None:
            with client_scope(self.client.pk):
                return _figures(request, run)
        unchanged = not_modified(request, run_tag(run))
        if unchanged is not None:
            return unchanged
        answer = etagged(run_representation(run, units), run_tag(run))
        if run.status not in Run.TERMINAL:
            answer["Retry-After"] = "1"
        return answer

    @extend_schema(operation_id="runs_cancel", responses={202: run_of_any_kind()})
    def delete(self, request: Request, run_id: str) -> Response:
        """Stop a run; units that are done keep their results, what is under way is dropped."""
        refuse_unknown(request, ())
        with client_scope(self.client.pk):
            canceled = run_cancel(
                client=self.client,
                run=run_get_for_client(self.client, run_id),
                actor=self.actor,
                request_id=self.request_id,
            )
            run, units = run_get_with_units(self.client, canceled.pk)
            return etagged(run_representation(run, units), run_tag(run), status=202)


class RunUnitView(ApiView):
    file_row = RunFigureSerializer
    required_scopes = {"GET": "analyses:read"}
    sends = {"GET": ("ETag", "Cache-Control")}
    refusals = {"GET": (409, 410)}
    #: JSON needs nothing but what `look` has found before the handler runs.
    opens_scope = False

    def look(self) -> Look | None:
        return unit_result_look(self.kwargs["run_id"], self.kwargs["name"])

    @extend_schema(operation_id="runs_unit", responses=stored_unit())
    def get(self, request: Request, run_id: str, name: str) -> Response:
        """One unit's answer, the stored text itself."""
        refuse_unknown(request, ("format",))
        unit = unit_result_seen(self.looked)
        if chosen_format(request) is not None:
            with client_scope(self.client.pk):
                return _figures(request, run_get_for_client(self.client, run_id), name)
        if unit.body is not None and unit.content_hash is not None:
            answer = not_modified(request, unit.content_hash) or etagged(
                unit.body.encode(), unit.content_hash
            )
            answer["Cache-Control"] = IMMUTABLE
            return answer
        if unit.state == Unit.State.CANCELED:
            raise Conflict("The run was canceled before this unit.", code="run-canceled")
        raise Conflict("The unit has no result yet.", code="run-not-finished")


def _inputs(client: Client, *, run: uuid.UUID) -> QuerySet[RunInput]:
    return run_input_list(Run(pk=run, client=client))


class RunInputListView(ApiView):
    #: The facts themselves, so the scopes that reading them elsewhere needs.
    required_scopes = {"GET": "analyses:read portfolios:read prices:read"}
    listing = Listing(
        _inputs,
        _INPUT,
        filters={
            "unit": Filter("unit"),
            "kind": Filter("kind", one_of(*RunInput.Kind.values)),
            "instrument": Filter("instrument__symbol"),
            "date": Filter("date", calendar_date, ranges=True),
        },
        default_sort="key",
        key="key",
        row=RunInputShape,
    )

    @extend_schema(
        operation_id="runs_inputs",
        responses=page_of(
            RunInputShape,
            run=serializers.CharField(),
            as_of=serializers.DateField(),
            known_at=serializers.DateTimeField(),
            inputs_hash=serializers.CharField(),
        ),
    )
    def get(self, request: Request, run_id: str) -> Response:
        """Every row that the units with a result used, as it was known when the run was accepted:
        positions, prices, rates, terms, corporate actions and quotes, each with its source. They
        need the scopes that reading them by themselves needs."""
        run = run_get_for_client(self.client, run_id)
        return list_response(
            request, self.listing, given={"run": run.pk}, shown=_told,
            run=run.public_id, as_of=run.as_of, known_at=run.known_at,
            inputs_hash=f"sha256:{run.inputs_hash}",
        )  # fmt: skip


def _told(row: dict[str, Any]) -> dict[str, Any]:
    """A row without the members that are null because rows of its kind have none."""
    has = (*_ALWAYS, *_OF_PRICES) if row["kind"] == RunInput.Kind.PRICE else _ALWAYS
    row["series"] = row["series"] or None
    return {name: value for name, value in row.items() if value is not None or name in has}
