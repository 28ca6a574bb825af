"""Model instances from plain SQL, for the look-ups that every request makes.

Composing a query by key with the ORM costs several times what it takes PostgreSQL to answer it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from django.db import connection, models

M = TypeVar("M", bound=models.Model)


def columns(model: type[models.Model], table: str) -> str:
    """All columns of a model, of the table by that name in a statement."""
    return ", ".join(f"{table}.{field.column}" for field in model._meta.concrete_fields)


def instance(model: type[M], values: Sequence[Any]) -> M:
    """The instance of a row with all `columns` of a model."""
    fields = model._meta.concrete_fields
    read = [
        field.from_db_value(value, field.cached_col, connection)
        if hasattr(field, "from_db_value")
        else value
        for field, value in zip(fields, values, strict=True)
    ]
    return model.from_db(connection.alias, [field.attname for field in fields], read)
