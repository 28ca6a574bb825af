"""What requests hold and answers look like."""

# Fields named source, style or data hide attributes of the class; its metaclass takes them out.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from portfolios.api.fields import (
    CurrencyField,
    ExactDecimalField,
    IdentifierField,
    NameField,
    PlainDateField,
    PortfolioRefField,
    StrictSerializer,
    TextField,
    TruthField,
    WholeNumberField,
    many,
)
from portfolios.models import CorporateAction, Import, Instrument, OptionTerms
from portfolios.selectors.calendars import VENUES

MAX_POSITIONS = 10_000


class InstrumentRefSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    """An instrument by id and symbol; `expand` puts the instrument in its place."""

    expands = "instrument"

    id = serializers.CharField()
    symbol = serializers.CharField()


class ResolvedFromSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    """The state that was asked for; sent back as parameters it means the same one."""

    as_of = serializers.DateField(allow_null=True, help_text="Facts dated until then; null: all.")
    known_at = serializers.DateTimeField(
        allow_null=True, help_text="As they were recorded then; null: as they are now."
    )


class PortfolioSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    id = serializers.CharField()
    external_id = serializers.CharField(allow_null=True)
    name = serializers.CharField()
    base_currency = serializers.CharField()
    benchmark = InstrumentRefSerializer(allow_null=True)
    market_benchmark = InstrumentRefSerializer(allow_null=True)
    is_active = serializers.BooleanField()
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class PortfolioKnownSerializer(PortfolioSerializer):
    resolved_from = ResolvedFromSerializer(required=False, help_text="With known_at.")


class PortfolioCreateRequestSerializer(StrictSerializer):
    name = TextField(max_length=200)
    external_id = TextField(max_length=100, required=False, allow_null=True, default=None)
    base_currency = CurrencyField(required=False, default="USD")
    benchmark = NameField(required=False, allow_null=True, default=None)
    market_benchmark = NameField(required=False, allow_null=True, default=None)


class PortfolioUpdateRequestSerializer(StrictSerializer):
    name = TextField(max_length=200, required=False)
    external_id = TextField(max_length=100, required=False, allow_null=True)
    base_currency = CurrencyField(required=False)
    benchmark = NameField(required=False, allow_null=True)
    market_benchmark = NameField(required=False, allow_null=True)
    is_active = TruthField(required=False)


class PositionRequestSerializer(StrictSerializer):
    instrument = NameField(help_text="Symbol or id; cash is CASH.USD, CASH.EUR and so on.")
    quantity = ExactDecimalField(help_text="Short positions are negative.")
    cost = ExactDecimalField(required=False, allow_null=True, default=None)
    tags = serializers.ListField(
        child=TextField(max_length=40), required=False, default=list, max_length=20
    )


class PositionsPutRequestSerializer(StrictSerializer):
    positions = many(PositionRequestSerializer, max_length=MAX_POSITIONS)
    source = TextField(max_length=100, required=False, default="", allow_blank=True)


class PositionRowRequestSerializer(PositionRequestSerializer):
    portfolio = TextField(max_length=100, help_text="Its id, pf_..., or its external_id.")
    as_of = PlainDateField()


class PositionsBatchRequestSerializer(StrictSerializer):
    positions = many(PositionRowRequestSerializer, min_length=1, max_length=1_000)
    source = TextField(max_length=100, required=False, default="", allow_blank=True)


class PositionSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    instrument = InstrumentRefSerializer()
    kind = serializers.ChoiceField(choices=Instrument.Kind.choices)
    currency = serializers.CharField()
    quantity = ExactDecimalField()
    cost = ExactDecimalField(allow_null=True)
    tags = serializers.ListField(child=serializers.CharField())


class PositionSetSummarySerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    id = serializers.CharField()
    portfolio = PortfolioRefField()
    as_of = serializers.DateField()
    source = serializers.CharField()
    checksum = serializers.CharField()
    recorded_at = serializers.DateTimeField()
    superseded_at = serializers.DateTimeField(allow_null=True)


class PositionsBatchSetSerializer(PositionSetSummarySerializer):
    rows = serializers.IntegerField(help_text="Rows of the request that make this set.")
    unchanged = serializers.BooleanField(help_text="The same set was on file already.")


class PositionsBatchSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    sets = PositionsBatchSetSerializer(many=True)


class PositionSetSerializer(PositionSetSummarySerializer):
    positions = PositionSerializer(many=True)


class PositionsSerializer(PositionSetSerializer):
    resolved_from = ResolvedFromSerializer(help_text="The set is the latest one not after it.")


class PositionsPutSerializer(PositionSetSerializer):
    unchanged = serializers.BooleanField()


class MeSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    mode = serializers.CharField(help_text="`live`, or `test` in a sandbox.")
    client = serializers.DictField()
    key = serializers.DictField()
    scopes = serializers.ListField(child=serializers.CharField())
    limits = serializers.DictField()


