"""The tenant, its keys, and what it did."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from portfolios.identifiers import is_sandbox, public_id, uuid7


class Client(models.Model):
    """An institution: the tenant. Its rows are seen by nobody else.

    Its sandbox is a client of its own, with an id by which the walls know it (the table's check
    sees to that), a market of its own and a clock that stands still.
    """

    ID_PREFIX = "cl"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=60, unique=True)
    base_currency = models.CharField(max_length=3, default="USD")
    is_synthetic = models.BooleanField(
        default=False, help_text="Its market data is made by a model; every answer says so."
    )
    sandbox_of = models.OneToOneField(
        "self",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.CASCADE,
        related_name="sandbox",
        help_text="The institution whose developers try the API here, with rk_test_ keys.",
    )
    is_active = models.BooleanField(default=True)
    requests_per_minute = models.PositiveIntegerField(
        null=True, blank=True, help_text="Blank: the service's own limit; 0: none."
    )
    runs_per_minute = models.PositiveIntegerField(
        null=True, blank=True, help_text="Requests for analyses. Blank and 0 likewise."
    )
    max_open_runs = models.PositiveIntegerField(
        null=True, blank=True, help_text="Queued and running at a time. Blank and 0 likewise."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("name", "id")

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return public_id(self.ID_PREFIX, self.id)

    @property
    def is_sandbox(self) -> bool:
        return is_sandbox(self.id)


class ApiKey(models.Model):
    """A bearer key, or an OAuth 2.0 client that gets tokens with its secret or a key of its own.

    Either's secret is 256 random bits, so a fast keyed hash of it is kept.
    """

    class Kind(models.TextChoices):
        API_KEY = "api_key", "API key"
        OAUTH = "oauth", "OAuth 2.0 client"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(
        max_length=100,
        help_text="Who holds it. All keys and OAuth clients of a holder take the same name: where"
        " two people are asked for, they are told apart by it.",
    )
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.API_KEY)
    key_id = models.CharField(max_length=8, unique=True, editable=False)
    secret_hmac = models.BinaryField(max_length=32, editable=False)
    pepper_version = models.PositiveSmallIntegerField(default=1, editable=False)
    scopes = ArrayField(models.CharField(max_length=40), default=list)
    allowed_networks = ArrayField(
        models.CharField(max_length=43), default=list, blank=True, help_text="CIDR; empty: any."
    )
    certificate_sha256 = models.CharField(
        max_length=64,
        blank=True,
        db_default="",
        editable=False,
        help_text="Good only from who holds the private key of this certificate; empty: anybody.",
    )
    secret_refused = models.BooleanField(
        default=False, editable=False, help_text="Gets tokens with its public keys alone."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("client", "created_at", "id")
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.key_id})"

    @property
    def actor(self) -> str:
        """Who the audit names."""
        return f"{'oauth' if self.kind == self.Kind.OAUTH else 'key'}:{self.key_id}"

    @property
    def holder(self) -> str:
        """Who holds it: keys and OAuth 2.0 clients of one name are in the same hands."""
        return " ".join(self.name.split()).casefold()


class PublicKey(models.Model):
    """Half of a key pair whose other half an OAuth 2.0 client keeps: it signs with that one."""

    class Algorithm(models.TextChoices):
        ES256 = "ES256", "ES256 (P-256)"
        RS256 = "RS256", "RS256 (RSA)"
        PS256 = "PS256", "PS256 (RSA)"
        EDDSA = "EdDSA", "EdDSA (Ed25519)"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+")
    credential = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="public_keys")
    kid = models.CharField("key id (kid)", max_length=100)
    algorithm = models.CharField(max_length=5, choices=Algorithm)
    jwk = models.JSONField(help_text="Its public members alone.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("client", "created_at", "id")
        constraints = (
            models.UniqueConstraint(fields=["credential", "kid"], name="public_key_kid"),
        )

    def __str__(self) -> str:
        return self.kid


class UsedAssertion(models.Model):
    """An assertion that has been used, kept until it would be refused for its age."""

    id = models.BigAutoField(primary_key=True)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+")
    credential = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="+")
    jti_sha256 = models.BinaryField(max_length=32)
    expires_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["credential", "jti_sha256"], name="assertion_once"),
        )
        indexes = (models.Index(fields=["expires_at"], name="assertion_expiry"),)


class AccessToken(models.Model):
    """What an OAuth 2.0 client shows in place of its secret, for a quarter of an hour."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+")
    credential = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="tokens")
    token_id = models.CharField(max_length=8, unique=True)
    secret_hmac = models.BinaryField(max_length=32)
    scopes = ArrayField(models.CharField(max_length=40))
    certificate_sha256 = models.CharField(
        max_length=64, db_default="", help_text="Of the client, when it was given the token."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at", "-id")
        indexes = (models.Index(fields=["expires_at"], name="access_token_expiry"),)

    def __str__(self) -> str:
        return self.token_id


class QuotaWindow(models.Model):
    """How much of a policy a client has used since its window began; see `quota_take` in SQL.

    The table is not logged: a crash of the database empties it, and windows begin anew.
    """

    id = models.BigAutoField(primary_key=True)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+")
    policy = models.CharField(max_length=20)
    started_at = models.DateTimeField()
    used = models.PositiveIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["client", "policy"], name="quota_client_policy"),
        )


class AuthFailureWindow(models.Model):
    """How often bad credentials came from an address since its window began; not logged either."""

    id = models.BigAutoField(primary_key=True)
    address = models.CharField(max_length=50, unique=True)
    started_at = models.DateTimeField()
    failures = models.PositiveIntegerField()


class IdempotencyRecord(models.Model):
    """The first answer to a keyed request, written in the transaction of its effect."""

    id = models.BigAutoField(primary_key=True)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of method, path and body.")
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(null=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["client", "key"], name="idempotency_client_key"),
        )


class AuditEvent(models.Model):
    """Who did what to which object; append-only, a trigger refuses changes."""

    id = models.BigAutoField(primary_key=True)
    client = models.ForeignKey(Client, null=True, on_delete=models.PROTECT, related_name="+")
    actor = models.CharField(max_length=100)
    action = models.CharField(max_length=60)
    object_id = models.CharField(max_length=60)
    request_id = models.CharField(max_length=60, blank=True)
    client_request_id = models.CharField(
        max_length=100, blank=True, db_default="", help_text="As the caller named the request."
    )
    traceparent = models.CharField(max_length=60, blank=True, db_default="")
    detail = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["client", "object_id"], name="audit_client_object"),
            models.Index(fields=["client", "request_id"], name="audit_client_request"),
            models.Index(fields=["client", "id"], name="audit_client_latest"),
        )
