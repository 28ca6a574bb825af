"""Lists and results as files: which form was asked for, its columns, and the answer.

A view says what a row is by the serializer of its list (`Listing(row=...)`) or `file_row`; the
columns and their types come from there. `?format=` decides, else the Accept header; without
either, the answer is JSON. The file is written whole, inside the transaction of the request, to a
temporary file and sent from there: an error is still a problem document, never half a file, and a
slow reader holds no database connection.
"""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import IO, Any

import orjson
from django.http import StreamingHttpResponse
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from portfolios.errors import InvalidRequest
from portfolios.exports import FORMATS, CellTooLong, Column, Format, Table, Type

RowSerializer = type[serializers.Serializer[Any]]

_CHUNK = 1 << 16
#: Values of `?format=`.
FORMAT_NAMES = ("json", *(form.name for form in FORMATS))


class FileRenderer(BaseRenderer):
    """Lets DRF choose this form of file for the answer. It renders nothing: `file_response` makes
    the answer."""

    form: Format

    def render(self, data: Any, *_: Any, **__: Any) -> bytes:
        if data is None:
            return b""  # of a 304
        raise NotImplementedError(f"{type(self).__name__} was given {type(data)}")


FILE_RENDERERS = tuple(
    type(
        f"{form.name.title()}Renderer",
        (FileRenderer,),
        {"media_type": form.media_type, "format": form.name, "charset": None, "form": form},
    )
    for form in FORMATS
)


def chosen_format(request: Request) -> Format | None:
    """The form of file that the caller wants; None for JSON."""
    form: Format | None = getattr(request.accepted_renderer, "form", None)
    return form


def file_response(
    request: Request,
    row: RowSerializer,
    rows: Callable[[], Iterable[Mapping[str, Any]]],
    *,
    narrow_by: Iterable[str] = (),
    facts: Mapping[str, Any] | None = None,
) -> StreamingHttpResponse:
    """The rows as the file that was chosen.

    `rows` yields the rows as JSON has them. It is called a second time if a column turns out to
    need another type than its first values had. `facts` hold for all rows and become columns too.
    `narrow_by` names the parameters by which a caller with too many rows can ask for fewer.
    """
    form = chosen_format(request)
    assert form is not None  # noqa: S101  # callers have asked
    cells = [*_constants(facts or {}), *_cells(row(), ())]
    shape = getattr((request.parser_context or {}).get("view"), "shape", None)
    if shape is not None:
        shape.require_columns(row)
        cells = [cell for cell in cells if shape.keeps(cell.path)]

    def tuples() -> Iterator[tuple[Any, ...]]:
        for number, body in enumerate(rows()):
            if number == form.max_rows:
                raise too_many_rows(form, narrow_by)
            shown = body if shape is None else shape.cut(body)
            yield tuple([cell.read(shown) for cell in cells])

    table = Table([cell.column for cell in cells], tuples, {"source": request.path})
    file = tempfile.TemporaryFile()  # noqa: SIM115  # closed by the response
    try:
        form.write(table, file)
    except CellTooLong as error:
        file.close()
        raise InvalidRequest(
            f"{error} Take another format.",
            code="export-too-large",
            errors=[{"pointer": "?format", "value": form.name, "suggestion": ["csv", "parquet"]}],
        ) from None
    except BaseException:
        file.close()
        raise
    name = re.sub(r"[^A-Za-z0-9_-]", "-", request.path.rstrip("/").rpartition("/")[2])
    charset = "; charset=utf-8" if form.media_type.startswith("text/") else ""
    return StreamingHttpResponse(
        _Chunks(file),
        content_type=form.media_type + charset,
        headers={
            "Content-Disposition": f'attachment; filename="{name}.{form.name}"',
            "Content-Length": str(file.seek(0, io.SEEK_END)),
        },
    )


