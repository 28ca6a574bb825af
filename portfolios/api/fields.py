"""Serializers that refuse what they do not know, and fields that lose no digit."""

from __future__ import annotations

import difflib
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from portfolios.api.limits import MAX_DIGITS, MAX_EXPONENT
from portfolios.texts import fault_of

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[-+][0-9]{2}:[0-9]{2})"
)


class Culprit(str):
    """The code of a message, with the value it is about and what would have been right.

    DRF rebuilds messages on their way up, but hands their codes on as they are.
    """

    value: Any
    suggestion: Any

    def __new__(cls, code: str, *, value: Any = None, suggestion: Any = None) -> Culprit:
        self = super().__new__(cls, code)
        self.value, self.suggestion = value, suggestion
        return self


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses unknown and read-only fields, each with the nearest known names."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            known = [name for name, field in self.fields.items() if not field.read_only]
            unknown = {name: _unknown(name, known) for name in data if name not in known}
            if unknown:
                raise serializers.ValidationError(unknown)
        return super().to_internal_value(data)


class ExactDecimalField(serializers.DecimalField):
    """A decimal string (a JSON number is taken too); finite, at most 40 digits."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", None)
        kwargs.setdefault("decimal_places", None)
        super().__init__(**kwargs)

    default_error_messages = {
        "invalid": 'A decimal number, as text or as a number: "1200", "-0.5", "1e3".'
    }

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, bool) or not isinstance(data, (str, int, Decimal)):
            self.fail("invalid")
        if isinstance(data, str) and _NUMBER.fullmatch(data) is None:
            self.fail("invalid")  # Python takes 1_000, spaces and the digits of other scripts
        value = super().to_internal_value(data)
        _, digits, exponent = value.as_tuple()
        assert isinstance(exponent, int)  # noqa: S101  # the field refuses NaN and infinity
        if (
            len(digits) > MAX_DIGITS
            or abs(value.adjusted()) > MAX_EXPONENT
            or exponent < -MAX_EXPONENT
        ):
            raise serializers.ValidationError(
                f"A number has at most {MAX_DIGITS} digits and an exponent within {MAX_EXPONENT}.",
                "bad-number",
            )
        return value

    def to_representation(self, value: Any) -> str:
        return format(Decimal(value), "f")


class TextField(serializers.CharField):
    """One line of text as it stands: a number is not taken for one, no control gets in."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        text = super().to_internal_value(data)
        if fault := fault_of(text):
            raise serializers.ValidationError(fault.message, fault.code)
        return text


class PlainDateField(serializers.DateField):
    """YYYY-MM-DD and no other form of ISO 8601: no weeks, no ordinals, no missing dashes."""

    def to_internal_value(self, value: Any) -> date:
        parsed = plain_date(value) if isinstance(value, str) else None
        if parsed is None:
            self.fail("invalid", format="YYYY-MM-DD")
        return parsed


class InstantField(serializers.DateTimeField):
    """RFC 3339 with its offset: which instant a local time means cannot be known."""

    default_error_messages = {
        "invalid": "An RFC 3339 instant with offset, for example 2026-11-20T21:00:00Z."
    }

    def to_internal_value(self, value: Any) -> datetime:
        parsed = rfc3339(value) if isinstance(value, str) else None
        if parsed is None:
            self.fail("invalid")
        return parsed


class RealField(serializers.FloatField):
    """A JSON number; text and truth values are not taken for one."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, (int, float, Decimal)):
            self.fail("invalid")
        return super().to_internal_value(float(data))


class IdentifierField(serializers.RegexField):
    """An identifier that an object may have or not: null, or an empty text, says that it has none.

    Tables keep an empty text for none, answers say null.
    """

    def __init__(self, pattern: str, **kwargs: Any) -> None:
        super().__init__(pattern, allow_null=True, allow_blank=True, **kwargs)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        found = super().run_validation(data)
        return "" if found is None else found


class WholeNumberField(serializers.IntegerField):
    """A JSON integer; text and fractions are not taken for one."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class TruthField(serializers.BooleanField):
    """true or false, nothing that resembles them."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


def rfc3339(text: str) -> datetime | None:
    """The instant in UTC, None for anything but RFC 3339 with an offset."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if _INSTANT.fullmatch(text) else None
    except (ValueError, OverflowError):
        return None


def plain_date(text: str) -> date | None:
    """The date written YYYY-MM-DD, None for anything else."""
    try:
        return date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        return None


class NameField(TextField):
    """The name of an instrument: a symbol or a public id."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 40)
        super().__init__(**kwargs)


class PortfolioRefField(serializers.CharField):
    """A portfolio by its id; `expand` puts the portfolio in its place."""

    expands = "portfolio"


class CurrencyField(serializers.RegexField):
    """An ISO 4217 code."""

    default_error_messages = {"invalid": "A currency by its three capital letters, as USD."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(r"^[A-Z]{3}\Z", **kwargs)


def many(row: Any, **limits: Any) -> Any:
    """A list of rows with limits to its length, which the stubs of DRF do not know."""
    return row(many=True, **limits)


def _unknown(name: str, known: list[str]) -> list[ErrorDetail]:
    near = difflib.get_close_matches(str(name)[:60], known, n=3, cutoff=0.5)
    return [
        ErrorDetail(
            "There is no such field.",
            Culprit("unknown-field", value=str(name)[:100], suggestion=near or sorted(known)),
        )
    ]
