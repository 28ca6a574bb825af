"""Who a request comes from: one statement that finds the credential and counts the request."""

from __future__ import annotations

import functools
import hmac
import ipaddress
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.db.models.functions import Now

from portfolios.errors import Refused
from portfolios.models import ApiKey, AuthFailureWindow, Client
from portfolios.plans import Statement, planned
from portfolios.selectors.rows import instance_of_some
from portfolios.services.audit import audit_record
from portfolios.services.credentials import (
    ACCESS_TOKEN,
    API_KEY,
    CLIENT_SECRET,
    LIVE,
    TEST,
    Credential,
    credential_parse,
    pepper_version,
)
from portfolios.services.quotas import (
    WINDOW_SECONDS,
    RequestQuota,
    quota_return,
    request_quota,
)
from portfolios.tenancy import Look, client_scope, operator_scope, queries

_USE_NOTED_EVERY = timedelta(minutes=1)
_WINDOW = timedelta(seconds=WINDOW_SECONDS)
#: What a shown secret is compared with where there is no such key, so that both take as long.
_DUMMY_HMAC = bytes(32)
#: One statement that finds the key and, if it is live, counts the request against its client's
#: quotas (`quota_take`). The client's own limits stand in its row; the service's limits, which hold
#: where it has none, are parameters. The commit does not wait for the disk: counts may be lost with
#: a crash of the database.
_ADMIT_TEMPLATE = """
SELECT k.*, q.*{enter} FROM (SELECT set_config('synchronous_commit', 'off', true)) AS soon,
    credential_lookup(%s, %s) k LEFT JOIN LATERAL quota_take(
    CASE WHEN encode(k.secret_hmac, 'hex') = ANY(%s::text[]) AND k.revoked_at IS NULL
         AND k.is_active AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())
         THEN k.client_id END,
    %s::text[],
    ARRAY[coalesce(k.requests_per_minute, %s), coalesce(k.runs_per_minute, %s)],
    %s
) q ON true
"""
_ADMIT = _ADMIT_TEMPLATE.format(enter="")
#: The same; if the request was let in, it also opens the scope of the client for what follows in
#: the message: the view's look.
_ADMIT_AND_ENTER = _ADMIT_TEMPLATE.format(
    enter=", set_config('app.client_id', CASE WHEN q.used IS NOT NULL AND q.violated IS NULL"
    " THEN k.client_id::text ELSE '' END, true)"
)
_LEAVE: Statement = ("SELECT set_config('app.client_id', '', true)", [])
#: What `credential_lookup` takes, in place of the kind of a credential, for an OAuth 2.0 client
#: that has signed an assertion: it finds the client even where its secret is refused.
_ASSERTION = "ra"
#: The row of `_ADMIT`, in its order: the key, its client, the certificate that the key is bound to,
#: and the four columns of `quota_take`.
_KEY_COLUMNS = (
    "id", "key_id", "kind", "name", "secret_hmac", "scopes", "allowed_networks", "expires_at",
    "revoked_at", "last_used_at",
)  # fmt: skip
_CLIENT_COLUMNS = (
    "id", "name", "slug", "base_currency", "is_synthetic", "is_active", "created_at",
    "requests_per_minute", "runs_per_minute", "max_open_runs",
)  # fmt: skip
_OF_KEY = slice(len(_KEY_COLUMNS))
_OF_CLIENT = slice(_OF_KEY.stop, _OF_KEY.stop + len(_CLIENT_COLUMNS))
_CERTIFICATE = _OF_CLIENT.stop
_OF_QUOTA = slice(_CERTIFICATE + 1, _CERTIFICATE + 5)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Admission:
    """The key shown, what the request was counted against, and the rows of its look."""

    key: ApiKey
    quota: RequestQuota
    looked: Sequence[tuple[Any, ...]] = ()


def api_key_authenticate(text: str, address: str) -> ApiKey:
    """The live key of this text, with its client; counts against nothing."""
    return credential_admit(text, address, ()).key


