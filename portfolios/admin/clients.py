"""Clients and what they come in with: API keys, OAuth 2.0 clients, their keys and tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.template.response import TemplateResponse
from unfold.decorators import display

from portfolios.admin.base import AuditedAdmin, ReadOnlyAdmin, actor_of
from portfolios.models import AccessToken, ApiKey, Client, PublicKey
from portfolios.services.api_keys import SCOPES, api_key_create
from portfolios.services.authentication import mode_of
from portfolios.services.credentials import LIVE, TEST, pepper_version
from portfolios.services.public_keys import public_key_register
from portfolios.services.sandboxes import sandbox_of


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
