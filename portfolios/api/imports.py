"""Imports: a file accepted now and judged by a worker."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from portfolios.api import examples
from portfolios.api.base import ApiView
from portfolios.api.limits import MAX_UPLOAD_BYTES
from portfolios.api.listing import (
    Filter,
    Listing,
    boolean,
    calendar_date,
    list_response,
    one_of,
    page_of,
    read_parameters,
    refuse_unknown,
    text,
)
from portfolios.api.serializers import ImportProblemSerializer, ImportSerializer
from portfolios.errors import InvalidRequest, NotFound, Refused
from portfolios.feeds import Kind, columns_of
from portfolios.identifiers import parse_public_id
from portfolios.models import Client, Import, ImportProblem
from portfolios.selectors.calendars import require_session
from portfolios.selectors.json_rows import (
    JsonRow,
    document,
    moment,
    nested,
    plain,
    public_id,
    unless_empty,
)
from portfolios.selectors.portfolios import portfolio_get_for_client
from portfolios.services.audit import audit_record
from portfolios.services.imports import import_accept
from portfolios.texts import fault_of

#: What a client may send; the rest is loaded by the operator for all.
CLIENT_KINDS = (
    Kind.POSITIONS, Kind.PRICES, Kind.FX_RATES, Kind.CORPORATE_ACTIONS, Kind.SPLITS,
    Kind.DISTRIBUTIONS, Kind.OPTION_CHAIN,
)  # fmt: skip
_IMPORT = JsonRow(
    id=public_id("id", Import.ID_PREFIX),
    filename=plain("filename"),
    kind=plain("kind"),
    status=plain("status"),
    mode=plain("mode"),
    dry_run=plain("dry_run"),
    sha256=plain("sha256"),
    rows=nested(
        **{
            "in": plain("rows_in"),
            "accepted": plain("rows_accepted"),
            "rejected": plain("rows_rejected"),
            "changed": plain("rows_changed"),
        }
    ),
    notes=document("notes"),
    created_at=moment("created_at"),
    finished_at=moment("finished_at"),
)
_PROBLEM = JsonRow(
    row=plain("row"),
    column=unless_empty("column"),
    code=plain("code"),
    value=unless_empty("value"),
    message=plain("message"),
    suggestion=unless_empty("suggestion"),
)
PARQUET = "application/vnd.apache.parquet"
_TOO_LARGE = "An upload holds at most 20 MB."
#: What a form may hold beside the file: boundaries and the headers of its one part.
_FORM_LINES_BYTES = 10_000
_PORTFOLIO = "pf_01a2195a9a0c70e2a4fb5c2d1c0b6a11"
#: What a form upload holds.
_FORM = {
    "type": "object",
    "properties": {
        "file": {
            "type": "string",
            "format": "binary",
            "description": "The file, with its name; the form's only field.",
            "examples": ["date,close\n2026-11-19,251.20\n2026-11-20,248.75\n"],
        }
    },
    "required": ["file"],
    "additionalProperties": False,
}


def _described() -> str:
    """The operation in the docs: formats, and the columns of each kind."""
    kinds = []
    for kind in CLIENT_KINDS:
        needed, more = columns_of(kind)
        also = f"; also {', '.join(f'`{name}`' for name in more)}" if more else ""
        kinds.append(f"- `{kind}`: {', '.join(f'`{name}`' for name in needed)}{also}.")
    return _DESCRIPTION.format(kinds="\n".join(kinds))


_DESCRIPTION = """Send a file, which a worker judges and applies.

The file is the body, or the form field `file`: CSV, NDJSON, a JSON array of objects or Parquet,
each also through gzip; at most 20 MB, 200 MB unpacked, 100 times its size, 500,000 rows. What the
bytes are decides, not the name. The same bytes with the same options are the same import.

`mode=atomic` takes all rows or none, `mode=partial` those that are right; a set of positions is
taken whole or not at all. `dry_run=true` judges and writes nothing. Always
`rows.in = rows.accepted + rows.rejected`; `/errors` says why, by row: the line of a text file (its
header counts), the element of a JSON array, the row of a Parquet file, from 1; row 0 is the file.

