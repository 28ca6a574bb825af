"""What a policy may ask of the analyses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analytics.calculations.hedge_effectiveness import POLICIES
from analytics.calculations.registry import MEASURES
from portfolios.errors import InvalidRequest


def refuse_unserved(changes: Mapping[str, Any]) -> None:
    """Refuse versions of methods, and tests of effectiveness, that this release does not have."""
    errors = [
        {
            "pointer": f"/method_versions/{kind}",
            "code": "method-not-served",
            "message": "This release does not compute this version.",
            "value": wanted,
            "suggestion": [MEASURES[kind].method_version],
        }
        for kind, wanted in changes.get("method_versions", {}).items()
        if wanted is not None and wanted != MEASURES[kind].method_version
    ]
    if errors:
        raise InvalidRequest(
            "A version is not computed by this release.", code="method-not-served", errors=errors
        )
    name = changes.get("thresholds", {}).get("effectiveness_policy")
    if name is not None and name not in POLICIES:
        raise InvalidRequest(
            "There is no such policy.",
            code="unknown-policy",
            errors=[
                {
                    "pointer": "/thresholds/effectiveness_policy",
                    "value": name,
                    "suggestion": sorted(POLICIES),
                }
            ],
        )
