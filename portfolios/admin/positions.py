"""Portfolios and their books. A set that is "changed" becomes one that supersedes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import OuterRef, QuerySet, Subquery
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from unfold.admin import TabularInline

from portfolios.admin.base import AuditedAdmin, ReadableTexts, ReadOnlyInline, actor_of
from portfolios.models import Instrument, Portfolio, Position, PositionSet
from portfolios.selectors.clock import market_today
from portfolios.selectors.positions import position_set_effective
from portfolios.services.positions import position_set_put


class PositionSetInline(ReadOnlyInline):
    """The history of a book."""

    model = PositionSet
    fields = ("as_of", "source", "checksum", "recorded_at", "superseded_at")
    readonly_fields = fields
    show_change_link = True
    hide_title = True
    per_page = 20


@admin.register(Portfolio)
class PortfolioAdmin(AuditedAdmin):
    list_display = ("name", "client", "external_id", "benchmark", "latest_set", "is_active")
    list_filter = ("is_active",)
    list_select_related = ("client", "benchmark")
    search_fields = ("name", "external_id", "client__name")
    autocomplete_fields = ("client", "benchmark", "market_benchmark")
    readonly_fields = ("public_id", "current_positions", "version", "created_at", "updated_at")
    inlines = (PositionSetInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Portfolio]:
        latest = PositionSet.objects.filter(portfolio=OuterRef("pk"), superseded_at=None)
        queryset: QuerySet[Portfolio] = super().get_queryset(request)
        return queryset.annotate(
            latest_set_as_of=Subquery(latest.order_by("-as_of").values("as_of")[:1])
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[str]:
        # A book never moves to another client: its rows and results could not follow.
        return self.readonly_fields if obj is None else ("client", *self.readonly_fields)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            obj.version += 1  # the entity tag of the API
        super().save_model(request, obj, form, change)

    @admin.display(description="latest positions", ordering="latest_set_as_of")
    def latest_set(self, portfolio: Any) -> date | None:
        found: date | None = portfolio.latest_set_as_of
        return found

    @admin.display(description="positions")
    def current_positions(self, portfolio: Portfolio) -> str:
        if portfolio._state.adding:
            return "Save the portfolio first."
        link = format_html(
            '<a class="underline" href="{}?portfolio={}">Record positions</a>',
            reverse("admin:portfolios_positionset_add"),
            portfolio.pk,
        )
        current = position_set_effective(portfolio)
        if current is None:
            return format_html("<p>None yet. {}</p>", link)
        rows = format_html_join(
            "",
            '<tr><td class="pr-6">{}</td><td class="pr-6 text-right">{}</td><td>{}</td></tr>',
            (
                (position.instrument.symbol, f"{position.quantity:f}", ", ".join(position.tags))
                for position in current.positions.select_related("instrument")
            ),
        )
        return format_html(
            "<p>As of {}. {}</p><table><thead><tr><th>Instrument</th><th>Quantity</th><th>Tags"
            "</th></tr></thead><tbody>{}</tbody></table>",
            current.as_of, link, rows,
        )  # fmt: skip


class PositionSetForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """A book on a date."""

    class Meta:
        model = PositionSet
        fields = ("portfolio", "as_of", "source")

    def clean_as_of(self) -> date:
        as_of: date = self.cleaned_data["as_of"]
        portfolio: Portfolio | None = self.cleaned_data.get("portfolio")
        if as_of > market_today(portfolio.client if portfolio else None):
            raise ValidationError("Positions are recorded once they are held.")
        return as_of


class PositionFormSet(BaseInlineFormSet):  # type: ignore[type-arg]  # generic in the stubs only
    """What the service would refuse is said at the row."""

    def clean(self) -> None:
        super().clean()
        portfolio = getattr(self.instance, "portfolio", None)
        for form in self.filled():
            instrument: Instrument = form.cleaned_data["instrument"]
            if portfolio and instrument.client_id not in (None, portfolio.client_id):
                form.add_error("instrument", "Belongs to another client.")

    def filled(self) -> list[Any]:
        return [
            form
            for form in self.forms
            if form.cleaned_data.get("instrument") and not form.cleaned_data.get("DELETE")
        ]


class PositionInline(ReadableTexts, TabularInline):
    model = Position
    formset = PositionFormSet
    fields = ("instrument", "quantity", "cost", "tags")
    autocomplete_fields = ("instrument",)

    def get_extra(self, request: HttpRequest, obj: Any = None, **_: Any) -> int:
        return 0 if obj else len(_former_positions(request)) + 3


@admin.register(PositionSet)
class PositionSetAdmin(AuditedAdmin):
    """Recorded sets are read-only. A new one of the same date supersedes the old."""

    form = PositionSetForm
    list_display = ("portfolio", "client", "as_of", "source", "recorded_at", "current")
    list_select_related = ("portfolio", "client")
    list_filter = (("superseded_at", admin.EmptyFieldListFilter),)
    search_fields = ("portfolio__name", "client__name")
    autocomplete_fields = ("portfolio",)
    inlines = (PositionInline,)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_change_permission(request, obj)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[str]:
        if obj is None:
            return ("portfolio", "as_of", "source")
        return ("portfolio", "as_of", "source", "checksum", "recorded_at", "superseded_at")

    @admin.display(boolean=True)
    def current(self, position_set: PositionSet) -> bool:
        return position_set.superseded_at is None

    def get_formset_kwargs(self, request: HttpRequest, obj: Any, inline: Any, prefix: str) -> Any:
        """Start from the positions of the portfolio's latest set."""
        kwargs = super().get_formset_kwargs(request, obj, inline, prefix)
        if request.method == "GET" and obj._state.adding:
            kwargs["initial"] = _former_positions(request)
        return kwargs

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Nothing yet: set and positions are one thing, written by `save_related`."""

    def save_related(
        self,
        request: HttpRequest,
        form: Any,
        formsets: Iterable[Any],
        change: bool,
    ) -> None:
        (formset,) = formsets
        obj = form.instance
        made, created = position_set_put(
            client=obj.portfolio.client,
            portfolio=obj.portfolio,
            as_of=obj.as_of,
            positions=[
                {
                    "instrument": row.cleaned_data["instrument"].public_id,
                    "quantity": row.cleaned_data["quantity"],
                    "cost": row.cleaned_data["cost"],
                    "tags": row.cleaned_data["tags"],
                }
                for row in formset.filled()
            ],
            source=obj.source or "admin",
            actor=actor_of(request),
            request_id=getattr(request, "request_id", ""),
        )
        obj.pk, obj.client = made.pk, made.client
        obj._state.adding = False
        if not created:
            self.message_user(request, "The same positions are on file already.", messages.INFO)

    def construct_change_message(
        self, request: Any, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        return [{"added": {}}]

    def _audit(self, request: HttpRequest, obj: Any, verb: str, message: Any) -> None:
        """The service has written the audit event already."""


def _former_positions(request: HttpRequest) -> list[dict[str, Any]]:
    """The latest positions of the portfolio named in the address, to be edited into new ones."""
    if request.method != "GET" or not request.GET.get("portfolio"):
        return []
    try:
        portfolio = Portfolio.objects.get(pk=request.GET["portfolio"])
    except (Portfolio.DoesNotExist, ValidationError):
        return []
    current = position_set_effective(portfolio)
    if current is None:
        return []
    names = ("instrument", "quantity", "cost", "tags")
    return [
        {
            "instrument": position.instrument_id,
            **{name: getattr(position, name) for name in names[1:]},
        }
        for position in current.positions.all()
    ]
