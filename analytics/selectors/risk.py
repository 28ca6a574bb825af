"""The latest stored figures of a portfolio, wherever they were stored; nothing is computed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.models import F

from analytics.models import Report, ReportItem, Result, Run
from portfolios.identifiers import public_id
from portfolios.models import Portfolio
from portfolios.selectors.calendars import sessions_between
from portfolios.selectors.policies import policy_effective

Json = dict[str, Any]
#: A figure of an older session is stale, where the policy says nothing: the limit for prices.
STALE_AFTER_SESSIONS = 1
_FIGURE = ("value", "unit", "se", "ci95", "n_obs", "first", "last", "status", "reason")
_SAMPLE = ("n_obs", "first", "last")


@dataclass(frozen=True)
class Stored:
    """One stored result with where it came from."""

    kind: str
    as_of: date
    known_at: datetime
    method_version: str
    source: Json
    result: Json


@dataclass(frozen=True)
class Metric:
    """A figure by name: the analysis that makes it, and where its results have it."""

    kind: str
    figures: Callable[[Json], Iterator[Json]]


def _at(*path: str) -> Callable[[Json], Iterator[Json]]:
    def figures(result: Json) -> Iterator[Json]:
        block: Any = result
        for step in path:
            block = block.get(step) if isinstance(block, dict) else None
        if isinstance(block, dict):
            yield block

    return figures


def _tail(name: str) -> Callable[[Json], Iterator[Json]]:
    """By confidence level, of the historical method."""

    def figures(result: Json) -> Iterator[Json]:
        for level in result["levels"]:
            found = level["historical"]
            sample = {part: found[part] for part in _SAMPLE}
            yield {**found[name], **sample, "confidence_level": level["confidence_level"]}

    return figures


def _drag(name: str) -> Callable[[Json], Iterator[Json]]:
    """By fund and window."""

    def figures(result: Json) -> Iterator[Json]:
        for fund in result.get("funds", ()):
            about = {part: fund[part] for part in ("instrument", "symbol")}
            for window, found in fund["windows"].items():
                if found["status"] == "ok":
                    yield {**about, **_part(found, name), "period": window}
        if "decomposition" in result:
            about = {part: result[part] for part in ("instrument", "symbol")}
            yield {**about, **_part(result, name), "period": "requested"}

    return figures


def _part(found: Json, name: str) -> Json:
    parts = found["decomposition"]
    band = parts["variance_cost_band"] if name == "variance_cost" else {}
    value = found["fund_return"] if name == "fund_return" else parts[name]
    return {"value": value, "unit": "1", **band, **found["sample"]}


BETA, HEDGE = Run.Kind.SEMICONDUCTOR_BETA.value, Run.Kind.HEDGE_EFFECTIVENESS.value
TAIL, DRAG = Run.Kind.TAIL_RISK.value, Run.Kind.LEVERAGED_DRAG.value
METRICS: dict[str, Metric] = {
    "beta_nav": Metric(BETA, _at("beta_nav")),
    "beta_ignoring_leverage": Metric(BETA, _at("beta_ignoring_leverage")),
    "nav": Metric(BETA, _at("nav")),
    "usd_per_1pct_index": Metric(BETA, _at("usd_per_1pct_index")),
    "gross_exposure": Metric(BETA, _at("gross_exposure")),
    "net_exposure": Metric(BETA, _at("net_exposure")),
    "hedge_coverage": Metric(HEDGE, _at("coverage_now")),
    "variance_reduction": Metric(HEDGE, _at("variance_reduction")),
    "value_at_risk": Metric(TAIL, _tail("value_at_risk")),
    "expected_shortfall": Metric(TAIL, _tail("expected_shortfall")),
    "volatility": Metric(TAIL, _at("volatility")),
    "drawdown": Metric(TAIL, _at("drawdown")),
    "fund_return": Metric(DRAG, _drag("fund_return")),
    "variance_cost": Metric(DRAG, _drag("variance_cost")),
}
#: What tells the figures of one metric apart.
_ABOUT = ("confidence_level", "instrument", "symbol", "period")


def portfolio_risk(
    portfolio: Portfolio,
    *,
    as_of: date,
    known_at: datetime | None,
    names: Sequence[str],
    stale_after: int,
) -> list[Json]:
    """Each metric from the latest result that has it: value, error, sample, source and age.

    Two queries, however many runs and reports there are. Older than `stale_after` sessions is
    stale.
    """
    stored = _latest(portfolio, as_of, known_at)
    now = datetime.now(UTC)
    rows: list[Json] = []
    for name in names:
        metric = METRICS[name]
        found = stored.get(metric.kind)
        figures = list(metric.figures(found.result)) if found else []
        if found is None or not figures:
            rows.append({"metric": name, **_absent(portfolio, metric.kind, found)})
            continue
        age = len(sessions_between("XNYS", found.as_of + timedelta(days=1), as_of))
        origin = {
            "kind": found.kind,
            "as_of": found.as_of,
            "known_at": found.known_at,
            "method_version": found.method_version,
            "source": found.source,
            "age_seconds": max(0.0, round((now - found.known_at).total_seconds(), 3)),
            "age_sessions": age,
            "stale": age > stale_after,
        }
        rows += [{"metric": name, **_told(figure), **origin} for figure in figures]
    return rows


def stale_after_sessions(portfolio: Portfolio, known_at: datetime | None) -> int:
    """The limit of the portfolio's policy for prices, where it has one."""
    policy = policy_effective(portfolio, known_at=known_at)
    given = policy.settings.get("max_price_age_sessions") if policy else None
    return STALE_AFTER_SESSIONS if given is None else int(given)


