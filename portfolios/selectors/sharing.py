"""Whose rows of shared tables a client is shown: its own and, unless it is a sandbox, nobody's.

A sandbox has a market of its own, so what is recorded for everybody changes nothing in it. The
policies of the tables say the same (`portfolios.row_level_security`).
"""

from __future__ import annotations

import uuid

from django.db.models import F, Q

from portfolios.identifiers import is_sandbox
from portfolios.models import Client

#: Order of a shared table in which a client's own row comes before the one that it stands in for.
OWN_FIRST = F("client").asc(nulls_last=True)


def seen_by(client: Client | uuid.UUID | None) -> Q:
    """Condition on a shared table; None: shared rows alone, for the operator."""
    client_id = client.pk if isinstance(client, Client) else client
    own = Q(client=client_id)
    return own if is_sandbox(client_id) else own | Q(client=None)