def credential_admit(
    text: str,
    address: str,
    policies: Sequence[str],
    *,
    kinds: Sequence[str] = (API_KEY, ACCESS_TOKEN),
    certificate: str = "",
    look: Look | None = None,
) -> Admission:
    """The live key of this text, with its client; raises Refused.

    The request is counted against `policies` of the client, which are named in the order default,
    runs. `address` is where the caller is, `certificate` the thumbprint of the client certificate
    it has shown ("" for none): a key may be bound to either. A token stands for the OAuth 2.0
    client that it was given to: what is returned is the client's key with the scopes of the token.

    One code covers everything that can be wrong with the text itself, so that nothing is learned by
    trying. A mistyped key is refused before the database is asked.

    `look` is sent in the same message, and PostgreSQL runs it in the scope of the client only if
    it has let the key in. If the request is refused here all the same, its rows are dropped.
    """
    credential = credential_parse(text, *kinds)
    if credential is None:
        raise _invalid()
    hashes = credential.hashes()
    admission = _admit(
        credential.kind,
        credential.id,
        hashes,
        address,
        policies,
        mode=credential.mode,
        certificate=certificate,
        look=look,
    )
    # Tokens are not hashed anew: they are over before a pepper is.
    outdated = credential.kind != ACCESS_TOKEN and bytes(admission.key.secret_hmac) != hashes[0]
    _note_use(admission.key, credential, outdated=outdated)
    return admission


def assertion_admit(
    key_id: str, secret_hmac: bytes, address: str, policies: Sequence[str], *, certificate: str
) -> Admission:
    """The OAuth 2.0 client of this id, which has proved itself by a signature. The request is
    counted as if the client had shown its secret, so the caller gives the hash of that."""
    return _admit(_ASSERTION, key_id, [secret_hmac], address, policies, certificate=certificate)


def assertion_noted(key: ApiKey) -> None:
    """Note that the OAuth 2.0 client has come in by an assertion, which was good."""
    _note_use(key, None, outdated=False)


def _admit(
    form: str,
    key_id: str,
    hashes: list[bytes],
    address: str,
    policies: Sequence[str],
    *,
    certificate: str,
    look: Look | None = None,
    mode: str | None = None,
) -> Admission:
    """The live key of this id whose secret has one of these hashes; raises Refused.

    `mode`, where it is given, is what the text of the key says, live or test. It must be that of
    the key's client.
    """
    rows, *others = _results(
        (
            _ADMIT_AND_ENTER if look else _ADMIT,
            [
                form,
                key_id,
                _array(candidate.hex() for candidate in hashes),
                _array(policies),
                settings.REQUESTS_PER_MINUTE,
                settings.RUNS_PER_MINUTE,
                WINDOW_SECONDS,
            ],
        ),
        *([(look.statement, look.parameters)] if look else ()),
        # Where the transaction goes on after the message, the scope of the look does not.
        *([_LEAVE] if look and connection.in_atomic_block else ()),
    )
    row = rows[0] if rows else None
    key = _key_of(row) if row is not None else None
    stored = bytes(key.secret_hmac) if key is not None else _DUMMY_HMAC
    genuine = [hmac.compare_digest(candidate, stored) for candidate in hashes]
    if key is None or not any(genuine) or key.revoked_at is not None or not key.client.is_active:
        raise _invalid()
    if mode not in (None, mode_of(key.client)):
        raise _invalid()
    if key.expires_at is not None and key.expires_at <= datetime.now(UTC):
        if form == ACCESS_TOKEN:
            raise Refused("The token has expired: get another.", code="expired-access-token")
        raise Refused("The key has expired.", code="expired-api-key")
    assert row is not None  # noqa: S101  # a key was made of it
    quota = request_quota(key.client, policies, row[_OF_QUOTA])
    if key.allowed_networks and not _is_within(address, tuple(key.allowed_networks)):
        quota_return(quota)  # a stolen key used from elsewhere must not use its client's up
        raise Refused("The key may not be used from this address.", code="address-not-allowed")
    if key.certificate_sha256 and key.certificate_sha256 != certificate:
        quota_return(quota)
        shown = "another one was shown" if certificate else "none was shown"
        raise Refused(
            f"The key is bound to a client certificate, and {shown}.", code="certificate-required"
        )
    return Admission(key, quota, others[0] if look else ())


def _array(words: Iterable[str]) -> str:
    """An array of words, written as PostgreSQL reads it. psycopg would take a list too, but look at
    each element of it for its type first."""
    return "{" + ",".join(words) + "}"


def mode_of(client: Client) -> str:
    """Which keys a client has: a sandbox test keys, all others live ones, and never both."""
    return TEST if client.is_sandbox else LIVE


