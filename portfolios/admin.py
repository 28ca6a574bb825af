"""The operator's pages of the facts.

What the tables promise holds here too: facts that are append-only can be read and added to, never
edited; a position set that is "changed" becomes a new one that supersedes it; nothing that numbers
rest on is deleted. Every change leaves an audit event.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Exists, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Now
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.dateparse import parse_date
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, StackedInline, TabularInline
from unfold.decorators import display

from portfolios.errors import DomainError
from portfolios.models import (
    AccessToken,
    ApiKey,
    AuditEvent,
    Client,
    CorporateAction,
    Delivery,
    Event,
    FxRate,
    Import,
    Instrument,
    LeverageTerms,
    OptionTerms,
    Policy,
    Portfolio,
    Position,
    PositionSet,
    Price,
    PublicKey,
    RateObservation,
    WebhookEndpoint,
)
from portfolios.selectors.clock import market_today
from portfolios.selectors.positions import position_set_effective
from portfolios.services.api_keys import SCOPES, api_key_create
from portfolios.services.audit import audit_record
from portfolios.services.authentication import mode_of
from portfolios.services.credentials import LIVE, TEST, pepper_version
from portfolios.services.data_version import data_version_bump
from portfolios.services.facts import fact_moment
from portfolios.services.positions import position_set_put
from portfolios.services.public_keys import public_key_register
from portfolios.services.sandboxes import sandbox_of

PROBLEMS_SHOWN = 200


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


class AuditedAdmin(ModelAdmin):
    """Shared manners: bounded lists, no deletion, an audit event for every change."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    actions_selection_counter = False

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


@admin.register(Client)
class ClientAdmin(AuditedAdmin):
    list_display = ("name", "slug", "base_currency", "is_active", "is_synthetic", "sandbox_of",
                    "created_at")  # fmt: skip
    list_filter = ("is_active", "is_synthetic", ("sandbox_of", admin.EmptyFieldListFilter))
    list_select_related = ("sandbox_of",)
    search_fields = ("name", "slug")
    readonly_fields = ("public_id", "sandbox_of", "created_at")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        # Who is shut out is shut out of the sandbox too.
        Client.objects.filter(sandbox_of=obj).update(is_active=obj.is_active)

    def get_prepopulated_fields(
        self,
        request: HttpRequest,
        obj: Any = None,
    ) -> dict[str, Sequence[str]]:
        return {} if obj else {"slug": ("name",)}


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """Scopes as boxes to tick."""

    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in SCOPES], widget=forms.CheckboxSelectMultiple
    )
    mode = forms.ChoiceField(
        choices=[(LIVE, "Live"), (TEST, "Test: opens the client's sandbox alone")],
        initial=LIVE,
        help_text="The first test key makes the sandbox, which takes some seconds.",
    )
    certificate = forms.CharField(
        max_length=10_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "class": "font-mono w-full"}),
        help_text="PEM, or its SHA-256 fingerprint: the key is good only over TLS with this client"
        " certificate. Blank: with any or none.",
    )

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        client: Client | None = given.get("client")
        if client is not None and client.is_sandbox and given.get("mode") == LIVE:
            self.add_error("mode", "A sandbox has test keys alone.")
        return given

    class Meta:
        model = ApiKey
        fields = ("client", "kind", "name", "scopes", "allowed_networks", "expires_at")


