"""The operator's pages of the facts, a module for each room of the models.

What the tables promise holds here too: facts that are append-only can be read and added to, never
edited; a position set that is "changed" becomes a new one that supersedes it; nothing that numbers
rest on is deleted. Every change leaves an audit event.
"""

from portfolios.admin import (
    audit,
    clients,
    imports,
    instruments,
    market,
    policies,
    positions,
    webhooks,
)
from portfolios.admin.base import ReadOnlyAdmin, ReadOnlyInline, actor_of, colored, pretty_json

__all__ = [
    "ReadOnlyAdmin",
    "ReadOnlyInline",
    "actor_of",
    "audit",
    "clients",
    "colored",
    "imports",
    "instruments",
    "market",
    "policies",
    "positions",
    "pretty_json",
    "webhooks",
]