class LeverageTermsRequestSerializer(StrictSerializer):
    valid_from = PlainDateField()
    multiple = ExactDecimalField(min_value=-10, max_value=10, help_text="-3 for a 3x inverse fund.")
    reference_index = NameField()
    expense_ratio = ExactDecimalField(min_value=0, max_value=1, help_text="Per year, 0.01 = 1 %.")
    swap_spread = ExactDecimalField(min_value=-1, max_value=1, required=False, default="0")
    source = TextField(max_length=200, required=False, default="", allow_blank=True)

    def validate_multiple(self, value: object) -> object:
        if not value:
            raise serializers.ValidationError("A multiple is not zero.", "invalid")
        return value


class LeverageTermsSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    valid_from = serializers.DateField()
    multiple = ExactDecimalField()
    reference_index = InstrumentRefSerializer()
    expense_ratio = ExactDecimalField()
    swap_spread = ExactDecimalField()
    source = serializers.CharField()
    recorded_at = serializers.DateTimeField()


class LeverageTermsListSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    data = LeverageTermsSerializer(many=True)
    resolved_from = ResolvedFromSerializer()


class OptionTermsRequestSerializer(StrictSerializer):
    underlying = NameField()
    right = serializers.ChoiceField(choices=OptionTerms.Right.choices)
    style = serializers.ChoiceField(
        choices=OptionTerms.Style.choices, required=False, default=OptionTerms.Style.AMERICAN
    )
    strike = ExactDecimalField(min_value=0)
    expiry = PlainDateField()
    multiplier = ExactDecimalField(min_value=0, max_value=10**6, required=False, default="100")

    def validate_strike(self, value: object) -> object:
        if not value:
            raise serializers.ValidationError("Above zero.", "min-value")
        return value

    validate_multiplier = validate_strike


class OptionTermsSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    underlying = InstrumentRefSerializer()
    right = serializers.ChoiceField(choices=OptionTerms.Right.choices)
    style = serializers.ChoiceField(choices=OptionTerms.Style.choices)
    strike = ExactDecimalField()
    expiry = serializers.DateField()
    multiplier = ExactDecimalField()


class InstrumentCreateRequestSerializer(StrictSerializer):
    symbol = serializers.RegexField(r"^[A-Z0-9][A-Z0-9.\-^=/ ]{0,39}\Z", max_length=40)
    kind = serializers.ChoiceField(choices=Instrument.Kind.choices)
    name = TextField(max_length=200, required=False, default="", allow_blank=True)
    currency = CurrencyField(required=False, default="USD")
    calendar = serializers.ChoiceField(
        choices=VENUES,
        required=False,
        default="XNYS",
        help_text="Market identifier code of its listing: whose sessions and closing hour it has.",
    )
    isin = IdentifierField(r"^[A-Z]{2}[A-Z0-9]{9}[0-9]\Z", required=False, default="")
    figi = IdentifierField(r"^[A-Z0-9]{12}\Z", required=False, default="")
    option_terms = OptionTermsRequestSerializer(required=False, allow_null=True, default=None)
    leverage_terms = many(
        LeverageTermsRequestSerializer, required=False, default=list, max_length=100
    )


class InstrumentUpdateRequestSerializer(StrictSerializer):
    name = TextField(max_length=200, required=False, allow_blank=True)
    isin = IdentifierField(r"^[A-Z]{2}[A-Z0-9]{9}[0-9]\Z", required=False)
    figi = IdentifierField(r"^[A-Z0-9]{12}\Z", required=False)
    proxy = NameField(
        required=False, allow_null=True, help_text="Whose returns stand in where there are none."
    )


class InstrumentSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    id = serializers.CharField()
    symbol = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=Instrument.Kind.choices)
    currency = serializers.CharField()
    calendar = serializers.CharField()
    isin = serializers.CharField(allow_null=True)
    figi = serializers.CharField(allow_null=True)
    shared = serializers.BooleanField(help_text="False: seen by your client alone.")
    synthetic = serializers.BooleanField()


class InstrumentDetailSerializer(InstrumentSerializer):
    proxy = InstrumentRefSerializer(allow_null=True)
    option_terms = OptionTermsSerializer(allow_null=True)
    leverage_terms = LeverageTermsSerializer(many=True)


class InstrumentKnownSerializer(InstrumentDetailSerializer):
    resolved_from = ResolvedFromSerializer(required=False, help_text="With as_of or known_at.")


class ResolveRequestSerializer(StrictSerializer):
    identifiers = serializers.ListField(
        child=NameField(), min_length=1, max_length=500, help_text="Symbols, ids, ISINs or FIGIs."
    )


class ResolveSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    found = serializers.DictField(child=InstrumentSerializer())
    ambiguous = serializers.DictField(child=InstrumentSerializer(many=True))
    unknown = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))


class PriceRowRequestSerializer(StrictSerializer):
    instrument = NameField()
    session = PlainDateField()
    close = ExactDecimalField(help_text="As traded, not adjusted.")
    open = ExactDecimalField(required=False, allow_null=True, default=None)
    high = ExactDecimalField(required=False, allow_null=True, default=None)
    low = ExactDecimalField(required=False, allow_null=True, default=None)
    volume = ExactDecimalField(required=False, allow_null=True, default=None, min_value=0)
    confirm_jump = TruthField(
        required=False,
        default=False,
        help_text="The change of more than 40 % since the session before is real.",
    )


