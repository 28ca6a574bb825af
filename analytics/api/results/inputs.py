"""A row of the facts that a unit used."""

from __future__ import annotations

from rest_framework import serializers

from analytics.api.results.parts import NamedInstrumentShape, Shape, decimal, optional_real, real
from analytics.models import RunInput


class RunInputShape(Shape):
    """Values are those of the kind: a price has a close, a position a quantity."""

    unit = serializers.CharField()
    kind = serializers.ChoiceField(choices=RunInput.Kind.choices)
    date = serializers.DateField(
        help_text="Session, ex-date, day of the quote, first day of the terms, date of the book."
    )
    instrument = NamedInstrumentShape(allow_null=True)
    series = serializers.CharField(
        allow_null=True, help_text="Currency pair, rate, kind of corporate action."
    )
    quantity = decimal(required=False)
    close = decimal(required=False, allow_null=True)
    total_return_index = optional_real(required=False)
    rate = decimal(required=False)
    multiple = decimal(required=False)
    reference_index = NamedInstrumentShape(required=False)
    expense_ratio = decimal(required=False)
    swap_spread = decimal(required=False)
    new_shares = serializers.IntegerField(required=False)
    old_shares = serializers.IntegerField(required=False)
    amount = decimal(required=False)
    bid = decimal(required=False)
    ask = decimal(required=False)
    last = decimal(required=False)
    implied_volatility = real(required=False)
    underlying_price = decimal(required=False)
    own = serializers.BooleanField(help_text="The client's own, in place of a shared one.")
    source = serializers.CharField()  # type: ignore[assignment]  # taken by the metaclass
    recorded_at = serializers.DateTimeField()
