"""Prices and rates, to look at."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.dateparse import parse_date

from portfolios.admin.base import ReadOnlyAdmin, exact
from portfolios.models import FxRate, Instrument, Price, RateObservation


@admin.register(Price)
class PriceAdmin(ReadOnlyAdmin):
    """Millions of rows: found by symbol, date or both, newest first."""

    list_display = ("instrument", "session", exact("close"), "total_return_index", "client",
                    "source", "recorded_at", "superseded_at")  # fmt: skip
    list_select_related = ("instrument", "client")
    ordering = ("-id",)
    search_fields = ("instrument__symbol",)
    search_help_text = "A symbol, a date (2026-11-20), or both."
    list_per_page = 100

    def get_search_results(
        self,
        request: HttpRequest,
        queryset: QuerySet[Price],
        search_term: str,
    ) -> tuple[QuerySet[Price], bool]:
        for word in search_term.split():
            try:
                day = parse_date(word)
            except ValueError:
                day = None
            if day is not None:
                queryset = queryset.filter(session=day)
            else:
                found = Instrument.objects.filter(symbol__iexact=word).values_list("pk", flat=True)
                queryset = queryset.filter(instrument__in=list(found))
        return queryset, False


@admin.register(FxRate)
class FxRateAdmin(ReadOnlyAdmin):
    list_display = ("base", "quote", "session", exact("rate"), "client", "source", "superseded_at")
    list_select_related = ("client",)
    ordering = ("-id",)
    search_fields = ("=base", "=quote")


@admin.register(RateObservation)
class RateObservationAdmin(ReadOnlyAdmin):
    list_display = ("series", "session", exact("value"), "source", "superseded_at")
    ordering = ("-id",)
    search_fields = ("series",)
