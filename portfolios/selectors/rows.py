"""Model instances from plain SQL, for the look-ups that every request makes.

Composing a query by key with the ORM costs several times what it takes PostgreSQL to answer it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from django.db import connection, models
from django.db.models.base import ModelState

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


def instance_of_some(model: type[M], values: Mapping[str, Any]) -> M:
    """The instance of a row by some of its attributes, the key among them; what else is asked of
    it is read then, as after `.only()`."""
    made = model.__new__(model)
    made._state = ModelState()
    made._state.adding = False
    made._state.db = connection.alias
    made.__dict__.update(values)
    return made
