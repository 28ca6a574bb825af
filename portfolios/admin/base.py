"""What all pages of the admin share: manners, columns and who the audit names."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Field, Model
from django.http import HttpRequest, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from portfolios.errors import DomainError
from portfolios.models import Client
from portfolios.services.audit import audit_record
from portfolios.texts import fault_of


def actor_of(request: HttpRequest) -> str:
    """Who the audit names."""
    return f"admin:{request.user.get_username()}"


def pretty_json(value: Any) -> SafeString:
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
    return format_html('<pre class="overflow-x-auto text-xs whitespace-pre-wrap">{}</pre>', text)


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # generic in the stubs only
    """Counts no further than anybody pages: the whole of a table of millions is never counted."""

    LIMIT = 10_000

    @cached_property
    def count(self) -> int:
        return len(self.object_list.order_by().values_list("pk")[: self.LIMIT])  # type: ignore[attr-defined]  # a queryset


def exact(name: str) -> Callable[[Model], str | None]:
    """A column of decimals with the digits they came with: the field itself shows thirty."""

    @admin.display(description=name.replace("_", " "), ordering=name)
    def shown(row: Model) -> str | None:
        value: Decimal | None = getattr(row, name)
        return None if value is None else format(value, "f")

    return shown


_COLORS = {
    **dict.fromkeys(("succeeded", "done", "approved"), "success"),
    **dict.fromkeys(("partial", "canceled", "pending_approval"), "warning"),
    **dict.fromkeys(("failed", "refused", "rejected", "quarantined"), "danger"),
}


def colored(name: str) -> Callable[[Model], str]:
    """A column of states, of which the bad ones are seen at a glance."""

    @display(label=_COLORS, description=name, ordering=name)
    def shown(row: Model) -> str:
        return str(getattr(row, name))

    column: Callable[[Model], str] = shown
    return column


class ReadableTexts:
    """Forms that take the same names as the API does."""

    def formfield_for_dbfield(
        self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        made = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]  # of the admin it is mixed into
        text = getattr(made, "base_field", made)  # of an array, each
        if isinstance(text, forms.CharField):
            text.validators = [*text.validators, _readable]
        return made


def _readable(text: str) -> None:
    if fault := fault_of(text):
        raise ValidationError(fault.message, fault.code)


class AuditedAdmin(ReadableTexts, ModelAdmin):
    """Shared manners: bounded lists, no deletion, an audit event for every change."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50

    class Media:
        css: ClassVar[dict[str, tuple[str, ...]]] = {"all": ("portfolios/admin.css",)}

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        try:
            return super().add_view(request, form_url, extra_context)
        except DomainError as refusal:
            self.message_user(request, refusal.message, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._audit(request, obj, "create", message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._audit(request, obj, "update", message)
        return super().log_change(request, obj, message)

    def _audit(self, request: HttpRequest, obj: Any, verb: str, message: Any) -> None:
        audit_record(
            client=obj if isinstance(obj, Client) else getattr(obj, "client", None),
            actor=actor_of(request),
            action=f"{obj._meta.model_name}.{verb}",
            object_id=getattr(obj, "public_id", str(obj.pk)),
            request_id=getattr(request, "request_id", ""),
            detail={"message": message},
        )


class ReadOnlyAdmin(AuditedAdmin):
    """To look at. Whoever may view it may do just that, superusers too."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyInline(TabularInline):
    """Rows to look at."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
