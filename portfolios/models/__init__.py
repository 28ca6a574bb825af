"""Tables of the facts. Imports Django, `portfolios.identifiers` and nothing above."""

from portfolios.models.clients import (
    AccessToken,
    ApiKey,
    AuditEvent,
    AuthFailureWindow,
    Client,
    IdempotencyRecord,
    PublicKey,
    QuotaWindow,
    UsedAssertion,
)
from portfolios.models.imports import Import, ImportProblem
from portfolios.models.instruments import (
    CorporateAction,
    FundFact,
    FundHolding,
    Instrument,
    LeverageTerms,
    OptionTerms,
)
from portfolios.models.leased import LeasedJob
from portfolios.models.market import DataVersion, FxRate, OptionQuote, Price, RateObservation
from portfolios.models.policies import Policy
from portfolios.models.positions import Portfolio, Position, PositionSet
from portfolios.models.revisions import InstrumentRevision, PortfolioRevision
from portfolios.models.webhooks import Delivery, Event, WebhookEndpoint

__all__ = [
    "AccessToken",
    "ApiKey",
    "AuditEvent",
    "AuthFailureWindow",
    "Client",
    "CorporateAction",
    "DataVersion",
    "Delivery",
    "Event",
    "FundFact",
    "FundHolding",
    "FxRate",
    "IdempotencyRecord",
    "Import",
    "ImportProblem",
    "Instrument",
    "InstrumentRevision",
    "LeasedJob",
    "LeverageTerms",
    "OptionQuote",
    "OptionTerms",
    "Policy",
    "Portfolio",
    "PortfolioRevision",
    "Position",
    "PositionSet",
    "Price",
    "PublicKey",
    "QuotaWindow",
    "RateObservation",
    "UsedAssertion",
    "WebhookEndpoint",
]
