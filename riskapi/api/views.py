"""What belongs to the product as a whole: health, status, the pages of the problem types."""

from __future__ import annotations

import functools
import time
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.models import Min
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from kombu import Connection
from kombu.exceptions import OperationalError
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.models import Report, Unit
from portfolios.api.base import ApiView
from portfolios.api.listing import refuse_unknown
from portfolios.api.pages import OpenView, page_response, table, wants_page
from portfolios.errors import NotFound
from portfolios.page_policies import OPERATIONS
from portfolios.selectors.market import last_priced_session
from riskapi.api.exceptions import problem_parts
from riskapi.api.problems import CONTENT_TYPE, PROBLEMS, RETRY_AFTER, ProblemType
from riskapi.api.renderers import dumps


@csrf_exempt
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:  # noqa: ARG001  # Django's signature
    """The process answers. Asks nothing else."""
    return _plain({"status": "ok"})


@csrf_exempt
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Whether requests can be served: the database is there and migrated.

    Without the broker requests are still accepted and computed, and only nightly reports are not
    begun. So the service is ready then, and says that it is degraded.
    """
    checks = {"database": "ok", "migrations": "ok", "broker": "ok"}
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT app, name FROM django_migrations")
            applied = set(cursor.fetchall())
        if not _migrations() <= applied:
            checks["migrations"] = "pending"
    except DatabaseError:
        checks.update(database="unreachable", migrations="unknown")
    if not _broker_answers():
        checks["broker"] = "unreachable"
    ready = checks["database"] == checks["migrations"] == "ok"
    state = "ok" if checks["broker"] == "ok" else "degraded"
    if ready:
        return _plain({"status": state, "checks": checks})
    body = {**problem_parts(request, "service-degraded", 503, "Not ready."), "checks": checks}
    headers = {"Retry-After": RETRY_AFTER["service-degraded"]}
    return HttpResponse(dumps(body), status=503, content_type=CONTENT_TYPE, headers=headers)


def _plain(body: dict[str, Any]) -> HttpResponse:
    return HttpResponse(dumps(body), content_type="application/json")


@functools.cache
def _migrations() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).disk_migrations)


#: For so long one look at the broker answers all probes.
_BROKER_LOOK_EVERY_SECONDS = 2.0
_broker_seen: tuple[float, bool] | None = None


def _broker_answers() -> bool:
    global _broker_seen  # noqa: PLW0603  # one look serves all probes of the next seconds
    now = time.monotonic()
    if _broker_seen is None or now - _broker_seen[0] > _BROKER_LOOK_EVERY_SECONDS:
        options = {**settings.CELERY_BROKER_TRANSPORT_OPTIONS, "max_retries": 1}
        with Connection(
            settings.CELERY_BROKER_URL, connect_timeout=1, transport_options=options
        ) as broker:
            try:
                broker.ensure_connection(max_retries=1, interval_start=0, timeout=1)
                alive = True
            except (OperationalError, OSError):
                alive = False
        _broker_seen = (now, alive)
    return _broker_seen[1]


class OperationsView(SpectacularSwaggerSplitView):
    """Every operation, to read and to try; its script is a file of its own."""

    http_method_names = ["get", "head"]

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]  # the library is not typed
        response["Content-Security-Policy"] = OPERATIONS
        return response


class StatusSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    status = serializers.CharField()
    time = serializers.DateTimeField()
    queue = serializers.DictField(
        help_text="Your open units, and the age of the oldest in seconds."
    )
    prices = serializers.DictField(help_text="The latest session on file.")
    nightly = serializers.DictField(help_text="The latest report.", allow_null=True)


class StatusView(ApiView):
    """How fresh and how busy."""

    required_scopes = {"GET": None}

    @extend_schema(operation_id="status_retrieve", responses=StatusSerializer)
    def get(self, request: Request) -> Response:
        """Queue age, data freshness and the last nightly report, as the caller sees them."""
        refuse_unknown(request, ())
        now = datetime.now(UTC)
        waiting = Unit.objects.filter(client=self.client, state__in=["queued", "running"])
        oldest = waiting.aggregate(oldest=Min("run__created_at"))["oldest"]
        report = (
            Report.objects.filter(client=self.client)
            .order_by("-business_date")
            .values("business_date", "state")
            .first()
        )
        return Response(
            {
                "status": "ok",
                "time": now,
                "queue": {
                    "open_units": waiting.count(),
                    "oldest_age_seconds": None
                    if oldest is None
                    else round((now - oldest).total_seconds(), 3),
                },
                "prices": {"last_session": last_priced_session(self.client)},
                "nightly": report,
            }
        )


class ProblemTypeSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    code = serializers.CharField()
    type = serializers.CharField()
    status = serializers.IntegerField()
    title = serializers.CharField()
    what_to_do = serializers.CharField()
    retryable = serializers.BooleanField()


class ProblemTypeListSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    data = ProblemTypeSerializer(many=True)  # type: ignore[assignment]  # taken by the metaclass


_ABOUT_REFUSALS = (
    "What a refusal looks like, and what a program does about each status, is on"
    " [the guide's page](/v1/guide/refusals). What runs give as the reason of a unit is here too."
)


class ProblemListView(OpenView):
    """Every kind of refusal."""

    @extend_schema(operation_id="errors_list", responses=ProblemTypeListSerializer, auth=[])
    def get(self, request: Request) -> Response:
        """All problem types."""
        refuse_unknown(request, ())
        if wants_page(request):
            rows = [
                (f"[{kind.code}]({kind.url})", str(kind.status), kind.title)
                for kind in sorted(PROBLEMS.values(), key=lambda kind: (kind.status, kind.code))
            ]
            shown = table(("Code", "Status", "What"), rows)
            return page_response("All refusals", f"# All refusals\n\n{_ABOUT_REFUSALS}\n\n{shown}")
        return Response({"data": [_problem_type(kind) for kind in PROBLEMS.values()]})


class ProblemDetailView(OpenView):
    """The page that a problem's `type` leads to."""

    @extend_schema(operation_id="errors_retrieve", responses=ProblemTypeSerializer, auth=[])
    def get(self, request: Request, code: str) -> Response:
        """One problem type."""
        refuse_unknown(request, ())
        kind = PROBLEMS.get(code)
        if kind is None:
            raise NotFound("There is no such problem type.")
        if wants_page(request):
            return page_response(kind.title, _as_text(kind))
        return Response(_problem_type(kind))


def _as_text(kind: ProblemType) -> str:
    """The page of a kind of refusal, in Markdown."""
    again = (
        "The same request may succeed later; with its `Idempotency-Key` it has one effect."
        if kind.retryable
        else "The same request will be refused again."
    )
    return (
        f"# {kind.title}\n\n`{kind.code}`, status {kind.status}\n\n{kind.advice}\n\n{again}\n\n"
        "[All refusals](/v1/errors) · [What to do about a refusal](/v1/guide/refusals)"
    )


def _problem_type(kind: ProblemType) -> dict[str, Any]:
    return {
        "code": kind.code,
        "type": kind.uri,
        "status": kind.status,
        "title": kind.title,
        "what_to_do": kind.advice,
        "retryable": kind.retryable,
    }
