"""Policies, to look at."""

from __future__ import annotations

from django.contrib import admin

from portfolios.admin.base import ReadOnlyAdmin, colored
from portfolios.models import Policy


@admin.register(Policy)
class PolicyAdmin(ReadOnlyAdmin):
    """Policies as they were asked for and decided; both are done by the client's own people."""

    list_display = ("portfolio", "client", "version", colored("state"), "created_by", "decided_by")
    list_filter = ("client", "state")
    list_select_related = ("portfolio", "client")