def _told(figure: Mapping[str, Any]) -> Json:
    return {
        **{name: figure.get(name) for name in _FIGURE},
        "status": figure.get("status", "ok"),
        **{name: figure[name] for name in _ABOUT if name in figure},
    }


def _absent(portfolio: Portfolio, kind: str, found: Stored | None) -> Json:
    reason = f"No result of {kind} is stored by then; POST /v1/analyses/{kind} with this portfolio."
    if found is not None:
        reason = f"The latest result of {kind} does not hold this figure."
    return {
        **dict.fromkeys(_FIGURE),
        "status": "not_stored",
        "reason": reason,
        "kind": kind,
        **dict.fromkeys(
            ("as_of", "known_at", "method_version", "source", "age_seconds", "age_sessions")
        ),
        "stale": True,
        "make": {
            "method": "POST",
            "path": f"/v1/analyses/{kind}",
            "body": {"portfolio": portfolio.public_id},
        },
    }


def _latest(portfolio: Portfolio, as_of: date, known_at: datetime | None) -> dict[str, Stored]:
    """By kind, the newer of the latest run's result and the latest night report's."""
    latest: dict[str, Stored] = {}
    for found in (*_of_runs(portfolio, as_of, known_at), *_of_reports(portfolio, as_of, known_at)):
        held = latest.get(found.kind)
        if held is None or (found.as_of, found.known_at) > (held.as_of, held.known_at):
            latest[found.kind] = found
    return latest


def _of_runs(portfolio: Portfolio, as_of: date, known_at: datetime | None) -> Iterator[Stored]:
    rows = Result.objects.filter(
        client=portfolio.client_id, status=Result.Status.OK,
        unit__run__portfolio=portfolio, unit__run__as_of__lte=as_of,
    )  # fmt: skip
    if known_at is not None:
        rows = rows.filter(unit__run__known_at__lte=known_at)
    for row in (
        rows.order_by(
            "unit__run__kind", "-unit__run__as_of", "-unit__run__known_at", "unit__ordinal"
        )
        .distinct("unit__run__kind")
        .values(
            "body", kind=F("unit__run__kind"), as_of=F("unit__run__as_of"),
            known_at=F("unit__run__known_at"), method_version=F("unit__run__method_version"),
            run=F("unit__run_id"), unit_name=F("unit__name"),
        )
    ):  # fmt: skip
        source = {"run": public_id(Run.ID_PREFIX, row["run"]), "unit": row["unit_name"]}
        yield Stored(
            row["kind"], row["as_of"], row["known_at"], row["method_version"],
            {**source, "report": None}, json.loads(row["body"])["result"],
        )  # fmt: skip


def _of_reports(portfolio: Portfolio, as_of: date, known_at: datetime | None) -> Iterator[Stored]:
    rows = ReportItem.objects.filter(
        client=portfolio.client_id, portfolio=portfolio, status=Result.Status.OK,
        report__state=Report.State.DONE, report__business_date__lte=as_of,
    )  # fmt: skip
    if known_at is not None:
        rows = rows.filter(report__known_at__lte=known_at)
    for row in (
        rows.order_by("measure", "-report__business_date", "-report__revision")
        .distinct("measure")
        .values(
            "measure", "body", "report_id", as_of=F("report__business_date"),
            known_at=F("report__known_at"),
        )
    ):  # fmt: skip
        body = json.loads(row["body"])
        source = {"run": None, "unit": None, "report": public_id("rep", row["report_id"])}
        yield Stored(
            row["measure"], row["as_of"], row["known_at"], body.get("method_version", ""), source,
            body["result"],
        )  # fmt: skip
