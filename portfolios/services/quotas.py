"""How often a client may ask: fixed windows of a minute, counted in the database.

A window begins with the first request after the last one ended, so of any number of requests that
arrive together exactly the quota passes. The counting is one row lock inside the statement that
looks the credential up (`portfolios.services.authentication`): no further round trip, no further
server, and no question what to do while a cache is away.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import psycopg
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from portfolios.models import Client, QuotaWindow

WINDOW_SECONDS = 60
REQUESTS, RUNS, OPEN_RUNS = "default", "runs", "inflight"


@dataclass(frozen=True, slots=True)
class PolicyUse:
    """What is used of one policy in its present window."""

    policy: str
    quota: int
    used: int
    started_at: datetime | None
    age_seconds: float
    """Of the window."""

    @property
    def remaining(self) -> int:
        return max(self.quota - self.used, 0)

    @property
    def reset_seconds(self) -> int:
        return max(math.ceil(WINDOW_SECONDS - self.age_seconds), 1)


@dataclass(frozen=True, slots=True)
class RequestQuota:
    """What a request was counted against. Policies without a limit are not in it."""

    client: Client
    uses: tuple[PolicyUse, ...]
    violated: PolicyUse | None = None


def quota_of(client: Client, policy: str) -> int:
    """The client's own limit, else the service's; 0 is none."""
    own, general = {
        REQUESTS: (client.requests_per_minute, settings.REQUESTS_PER_MINUTE),
        RUNS: (client.runs_per_minute, settings.RUNS_PER_MINUTE),
        OPEN_RUNS: (client.max_open_runs, settings.MAX_OPEN_RUNS),
    }[policy]
    return int(general if own is None else own)


def request_quota(
    client: Client,
    policies: Sequence[str],
    taken: tuple[str, list[int], list[datetime], list[float]],
) -> RequestQuota:
    """From the row that `quota_take` answered with."""
    violated, used, started, ages = taken
    uses = tuple(
        PolicyUse(*values)
        for values in zip(
            policies,
            (quota_of(client, policy) for policy in policies),
            used or (),
            started or (),
            ages or (),
            strict=False,  # the counting ends with the policy that is used up
        )
    )
    limited = tuple(use for use in uses if use.quota)
    return RequestQuota(client, limited, limited[-1] if violated else None)


def quota_return(quota: RequestQuota) -> RequestQuota:
    """Give back what a request has taken: it turned out to be free."""
    if not quota.uses or quota.violated is not None:
        return quota
    policies = [use.policy for use in quota.uses]
    windows = [use.started_at for use in quota.uses]
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT quota_return(%s, %s::text[], %s::timestamptz[])",
                [quota.client.pk, policies, windows],
            )
    except (DatabaseError, InterfaceError, psycopg.OperationalError):
        return quota  # the answer is made; that it was counted must not spoil it
    return replace(quota, uses=tuple(replace(use, used=use.used - 1) for use in quota.uses))


def quota_state(client: Client, now: datetime) -> list[PolicyUse]:
    """What is used of each windowed policy, without using it. Needs the client's scope."""
    windows = {window.policy: window for window in QuotaWindow.objects.filter(client=client)}
    found = []
    for policy in (REQUESTS, RUNS):
        window = windows.get(policy)
        age = (now - window.started_at).total_seconds() if window else 0.0
        if window is None or age >= WINDOW_SECONDS:
            found.append(PolicyUse(policy, quota_of(client, policy), 0, None, 0.0))
        else:
            used, started = window.used, window.started_at
            found.append(PolicyUse(policy, quota_of(client, policy), used, started, max(age, 0.0)))
    return found
