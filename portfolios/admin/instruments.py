"""Instruments with their terms and corporate actions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import StackedInline, TabularInline

from portfolios.admin.base import AuditedAdmin, ReadableTexts
from portfolios.models import CorporateAction, Instrument, LeverageTerms, OptionTerms
from portfolios.services.data_version import data_version_bump
from portfolios.services.facts import fact_moment


class _TermsInline(ReadableTexts):
    """Terms are added and put right, never taken away."""

    extra = 0
    can_delete = False
    fk_name = "instrument"


class LeverageTermsInline(_TermsInline, TabularInline):
    model = LeverageTerms
    fields = ("valid_from", "multiple", "reference_index", "expense_ratio", "swap_spread", "source")
    autocomplete_fields = ("reference_index",)


class OptionTermsInline(_TermsInline, StackedInline):
    model = OptionTerms
    fields = ("underlying", "right", "style", "strike", "expiry", "multiplier")
    autocomplete_fields = ("underlying",)
    max_num = 1


class CorporateActionInline(_TermsInline, TabularInline):
    """Append-only: an action of the same date and kind supersedes the one on file."""

    model = CorporateAction
    fields = ("ex_date", "kind", "new_shares", "old_shares", "amount", "source")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[CorporateAction]:
        queryset: QuerySet[CorporateAction] = super().get_queryset(request)
        return queryset.filter(superseded_at=None)


@admin.register(Instrument)
class InstrumentAdmin(AuditedAdmin):
    list_display = ("symbol", "name", "kind", "currency", "client", "proxy", "is_synthetic")
    list_filter = ("kind", "is_synthetic")
    list_select_related = ("client", "proxy")
    search_fields = ("symbol", "name", "=isin", "=figi")
    autocomplete_fields = ("client", "proxy")
    readonly_fields = ("public_id", "created_at")
    inlines = (LeverageTermsInline, OptionTermsInline, CorporateActionInline)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[str]:
        return self.readonly_fields if obj is None else ("client", *self.readonly_fields)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Sequence[Any]:
        if obj is None or obj.kind == Instrument.Kind.OPTION:
            return self.inlines
        return (LeverageTermsInline, CorporateActionInline)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        for row in formset.save(commit=False):
            row.client_id = form.instance.client_id
            if isinstance(row, CorporateAction):
                row.recorded_at = fact_moment()
                CorporateAction.objects.filter(
                    client=row.client_id,
                    instrument=row.instrument_id,
                    ex_date=row.ex_date,
                    kind=row.kind,
                    superseded_at=None,
                ).update(superseded_at=row.recorded_at)
            row.save()

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        data_version_bump(form.instance.client)
