"""Model fields of our own."""

from __future__ import annotations

from typing import Any

from django.db import models


class FactMoment(models.Func):
    """When a fact is recorded: see the function `fact_moment` in SQL and `services.facts`."""

    function = "fact_moment"
    output_field = models.DateTimeField()


class NumericField(models.DecimalField):  # type: ignore[type-arg]  # generic in the stubs only
    """PostgreSQL `numeric` without a fixed scale.

    One column holds 6e11 and 0.6 alike, each with the digits it came with: SOXS traded at 40
    dollars and is quoted at hundreds of millions once adjusted for its reverse splits.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 60)
        kwargs.setdefault("decimal_places", 30)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("max_digits")
        kwargs.pop("decimal_places")
        return name, path, args, kwargs

    def db_type(self, connection: Any) -> str:  # noqa: ARG002  # Django's signature
        return "numeric"

    def get_db_prep_value(
        self,
        value: Any,
        connection: Any,  # noqa: ARG002  # Django's signature
        prepared: bool = False,  # noqa: FBT001, FBT002  # Django's signature
    ) -> Any:
        return value if prepared else self.to_python(value)

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:  # noqa: ARG002  # likewise
        return value if hasattr(value, "as_sql") else self.to_python(value)