Columns by kind (in JSON: members), where other names in use are understood too:

{kinds}

Without `kind` the header decides; `positions` must be named, and need the scope `portfolios:write`
too. Positions: `portfolio` is an id or external id, or the parameter `portfolio`; `as_of` a
session, or the parameter `as_of`; `tags` are separated by semicolons (in JSON a list). Prices: one
instrument a file, named by a column `symbol`, by `instrument=` or by the file (`SOXX.csv`).
Corporate actions: `kind` is `split` or `distribution`, amounts per share as traded. Option chains:
named `SYMBOL_YYYY-MM-DD.csv` after underlying and day."""


class RawFileParser(BaseParser):
    """The body is the file."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:  # noqa: ARG002  # DRF's
        return bytes(stream.read(MAX_UPLOAD_BYTES + 1))


def _imports(client: Client, *, positions: bool) -> QuerySet[Import]:
    """The client's imports. What is wrong with positions quotes them, so such an import is there
    only for a key that may read portfolios."""
    rows = Import.objects.filter(client=client)
    return rows if positions else rows.exclude(kind=Kind.POSITIONS)


def _may_see_positions(view: ApiView) -> bool:
    return "portfolios:read" in view.key.scopes


class ImportListView(ApiView):
    required_scopes = {"GET": "prices:read", "POST": "prices:write"}
    sends = {"POST": ("Location", "Retry-After")}
    idempotency_required = True
    parser_classes = (MultiPartParser, RawFileParser)
    parameters = {
        "POST": {
            "filename": text,
            "kind": one_of(*Kind),
            "instrument": text,
            "portfolio": text,
            "as_of": calendar_date,
            "mode": one_of(*Import.Mode.values),
            "dry_run": boolean,
        }
    }
    parameter_texts = {
        "POST": {
            "filename": ("What the file is called; a form has it with its part.", "SOXX.csv"),
            "kind": ("What the rows are; without it the header decides.", "prices"),
            "instrument": ("Symbol or id of the one instrument whose prices these are.", "SOXX"),
            "portfolio": ("Id of the portfolio of rows of positions that name none.", _PORTFOLIO),
            "as_of": ("Session of rows of positions that have no date.", "2026-11-20"),
            "mode": ("All rows or none (`atomic`), or those that are right (`partial`).", "atomic"),
            "dry_run": ("`true` judges the file and writes nothing.", True),
        }
    }
    one_trip = True
    listing = Listing(
        _imports,
        _IMPORT,
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
        """The client's imports; those of positions for keys that may read portfolios."""
        return list_response(request, self.listing, given={"positions": _may_see_positions(self)})

    @extend_schema(
        operation_id="imports_create",
        description=_described(),
        examples=examples.IMPORT_FILES,
        request=dict.fromkeys(
            ("text/csv", "application/x-ndjson", "application/json", PARQUET, "application/gzip"),
            OpenApiTypes.BINARY,
        )
        | {"multipart/form-data": _FORM},
        responses={200: ImportSerializer, 202: ImportSerializer},
    )
    def post(self, request: Request) -> Response:
        """Send a file, which a worker judges and applies."""
        options = read_parameters(request, self.parameters["POST"])
        content, filename = _file_of(request)
        filename = options.get("filename") or filename
        if fault := fault_of(Path(filename).name):
            message = f"Name the file, as ?filename=SOXX.csv. {fault.message}"
            raise InvalidRequest(message, code="bad-parameter", errors=[{"pointer": "?filename"}])
        portfolio = (
            portfolio_get_for_client(self.client, options["portfolio"])
            if "portfolio" in options
            else None
        )
        kind = options.get("kind", "")
        _require_positions(self, kind, options)
        imported, created = import_accept(
            client=self.client,
            content=content,
            filename=filename,
            kind=kind,
            instrument=options.get("instrument", ""),
            portfolio_id=portfolio.id if portfolio else None,
            as_of=options.get("as_of"),
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
        headers = {"Location": f"/v1/imports/{imported.public_id}"}
        if imported.state == Import.State.DONE:  # the same file was sent before
            return Response(_IMPORT.of(imported), headers=headers)
        return Response(_IMPORT.of(imported), status=202, headers={**headers, "Retry-After": "1"})

    def fingerprint(self, request: Request) -> bytes:
        content, filename = _file_of(request)
        return hashlib.sha256(content).digest() + filename.encode()


class ImportDetailView(ApiView):
    required_scopes = {"GET": "prices:read"}

    @extend_schema(operation_id="imports_retrieve", responses=ImportSerializer)
    def get(self, request: Request, import_id: str) -> Response:
        """One import: rows in = accepted + rejected."""
        refuse_unknown(request, ())
        return Response(_IMPORT.of_values(_import_row(self, import_id)))


def _problems(client: Client, *, imported: uuid.UUID) -> QuerySet[ImportProblem]:
    return ImportProblem.objects.filter(client=client, imported=imported)


class ImportProblemListView(ApiView):
    required_scopes = {"GET": "prices:read"}
    listing = Listing(
        _problems,
        _PROBLEM,
        filters={"code": Filter("code"), "column": Filter("column")},
        sorts={"row": "row"},
        default_sort="row",
        row=ImportProblemSerializer,
    )

    @extend_schema(operation_id="imports_errors_list", responses=page_of(ImportProblemSerializer))
    def get(self, request: Request, import_id: str) -> Response:
        """Why rows were not taken; row 0 is the file."""
        found = _import_row(self, import_id)
        return list_response(request, self.listing, given={"imported": found["id"]})


def _require_positions(view: ApiView, kind: str, options: dict[str, Any]) -> None:
    """Positions need the scope of positions too; their options make sense for nothing else."""
    if kind == Kind.POSITIONS:
        if "portfolios:write" not in view.key.scopes:
            raise Refused(
                "An import of positions needs a key with the scope portfolios:write too.",
                code="insufficient-scope",
                context={"required_scope": "portfolios:write"},
            )
        if (as_of := options.get("as_of")) is not None:
            require_session("XNYS", as_of, pointer="?as_of")
        return
    for name in ("portfolio", "as_of"):
        if name in options:
            raise InvalidRequest(
                f"Query parameter {name!r} goes with kind=positions.",
                code="bad-parameter",
                errors=[{"pointer": f"?{name}", "suggestion": ["kind=positions"]}],
            )


def _import_row(view: ApiView, import_id: str) -> dict[str, Any]:
    uid = parse_public_id(Import.ID_PREFIX, import_id)
    rows = _imports(view.client, positions=_may_see_positions(view))
    named = rows.filter(pk=uid or uuid.UUID(int=0)).values(*_IMPORT.columns)
    found: dict[str, Any] | None = named.first()
    if found is None:
        raise NotFound("There is no such import.")
    return found


def _file_of(request: Request) -> tuple[bytes, str]:
    """The bytes and the name of the file, whether it is the body or a field of a form."""
    announced = request.META.get("CONTENT_LENGTH") or ""
    # Before a byte is read, so that a form may be as much longer as its other lines take.
    if announced.isdigit() and int(announced) > MAX_UPLOAD_BYTES + _FORM_LINES_BYTES:
        raise InvalidRequest(_TOO_LARGE, code="payload-too-large")
    # gzip may be named here or not: the worker sees by the bytes whether a file is packed by it.
    # Nobody would undo another encoding.
    if (encoding := request.headers.get("Content-Encoding", "")) not in ("", "identity", "gzip"):
        raise UnsupportedMediaType("", f"Content-Encoding {encoding} is not read.")
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
        raise InvalidRequest(_TOO_LARGE, code="payload-too-large")
    if not content:
        raise ParseError("The upload is empty.")
    return content, filename
