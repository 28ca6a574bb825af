"""Policies: a version is proposed by one holder of keys and takes effect when another approves it.

Keys and OAuth 2.0 clients of one name are one holder's (`ApiKey.holder`), so neither the key that
replaces another nor the client beside a key is a second pair of eyes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import connection
from django.db.models import Max

from portfolios.errors import Conflict, Refused
from portfolios.models import ApiKey, Client, Policy, Portfolio
from portfolios.selectors.instruments import instrument_resolve
from portfolios.selectors.policies import policy_list, policy_pending
from portfolios.services.audit import audit_record


def policy_propose(
    *,
    client: Client,
    portfolio: Portfolio,
    changes: Mapping[str, Any],
    key: ApiKey,
    request_id: str = "",
) -> Policy | None:
    """A new version, the approved one with these changes; a None takes a member out. None is made
    where nothing would be different: there is nothing for a second person to approve.

    The caller has locked the portfolio's row.
    """
    if (open_one := policy_pending(portfolio)) is not None:
        raise Conflict(
            f"Version {open_one.version} waits for approval: approve or reject it first.",
            code="policy-pending",
            context={"pending_version": open_one.version},
        )
    current = portfolio.policy
    settings = dict(current.settings) if current else {}
    benchmark = current.benchmark if current else None
    for name, value in changes.items():
        if name == "benchmark":
            found = (
                instrument_resolve(client, [value], pointers={value: ["/benchmark"]})
                if value
                else {}
            )
            benchmark = found.get(value)
        elif isinstance(value, Mapping):
            inner = {**settings.get(name, {}), **value}
            settings[name] = {k: v for k, v in inner.items() if v is not None}
        else:
            settings[name] = value
    settings = {name: value for name, value in settings.items() if value not in (None, {})}
    if benchmark == (current.benchmark if current else None) and settings == (
        current.settings if current else {}
    ):
        return None
    last = policy_list(portfolio).aggregate(last=Max("version"))["last"] or 0
    proposed = Policy.objects.create(
        client=client,
        portfolio=portfolio,
        version=last + 1,
        benchmark=benchmark,
        settings=settings,
        created_by=key.actor,
        created_by_holder=key.holder,
    )
    proposed.refresh_from_db(fields=["created_at"])
    _audit(proposed, "policy.propose", key.actor, request_id)
    return proposed


def policy_decide(
    *, portfolio: Portfolio, version: int, approve: bool, key: ApiKey, request_id: str = ""
) -> Policy:
    """Approve or reject the pending version; who proposed it may only reject it.

    The caller has locked the portfolio's row.
    """
    pending = policy_pending(portfolio)
    if pending is None or pending.version != version:
        raise Conflict(
            f"Version {version} does not wait for approval.",
            code="policy-not-pending",
            context={"pending_version": pending.version if pending else None},
        )
    if approve and pending.created_by_holder == key.holder:
        raise Refused(
            f"Version {version} was proposed with a key or OAuth client named {key.name!r}, as"
            " yours is: one of another name, so of another holder, approves it.",
            code="second-person-required",
        )
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        pending.decided_at = cursor.fetchone()[0]
    pending.decided_by, pending.decided_by_holder = key.actor, key.holder
    pending.state = Policy.State.APPROVED if approve else Policy.State.REJECTED
    pending.save(update_fields=["state", "decided_by", "decided_by_holder", "decided_at"])
    if approve:
        Portfolio.objects.filter(pk=portfolio.pk).update(policy=pending)
        portfolio.policy = pending
    _audit(pending, "policy.approve" if approve else "policy.reject", key.actor, request_id)
    return pending


def _audit(policy: Policy, action: str, actor: str, request_id: str) -> None:
    audit_record(
        client=policy.client,
        actor=actor,
        action=action,
        object_id=policy.portfolio.public_id,
        request_id=request_id,
        detail={
            "version": policy.version,
            "benchmark": policy.benchmark.symbol if policy.benchmark else None,
            "settings": policy.settings,
        },
    )
