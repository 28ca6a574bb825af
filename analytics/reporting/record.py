"""The record: every number of a report as one JSON object. Page, PDF and CSV are made from it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from analytics.reporting.figures import BETA, HEDGE, figure, numbers

SCHEMA = "nightly-report/1"

#: What is compared with the night before: name, measure, path to it in the result.
WATCHED = (
    ("nav", BETA, ("nav",)),
    ("beta_nav", BETA, ("beta_nav",)),
    ("usd_per_1pct_index", BETA, ("usd_per_1pct_index",)),
    ("coverage_now", HEDGE, ("coverage_now",)),
    ("verdict", HEDGE, ("verdict",)),
)


@dataclass(frozen=True)
class PortfolioFigures:
    """One portfolio and what was computed of it."""

    id: str
    name: str
    external_id: str
    base_currency: str
    benchmark: str
    measures: Mapping[str, Mapping[str, Any]]


def report_record(
    *,
    client: Mapping[str, Any],
    business_date: date,
    revision: int,
    known_at: datetime,
    portfolios: Sequence[PortfolioFigures],
    previous: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The record of a night; `client` has id, name and synthetic."""
    entries = [
        {
            "id": portfolio.id,
            "name": portfolio.name,
            "external_id": portfolio.external_id,
            "base_currency": portfolio.base_currency,
            "benchmark": portfolio.benchmark,
            "measures": {
                kind: dict(portfolio.measures[kind]) for kind in sorted(portfolio.measures)
            },
        }
        for portfolio in portfolios
    ]
    return {
        "schema": SCHEMA,
        "client": dict(client),
        "business_date": business_date.isoformat(),
        "revision": revision,
        "known_at": known_at.isoformat().replace("+00:00", "Z"),
        "data_as_of": _last_session(entries),
        "method_versions": _method_versions(entries),
        "totals": _totals(entries),
        "portfolios": entries,
        "previous": None
        if previous is None
        else {
            "id": previous["id"],
            "business_date": previous["record"]["business_date"],
            "revision": previous["record"]["revision"],
        },
        "changes": [] if previous is None else _changes(previous["record"]["portfolios"], entries),
    }


def canonical_json(value: Any) -> str:
    """One text for one value: sorted keys, no spaces, no NaN."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def content_hash(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(record).encode()).hexdigest()


def _totals(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts that the items must add up to."""
    by_status: dict[str, int] = {}
    for entry in entries:
        for item in entry["measures"].values():
            by_status[item["status"]] = by_status.get(item["status"], 0) + 1
    return {
        "portfolios": len(entries),
        "items": sum(by_status.values()),
        "by_status": dict(sorted(by_status.items())),
    }


def _method_versions(entries: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {
        kind: item["method_version"]
        for entry in entries
        for kind, item in entry["measures"].items()
        if item.get("method_version")
    }


def _last_session(entries: Sequence[Mapping[str, Any]]) -> str | None:
    """The latest session any number rests on."""
    lasts = [
        number["last"]
        for entry in entries
        for item in entry["measures"].values()
        for _, number in numbers(item.get("result"))
        if number.get("last")
    ]
    return max(lasts, default=None)


def _changes(
    before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Watched figures that differ, and portfolios that came or went."""
    former = {entry["id"]: entry for entry in before}
    current = {entry["id"] for entry in now}
    changes: list[dict[str, Any]] = []
    for entry in now:
        old = former.get(entry["id"])
        if old is None:
            changes.append({"portfolio": entry["id"], "name": entry["name"], "change": "added"})
        else:
            changes += _portfolio_changes(old, entry)
    changes += [
        {"portfolio": entry["id"], "name": entry["name"], "change": "removed"}
        for entry in before
        if entry["id"] not in current
    ]
    return changes


def _same(was: Any, now: Any) -> bool:
    """Equal but for the last digits, which depend on what else was computed in the batch."""
    if isinstance(was, float) and isinstance(now, float):
        return math.isclose(was, now, rel_tol=1e-9, abs_tol=1e-12)
    return bool(was == now)


def _portfolio_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name, measure, path in WATCHED:
        was, now = (figure(entry["measures"], measure, *path) for entry in (old, new))
        if not _same(was.value, now.value):
            found.append(
                {
                    "portfolio": new["id"],
                    "name": new["name"],
                    "change": name,
                    "unit": now.unit or was.unit,
                    "before": was.value,
                    "after": now.value,
                }
            )
    for measure in sorted({*old["measures"], *new["measures"]}):
        was_status = old["measures"].get(measure, {}).get("status")
        status = new["measures"].get(measure, {}).get("status")
        if was_status != status:
            found.append(
                {
                    "portfolio": new["id"],
                    "name": new["name"],
                    "change": f"status of {measure}",
                    "unit": "",
                    "before": was_status,
                    "after": status,
                }
            )
    return found