@admin.register(ApiKey)
class ApiKeyAdmin(AuditedAdmin):
    """Keys are made and revoked here; their text is shown once, when they are made."""

    form = ApiKeyForm
    list_display = ("mode", "name", "kind", "key_id", "client", "scope_list", "last_used_at",
                    "expires_at", "live", "present_pepper")  # fmt: skip
    list_display_links = ("name",)
    list_filter = ("kind", ("client__sandbox_of", admin.EmptyFieldListFilter))
    list_select_related = ("client",)
    search_fields = ("name", "=key_id", "client__name")
    autocomplete_fields = ("client",)
    fields = ("client", "mode", "kind", "name", "scopes", "allowed_networks", "certificate",
              "expires_at")  # fmt: skip
    actions = ("revoke", "refuse_secret", "accept_secret")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_change_permission(request, obj)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[str]:
        if obj is None:
            return self.fields
        of_oauth = ("secret_refused",) if obj.kind == ApiKey.Kind.OAUTH else ()
        return ("client", "mode", "kind", "name", "key_id", "scopes", "allowed_networks",
                "certificate_sha256", *of_oauth, "created_at", "expires_at", "last_used_at",
                "revoked_at")  # fmt: skip

    @display(label={LIVE: "info", TEST: "warning"})
    def mode(self, key: ApiKey) -> str:
        return mode_of(key.client)

    @admin.display(description="scopes")
    def scope_list(self, key: ApiKey) -> str:
        if set(key.scopes) == set(SCOPES):
            return f"all {len(SCOPES)}"
        return ", ".join(key.scopes)

    @admin.display(boolean=True)
    def live(self, key: ApiKey) -> bool:
        expired = key.expires_at is not None and key.expires_at <= datetime.now(UTC)
        return key.revoked_at is None and not expired

    @admin.display(boolean=True)
    def present_pepper(self, key: ApiKey) -> bool:
        """No: not used since the pepper was changed; without the former one it is void."""
        return key.pepper_version == pepper_version()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if form.cleaned_data["mode"] == TEST and not obj.client.is_sandbox:
            obj.client = sandbox_of(obj.client, actor=actor_of(request))
        made, obj.plaintext = api_key_create(
            obj.client,
            obj.name,
            obj.scopes,
            kind=obj.kind,
            allowed_networks=obj.allowed_networks,
            expires_at=obj.expires_at,
            certificate=form.cleaned_data["certificate"],
        )
        obj.pk, obj.key_id = made.pk, made.key_id
        obj._state.adding = False

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> Any:
        """The page with the text itself: in a redirect it would have to be kept somewhere."""
        context = {
            **self.admin_site.each_context(request),
            "title": f"{obj.get_kind_display()} made",
            "opts": self.opts,
            "key": obj,
            "plaintext": obj.plaintext,
        }
        response = TemplateResponse(request, "portfolios/admin/api_key_made.html", context)
        response["Cache-Control"] = "no-store"
        return response

    @admin.action(description="Revoke selected keys", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        keys = list(queryset.filter(revoked_at=None))
        queryset.filter(revoked_at=None).update(revoked_at=Now())
        for key in keys:
            self._audit(request, key, "revoke", key.key_id)
        self.message_user(request, f"{len(keys)} revoked.", messages.SUCCESS)

    @admin.action(
        description="Refuse the secrets of selected OAuth 2.0 clients", permissions=["change"]
    )
    def refuse_secret(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """Of those that have registered a key: the others could not get in any more."""
        keyed = PublicKey.objects.filter(credential=OuterRef("pk"), revoked_at=None)
        self._set_refused(request, queryset.filter(Exists(keyed)), refused=True)

    @admin.action(
        description="Accept the secrets of selected OAuth 2.0 clients", permissions=["change"]
    )
    def accept_secret(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        self._set_refused(request, queryset, refused=False)

    def _set_refused(
        self, request: HttpRequest, queryset: QuerySet[ApiKey], *, refused: bool
    ) -> None:
        keys = list(queryset.filter(kind=ApiKey.Kind.OAUTH, secret_refused=not refused))
        ApiKey.objects.filter(pk__in=[key.pk for key in keys]).update(secret_refused=refused)
        verb = "refuse_secret" if refused else "accept_secret"
        for key in keys:
            self._audit(request, key, verb, key.key_id)
        self.message_user(request, f"{len(keys)} changed.", messages.SUCCESS)


class PublicKeyForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """The key as its owner sent it; what is kept of it is read out of that."""

    credential = forms.ModelChoiceField(
        ApiKey.objects.filter(kind=ApiKey.Kind.OAUTH, revoked_at=None), label="OAuth 2.0 client"
    )
    text = forms.CharField(
        label="public key",
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 10, "class": "font-mono w-full"}),
        help_text="PEM (-----BEGIN PUBLIC KEY-----) or a JWK. An address of keys is not called.",
    )
    kid = forms.CharField(
        label="key id (kid)",
        max_length=100,
        required=False,
        help_text="As the client's assertions name it. Blank: that of the JWK, or its thumbprint.",
    )
    algorithm = forms.ChoiceField(
        choices=[("", "By the key")] + [(name, name) for name in ("RS256", "PS256")],
        required=False,
        help_text="RSA keys alone have two; by the key is RS256, or what the JWK says.",
    )

    class Meta:
        model = PublicKey
        fields = ("credential", "kid", "algorithm", "expires_at")


@admin.register(PublicKey)
class PublicKeyAdmin(AuditedAdmin):
    """Keys of OAuth 2.0 clients are registered and revoked here. Two may be live at a time."""

    form = PublicKeyForm
    list_display = ("kid", "algorithm", "credential", "client", "created_at", "expires_at",
                    "revoked_at", "last_used_at")  # fmt: skip
    list_filter = ("algorithm",)
    list_select_related = ("client", "credential")
    search_fields = ("=kid", "=credential__key_id", "client__name")
    fields = ("credential", "text", "kid", "algorithm", "expires_at")
    actions = ("revoke",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_change_permission(request, obj)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[str]:
        if obj is None:
            return self.fields
        return ("client", "credential", "kid", "algorithm", "jwk", "created_at", "expires_at",
                "last_used_at", "revoked_at")  # fmt: skip

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        made = public_key_register(
            obj.credential,
            form.cleaned_data["text"],
            algorithm=obj.algorithm,
            kid=obj.kid,
            expires_at=obj.expires_at,
        )
        for name in ("pk", "client", "kid", "algorithm", "jwk"):
            setattr(obj, name, getattr(made, name))
        obj._state.adding = False

    @admin.action(description="Revoke selected keys", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[PublicKey]) -> None:
        keys = list(queryset.filter(revoked_at=None))
        queryset.filter(revoked_at=None).update(revoked_at=Now())
        for key in keys:
            self._audit(request, key, "revoke", key.kid)
        self.message_user(request, f"{len(keys)} revoked.", messages.SUCCESS)


@admin.register(AccessToken)
class AccessTokenAdmin(ReadOnlyAdmin):
    """Tokens last a quarter of an hour, or until they are revoked here."""

    list_display = ("token_id", "credential", "client", "created_at", "expires_at", "revoked_at")
    list_select_related = ("client", "credential")
    search_fields = ("=token_id", "=credential__key_id")
    exclude = ("secret_hmac",)
    actions = ("revoke",)

    @admin.action(description="Revoke selected tokens", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[AccessToken]) -> None:
        tokens = list(queryset.filter(revoked_at=None))
        queryset.filter(revoked_at=None).update(revoked_at=Now())
        for token in tokens:
            self._audit(request, token, "revoke", token.token_id)
        self.message_user(request, f"{len(tokens)} revoked.", messages.SUCCESS)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("portfolios.change_accesstoken")


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


class PositionInline(TabularInline):
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


class _TermsInline:
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


@admin.register(Policy)
class PolicyAdmin(ReadOnlyAdmin):
    """Policies as they were asked for and decided; both are done by the client's own people."""

    list_display = ("portfolio", "client", "version", colored("state"), "created_by", "decided_by")
    list_filter = ("client", "state")
    list_select_related = ("portfolio", "client")


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


@admin.register(Import)
class ImportAdmin(ReadOnlyAdmin):
    list_display = ("filename", "client", "kind", colored("status"), "rows_in", "rows_accepted",
                    "rows_rejected", "rows_changed", "created_at")  # fmt: skip
    list_filter = ("status", "mode", "dry_run")
    list_select_related = ("client",)
    search_fields = ("filename", "=sha256", "client__name")
    exclude = ("content", "notes", "portfolio_id")
    readonly_fields = ("notes_shown", "problems_shown")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Import]:
        queryset: QuerySet[Import] = super().get_queryset(request)
        return queryset.defer("content")

    @admin.display(description="notes")
    def notes_shown(self, imported: Import) -> SafeString:
        return pretty_json(imported.notes)

    @admin.display(description="problems")
    def problems_shown(self, imported: Import) -> SafeString:
        problems = list(imported.problems.all()[: PROBLEMS_SHOWN + 1])
        more = " The first are shown." if len(problems) > PROBLEMS_SHOWN else ""
        rows = format_html_join(
            "",
            "<tr>" + '<td class="pr-4 align-top">{}</td>' * 6 + "</tr>",
            (
                (p.row or "file", p.column, p.code, p.value, p.message, p.suggestion)
                for p in problems[:PROBLEMS_SHOWN]
            ),
        )
        if not rows:
            return format_html("<p>{}</p>", "None.")
        return format_html(
            "<p>{}</p><table><thead><tr><th>Row</th><th>Column</th><th>Code</th><th>Value</th>"
            "<th>Message</th><th>Suggestion</th></tr></thead><tbody>{}</tbody></table>",
            more, rows,
        )  # fmt: skip


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "actor", "action", "object_id", "client", "request_id")
    list_select_related = ("client",)
    search_fields = ("=object_id", "=request_id", "=actor", "=action")
    exclude = ("detail",)
    readonly_fields = ("detail_shown",)
    ordering: ClassVar[Sequence[str]] = ("-id",)

    @admin.display(description="detail")
    def detail_shown(self, event: AuditEvent) -> SafeString:
        return pretty_json(event.detail)


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "type", "object_id", "status", "client")
    list_filter = ("type",)
    list_select_related = ("client",)
    search_fields = ("=object_id",)
    readonly_fields = ("public_id",)
    ordering: ClassVar[Sequence[str]] = ("-id",)


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnlyAdmin):
    """To look at: endpoints are the clients' own. Secrets are not shown, sealed as they are."""

    list_display = ("url", "client", "is_enabled", "disabled_reason", "failures", "created_at")
    list_filter = ("is_enabled", "disabled_reason")
    list_select_related = ("client",)
    search_fields = ("url", "client__name")
    readonly_fields = ("public_id", "previous_secret_until")
    exclude = ("secret", "former_secrets")


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """The log of what was sent, with every attempt."""

    list_display = ("created_at", "event", "endpoint", "client", colored("state"), "tries",
                    "not_before", "finished_at")  # fmt: skip
    list_filter = ("state",)
    list_select_related = ("event", "endpoint", "client")
    search_fields = ("endpoint__url", "=event__object_id")
    readonly_fields = ("public_id", "attempts_shown")
    exclude = ("log",)
    ordering: ClassVar[Sequence[str]] = ("-id",)

    @admin.display(description="attempts")
    def attempts_shown(self, delivery: Delivery) -> SafeString:
        return pretty_json(delivery.log)
