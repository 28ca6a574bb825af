"""Who the caller is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.selectors.runs import run_open_count
from portfolios.api.base import ApiView
from portfolios.api.limits import MAX_JSON_NODES, MAX_UPLOAD_BYTES
from portfolios.api.listing import MAX_LIMIT, refuse_unknown
from portfolios.api.serializers import MeSerializer
from portfolios.models import Client
from portfolios.services.authentication import mode_of
from portfolios.services.quotas import OPEN_RUNS, WINDOW_SECONDS, quota_of, quota_state


class MeView(ApiView):
    required_scopes = {"GET": None}

    @extend_schema(operation_id="me_retrieve", responses=MeSerializer)
    def get(self, request: Request) -> Response:
        """The key, its client, its scopes and the limits that apply."""
        refuse_unknown(request, ())
        key, client = self.key, self.client
        return Response(
            {
                "mode": mode_of(client),
                "client": {
                    "id": client.public_id,
                    "name": client.name,
                    "base_currency": client.base_currency,
                    "synthetic": client.is_synthetic,
                },
                "key": {"id": key.key_id, "name": key.name, "expires_at": key.expires_at},
                "scopes": key.scopes,
                "limits": {
                    "body_bytes": settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
                    "upload_bytes": MAX_UPLOAD_BYTES,
                    "json_values": MAX_JSON_NODES,
                    "page": MAX_LIMIT,
                    **_quotas(client),
                },
            }
        )


def _quotas(client: Client) -> dict[str, Any]:
    """Each policy with what is left of it; null where there is no limit."""
    found: dict[str, Any] = {
        use.policy: {
            "quota": use.quota,
            "window_seconds": WINDOW_SECONDS,
            "remaining": use.remaining,
            "reset_seconds": use.reset_seconds,
        }
        if use.quota
        else None
        for use in quota_state(client, datetime.now(UTC))
    }
    allowed = quota_of(client, OPEN_RUNS)
    remaining = max(allowed - run_open_count(client), 0)
    found[OPEN_RUNS] = {"quota": allowed, "remaining": remaining} if allowed else None
    return found