class PricesPostRequestSerializer(StrictSerializer):
    prices = many(PriceRowRequestSerializer, min_length=1, max_length=1_000)
    source = TextField(max_length=200, required=False, default="", allow_blank=True)


class AppendedSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    new = serializers.IntegerField()
    corrected = serializers.IntegerField()
    unchanged = serializers.IntegerField()


class PriceSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    session = serializers.DateField()
    open = ExactDecimalField(allow_null=True)
    high = ExactDecimalField(allow_null=True)
    low = ExactDecimalField(allow_null=True)
    close = ExactDecimalField(allow_null=True)
    volume = ExactDecimalField(allow_null=True)
    total_return_index = serializers.FloatField(allow_null=True)
    own = serializers.BooleanField(help_text="Yours, in place of a shared price.")
    source = serializers.CharField()
    recorded_at = serializers.DateTimeField()


class FxRowRequestSerializer(StrictSerializer):
    base = CurrencyField()
    quote = CurrencyField()
    session = PlainDateField()
    rate = ExactDecimalField(help_text="Units of quote for one unit of base.")


class FxPostRequestSerializer(StrictSerializer):
    rates = many(FxRowRequestSerializer, min_length=1, max_length=1_000)
    source = TextField(max_length=200, required=False, default="", allow_blank=True)


class FxRateSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    base = serializers.CharField()
    quote = serializers.CharField()
    session = serializers.DateField()
    rate = ExactDecimalField()
    own = serializers.BooleanField()
    source = serializers.CharField()
    recorded_at = serializers.DateTimeField()


class CorporateActionRowRequestSerializer(StrictSerializer):
    instrument = NameField()
    ex_date = PlainDateField()
    kind = serializers.ChoiceField(choices=CorporateAction.Kind.choices)
    new_shares = WholeNumberField(
        required=False, allow_null=True, default=None, min_value=1, max_value=10**12
    )
    old_shares = WholeNumberField(
        required=False, allow_null=True, default=None, min_value=1, max_value=10**12
    )
    amount = ExactDecimalField(
        required=False, allow_null=True, default=None, help_text="Cash per share as traded."
    )

    def validate(self, attrs: dict[str, object]) -> dict[str, object]:
        ratio = attrs["new_shares"] is not None and attrs["old_shares"] is not None
        no_ratio = attrs["new_shares"] is None and attrs["old_shares"] is None
        amount = attrs["amount"] is not None
        if attrs["kind"] == "split" and (not ratio or amount):
            raise serializers.ValidationError(
                "A split has new_shares and old_shares, and no amount.", "invalid"
            )
        if attrs["kind"] == "distribution" and (not no_ratio or not amount):
            raise serializers.ValidationError("A distribution has an amount alone.", "invalid")
        if attrs["kind"] == "split" and attrs["new_shares"] == attrs["old_shares"]:
            raise serializers.ValidationError("One for one is no split.", "invalid")
        if amount and attrs["amount"] <= 0:  # type: ignore[operator]  # a Decimal
            raise serializers.ValidationError({"amount": "A distribution is above zero."})
        return attrs


class CorporateActionsPostRequestSerializer(StrictSerializer):
    actions = many(CorporateActionRowRequestSerializer, min_length=1, max_length=1_000)
    source = TextField(max_length=200, required=False, default="", allow_blank=True)


class CorporateActionSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    instrument = InstrumentRefSerializer()
    ex_date = serializers.DateField()
    kind = serializers.ChoiceField(choices=CorporateAction.Kind.choices)
    new_shares = serializers.IntegerField(allow_null=True)
    old_shares = serializers.IntegerField(allow_null=True)
    amount = ExactDecimalField(allow_null=True)
    own = serializers.BooleanField()
    source = serializers.CharField()
    recorded_at = serializers.DateTimeField()


class CalendarSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    calendar = serializers.CharField()
    sessions = serializers.ListField(child=serializers.DateField())


class ImportRowsSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    """in = accepted + rejected, always."""

    accepted = serializers.IntegerField()
    rejected = serializers.IntegerField()
    changed = serializers.IntegerField(help_text="Accepted rows that differed from those on file.")

    def get_fields(self) -> dict[str, Any]:
        # `in` is a word of the language, so it cannot be declared like the others.
        return {"in": serializers.IntegerField(), **super().get_fields()}


class ImportSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    id = serializers.CharField()
    filename = serializers.CharField()
    kind = serializers.CharField()
    status = serializers.ChoiceField(choices=Import.Status.choices)
    mode = serializers.ChoiceField(choices=Import.Mode.choices)
    dry_run = serializers.BooleanField()
    sha256 = serializers.CharField()
    rows = ImportRowsSerializer()
    notes = serializers.ListField(child=serializers.JSONField())
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class ImportProblemSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    row = serializers.IntegerField(help_text="0: the file.")
    column = serializers.CharField(allow_null=True, help_text="Null: of the whole row.")
    code = serializers.CharField()
    value = serializers.CharField(allow_null=True, help_text="What the cell held.")
    message = serializers.CharField()
    suggestion = serializers.CharField(allow_null=True)