class _Chunks:
    """The bytes of a file from its start; closed at its end, or when the answer is."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0)
        yield from iter(partial(self._file.read, _CHUNK), b"")
        self.close()

    def close(self) -> None:
        self._file.close()


def unknown_format(wanted: str) -> InvalidRequest:
    """The refusal of a `?format=` that is none."""
    message = f"Query parameter 'format': Expected one of {', '.join(FORMAT_NAMES)}."
    culprit = {
        "pointer": "?format",
        "code": "bad-parameter",
        "message": message,
        "value": wanted[:100],
        "suggestion": list(FORMAT_NAMES),
    }
    return InvalidRequest(message, code="bad-parameter", errors=[culprit])


def too_many_rows(form: Format, filters: Iterable[str]) -> InvalidRequest:
    """The refusal of a list that is longer than its form of file may be."""
    names = list(filters)
    return InvalidRequest(
        f"There are more than the {form.max_rows:,} rows that a file of the format"
        f" {form.name} may have. Narrow them by {', '.join(names) or 'paging through the JSON'}.",
        code="export-too-large",
        context={"max_rows": form.max_rows},
        errors=[
            {
                "pointer": "?format",
                "code": "export-too-large",
                "message": f"At most {form.max_rows:,} rows.",
                "value": form.name,
                "suggestion": names,
            }
        ],
    )


@dataclass(frozen=True, slots=True)
class _Cell:
    """A column, and how its value is found in a body."""

    column: Column
    read: Callable[[Mapping[str, Any]], Any]
    path: tuple[str, ...] = ()


def columns_of(row: RowSerializer) -> list[Column]:
    """The columns of a file of such rows, without those that hold for all rows."""
    return [cell.column for cell in _cells(row(), ())]


def _cells(serializer: serializers.Serializer[Any], path: tuple[str, ...]) -> Iterator[_Cell]:
    """Nested objects become columns with both names, lists and free objects a text."""
    for name, field in serializer.fields.items():
        inner = (*path, name)
        if isinstance(field, serializers.Serializer):
            yield from _cells(field, inner)
            continue
        kind, convert = _kind(field)
        column = Column("_".join(inner), kind, str(field.help_text or ""))
        yield _Cell(column, _reader(inner, convert), inner)


def _reader(path: tuple[str, ...], convert: Callable[[Any], Any]) -> Callable[..., Any]:
    if len(path) == 1:
        [name] = path

        def read(body: Mapping[str, Any]) -> Any:
            value = body.get(name)
            return None if value is None else convert(value)

        return read

    def read_deep(body: Mapping[str, Any]) -> Any:
        value: Any = body
        for step in path:
            value = value.get(step)
            if value is None:
                return None
        return convert(value)

    return read_deep


def _kind(field: serializers.Field[Any, Any, Any, Any]) -> tuple[Type, Callable[[Any], Any]]:
    for kind, column_type, convert in _KINDS:
        if isinstance(field, kind):
            return column_type, convert
    if isinstance(field, serializers.ListField) and isinstance(field.child, serializers.CharField):
        return Type.TEXT, ";".join
    return Type.TEXT, _json


def _json(value: Any) -> str:
    return orjson.dumps(value, default=str).decode()


def _day(value: Any) -> date:
    return date.fromisoformat(value) if isinstance(value, str) else value


def _moment(value: Any) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _digits(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(value)


_KINDS: tuple[tuple[type, Type, Callable[[Any], Any]], ...] = (
    (serializers.BooleanField, Type.TRUTH, bool),
    (serializers.DecimalField, Type.DECIMAL, _digits),
    (serializers.IntegerField, Type.INTEGER, int),
    (serializers.FloatField, Type.REAL, float),
    (serializers.DateField, Type.DATE, _day),
    (serializers.DateTimeField, Type.INSTANT, _moment),
    (serializers.CharField, Type.TEXT, str),
    (serializers.ChoiceField, Type.TEXT, str),
)


def _constants(facts: Mapping[str, Any]) -> Iterator[_Cell]:
    """What an answer says once: columns that are the same in each row."""
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _constants({f"{name}_{inner}": v for inner, v in value.items()})
        if value is None or isinstance(value, Mapping):
            continue
        kind = next((t for python, t in _PYTHON_TYPES if isinstance(value, python)), Type.TEXT)
        constant = str(value) if kind is Type.TEXT else value
        yield _Cell(Column(name, kind), partial(_same, constant))


def _same(constant: Any, _body: Mapping[str, Any]) -> Any:
    return constant


_PYTHON_TYPES: tuple[tuple[type, Type], ...] = (
    (bool, Type.TRUTH),
    (int, Type.INTEGER),
    (float, Type.REAL),
    (Decimal, Type.DECIMAL),
    (datetime, Type.INSTANT),
    (date, Type.DATE),
)
