"""Tokens of OAuth 2.0 clients: given for a quarter of an hour, revoked at once."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from django.db.models.functions import Now

from portfolios.models import AccessToken, ApiKey
from portfolios.services.audit import audit_record
from portfolios.services.authentication import mode_of
from portfolios.services.credentials import ACCESS_TOKEN, credential_new, credential_parse

LIFETIME = timedelta(minutes=15)
_KEPT = timedelta(days=1)


def access_token_create(
    credential: ApiKey, scopes: Sequence[str], *, kid: str = "", request_id: str = ""
) -> tuple[AccessToken, str]:
    """A new token of a client, and its text, which is nowhere kept. Needs the client's scope.

    `kid` of the public key, if it has asked with one.
    """
    made = credential_new(ACCESS_TOKEN, mode_of(credential.client))
    token = AccessToken.objects.create(
        client=credential.client,
        credential=credential,
        token_id=made.id,
        secret_hmac=made.hashes()[0],
        scopes=list(scopes),
        certificate_sha256=credential.certificate_sha256,
        expires_at=datetime.now(UTC) + LIFETIME,
    )
    audit_record(
        client=credential.client,
        actor=credential.actor,
        action="token.issued",
        object_id=token.token_id,
        request_id=request_id,
        detail={"scopes": token.scopes} | ({"kid": kid} if kid else {}),
    )
    return token, made.text


def access_token_revoke(credential: ApiKey, text: str, *, request_id: str = "") -> bool:
    """Whether a live token of this very client was there to revoke. Needs the client's scope."""
    shown = credential_parse(text, ACCESS_TOKEN)
    if shown is None:
        return False
    token = AccessToken.objects.filter(
        credential=credential, token_id=shown.id, revoked_at=None
    ).first()
    if token is None:
        return False
    stored = bytes(token.secret_hmac)
    if not any(hmac.compare_digest(candidate, stored) for candidate in shown.hashes()):
        return False
    if not AccessToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=Now()):
        return False
    audit_record(
        client=credential.client,
        actor=credential.actor,
        action="token.revoked",
        object_id=token.token_id,
        request_id=request_id,
    )
    return True


def access_token_purge() -> int:
    """Delete what expired a day ago, of all clients; needs an operator's transaction."""
    return AccessToken.objects.filter(expires_at__lt=Now() - _KEPT).delete()[0]
