"""What results are made of: a number with its unit, an estimate, its sample, a part without."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from analytics.models import Result


class Shape(serializers.Serializer[Any]):
    """Describes an answer."""


class ConstantField(serializers.Field):  # type: ignore[type-arg]  # describes an answer
    """A member that is always the same."""

    def __init__(self, value: Any, **kwargs: Any) -> None:
        self.value = value
        super().__init__(**kwargs)


class EitherField(serializers.Field):  # type: ignore[type-arg]  # likewise
    """One of several shapes."""

    def __init__(self, *alternatives: type[Shape], **kwargs: Any) -> None:
        self.alternatives = alternatives
        super().__init__(**kwargs)


class WordField(serializers.Field):  # type: ignore[type-arg]  # likewise
    """One of some words."""

    def __init__(self, choices: tuple[str, ...], **kwargs: Any) -> None:
        self.words = choices
        super().__init__(**kwargs)


def real(**options: Any) -> serializers.FloatField:
    return serializers.FloatField(**options)


def optional_real(**options: Any) -> serializers.FloatField:
    return serializers.FloatField(allow_null=True, **options)


def decimal(**options: Any) -> serializers.DecimalField:
    """A decimal string, as money, weights and quantities are written."""
    return serializers.DecimalField(max_digits=None, decimal_places=None, **options)


def interval(**options: Any) -> serializers.ListField:
    return serializers.ListField(
        child=serializers.FloatField(), min_length=2, max_length=2, **options
    )


def reals(**options: Any) -> serializers.ListField:
    return serializers.ListField(child=serializers.FloatField(), **options)


def reals_by_name(**options: Any) -> serializers.DictField:
    """Numbers whose names are data, as the levels of quantiles."""
    return serializers.DictField(child=serializers.FloatField(), **options)


def words(*choices: str, **options: Any) -> WordField:
    return WordField(choices, **options)


def dates(**options: Any) -> serializers.ListField:
    return serializers.ListField(child=serializers.DateField(), **options)


class NumberShape(Shape):
    value = real()
    unit = serializers.CharField(help_text='"1" is a decimal fraction: 0.01 is 1 %.')


class MoneyShape(Shape):
    value = decimal()
    unit = serializers.CharField(help_text="A currency.")


class EstimateShape(NumberShape):
    se = real(help_text="Standard error, in the unit of the value.")
    ci95 = interval(help_text="95 % interval.")


class SampleShape(Shape):
    n_obs = serializers.IntegerField()
    first = serializers.DateField(allow_null=True)
    last = serializers.DateField(allow_null=True)


class SampledEstimateShape(EstimateShape, SampleShape):
    """An estimate with the data it rests on."""


class CountedEstimateShape(EstimateShape):
    n_obs = serializers.IntegerField()


class UnavailableShape(Shape):
    """A part that has no number, and why."""

    value = ConstantField(None)
    status = words(*Result.Status.values)
    reason = serializers.CharField()


class NamedInstrumentShape(Shape):
    id = serializers.CharField()
    symbol = serializers.CharField()


class WarningShape(Shape):
    """What a reader of the number should know; further members depend on the code."""

    code = serializers.CharField()
    message = serializers.CharField()
    instrument = serializers.CharField(required=False)
    proxy = serializers.CharField(required=False, help_text="Whose returns stand in.")
    id = serializers.CharField(required=False)
    symbol = serializers.CharField(required=False)
    date = serializers.DateField(required=False)
    last_session = serializers.DateField(required=False)
    age_sessions = serializers.IntegerField(required=False)
    n_sessions = serializers.IntegerField(required=False)
    sessions = dates(required=False)
    stated = real(required=False)
    implied = real(required=False)
    quoted_on = serializers.DateField(required=False)
    method = serializers.CharField(required=False)
    confidence_level = real(required=False)
    pair = serializers.CharField(required=False, help_text="Of currencies, as it is used.")
    inverse = serializers.CharField(required=False)
    largest_difference = real(required=False)
    correlations = reals(
        required=False, help_text="With the benchmark one session before, the same, one after."
    )


def warnings_of() -> Any:
    return WarningShape(many=True)
