"""Who the caller is."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from portfolios.api.base import ApiView
from portfolios.api.limits import MAX_JSON_NODES, MAX_UPLOAD_BYTES
from portfolios.api.listing import MAX_LIMIT, refuse_unknown
from portfolios.api.serializers import MeSerializer


class MeView(ApiView):
    required_scopes = {"GET": None}

    @extend_schema(operation_id="me_retrieve", responses=MeSerializer)
    def get(self, request: Request) -> Response:
        """The key, its client, its scopes and the limits that apply."""
        refuse_unknown(request, ())
        key, client = self.key, self.client
        return Response(
            {
                "client": {
                    "id": client.public_id,
                    "name": client.name,
                    "base_currency": client.base_currency,
                    "synthetic": client.is_synthetic,
                },
                "key": {"id": key.key_id, "name": key.name, "expires_at": key.expires_at},
                "scopes": key.scopes,
                "limits": {
                    "body_bytes": 1_000_000,
                    "upload_bytes": MAX_UPLOAD_BYTES,
                    "json_values": MAX_JSON_NODES,
                    "page": MAX_LIMIT,
                },
            }
        )
