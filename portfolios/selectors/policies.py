"""Policies of a portfolio: the approved one, now or as known at a time, and all versions."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from portfolios.models import Policy, Portfolio


def policy_list(portfolio: Portfolio) -> QuerySet[Policy]:
    return Policy.objects.filter(client=portfolio.client_id, portfolio=portfolio)


def policy_effective(portfolio: Portfolio, *, known_at: datetime | None = None) -> Policy | None:
    """The approved version last decided, as known then; None: nothing was ever approved."""
    if known_at is None:
        return portfolio.policy
    return (
        policy_list(portfolio)
        .filter(state=Policy.State.APPROVED, decided_at__lte=known_at)
        .select_related("benchmark")
        .order_by("-decided_at", "-version")
        .first()
    )


def policy_pending(portfolio: Portfolio) -> Policy | None:
    """The version that waits for its second pair of eyes."""
    rows = policy_list(portfolio).filter(state=Policy.State.PENDING)
    return rows.select_related("benchmark").first()
