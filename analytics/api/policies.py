"""The policy of a portfolio: what its analyses take where a request says nothing."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.models import Run
from analytics.services.policies import refuse_unserved
from portfolios.api.base import ApiView, etagged
from portfolios.api.fields import (
    NameField,
    PortfolioRefField,
    RealField,
    StrictSerializer,
    TextField,
    WholeNumberField,
)
from portfolios.api.listing import (
    Filter,
    Listing,
    instant,
    list_response,
    one_of,
    page_of,
    point_in_time,
    refuse_unknown,
)
from portfolios.api.preconditions import not_modified, require_match
from portfolios.api.serializers import InstrumentRefSerializer, ResolvedFromSerializer
from portfolios.models import Client, Policy, Portfolio
from portfolios.selectors.json_rows import (
    JsonRow,
    document,
    moment,
    plain,
    public_id,
    reference,
)
from portfolios.selectors.policies import policy_effective, policy_list, policy_pending
from portfolios.selectors.portfolios import portfolio_get_for_client
from portfolios.services.policies import policy_decide, policy_propose

_STALE = ("fail", "warn")
_POLICY = JsonRow(
    portfolio=public_id("portfolio_id", Portfolio.ID_PREFIX),
    version=plain("version"),
    state=plain("state"),
    benchmark=reference("benchmark"),
    settings=document("settings"),
    created_by=plain("created_by"),
    created_at=moment("created_at"),
    decided_by=plain("decided_by"),
    decided_at=moment("decided_at"),
)
_SETTINGS = ("window", "on_stale", "max_price_age_sessions")
UPDATE = OpenApiExample(
    "A year of sessions, measured against SOXX",
    value={"benchmark": "SOXX", "window": 252, "thresholds": {"coverage_band": 0.05}},
    request_only=True,
)
DECISION = OpenApiExample("The version that was looked at", value={"version": 1}, request_only=True)


class ThresholdsSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    coverage_band = serializers.FloatField(allow_null=True)
    effectiveness_policy = serializers.CharField(allow_null=True)


class PolicyVersionSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    portfolio = PortfolioRefField()
    version = serializers.IntegerField(help_text="0: nothing was ever approved.")
    state = serializers.ChoiceField(
        choices=[*Policy.State.values, "default"], help_text="`default`: nothing was approved."
    )
    benchmark = InstrumentRefSerializer(allow_null=True, help_text="Null: the portfolio's.")
    window = serializers.IntegerField(allow_null=True)
    on_stale = serializers.ChoiceField(choices=_STALE, allow_null=True)
    max_price_age_sessions = serializers.IntegerField(allow_null=True)
    thresholds = ThresholdsSerializer()
    method_versions = serializers.DictField(child=serializers.CharField())
    created_by = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField(allow_null=True)
    decided_by = serializers.CharField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)


class PolicySerializer(PolicyVersionSerializer):
    pending = PolicyVersionSerializer(allow_null=True, help_text="What waits for approval.")
    resolved_from = ResolvedFromSerializer()


class ThresholdsRequestSerializer(StrictSerializer):
    coverage_band = RealField(min_value=0.001, max_value=1.0, required=False, allow_null=True)
    effectiveness_policy = TextField(
        max_length=40, required=False, allow_null=True, help_text="`policy` of hedge effectiveness."
    )


class MethodVersionsField(serializers.DictField):
    """A version for each kind of analysis."""

    child = TextField(max_length=40, allow_null=True)
    default_error_messages = {"kind": "Kinds are {kinds}."}

    def to_internal_value(self, data: Any) -> Any:
        kinds = list(Run.Kind.values)
        if isinstance(data, dict) and not set(data) <= set(kinds):
            self.fail("kind", kinds=", ".join(kinds))
        return super().to_internal_value(data)


class PolicyUpdateRequestSerializer(StrictSerializer):
    benchmark = NameField(required=False, allow_null=True)
    window = WholeNumberField(
        required=False, allow_null=True, min_value=60, max_value=2_520,
        help_text="Sessions of beta and hedge effectiveness.",
    )  # fmt: skip
    on_stale = serializers.ChoiceField(choices=_STALE, required=False, allow_null=True)
    max_price_age_sessions = WholeNumberField(
        min_value=0, max_value=20, required=False, allow_null=True
    )
    thresholds = ThresholdsRequestSerializer(required=False)
    method_versions = MethodVersionsField(
        required=False, help_text="Refuse to compute with another version than the one named."
    )


class PolicyDecisionRequestSerializer(StrictSerializer):
    version = WholeNumberField(min_value=1, help_text="The one that was looked at.")


class PolicyView(ApiView):
    required_scopes = {"GET": "portfolios:read", "PATCH": "portfolios:write"}
    sends = {"GET": ("ETag",), "PATCH": ("ETag", "Location")}
    parameters = {"GET": {"known_at": instant}}

    @extend_schema(operation_id="policies_retrieve", responses=PolicySerializer)
    def get(self, request: Request, portfolio_id: str) -> Response:
        """The approved policy, and the change of it that waits for approval."""
        refuse_unknown(request, self.parameters["GET"])
        asked = point_in_time(request)
        portfolio = portfolio_get_for_client(self.client, portfolio_id)
        found = policy_effective(portfolio, known_at=asked.known_at)
        pending = policy_pending(portfolio) if asked.known_at is None else None
        tag = _tag(portfolio, found, pending)
        body = {
            **_body(portfolio, found),
            "pending": _body(portfolio, pending) if pending else None,
            "resolved_from": {"as_of": None, "known_at": asked.known_at},
        }
        return not_modified(request, tag) or etagged(body, tag)

    @extend_schema(
        operation_id="policies_update",
        examples=[UPDATE],
        request=PolicyUpdateRequestSerializer,
        responses={200: PolicySerializer, 202: PolicySerializer},
    )
    def patch(self, request: Request, portfolio_id: str) -> Response:
        """Propose a change; it takes effect once somebody else approves it, with a key or OAuth
        client of another name. Null takes a member out. What changes nothing is answered
        200 and makes no version."""
        refuse_unknown(request, ())
        portfolio = portfolio_get_for_client(self.client, portfolio_id, for_update=True)
        current = portfolio.policy
        require_match(request, _tag(portfolio, current, policy_pending(portfolio)))
        sent = PolicyUpdateRequestSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        refuse_unserved(sent.validated_data)
        pending = policy_propose(
            client=self.client,
            portfolio=portfolio,
            changes=sent.validated_data,
            key=self.key,
            request_id=self.request_id,
        )
        return _answer(portfolio, pending, status=202 if pending else 200)


class _PolicyDecisionView(ApiView):
    required_scopes = {"POST": "portfolios:write"}
    sends = {"POST": ("ETag", "Location")}
    approve: bool

    def post(self, request: Request, portfolio_id: str) -> Response:
        refuse_unknown(request, ())
        sent = PolicyDecisionRequestSerializer(data=request.data)
        portfolio = portfolio_get_for_client(self.client, portfolio_id, for_update=True)
        sent.is_valid(raise_exception=True)
        policy_decide(
            portfolio=portfolio,
            version=sent.validated_data["version"],
            approve=self.approve,
            key=self.key,
            request_id=self.request_id,
        )
        return _answer(portfolio, None)


class PolicyApproveView(_PolicyDecisionView):
    approve = True

    @extend_schema(
        operation_id="policies_approve",
        examples=[DECISION],
        request=PolicyDecisionRequestSerializer,
        responses=PolicySerializer,
    )
    def post(self, request: Request, portfolio_id: str) -> Response:
        """Approve the pending policy, with a key or OAuth client of another name than the one that
        proposed it: those of one name are one holder's."""
        return super().post(request, portfolio_id)


