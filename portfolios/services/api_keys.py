"""API keys and the secrets of OAuth 2.0 clients: made once, shown once."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime

from django.db.models import Q
from django.db.models.functions import Now

from portfolios.errors import Conflict, InvalidRequest
from portfolios.models import ApiKey, Client
from portfolios.services.authentication import mode_of
from portfolios.services.certificates import thumbprint_of_text
from portfolios.services.credentials import (
    API_KEY,
    CLIENT_SECRET,
    credential_new,
    pepper_version,
)

SCOPE_TEXTS = {
    "portfolios:read": "Read portfolios, their positions, and instruments.",
    "portfolios:write": "Make and change portfolios and instruments, record positions.",
    "prices:read": "Read prices, rates, corporate actions and imports.",
    "prices:write": "Record prices, rates and corporate actions, upload files.",
    "analyses:run": "Ask for analyses, cancel runs.",
    "analyses:read": "Read runs and results, which tell exposures.",
    "reports:read": "Read reports.",
    "webhooks:manage": "Manage webhook endpoints, read deliveries and events.",
    "audit:read": "Read who did what.",
}
SCOPES = tuple(SCOPE_TEXTS)
#: Of one name and kind: one in use, and one to change over to.
MAX_LIVE = 2


def api_key_create(
    client: Client,
    name: str,
    scopes: Sequence[str] = SCOPES,
    *,
    kind: str = ApiKey.Kind.API_KEY,
    allowed_networks: Sequence[str] = (),
    expires_at: datetime | None = None,
    certificate: str = "",
) -> tuple[ApiKey, str]:
    """A new key and its text, which is nowhere kept. Needs the client's or an operator's scope.

    With a certificate, in PEM or by its fingerprint, the key is good only beside it.
    """
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown:
        raise InvalidRequest(f"Unknown scopes: {', '.join(unknown)}.", code="unknown-scope")
    for network in allowed_networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise InvalidRequest(f"Not a network: {error}.", code="bad-network") from None
    _refuse_third(client, name, kind)
    form = CLIENT_SECRET if kind == ApiKey.Kind.OAUTH else API_KEY
    credential = credential_new(form, mode_of(client))
    key = ApiKey.objects.create(
        client=client,
        name=name,
        kind=kind,
        key_id=credential.id,
        secret_hmac=credential.hashes()[0],
        pepper_version=pepper_version(),
        scopes=list(scopes),
        allowed_networks=list(allowed_networks),
        expires_at=expires_at,
        certificate_sha256=thumbprint_of_text(certificate),
    )
    return key, credential.text


def _refuse_third(client: Client, name: str, kind: str) -> None:
    """Refuse a key while two of its name are live; the client's row is locked for the count."""
    Client.objects.select_for_update(no_key=True).get(pk=client.pk)
    live = ApiKey.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=Now()),
        client=client,
        name=name,
        kind=kind,
        revoked_at=None,
    )
    ids = list(live.values_list("key_id", flat=True))
    if len(ids) >= MAX_LIVE:
        raise Conflict(
            f"{MAX_LIVE} live keys are called {name!r} ({', '.join(ids)}), and at most {MAX_LIVE}"
            " may be, so that one can replace the other: revoke one of them first, or give the"
            " new key another name.",
            code="too-many-keys",
        )