def auth_failure_record(address: str, reason: str, text: str, *, request_id: str = "") -> int:
    """Note that bad credentials came from an address.

    Returns 0, or, once there were too many within a minute, for how many seconds further failures
    from there are answered with 429. Good credentials from there go on working: addresses are
    shared, 256 bits cannot be guessed, and one mistaken program must not lock a whole institution
    out. The database counts, so the count holds for all processes; while it is away a failure is
    only logged. The log has the id of the credential and nothing else of its text.
    """
    shown = credential_parse(text, API_KEY, CLIENT_SECRET, ACCESS_TOKEN)
    key_id = shown.id if shown else "none"
    allowed = settings.AUTH_FAILURES_PER_MINUTE
    address = _counted_address(address)
    if not allowed:
        logger.warning("authentication failed address=%s reason=%s key=%s", address, reason, key_id)
        return 0
    try:
        failures, seconds_left = first_query(
            "INSERT INTO portfolios_authfailurewindow AS w (address, started_at, failures)"
            " VALUES (%s, clock_timestamp(), 1)"
            " ON CONFLICT (address) DO UPDATE SET"
            " failures = CASE WHEN w.started_at + make_interval(secs => %s) <= excluded.started_at"
            "                 THEN 1 ELSE w.failures + 1 END,"
            " started_at = CASE WHEN w.started_at + make_interval(secs => %s)"
            "                        <= excluded.started_at"
            "                   THEN excluded.started_at ELSE w.started_at END"
            " RETURNING failures,"
            " extract(epoch FROM started_at - clock_timestamp()) + %s",
            [address, WINDOW_SECONDS, WINDOW_SECONDS, WINDOW_SECONDS],
        ) or (1, 0.0)
    except (DatabaseError, InterfaceError, psycopg.OperationalError):
        failures, seconds_left = 1, 0.0
    if failures <= allowed:
        logger.warning("authentication failed address=%s reason=%s key=%s", address, reason, key_id)
        return 0
    if failures == allowed + 1:
        logger.warning(
            "authentication failures limited address=%s reason=%s key=%s", address, reason, key_id
        )
        with operator_scope():
            audit_record(
                client=None,
                actor=f"address:{address}",
                action="authentication.limited",
                object_id=address,
                request_id=request_id,
                detail={"failures": failures, "window_seconds": WINDOW_SECONDS},
            )
    return max(int(seconds_left) + 1, 1)


def auth_failure_purge() -> int:
    """Forget addresses whose window is over."""
    over = AuthFailureWindow.objects.filter(started_at__lt=Now() - 2 * _WINDOW)
    return over.delete()[0]


def _key_of(row: tuple[Any, ...]) -> ApiKey:
    own = dict(zip(_KEY_COLUMNS, row[_OF_KEY], strict=True))
    key = instance_of_some(ApiKey, {**own, "certificate_sha256": row[_CERTIFICATE]})
    of_client = dict(zip(_CLIENT_COLUMNS, row[_OF_CLIENT], strict=True))
    key.client = instance_of_some(Client, of_client)
    return key


def _note_use(key: ApiKey, credential: Credential | None, *, outdated: bool) -> None:
    """Note when the key was last used, at most once a minute. An `outdated` key, whose hash was
    made with a former pepper, is hashed anew with the present one."""
    now = datetime.now(UTC)
    if not outdated and key.last_used_at and now - key.last_used_at <= _USE_NOTED_EVERY:
        return
    changes: dict[str, Any] = {"last_used_at": Now()}
    if credential is not None and credential.kind != ACCESS_TOKEN:
        changes["pepper_version"] = pepper_version()
        if outdated:
            changes["secret_hmac"] = credential.hashes()[0]
    with client_scope(key.client_id):
        ApiKey.objects.filter(pk=key.pk).update(**changes)


def first_query(sql: str, parameters: Sequence[Any]) -> tuple[Any, ...] | None:
    """The first row of one statement, which is a transaction of its own."""
    rows = _results((sql, parameters))[0]
    return rows[0] if rows else None


def _results(*statements: Statement) -> list[list[tuple[Any, ...]]]:
    """The rows of each of these statements, sent in one message, which is a transaction of its own.

    It is the first thing that a request asks the database. So a connection of the pool that a
    restart of the database has cut is found dead here: it is thrown away and the next one tried.
    """
    while True:
        try:
            with planned(statements) as by_plan:
                return queries(by_plan)
        except (OperationalError, InterfaceError):
            kept = connection.connection
            if kept is None or not kept.closed or connection.in_atomic_block:
                raise  # there was no connection to be had, or it lives
            connection.close()


def _invalid() -> Refused:
    return Refused(
        "This is not a key or token of ours, or it has been revoked.", code="invalid-api-key"
    )


def _counted_address(address: str) -> str:
    """An IPv6 subscriber has a whole /64, so that is what is counted."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if parsed.version == 6:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


@functools.lru_cache(maxsize=1024)
def _is_within(address: str, networks: tuple[str, ...]) -> bool:
    try:
        caller = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(caller in ipaddress.ip_network(network) for network in networks)