class PolicyRejectView(_PolicyDecisionView):
    approve = False

    @extend_schema(
        operation_id="policies_reject",
        examples=[DECISION],
        request=PolicyDecisionRequestSerializer,
        responses=PolicySerializer,
    )
    def post(self, request: Request, portfolio_id: str) -> Response:
        """Reject the pending policy, or withdraw one's own."""
        return super().post(request, portfolio_id)


def _versions(
    client: Client, *, portfolio: uuid.UUID, known_at: datetime | None
) -> QuerySet[Policy]:
    rows = policy_list(Portfolio(pk=portfolio, client=client))
    return rows if known_at is None else rows.filter(created_at__lte=known_at)


class PolicyVersionListView(ApiView):
    required_scopes = {"GET": "portfolios:read"}
    listing = Listing(
        _versions,
        _POLICY,
        filters={"state": Filter("state", one_of(*Policy.State.values))},
        sorts={"version": "version"},
        default_sort="-version",
        key="version",
        extra={"known_at": instant},
        row=PolicyVersionSerializer,
    )

    @extend_schema(
        operation_id="policies_versions",
        responses=page_of(PolicyVersionSerializer, resolved_from=ResolvedFromSerializer()),
    )
    def get(self, request: Request, portfolio_id: str) -> Response:
        """Every version, with who proposed and who decided; with `known_at` those proposed by
        then."""
        refuse_unknown(request, self.listing.parameters())
        asked = point_in_time(request)
        portfolio = portfolio_get_for_client(self.client, portfolio_id)
        given = {"portfolio": portfolio.pk}
        return list_response(request, self.listing, asked=asked, given=given, shown=_set_out)


def _answer(portfolio: Portfolio, pending: Policy | None, status: int = 200) -> Response:
    body = {
        **_body(portfolio, portfolio.policy),
        "pending": _body(portfolio, pending) if pending else None,
        "resolved_from": {"as_of": None, "known_at": None},
    }
    tag = _tag(portfolio, portfolio.policy, pending)
    location = f"/v1/portfolios/{portfolio.public_id}/policy"
    return etagged(body, tag, status=status, Location=location)


def _tag(portfolio: Portfolio, found: Policy | None, pending: Policy | None) -> str:
    versions = [policy.version if policy else 0 for policy in (found, pending)]
    return f"{portfolio.pk.hex}-policy-{versions[0]}-{versions[1]}"


def _body(portfolio: Portfolio, policy: Policy | None) -> dict[str, Any]:
    if policy is not None:
        return _set_out(_POLICY.of(policy))
    none = dict.fromkeys(("created_by", "created_at", "decided_by", "decided_at"))
    about = {"portfolio": portfolio.public_id, "version": 0, "state": "default"}
    return _set_out({**about, "benchmark": None, "settings": {}, **none})


def _set_out(row: dict[str, Any]) -> dict[str, Any]:
    """A row with a member for each setting."""
    body: dict[str, Any] = {}
    for name, value in row.items():
        if name != "settings":
            body[name] = value
            continue
        thresholds = value.get("thresholds", {})
        body |= {setting: value.get(setting) for setting in _SETTINGS}
        body["thresholds"] = {
            name: thresholds.get(name) for name in ("coverage_band", "effectiveness_policy")
        }
        body["method_versions"] = value.get("method_versions", {})
    return body
