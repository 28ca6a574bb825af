"""All portfolios of a client at once: one read of the facts, one pass of each measure."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from analytics.calculations.books import Book
from analytics.calculations.market import Market
from analytics.calculations.measures import Measure, Request, Submission, under_policy
from analytics.calculations.outputs import Json, problem
from analytics.calculations.registry import NIGHTLY
from analytics.calculations.valuation import load_books
from analytics.models import Run
from portfolios.errors import InvalidRequest
from portfolios.models import Client, Portfolio
from portfolios.services.facts import facts_settled
from portfolios.tenancy import client_scope

#: An item of a report that does not concern the portfolio.
NOT_APPLICABLE = "not_applicable"

PortfolioRisk = Mapping[str, Json]
"""By measure: status, result, problem and method version, as in a unit of a run."""


def portfolios_risk(
    client: Client, portfolios: Sequence[Portfolio], as_of: date, known_at: datetime
) -> dict[uuid.UUID, PortfolioRisk]:
    """Every nightly measure for every portfolio, with the defaults a night report uses."""
    market = Market(client.pk, as_of, known_at)
    plans: dict[str, dict[uuid.UUID, Json | None]] = {}
    answers: dict[uuid.UUID, dict[str, Json]] = {portfolio.pk: {} for portfolio in portfolios}
    facts_settled(client.pk)
    with client_scope(client.pk, snapshot=True):
        books = load_books(market, [portfolio.pk for portfolio in portfolios])
        for kind, measure in NIGHTLY.items():
            plans[kind] = {}
            for portfolio in portfolios:
                planned = _plan(measure, client, portfolio, books.get(portfolio.pk), as_of)
                if "params" in planned:
                    plans[kind][portfolio.pk] = planned["params"]
                    market.prefetch(
                        measure.requirements(planned["params"]),
                        (book.currency for book in books.values()),
                    )
                else:
                    answers[portfolio.pk][kind] = planned
    market.sealed = True
    for kind, params in plans.items():
        measure = NIGHTLY[kind]
        requests = [Request(given, books.get(pk)) for pk, given in params.items() if given]
        for pk, outcome in zip(params, measure.compute(market, requests), strict=True):
            answers[pk][kind] = {
                "status": str(outcome.status),
                "result": outcome.result,
                "problem": outcome.problem,
                "method_version": measure.method_version,
            }
    return {pk: dict(by_kind) for pk, by_kind in answers.items()}


def _plan(
    measure: Measure, client: Client, portfolio: Portfolio, book: Book | None, as_of: date
) -> Json:
    """`{"params": ...}`, or the item itself where there is nothing to compute."""
    given: dict[str, Any] = {}
    if measure.kind == Run.Kind.HEDGE_EFFECTIVENESS:
        hedging = _hedging(book)
        if not hedging:
            return _not_applicable("no-hedge", "no position offsets the others")
        given = {"hedging": hedging}
    if measure.kind == Run.Kind.LEVERAGED_DRAG and not _holds_fund(book):
        return _not_applicable("no-leveraged-fund", "the portfolio holds no leveraged fund")
    try:
        given = under_policy(measure, portfolio.policy, given)
        return {"params": measure.normalize(Submission(client, portfolio, as_of, ""), given)}
    except InvalidRequest as refusal:
        return {
            "status": "error",
            "result": None,
            "problem": problem(refusal.code, refusal.message),
        }


def _hedging(book: Book | None) -> list[Json]:
    """Positions that move against a long semiconductor book: inverse funds, shorts, puts."""
    if book is None:
        return []
    offsetting = [row for row in book.holdings if row.exposure < 0]
    others = [row for row in book.holdings if row.exposure > 0]
    if not others:
        return []
    return [{"instrument": row.public_id, "quantity": None} for row in offsetting]


def _holds_fund(book: Book | None) -> bool:
    return book is not None and any(
        row.multiple is not None and row.delta is None for row in book.holdings
    )


def _not_applicable(code: str, detail: str) -> Json:
    return {"status": NOT_APPLICABLE, "result": None, "problem": problem(code, detail)}
