"""Imports: a file accepted now and judged by a worker."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from portfolios.api.base import ApiView
from portfolios.api.limits import MAX_UPLOAD_BYTES
from portfolios.api.listing import (
    Filter,
    Listing,
    boolean,
    list_response,
    one_of,
    page_of,
    read_parameters,
    refuse_unknown,
    text,
)
from portfolios.api.serializers import ImportProblemSerializer, ImportSerializer
from portfolios.errors import InvalidRequest, NotFound
from portfolios.feeds import Kind
from portfolios.identifiers import parse_public_id, public_id
from portfolios.models import Import, ImportProblem
from portfolios.selectors.portfolios import portfolio_get_for_client
from portfolios.services.audit import audit_record
from portfolios.services.imports import import_accept

_COLUMNS = (
    "id", "filename", "kind", "status", "mode", "dry_run", "sha256", "rows_in", "rows_accepted",
    "rows_rejected", "rows_changed", "notes", "created_at", "finished_at",
)  # fmt: skip


class RawFileParser(BaseParser):
    """The body is the file."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:  # noqa: ARG002  # DRF's
        return bytes(stream.read(MAX_UPLOAD_BYTES + 1))


class ImportListView(ApiView):
    required_scopes = {"GET": "prices:read", "POST": "prices:write"}
    idempotency_required = True
    parser_classes = (MultiPartParser, RawFileParser)
    parameters = {
        "POST": {
            "filename": text,
            "kind": one_of(*Kind),
            "instrument": text,
            "portfolio": text,
            "mode": one_of(*Import.Mode.values),
            "dry_run": boolean,
        }
    }
    listing = Listing(
        filters={
            "status": Filter("status", one_of(*Import.Status.values)),
            "sha256": Filter("sha256"),
        },
        sorts={"created_at": "created_at"},
        default_sort="-created_at",
        row=ImportSerializer,
    )

    @extend_schema(operation_id="imports_list", responses=page_of(ImportSerializer))
    def get(self, request: Request) -> Response:
        """The client's imports."""
        rows = Import.objects.filter(client=self.client).values(*_COLUMNS)
        return list_response(request, self.listing, rows, _body)

    @extend_schema(
        operation_id="imports_create",
        request={"multipart/form-data": OpenApiTypes.OBJECT, "text/csv": OpenApiTypes.BINARY},
        responses={202: ImportSerializer},
    )
    def post(self, request: Request) -> Response:
        """Send a file as the body or as the form field `file` (at most 20 MB). The same bytes with
        the same options are the same import."""
        options = read_parameters(request, self.parameters["POST"])
        content, filename = _file_of(request)
        filename = options.get("filename") or filename
        if not filename:
            raise InvalidRequest("Name the file: ?filename=SOXX.csv.", code="bad-parameter")
        portfolio = (
            portfolio_get_for_client(self.client, options["portfolio"])
            if "portfolio" in options
            else None
        )
        imported, created = import_accept(
            client=self.client,
            content=content,
            filename=filename,
            kind=options.get("kind", ""),
            instrument=options.get("instrument", ""),
            portfolio_id=portfolio.id if portfolio else None,
            mode=options.get("mode", Import.Mode.ATOMIC),
            dry_run=options.get("dry_run", False),
            request_id=self.request_id,
        )
        if created:
            audit_record(
                client=self.client,
                actor=self.actor,
                action="import.create",
                object_id=imported.public_id,
                request_id=self.request_id,
                detail={"filename": filename, "sha256": imported.sha256},
            )
            imported.refresh_from_db(fields=["created_at"])
        return Response(
            _body({name: getattr(imported, name) for name in _COLUMNS}),
            status=202 if imported.state != Import.State.DONE else 200,
            headers={"Location": f"/v1/imports/{imported.public_id}", "Retry-After": "1"},
        )

    def fingerprint(self, request: Request) -> bytes:
        content, filename = _file_of(request)
        return hashlib.sha256(content).digest() + filename.encode()


class ImportDetailView(ApiView):
    required_scopes = {"GET": "prices:read"}

    @extend_schema(operation_id="imports_retrieve", responses=ImportSerializer)
    def get(self, request: Request, import_id: str) -> Response:
        """One import: rows in = accepted + rejected."""
        refuse_unknown(request, ())
        return Response(_body(_import_row(self, import_id)))


class ImportProblemListView(ApiView):
    required_scopes = {"GET": "prices:read"}
    listing = Listing(
        filters={"code": Filter("code"), "column": Filter("column")},
        sorts={"row": "row"},
        default_sort="row",
        row=ImportProblemSerializer,
    )

    @extend_schema(operation_id="imports_errors_list", responses=page_of(ImportProblemSerializer))
    def get(self, request: Request, import_id: str) -> Response:
        """Why rows were not taken; row 0 is the file."""
        found = _import_row(self, import_id)
        names = ("row", "column", "code", "value", "message", "suggestion")
        rows = ImportProblem.objects.filter(client=self.client, imported_id=found["id"])
        return list_response(
            request, self.listing, rows.values("id", *names), lambda row: {n: row[n] for n in names}
        )


def _import_row(view: ApiView, import_id: str) -> dict[str, Any]:
    uid = parse_public_id(Import.ID_PREFIX, import_id)
    rows = Import.objects.filter(client=view.client, pk=uid or uuid.UUID(int=0)).values(*_COLUMNS)
    found: dict[str, Any] | None = rows.first()
    if found is None:
        raise NotFound("There is no such import.")
    return found


def _file_of(request: Request) -> tuple[bytes, str]:
    """The bytes and the name, from either form of upload."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_UPLOAD_BYTES + 10_000:
        raise InvalidRequest("An upload holds at most 20 MB.", code="payload-too-large")
    sent = request.data
    if isinstance(sent, bytes):
        content, filename = sent, ""
    elif sent:
        if list(sent) != ["file"] or "file" not in request.FILES:
            raise ParseError("Send one form field, `file`, with the file.")
        upload = request.FILES["file"]
        upload.seek(0)
        content, filename = upload.read(), upload.name or ""
    else:
        content, filename = b"", ""
    if len(content) > MAX_UPLOAD_BYTES:
        raise InvalidRequest("An upload holds at most 20 MB.", code="payload-too-large")
    if not content:
        raise ParseError("The upload is empty.")
    return content, filename


def _body(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": public_id(Import.ID_PREFIX, row["id"]),
        **{name: row[name] for name in _COLUMNS[1:7]},
        "rows": {
            "in": row["rows_in"],
            "accepted": row["rows_accepted"],
            "rejected": row["rows_rejected"],
            "changed": row["rows_changed"],
        },
        **{name: row[name] for name in ("notes", "created_at", "finished_at")},
    }
