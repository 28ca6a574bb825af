"""What time it is in a client's market: now, but for a sandbox, whose clock stands still.

The market's time says which session is the last one, how old a price is and what lies in the
future. Deeds keep the real time, in a sandbox too: when a row was recorded, what was known then,
signatures, quotas and expiries.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

from portfolios.models import Client

#: After the close of the last session that a sandbox's market has.
SANDBOX_NOW = datetime(2026, 10, 30, 23, 30, tzinfo=UTC)
SANDBOX_NOW_TEXT = SANDBOX_NOW.isoformat().replace("+00:00", "Z")


def market_now(client: Client | None) -> datetime:
    """None: the operator's."""
    return SANDBOX_NOW if client is not None and client.is_sandbox else datetime.now(UTC)


def market_today(client: Client | None) -> date:
    return market_now(client).date()
