"""API keys: made once, shown once."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime

from portfolios.errors import InvalidRequest
from portfolios.models import ApiKey, Client
from portfolios.services.authentication import mode_of
from portfolios.services.credentials import API_KEY, credential_new, pepper_version

SCOPES = (
    "portfolios:read",
    "portfolios:write",
    "prices:read",
    "prices:write",
    "analyses:run",
    "analyses:read",
    "reports:read",
    "webhooks:manage",
    "audit:read",
)


def api_key_create(
    client: Client,
    name: str,
    scopes: Sequence[str] = SCOPES,
    *,
    allowed_networks: Sequence[str] = (),
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its text, which is nowhere kept. Needs the client's or an operator's scope."""
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown:
        raise InvalidRequest(f"Unknown scopes: {', '.join(unknown)}.", code="unknown-scope")
    for network in allowed_networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise InvalidRequest(f"Not a network: {error}.", code="bad-network") from None
    credential = credential_new(API_KEY, mode_of(client))
    key = ApiKey.objects.create(
        client=client,
        name=name,
        key_id=credential.id,
        secret_hmac=credential.hashes()[0],
        pepper_version=pepper_version(),
        scopes=list(scopes),
        allowed_networks=list(allowed_networks),
        expires_at=expires_at,
    )
    return key, credential.text
