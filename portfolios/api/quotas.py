"""The RateLimit fields of the IETF draft, as HTTP structured fields (RFC 9651)."""

from __future__ import annotations

from portfolios.errors import QuotaExceeded
from portfolios.services.quotas import (
    OPEN_RUNS,
    REQUESTS,
    RUNS,
    WINDOW_SECONDS,
    RequestQuota,
    quota_of,
)


def quota_fields(quota: RequestQuota) -> dict[str, str]:
    """`RateLimit-Policy`: every limit of the client; `RateLimit`: what is left of those that this
    request counted against. A field without members is left out."""
    client = quota.client
    policies = [
        f'"{policy}";q={limit};w={WINDOW_SECONDS}'
        for policy in (REQUESTS, RUNS)
        if (limit := quota_of(client, policy))
    ]
    if limit := quota_of(client, OPEN_RUNS):
        policies.append(f'"{OPEN_RUNS}";q={limit};qu="concurrent-requests"')
    left = [f'"{use.policy}";r={use.remaining};t={use.reset_seconds}' for use in quota.uses]
    named = {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(left)}
    return {name: value for name, value in named.items() if value}


def refuse_beyond(quota: RequestQuota) -> None:
    """Refuse a request for which there was nothing left."""
    use = quota.violated
    if use is not None:
        raise QuotaExceeded(
            f"The policy {use.policy!r} allows {use.quota} requests in {WINDOW_SECONDS} seconds;"
            f" the next window begins in {use.reset_seconds} s.",
            policy=use.policy,
            retry_after=use.reset_seconds,
        )
